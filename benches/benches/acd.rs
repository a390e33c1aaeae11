//! One call finds its agent while a thousand agents work and ten thousand callers wait; one agent of ten thousand
//! among a hundred thousand callers with 64 skills; one agent's change beside ten thousand queues.
//!
//! `cargo bench -p benches --bench acd` measures means as the others do. With `-- tail` it prints the distribution of
//! single decisions instead.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that goes wrong must stop")]
#![allow(clippy::print_stdout, reason = "the distribution is for whoever runs it")]

use std::time::Duration;

use acd::{
    AgentConfig, Caller, Config, Contract, Engine, Input, Output, PolicyKind, QueueConfig, Requirement,
};
use base::{AgentKey, CallKey, Instant, QueueKey, Rng, Seed, SkillKey, TierKey};
use benches::{CpuTime, config};
use criterion::{Criterion, criterion_group};

/// A call centre and its clock.
struct House {
    engine: Engine,
    now: Instant,
    next_call: u64,
    rng: Rng,
    /// Skills that callers ask for, one at a time; none: nobody asks.
    wishes: Vec<Requirement>,
    queues: u16,
}

impl House {
    fn new(config: Config, wishes: Vec<Requirement>) -> House {
        let agents: Vec<AgentKey> = config.agents.iter().map(|agent| agent.key).collect();
        let queues = u16::try_from(config.queues.len()).unwrap();
        let engine = Engine::new(config, Seed([1, 2]));
        let rng = Rng::new(Seed([3, 4]));
        let mut house = House { engine, now: Instant::from_secs(1), next_call: 1, rng, wishes, queues };
        for agent in agents {
            house.input(Input::Reachable { agent, reachable: true });
            house.input(Input::Ready { agent });
        }
        house
    }

    /// Agents with two skills each and both queues; callers ask for nothing.
    fn usual(policy: PolicyKind) -> House {
        let agent = |key| AgentConfig {
            skills: vec![(SkillKey((key % 8) as u16), 8), (SkillKey((key % 3) as u16 + 8), 5)],
            queues: vec![QueueKey(0), QueueKey(1)],
            ..AgentConfig::new(AgentKey(key), "agent")
        };
        let config = Config {
            queues: vec![QueueConfig::new(QueueKey(0), "vip"), QueueConfig::new(QueueKey(1), "general")],
            agents: (0..1_000).map(agent).collect(),
            tiers: Contract::hotline(),
            policy,
            ..Config::default()
        };
        House::new(config, Vec::new())
    }

