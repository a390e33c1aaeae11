//! Lives a scenario: arrivals, renunciations, ends of talks and the engine's own deadlines, in the order of time.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use acd::{
    CallbackState, Caller, Deflection, Engine, Input, Output, OverflowTarget, Promise, Requirement, Violation,
};
use base::{AgentKey, CallKey, CallbackKey, CustomerKey, Duration, Instant, QueueKey, Rng, Seed, TierKey};

use super::callers::{Callers, Visitor};
use super::outcome::{Bin, Outcome, Series, TierOutcome};
use super::scenario::{Callback, QUEUE, Scenario};

/// The engine's tables disagree with each other: a bug, with when it showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Broken {
    /// The scenario's seed.
    pub seed: u64,
    /// When, from the start of the warm-up.
    pub at: Instant,
    /// What.
    pub what: Violation,
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "seed {}, at {}: the engine's tables disagree: {:?}", self.seed, self.at, self.what)
    }
}

impl core::error::Error for Broken {}

/// A scenario being lived.
#[derive(Debug)]
pub struct Run {
    seed: u64,
    engine: Engine,
    callers: Callers,
    coming: Option<Visitor>,
    due: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    /// Events so far: equal times happen in the order they were foreseen.
    foreseen: u64,
    calls: Calls,
    callback: Option<Callback>,
    /// Callbacks promised so far.
    callbacks: u64,
    /// Callers who were promised a call.
    promised: BTreeMap<CallbackKey, Guest>,
    /// Whether a call back reaches its customer.
    reach: Rng,
    /// What calls of each tier and reason ask for.
    needs: Vec<Vec<Requirement>>,
    /// The queue of each reason and its after-call work, in a house as configured.
    queues: Vec<(QueueKey, Duration)>,
    in_time: Vec<Duration>,
    counted_from: Instant,
    counted_to: Instant,
    now: Instant,
    outcome: Outcome,
    busy_s: f64,
    agents: f64,
    audit: Audit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    GivesUp(CallKey),
    TalkEnds(CallKey, AgentKey),
}

impl Run {
    /// A centre at the start of its warm-up, everybody ready.
    pub fn new(scenario: &Scenario) -> Run {
        let config = scenario.config();
        let queues = match &scenario.house {
            Some(house) => house.queues.iter().map(|queue| (queue.key, queue.wrap_up)).collect(),
            None => Vec::new(),
        };
        let agents: Vec<AgentKey> = config.agents.iter().map(|agent| agent.key).collect();
        let mut engine = Engine::new(config, Seed([scenario.seed, 0]));
        for agent in agents {
            engine.handle(Instant::ZERO, Input::Reachable { agent, reachable: true });
            engine.handle(Instant::ZERO, Input::Ready { agent });
        }
        while engine.poll_output().is_some() {}
        let of_tier = |tier: &super::Tier| -> Vec<Requirement> {
            let both = |reason: &super::Reason| tier.skills.and(&reason.skills).unwrap_or_default();
            if scenario.reasons.is_empty() {
                vec![tier.skills.clone()]
            } else {
                scenario.reasons.iter().map(both).collect()
            }
        };
        let mut callers = Callers::new(scenario);
        let coming = callers.next();
        let counted_from = Instant::ZERO + seconds(scenario.warmup_hours * 3600.0);
        Run {
            seed: scenario.seed,
            engine,
            callers,
            coming,
            due: BinaryHeap::new(),
            foreseen: 0,
            calls: Calls::default(),
            callback: scenario.callback,
            callbacks: 0,
            promised: BTreeMap::new(),
            reach: Rng::new(Seed([scenario.seed, 7])),
            needs: scenario.tiers.iter().map(of_tier).collect(),
            queues,
            in_time: scenario.tiers.iter().map(|tier| tier.contract.service_level).collect(),
            counted_from,
            counted_to: counted_from + seconds(scenario.hours * 3600.0),
            now: Instant::ZERO,
            outcome: Outcome {
                seed: scenario.seed,
                policy: scenario.policy,
                tiers: scenario.tiers.iter().map(|tier| TierOutcome::new(tier.name.clone())).collect(),
                total: TierOutcome::new("all"),
                occupancy: 0.0,
                reasons: vec![vec![Bin::default(); scenario.tiers.len()]; scenario.reasons.len()],
                series: Series::new(scenario),
                callers: 0,
            },
            busy_s: 0.0,
            agents: f64::from(scenario.agents()),
            audit: Audit::default(),
        }
    }

