//! Dialogues as readable scripts: what the caller does, what the switch is asked to do, and a clock.

#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use base::{Duration, Instant, Pii, Rng, Seed};
use ivr::{Caller, Flows, HookFailure, Input, Interpreter, LeftQueue, Output, Token, Vars};

pub struct Script {
    interpreter: Interpreter,
    now: Instant,
    seen: Vec<String>,
    /// Of the last thing asked for.
    play: Token,
    asked: Token,
}

pub fn caller(tier: &str, language: &str, senior: bool) -> Caller {
    Caller {
        tier: tier.into(),
        language: language.into(),
        senior,
        known: true,
        number: Pii::new("13800138000".into()),
        ..Caller::default()
    }
}

impl Script {
    pub fn start(flows: Flows, number: &str, tier: &str, language: &str) -> Script {
        let flow = flows.entry(number, tier).unwrap().clone();
        Script::at(&Arc::new(flows), &flow, &caller(tier, language, false))
    }

    pub fn start_senior(flows: Flows, number: &str, tier: &str, language: &str) -> Script {
        let flow = flows.entry(number, tier).unwrap().clone();
        Script::at(&Arc::new(flows), &flow, &caller(tier, language, true))
    }

    pub fn at(flows: &Arc<Flows>, flow: &str, caller: &Caller) -> Script {
        let mut script = Script {
            interpreter: Interpreter::new(flows.clone(), flow, caller),
            now: Instant::from_secs(1000),
            seen: Vec::new(),
            play: Token(0),
            asked: Token(0),
        };
        script.tell(Input::Started);
        script
    }

    pub fn tell(&mut self, input: Input) -> &mut Self {
        self.interpreter.handle(self.now, input);
        self.listen();
        self
    }

    fn listen(&mut self) {
        while let Some(output) = self.interpreter.poll_output() {
            assert!(
                !self.seen.iter().any(|line| line.starts_with("hangup")),
                "nothing follows a hangup: {output:?}"
            );
            let line = match output {
                Output::Play { token, language, items } => {
                    self.play = token;
                    assert!(!items.is_empty());
                    format!("play {} {}", language.word(), items.join(" "))
                }
                Output::StopPlay => "stop".into(),
                Output::Music { language, name } => format!("music {} {name}", language.word()),
                Output::Hook { token, url, params, timeout } => {
                    self.asked = token;
                    assert!(timeout <= Duration::from_secs(2));
                    let names: Vec<&str> = params.iter().map(|(name, _)| &**name).collect();
                    format!("hook {url} {}", names.join(" "))
                }
                Output::Enqueue(enqueue) => {
                    let managers = if enqueue.managers { " managers" } else { "" };
                    let skill = |(name, level): &(ivr::Name, u8)| format!(" {name}:{level}");
                    let skills: String = enqueue.skills.iter().map(skill).collect();
                    format!("enqueue {} {:?}{managers}{skills}", enqueue.queue, enqueue.class)
                }
                Output::AskWait => "ask wait".into(),
                Output::Dequeue { why } => format!("dequeue {why:?}"),
                Output::Join => "join".into(),
                Output::Callback { token, queue, .. } => {
                    self.asked = token;
                    format!("callback {queue}")
                }
                Output::Transfer { to } => format!("transfer {to:?}"),
                Output::Record { token, name, length_max } => {
                    self.asked = token;
                    format!("record {name} {} s", length_max.as_secs())
                }
                Output::StopRecord { .. } => "stop record".into(),
                Output::SurveyResult { question, score } => format!("score {question} {score}"),
                Output::Set { name, .. } => format!("set {name}"),
                Output::Step { .. } => continue,
                Output::Hangup { reason } => format!("hangup {}", reason.word()),
            };
            self.seen.push(line);
        }
    }

    /// What was asked for since the last look.
    #[track_caller]
    pub fn expect(&mut self, lines: &[&str]) -> &mut Self {
        assert_eq!(self.seen, lines);
        self.seen.clear();
        self
    }

    pub fn forget(&mut self) -> &mut Self {
        self.seen.clear();
        self
    }

    pub fn done(&mut self) -> &mut Self {
        let token = self.play;
        self.tell(Input::PlayDone { token })
    }

