//! Floor 1: everything one worker does to a packet, and SDP, which is how codecs are agreed.
//!
//! [`relay::Relay`] owns the legs of one media thread: it relays voice, plays [`prompt::Prompt`]s,
//! speaks RTCP and RFC 4733, and learns addresses only from whom signalling named. It does no I/O:
//! packets come in by [`relay::Relay::receive`] and leave through a [`relay::Sink`].
//! [`sdp`] parses, prints, offers and answers. [`codec`] has one file per codec.

pub mod codec;
pub mod dsp;
pub mod dtmf;
pub mod prompt;
pub mod recording;
pub mod relay;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod srtp;

pub use codec::Codec;
pub use dtmf::Digit;
pub use prompt::{Prompt, PromptTable};
pub use relay::{Channel, Command, Event, LegStats, Relay, RelayConfig, Sink, Slot};