    /// Lives a scenario from beginning to end.
    ///
    /// # Errors
    /// The engine broke.
    pub fn whole(scenario: &Scenario) -> Result<Outcome, Broken> {
        let mut run = Run::new(scenario);
        while run.advance(u64::MAX)? {}
        Ok(run.finish())
    }

    /// Lives so many events more. Whether there is more to live.
    ///
    /// # Errors
    /// The engine broke.
    pub fn advance(&mut self, events: u64) -> Result<bool, Broken> {
        for _ in 0..events {
            // Calls that wait when the time is up are followed to their end, among callers who keep coming.
            if self.now >= self.counted_to && self.calls.counted == 0 {
                return Ok(false);
            }
            if !self.step() {
                return Ok(false);
            }
            self.audit.check(&self.engine, self.agents).map_err(|what| Broken {
                seed: self.seed,
                at: self.now,
                what,
            })?;
        }
        Ok(true)
    }

    /// How much of the time is lived, 0 to 1.
    pub fn progress(&self) -> f64 {
        (self.now.since(Instant::ZERO).as_secs_f64() / self.counted_to.since(Instant::ZERO).as_secs_f64())
            .min(1.0)
    }

    /// The engine, for questions about its state.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What became of the callers so far.
    pub fn finish(mut self) -> Outcome {
        for tier in &self.outcome.tiers {
            self.outcome.total.add(tier);
        }
        let lived_s = self.counted_to.since(self.counted_from).as_secs_f64();
        self.outcome.occupancy = self.busy_s / (lived_s * self.agents).max(1e-9);
        self.outcome
    }

