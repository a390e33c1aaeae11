//! Arrays that the program and we see at once: memory instead of system calls.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};

use aya::maps::MapData;

use super::mapping::Mapping;

/// The values of an array map with `BPF_F_MMAPABLE`, of so many words each. The kernel's program and all threads may
/// read and write them at any time, so every word is an atomic; what the words of a value mean together is for each
/// user to see to.
#[derive(Debug)]
pub(super) struct Shared<const WORDS: usize>(Mapping);

impl<const WORDS: usize> Shared<WORDS> {
    /// Maps the first `length` values of `map`. The kernel lays elements out at multiples of 8 bytes, so a value has an
    /// even number of words, or is a part of the map's only element.
    pub(super) fn map(map: &MapData, length: usize) -> io::Result<Self> {
        let bytes = length.saturating_mul(size_of::<[AtomicU32; WORDS]>());
        Ok(Shared(Mapping::of(&map.fd().as_fd(), 0, bytes)?))
    }

    /// The words of value `index`.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&[AtomicU32; WORDS]> {
        let index = usize::try_from(index).ok()?;
        let at = self.0.at(index.checked_mul(size_of::<[AtomicU32; WORDS]>())?)?;
        // SAFETY: inside the mapping (the kernel refuses one that is longer than the map), which lives as long as
        // `self`, and aligned; atomics may change at any time.
        Some(unsafe { at.as_ref() })
    }

    /// Value `index`, word by word.
    fn load(&self, index: u32) -> Option<[u32; WORDS]> {
        Some(self.get(index)?.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Value `index` by words that belong together. The program may be writing, so it is read until two readings are
    /// equal; a stream has a packet in 20 ms, so the first two nearly always are.
    #[inline]
    pub(super) fn load_settled(&self, index: u32) -> Option<[u32; WORDS]> {
        let mut seen = self.load(index)?;
        for _ in 0..4 {
            let again = self.load(index)?;
            if again == seen {
                break;
            }
            seen = again;
        }
        Some(seen)
    }

    /// Replaces value `index`, word by word.
    pub(super) fn store(&self, index: u32, value: [u32; WORDS]) {
        for (at, word) in self.get(index).into_iter().flatten().zip(value) {
            at.store(word, Ordering::Relaxed);
        }
    }
}
