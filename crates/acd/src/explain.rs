//! How a decision is told to people and written for machines.

use core::fmt::{self, Display, Write};

use base::{AgentKey, CallKey, Duration, QueueKey, TierKey};

use crate::decision::{AgentSeen, Decision, HeadSeen, Outcome, Rank, Trigger, WhyNot};
use crate::io::WayOut;

/// Names for keys. Where there is none, the key is shown.
pub trait Names {
    /// Of an agent.
    fn agent(&self, _: AgentKey) -> Option<&str> {
        None
    }
    /// Of a queue.
    fn queue(&self, _: QueueKey) -> Option<&str> {
        None
    }
    /// Of a tier.
    fn tier(&self, _: TierKey) -> Option<&str> {
        None
    }
}

/// No names: keys are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nameless;

impl Names for Nameless {}

/// A decision as told to a person.
#[derive(Debug)]
pub struct Told<'a, N> {
    decision: &'a Decision,
    names: &'a N,
}

impl Decision {
    /// Whether the call was presented, kept waiting, offered something, or lost to another.
    pub fn concerns(&self, call: CallKey) -> bool {
        self.call == Some(call) || self.heads.iter().any(|head| head.call == call)
    }

    /// For a person: several lines, the first says what was decided, the others why.
    pub const fn told<'a, N: Names>(&'a self, names: &'a N) -> Told<'a, N> {
        Told { decision: self, names }
    }
}

impl Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told(&Nameless).fmt(f)
    }
}

/// A key by its name.
struct Named<'a, K>(Option<&'a str>, K);

impl<K: Display> Display for Named<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => f.write_str(name),
            None => self.1.fmt(f),
        }
    }
}

fn seconds(wait: Duration) -> String {
    let s = wait.as_secs_f64();
    if s < 60.0 { format!("{s:.1} s") } else { format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0) }
}

impl<N: Names> Told<'_, N> {
    fn agent(&self, key: AgentKey) -> impl Display {
        Named(self.names.agent(key), key)
    }

    fn tier(&self, key: TierKey) -> impl Display {
        Named(self.names.tier(key), key)
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = self.decision;
        let queue = Named(self.names.queue(decision.queue), decision.queue);
        let tier = decision.tier.map(|tier| self.tier(tier).to_string()).unwrap_or_default();
        let call = decision.call.map(|call| call.to_string()).unwrap_or_default();
        match decision.outcome {
            Outcome::Presented { agent } => {
                write!(f, "call {call} ({tier}, {queue}) rings at {}", self.agent(agent))?;
                write!(f, " after {}", seconds(decision.waited))
            }
            Outcome::KeptFree { agent } => {
                write!(f, "{} stays free; call {call} ({tier}, {queue}) waits on", self.agent(agent))?;
                write!(f, ", {} by now", seconds(decision.waited))
            }
            Outcome::WayOut(way) => {
                write!(f, "call {call} ({tier}, {queue}) may choose {}", ways(&way))?;
                match way.expected {
                    Some(wait) => write!(f, " instead of waiting about {}", seconds(wait)),
                    None => Ok(()),
                }
            }
            Outcome::Level { from, to, wait } => {
                let verb = if to > from { "climbs" } else { "descends" };
                write!(f, "{queue} {verb} from level {from} to level {to} of overload")?;
                match wait {
                    Some(wait) => write!(f, "; {tier} is about to wait {}", seconds(wait)),
                    None => Ok(()),
                }
            }
            Outcome::DialBack { callback, attempt, dialling, reserve } => {
                write!(f, "callback {callback} ({tier}, {queue}) is dialled, attempt {attempt}: ")?;
                write!(f, "{} free, {reserve} kept for live callers, {dialling} being dialled", decision.idle)
            }
        }
    }

    fn why(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = self.decision;
        let trigger = match decision.trigger {
            Trigger::AgentFree => "the agent became free",
            Trigger::CallWaits => "a call came, came back or may be taken by more agents",
            Trigger::Reserve => "calls held back were looked at again",
            Trigger::Overload => "the queue's overload was looked at",
            Trigger::Callback => "agents are free for a promise",
        };
        let (policy, choice) = (decision.policy.word(), decision.choice.word());
        let rules = match decision.outcome {
            Outcome::Presented { .. } | Outcome::KeptFree { .. } => {
                format!("; calls by {policy}, agents by {choice}, {} free", decision.idle)
            }
            Outcome::WayOut(_) | Outcome::Level { .. } | Outcome::DialBack { .. } => String::new(),
        };
        write!(f, "\n    because {trigger}{rules}")
    }

    fn head(&self, f: &mut fmt::Formatter<'_>, head: &HeadSeen) -> fmt::Result {
        let mark = if head.chosen { "->" } else { "  " };
        write!(f, "\n    {mark} {} {}, waited {}: ", self.tier(head.tier), head.call, seconds(head.waited))?;
        match head.rank {
            Rank::Plain if head.chosen => f.write_str("first by order"),
            Rank::Plain => f.write_str("later by order"),
            Rank::Band { band, floor_debt, target_debt } => {
                write!(
                    f,
                    "band {}, owed {floor_debt:+.2} of the floor, {target_debt:+.2} of the target",
                    band.word()
                )
            }
            Rank::Score { score } => write!(f, "score {score:.3}"),
            Rank::Reserve { need, idle } => {
                write!(f, "held back: {idle} free, {need} kept for a higher tier")
            }
            Rank::NotYet { score } => write!(f, "held back: index {score:.3} is below zero"),
        }
    }

    fn other(&self, f: &mut fmt::Formatter<'_>, seen: &AgentSeen) -> fmt::Result {
        let why = match seen.why {
            WhyNot::OtherPreferred => format!("free, not chosen by {}", self.decision.choice.word()),
            WhyNot::FailedBefore => "free, but the call failed there".to_owned(),
            WhyNot::RungToo => "is rung, too".to_owned(),
        };
        write!(f, "\n       {}: {why}", self.agent(seen.agent))
    }
}