    /// The next event, whichever comes first. `false`: nothing will ever happen again.
    fn step(&mut self) -> bool {
        let coming = self.coming.map(|visitor| Instant::ZERO + seconds(visitor.at_s));
        let due = self.due.peek().map(|Reverse((at, ..))| *at);
        let timer = self.engine.poll_timeout().map(|(at, _)| at);
        let Some(next) = [timer, due, coming].into_iter().flatten().min() else { return false };
        self.now = self.now.max(next);
        if timer == Some(next) {
            self.engine.handle_timeout(self.now);
        } else if due == Some(next) {
            if let Some(Reverse((_, _, due))) = self.due.pop() {
                self.happen(due);
            }
        } else if let Some(visitor) = core::mem::replace(&mut self.coming, self.callers.next()) {
            self.arrive(visitor);
        }
        self.listen();
        true
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::GivesUp(call) => {
                // Most who would have given up are long answered.
                let Some(gone) = self.calls.take_waiting(call) else { return };
                self.engine.handle(self.now, Input::Abandon { call });
                self.tally(&gone, |tier| {
                    tier.abandoned += 1;
                    tier.deflected -= u64::from(gone.called_back);
                });
            }
            Due::TalkEnds(call, agent) => self.engine.handle(self.now, Input::Ended { call, agent }),
        }
    }

    fn arrive(&mut self, visitor: Visitor) {
        self.outcome.callers += 1;
        let counted = (self.counted_from..self.counted_to).contains(&self.now);
        let bin = self.outcome.series.bin(self.now.since(self.counted_from).as_secs_f64());
        let guest = Guest { visitor, since: self.now, counted, bin, called_back: false };
        let call = self.calls.insert(guest);
        self.tally(&guest, |tier| tier.offered += 1);
        self.tally_parts(&guest, |part| part.offered += 1);
        let (tier, queue) = (tier_key(visitor.tier), self.queue(&visitor));
        let caller = Caller { skills: self.skills(&visitor), ..Caller::new(tier, queue) };
        self.engine.handle(self.now, Input::Offer { call, caller });
        self.listen();
        if visitor.patience_s.is_finite() && self.calls.waits(call) {
            self.foresee(visitor.patience_s, Due::GivesUp(call));
        }
    }

    fn queue(&self, visitor: &Visitor) -> QueueKey {
        self.queues.get(visitor.reason).map_or(QUEUE, |(queue, _)| *queue)
    }

    fn skills(&self, visitor: &Visitor) -> Requirement {
        let needs = self.needs.get(visitor.tier).and_then(|tier| tier.get(visitor.reason));
        needs.cloned().unwrap_or_default()
    }

    fn foresee(&mut self, after_s: f64, due: Due) {
        self.foreseen += 1;
        self.due.push(Reverse((self.now + seconds(after_s), self.foreseen, due)));
    }

    /// Does what the engine says, until it has nothing more to say.
    fn listen(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Present { call, agent, .. } => self.connect(call, agent),
                Output::Overflow { to: OverflowTarget::Queue(_), .. } => {}
                Output::Overflow { call, .. } => {
                    if let Some(gone) = self.calls.take_waiting(call) {
                        self.tally(&gone, |tier| tier.overflowed += 1);
                    }
                }
                Output::WayOut { call, way } if way.callback => self.offer_callback(call),
                Output::DialBack { callback, .. } => self.dial(callback),
                Output::CallbackChanged { callback, state: CallbackState::Ended(_) } => {
                    self.promised.remove(&callback);
                }
                // Nobody rings, looks or asks here: agents answer and customers are reached at once or not.
                Output::WayOut { .. }
                | Output::Withdraw { .. }
                | Output::AgentChanged { .. }
                | Output::Decided(_)
                | Output::Overload { .. }
                | Output::Wait { .. }
                | Output::StopDial { .. }
                | Output::CallbackChanged { .. }
                | Output::CallbackOverdue { .. }
                | Output::AskTruth
                | Output::Repaired(_) => {}
            }
        }
    }

    /// A waiting caller may choose a callback; who does not once never will.
    fn offer_callback(&mut self, call: CallKey) {
        let Some(accept) = self.callback.map(|callback| callback.accept) else { return };
        let accepts =
            self.calls.get(call).is_some_and(|guest| guest.visitor.mood < accept && !guest.called_back);
        let Some(guest) = accepts.then(|| self.calls.take_waiting(call)).flatten() else { return };
        self.engine.handle(self.now, Input::Deflect { call, how: Deflection::Callback });
        self.tally(&guest, |tier| tier.deflected += 1);
        self.callbacks += 1;
        let (callback, customer) = (CallbackKey(self.callbacks), CustomerKey(self.callbacks));
        let (tier, queue) = (tier_key(guest.visitor.tier), self.queue(&guest.visitor));
        let skills = self.skills(&guest.visitor);
        let promise = Promise { skills, ..Promise::new(customer, tier, queue, guest.since) };
        self.promised.insert(callback, guest);
        self.engine.handle(self.now, Input::Promise { callback, promise: Box::new(promise) });
    }

    /// The customer takes the call, or he is not there; then the engine tries again later.
    fn dial(&mut self, callback: CallbackKey) {
        let reach = self.callback.map_or(1.0, |callback| callback.reach);
        if self.reach.unit() >= reach {
            return self.engine.handle(self.now, Input::DialFailed { callback });
        }
        let Some(guest) = self.promised.remove(&callback) else { return };
        let call = self.calls.insert(Guest { called_back: true, ..guest });
        self.engine.handle(self.now, Input::DialAnswered { callback, call });
        // He listens again, with the patience that he had.
        if guest.visitor.patience_s.is_finite() {
            self.foresee(guest.visitor.patience_s, Due::GivesUp(call));
        }
    }

    /// Every agent answers at once.
    fn connect(&mut self, call: CallKey, agent: AgentKey) {
        let Some(guest) = self.calls.take_waiting(call) else { return };
        self.engine.handle(self.now, Input::Answered { call, agent });
        self.foresee(guest.visitor.handle_s, Due::TalkEnds(call, agent));
        let wrap_up = self.queues.get(guest.visitor.reason).map_or(Duration::ZERO, |(_, wrap_up)| *wrap_up);
        let busy_until = self.now + seconds(guest.visitor.handle_s) + wrap_up;
        let counted = busy_until.min(self.counted_to).since(self.now.max(self.counted_from));
        self.busy_s += counted.as_secs_f64();
        let waited = self.now.since(guest.since);
        let in_time = self.in_time.get(guest.visitor.tier).is_some_and(|limit| waited <= *limit);
        let in_time = in_time && !guest.called_back;
        self.tally(&guest, |tier| {
            tier.answered += 1;
            if guest.called_back {
                tier.called_back += 1;
                tier.deflected -= 1;
                tier.callback_delays_s += waited.as_secs_f64();
            } else {
                tier.in_time += u64::from(in_time);
                tier.waits.count(waited.as_secs_f64());
            }
        });
        self.tally_parts(&guest, |part| {
            part.answered += 1;
            part.in_time += u64::from(in_time);
        });
    }

    fn tally(&mut self, guest: &Guest, count: impl FnOnce(&mut TierOutcome)) {
        if guest.counted
            && let Some(tier) = self.outcome.tiers.get_mut(guest.visitor.tier)
        {
            count(tier);
        }
    }

    /// The parts of his tier that a caller belongs to.
    fn tally_parts(&mut self, guest: &Guest, count: impl Fn(&mut Bin)) {
        if !guest.counted {
            return;
        }
        let (tier, reason) = (guest.visitor.tier, guest.visitor.reason);
        if let Some(bin) = self.outcome.series.at(tier, guest.bin) {
            count(bin);
        }
        if let Some(part) = self.outcome.reasons.get_mut(reason).and_then(|tiers| tiers.get_mut(tier)) {
            count(part);
        }
    }
}

