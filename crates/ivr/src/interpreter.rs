//! One caller's walk through the flows.

use std::sync::Arc;

use base::Instant;

use crate::desk::{At, Desk, Event, Next, Told};
use crate::flows::{Flows, Step};
use crate::io::{Dequeue, HangupReason, HookFailure, Input, LeftQueue, Name, Output, Timer, Wait};
use crate::vars::{Caller, Vars};
use crate::verb::{Run, Verb};
use crate::words::To;

/// Steps that may run while the caller does nothing. The check at start finds circles; this catches what it cannot see.
pub const STEPS_WITHOUT_INPUT_MAX: u32 = 100;

/// One caller's flow. After [`Output::Hangup`] nothing follows.
#[derive(Debug)]
pub struct Interpreter {
    flows: Arc<Flows>,
    phase: Phase,
    desk: Desk,
    steps_left: u32,
}

/// Where the caller is.
#[derive(Debug)]
enum Phase {
    /// Not answered yet.
    Outside { flow: Name },
    /// In a step.
    Running { step: Arc<Step>, run: Run },
    /// Hearing who answered.
    Reporting,
    /// Talking; `step` led there.
    Joined { step: Arc<Step> },
    /// Done.
    Over,
}

impl Interpreter {
    /// A caller at the door of flow `flow`; nothing runs before [`Input::Started`].
    pub fn new(flows: Arc<Flows>, flow: &str, caller: &Caller) -> Self {
        let flow = Name::from(flow);
        Interpreter {
            flows,
            phase: Phase::Outside { flow: flow.clone() },
            desk: Desk::new(Vars::new(caller), flow),
            steps_left: STEPS_WITHOUT_INPUT_MAX,
        }
    }

    /// What happened. An input that does not fit where the caller is, is ignored: the answer to a question that is no longer
    /// asked, a key pressed while a person talks.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.desk.now = now;
        match input {
            Input::Started => self.started(),
            Input::Digit(digit) => self.digit(digit),
            Input::PlayDone { token } => {
                let event = self.desk.play_done(token);
                self.hear(event);
            }
            Input::HookDone { token, result } if self.desk.answered(token) => self.hooked(result),
            Input::RecordDone { token, length_ms } if self.desk.answered(token) => {
                self.hear(Some(Event::Recorded { length_ms }));
            }
            Input::CallbackDone { token, taken } if self.desk.answered(token) => {
                self.hear(Some(Event::CallbackDone { taken }));
            }
            // An answer to an old question.
            Input::HookDone { .. } | Input::RecordDone { .. } | Input::CallbackDone { .. } => {}
            Input::Expected { wait, position } => {
                let (seconds, told) = match wait {
                    Wait::Within(wait) => (wait.as_secs().to_string(), Told::Known),
                    Wait::Untold => (String::new(), Told::Nothing),
                    Wait::Unknown => (String::new(), Told::Unknown),
                };
                self.desk.vars.set("wait", &seconds);
                self.desk.vars.set("position", &position.map_or(String::new(), |place| place.to_string()));
                self.hear(Some(Event::Expected { wait: told }));
            }
            Input::WayOut(way) => self.hear(Some(Event::WayOut(way))),
            Input::QueueLeft { why, flow } => self.queue_left(why, flow.as_deref()),
            Input::AgentAnswered { number } => self.agent_answered(&number),
            Input::Requeued => self.requeued(),
            Input::AgentHungUp => self.agent_hung_up(),
            Input::TransferJoined => self.transfer_joined(),
            Input::TransferFailed => self.hear(Some(Event::TransferFailed)),
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.desk.now = now;
        let event = self.desk.expired();
        self.hear(event);
    }

