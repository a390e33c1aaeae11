//! `say`: speaks values (numbers, amounts, dates …) between prompts and goes on.

use super::play::Play;
use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::read::Reader;

/// Keys: `words` (prompts and `{ kind = "${variable}" }`), `barge_in` (true), `next`.
#[derive(Debug)]
pub(crate) struct Say(Play);

impl Behaviour for Say {
    const WORD: &'static str = "say";
    type Run = ();

    fn read(step: &mut Reader<'_>) -> Self {
        Say(Play::read_as(step, "words", true))
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        self.0.refs(refs);
    }

    fn on(&self, run: &mut (), desk: &mut Desk, event: Event) -> Next {
        self.0.on(run, desk, event)
    }
}
