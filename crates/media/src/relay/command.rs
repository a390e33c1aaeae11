//! What a relay is told, and what it tells.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;

use base::{LegKey, MixKey, Pii};

use super::stats::LegStats;
use crate::sdp::Negotiated;
use crate::srtp::Keys;
use crate::{Codec, Digit, Prompt};

/// What a relay must do. A command about a leg that is not (or no longer) there is ignored and counted.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new leg. Nothing is sent or accepted before its first `SetRemote`.
    AddLeg {
        /// Its key.
        leg: LegKey,
        /// RTP port; RTCP is the next one unless muxed.
        port: u16,
        /// The address to bind.
        local: IpAddr,
    },
    /// Signalling said who the peer is. Arms the learning of his address anew.
    SetRemote {
        /// Which leg.
        leg: LegKey,
        /// What offer and answer agreed on.
        negotiated: Negotiated,
        /// Hosts that signalled: the SDP's and the SIP request's source. Whoever else speaks is a stranger.
        learn_from: Vec<IpAddr>,
        /// Report [`Event::Silent`] after so long without a packet from the peer, unless the call is held:
        /// telephones that hold mostly send nothing.
        timeout: Option<Duration>,
    },
    /// Signalling agreed on SRTP, or no longer does (`None`). Comes before the `SetRemote` that it belongs to:
    /// from here on nothing readable leaves the leg, and nothing unauthentic is listened to. The same keys
    /// again change nothing.
    Secure {
        /// Which leg.
        leg: LegKey,
        /// Both directions' keys.
        keys: Option<Box<Keys>>,
    },
    /// Joins two voices. Ends what plays on either leg within one packet.
    Bridge {
        /// One leg.
        a: LegKey,
        /// The other.
        b: LegKey,
    },
    /// Parts the voices of `leg` and whoever it is bridged to. Both then hear silence.
    Unbridge {
        /// Either leg.
        leg: LegKey,
    },
    /// Brings a leg into a mix: it hears all others that may be heard, and they hear it as `heard_by` says.
    /// Ends its bridge, not what plays on it. The first leg opens the mix, the last one closes it; a leg that
    /// is in it already only changes its audience. All its legs must be on one worker. More than
    /// [`super::MIX_LEGS_MAX`] are not let in, and counted.
    Join {
        /// Which leg.
        leg: LegKey,
        /// Which mix.
        mix: MixKey,
        /// Who hears it.
        heard_by: Audience,
    },
    /// Takes a leg out of its mix. It then hears silence.
    Leave {
        /// Which leg.
        leg: LegKey,
    },
    /// Plays prompts one after the other without a gap, instead of whatever plays now. A bridged leg
    /// hears the prompts instead of its peer until they end.
    Play {
        /// Which leg.
        leg: LegKey,
        /// Comes back in [`Event::PlayDone`].
        token: u64,
        /// In order. Gaps are [`Prompt::silence`].
        prompts: Vec<Arc<Prompt>>,
    },
    /// Plays for ever. Goes on where this leg's music stopped, if it is the same music.
    Music {
        /// Which leg.
        leg: LegKey,
        /// What to play.
        music: Arc<Prompt>,
    },
    /// Ends what plays within one packet, without [`Event::PlayDone`].
    Stop {
        /// Which leg.
        leg: LegKey,
    },
    /// Sends keys by RFC 4733, 100 ms each, 60 ms apart, after those still being sent.
    SendDigits {
        /// Which leg.
        leg: LegKey,
        /// In order; more than [`super::DIGITS_MAX`] waiting are dropped and counted.
        digits: Vec<Digit>,
    },
    /// Records what the peer says, until `length_max`, `StopRecord`, `Bridge` (a conversation is nobody's
    /// message) or `RemoveLeg`; [`Event::Recorded`] follows. A recording that goes on already ends first.
    Record {
        /// Which leg.
        leg: LegKey,
        /// Comes back in [`Event::Recorded`].
        token: u64,
        /// Longest recording, at most [`super::RECORDING_MAX`].
        length_max: Duration,
    },
    /// Ends the recording; without one nothing happens.
    StopRecord {
        /// Which leg.
        leg: LegKey,
    },
    /// Asks for [`Event::Stats`].
    Report {
        /// Which leg.
        leg: LegKey,
    },
    /// Ends a leg. Nothing leaves it after this, not even a goodbye by RTCP, for signalling said it;
    /// [`Event::Removed`] is its last event.
    RemoveLeg {
        /// Which leg.
        leg: LegKey,
    },
}