    /// What to do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.desk.poll_output()
    }

    /// When to call [`Interpreter::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.desk.poll_timeout()
    }

    /// The caller's variables.
    pub fn vars(&self) -> &Vars {
        &self.desk.vars
    }

    /// The queue that the call is in, as far as the flow knows.
    pub fn queue(&self) -> Option<&Name> {
        self.desk.stay.as_ref().map(|stay| &stay.queue)
    }

    /// Whether `Hangup` was said: nothing follows.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether the voices are joined: the flow waits for [`Input::AgentHungUp`] and has no deadline of its own.
    pub fn is_joined(&self) -> bool {
        matches!(self.phase, Phase::Joined { .. })
    }

    fn started(&mut self) {
        if let Phase::Outside { flow } = &self.phase {
            let to = To::Flow(flow.clone());
            self.follow(Next::Go(to));
        }
    }

    fn digit(&mut self, digit: u8) {
        let is_key = matches!(digit, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D');
        if is_key && matches!(self.phase, Phase::Running { .. }) {
            self.steps_left = STEPS_WITHOUT_INPUT_MAX;
            let event = self.desk.key(digit);
            self.hear(event);
        }
    }

    fn hooked(&mut self, result: Result<Vec<(String, base::Pii<String>)>, HookFailure>) {
        let Phase::Running { step, .. } = &self.phase else { return };
        let Verb::Hook(hook) = &step.verb else { return };
        let fine = result.is_ok();
        let status = match result {
            Ok(values) => {
                for (name, value) in values.iter().filter(|(name, _)| hook.takes(name)) {
                    self.desk.vars.set(name, value.reveal());
                }
                "ok".to_owned()
            }
            Err(HookFailure::Timeout) => "timeout".to_owned(),
            Err(HookFailure::Unreachable) => "unreachable".to_owned(),
            Err(HookFailure::Status(code)) => code.to_string(),
            Err(HookFailure::Malformed) => "malformed".to_owned(),
            Err(HookFailure::Busy) => "busy".to_owned(),
        };
        self.desk.vars.set("hook_status", &status);
        self.hear(Some(Event::Hooked { fine }));
    }

    /// An overflow moves the caller only while he waits; in another step (self-service with his place kept) he only loses the
    /// place.
    fn queue_left(&mut self, why: LeftQueue, flow: Option<&str>) {
        if self.desk.stay.take().is_none() {
            return;
        }
        let Phase::Running { step, .. } = &self.phase else { return };
        if !matches!(step.verb, Verb::Enqueue(_) | Verb::Transfer(_)) {
            return;
        }
        let own = matches!(&step.verb, Verb::Enqueue(enqueue) if enqueue.own_way_out(why).is_some());
        match flow.filter(|flow| !own && self.flows.contains(flow)) {
            Some(flow) => self.follow(Next::Go(To::Flow(flow.into()))),
            None => self.hear(Some(Event::Left(why))),
        }
    }

    fn agent_answered(&mut self, number: &str) {
        let Some(stay) = self.desk.stay.clone() else { return };
        if !matches!(self.phase, Phase::Running { .. }) {
            return;
        }
        self.steps_left = STEPS_WITHOUT_INPUT_MAX;
        self.desk.vars.set("agent", number);
        self.desk.forget();
        self.phase = Phase::Reporting;
        if let Some(words) = self.flows.step(&stay.at.flow, &stay.at.step).and_then(|step| step.verb.report())
        {
            self.desk.speak(words, false);
        }
        if self.desk.poll_timeout().is_none() {
            self.join();
        }
    }

    fn join(&mut self) {
        let at = self.desk.stay.as_ref().map(|stay| stay.at.clone());
        let Some(step) = at.and_then(|at| self.flows.step(&at.flow, &at.step).cloned()) else {
            return self.follow(Next::Hangup(HangupReason::Broken));
        };
        self.desk.handed_over();
        self.desk.emit(Output::Join);
        self.phase = Phase::Joined { step };
    }

    fn requeued(&mut self) {
        if !matches!(self.phase, Phase::Reporting | Phase::Joined { .. }) {
            return;
        }
        if let Some(stay) = &self.desk.stay {
            let At { flow, step } = stay.at.clone();
            self.enter(flow, &step);
        }
    }

    fn agent_hung_up(&mut self) {
        match &self.phase {
            Phase::Joined { step } => {
                let next = Next::go_or_end(step.verb.after());
                self.steps_left = STEPS_WITHOUT_INPUT_MAX;
                self.desk.stay = None;
                self.follow(next);
            }
            // He was not served yet: he waits on.
            Phase::Reporting => self.requeued(),
            _ => {}
        }
    }

    fn transfer_joined(&mut self) {
        let Phase::Running { step, .. } = &self.phase else { return };
        if matches!(step.verb, Verb::Transfer(_)) {
            let step = Arc::clone(step);
            self.desk.handed_over();
            self.phase = Phase::Joined { step };
        }
    }

    /// Gives an event to the step, and whatever follows from it at once.
    fn hear(&mut self, event: Option<Event>) {
        let mut event = event;
        while let Some(heard) = event {
            let next = match &mut self.phase {
                Phase::Running { step, run } => step.verb.on(run, &mut self.desk, heard),
                Phase::Reporting if heard == Event::Spoken => return self.join(),
                _ => return,
            };
            event = self.step_on(next).or_else(|| self.desk.take_ahead());
        }
    }

    fn follow(&mut self, next: Next) {
        let event = self.step_on(next);
        self.hear(event);
    }

    /// Does what a verb wants; the event that follows at once, if any.
    fn step_on(&mut self, next: Next) -> Option<Event> {
        match next {
            Next::Stay => self.desk.take_pending(),
            Next::Go(to) => {
                let (flow, step) = match to {
                    To::Step(step) => (self.desk.at().flow.clone(), step),
                    To::Flow(flow) => {
                        let start = self.flows.flows.get(&flow).map(|flow| flow.start.name.clone());
                        (flow, start.unwrap_or_else(|| "".into()))
                    }
                };
                self.arrive(flow, &step).then_some(Event::Begin)
            }
            Next::Hangup(reason) => {
                self.end(reason);
                None
            }
        }
    }

    fn enter(&mut self, flow: Name, step: &Name) {
        if self.arrive(flow, step) {
            self.hear(Some(Event::Begin));
        }
    }

    /// Makes `step` the running one; `false` if the call is over instead.
    fn arrive(&mut self, flow: Name, name: &Name) -> bool {
        let Some(step) = self.flows.step(&flow, name).cloned() else {
            self.end(HangupReason::Broken);
            return false;
        };
        let Some(left) = self.steps_left.checked_sub(1) else {
            self.end(HangupReason::Loop);
            return false;
        };
        self.steps_left = left;
        self.desk.enter(At { flow, step: name.clone() }, step.verb.word());
        let run = step.verb.run();
        self.phase = Phase::Running { step, run };
        true
    }

    fn end(&mut self, reason: HangupReason) {
        self.desk.leave_queue(Dequeue::Hangup);
        self.desk.forget();
        self.desk.emit(Output::Hangup { reason });
        self.phase = Phase::Over;
    }
}
