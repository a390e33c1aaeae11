//! The words in which a decision is told to people. The engine knows only keys: who tells the decision (the call's
//! record, see `call::explain`) puts the names in their place.

use core::fmt::{self, Display};

use base::{AgentKey, CallKey};

use crate::decision::{Decision, Outcome, Rank, Trigger, WhyNot};
use crate::io::WayOut;

impl Decision {
    /// Whether the call was presented, kept waiting, offered something, or lost to another.
    pub fn concerns(&self, call: CallKey) -> bool {
        self.call == Some(call) || self.heads.iter().any(|head| head.call == call)
    }
}

impl Outcome {
    /// What was decided, in half a sentence whose subject is the call; `name` is what people call an agent.
    pub fn told(&self, name: impl FnOnce(AgentKey) -> String) -> String {
        match *self {
            Outcome::Presented { agent } => format!("presented to {}", name(agent)),
            Outcome::KeptFree { agent } => format!("kept waiting: {} stays free", name(agent)),
            Outcome::WayOut(way) => way.told(),
            Outcome::Level { from, to, wait } => {
                let verb = if to > from { "climbs" } else { "descends" };
                let why = wait.map(|wait| format!(", about to wait {} s", wait.as_secs()));
                format!("overload of the queue {verb} from level {from} to {to}{}", why.unwrap_or_default())
            }
            Outcome::DialBack { attempt, dialling, reserve, .. } => {
                format!(
                    "called back, attempt {attempt}: {dialling} others being called, {reserve} agents left to live callers"
                )
            }
        }
    }
}

impl WayOut {
    fn told(&self) -> String {
        let words = [(self.callback, "a callback"), (self.self_service, "self-service")];
        let ways: Vec<&str> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
        let mut told = format!("offered {}", ways.join(" or "));
        for (is, word) in [
            (self.pressing, ", pressingly: the line is full"),
            (self.plainly, ", told plainly that people are short"),
        ] {
            told.push_str(if is { word } else { "" });
        }
        if let Some(wait) = self.expected {
            told.push_str(&format!(", expected wait {} s", wait.as_secs()));
        }
        told
    }
}

impl Trigger {
    /// The cause, to stand after "because".
    pub const fn because(self) -> &'static str {
        match self {
            Trigger::AgentFree => "an agent became free",
            Trigger::CallWaits => "the call came, came back, or may be taken by more agents",
            Trigger::Reserve => "agents kept free were looked at again",
            Trigger::Overload => "the queue's overload was looked at",
            Trigger::Callback => "a promise may be kept",
        }
    }
}

impl WhyNot {
    /// The cause, in a few words.
    pub const fn because(self) -> &'static str {
        match self {
            WhyNot::OtherPreferred => "the other was preferred",
            WhyNot::FailedBefore => "it had failed at him",
            WhyNot::RungToo => "rung, too",
        }
    }
}

impl Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rank::Plain => f.write_str("by order"),
            Rank::Band { band, floor_debt, target_debt } => {
                write!(f, "band {}, owed {floor_debt:+.1} to floor, {target_debt:+.1} to target", band.word())
            }
            Rank::Score { score } => write!(f, "score {score:.2}"),
            Rank::Reserve { need, idle } => {
                write!(f, "held back: {idle} free, {need} kept for a higher tier")
            }
            Rank::NotYet { score } => write!(f, "held back: index {score:.2} is below zero"),
        }
    }
}
