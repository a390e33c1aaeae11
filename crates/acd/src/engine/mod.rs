//! The engine: tables, inputs, deadlines. What happens to agents, calls and decisions is in a file each.

mod accounts;
mod agents;
mod callbacks;
mod calls;
mod check;
mod configure;
mod decide;
mod lines;
mod overdue;
mod overload;
mod ring_all;
mod truth;
mod unmanned;
mod views;
mod wait;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base::{AgentKey, CallKey, CallbackKey, CustomerKey, Instant, QueueKey, Rng, Seed, SeededMap, Timers};

use crate::callback::{CallbackCounts, CallbackKind};
use crate::config::Config;
use crate::decision::Decision;
use crate::expected::{Flow, Patience};
use crate::index::{Account, Index};
use crate::io::{Input, Output, Timer};
use crate::policy::Policy;
use crate::stats::Counters;
use crate::tables::{Agent, AgentIx, Call, CallIx, CallbackIx, Deadlines, Place, Queue, QueueIx, Slab, Tier};

pub use check::Violation;
pub use views::{AccountView, AgentView, CallbackView};

/// The call distributor of one routing domain.
///
/// Outputs are queued: call [`Engine::poll_output`] until it is empty after every input. Same seed and same
/// inputs give the same outputs.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    rng: Rng,
    policy: Box<dyn Policy>,
    index: Index,
    accounts: Vec<Account>,
    /// Where the search for an account to evict goes on.
    evicted: usize,
    queues: Vec<Queue>,
    queue_of: BTreeMap<QueueKey, QueueIx>,
    agents: Vec<Agent>,
    agent_of: BTreeMap<AgentKey, AgentIx>,
    agent_deadlines: Deadlines<AgentIx>,
    calls: Slab<Call>,
    call_of: SeededMap<CallKey, CallIx>,
    call_deadlines: Deadlines<CallIx>,
    callbacks: Slab<callbacks::Entry>,
    callback_of: BTreeMap<CallbackKey, CallbackIx>,
    /// One promise of a kind to a customer.
    promised_to: BTreeMap<(CustomerKey, CallbackKind), CallbackIx>,
    /// Promises being dialled; an overdue one with the agent who is held for it.
    dialling: BTreeMap<CallbackIx, Option<AgentIx>>,
    /// Promises that are due, may be kept now and are not being dialled, the earliest due first.
    overdue: BTreeSet<(Instant, CallbackIx)>,
    /// Agents who were held for a customer and are no more.
    released: Vec<AgentIx>,
    callback_counts: CallbackCounts,
    /// Something happened by which a promise may be kept now: an agent became free, a caller left, a dial-out ended.
    may_dial: bool,
    tiers: Vec<Tier>,
    flows: Vec<Flow>,
    /// When a wait was last foretold for the statistics alone.
    sampled: Option<Instant>,
    patience: Patience,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    decisions: VecDeque<Arc<Decision>>,
    /// Decisions so far.
    decided: u64,
    counters: Counters,
    /// Arrivals so far: makes places unique.
    arrivals: u64,
    /// Presentations so far: the round of round robin.
    rings: u64,
    /// A reserve keeps somebody free while calls wait.
    held_back: bool,
    /// The timer of a reserve: nobody waits for ever for a caller who does not come.
    reserve_until: Option<Instant>,
    /// When a call held back by its index may go.
    held_until: Option<Instant>,
    /// Choice `ring-all`: calls that ring and that nobody has picked up, by tier and place.
    ringing: BTreeSet<(u8, Place)>,
    /// Calls that avoid somebody.
    avoiders: usize,
    /// Somebody went off duty: an avoided agent may now be the only one.
    duty_lost: bool,
    /// Agents gone off duty whose own callers must not wait for them.
    deserted: Vec<AgentIx>,
    /// Queues and tiers whose counts changed at this event.
    touched: Vec<(Option<QueueIx>, Option<usize>)>,
    /// Scratch of a decision: what was made of the head of each tier.
    seen: Vec<Option<decide::Seen>>,
    /// Whom the last "nobody" was about.
    last_kept: Option<(AgentIx, CallIx)>,
}

