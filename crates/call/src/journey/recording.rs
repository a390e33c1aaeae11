//! The caller leaves a message. The worker records; what it hands over is kept even if the caller has
//! hung up by then, for that is how most messages end.

use base::{CallKey, Duration, Instant, LegKey, Pii, UnixMillis};
use ivr::{Input, Token};
use media::{Codec, Command};

use super::{Journey, Reached};
use crate::core::Core;
use crate::leg::Leg;
use crate::message::{Output, Recording};
use crate::record::StepKind;

/// A recording that a worker was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    token: u64,
    call: CallKey,
    name: String,
    at: UnixMillis,
}

impl Journey {
    /// The flow wants the caller recorded.
    pub(super) fn record(
        &mut self,
        core: &mut Core,
        now: Instant,
        token: Token,
        name: &str,
        length_max: Duration,
    ) {
        let asked = Asked { token: token.0, call: self.key, name: name.to_owned(), at: core.wall(now) };
        let leg = self.caller;
        let free = |entry: &&mut Leg| entry.audio().is_some() && entry.recording.is_none();
        let Some(entry) = core.legs.get_mut(&leg).filter(free) else {
            core.count("recordings", "refused");
            return self.answer_flow(now, Input::RecordDone { token, length_ms: None });
        };
        entry.recording = Some(Box::new(asked));
        core.command(leg, Command::Record { leg, token: token.0, length_max });
        self.step(core, now, StepKind::Recording, name);
    }

    /// The flow wants no more of it. The worker answers with what it has.
    pub(super) fn stop_record(&mut self, core: &mut Core, now: Instant, token: Token) {
        let leg = self.caller;
        let asked = core.leg(leg).and_then(|entry| entry.recording.as_deref());
        if asked.is_some_and(|asked| asked.token == token.0) {
            core.command(leg, Command::StopRecord { leg });
        } else {
            self.answer_flow(now, Input::RecordDone { token, length_ms: None });
        }
    }

    /// The worker handed a recording over, of this length if it is one.
    pub(crate) fn recorded(&mut self, core: &mut Core, now: Instant, token: u64, length_ms: Option<u32>) {
        if length_ms.is_some() && self.reached == Reached::Nothing {
            self.reached = Reached::Service;
        }
        self.tell_flow(core, now, Input::RecordDone { token: Token(token), length_ms });
    }
}

impl Core {
    /// Takes a recording from a worker and hands it on; its length, if there is anything in it.
    pub(crate) fn take_recording(
        &mut self,
        leg: LegKey,
        token: u64,
        codec: Codec,
        audio: Pii<Box<[u8]>>,
        length_ms: u32,
    ) -> Option<u32> {
        let recording = &mut self.legs.get_mut(&leg)?.recording;
        let asked = recording.take_if(|asked| asked.token == token)?;
        if length_ms == 0 {
            self.count("recordings", "empty");
            return None;
        }
        self.count("recordings", "taken");
        let Asked { call, name, at, .. } = *asked;
        self.output(Output::Recording(Box::new(Recording { call, name, codec, audio, length_ms, at })));
        Some(length_ms)
    }
}