impl Command {
    /// The leg that decides on which worker the command must run.
    pub const fn leg(&self) -> LegKey {
        match self {
            Command::AddLeg { leg, .. }
            | Command::SetRemote { leg, .. }
            | Command::Secure { leg, .. }
            | Command::Bridge { a: leg, .. }
            | Command::Unbridge { leg }
            | Command::Join { leg, .. }
            | Command::Leave { leg }
            | Command::Play { leg, .. }
            | Command::Music { leg, .. }
            | Command::Stop { leg }
            | Command::SendDigits { leg, .. }
            | Command::Record { leg, .. }
            | Command::StopRecord { leg }
            | Command::Report { leg }
            | Command::RemoveLeg { leg } => *leg,
        }
    }
}

/// Who hears a leg of a mix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Everybody: one of those who talk, a supervisor who barges in.
    Everybody,
    /// Nobody: a supervisor who listens.
    Nobody,
    /// One leg: a supervisor who whispers.
    Only(LegKey),
}

/// What happened on a leg.
#[derive(Clone, Debug)]
pub enum Event {
    /// The peer pressed a key: once per key press, when it ended.
    Digit {
        /// Which leg.
        leg: LegKey,
        /// Which key.
        digit: Digit,
        /// How long it was held.
        duration_ms: u32,
    },
    /// Every prompt of a `Play` was sent whole.
    PlayDone {
        /// Which leg.
        leg: LegKey,
        /// The `Play`'s token.
        token: u64,
    },
    /// No packet came from the peer for the `SetRemote`'s timeout. Once, until packets come again.
    Silent {
        /// Which leg.
        leg: LegKey,
    },
    /// The peer's address is settled and will not change before the next `SetRemote`.
    Locked {
        /// Which leg.
        leg: LegKey,
        /// Where he speaks from and is spoken to.
        remote: SocketAddr,
    },
    /// The peer's first packet since `SetRemote` or `Bridge`.
    Flowing {
        /// Which leg.
        leg: LegKey,
    },
    /// All keys of `SendDigits` were sent.
    DigitsSent {
        /// Which leg.
        leg: LegKey,
    },
    /// A recording ended.
    Recorded {
        /// Which leg.
        leg: LegKey,
        /// The `Record`'s token.
        token: u64,
        /// What `audio` is.
        codec: Codec,
        /// RTP payload from the first millisecond on, gaps as silence. Empty if the peer said nothing, or if
        /// the relay had no room for the recording.
        audio: Pii<Box<[u8]>>,
        /// Length of `audio`.
        length_ms: u32,
    },
    /// The answer to `Report`.
    Stats {
        /// Which leg.
        leg: LegKey,
        /// So far.
        stats: Box<LegStats>,
    },
    /// The leg is gone; its last event.
    Removed {
        /// Which leg.
        leg: LegKey,
        /// Of its whole life.
        stats: Box<LegStats>,
    },
    /// The leg could not be added; its only event.
    BindFailed {
        /// Which leg.
        leg: LegKey,
        /// Why.
        why: BindFailure,
    },
}

/// Why a leg could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindFailure {
    /// The port is taken, or the address is not ours.
    Port,
    /// The worker has all the legs it may have.
    TooManyLegs,
    /// ApiMisuse: this worker already has a leg of that key.
    Duplicate,
}

impl Event {
    /// The leg that the event is about.
    pub const fn leg(&self) -> LegKey {
        match self {
            Event::Digit { leg, .. }
            | Event::PlayDone { leg, .. }
            | Event::Silent { leg }
            | Event::Locked { leg, .. }
            | Event::Flowing { leg }
            | Event::DigitsSent { leg }
            | Event::Recorded { leg, .. }
            | Event::Stats { leg, .. }
            | Event::Removed { leg, .. }
            | Event::BindFailed { leg, .. } => *leg,
        }
    }

    /// Whether somebody waits for this event for ever if it is lost.
    pub const fn must_arrive(&self) -> bool {
        !matches!(self, Event::Locked { .. } | Event::Flowing { .. } | Event::Stats { .. })
    }
}