/// Checks the engine as it runs: the conservation of calls after every event, all tables now and then, so that
/// it takes a bounded part of the time.
#[derive(Debug, Default)]
struct Audit {
    events: u64,
    next: u64,
}

impl Audit {
    fn check(&mut self, engine: &Engine, agents: f64) -> Result<(), Violation> {
        const EVENTS_PER_ROW: f64 = 64.0;
        engine.check_counts()?;
        self.events += 1;
        if self.events >= self.next {
            engine.check_invariants()?;
            let rows = agents + engine.waiting() as f64;
            self.next = self.events + (rows * EVENTS_PER_ROW) as u64 + 1024;
        }
        Ok(())
    }
}

/// A caller in the house.
#[derive(Clone, Copy, Debug)]
struct Guest {
    visitor: Visitor,
    since: Instant,
    /// Called when the warm-up was over and the end not reached.
    counted: bool,
    bin: usize,
    /// He was promised a callback and is on the line again.
    called_back: bool,
}

/// The callers who wait, in slots that are used again: a key is a slot and how often it was used.
#[derive(Debug, Default)]
struct Calls {
    slots: Vec<(u32, Option<Guest>)>,
    free: Vec<u32>,
    /// Counted callers who wait.
    counted: usize,
}

impl Calls {
    fn insert(&mut self, guest: Guest) -> CallKey {
        self.counted += usize::from(guest.counted);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let Some((used, place)) = self.slots.get_mut(slot as usize) else { return CallKey(u64::MAX) };
        *used = used.wrapping_add(1);
        *place = Some(guest);
        CallKey(u64::from(*used) << 32 | u64::from(slot))
    }

    fn slot(&mut self, call: CallKey) -> Option<&mut Option<Guest>> {
        let (used, place) = self.slots.get_mut((call.0 & u64::from(u32::MAX)) as usize)?;
        (u64::from(*used) == call.0 >> 32).then_some(place)
    }

    fn get(&mut self, call: CallKey) -> Option<Guest> {
        *self.slot(call)?
    }

    fn waits(&mut self, call: CallKey) -> bool {
        self.get(call).is_some()
    }

    fn take_waiting(&mut self, call: CallKey) -> Option<Guest> {
        let guest = self.slot(call)?.take()?;
        self.counted -= usize::from(guest.counted);
        self.free.push((call.0 & u64::from(u32::MAX)) as u32);
        Some(guest)
    }
}

fn tier_key(tier: usize) -> TierKey {
    TierKey(u8::try_from(tier).unwrap_or(u8::MAX))
}

/// A time that a duration can hold: a patience of a million years is as good as any.
fn seconds(s: f64) -> Duration {
    const LONGEST_S: f64 = 1e10;
    Duration::from_secs_f64(if s >= 0.0 { s.min(LONGEST_S) } else { 0.0 })
}
