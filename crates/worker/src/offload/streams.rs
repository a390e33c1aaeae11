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

    /// The stream now.
    pub(super) fn read(&self, place: u32) -> Stream {
        self.0.load_settled(place).map(Stream::from_words).unwrap_or_default()
    }

    /// Replaces a stream whose flow is in no chain: the program does not come upon it.
    pub(super) fn write(&self, place: u32, stream: Stream) {
        self.0.store(place, stream.words());
    }
}
