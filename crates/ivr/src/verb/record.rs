//! `record`: the caller leaves a message.

use base::Duration;

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::{Output, Token};
use crate::read::Reader;
use crate::words::{Named, Target, Words};

/// The driver ends the recording at its longest; this much later the step stops waiting for the driver too.
const DRIVER_LATE_MS: u32 = 5000;

/// Keys: `name` (what the message is for), `prompts` (end with a beep), `max_ms` (60000), `min_ms` (1000: shorter is
/// `failed`), `next`, `failed`. Any key ends the message; its length is `${recorded_ms}`.
#[derive(Debug)]
pub(crate) struct Record {
    name: Named,
    prompts: Words,
    max_ms: u32,
    min_ms: u32,
    next: Target,
    failed: Target,
}

/// Whether the recording has begun.
#[derive(Debug, Default)]
pub(crate) struct Run {
    token: Option<Token>,
}

impl Behaviour for Record {
    const WORD: &'static str = "record";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        Record {
            name: step.name("name"),
            prompts: step.words("prompts"),
            max_ms: step.count("max_ms", 60_000, 1000..=600_000),
            min_ms: step.count("min_ms", 1000, 0..=60_000),
            next: step.target("next"),
            failed: step.target("failed"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.words.push(&self.prompts);
        refs.silent.extend([&self.next, &self.failed]);
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match (event, run.token) {
            (Event::Begin, _) => desk.speak(&self.prompts, false),
            (Event::Spoken, None) => {
                let token = desk.next_token();
                run.token = Some(token);
                desk.awaits(token);
                let length_max = Duration::from_millis(u64::from(self.max_ms));
                desk.emit(Output::Record { token, name: self.name.name.clone(), length_max });
                desk.wait_ms(self.max_ms.saturating_add(DRIVER_LATE_MS));
            }
            (Event::Key(_), Some(token)) => {
                desk.emit(Output::StopRecord { token });
                desk.wait_ms(DRIVER_LATE_MS);
            }
            (Event::Recorded { length_ms: Some(length_ms) }, _) if length_ms >= self.min_ms => {
                desk.vars.set("recorded_ms", &length_ms.to_string());
                return Next::go(&self.next);
            }
            (Event::Recorded { .. } | Event::Timeout, _) => return Next::go(&self.failed),
            _ => {}
        }
        Next::Stay
    }
}
