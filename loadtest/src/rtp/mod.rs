//! Paced RTP streams and what becomes of them.

mod clock;
mod generator;
mod packet;
mod receive;
mod report;
mod stream;

pub use clock::{realtime_nanos, resident_bytes};
pub use generator::{Generator, GeneratorConfig};
pub use packet::{HEADER_BYTES, PAYLOAD_BYTES, Probe};
pub use receive::{StampedBatch, stamp};
pub use report::{Pace, Quantiles, Report, StreamReport};
pub use stream::{Expect, Stream};
