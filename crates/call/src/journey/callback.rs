//! A customer is called back: rung over a trunk, greeted, and brought to the agent whom the distributor gives him. He has
//! the place that he kept.

use base::{CallKey, CallbackKey, Instant, LegKey, Pii, QueueKey};

use super::{Journey, Lead, NOBODY, Phase, Profile, Reached, Wait, Wish};
use crate::callback::Callback;
use crate::core::Core;
use crate::dial::{CallerId, Dial, NobodyThere, Terms};
use crate::ledger::Ledger;
use crate::leg::Farewell;
use crate::numbers::Destination;
use crate::record::StepKind;
use crate::switch::Timer;

/// A fresh call's Max-Forwards (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;

/// Calls a customer back; the call that is made for it.
pub(crate) fn call_back(core: &mut Core, now: Instant, key: CallKey, callback: &Callback) -> Journey {
    let mut journey = Journey::back(core, now, key, callback);
    core.timers.set(Timer::Longest(key), now + core.settings.limits.call_max);
    let attempt = callback.attempts;
    journey.step(core, now, StepKind::Dialled, &format!("callback {} attempt {attempt}", callback.key));
    match journey.ring_customer(core, now, callback) {
        Ok(dial) => {
            journey.enter(core, now, Phase::Dialling { dial: Box::new(dial), wish: Wish::Back });
        }
        Err(nobody) => journey.not_reached(core, now, nobody.code()),
    }
    journey
}

impl Journey {
    fn back(core: &mut Core, now: Instant, key: CallKey, callback: &Callback) -> Self {
        let settings = core.settings.clone();
        let mut ledger = Ledger::new(key, now, core.wall, settings.limits.steps_max);
        let tier = settings.tier_by_name(&callback.tier_name).unwrap_or(settings.default_tier);
        let terms = &callback.terms;
        let record = &mut ledger.record;
        record.caller = callback.number.clone();
        record.dialled.clone_from(&settings.callbacks.caller_id);
        "callback".clone_into(&mut record.source);
        record.tier = tier;
        record.tier_name.clone_from(&callback.tier_name);
        record.queue = Some(callback.queue.clone());
        let manager = |number: &Option<String>| core.plan.agent(number.as_deref()?);
        let profile = Profile {
            tier,
            language: if terms.language.is_empty() {
                settings.default_language.clone()
            } else {
                terms.language.clone()
            },
            senior: terms.senior,
            known: true,
            managers: [manager(&terms.managers[0]), manager(&terms.managers[1])],
        };
        Journey {
            key,
            worker: core.ports.quietest(),
            caller: NOBODY,
            origin: sip::Peer::Trunk(settings.trunks.first().map(|trunk| trunk.key).unwrap_or_default()),
            dialled: settings.callbacks.caller_id.clone(),
            id: CallerId { number: callback.number.clone(), name: None, hidden: false },
            max_forwards: MAX_FORWARDS,
            offer: None,
            answer: None,
            profile,
            flow: None,
            // Replaced at once; should it not be, it is not `Over`, so `finish` works.
            phase: Phase::Guided,
            engaged: Vec::new(),
            reached: Reached::Nothing,
            callback: Some(callback.key),
            booking: None,
            ledger,
            #[cfg(debug_assertions)]
            trap: None,
        }
    }

    fn ring_customer(&self, core: &mut Core, now: Instant, callback: &Callback) -> Result<Dial, NobodyThere> {
        let Destination::Outside { number, trunks } = core.plan.from_agent(callback.number.reveal()) else {
            return Err(NobodyThere::Refused(404));
        };
        let terms = Terms {
            call: self.key,
            worker: self.worker,
            caller: CallerId {
                number: Pii::new(core.settings.callbacks.caller_id.clone()),
                name: None,
                hidden: false,
            },
            codecs: core.settings.media.codecs.clone(),
            max_forwards: self.max_forwards,
        };
        Dial::outside(core, now, number, false, trunks, terms)
    }

