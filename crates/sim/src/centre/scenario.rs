//! What a run is about: who comes, who answers, what was promised.

use std::sync::Arc;

use acd::erlang::Line;
use acd::{
    AgentChoice, AgentConfig, Config, Contract, Demand, Feasibility, IndexWeights, Ladder, Limits,
    PolicyKind, QueueConfig, Requirement,
};
use base::{AgentKey, Duration, QueueKey, SkillKey, TierKey};

use super::callers::Visitor;
use super::spread::Spread;

/// A call centre and its load.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Start of all randomness.
    pub seed: u64,
    /// Hours simulated and counted.
    pub hours: f64,
    /// Hours before them, not counted: the queue finds its level.
    pub warmup_hours: f64,
    /// Which waiting call a free agent gets.
    pub policy: PolicyKind,
    /// Which free agent a call gets.
    pub agent_choice: AgentChoice,
    /// Who answers.
    pub groups: Vec<Group>,
    /// Time an agent is busy with a call, after-call work included.
    pub handle_time: Spread,
    /// Who calls, in value order.
    pub tiers: Vec<Tier>,
    /// What for: kinds of call that need skills or time of their own, drawn whatever the tier. Empty: all alike.
    pub reasons: Vec<Reason>,
    /// When they call.
    pub load: Load,
    /// What is offered instead of waiting; the contracts say from which wait on.
    pub callback: Option<Callback>,
    /// Weights of policy `index`; a pair without a row weighs its wait by its tier's delay ratio.
    pub index: Vec<IndexWeights>,
    /// A house as configured: its queues, agents and rules instead of one queue before `groups`. A call's reason is
    /// then the index of its queue.
    pub house: Option<Arc<Config>>,
}

/// Agents who are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How many.
    pub count: u32,
    /// What they can do: skill and level 1-10.
    pub skills: Vec<(SkillKey, u8)>,
}

/// A tier of callers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// Its name.
    pub name: Arc<str>,
    /// Its share of the calls.
    pub share: f64,
    /// What it was promised.
    pub contract: Contract,
    /// How long its callers wait before they give up.
    pub patience: Spread,
    /// Its own handle time, if not the scenario's.
    pub handle_time: Option<Spread>,
    /// What its callers ask of an agent.
    pub skills: Requirement,
}

/// A kind of call.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// Its name.
    pub name: Arc<str>,
    /// Its share of the calls of every tier.
    pub share: f64,
    /// What it asks of an agent, besides what the tier asks.
    pub skills: Requirement,
    /// Its own handle time, if not the tier's.
    pub handle_time: Option<Spread>,
}

/// Callbacks instead of waiting: the engine offers them, some callers accept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Callback {
    /// Share of the offers that are accepted.
    pub accept: f64,
    /// Share of the calls back that reach the customer.
    pub reach: f64,
}

/// When callers come.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// So much work per agent, the same at every hour (1: as much as they can do).
    Rho(f64),
    /// Calls in each hour of a day that repeats.
    CallsPerHour(Vec<f64>),
    /// These very callers, by time.
    Recorded(Arc<[Visitor]>),
}

/// The one queue of a simulated centre.
pub(super) const QUEUE: QueueKey = QueueKey(0);

impl Scenario {
    /// The hotline's four tiers (5, 15, 30 and 50 % of the calls) before one group of agents, handle time 180 s and
    /// patience 120 s, both exponential, with the reserve that DEBT-3 was published with: the centre of the tables
    /// that the proofs are held to.
    pub fn hotline(agents: u32, load: Load) -> Scenario {
        let shares = [("diamond", 0.05), ("gold", 0.15), ("silver", 0.30), ("ordinary", 0.50)];
        let mut contracts = Contract::hotline();
        for (tier, contract) in contracts.iter_mut().enumerate() {
            contract.reserve_max = reserve_max(tier, agents);
            contract.callback_above = None;
        }
        let tier = |((name, share), contract): ((&str, f64), Contract)| Tier {
            name: name.into(),
            share,
            contract,
            patience: Spread::exponential(120.0),
            handle_time: None,
            skills: Requirement::none(),
        };
        Scenario {
            seed: 1,
            hours: 100.0,
            warmup_hours: 1.0,
            policy: PolicyKind::default(),
            agent_choice: AgentChoice::default(),
            groups: vec![Group { count: agents, skills: Vec::new() }],
            handle_time: Spread::exponential(180.0),
            tiers: shares.into_iter().zip(contracts).map(tier).collect(),
            reasons: Vec::new(),
            load,
            callback: None,
            index: Vec::new(),
            house: None,
        }
    }

    /// Agents in all.
    pub fn agents(&self) -> u32 {
        if let Some(house) = &self.house {
            return u32::try_from(house.agents.len()).unwrap_or(u32::MAX);
        }
        self.groups.iter().fold(0u32, |sum, group| sum.saturating_add(group.count))
    }

    /// The time of a call of this tier and reason.
    pub(super) fn handle_of(&self, tier: &Tier, reason: Option<&Reason>) -> Spread {
        reason.and_then(|reason| reason.handle_time).or(tier.handle_time).unwrap_or(self.handle_time)
    }

