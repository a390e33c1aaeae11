//! `say`: speaks values (numbers, amounts, dates …) between prompts and goes on.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::read::Reader;
use crate::words::{Target, Words};

/// Keys: `words` (prompts and `{ kind = "${variable}" }`), `barge_in` (true), `next`.
#[derive(Debug)]
pub(crate) struct Say {
    words: Words,
    barge_in: bool,
    next: Target,
}

impl Behaviour for Say {
    const WORD: &'static str = "say";
    type Run = ();

    fn read(step: &mut Reader<'_, '_, '_>) -> Self {
        Say {
            words: step.needed_words("words"),
            barge_in: step.flag("barge_in", true),
            next: step.target("next"),
        }
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
