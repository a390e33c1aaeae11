//! Promises to call customers back: what the distributor knows by keys stands here in words, and what becomes of it is
//! told to whoever keeps it.

use std::collections::BTreeMap;

use acd::{CallbackEnd, CallbackKind, CallbackState};
use base::{AgentKey, CallKey, CallbackKey, CustomerKey, Duration, Instant, Seed, UnixMillis};

use crate::callback::{Callback, CallbackChange, State};
use crate::core::Core;
use crate::message::Output;

/// One promise.
#[derive(Clone, Debug)]
pub(crate) struct Promised {
    pub(crate) callback: Callback,
    /// The call that is being made for it.
    pub(crate) call: Option<CallKey>,
    /// Whoever keeps promises has it.
    kept: bool,
    /// Somebody says that he kept it by hand.
    by_hand: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Promises(BTreeMap<CallbackKey, Promised>);

impl Promises {
    pub(crate) fn get_mut(&mut self, key: CallbackKey) -> Option<&mut Promised> {
        self.0.get_mut(&key)
    }

    pub(crate) fn get(&self, key: CallbackKey) -> Option<&Promised> {
        self.0.get(&key)
    }

    /// Customers who are being called and have not answered yet, or whose call is over already.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (CallbackKey, CallKey)> + '_ {
        self.0.iter().filter_map(|(key, promised)| Some((*key, promised.call?)))
    }
}

/// The customer of a number: the same number gives the same key as long as the process lives.
pub(crate) fn customer(seed: Seed, number: &str) -> Option<CustomerKey> {
    use core::hash::BuildHasher;
    (!number.is_empty()).then(|| CustomerKey(seed.hash_one(number)))
}

impl Core {
    /// Promises a call: the distributor answers by what becomes of it. `stored`: it comes from the store.
    pub(crate) fn promise(&mut self, callback: Callback, stored: bool) {
        let key = callback.key;
        if self.promises.0.contains_key(&key) {
            // Given a moment ago, and read from the store as if it were of the last run.
            return;
        }
        let Some(promise) = self.in_keys(&callback) else {
            self.count("callbacks_refused", "queue");
            let change = CallbackChange {
                key,
                at: callback.promised,
                state: State::Refused,
                attempts: callback.attempts,
                not_before: None,
            };
            if stored {
                self.output(Output::CallbackChanged(change));
            }
            return;
        };
        self.promises.0.insert(key, Promised { callback, call: None, kept: stored, by_hand: false });
        self.acd(acd::Input::Promise { callback: key, promise: Box::new(promise) });
    }

    /// The promise as the distributor knows it; `None` if its queue is gone.
    fn in_keys(&self, callback: &Callback) -> Option<acd::Promise> {
        let settings = &self.settings;
        let terms = &callback.terms;
        let queue = settings.queue_by_name(&callback.queue)?.key;
        let tier = settings.tier_by_name(&callback.tier_name).unwrap_or(settings.default_tier);
        let skills = terms.skills.iter();
        let skills = skills.filter_map(|(name, level)| Some((settings.skill_by_name(name)?, *level)));
        let manager = |number: &Option<String>| -> Option<AgentKey> { self.plan.agent(number.as_deref()?) };
        Some(acd::Promise {
            kind: CallbackKind::from_word(&terms.kind).unwrap_or(CallbackKind::Callback),
            skills: acd::Requirement::all(skills.collect::<Vec<_>>()).unwrap_or_default(),
            class: if terms.complaint { acd::Class::Complaint } else { acd::Class::Normal },
            senior: terms.senior,
            managers: [manager(&terms.managers[0]), manager(&terms.managers[1])],
            not_before: callback.not_before.map(|at| self.instant(UnixMillis(at))),
            attempts: callback.attempts,
            ..acd::Promise::new(
                customer(self.customers, callback.number.reveal())?,
                tier,
                queue,
                self.instant(callback.since),
            )
        })
    }

    /// The instant of a wall time; what was before the start is the start.
    pub(crate) fn instant(&self, at: UnixMillis) -> Instant {
        Instant::ZERO + Duration::from_millis(at.0.saturating_sub(self.wall.epoch.0))
    }

    /// What became of a promise. Returns the call in which it was just given, and whether it was taken on.
    pub(crate) fn callback_changed(
        &mut self,
        now: Instant,
        key: CallbackKey,
        state: CallbackState,
    ) -> Option<(CallKey, bool)> {
        let wall = self.wall;
        let promised = self.promises.0.get_mut(&key)?;
        let (word, attempts, not_before) = match state {
            CallbackState::Scheduled { at, attempts } => (State::Scheduled, attempts, Some(wall.at(at).0)),
            CallbackState::Waiting { attempts } => (State::Waiting, attempts, None),
            CallbackState::Dialling { attempts } => (State::Dialling, attempts, None),
            CallbackState::Reached { attempts } => (State::Reached, attempts, None),
            CallbackState::Ended(end) => (end_word(end, promised.by_hand), promised.callback.attempts, None),
        };
        promised.callback.attempts = attempts;
        promised.callback.not_before = not_before;
        // Who has such a promise already will be called: he is told yes, and nothing more is kept.
        let taken = !matches!(word, State::Refused);
        let first = !promised.kept;
        let given_in = promised.callback.call;
        let kept = first && !matches!(word, State::Refused | State::Double);
        promised.kept |= kept;
        if kept {
            let callback = Box::new(promised.callback.clone());
            self.output(Output::Callback(callback));
        }
        if kept || !first {
            let change = CallbackChange { key, at: wall.at(now), state: word, attempts, not_before };
            self.output(Output::CallbackChanged(change));
        }
        if !word.is_open() {
            self.promises.0.remove(&key);
            self.count("callbacks_ended", word.word());
        }
        first.then_some((given_in, taken))
    }

    /// Somebody takes a promise back, or kept it by hand. `false`: there is no such open promise.
    pub(crate) fn end_callback(&mut self, key: CallbackKey, by_hand: bool) -> bool {
        let Some(promised) = self.promises.get_mut(key) else { return false };
        promised.by_hand = by_hand;
        self.acd(acd::Input::CancelCallback { callback: key });
        true
    }
}

const fn end_word(end: CallbackEnd, by_hand: bool) -> State {
    match end {
        CallbackEnd::Kept => State::Kept,
        CallbackEnd::CalledAgain => State::CalledAgain,
        CallbackEnd::NotReached => State::NotReached,
        CallbackEnd::Cancelled if by_hand => State::Done,
        CallbackEnd::Cancelled => State::Cancelled,
        CallbackEnd::Double => State::Double,
        CallbackEnd::Refused => State::Refused,
    }
}
