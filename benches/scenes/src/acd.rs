//! One call finds its agent while a thousand agents work and a thousand callers wait.

use std::time::Duration;

use acd::{AgentConfig, Caller, Config, Contract, Engine, Input, Output, PolicyKind, QueueConfig};
use base::{AgentKey, CallKey, Instant, QueueKey, Seed, SkillKey, TierKey};

const AGENTS: u32 = 1_000;
const WAITING: u64 = 1_000;

/// A call centre: agents with two skills each, calls of four tiers.
#[derive(Debug)]
pub struct House {
    engine: Engine,
    now: Instant,
    next_call: u64,
    talks: Vec<(CallKey, AgentKey)>,
    at: usize,
}

impl House {
    /// With everybody free.
    pub fn new(policy: PolicyKind) -> House {
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
        let engine = Engine::new(config, Seed([1, 2]));
        let mut house = House { engine, now: Instant::from_secs(1), next_call: 1, talks: Vec::new(), at: 0 };
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
    #[must_use]
    pub fn full(mut self) -> Self {
        while self.talks.len() < AGENTS as usize {
            self.now += Duration::from_millis(1);
            let (call, agent) = self.offer().expect("an agent is free");
            self.input(Input::Answered { call, agent });
            self.talks.push((call, agent));
        }
        for _ in 0..WAITING {
            self.now += Duration::from_millis(1);
            assert!(self.offer().is_none(), "nobody is free");
        }
        self
    }

    /// An agent ends a call: the engine chooses among the waiting, he answers, another caller comes.
    pub fn assign(&mut self) {
        self.now += Duration::from_millis(1);
        let (call, agent) = self.talks[self.at];
        let (call, agent) = self.input(Input::Ended { call, agent }).expect("somebody waits");
        self.input(Input::Answered { call, agent });
        self.talks[self.at] = (call, agent);
        self.at = (self.at + 1) % self.talks.len();
        assert!(self.offer().is_none(), "he waits");
    }

    /// A caller comes while all agents are free; he is answered and the agent becomes free again.
    pub fn choose(&mut self) {
        self.now += Duration::from_millis(1);
        let (call, agent) = self.offer().expect("somebody is free");
        self.input(Input::Answered { call, agent });
        self.input(Input::Ended { call, agent });
    }
}
