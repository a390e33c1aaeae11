//! `hangup`: last words, then the end.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::HangupReason;
use crate::read::Reader;
use crate::words::Words;

/// Keys: `prompts`, `reason` (`done`, `silent`, `closed`).
#[derive(Debug)]
pub(crate) struct Hangup {
    prompts: Words,
    reason: HangupReason,
}

impl Behaviour for Hangup {
    const WORD: &'static str = "hangup";
    type Run = ();

    fn read(step: &mut Reader<'_>) -> Self {
        let reasons = [HangupReason::Done, HangupReason::Silent, HangupReason::Closed];
        let reasons = reasons.map(|reason| (reason.word(), reason));
        Hangup {
            prompts: step.words("prompts"),
            reason: step.choice("reason", &reasons).unwrap_or(HangupReason::Done),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.push(&self.prompts);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => {
                desk.speak(&self.prompts, false);
                Next::Stay
            }
            Event::Spoken => Next::Hangup(self.reason),
            _ => Next::Stay,
        }
    }
}
