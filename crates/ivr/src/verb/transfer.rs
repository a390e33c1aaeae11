//! `transfer`: gives the caller to an agent, a queue or an outside number.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next, Stay};
use crate::io::{Dequeue, Output, TransferTo};
use crate::read::Reader;
use crate::words::{Named, Target, Template, Words};

/// Keys: one of `agent`, `queue`, `number` (the first and last may have variables), `prompts` (tell the caller why),
/// `music`, `failed`, `after` (the other side hung up first), with `queue` also `report` as in `enqueue`.
#[derive(Debug)]
pub(crate) struct Transfer {
    to: To,
    prompts: Words,
    music: Named,
    report: Words,
    failed: Target,
    after: Option<Target>,
}

/// An agent or a number answers or fails long before; so much later the step stops waiting for the driver. A queue has its
/// own limits.
const DRIVER_LATE_MS: u32 = 180_000;

#[derive(Debug)]
enum To {
    Agent(Template),
    Queue(Named),
    Number(Template),
}

impl Behaviour for Transfer {
    const WORD: &'static str = "transfer";
    type Run = ();

    fn read(step: &mut Reader<'_>) -> Self {
        let to = match (step.has("agent"), step.has("queue")) {
            (true, _) => To::Agent(step.template("agent")),
            (_, true) => To::Queue(step.name("queue")),
            _ => To::Number(step.template("number")),
        };
        let in_queue = matches!(to, To::Queue(_));
        Transfer {
            to,
            report: if in_queue { step.words_or("report", super::REPORT) } else { Words::default() },
            prompts: step.words("prompts"),
            music: step.name_or("music", "music"),
            failed: step.target("failed"),
            after: step.target_or("after"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        match &self.to {
            To::Agent(template) | To::Number(template) => refs.templates.push(template),
            To::Queue(queue) => refs.queues.push(queue),
        }
        refs.words.extend([&self.prompts, &self.report]);
        refs.music.push(&self.music);
        refs.silent.push(&self.failed);
        refs.acted.extend(&self.after);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => self.begin(desk),
            Event::Spoken => self.give(desk),
            Event::TransferFailed | Event::Left(_) | Event::Timeout => return Next::go(&self.failed),
            _ => {}
        }
        Next::Stay
    }
}

impl Transfer {
    pub(crate) fn report(&self) -> &Words {
        &self.report
    }

    fn begin(&self, desk: &mut Desk) {
        let at = desk.at().clone();
        match (&self.to, &mut desk.stay) {
            // An agent was lost: the caller waits on at his place.
            (To::Queue(queue), Some(stay)) if stay.queue == queue.name => {
                stay.at = at;
                desk.music(&self.music);
            }
            _ => desk.speak(&self.prompts, false),
        }
    }

    fn give(&self, desk: &mut Desk) {
        desk.leave_queue(Dequeue::Transfer);
        desk.music(&self.music);
        let to = match &self.to {
            To::Agent(agent) => TransferTo::Agent(agent.expand(&desk.vars)),
            To::Number(number) => TransferTo::Number(number.expand(&desk.vars)),
            To::Queue(queue) => {
                desk.vars.set("queue", &queue.name);
                desk.stay = Some(Stay { queue: queue.name.clone(), at: desk.at().clone() });
                TransferTo::Queue(queue.name.clone())
            }
        };
        if !matches!(self.to, To::Queue(_)) {
            desk.wait_ms(DRIVER_LATE_MS);
        }
        desk.emit(Output::Transfer { to });
    }

    pub(crate) fn after(&self) -> Option<&Target> {
        self.after.as_ref()
    }
}
