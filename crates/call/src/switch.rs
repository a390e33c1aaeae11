//! The switch: finds the journey that an input concerns and hands it over. What a journey does is in
//! [`crate::journey`], what a leg does in [`crate::leg`].

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentKey, CallKey, CallbackKey, Duration, Instant, LegKey, Pii, Seed, WallClock};
use bytes::Bytes;
use sip::{Event, Peer};

use crate::admin::{Admin, AdminError, AgentChange};
use crate::core::Core;
use crate::explain::Explained;
use crate::journey::{Journey, Phase, Wish, With, arrive};
use crate::leg::{Dialog, Farewell, Media};
use crate::message::{Input, Output};
use crate::mishap::Mishaps;
use crate::record::StepKind;
use crate::settings::{Feature, Settings};

/// What the next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A SIP timer.
    Sip,
    /// The state of one call ends.
    Call(CallKey),
    /// A call's flow waits no longer.
    Flow(CallKey),
    /// A call has lasted as long as it may.
    Longest(CallKey),
    /// Draining ends.
    Drain,
}

/// Whether new calls are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// They are.
    Serving,
    /// They are not; the remaining ones may go on until the deadline.
    Draining,
    /// They are not, and none is left.
    Drained,
}

/// Owns the SIP endpoint, the callers' flows, the ports, and every journey. One owner, no locks.
pub struct Switch {
    pub(crate) core: Core,
    pub(crate) calls: BTreeMap<CallKey, Box<Journey>>,
    pub(crate) mishaps: Mishaps,
    duty: Duty,
}

impl core::fmt::Debug for Switch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Switch")
            .field("calls", &self.calls.len())
            .field("legs", &self.core.legs.len())
            .finish()
    }
}

