//! Arrays that the program and we see at once: memory instead of system calls.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use aya::maps::MapData;

/// The values of an array map with `BPF_F_MMAPABLE`, of so many words each. The kernel's program and all threads may
/// read and write them at any time, so every word is an atomic; what the words of a value mean together is for each
/// user to see to.
#[derive(Debug)]
pub(super) struct Shared<const WORDS: usize> {
    first: NonNull<[AtomicU32; WORDS]>,
    length: usize,
}

// SAFETY: the memory is the process's, not a thread's, and all access is atomic.
unsafe impl<const WORDS: usize> Send for Shared<WORDS> {}
// SAFETY: as above.
unsafe impl<const WORDS: usize> Sync for Shared<WORDS> {}

impl<const WORDS: usize> Shared<WORDS> {
    /// Maps the first `length` values of `map`. The kernel lays elements out at multiples of 8 bytes, so a value has an
    /// even number of words, or is a part of the map's only element.
    pub(super) fn map(map: &MapData, length: usize) -> io::Result<Self> {
        let bytes = length.saturating_mul(size_of::<[AtomicU32; WORDS]>());
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = map.fd().as_fd().as_raw_fd();
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(at.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Shared { first, length })
    }

    /// The words of value `index`.
    pub(super) fn get(&self, index: u32) -> Option<&[AtomicU32; WORDS]> {
        let index = usize::try_from(index).ok().filter(|&index| index < self.length)?;
        // SAFETY: below `length`, so inside the mapping (the kernel refuses one that is longer than the map), which
        // lives as long as `self`; aligned, since it begins with a page; and atomics may change at any time.
        Some(unsafe { self.first.add(index).as_ref() })
    }

    /// Value `index`, word by word.
    pub(super) fn load(&self, index: u32) -> Option<[u32; WORDS]> {
        Some(self.get(index)?.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Replaces value `index`, word by word.
    pub(super) fn store(&self, index: u32, value: [u32; WORDS]) {
        for (at, word) in self.get(index).into_iter().flatten().zip(value) {
            at.store(word, Ordering::Relaxed);
        }
    }
}

impl<const WORDS: usize> Drop for Shared<WORDS> {
    fn drop(&mut self) {
        let bytes = self.length.saturating_mul(size_of::<[AtomicU32; WORDS]>());
        // SAFETY: the mapping was made by `map` with this length, and nothing borrows from it.
        unsafe { libc::munmap(self.first.as_ptr().cast(), bytes) };
    }
}
