//! The map of streams, seen by both sides at once: what the kernel noted is read without a system call.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use super::layout::Stream;

/// An array of streams in memory that is shared with the kernel.
#[derive(Debug)]
pub(super) struct Streams {
    first: NonNull<Stream>,
    length: usize,
}

// SAFETY: the memory is the process's, not a thread's; all access is volatile, of plain integers.
unsafe impl Send for Streams {}

impl Streams {
    /// Maps the array behind `fd`, which has `length` streams and allows that.
    pub(super) fn map(fd: &impl AsRawFd, length: usize) -> io::Result<Streams> {
        let bytes = length.saturating_mul(size_of::<Stream>());
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(at.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Streams { first, length })
    }

    fn at(&self, index: u32) -> Option<NonNull<Stream>> {
        let index = usize::try_from(index).ok().filter(|&index| index < self.length)?;
        // SAFETY: below `length`, so inside the mapping.
        Some(unsafe { self.first.add(index) })
    }

    /// The stream now. The program may be writing, so it is read until two readings are equal; a stream
    /// has a packet in 20 ms, so the first two nearly always are.
    pub(super) fn read(&self, index: u32) -> Stream {
        let Some(at) = self.at(index) else { return Stream::default() };
        // SAFETY: inside the mapping, aligned (the kernel lays elements out at multiples of 8 bytes from a
        // page's start), and every bit pattern is a `Stream`.
        let read = || unsafe { at.read_volatile() };
        let mut seen = read();
        for _ in 0..4 {
            let again = read();
            if again == seen {
                break;
            }
            seen = again;
        }
        seen
    }

    /// Replaces a stream that no flow points to.
    pub(super) fn write(&mut self, index: u32, stream: Stream) {
        if let Some(at) = self.at(index) {
            // SAFETY: as for `read`; the program does not touch it, because no flow points to it.
            unsafe { at.write_volatile(stream) };
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        let bytes = self.length.saturating_mul(size_of::<Stream>());
        // SAFETY: the mapping was made by `map` with this length, and nothing borrows from it.
        unsafe { libc::munmap(self.first.as_ptr().cast(), bytes) };
    }
}
