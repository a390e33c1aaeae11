//! `transfer`: gives the caller to an agent, a queue or an outside number.

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::{Dequeue, Output, TransferTo};
use crate::read::Reader;
use crate::words::{Named, Target, Template, Words};

/// Keys: one of `agent`, `queue`, `number` (the first and last may have variables), `prompts` (tell the caller why),
/// `music`, `failed`, `after` (the other side hung up first).
#[derive(Debug)]
pub(crate) struct Transfer {
    to: To,
    prompts: Words,
    music: Named,
    failed: Target,
    after: Option<Target>,
}

#[derive(Debug)]
enum To {
    Agent(Template),
    Queue(Named),
    Number(Template),
}

impl Behaviour for Transfer {
    const WORD: &'static str = "transfer";
    type Run = ();

    fn read(step: &mut Reader<'_, '_, '_>) -> Self {
        let to = match (step.has("agent"), step.has("queue")) {
            (true, _) => To::Agent(step.template("agent")),
            (_, true) => To::Queue(step.name("queue")),
            _ => To::Number(step.template("number")),
        };
        Transfer {
            to,
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
        refs.words.push(&self.prompts);
        refs.music.push(&self.music);
        refs.silent.push(&self.failed);
        refs.acted.extend(&self.after);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, event: Event) -> Next {
        match event {
            Event::Begin => desk.speak(&self.prompts, false),
            Event::Spoken => {
                desk.leave_queue(Dequeue::Transfer);
                desk.music(&self.music);
                let to = match &self.to {
                    To::Agent(agent) => TransferTo::Agent(agent.expand(&desk.vars)),
                    To::Queue(queue) => TransferTo::Queue(queue.name.clone()),
                    To::Number(number) => TransferTo::Number(number.expand(&desk.vars)),
                };
                desk.emit(Output::Transfer { to });
            }
            Event::TransferFailed => return Next::go(&self.failed),
            _ => {}
        }
        Next::Stay
    }
}

impl Transfer {
    pub(crate) fn after(&self) -> Option<&Target> {
        self.after.as_ref()
    }
}
