//! A call centre on paper: scripts that a manager can read, run against the engine.
//!
//! `0 call 7 gold` — at second 0 call 7 of the gold tier comes. `-> present 7 to 1` — that made the engine ring
//! agent 1 for it. `15 -> withdraw 7 from 1 no-answer` — by itself, at second 15. `state 1 talking` — so agent 1 is
//! shown. Every output must be foretold, and the engine's tables are audited after every step.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;

use acd::{
    AgentConfig, AgentState, CallbackKind, CallbackState, Caller, Class, Config, Contract, Decline,
    Deflection, Engine, Input, Output, OverflowTarget, OverflowWhy, Promise, QueueConfig, Requirement,
    Withdrawal,
};
use base::{
    AgentKey, CallKey, CallbackKey, CustomerKey, Duration, Instant, QueueKey, Seed, SkillKey, TierKey,
};

pub(crate) const TIERS: [&str; 4] = ["diamond", "gold", "silver", "ordinary"];

/// Seconds.
pub(crate) fn s(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Agents 1..=n, each serving queues 0 and 1, tiers of a hotline, no wrap-up.
pub(crate) fn house(agents: u32) -> Config {
    Config {
        queues: vec![
            QueueConfig::new(QueueKey(0), "service"),
            QueueConfig::new(QueueKey(1), "faults"),
            QueueConfig::new(QueueKey(2), "nobody's"),
        ],
        agents: (1..=agents).map(|n| agent(n, &[0, 1], &[])).collect(),
        tiers: Contract::hotline(),
        policy: acd::PolicyKind::Strict,
        ..Config::default()
    }
}

pub(crate) fn agent(key: u32, queues: &[u16], skills: &[(u16, u8)]) -> AgentConfig {
    AgentConfig {
        skills: skills.iter().map(|&(skill, level)| (SkillKey(skill), level)).collect(),
        queues: queues.iter().map(|&queue| QueueKey(queue)).collect(),
        ..AgentConfig::new(AgentKey(key), format!("Agent {key}"))
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    /// What came out and was not foretold yet.
    heard: VecDeque<(Instant, String)>,
}

impl World {
    /// Everybody's phone is registered; everybody is logged out.
    pub(crate) fn new(config: Config) -> World {
        let agents: Vec<AgentKey> = config.agents.iter().map(|agent| agent.key).collect();
        let engine = Engine::new(config, Seed([1, 2]));
        let mut world = World { engine, now: Instant::ZERO, heard: VecDeque::new() };
        for agent in agents {
            world.input(Input::Reachable { agent, reachable: true });
        }
        world
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            if let Some(words) = words(&output) {
                self.heard.push_back((self.now, words));
            }
        }
        if let Err(violation) = self.engine.check_invariants() {
            panic!("at {}: {violation:?}", self.now);
        }
    }

    pub(crate) fn run_until(&mut self, until: Instant) {
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = at.max(self.now);
            self.engine.handle_timeout(self.now);
            self.listen();
        }
        self.now = until;
    }

    /// Runs a script.
    #[track_caller]
    pub(crate) fn script(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (at, rest) = match line.split_once(' ') {
                Some((at, rest)) if at.parse::<f64>().is_ok() => (at.parse::<f64>().ok(), rest),
                _ => (None, line),
            };
            let at = at.map(|at| Instant::ZERO + Duration::from_secs_f64(at));
            if let Some(at) = at {
                self.run_until(at);
            }
            if let Some(expected) = rest.strip_prefix("-> ") {
                let Some((when, heard)) = self.heard.pop_front() else { panic!("`{line}`: nothing came") };
                assert_eq!(heard, expected, "`{line}` (it came at {when})");
                assert!(at.is_none_or(|at| at == when), "`{line}`: it came at {when}");
            } else {
                assert!(self.heard.is_empty(), "before `{line}` there came {:?}", self.heard);
                self.act(rest);
            }
        }
        assert!(self.heard.is_empty(), "at the end there came {:?}", self.heard);
    }

    /// What came and was not foretold, for tests that look for themselves.
    pub(crate) fn take_heard(&mut self) -> Vec<String> {
        self.heard.drain(..).map(|(_, words)| words).collect()
    }

    /// What came is foretold one by one: others may follow.
    #[track_caller]
    pub(crate) fn script_after(&mut self, expected: &str) {
        let heard = self.heard.pop_front().map(|(_, heard)| format!("-> {heard}"));
        assert_eq!(heard.as_deref(), Some(expected));
    }

    #[track_caller]
    fn act(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        let agent = |at: usize| AgentKey(u32::try_from(number(at)).expect("an agent"));
        let call = |at: usize| CallKey(number(at));
        let input = match words[0] {
            "login" => Input::Login { agent: agent(1) },
            "logout" => Input::Logout { agent: agent(1) },
            "ready" => Input::Ready { agent: agent(1) },
            "not-ready" => Input::NotReady { agent: agent(1), reason: number(2) as u8 },
            "end-wrap-up" => Input::EndWrapUp { agent: agent(1) },
            "registers" => Input::Reachable { agent: agent(1), reachable: true },
            "vanishes" => Input::Reachable { agent: agent(1), reachable: false },
            "dials" => Input::Engaged { agent: agent(1), engaged: true },
            "hangs-up" => Input::Engaged { agent: agent(1), engaged: false },
            "call" => Input::Offer { call: call(1), caller: caller(&words[2..]) },
            "promote" => Input::Promote { call: call(1), tier: tier(words[2]), class: Class::Normal },
            "abandon" => Input::Abandon { call: call(1) },
            "deflect" => Input::Deflect { call: call(1), how: Deflection::Callback },
            "picks-up" => Input::PickedUp { agent: agent(1), call: call(2) },
            "answers" => Input::Answered { agent: agent(1), call: call(2) },
            "declines" => Input::Declined { agent: agent(1), call: call(2), why: decline(words[3]) },
            "ends" => Input::Ended { agent: agent(1), call: call(2) },
            "ask" => Input::AskWait { call: call(1) },
            "promise" => promise(&words, self.now),
            "customer-answers" => Input::DialAnswered { callback: CallbackKey(number(1)), call: call(2) },
            "customer-fails" => Input::DialFailed { callback: CallbackKey(number(1)) },
            "cancel" => Input::CancelCallback { callback: CallbackKey(number(1)) },
            "level" => {
                let queue = QueueKey(u16::try_from(number(1)).expect("a queue"));
                assert_eq!(self.engine.overload(queue).map(u64::from), Some(number(2)), "{line}");
                return;
            }
            "state" => {
                let view = self.engine.agent(agent(1)).expect("a known agent");
                assert_eq!(state_word(view.state), words[2], "{line}");
                return;
            }
            other => panic!("no such verb: {other}"),
        };
        self.input(input);
    }
}