impl Switch {
    /// A switch. `first` is the key of the first call, `wall` the wall time of [`Instant::ZERO`].
    pub fn new(settings: Settings, seed: Seed, first: CallKey, wall: WallClock) -> Self {
        Switch {
            core: Core::new(Instant::ZERO, settings, seed, first, wall),
            calls: BTreeMap::new(),
            mishaps: Mishaps::default(),
            duty: Duty::Serving,
        }
    }

    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip(input) => self.core.sip.handle(now, input),
            Input::Media(event) => self.on_media(now, event),
            Input::MediaLate { worker, late } => self.core.ports.set_late(worker, late),
            Input::Acd(output) => self.on_acd(now, output),
            Input::Customer { call, found } => {
                self.with_call(call, |journey, core| journey.identified(core, now, found.as_deref()));
            }
            Input::HookDone { call, token, result } => {
                self.with_call(call, |journey, core| journey.hook_done(core, now, token, result));
            }
            Input::MayCall { callback, open } => self.may_call(now, callback, open),
            Input::Promised(callback) => self.core.promise(*callback, true),
            Input::Served { number, agent, at } => self.served_before(&number, &agent, at),
            Input::Reload(settings) => self.core.configure(now, *settings),
            Input::Drain { deadline } => self.drain(now, deadline),
        }
        self.pump(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.core.sip.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.core.sip.handle_timeout(now);
        }
        self.pump(now);
        while let Some((_, timer)) = self.core.timers.pop_expired(now) {
            match timer {
                Timer::Sip => {}
                Timer::Call(call) => self.with_call(call, |journey, core| journey.on_limit(core, now)),
                Timer::Flow(call) => self.with_call(call, |journey, core| journey.on_flow_timer(core, now)),
                Timer::Longest(call) => self.with_call(call, |journey, core| journey.on_call_max(core, now)),
                Timer::Drain => self.end_all(now, "drain"),
            }
            self.pump(now);
        }
    }

    /// What to do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.outputs.pop_front()
    }

    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let sip = self.core.sip.poll_timeout().map(|(at, _)| (at, Timer::Sip));
        let own = self.core.timers.next();
        sip.into_iter().chain(own).min_by_key(|(at, _)| *at)
    }

    /// An operator's or an agent desktop's request.
    ///
    /// # Errors
    /// [`AdminError`] when it cannot be carried out; then nothing was changed.
    pub fn admin(&mut self, now: Instant, request: Admin) -> Result<(), AdminError> {
        let done = match request {
            Admin::Hangup(call) if !self.calls.contains_key(&call) => Err(AdminError::NoSuchCall),
            Admin::Hangup(call) => {
                self.end_call(now, call, "operator");
                Ok(())
            }
            Admin::EndCallback { callback, done } if self.core.end_callback(callback, done) => Ok(()),
            Admin::EndCallback { .. } => Err(AdminError::NoSuchCallback),
            Admin::Agent { number, change } => {
                let agent = self.core.plan.agent(&number).ok_or(AdminError::NoSuchAgent)?;
                let (feature, reason) = feature_of(change);
                if self.core.change_agent(agent, feature, reason) {
                    Ok(())
                } else {
                    Err(AdminError::WrongState)
                }
            }
        };
        self.pump(now);
        done
    }

    /// Live calls.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    fn with_call(&mut self, call: CallKey, act: impl FnOnce(&mut Journey, &mut Core)) {
        if self.mishaps.is_dead(call) {
            return;
        }
        self.guarded(call, |calls, core| {
            let Some(journey) = calls.get_mut(&call) else { return };
            #[cfg(debug_assertions)]
            journey.spring(false);
            act(journey, core);
            #[cfg(debug_assertions)]
            journey.spring(true);
            if journey.is_over() {
                calls.remove(&call);
            }
        });
    }

    /// Hands on everything the endpoint has to say, until it has nothing more.
    fn pump(&mut self, now: Instant) {
        self.bury(now);
        while let Some(output) = self.core.sip.poll_output() {
            match output {
                sip::Output::Event(event) => {
                    self.on_sip(now, event);
                    self.bury(now);
                }
                other => self.core.output(Output::Sip(other)),
            }
        }
        // A message whose caller has hung up is still with its worker.
        let awaits_message = || self.core.legs.values().any(|leg| leg.recording.is_some());
        if self.duty == Duty::Draining && self.calls.is_empty() && !awaits_message() {
            self.duty = Duty::Drained;
            self.core.timers.cancel(Timer::Drain);
            self.core.output(Output::Drained);
        }
    }

    fn on_sip(&mut self, now: Instant, event: Event) {
        match event {
            Event::Invited { leg, peer, invite } => self.invited(now, leg, peer, &invite),
            Event::Registered { agent, first } => {
                if first {
                    self.core.acd(acd::Input::Reachable { agent, reachable: true });
                }
                self.core.output(Output::Contacts(agent));
            }
            Event::Unregistered { agent } => {
                self.core.acd(acd::Input::Reachable { agent, reachable: false });
                self.core.output(Output::Contacts(agent));
            }
            Event::OptionsAnswered { trunk, ok } => self.core.trunks.reachable(trunk, ok),
            Event::Released { leg } => self.released(now, leg),
            Event::Cancelled { leg, .. } => {
                self.core.parted(leg);
                self.with_leg(leg, |journey, core| journey.caller_gone(core, now, sip::EndedBy::Peer));
            }
            Event::Ended { leg, by, .. } => {
                self.core.parted(leg);
                self.with_leg(leg, |journey, core| journey.leg_ended(core, now, leg, by));
            }
            other => self.on_leg(now, other),
        }
    }

    /// Events within a leg's life.
    fn on_leg(&mut self, now: Instant, event: Event) {
        match event {
            Event::Ringing { leg, code, body } => {
                self.with_leg(leg, |journey, core| journey.on_ringing(core, now, leg, code, body.as_ref()));
            }
            Event::Answered { leg, body, source } => self.answered(now, leg, body.as_ref(), source.ip()),
            Event::Failed { leg, code, .. } => {
                self.core.parted(leg);
                self.with_leg(leg, |journey, core| journey.leg_failed(core, now, leg, code));
            }
            Event::Acked { leg, body } => {
                self.with_leg(leg, |journey, core| journey.acked(core, now, leg, body.as_deref()));
            }
            Event::Reoffered { leg, body, .. } => {
                self.with_leg(leg, |journey, core| journey.reoffered(core, now, leg, body.as_ref()));
            }
            Event::Info { leg, content_type, body } => {
                if let Some(digit) = crate::info::digit(&content_type, body.reveal()) {
                    self.with_leg(leg, |journey, core| journey.info_digit(core, now, leg, digit));
                }
            }
            Event::Referred { leg, target: sip::ReferTarget { replaces: Some(other), .. }, .. } => {
                self.consult(now, leg, other);
            }
            Event::Referred { leg, target, .. } => {
                self.with_leg(leg, |journey, core| journey.asked_to_refer(core, now, leg, &target));
            }
            // We send no re-INVITE of our own and no offer in a provisional response.
            Event::ReofferAnswered { .. } | Event::EarlyAnswer { .. } => {}
            _ => {}
        }
    }

    fn with_leg(&mut self, leg: LegKey, act: impl FnOnce(&mut Journey, &mut Core)) {
        if let Some(call) = self.core.leg(leg).and_then(|leg| leg.call) {
            self.with_call(call, act);
        }
    }

    fn invited(&mut self, now: Instant, leg: LegKey, peer: Peer, invite: &sip::Invite) {
        let key = self.core.next_key();
        let full = if self.calls.len() >= self.core.settings.limits.calls_max || self.duty != Duty::Serving {
            Some("calls")
        } else {
            self.core.ports.all_late().then_some("media")
        };
        let arrived = self.guarded(key, |_, core| arrive(core, now, key, leg, peer, invite, full));
        match arrived {
            Some(Some(journey)) if !journey.is_over() => {
                self.calls.insert(key, Box::new(journey));
            }
            Some(_) => {}
            None => self.refuse_orphan(now, leg),
        }
    }

    fn answered(&mut self, now: Instant, leg: LegKey, body: Option<&Bytes>, source: IpAddr) {
        self.core.is_answered(leg, source);
        match self.core.leg(leg).and_then(|leg| leg.call) {
            Some(_) => self.with_leg(leg, |journey, core| journey.on_answered(core, now, leg, body)),
            None if self.core.leg(leg).is_none() => self.core.sip.bye(now, leg, None),
            // Answered while we were hanging up: the endpoint has sent ACK; the rest is BYE.
            None => self.core.part(now, leg, &Farewell::Normal),
        }
    }

    fn released(&mut self, now: Instant, leg: LegKey) {
        // The endpoint says what ended a leg before it releases it; should it ever not, nobody may stay
        // in a call with nobody.
        let dialog = self.core.leg(leg).filter(|leg| leg.call.is_some()).map(|leg| leg.dialog);
        if let Some(dialog) = dialog.filter(|dialog| *dialog != Dialog::Over) {
            self.core.count("broken", "released_alive");
            self.core.parted(leg);
            self.with_leg(leg, |journey, core| match dialog {
                Dialog::Outgoing => journey.leg_failed(core, now, leg, 503),
                _ => journey.leg_ended(core, now, leg, sip::EndedBy::PeerGone),
            });
        }
        self.core.released(leg);
    }

    fn on_media(&mut self, now: Instant, event: media::Event) {
        match event {
            media::Event::Digit { leg, digit, .. } => {
                self.with_leg(leg, |journey, core| journey.key_pressed(core, now, leg, digit));
            }
            media::Event::PlayDone { leg, token } => {
                self.with_leg(leg, |journey, core| {
                    if leg == journey.caller {
                        journey.play_done(core, now, token);
                    }
                });
            }
            media::Event::Recorded { leg, token, codec, audio, length_ms } => {
                let length_ms = self.core.take_recording(leg, token, codec, audio, length_ms);
                self.with_leg(leg, |journey, core| journey.recorded(core, now, token, length_ms));
            }
            media::Event::Silent { leg } => {
                self.with_leg(leg, |journey, core| journey.silent(core, now, leg))
            }
            media::Event::Removed { leg, stats } => {
                self.core.add_stats(&stats);
                let unasked = self.core.leg(leg).is_some_and(|leg| matches!(leg.media, Media::Open(_)));
                self.core.media_removed(now, leg);
                if unasked {
                    // Its worker fell over: nobody hears anything on this leg any more.
                    self.core.count("broken", "media_lost");
                    self.with_leg(leg, |journey, core| journey.media_lost(core, now, leg));
                }
            }
            media::Event::BindFailed { leg, .. } => {
                self.with_leg(leg, |journey, core| journey.port_failed(core, now, leg));
                // Nothing of the leg is on the worker: nothing will be reported as removed.
                if self.core.leg(leg).is_some_and(|leg| matches!(leg.media, Media::Closing(_))) {
                    self.core.media_removed(now, leg);
                }
            }
            media::Event::Locked { .. }
            | media::Event::Flowing { .. }
            | media::Event::DigitsSent { .. }
            | media::Event::Stats { .. } => {}
        }
    }

    fn on_acd(&mut self, now: Instant, output: acd::Output) {
        match output {
            acd::Output::Present { call, agent, ring } => {
                if self.calls.contains_key(&call) {
                    self.with_call(call, |journey, core| journey.present(core, now, agent, ring));
                }
            }
            acd::Output::Withdraw { call, agent, why } => {
                self.with_call(call, |journey, core| journey.withdraw(core, now, agent, why));
            }
            acd::Output::Overflow { call, to, why } => {
                self.with_call(call, |journey, core| journey.overflowed(core, now, to, why));
            }
            acd::Output::AgentChanged { agent, state } => self.core.agent_changed(now, agent, state),
            acd::Output::WayOut { call, way } => {
                self.with_call(call, |journey, core| journey.way_is_open(core, now, way));
            }
            acd::Output::Wait { call, announcement } => {
                self.with_call(call, |journey, core| journey.expected(core, now, &announcement));
            }
            acd::Output::Overload { .. } => self.core.count("overload_changes", ""),
            acd::Output::CallbackOverdue { .. } => self.core.count("callbacks_overdue", ""),
            acd::Output::Decided(decision) => self.decided(&decision),
            acd::Output::Repaired(repair) => self.core.count("repaired", repair_word(&repair)),
            acd::Output::DialBack { callback, .. } => {
                if self.duty == Duty::Serving {
                    self.core.output(Output::MayCall(callback));
                } else {
                    self.core.acd(acd::Input::DialFailed { callback });
                }
            }
            acd::Output::StopDial { callback } => {
                let call = self.core.promises.get(callback).and_then(|promised| promised.call);
                if let Some(call) = call {
                    self.with_call(call, |journey, core| journey.stop_dial(core, now));
                }
            }
            acd::Output::CallbackChanged { callback, state } => {
                if let Some((call, taken)) = self.core.callback_changed(now, callback, state) {
                    self.with_call(call, |journey, core| journey.booked(core, now, taken));
                }
            }
            // `Local` answers it when every message has been handed over: see `truth`.
            acd::Output::AskTruth => {}
        }
    }

    /// Nobody has taken the promise back, or somebody has.
    fn may_call(&mut self, now: Instant, callback: CallbackKey, open: bool) {
        let Some(promised) = self.core.promises.get_mut(callback) else { return };
        if !open {
            return self.core.acd(acd::Input::CancelCallback { callback });
        }
        if promised.call.is_some() {
            return;
        }
        let mut promise = promised.callback.clone();
        promise.attempts = promise.attempts.max(1);
        let key = self.core.next_key();
        if let Some(promised) = self.core.promises.get_mut(callback) {
            promised.call = Some(key);
        }
        let journey = self.guarded(key, |_, core| crate::journey::call_back(core, now, key, &promise));
        if let Some(journey) = journey.filter(|journey| !journey.is_over()) {
            self.calls.insert(key, Box::new(journey));
        }
    }

    fn served_before(&mut self, number: &Pii<String>, agent: &str, at: base::UnixMillis) {
        let customer = crate::promises::customer(self.core.customers, number.reveal());
        if let (Some(customer), Some(agent)) = (customer, self.core.plan.agent(agent)) {
            // What was before the start is as if it had been at the start: it is remembered a little longer.
            let at = self.core.instant(at);
            self.core.served.note(at, customer, agent);
        }
    }

    /// A decision goes to the records of the calls it is about.
    fn decided(&mut self, decision: &acd::Decision) {
        let about = decision.call;
        let lost = decision.heads.iter().filter(|head| Some(head.call) != about).map(|head| head.call);
        for call in about.into_iter().chain(lost) {
            if let Some(journey) = self.calls.get_mut(&call) {
                let told = Explained::new(&self.core.settings, decision, journey.ledger.started());
                journey.ledger.decided(Arc::new(told), about == Some(call));
            }
        }
    }

    /// What is really going on, for the distributor: see [`acd::Truth`].
    pub(crate) fn truth(&self) -> acd::Truth {
        let mut truth = acd::Truth::default();
        for (&call, journey) in &self.calls {
            match &journey.phase {
                Phase::Waiting(_) => {
                    truth.waiting.insert(call);
                }
                Phase::Presenting { rung, .. } => {
                    truth.waiting.insert(call);
                    truth.busy.extend(rung.iter().map(|rung| (rung.agent, call)));
                }
                Phase::Joining { agent, .. } => {
                    truth.waiting.insert(call);
                    truth.busy.insert((*agent, call));
                }
                Phase::Talking(talk) | Phase::Referring { talk, .. } => {
                    if let With::Served { agent, .. } = talk.with {
                        truth.busy.insert((agent, call));
                        truth.talking.insert(agent, call);
                    }
                }
                _ => {}
            }
        }
        let dialling = |call: &CallKey| {
            let phase = self.calls.get(call).map(|journey| &journey.phase);
            matches!(phase, Some(Phase::Dialling { wish: Wish::Back, .. }))
        };
        let calls = self.core.promises.calls();
        truth.dialling.extend(calls.filter(|(_, call)| dialling(call)).map(|(callback, _)| callback));
        truth
    }

    /// Whether new calls are refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.duty != Duty::Serving
    }

    fn drain(&mut self, now: Instant, deadline: Instant) {
        if self.duty == Duty::Serving {
            self.duty = Duty::Draining;
            self.core.sip.set_draining(true);
        }
        self.core.timers.set(Timer::Drain, deadline.max(now));
    }

    pub(crate) fn end_all(&mut self, now: Instant, why: &str) {
        let keys: Vec<CallKey> = self.calls.keys().copied().collect();
        for call in keys {
            self.end_call(now, call, why);
        }
    }

    fn end_call(&mut self, now: Instant, call: CallKey, why: &str) {
        self.with_call(call, |journey, core| {
            journey.finish(
                core,
                now,
                StepKind::Ended,
                why,
                &Farewell::Busy(core.settings.limits.retry_after_s),
            );
        });
    }

    /// Takes back what an earlier process knew of an agent: his contacts, and whether he took calls. What has
    /// expired meanwhile, and agents who are gone from the settings, are left out.
    pub fn restore(
        &mut self,
        now: Instant,
        number: &str,
        contacts: Vec<sip::Binding>,
        duty: Option<AgentChange>,
    ) {
        let Some(agent) = self.core.plan.agent(number) else { return };
        for contact in contacts {
            if !self.core.sip.restore(now, agent, contact) {
                self.core.count("contacts_expired", "");
            }
        }
        if let Some(change) = duty {
            if matches!(change, AgentChange::NotReady { .. }) {
                // Who is not ready is logged in.
                self.core.change_agent(agent, Feature::Login, 0);
            }
            let (feature, reason) = feature_of(change);
            self.core.change_agent(agent, feature, reason);
        }
        self.pump(now);
    }

    /// An agent's contacts and his number.
    pub fn contacts_of(&self, agent: AgentKey) -> (&str, &[sip::Binding]) {
        let number = self.core.settings.agent(agent).map_or("", |agent| agent.number.as_str());
        (number, self.core.sip.bindings(agent))
    }

    /// Agents who have a phone registered.
    pub(crate) fn contacts(&self, agent: AgentKey) -> usize {
        self.core.sip.bindings(agent).len()
    }

    /// How long the switch has nothing to do, from `now`.
    pub fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.poll_timeout().map(|(at, _)| at - now)
    }
}

const fn feature_of(change: AgentChange) -> (Feature, u8) {
    match change {
        AgentChange::Login => (Feature::Login, 0),
        AgentChange::Logout => (Feature::Logout, 0),
        AgentChange::Ready => (Feature::Ready, 0),
        AgentChange::NotReady { reason } => (Feature::NotReady, reason),
        AgentChange::EndWrapUp => (Feature::EndWrapUp, 0),
    }
}

const fn repair_word(repair: &acd::Repair) -> &'static str {
    match repair {
        acd::Repair::CallGone(_) => "call-gone",
        acd::Repair::NotRung(..) => "not-rung",
        acd::Repair::TalkOver(..) => "talk-over",
        acd::Repair::Talks(..) => "talks",
        acd::Repair::NotDialling(_) => "not-dialling",
    }
}