impl Engine {
    /// A new engine; everybody is logged out. Any config runs; show [`Config::check`] to its author first.
    pub fn new(config: Config, seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        let policy = config.policy.build(&config, rng.fork());
        let mut engine = Engine {
            config: Config::default(),
            policy,
            index: Index::default(),
            accounts: Vec::new(),
            evicted: 0,
            queues: Vec::new(),
            queue_of: BTreeMap::new(),
            agents: Vec::new(),
            agent_of: BTreeMap::new(),
            agent_deadlines: Deadlines::default(),
            calls: Slab::default(),
            call_of: SeededMap::with_hasher(rng.next_seed()),
            call_deadlines: Deadlines::default(),
            callbacks: Slab::default(),
            callback_of: BTreeMap::new(),
            promised_to: BTreeMap::new(),
            dialling: BTreeMap::new(),
            overdue: BTreeSet::new(),
            released: Vec::new(),
            callback_counts: CallbackCounts::default(),
            may_dial: false,
            tiers: Vec::new(),
            flows: Vec::new(),
            sampled: None,
            patience: Patience::default(),
            timers: Timers::new(rng.next_seed()),
            outputs: VecDeque::new(),
            decisions: VecDeque::new(),
            decided: 0,
            counters: Counters::default(),
            arrivals: 0,
            rings: 0,
            held_back: false,
            held_until: None,
            reserve_until: None,
            ringing: BTreeSet::new(),
            avoiders: 0,
            duty_lost: false,
            deserted: Vec::new(),
            touched: Vec::new(),
            seen: Vec::new(),
            last_kept: None,
            rng,
        };
        engine.configure(Instant::ZERO, config);
        engine
    }

    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        // Lots are drawn when a caller comes or an agent may be free; drawn more often, a fractional reserve would
        // lose its agents to the first lucky draw.
        if !matches!(input, Input::PickedUp { .. } | Input::Answered { .. } | Input::Abandon { .. }) {
            self.policy.begin();
        }
        match input {
            Input::Login { agent } => self.login(now, agent),
            Input::Logout { agent } => self.logout(now, agent),
            Input::Ready { agent } => self.ready(now, agent),
            Input::NotReady { agent, reason } => self.not_ready(now, agent, reason),
            Input::EndWrapUp { agent } => self.end_wrap_up(now, agent),
            Input::Reachable { agent, reachable } => self.reachable(now, agent, reachable),
            Input::Engaged { agent, engaged } => self.engaged(now, agent, engaged),
            Input::Offer { call, caller } => self.offer(now, call, &caller),
            Input::Promote { call, tier, class } => self.promote(now, call, tier, class),
            Input::Abandon { call } => self.abandon(now, call),
            Input::Deflect { call, how: _ } => self.deflect(now, call),
            Input::PickedUp { call, agent } => self.picked_up(now, call, agent),
            Input::Answered { call, agent } => self.answered(now, call, agent),
            Input::Declined { call, agent, why } => self.declined(now, call, agent, why),
            Input::Ended { call, agent } => self.ended(now, call, agent),
            Input::AskWait { call } => self.ask_wait(now, call),
            Input::Promise { callback, promise } => self.promise(now, callback, promise),
            Input::DialAnswered { callback, call } => self.dial_answered(now, callback, call),
            Input::DialFailed { callback } => self.dial_failed(now, callback),
            Input::CancelCallback { callback } => self.cancel_callback(now, callback),
            Input::Truth(truth) => self.learn(now, &truth),
            Input::Configure(config) => self.configure(now, *config),
        }
        self.finish(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.poll_timeout().filter(|&(at, _)| at <= now) {
            self.policy.begin();
            match timer {
                Timer::Agent(agent) => self.agent_timeout(now, agent),
                Timer::Call(call) => self.call_timeout(now, call),
                other => {
                    self.timers.cancel(other);
                    self.timeout(now.max(at), other);
                }
            }
            self.finish(now);
        }
    }

    fn timeout(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Engaged(agent) => self.engaged_timeout(now, agent),
            Timer::NoAgents(queue) => self.no_agents_timeout(now, queue),
            Timer::Reserve => {
                self.reserve_until = None;
                self.policy.held_in_vain(now);
            }
            Timer::Held => {
                self.held_until = None;
                self.sweep(now);
            }
            Timer::Audit => self.ask_truth(now),
            Timer::Ladder(queue) => self.ladder_timeout(now, queue),
            Timer::Callback(callback) => self.callback_timeout(now, callback),
            Timer::CallbackDue(callback) => self.callback_due(now, callback),
            // Whoever may be dialled is, after every event.
            Timer::Quiet | Timer::Agent(_) | Timer::Call(_) => {}
        }
    }

    /// What the driver must do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let agent = self
            .agent_deadlines
            .first()
            .and_then(|(at, ix)| Some((at, Timer::Agent(self.agents.get(ix.at())?.key))));
        let call = self
            .call_deadlines
            .first()
            .and_then(|(at, ix)| Some((at, Timer::Call(self.calls.get(ix.at())?.key))));
        [self.timers.next(), agent, call].into_iter().flatten().min_by_key(|&(at, _)| at)
    }

    /// After every event: callers whose manager left, calls that a reserve or an avoided agent held back.
    fn finish(&mut self, now: Instant) {
        while let Some(agent) = self.deserted.pop() {
            let calls: Vec<CallIx> = match self.agents.get(agent.at()) {
                Some(agent) if !agent.is_on_duty() => {
                    agent.dedicated.iter().map(|&(_, place)| place.call()).collect()
                }
                _ => continue,
            };
            for call in calls {
                self.stay_or_overflow(now, call);
            }
        }
        while let Some(agent) = self.released.pop() {
            self.serve_or_join(now, agent);
        }
        self.look_again(now);
        self.dial_back(now);
        self.check_touched();
    }

    /// Calls that were held back may go now, if it was by something that changes with every event.
    fn look_again(&mut self, now: Instant) {
        let held = self.held_back && self.policy.changes_its_mind();
        let look = held || (self.duty_lost && self.avoiders > 0);
        self.duty_lost = false;
        if look {
            self.sweep(now);
        }
        match self.held_until {
            Some(at) if self.timers.get(Timer::Held) != Some(at) => self.timers.set(Timer::Held, at),
            _ => {}
        }
        let until = self.policy.vain_at().filter(|_| self.held_back);
        if until != self.reserve_until {
            self.reserve_until = until;
            match until {
                Some(at) => self.timers.set(Timer::Reserve, at),
                None => self.timers.cancel(Timer::Reserve),
            }
        }
    }

    fn agent_ix(&mut self, key: AgentKey) -> Option<AgentIx> {
        let found = self.agent_of.get(&key).copied();
        if found.is_none() {
            self.counters.ignored += 1;
        }
        found
    }

    fn call_ix(&mut self, key: CallKey) -> Option<CallIx> {
        let found = self.call_of.get(&key).copied();
        if found.is_none() {
            self.counters.ignored += 1;
        }
        found
    }

    /// An input that does not fit the state.
    fn ignore(&mut self) {
        self.counters.ignored += 1;
    }
}
