//! Why a call went to whom it went, in words: the distributor's decision with names in the place of keys, as it is
//! kept with the call's record and told to people.

use core::fmt::Write;

use base::{AgentKey, CallKey, Duration, Instant};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// One decision about a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Counts up over the process's decisions.
    pub number: u64,
    /// Milliseconds since the call's INVITE.
    pub at_ms: u64,
    /// What was decided, for example `presented to 1007`.
    pub outcome: String,
    /// Queue.
    pub queue: String,
    /// How long the call had waited.
    pub waited_ms: u64,
    /// What made the distributor decide.
    pub trigger: String,
    /// By which rule a call was chosen.
    pub policy: String,
    /// By which rule an agent was chosen.
    pub choice: String,
    /// The first eligible call of each tier, and what became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Head>,
    /// Free agents who could have taken the call.
    #[serde(default)]
    pub free: u32,
    /// The best of them besides the winner, and why not they.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Other>,
}

/// The first call in line of a tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Its key.
    pub call: String,
    /// Its tier.
    pub tier: String,
    /// How long it had waited.
    pub waited_ms: u64,
    /// What the policy made of it, in words.
    pub rank: String,
    /// Whether it won.
    #[serde(default, skip_serializing_if = "is_false")]
    pub chosen: bool,
}

/// A free agent who did not get the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// Number.
    pub agent: String,
    /// Why not.
    pub why: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Explained {
    /// A decision about the call that came at `came`.
    pub(crate) fn new(settings: &Settings, decision: &acd::Decision, came: Instant) -> Self {
        let number =
            |agent: AgentKey| settings.agent(agent).map(|agent| agent.number.clone()).unwrap_or_default();
        let head = |head: &acd::HeadSeen| Head {
            call: head.call.to_string(),
            tier: settings.tier_name(head.tier).to_owned(),
            waited_ms: millis(head.waited),
            rank: head.rank.to_string(),
            chosen: head.chosen,
        };
        let other =
            |seen: &acd::AgentSeen| Other { agent: number(seen.agent), why: seen.why.because().to_owned() };
        Explained {
            number: decision.number,
            at_ms: millis(decision.at.since(came)),
            outcome: decision.outcome.told(number),
            queue: settings.queue(decision.queue).map(|queue| queue.name.clone()).unwrap_or_default(),
            waited_ms: millis(decision.waited),
            trigger: decision.trigger.because().to_owned(),
            policy: decision.policy.word().to_owned(),
            choice: decision.choice.word().to_owned(),
            heads: decision.heads.iter().map(head).collect(),
            free: decision.idle,
            others: decision.others.iter().map(other).collect(),
        }
    }

    /// The decision as told to a person; `call` is the one it is told about.
    pub fn tell(&self, call: CallKey) -> String {
        let call = call.to_string();
        let mut out = String::new();
        let at = seconds(self.at_ms);
        let _ = writeln!(out, "{at:>10}  {}", self.outcome);
        let own = self.heads.iter().find(|head| head.call == call);
        if own.is_some_and(|head| !head.chosen) {
            let _ = writeln!(out, "            (another call went first)");
        }
        let _ = writeln!(
            out,
            "            because {}; queue {}, after {} in line; policy {}, agents by {}",
            self.trigger,
            self.queue,
            seconds(self.waited_ms),
            self.policy,
            self.choice
        );
        for head in &self.heads {
            let mark = if head.chosen { '>' } else { ' ' };
            let whose = if head.call == call { "this call" } else { head.call.as_str() };
            let waited = seconds(head.waited_ms);
            let _ =
                writeln!(out, "          {mark} {:<10} {waited:>9}  {:<44} {whose}", head.tier, head.rank);
        }
        if self.free > 0 {
            let others: Vec<String> =
                self.others.iter().map(|o| format!("{} ({})", o.agent, o.why)).collect();
            let others =
                if others.is_empty() { String::new() } else { format!("; not {}", others.join(", ")) };
            let _ = writeln!(out, "            {} free who could take it{others}", self.free);
        }
        out
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}s", ms / 1000, ms % 1000)
}