/// `promise 1 to 500 ordinary since=3 not-before=100 due=200 kind=visit attempts=1 skill=1:5`
fn promise(words: &[&str], now: Instant) -> Input {
    let number = |word: &str| word.parse::<u64>().expect("a number");
    let at = |word: &str| Instant::from_secs(number(word));
    let mut promise = Promise::new(CustomerKey(number(words[3])), tier(words[4]), QueueKey(0), now);
    for word in &words[5..] {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "since" => promise.since = at(value),
            "not-before" => promise.not_before = Some(at(value)),
            "due" => promise.due = Some(at(value)),
            "kind" => promise.kind = CallbackKind::from_word(value).expect("a kind"),
            "attempts" => promise.attempts = number(value) as u8,
            "queue" => promise.queue = QueueKey(number(value) as u16),
            "skill" => promise.skills = skill(value),
            other => panic!("no such word: {other}"),
        }
    }
    Input::Promise { callback: CallbackKey(number(words[1])), promise: Box::new(promise) }
}

fn skill(value: &str) -> Requirement {
    let (skill, level) = value.split_once(':').expect("skill=S:L");
    let (skill, level) = (skill.parse().expect("a skill"), level.parse().expect("a level"));
    Requirement::skill(SkillKey(skill), level)
}

fn tier(word: &str) -> TierKey {
    TierKey(TIERS.iter().position(|tier| *tier == word).expect("a tier") as u8)
}

fn decline(word: &str) -> Decline {
    match word {
        "no-answer" => Decline::NoAnswer,
        "busy" => Decline::Busy,
        "rejected" => Decline::Rejected,
        "unreachable" => Decline::Unreachable,
        "shortage" => Decline::Shortage,
        other => panic!("no such reason: {other}"),
    }
}

