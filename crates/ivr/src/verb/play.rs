//! `play`: speaks prompts and goes on.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::read::Reader;
use crate::words::{Target, Words};

/// Keys: `prompts`, `barge_in` (a key ends it early, and counts in a menu right after it; false), `next`.
#[derive(Debug)]
pub(crate) struct Play {
    prompts: Words,
    barge_in: bool,
    next: Target,
}

impl Behaviour for Play {
    const WORD: &'static str = "play";
    type Run = ();

    fn read(step: &mut Reader<'_, '_, '_>) -> Self {
        Play {
            prompts: step.needed_words("prompts"),
            barge_in: step.flag("barge_in", false),
            next: step.target("next"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.push(&self.prompts);
        refs.silent.push(&self.next);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => {
                desk.speak(&self.prompts, self.barge_in);
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
