//! `set`: gives variables new values (`language` changes the voice), and may give up the place in the queue.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::{Dequeue, Name, Output};
use crate::read::Reader;
use crate::words::{Target, Template};

/// Keys: `values` (`{ name = "text with ${variables}" }`), `leave_queue` (false), `next`.
#[derive(Debug)]
pub(crate) struct Set {
    values: Vec<(Name, Template)>,
    leave_queue: bool,
    next: Target,
}

impl Behaviour for Set {
    const WORD: &'static str = "set";
    type Run = ();

    fn read(step: &mut Reader<'_>) -> Self {
        Set {
            values: step.templates("values"),
            leave_queue: step.flag("leave_queue", false),
            next: step.target("next"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        for (name, template) in &self.values {
            refs.writes.push(name);
            refs.templates.push(template);
        }
        refs.silent.push(&self.next);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, _event: Event) -> Next {
        for (name, template) in &self.values {
            let value = template.expand(&desk.vars);
            desk.vars.set(name, value.reveal());
            desk.emit(Output::Set { name: name.clone(), value });
        }
        if self.leave_queue {
            desk.leave_queue(Dequeue::SelfService);
        }
        Next::go(&self.next)
    }
}
