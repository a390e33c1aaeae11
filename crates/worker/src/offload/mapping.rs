//! Memory that the kernel sees too.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// A mapping of this process's own, until it is dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    first: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is the process's, not a thread's. What is in it is reached only by those who say how.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `bytes` of what `fd` offers at `offset`.
    pub(super) fn of(fd: &impl AsRawFd, offset: i64, bytes: usize) -> io::Result<Mapping> {
        Self::map(bytes, libc::MAP_SHARED | libc::MAP_POPULATE, fd.as_raw_fd(), offset)
    }

    /// `bytes` of zeros.
    pub(super) fn zeros(bytes: usize) -> io::Result<Mapping> {
        Self::map(bytes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE, -1, 0)
    }

    fn map(bytes: usize, flags: i32, fd: i32, offset: i64) -> io::Result<Mapping> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, fd, offset) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(at.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Mapping { first, bytes })
    }

    /// The place of a `T` at `offset` bytes; `None` if it is not wholly inside, or not aligned.
    #[inline]
    pub(super) fn at<T>(&self, offset: usize) -> Option<NonNull<T>> {
        let end = offset.checked_add(size_of::<T>())?;
        if end > self.bytes || !offset.is_multiple_of(align_of::<T>()) {
            return None;
        }
        // SAFETY: inside the mapping, which begins at a page.
        Some(unsafe { self.first.add(offset) }.cast())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and nothing borrows from it.
        unsafe { libc::munmap(self.first.as_ptr().cast(), self.bytes) };
    }
}
