//! One call finds its agent while a thousand agents work and a thousand callers wait.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that goes wrong must stop")]

use std::time::Duration;

use acd::{AgentConfig, Caller, Config, Contract, Engine, Input, Output, PolicyKind, QueueConfig};
use base::{AgentKey, CallKey, Instant, QueueKey, Seed, SkillKey, TierKey};
use benches::{CpuTime, config};
use criterion::{Criterion, criterion_group, criterion_main};

const AGENTS: u32 = 1_000;
const WAITING: u64 = 1_000;

/// A call centre: agents with two skills each, calls of four tiers.
struct House {
    engine: Engine,
    now: Instant,
    next_call: u64,
}

impl House {
    fn new(policy: PolicyKind) -> House {
        let agent = |key| AgentConfig {
            skills: vec![(SkillKey((key % 8) as u16), 8), (SkillKey((key % 3) as u16 + 8), 5)],
            queues: vec![QueueKey(0), QueueKey(1)],
            ..AgentConfig::new(AgentKey(key), "agent")
        };
        let config = Config {
            queues: vec![QueueConfig::new(QueueKey(0), "vip"), QueueConfig::new(QueueKey(1), "general")],
            agents: (0..AGENTS).map(agent).collect(),
            tiers: Contract::hotline(),
            policy,
            ..Config::default()
        };
        let mut house =
            House { engine: Engine::new(config, Seed([1, 2])), now: Instant::from_secs(1), next_call: 1 };
        for key in 0..AGENTS {
            house.input(Input::Reachable { agent: AgentKey(key), reachable: true });
            house.input(Input::Ready { agent: AgentKey(key) });
        }
        house
    }

    /// The first (call, agent) that are to be joined, if any.
    fn input(&mut self, input: Input) -> Option<(CallKey, AgentKey)> {
        self.engine.handle(self.now, input);
        let mut presented = None;
        while let Some(output) = self.engine.poll_output() {
            if let Output::Present { call, agent, .. } = output {
                presented = presented.or(Some((call, agent)));
            }
        }
        presented
    }

    fn offer(&mut self) -> Option<(CallKey, AgentKey)> {
        let call = CallKey(self.next_call);
        self.next_call += 1;
        // Now and then one from each tier: 5, 15, 30 and 50 of a hundred.
        let tier = match self.next_call * 37 % 100 {
            0..5 => 0,
            5..20 => 1,
            20..50 => 2,
            _ => 3,
        };
        let caller = Caller::new(TierKey(tier), QueueKey(u16::from(tier > 1)));
        self.input(Input::Offer { call, caller })
    }

    /// Everybody talks and a thousand wait.
    fn fill(&mut self) -> Vec<(CallKey, AgentKey)> {
        let mut talks = Vec::new();
        while talks.len() < AGENTS as usize {
            self.now += Duration::from_millis(1);
            let (call, agent) = self.offer().expect("an agent is free");
            self.input(Input::Answered { call, agent });
            talks.push((call, agent));
        }
        for _ in 0..WAITING {
            self.now += Duration::from_millis(1);
            assert!(self.offer().is_none(), "nobody is free");
        }
        talks
    }
}

/// An agent ends a call: the engine chooses among the waiting, he answers, another caller comes.
fn assign(criterion: &mut Criterion<CpuTime>, name: &str, policy: PolicyKind) {
    let mut house = House::new(policy);
    let mut talks = house.fill();
    let mut at = 0;
    criterion.bench_function(name, |b| {
        b.iter(|| {
            house.now += Duration::from_millis(1);
            let (call, agent) = talks[at];
            let (call, agent) = house.input(Input::Ended { call, agent }).expect("somebody waits");
            house.input(Input::Answered { call, agent });
            talks[at] = (call, agent);
            at = (at + 1) % talks.len();
            assert!(house.offer().is_none(), "he waits");
        });
    });
}

/// A caller comes while all agents are free; he is answered and the agent becomes free again.
fn choose_agent(criterion: &mut Criterion<CpuTime>) {
    let mut house = House::new(PolicyKind::Strict);
    criterion.bench_function("acd/choose_among_1000_free_agents", |b| {
        b.iter(|| {
            house.now += Duration::from_millis(1);
            let (call, agent) = house.offer().expect("somebody is free");
            house.input(Input::Answered { call, agent });
            house.input(Input::Ended { call, agent });
        });
    });
}

fn engines(criterion: &mut Criterion<CpuTime>) {
    assign(criterion, "acd/assign_1000_agents_1000_waiting_strict", PolicyKind::Strict);
    assign(criterion, "acd/assign_1000_agents_1000_waiting_debt3", PolicyKind::Debt3);
    choose_agent(criterion);
}

criterion_group! { name = benches; config = config(); targets = engines }
criterion_main!(benches);
