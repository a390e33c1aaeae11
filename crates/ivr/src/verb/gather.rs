//! `gather`: digits into a variable.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::read::Reader;
use crate::words::{Named, Target, Words};

/// Keys: `prompts`, `into`, `min` (1), `max` (20), `terminator` (`"#"`, or `"none"`), `first_ms` (5000), `inter_ms` (3000),
/// `confirm` (words that read the digits back and ask: 1 = right, any other key = again), `retries` (2),
/// `invalid` (spoken when there were too few digits or none), `next`, `default`.
#[derive(Debug)]
pub(crate) struct Gather {
    prompts: Words,
    into: Named,
    min: usize,
    max: usize,
    terminator: Option<u8>,
    first_ms: u32,
    inter_ms: u32,
    confirm: Words,
    retries: u32,
    invalid: Words,
    next: Target,
    default: Target,
}

/// What the caller is doing.
#[derive(Debug, Default)]
enum Phase {
    /// Typing.
    #[default]
    Typing,
    /// Hearing that it was not right; then typing again.
    Regret,
    /// Hearing his digits and saying yes or no.
    Confirming,
}

/// The digits so far; never printed.
#[derive(Debug, Default)]
pub(crate) struct Run {
    phase: Phase,
    digits: base::Pii<String>,
    misses: u32,
}

impl Behaviour for Gather {
    const WORD: &'static str = "gather";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        let min = step.count("min", 1, 1..=40);
        let max = step.count("max", 20.max(min), min..=40);
        let terminators = [("#", Some(b'#')), ("*", Some(b'*')), ("none", None)];
        Gather {
            prompts: step.needed_words("prompts"),
            into: step.variable("into"),
            min: min as usize,
            max: max as usize,
            terminator: step.choice("terminator", &terminators).flatten(),
            first_ms: step.count("first_ms", 5000, 500..=60_000),
            inter_ms: step.count("inter_ms", 3000, 500..=60_000),
            confirm: step.words("confirm"),
            retries: step.count("retries", 2, 0..=9),
            invalid: step.words("invalid"),
            next: step.target("next"),
            default: step.target("default"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.extend([&self.prompts, &self.confirm, &self.invalid]);
        refs.writes.push(&self.into.name);
        refs.acted.push(&self.next);
        refs.silent.push(&self.default);
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match (&run.phase, event) {
            (_, Event::Begin) => self.ask(run, desk),
            (Phase::Typing | Phase::Regret, Event::Key(key)) => self.typed(run, desk, key),
            (Phase::Typing, Event::Timeout) => self.complete(run, desk),
            (Phase::Regret, Event::Spoken) => self.ask(run, desk),
            (Phase::Confirming, Event::Key(b'1')) => Next::go(&self.next),
            (Phase::Confirming, Event::Key(_) | Event::Timeout) => self.missed(run, desk),
            _ => Next::Stay,
        }
    }
}

impl Gather {
    fn ask(&self, run: &mut Run, desk: &mut Desk) -> Next {
        *run = Run { misses: run.misses, ..Run::default() };
        desk.ask(&self.prompts, true, self.first_ms);
        Next::Stay
    }

    fn typed(&self, run: &mut Run, desk: &mut Desk, key: u8) -> Next {
        run.phase = Phase::Typing;
        if Some(key) == self.terminator {
            return self.complete(run, desk);
        }
        let mut digits = core::mem::take(&mut run.digits).into_inner();
        digits.push(char::from(key));
        let full = digits.len() >= self.max;
        run.digits = digits.into();
        if full {
            return self.complete(run, desk);
        }
        desk.wait_ms(self.inter_ms);
        Next::Stay
    }

    fn complete(&self, run: &mut Run, desk: &mut Desk) -> Next {
        if run.digits.reveal().len() < self.min {
            return self.missed(run, desk);
        }
        desk.vars.set(&self.into.name, run.digits.reveal());
        if self.confirm.is_empty() {
            return Next::go(&self.next);
        }
        run.phase = Phase::Confirming;
        desk.ask(&self.confirm, true, self.first_ms);
        Next::Stay
    }

    fn missed(&self, run: &mut Run, desk: &mut Desk) -> Next {
        *run = Run { misses: run.misses.saturating_add(1), phase: Phase::Regret, ..Run::default() };
        if run.misses > self.retries {
            return Next::go(&self.default);
        }
        desk.speak(&self.invalid, true);
        Next::Stay
    }
}
