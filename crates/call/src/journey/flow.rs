//! The flow leads the caller: what the interpreter asks for is done here.

use std::sync::Arc;

use base::{Instant, Pii};
use ivr::say::Language;
use ivr::{Input, Interpreter, LocalTime, Output as Wish, TransferTo};

use super::{Journey, Lead, Phase, Reached};
use crate::callback::{Callback, Terms};
use crate::core::Core;
use crate::leg::Farewell;
use crate::message::{HookRequest, Output};
use crate::numbers::Destination;
use crate::record::StepKind;
use crate::switch::Timer;

impl Journey {
    /// Finds the flow for the number dialled and the caller's tier.
    pub(super) fn prepare_flow(&mut self, core: &Core, now: Instant, tier: &str) -> bool {
        let settings = &core.settings;
        let Some(flow) = settings.flows.entry(&self.dialled, tier).cloned() else { return false };
        let caller = ivr::Caller {
            tier: tier.to_owned(),
            language: self.profile.language.clone(),
            senior: self.profile.senior,
            known: self.profile.known,
            number: if self.id.hidden { Pii::default() } else { self.number() },
            dialled: self.dialled.clone(),
            local_time: Some(local_time(core.wall(now).0, settings.utc_offset_s)),
        };
        self.flow = Some(Box::new(Interpreter::new(settings.flows.clone(), &flow, &caller)));
        true
    }

    /// The caller can hear: the first step runs.
    pub(super) fn begin_flow(&mut self, core: &mut Core, now: Instant) {
        self.enter(core, now, Phase::Guided);
        self.tell_flow(core, now, Input::Started);
    }

    /// Tells the flow what happened and does what it asks for.
    pub(crate) fn tell_flow(&mut self, core: &mut Core, now: Instant, input: Input) {
        if let Some(flow) = &mut self.flow {
            flow.handle(now, input);
        }
        self.run_flow(core, now);
    }

    /// A deadline of the flow passed.
    pub(crate) fn on_flow_timer(&mut self, core: &mut Core, now: Instant) {
        if let Some(flow) = &mut self.flow {
            flow.handle_timeout(now);
        }
        self.run_flow(core, now);
    }

    fn run_flow(&mut self, core: &mut Core, now: Instant) {
        while let Some(wish) = self.flow.as_mut().and_then(|flow| flow.poll_output()) {
            self.fulfil(core, now, wish);
        }
        match self.flow.as_ref().and_then(|flow| flow.poll_timeout()) {
            Some((at, _)) => core.timers.set(Timer::Flow(self.key), at),
            None => core.timers.cancel(Timer::Flow(self.key)),
        }
    }

    /// Whether the flow's prompts are for the caller's ear now.
    fn flow_is_heard(&self) -> bool {
        matches!(
            self.phase,
            Phase::Guided
                | Phase::Waiting(_)
                | Phase::Presenting { .. }
                | Phase::Joining { .. }
                | Phase::Dialling { .. }
        )
    }

    fn fulfil(&mut self, core: &mut Core, now: Instant, wish: Wish) {
        match wish {
            Wish::Play { token, language, items } => self.play(core, token.0, language, &items),
            Wish::StopPlay if self.flow_is_heard() => {
                core.command(self.caller, media::Command::Stop { leg: self.caller })
            }
            Wish::Music { language, name } if self.flow_is_heard() => {
                core.music(self.caller, language.word(), &name)
            }
            Wish::StopPlay | Wish::Music { .. } => {}
            Wish::Hook { token, url, params, timeout } => {
                self.step(core, now, StepKind::Hook, &url.clone());
                let request = Box::new(HookRequest { url, params, timeout });
                core.output(Output::Hook { call: self.key, token: token.0, request });
            }
            Wish::Enqueue(enqueue) => self.enqueue(core, now, &enqueue, Lead::Flow),
            Wish::AskWait => core.acd(acd::Input::AskWait { call: self.key }),
            Wish::Dequeue { why } => self.dequeue(core, now, why),
            Wish::Join => self.join(core, now),
            Wish::Callback { token, number, queue, kind, not_before_min } => {
                self.callback(core, now, token, number, (&queue, kind, not_before_min));
            }
            Wish::Transfer { to } => self.transfer(core, now, to),
            Wish::Record { token, name, length_max } => self.record(core, now, token, &name, length_max),
            Wish::StopRecord { token } => self.stop_record(core, now, token),
            Wish::SurveyResult { question, score } => {
                self.ledger.record.survey = Some(score);
                self.step(core, now, StepKind::Surveyed, &question);
            }
            Wish::Set { .. } => {}
            Wish::Step { flow, step, verb } => {
                self.step(core, now, StepKind::Flow, &format!("{flow}.{step} {verb}"))
            }
            Wish::Hangup { reason } => self.flow_ends(core, now, reason),
        }
    }

