//! `play`: speaks prompts and goes on.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::read::Reader;
use crate::words::{Target, Words};

/// Keys: `prompts`, `barge_in` (a key ends it early, and counts in a menu right after it; false), `next`.
#[derive(Debug)]
pub(crate) struct Play {
    words: Words,
    barge_in: bool,
    next: Target,
}

impl Play {
    /// Reads a step whose words stand at `key`; `say` is the same step by other habits.
    pub(super) fn read_as(step: &mut Reader<'_>, key: &'static str, barge_in: bool) -> Self {
        Play {
            words: step.needed_words(key),
            barge_in: step.flag("barge_in", barge_in),
            next: step.target("next"),
        }
    }
}

impl Behaviour for Play {
    const WORD: &'static str = "play";
    type Run = ();

    fn read(step: &mut Reader<'_>) -> Self {
        Self::read_as(step, "prompts", false)
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.push(&self.words);
        refs.silent.push(&self.next);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => {
                desk.speak(&self.words, self.barge_in);
                Next::Stay
            }
            Event::Spoken => Next::go(&self.next),
            Event::Key(key) => {
                desk.pass_on(key);
                Next::go(&self.next)
            }
            _ => Next::Stay,
        }
    }
}