impl<N: Names> Display for Told<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} at {}: ", self.decision.number, self.decision.at)?;
        self.what(f)?;
        self.why(f)?;
        for head in &self.decision.heads {
            self.head(f, head)?;
        }
        for seen in &self.decision.others {
            self.other(f, seen)?;
        }
        Ok(())
    }
}

fn ways(way: &WayOut) -> String {
    let words = [
        (way.callback, "a callback"),
        (way.self_service, "self-service"),
        (way.pressing, "at once, the line is full"),
        (way.plainly, "told plainly that people are short"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|&(is, _)| is).map(|(_, word)| word).collect();
    words.join(", ")
}

/// A decision as a JSON object. Its members are stable: new ones may be added, none changes its meaning. Keys are
/// written as everywhere (`"c1f"`), times in seconds.
impl Decision {
    /// The JSON object, on one line.
    pub fn to_json(&self) -> String {
        let mut json = Object::new();
        json.number("number", self.number as f64);
        json.number("at_s", self.at.as_nanos() as f64 / 1e9);
        if let Some(call) = self.call {
            json.text("call", call);
        }
        if let Some(tier) = self.tier {
            json.text("tier", tier);
        }
        json.text("queue", self.queue);
        json.number("waited_s", self.waited.as_secs_f64());
        outcome(&mut json, &self.outcome);
        json.text("trigger", trigger_word(self.trigger));
        json.text("policy", self.policy.word());
        json.text("choice", self.choice.word());
        json.number("idle", f64::from(self.idle));
        json.list("heads", self.heads.iter().map(head_json));
        json.list("others", self.others.iter().map(other_json));
        json.end()
    }
}

const fn trigger_word(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::AgentFree => "agent-free",
        Trigger::CallWaits => "call-waits",
        Trigger::Reserve => "reserve",
        Trigger::Overload => "overload",
        Trigger::Callback => "callback",
    }
}

fn outcome(json: &mut Object, outcome: &Outcome) {
    match *outcome {
        Outcome::Presented { agent } => {
            json.text("outcome", "presented");
            json.text("agent", agent);
        }
        Outcome::KeptFree { agent } => {
            json.text("outcome", "kept-free");
            json.text("agent", agent);
        }
        Outcome::WayOut(way) => {
            json.text("outcome", "way-out");
            for (name, is) in [
                ("callback", way.callback),
                ("self_service", way.self_service),
                ("pressing", way.pressing),
                ("plainly", way.plainly),
            ] {
                json.flag(name, is);
            }
            if let Some(expected) = way.expected {
                json.number("expected_s", expected.as_secs_f64());
            }
        }
        Outcome::Level { from, to, wait } => {
            json.text("outcome", "level");
            json.number("from", f64::from(from));
            json.number("to", f64::from(to));
            if let Some(wait) = wait {
                json.number("wait_s", wait.as_secs_f64());
            }
        }
        Outcome::DialBack { callback, attempt, dialling, reserve } => {
            json.text("outcome", "dial-back");
            json.text("callback", callback);
            json.number("attempt", f64::from(attempt));
            json.number("dialling", f64::from(dialling));
            json.number("reserve", f64::from(reserve));
        }
    }
}

fn head_json(head: &HeadSeen) -> String {
    let mut json = Object::new();
    json.text("call", head.call);
    json.text("tier", head.tier);
    json.number("waited_s", head.waited.as_secs_f64());
    json.flag("chosen", head.chosen);
    match head.rank {
        Rank::Plain => json.text("rank", "plain"),
        Rank::Band { band, floor_debt, target_debt } => {
            json.text("rank", "band");
            json.text("band", band.word());
            json.number("floor_debt", floor_debt);
            json.number("target_debt", target_debt);
        }
        Rank::Score { score } => {
            json.text("rank", "score");
            json.number("score", score);
        }
        Rank::Reserve { need, idle } => {
            json.text("rank", "reserve");
            json.number("need", f64::from(need));
            json.number("idle", f64::from(idle));
        }
        Rank::NotYet { score } => {
            json.text("rank", "not-yet");
            json.number("score", score);
        }
    }
    json.end()
}

fn other_json(seen: &AgentSeen) -> String {
    let mut json = Object::new();
    json.text("agent", seen.agent);
    json.text(
        "why",
        match seen.why {
            WhyNot::OtherPreferred => "other-preferred",
            WhyNot::FailedBefore => "failed-before",
            WhyNot::RungToo => "rung-too",
        },
    );
    json.end()
}

/// A JSON object being written. All texts here are words and keys of our own: nothing needs escaping.
struct Object(String);

impl Object {
    fn new() -> Object {
        Object("{".to_owned())
    }

    fn member(&mut self, name: &str, value: impl Display) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a String does not fail.
        let _ = write!(self.0, "\"{name}\":{value}");
    }

    fn text(&mut self, name: &str, value: impl Display) {
        self.member(name, format_args!("\"{value}\""));
    }

    fn number(&mut self, name: &str, value: f64) {
        if value.is_finite() {
            self.member(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.member(name, value);
    }

    fn list(&mut self, name: &str, values: impl Iterator<Item = String>) {
        let values: Vec<String> = values.collect();
        self.member(name, format_args!("[{}]", values.join(",")));
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