fn caller(words: &[&str]) -> Caller {
    let mut caller = Caller::new(tier(words[0]), QueueKey(0));
    for word in &words[1..] {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<u32>().expect("a number");
        match name {
            "queue" => caller.queue = QueueKey(number() as u16),
            "senior" => caller.senior = true,
            "emergency" => caller.class = Class::Emergency,
            "complaint" => caller.class = Class::Complaint,
            "A" => caller.managers[0] = Some(AgentKey(number())),
            "B" => caller.managers[1] = Some(AgentKey(number())),
            "last" => caller.last_agent = Some(AgentKey(number())),
            "customer" => caller.customer = Some(CustomerKey(number().into())),
            "since" => caller.since = Some(Instant::from_secs(number().into())),
            "skill" => {
                caller.skills = caller.skills.and(&skill(value)).expect("a few skills");
            }
            other => panic!("no such word: {other}"),
        }
    }
    caller
}

pub(crate) fn state_word(state: AgentState) -> String {
    match state {
        AgentState::LoggedOut => "logged-out".to_owned(),
        AgentState::NotReady { reason, until: None } => format!("not-ready:{reason}"),
        AgentState::NotReady { .. } => "rests".to_owned(),
        AgentState::Ready => "ready".to_owned(),
        AgentState::Unreachable => "unreachable".to_owned(),
        AgentState::Engaged => "engaged".to_owned(),
        AgentState::Reserved { .. } => "reserved".to_owned(),
        AgentState::Talking { .. } => "talking".to_owned(),
        AgentState::WrapUp { .. } => "wrap-up".to_owned(),
    }
}

/// What a driver must act on, in words; states and decisions are asked for elsewhere.
pub(crate) fn words(output: &Output) -> Option<String> {
    Some(match output {
        Output::Present { call, agent, .. } => format!("present {} to {}", call.0, agent.0),
        Output::Withdraw { call, agent, why } => {
            let why = match why {
                Withdrawal::NoAnswer => "no-answer",
                Withdrawal::CallerGone => "caller-gone",
                Withdrawal::AnsweredElsewhere => "answered-elsewhere",
                Withdrawal::AgentLeft => "agent-left",
                Withdrawal::TooLate => "too-late",
            };
            format!("withdraw {} from {} {why}", call.0, agent.0)
        }
        Output::Overflow { call, to, why } => {
            let to = match to {
                OverflowTarget::Queue(queue) => format!("queue {}", queue.0),
                OverflowTarget::Flow(flow) => format!("flow {flow}"),
                OverflowTarget::Hangup => "goodbye".to_owned(),
            };
            let why = match why {
                OverflowWhy::Time => "time",
                OverflowWhy::Length => "length",
                OverflowWhy::NoAgents => "no-agents",
                OverflowWhy::Limit => "limit",
                OverflowWhy::Overload => "overload",
            };
            format!("overflow {} to {to} {why}", call.0)
        }
        Output::WayOut { call, way } => {
            let words = [
                (way.callback, "callback"),
                (way.self_service, "self-service"),
                (way.pressing, "pressing"),
                (way.plainly, "plainly"),
            ];
            let words: Vec<_> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
            format!("way-out {} {}", call.0, words.join(" "))
        }
        Output::Overload { queue, level } => format!("overload {} level {level}", queue.0),
        Output::DialBack { callback, attempt, .. } => format!("dial {} attempt {attempt}", callback.0),
        Output::StopDial { callback } => format!("stop-dial {}", callback.0),
        Output::CallbackChanged { callback, state } => {
            let state = match state {
                CallbackState::Scheduled { at, .. } => format!("scheduled {}", at.as_millis() / 1_000),
                CallbackState::Waiting { .. } => "waiting".to_owned(),
                CallbackState::Dialling { .. } => return None,
                CallbackState::Reached { .. } => "reached".to_owned(),
                CallbackState::Ended(end) => end.word().to_owned(),
            };
            format!("callback {} {state}", callback.0)
        }
        Output::Wait { call, announcement } => {
            let within =
                announcement.within.map_or("nothing".to_owned(), |within| within.as_secs().to_string());
            format!("tell {} {within}", call.0)
        }
        Output::CallbackOverdue { callback } => format!("overdue {}", callback.0),
        Output::AskTruth => "ask-truth".to_owned(),
        Output::Repaired(repair) => format!("repaired {repair:?}"),
        Output::AgentChanged { .. } | Output::Decided(_) => return None,
    })
}

/// Runs a script in a house.
#[track_caller]
pub(crate) fn play(config: Config, script: &str) -> World {
    let mut world = World::new(config);
    world.script(script);
    world
}