    /// Ten thousand agents, each with eight of 64 skills; callers ask for one.
    fn skilled(policy: PolicyKind) -> House {
        let mut rng = Rng::new(Seed([5, 6]));
        let mut agent = |key| AgentConfig {
            skills: (0..8).map(|_| (SkillKey(rng.below(64) as u16), 1 + rng.below(10) as u8)).collect(),
            queues: vec![QueueKey(0)],
            ..AgentConfig::new(AgentKey(key), "agent")
        };
        let config = Config {
            queues: vec![QueueConfig::new(QueueKey(0), "all")],
            agents: (0..10_000).map(&mut agent).collect(),
            tiers: Contract::hotline(),
            policy,
            limits: acd::Limits { calls_max: 200_000, ..acd::Limits::default() },
            ..Config::default()
        };
        House::new(config, (0..64).map(|skill| Requirement::skill(SkillKey(skill), 1)).collect())
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

    fn caller(&mut self) -> Caller {
        // Now and then one from each tier: 5, 15, 30 and 50 of a hundred.
        let tier = match self.next_call * 37 % 100 {
            0..5 => 0,
            5..20 => 1,
            20..50 => 2,
            _ => 3,
        };
        let wish = self.rng.below(self.wishes.len() as u64) as usize;
        let skills = self.wishes.get(wish).cloned().unwrap_or_default();
        let queue = QueueKey(u16::from(tier > 1).min(self.queues - 1));
        Caller { skills, ..Caller::new(TierKey(tier), queue) }
    }

    fn offer(&mut self) -> Option<(CallKey, AgentKey)> {
        let caller = self.caller();
        let call = CallKey(self.next_call);
        self.next_call += 1;
        self.input(Input::Offer { call, caller })
    }

    /// Everybody talks and so many wait.
    fn fill(&mut self, agents: usize, waiting: usize) -> Vec<(CallKey, AgentKey)> {
        let mut talks = Vec::new();
        while talks.len() < agents || self.engine.waiting() < waiting {
            self.now += Duration::from_millis(1);
            if let Some((call, agent)) = self.offer() {
                self.input(Input::Answered { call, agent });
                talks.push((call, agent));
            }
        }
        talks
    }

    /// An agent ends a call: the engine chooses among the waiting, he answers, another caller comes.
    fn assign(&mut self, talks: &mut [(CallKey, AgentKey)], at: usize) {
        self.now += Duration::from_millis(1);
        let (call, agent) = talks[at];
        let (call, agent) = self.input(Input::Ended { call, agent }).expect("somebody waits");
        self.input(Input::Answered { call, agent });
        talks[at] = (call, agent);
        assert!(self.offer().is_none(), "he waits");
    }
}

fn assign(criterion: &mut Criterion<CpuTime>, name: &str, mut house: House, agents: usize, waiting: usize) {
    let mut talks = house.fill(agents, waiting);
    let mut at = 0;
    criterion.bench_function(name, |b| {
        b.iter(|| {
            house.assign(&mut talks, at);
            at = (at + 1) % talks.len();
        });
    });
}

/// A caller comes while all agents are free; he is answered and the agent becomes free again.
fn choose_agent(criterion: &mut Criterion<CpuTime>, name: &str, mut house: House) {
    criterion.bench_function(name, |b| {
        b.iter(|| {
            house.now += Duration::from_millis(1);
            let (call, agent) = house.offer().expect("somebody is free");
            house.input(Input::Answered { call, agent });
            house.input(Input::Ended { call, agent });
        });
    });
}

/// One agent's change: not ready and ready again, with a call waiting in each of 10,000 queues that he does not serve,
/// and for one who serves them all while nobody waits.
fn change(criterion: &mut Criterion<CpuTime>) {
    let queues: Vec<QueueKey> = (0..10_000).map(QueueKey).collect();
    let agent = |key, queues: &[QueueKey]| AgentConfig {
        queues: queues.to_vec(),
        ..AgentConfig::new(AgentKey(key), "agent")
    };
    let config = Config {
        queues: queues.iter().map(|&key| QueueConfig::new(key, "queue")).collect(),
        agents: vec![agent(0, &queues[..1]), agent(1, &queues), agent(2, &queues[1..])],
        tiers: Contract::hotline(),
        ..Config::default()
    };
    for (name, who, waiting) in [
        ("acd/change_of_an_agent_beside_10000_busy_queues", AgentKey(0), true),
        ("acd/change_of_an_agent_of_10000_idle_queues", AgentKey(1), false),
    ] {
        let mut house = House::new(config.clone(), Vec::new());
        for agent in [0, 1, 2].map(AgentKey) {
            house.input(Input::NotReady { agent, reason: 1 });
        }
        for &queue in queues[1..].iter().filter(|_| waiting) {
            let call = CallKey(house.next_call);
            house.next_call += 1;
            house.input(Input::Offer { call, caller: Caller::new(TierKey(3), queue) });
        }
        criterion.bench_function(name, |b| {
            b.iter(|| {
                house.input(Input::Ready { agent: who });
                house.input(Input::NotReady { agent: who, reason: 1 });
            });
        });
    }
}

fn engines(criterion: &mut Criterion<CpuTime>) {
    for policy in [PolicyKind::Strict, PolicyKind::Debt3] {
        let name = format!("acd/assign_1000_agents_10000_waiting_{}", policy.word());
        assign(criterion, &name, House::usual(policy), 1_000, 10_000);
    }
    let house = House::skilled(PolicyKind::Debt3);
    assign(criterion, "acd/assign_10000_agents_100000_waiting_64_skills_debt3", house, 9_900, 100_000);
    choose_agent(criterion, "acd/choose_among_1000_free_agents", House::usual(PolicyKind::Debt3));
    choose_agent(
        criterion,
        "acd/choose_among_10000_free_agents_64_skills",
        House::skilled(PolicyKind::Debt3),
    );
    change(criterion);
}

/// Single decisions by the wall clock, for the processor's takes as long to read as a decision: an agent becomes free, and the engine has said who rings.
fn tail(name: &str, mut house: House, agents: usize, waiting: usize) {
    let mut talks = house.fill(agents, waiting);
    let mut taken = Vec::with_capacity(1_000_000);
    for round in 0..1_000_000usize {
        let at = round % talks.len();
        house.now += Duration::from_millis(1);
        let (call, agent) = talks[at];
        let begin = std::time::Instant::now();
        house.engine.handle(house.now, Input::Ended { call, agent });
        taken.push(begin.elapsed());
        let mut next = None;
        while let Some(output) = house.engine.poll_output() {
            if let Output::Present { call, agent, .. } = output {
                next = next.or(Some((call, agent)));
            }
        }
        let (call, agent) = next.expect("somebody waits");
        house.input(Input::Answered { call, agent });
        talks[at] = (call, agent);
        house.offer();
    }
    taken.sort_unstable();
    println!("one decision, {name}, debt3, {} decisions:", taken.len());
    for per_mille in [500, 900, 990, 999] {
        println!(
            "  p{:<5} {:?}",
            f64::from(per_mille) / 10.0,
            taken[taken.len() * per_mille as usize / 1_000]
        );
    }
    println!("  max    {:?}", taken[taken.len() - 1]);
    // Without the thousandth that fell to whatever else the machine did.
    let usual = &taken[..taken.len() * 999 / 1_000];
    let total: Duration = usual.iter().sum();
    println!("  a second: {:.0} of the fastest 99.9 %", usual.len() as f64 / total.as_secs_f64());
}

criterion_group! { name = benches; config = config(); targets = engines }

fn main() {
    if std::env::args().any(|argument| argument == "tail") {
        tail("1,000 agents, 10,000 waiting", House::usual(PolicyKind::Debt3), 1_000, 10_000);
        let house = House::skilled(PolicyKind::Debt3);
        return tail("10,000 agents, 100,000 waiting, 64 skills", house, 9_900, 100_000);
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