    pub fn key(&mut self, key: char) -> &mut Self {
        self.tell(Input::Digit(key as u8))
    }

    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.chars() {
            self.key(key);
        }
        self
    }

    pub fn wait_ms(&mut self, ms: u64) -> &mut Self {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.interpreter.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at;
            self.interpreter.handle_timeout(at);
            self.listen();
        }
        self.now = end;
        self
    }

    pub fn hook_ok(&mut self, values: &[(&str, &str)]) -> &mut Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), Pii::new((*value).to_owned())));
        let (token, result) = (self.asked, Ok(values.collect()));
        self.tell(Input::HookDone { token, result })
    }

    pub fn hook_fails(&mut self) -> &mut Self {
        let token = self.asked;
        self.tell(Input::HookDone { token, result: Err(HookFailure::Timeout) })
    }

    pub fn expected_s(&mut self, seconds: u64) -> &mut Self {
        self.tell(Input::Expected {
            wait: ivr::Wait::Within(Duration::from_secs(seconds)),
            position: Some(3),
        })
    }

    pub fn expected_unknown(&mut self) -> &mut Self {
        self.tell(Input::Expected { wait: ivr::Wait::Unknown, position: None })
    }

    /// At overload: he may have a callback, self-service, and hear the plain truth.
    pub fn way_out(&mut self, ways: &str) -> &mut Self {
        let has = |word| ways.contains(word);
        self.tell(Input::WayOut(ivr::WayOut {
            callback: has("callback"),
            self_service: has("self-service"),
            pressing: has("pressing"),
            plainly: has("plainly"),
        }))
    }

    /// There is nothing new to say of the wait.
    pub fn expected_untold(&mut self) -> &mut Self {
        self.tell(Input::Expected { wait: ivr::Wait::Untold, position: Some(3) })
    }

    pub fn agent(&mut self, number: &str) -> &mut Self {
        self.tell(Input::AgentAnswered { number: number.into() })
    }

    pub fn agent_hangs_up(&mut self) -> &mut Self {
        self.tell(Input::AgentHungUp)
    }

    pub fn requeued(&mut self) -> &mut Self {
        self.tell(Input::Requeued)
    }

    pub fn callback(&mut self, taken: bool) -> &mut Self {
        let token = self.asked;
        self.tell(Input::CallbackDone { token, taken })
    }

    pub fn recorded(&mut self, length_ms: Option<u32>) -> &mut Self {
        let token = self.asked;
        self.tell(Input::RecordDone { token, length_ms })
    }

    pub fn left(&mut self, why: &str, flow: Option<&str>) -> &mut Self {
        let why = match why {
            "time" => LeftQueue::Time,
            "length" => LeftQueue::Length,
            "no-agents" => LeftQueue::NoAgents,
            _ => LeftQueue::Closed,
        };
        self.tell(Input::QueueLeft { why, flow: flow.map(str::to_owned) })
    }

    pub fn vars(&self) -> &Vars {
        self.interpreter.vars()
    }

    pub fn queue(&self) -> Option<&str> {
        self.interpreter.queue().map(|queue| &**queue)
    }

    /// Unless people talk or the call is over, there is a deadline.
    pub fn is_not_stuck(&self, seed: u64) {
        let interpreter = &self.interpreter;
        let moves = interpreter.is_over() || interpreter.is_joined() || interpreter.poll_timeout().is_some();
        assert!(moves, "seed {seed}: {interpreter:?}");
    }

    #[track_caller]
    pub fn is_over(&mut self) {
        assert!(self.interpreter.is_over());
        self.tell(Input::AgentHungUp).key('1').done().wait_ms(1_000_000).expect(&[]);
    }
}

/// A caller who does anything at any moment, with a switch that answers anything. When both only do their duty again, the
/// call ends, waits in a queue, talks, or waits for a transfer.
pub fn wild(flows: &Arc<Flows>, seed: u64) {
    let mut rng = Rng::new(Seed([seed, 7]));
    let pick = |rng: &mut Rng, bound: u64| usize::try_from(rng.below(bound)).unwrap();
    let tier = ["diamond", "gold", "silver", "ordinary"][pick(&mut rng, 4)];
    let number = ["10000", "10001"][pick(&mut rng, 2)];
    let language = ["zh", "en", "fr"][pick(&mut rng, 3)];
    let flow = flows.entry(number, tier).unwrap().clone();
    let mut caller = caller(tier, language, rng.below(5) == 0);
    if rng.below(4) == 0 {
        caller.number = Pii::default();
    }
    let mut script = Script::at(flows, &flow, &caller);
    for _ in 0..rng.below(40) {
        match rng.below(14) {
            0..=4 => script.key(['0', '1', '2', '3', '4', '8', '9', '*', '#', 'A'][pick(&mut rng, 10)]),
            5..=6 => script.done(),
            7 => script.wait_ms(rng.below(40_000)),
            8 => script.hook_fails(),
            9 => script.hook_ok(&[
                ("balance", "5"),
                ("charges", "x"),
                ("order_status", "done"),
                ("order_date", "?"),
            ]),
            10 => script.agent("1"),
            11 => script.requeued(),
            12 => script.left(["time", "no-agents", "length"][pick(&mut rng, 3)], None),
            _ => script.agent_hangs_up(),
        };
        script.is_not_stuck(seed);
    }
    for _ in 0..100 {
        script.done().callback(true).recorded(Some(5000)).forget();
        script.wait_ms(60_000);
        if script.interpreter.is_over() {
            assert_eq!(script.queue(), None, "seed {seed}");
            return;
        }
    }
    let waits = script.queue().is_some() || script.interpreter.is_joined();
    assert!(waits, "seed {seed}: {:?}", script.interpreter);
}