    /// Answers the flow from within [`Journey::run_flow`], whose loop goes on with what follows.
    pub(super) fn answer_flow(&mut self, now: Instant, input: Input) {
        if let Some(flow) = &mut self.flow {
            flow.handle(now, input);
        }
    }

    fn play(&mut self, core: &mut Core, token: u64, language: Language, items: &[Arc<str>]) {
        if !self.flow_is_heard() {
            return;
        }
        let voices = core.settings.voices.clone();
        let found: Vec<_> =
            items.iter().filter_map(|item| voices.get(language.word(), item).cloned()).collect();
        if found.len() < items.len() {
            core.count("prompts_missing", "prompt");
        }
        // An empty list is done at once, and the worker says so like for any other.
        core.play(self.caller, token, found);
    }

    fn flow_ends(&mut self, core: &mut Core, now: Instant, reason: ivr::HangupReason) {
        if self.reached == Reached::Nothing && reason == ivr::HangupReason::Done {
            self.reached = Reached::Service;
        }
        core.count("flows_ended", reason.word());
        self.finish(core, now, StepKind::Ended, reason.word(), &Farewell::Normal);
    }

    fn callback(
        &mut self,
        core: &mut Core,
        now: Instant,
        token: ivr::Token,
        number: Pii<String>,
        (queue, kind, not_before_min): (&str, ivr::CallbackKind, Option<u16>),
    ) {
        let inbound = match self.origin {
            sip::Peer::Trunk(trunk) => core.settings.trunk(trunk).map(|trunk| trunk.inbound.clone()),
            sip::Peer::Agent(_) => None,
        };
        let canonical = inbound.unwrap_or_default().apply(number.reveal());
        // Only what an agent could dial can be called back.
        let outside = |number: &String| matches!(core.plan.from_agent(number), Destination::Outside { .. });
        let Some(number) = canonical.filter(outside) else {
            return self.answer_flow(now, Input::CallbackDone { token, taken: false });
        };
        let promised = core.wall(now);
        let wait = self.wait();
        let since = wait.map_or(promised, |wait| core.wall(wait.since));
        let settings = &core.settings;
        let not_before =
            not_before_min.map(|minute| next_time_of_day(promised.0, minute, settings.utc_offset_s));
        let agent = |key: Option<base::AgentKey>| settings.agent(key?).map(|agent| agent.number.clone());
        let terms = Terms {
            kind: callback_kind(kind).word().to_owned(),
            language: self.profile.language.clone(),
            senior: self.profile.senior,
            complaint: wait.is_some_and(|wait| wait.caller.class == acd::Class::Complaint),
            skills: Vec::new(),
            managers: self.profile.managers.map(agent),
        };
        let callback = Callback {
            key: base::CallbackKey(core.next_key().0),
            call: self.key,
            number: Pii::new(number),
            tier: self.profile.tier,
            tier_name: core.settings.tier_name(self.profile.tier).to_owned(),
            queue: queue.to_owned(),
            promised,
            since,
            not_before,
            attempts: 0,
            terms,
        };
        if core.settings.queue_by_name(queue).is_none() {
            core.count("callbacks_refused", "queue");
            return self.answer_flow(now, Input::CallbackDone { token, taken: false });
        }
        // The distributor says whether it takes the promise on.
        self.booking = Some(token);
        core.promise(callback, false);
    }