    /// Nobody took the call: the distributor tries again later, or gives the promise up.
    pub(super) fn not_reached(&mut self, core: &mut Core, now: Instant, code: u16) {
        // For `finish`: nobody is rung any more, and nobody was reached.
        self.callback_over(core, true);
        self.finish(core, now, StepKind::Ended, &format!("not-reached {code}"), &Farewell::Normal);
    }

    /// The distributor wants the customer called no longer.
    pub(crate) fn stop_dial(&mut self, core: &mut Core, now: Instant) {
        if matches!(self.phase, Phase::Dialling { wish: Wish::Back, .. }) {
            self.finish(core, now, StepKind::Ended, "stopped", &Farewell::Normal);
        }
    }

    /// This call does nothing more for its promise.
    pub(super) fn callback_over(&mut self, core: &mut Core, unreached: bool) {
        let Some(callback) = self.callback else { return };
        let Some(promised) = core.promises.get_mut(callback).filter(|p| p.call == Some(self.key)) else {
            return;
        };
        promised.call = None;
        if unreached {
            core.acd(acd::Input::DialFailed { callback });
        }
    }

    /// The customer took the call: he is the caller now, greeted, and waits at his old place.
    pub(super) fn customer_answered(&mut self, core: &mut Core, now: Instant, leg: LegKey) {
        let Some(callback) = self.callback else { return };
        self.caller = leg;
        self.ledger.record.answered = Some(core.wall(now));
        self.step(core, now, StepKind::Answered, "");
        let Some((queue, since)) = self.promised_place(core, callback) else {
            return self.finish(core, now, StepKind::Ended, "promise-gone", &Farewell::Normal);
        };
        let name = core.settings.queue(queue).map(|queue| queue.name.clone()).unwrap_or_default();
        self.ledger.wait_begins(now);
        self.step(core, now, StepKind::Queued, &name);
        let caller = acd::Caller {
            senior: self.profile.senior,
            managers: self.profile.managers,
            since: Some(since),
            ..acd::Caller::new(self.profile.tier, queue)
        };
        self.enter(core, now, Phase::Waiting(Box::new(Wait { lead: Lead::Callback, caller, since })));
        self.greet(core);
        core.acd(acd::Input::DialAnswered { callback, call: self.key });
    }

    fn promised_place(&self, core: &Core, callback: CallbackKey) -> Option<(QueueKey, Instant)> {
        let callback = &core.promises.get(callback)?.callback;
        let queue = core.settings.queue_by_name(&callback.queue)?.key;
        Some((queue, core.instant(callback.since)))
    }

    /// Who is calling; music follows, unless an agent is quicker.
    fn greet(&self, core: &mut Core) {
        let voices = core.settings.voices.clone();
        let names = &core.settings.callbacks.greeting;
        let found: Vec<_> =
            names.iter().filter_map(|name| voices.get(&self.profile.language, name).cloned()).collect();
        if found.len() < names.len() {
            core.count("prompts_missing", "prompt");
        }
        core.play(self.caller, 0, found);
    }

    /// The greeting was spoken.
    pub(super) fn greeted(&self, core: &mut Core) {
        if matches!(self.phase, Phase::Waiting(_) | Phase::Presenting { .. }) {
            self.hold_caller(core);
        }
    }

    /// Whether a promise given in this call was taken on: the place goes to the promise, and the flow hears it.
    pub(crate) fn booked(&mut self, core: &mut Core, now: Instant, taken: bool) {
        let Some(token) = self.booking.take() else { return };
        if taken {
            if self.in_queue() {
                self.leave_queue(core, now, acd::Deflection::Callback);
            }
            self.reached = Reached::Deflected;
            self.step(core, now, StepKind::Deflected, "callback");
        }
        self.tell_flow(core, now, ivr::Input::CallbackDone { token, taken });
    }
}
