//! The map of streams: what the kernel noted is read without a system call.

use std::io;

use aya::maps::MapData;

use super::layout::Stream;
use super::shared::Shared;

/// The streams of all threads. Each thread has to do with those of its own places only.
#[derive(Debug)]
pub(super) struct Streams(Shared<{ Stream::WORDS }>);

impl Streams {
    /// Those of `map`, which has `length`.
    pub(super) fn map(map: &MapData, length: usize) -> io::Result<Streams> {
        Ok(Streams(Shared::map(map, length)?))
    }

    /// The stream now. The program may be writing, so it is read until two readings are equal; a stream
    /// has a packet in 20 ms, so the first two nearly always are.
    pub(super) fn read(&self, place: u32) -> Stream {
        let read = || self.0.load(place).map(Stream::from_words).unwrap_or_default();
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

    /// Replaces a stream whose flow is in no chain: the program does not come upon it.
    pub(super) fn write(&self, place: u32, stream: Stream) {
        self.0.store(place, stream.words());
    }
}
