//! A panic over one call ends that call, not the process: its journey is dropped whole, whatever state
//! it was in, and everything that hangs on it elsewhere is taken down by the tables that know it.
//! Panics one after the other mean that something else is broken: then the switch gives up, and whoever
//! supervises the process starts it anew.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use base::{AgentKey, CallKey, Instant, LegKey};
use sip::Rejection;

use crate::core::Core;
use crate::journey::Journey;
use crate::ledger::Ledger;
use crate::leg::Farewell;
use crate::message::Output;
use crate::record::{Outcome, StepKind};
use crate::switch::{Switch, Timer};

/// What has gone wrong lately.
#[derive(Debug, Default)]
pub(crate) struct Mishaps {
    /// Calls whose journey panicked and is not cleared away yet.
    dead: Vec<CallKey>,
    recent: VecDeque<Instant>,
    given_up: bool,
}

impl Mishaps {
    /// This call is lost as well.
    pub(crate) fn also(&mut self, call: CallKey) {
        self.dead.push(call);
    }

    pub(crate) fn is_dead(&self, call: CallKey) -> bool {
        self.dead.contains(&call)
    }
}

impl Switch {
    /// Runs something about one call. A panic in it is remembered until [`Switch::bury`].
    ///
    /// Unwinding is safe here: the journey is not looked at again but for its ledger, which only grows;
    /// of the tables in `core` a row may be half done, and `bury` takes down every row of that call.
    pub(crate) fn guarded<R>(
        &mut self,
        call: CallKey,
        act: impl FnOnce(&mut BTreeMap<CallKey, Box<Journey>>, &mut Core) -> R,
    ) -> Option<R> {
        let (calls, core) = (&mut self.calls, &mut self.core);
        let lived = catch_unwind(AssertUnwindSafe(|| act(calls, core)));
        if lived.is_err() {
            self.mishaps.dead.push(call);
        }
        lived.ok()
    }

    /// Clears away every call that panicked: its legs end, the distributor forgets it, its record says why.
    pub(crate) fn bury(&mut self, now: Instant) {
        while let Some(call) = self.mishaps.dead.pop() {
            self.core.count("panics", "call");
            let journey = self.calls.remove(&call);
            let limits = self.core.settings.limits;
            let ledger = match journey {
                // It had come to its end, record and all.
                Some(journey) if journey.is_over() => None,
                Some(journey) => Some(journey.ledger.clone()),
                None => {
                    let mut ledger = Ledger::new(call, now, self.core.wall, limits.steps_max);
                    ledger.step(now, StepKind::Offered, "");
                    Some(ledger)
                }
            };
            self.core.bury(now, call);
            if let Some(ledger) = ledger {
                self.core.obituary(now, call, ledger);
            }
            self.count_anew();
            let recent = &mut self.mishaps.recent;
            recent.push_back(now);
            while recent.front().is_some_and(|at| now.since(*at) > limits.panics_window) {
                recent.pop_front();
            }
            if recent.len() >= limits.panics_max && !self.mishaps.given_up {
                self.mishaps.given_up = true;
                self.end_all(now, "panics");
                self.core.output(Output::GivenUp);
            }
        }
    }

    /// What is counted apart from the rows is counted anew from them: a panic may have come between the two.
    fn count_anew(&mut self) {
        self.core.trunks.recount(self.core.legs.values().filter_map(crate::leg::Leg::trunk));
        let mut engaged: BTreeMap<AgentKey, u32> = BTreeMap::new();
        for agent in self.calls.values().flat_map(|journey| &journey.engaged) {
            *engaged.entry(*agent).or_default() += 1;
        }
        self.core.engage_anew(&engaged);
    }

    /// An INVITE whose arrival panicked, should nothing else know it: it is answered all the same.
    pub(crate) fn refuse_orphan(&mut self, now: Instant, leg: LegKey) {
        if self.core.leg(leg).is_none() {
            self.core.sip.reject(now, leg, Rejection::code(500));
        }
    }

    /// The next thing that happens to the call is a bug of ours: for tests, in builds with debug assertions
    /// only. `after`: it happens before the panic comes. `false`: there is no such call.
    #[cfg(debug_assertions)]
    pub fn sabotage(&mut self, call: CallKey, after: bool) -> bool {
        let Some(journey) = self.calls.get_mut(&call) else { return false };
        journey.trap = Some(after);
        true
    }
}

impl Core {
    /// Takes down every row of the call.
    fn bury(&mut self, now: Instant, call: CallKey) {
        let legs = self.legs.iter().filter(|(_, leg)| leg.call == Some(call)).map(|(&key, _)| key);
        let mut legs: Vec<LegKey> = legs.collect();
        legs.sort_unstable();
        for leg in legs {
            self.part(now, leg, &Farewell::Status(500));
        }
        for timer in [Timer::Call(call), Timer::Flow(call), Timer::Longest(call)] {
            self.timers.cancel(timer);
        }
        // Whatever the distributor holds of it; what does not fit changes nothing there.
        self.acd(acd::Input::Abandon { call });
        let holds = |state: &acd::AgentState| matches!(state, acd::AgentState::Reserved { call: of, .. } | acd::AgentState::Talking { call: of } if *of == call);
        let agents = self.agents.iter().filter(|(_, seen)| holds(&seen.state)).map(|(&agent, _)| agent);
        for agent in agents.collect::<Vec<_>>() {
            self.acd(acd::Input::Ended { call, agent });
        }
        let promised = self.promises.calls().find(|(_, of)| *of == call).map(|(callback, _)| callback);
        if let Some(callback) = promised {
            if let Some(promised) = self.promises.get_mut(callback) {
                promised.call = None;
            }
            self.acd(acd::Input::DialFailed { callback });
        }
    }

    /// Its record, with the cause.
    fn obituary(&mut self, now: Instant, call: CallKey, mut ledger: Ledger) {
        let waits = ledger.is_waiting();
        let mut step = |core: &mut Core, what: StepKind, detail: &str| {
            ledger.step(now, what, detail);
            core.notice(now, call, what, detail);
        };
        if waits {
            step(self, StepKind::Abandoned, "");
        }
        step(self, StepKind::Ended, "panic");
        self.count("calls_ended", Outcome::Failed.word());
        let record = ledger.close(now, self.wall, Outcome::Failed);
        self.output(Output::Record(Box::new(record)));
    }
}
