//! `hook`: asks the back end; its answers become variables.

use base::Duration;

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::{Name, Output};
use crate::read::Reader;
use crate::words::{Named, Target, Template, Words};

/// The driver should answer within the timeout; this much later the step stops waiting for the driver too.
const DRIVER_LATE_MS: u32 = 1000;

/// Keys: `url` (without variables: a caller must not choose what is asked), `params`, `results` (names taken from the
/// answer; a missing one is a failure), `timeout_ms` (2000, at most 2000), `prompts` (spoken meanwhile), `next`, `failed`.
#[derive(Debug)]
pub(crate) struct Hook {
    url: Named,
    params: Vec<(Name, Template)>,
    results: Vec<Name>,
    timeout_ms: u32,
    prompts: Words,
    next: Target,
    failed: Target,
}

/// The step ends when both are there: the answer, and the end of what is spoken meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Run {
    spoken: bool,
    answer: Option<bool>,
}

impl Behaviour for Hook {
    const WORD: &'static str = "hook";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        Hook {
            url: step.fixed("url"),
            params: step.templates("params"),
            results: step.variables("results"),
            timeout_ms: step.count("timeout_ms", 2000, 100..=2000),
            prompts: step.words("prompts"),
            next: step.target("next"),
            failed: step.target("failed"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.push(&self.prompts);
        refs.templates.extend(self.params.iter().map(|(_, template)| template));
        refs.writes.extend(&self.results);
        refs.silent.extend([&self.next, &self.failed]);
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => self.ask(desk),
            Event::Spoken => run.spoken = true,
            Event::Hooked { fine } => {
                run.answer = Some(fine && self.results.iter().all(|name| !desk.vars.get(name).is_empty()));
            }
            Event::Timeout => run.answer = run.answer.or(Some(false)),
            _ => {}
        }
        match run.answer {
            Some(fine) if run.spoken => Next::go(if fine { &self.next } else { &self.failed }),
            _ => Next::Stay,
        }
    }
}

impl Hook {
    /// Whether the answer may set this variable.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.results.iter().any(|result| **result == *name)
    }

    fn ask(&self, desk: &mut Desk) {
        // A value of an earlier answer must not be spoken as this one's.
        for name in &self.results {
            desk.vars.set(name, "");
        }
        let token = desk.next_token();
        desk.awaits(token);
        let params = self.params.iter().map(|(name, value)| (name.clone(), value.expand(&desk.vars))).collect();
        let timeout = Duration::from_millis(u64::from(self.timeout_ms));
        desk.emit(Output::Hook { token, url: self.url.name.clone(), params, timeout });
        desk.speak(&self.prompts, false);
        desk.wait_ms(self.timeout_ms.saturating_add(DRIVER_LATE_MS));
    }
}