    /// Mean handle time of a tier's calls, s.
    pub fn mean_handle_of(&self, tier: &Tier) -> f64 {
        if self.reasons.is_empty() {
            return self.handle_of(tier, None).mean_s;
        }
        self.reasons.iter().map(|reason| reason.share * self.handle_of(tier, Some(reason)).mean_s).sum()
    }

    /// Mean handle time of all calls, s.
    pub fn mean_handle_s(&self) -> f64 {
        if let Load::Recorded(visitors) = &self.load {
            return mean(visitors.iter().map(|visitor| visitor.handle_s)).unwrap_or(self.handle_time.mean_s);
        }
        self.tiers.iter().map(|tier| tier.share * self.mean_handle_of(tier)).sum()
    }

    /// Mean patience, by the rate at which callers give up, s.
    pub fn mean_patience_s(&self) -> f64 {
        1.0 / self.tiers.iter().map(|tier| tier.share / tier.patience.mean_s).sum::<f64>()
    }

    /// Calls per hour, by hour of the repeating day; one number if it is always the same.
    pub fn calls_per_hour(&self) -> Vec<f64> {
        match &self.load {
            Load::Rho(rho) => vec![rho * f64::from(self.agents()) * 3600.0 / self.mean_handle_s()],
            Load::CallsPerHour(hours) => hours.clone(),
            Load::Recorded(visitors) => {
                let hour = |visitor: &Visitor| (visitor.at_s / 3600.0).max(0.0) as usize;
                let mut hours = vec![0.0; visitors.last().map_or(0, hour) + 1];
                for visitor in visitors.iter() {
                    if let Some(calls) = hours.get_mut(hour(visitor)) {
                        *calls += 1.0;
                    }
                }
                hours
            }
        }
    }

    /// The load as Erlang A sees it: one line, so many calls per hour.
    pub fn line(&self, calls_per_hour: f64) -> Line {
        Line {
            calls_per_s: calls_per_hour / 3600.0,
            handle_s: self.mean_handle_s(),
            patience_s: self.mean_patience_s(),
            waiting_max: None,
        }
    }

    /// What the contracts need at this load, by Erlang A: tiers weigh by their work. `None` where nobody calls or
    /// nobody ever gives up.
    pub fn feasibility(&self, calls_per_hour: f64) -> Option<Feasibility> {
        let handle_s = self.mean_handle_s();
        let calls = |tier: &Tier| calls_per_hour / 3600.0 * tier.share * self.mean_handle_of(tier) / handle_s;
        let demand = Demand {
            calls_per_s: self.tiers.iter().map(calls).collect(),
            handle_s,
            patience_s: self.mean_patience_s(),
        };
        let contracts: Vec<Contract> = self.tiers.iter().map(|tier| tier.contract).collect();
        Feasibility::of(&contracts, &demand, self.agents())
    }

    /// What the engine is told.
    pub fn config(&self) -> Config {
        let tiers = self.tiers.iter().map(|tier| tier.contract).collect();
        if let Some(house) = &self.house {
            let agent_choice = self.agent_choice;
            return Config { policy: self.policy, agent_choice, tiers, ..Config::clone(house) };
        }
        let numbered = (0u16..).zip(&self.groups);
        let groups = numbered.flat_map(|group| (0..group.1.count).map(move |_| group));
        let agent = |(key, (number, group)): (u32, (u16, &Group))| AgentConfig {
            skills: group.skills.clone(),
            queues: vec![QUEUE],
            group: number,
            ..AgentConfig::new(AgentKey(key), "")
        };
        let handle_time = Duration::from_secs_f64(self.mean_handle_s().clamp(0.0, 1e6));
        Config {
            queues: vec![QueueConfig { handle_time, ..QueueConfig::new(QUEUE, "all") }],
            agents: (0..).zip(groups).map(agent).collect(),
            tiers,
            policy: self.policy,
            agent_choice: self.agent_choice,
            index: self.weights(),
            ladder: self.callback.map(|_| Ladder::default()),
            // Talks end by themselves here, however long.
            talk_max: Duration::from_secs(10_000_000_000),
            limits: Limits { agents_max: usize::MAX, decisions_max: 1, ..Limits::default() },
            ..Config::default()
        }
    }

    fn weights(&self) -> Vec<IndexWeights> {
        let tiers = (0u8..).map(TierKey).zip(&self.tiers);
        let pairs = tiers.flat_map(|tier| (0u16..).zip(&self.groups).map(move |(group, _)| (tier, group)));
        let of = |((tier, terms), group): ((TierKey, &Tier), u16)| {
            let given = self.index.iter().find(|row| row.tier == tier && row.group == group);
            let wait = 1.0 / terms.contract.delay_ratio.as_secs_f64().max(0.001);
            given.copied().unwrap_or(IndexWeights { tier, group, wait, idle: 0.0, constant: 0.0 })
        };
        pairs.map(of).collect()
    }
}

/// The reserve that a tier may ask for where its contract says nothing: 4 and 2 of 50 agents for the first two,
/// by the square root for other sizes, none for small teams, where a reserved agent is too dear.
pub fn reserve_max(tier: usize, agents: u32) -> f64 {
    const SMALL_TEAM: u32 = 20;
    let of_fifty = match tier {
        0 => 4.0,
        1 => 2.0,
        _ => 0.0,
    };
    if agents < SMALL_TEAM { 0.0 } else { of_fifty * (f64::from(agents) / 50.0).sqrt() }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}
