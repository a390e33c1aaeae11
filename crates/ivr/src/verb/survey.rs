//! `survey`: one key scores the service.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::Output;
use crate::read::Reader;
use crate::words::{Named, Target, Words};

/// Keys: `question` (its name in the records), `prompts`, `scale` (5: keys 1-5 are scores), `timeout_ms` (5000),
/// `retries` (1), `thanks`, `next`.
#[derive(Debug)]
pub(crate) struct Survey {
    question: Named,
    prompts: Words,
    scale: u8,
    timeout_ms: u32,
    retries: u32,
    thanks: Words,
    next: Target,
}

/// Misses so far, and whether the score is given and only the thanks are left.
#[derive(Debug, Default)]
pub(crate) struct Run {
    misses: u32,
    thanked: bool,
}

impl Behaviour for Survey {
    const WORD: &'static str = "survey";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        Survey {
            question: step.name_or("question", "satisfaction"),
            prompts: step.needed_words("prompts"),
            scale: u8::try_from(step.count("scale", 5, 2..=9)).unwrap_or(5),
            timeout_ms: step.count("timeout_ms", 5000, 500..=60_000),
            retries: step.count("retries", 1, 0..=9),
            thanks: step.words("thanks"),
            next: step.target("next"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.extend([&self.prompts, &self.thanks]);
        refs.silent.push(&self.next);
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => self.ask(desk),
            Event::Key(key) if !run.thanked => {
                let score = key.wrapping_sub(b'0');
                if !(1..=self.scale).contains(&score) {
                    return self.missed(run, desk);
                }
                run.thanked = true;
                desk.emit(Output::SurveyResult { question: self.question.name.clone(), score });
                desk.speak(&self.thanks, false);
                Next::Stay
            }
            Event::Timeout => self.missed(run, desk),
            Event::Spoken if run.thanked => Next::go(&self.next),
            _ => Next::Stay,
        }
    }
}

impl Survey {
    fn ask(&self, desk: &mut Desk) -> Next {
        desk.ask(&self.prompts, true, self.timeout_ms);
        Next::Stay
    }

    fn missed(&self, run: &mut Run, desk: &mut Desk) -> Next {
        run.misses = run.misses.saturating_add(1);
        if run.misses > self.retries { Next::go(&self.next) } else { self.ask(desk) }
    }
}
