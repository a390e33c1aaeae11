//! `callback`: offers to call the caller back, at his number or another, his place in the queue kept.

use base::Pii;

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::{CallbackKind, Name, Output};
use crate::read::Reader;
use crate::words::{Named, Target, Template, Words};

/// A number that may be called back: 3 to 15 digits (E.164 has at most 15), perhaps after a `+`.
const DIGITS_MAX: usize = 15;

/// The driver should answer at once; so much later the callback counts as refused.
const DRIVER_LATE_MS: u32 = 2000;

/// Keys: `queue`, `number` (`"${caller}"`), `offer` (reads `${callback_number}` and asks: 1 = yes, 2 = another number, any
/// other key = no), `enter` (asks for another number, ended by `#`), `taken` (words), `timeout_ms` (5000), `retries` (2),
/// `kind` (`callback`, `complaint`, `visit`), `not_before` (`"09:00"`: the customer is not called before that time of day),
/// `next` (it was taken), `declined` (no, silence, or refused).
#[derive(Debug)]
pub(crate) struct Callback {
    queue: Named,
    number: Template,
    offer: Words,
    enter: Words,
    taken: Words,
    timeout_ms: u32,
    retries: u32,
    kind: CallbackKind,
    not_before_min: Option<u16>,
    next: Target,
    declined: Target,
    offered: Name,
}

/// What the caller is doing.
#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    /// Hears the offer.
    #[default]
    Offered,
    /// Types another number.
    Typing,
    /// Waits for the switch to take the callback.
    Booking,
    /// Hears that it was taken.
    Taken,
}

/// The number is never printed.
#[derive(Debug, Default)]
pub(crate) struct Run {
    phase: Phase,
    number: Pii<String>,
    misses: u32,
}

impl Behaviour for Callback {
    const WORD: &'static str = "callback";
    type Run = Run;

    fn read(step: &mut Reader<'_>) -> Self {
        let kinds = [
            ("callback", CallbackKind::Callback),
            ("complaint", CallbackKind::Complaint),
            ("visit", CallbackKind::Visit),
        ];
        Callback {
            queue: step.name("queue"),
            number: step.template_or("number", "${caller}"),
            offer: step.needed_words("offer"),
            enter: step.needed_words("enter"),
            taken: step.words("taken"),
            timeout_ms: step.count("timeout_ms", 5000, 500..=60_000),
            retries: step.count("retries", 2, 0..=9),
            kind: step.choice("kind", &kinds).unwrap_or_default(),
            not_before_min: step.time_of_day("not_before"),
            next: step.target("next"),
            declined: step.target("declined"),
            offered: "callback_number".into(),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.queues.push(&self.queue);
        refs.templates.push(&self.number);
        refs.words.extend([&self.offer, &self.enter, &self.taken]);
        refs.writes.push(&self.offered);
        refs.acted.push(&self.next);
        refs.silent.push(&self.declined);
    }

    fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
        match (run.phase, event) {
            (_, Event::Begin) => {
                run.number = self.number.expand(&desk.vars);
                self.offer(run, desk)
            }
            (Phase::Offered, Event::Key(b'1')) => self.book(run, desk),
            (Phase::Offered, Event::Key(b'2')) => self.type_number(run, desk),
            (Phase::Offered, Event::Key(_)) => Next::go(&self.declined),
            (Phase::Offered, Event::Timeout) => self.missed(run, desk, Self::offer),
            (Phase::Typing, Event::Key(key)) => self.typed(run, desk, key),
            (Phase::Typing, Event::Timeout) => self.offer(run, desk),
            (Phase::Booking, Event::CallbackDone { taken: true }) => {
                run.phase = Phase::Taken;
                // A taken callback ends the wait in the queue: the place is the callback's now.
                desk.stay = None;
                desk.speak(&self.taken, false);
                Next::Stay
            }
            (Phase::Booking, Event::CallbackDone { taken: false } | Event::Timeout) => Next::go(&self.declined),
            (Phase::Taken, Event::Spoken) => Next::go(&self.next),
            _ => Next::Stay,
        }
    }
}

impl Callback {
    /// Reads the number back and asks; a number that cannot be called (withheld, mistyped) is asked for instead.
    fn offer(&self, run: &mut Run, desk: &mut Desk) -> Next {
        if !may_be_called(run.number.reveal()) {
            return self.missed(run, desk, Self::type_number);
        }
        run.phase = Phase::Offered;
        desk.vars.set(&self.offered, run.number.reveal());
        desk.ask(&self.offer, true, self.timeout_ms);
        Next::Stay
    }

    fn type_number(&self, run: &mut Run, desk: &mut Desk) -> Next {
        run.phase = Phase::Typing;
        run.number = Pii::default();
        desk.ask(&self.enter, true, self.timeout_ms);
        Next::Stay
    }

    fn typed(&self, run: &mut Run, desk: &mut Desk, key: u8) -> Next {
        let mut number = core::mem::take(&mut run.number).into_inner();
        let ended = !key.is_ascii_digit() || number.len() >= DIGITS_MAX;
        if !ended {
            number.push(char::from(key));
        }
        run.number = number.into();
        if ended {
            return self.offer(run, desk);
        }
        desk.wait_ms(self.timeout_ms);
        Next::Stay
    }

    fn book(&self, run: &mut Run, desk: &mut Desk) -> Next {
        run.phase = Phase::Booking;
        let token = desk.next_token();
        desk.awaits(token);
        desk.emit(Output::Callback {
            token,
            number: run.number.clone(),
            queue: self.queue.name.clone(),
            kind: self.kind,
            not_before_min: self.not_before_min,
        });
        desk.wait_ms(DRIVER_LATE_MS);
        Next::Stay
    }

    fn missed(
        &self,
        run: &mut Run,
        desk: &mut Desk,
        again: fn(&Self, &mut Run, &mut Desk) -> Next,
    ) -> Next {
        run.misses = run.misses.saturating_add(1);
        if run.misses > self.retries { Next::go(&self.declined) } else { again(self, run, desk) }
    }
}

fn may_be_called(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    (3..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}
