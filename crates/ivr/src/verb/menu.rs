//! `menu`: one key chooses where to go.

use std::collections::BTreeMap;

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::read::Reader;
use crate::words::{Target, Words};

/// Keys: `prompts`, `keys` (`{ 1 = "step" }`), `timeout_ms` after the prompts (5000), `retries` of silence and wrong keys
/// together (2), `silence` and `invalid` (spoken before the prompts again), `default` (retries used up), `silent`
/// (as `default`, when the last miss was silence), `barge_in` (true).
#[derive(Debug)]
pub(crate) struct Menu {
    prompts: Words,
    keys: BTreeMap<u8, Target>,
    timeout_ms: u32,
    retries: u32,
    silence: Words,
    invalid: Words,
    default: Target,
    silent: Option<Target>,
    barge_in: bool,
}

/// How often the caller missed, and whether the next thing to speak is the menu again.
#[derive(Debug, Default)]
pub(crate) struct Run {
    misses: u32,
    regret: bool,
}

impl Behaviour for Menu {
    const WORD: &'static str = "menu";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        Menu {
            prompts: step.needed_words("prompts"),
            keys: step.keys("keys"),
            timeout_ms: step.count("timeout_ms", 5000, 500..=60_000),
            retries: step.count("retries", 2, 0..=9),
            silence: step.words("silence"),
            invalid: step.words("invalid"),
            default: step.target("default"),
            silent: step.target_or("silent"),
            barge_in: step.flag("barge_in", true),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.extend([&self.prompts, &self.silence, &self.invalid]);
        refs.acted.extend(self.keys.values());
        // A wrong key also leads to `default`, but only silence leads there for ever.
        match &self.silent {
            Some(silent) => {
                refs.silent.push(silent);
                refs.acted.push(&self.default);
            }
            None => refs.silent.push(&self.default),
        }
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => self.ask(desk),
            Event::Key(key) => match self.keys.get(&key) {
                Some(target) => Next::go(target),
                None => self.missed(run, desk, &self.invalid, &self.default),
            },
            Event::Timeout => {
                self.missed(run, desk, &self.silence, self.silent.as_ref().unwrap_or(&self.default))
            }
            Event::Spoken if core::mem::take(&mut run.regret) => self.ask(desk),
            _ => Next::Stay,
        }
    }
}

impl Menu {
    fn ask(&self, desk: &mut Desk) -> Next {
        desk.ask(&self.prompts, self.barge_in, self.timeout_ms);
        Next::Stay
    }

    fn missed(&self, run: &mut Run, desk: &mut Desk, regret: &Words, last: &Target) -> Next {
        run.misses = run.misses.saturating_add(1);
        if run.misses > self.retries {
            return Next::go(last);
        }
        run.regret = true;
        desk.speak(regret, self.barge_in);
        Next::Stay
    }
}