    fn transfer(&mut self, core: &mut Core, now: Instant, to: TransferTo) {
        if self.in_queue() {
            self.leave_queue(core, now, acd::Deflection::Transfer);
        }
        match to {
            TransferTo::Queue(queue) => {
                let enqueue =
                    ivr::Enqueue { queue, skills: Vec::new(), class: ivr::Class::Normal, managers: false };
                self.enqueue(core, now, &enqueue, Lead::Transfer);
            }
            TransferTo::Agent(number) | TransferTo::Number(number) => {
                let destination = core.plan.from_agent(number.reveal());
                self.call_out(core, now, destination, super::Wish::Flow);
            }
        }
    }

    /// The back end answered.
    pub(crate) fn hook_done(
        &mut self,
        core: &mut Core,
        now: Instant,
        token: u64,
        result: Result<Vec<(String, Pii<String>)>, ivr::HookFailure>,
    ) {
        if result.is_ok() && self.reached == Reached::Nothing {
            self.reached = Reached::Service;
        }
        core.count("hooks", if result.is_ok() { "answered" } else { "failed" });
        self.tell_flow(core, now, Input::HookDone { token: ivr::Token(token), result });
    }

    /// The caller pressed a key.
    pub(crate) fn digit(&mut self, core: &mut Core, now: Instant, digit: media::Digit) {
        if self.flow.is_some() && self.flow_is_heard() {
            self.step(core, now, StepKind::Key, "");
            self.tell_flow(core, now, Input::Digit(digit.byte()));
        }
    }
}

const fn callback_kind(kind: ivr::CallbackKind) -> acd::CallbackKind {
    match kind {
        ivr::CallbackKind::Callback => acd::CallbackKind::Callback,
        ivr::CallbackKind::Complaint => acd::CallbackKind::Complaint,
        ivr::CallbackKind::Visit => acd::CallbackKind::Visit,
    }
}

/// The next time after `now_ms` that local clocks show `minute` minutes after midnight.
fn next_time_of_day(now_ms: u64, minute: u16, utc_offset_s: i32) -> u64 {
    const DAY_S: i64 = 86_400;
    let local_s = i64::try_from(now_ms / 1_000).unwrap_or(0).saturating_add(i64::from(utc_offset_s));
    let ahead_s = (i64::from(minute) * 60 - local_s.rem_euclid(DAY_S)).rem_euclid(DAY_S);
    now_ms.saturating_add(u64::try_from(ahead_s).unwrap_or(0) * 1_000)
}

/// Local time of day and day of the week.
fn local_time(unix_ms: u64, utc_offset_s: i32) -> LocalTime {
    const DAY_S: i64 = 86_400;
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or(0).saturating_add(i64::from(utc_offset_s));
    let of_day = seconds.rem_euclid(DAY_S);
    // 1970-01-01 was a Thursday, the fourth day of the week.
    let weekday = (seconds.div_euclid(DAY_S) + 3).rem_euclid(7) + 1;
    let small = |value: i64| u8::try_from(value).unwrap_or(0);
    LocalTime { hour: small(of_day / 3_600), minute: small(of_day % 3_600 / 60), weekday: small(weekday) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_knows_the_day() {
        // 2026-11-22 03:25 UTC, a Sunday; Shanghai is eight hours ahead.
        let at = 1_795_317_900_000;
        assert_eq!(local_time(at, 0), LocalTime { hour: 3, minute: 25, weekday: 7 });
        assert_eq!(local_time(at, 8 * 3_600), LocalTime { hour: 11, minute: 25, weekday: 7 });
        assert_eq!(local_time(at, 21 * 3_600), LocalTime { hour: 0, minute: 25, weekday: 1 });
        let nine = next_time_of_day(at, 9 * 60, 8 * 3_600);
        assert_eq!((nine - at, local_time(nine, 8 * 3_600).hour), (21 * 3_600_000 + 35 * 60_000, 9));
        assert_eq!(next_time_of_day(nine, 9 * 60, 8 * 3_600), nine);
        assert_eq!(local_time(0, -3_600), LocalTime { hour: 23, minute: 0, weekday: 3 });
    }
}
