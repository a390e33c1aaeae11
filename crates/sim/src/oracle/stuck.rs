//! Nobody gets stuck: every state of a caller and of an agent has moved on by twice its deadline.

use std::collections::BTreeMap;

use acd::AgentState;
use base::{AgentKey, CallKey, Duration, Instant};
use call::settings::Limits;
use call::view::CallView;

use super::Finding;

/// Since when everybody is in the state he is in.
#[derive(Debug, Default)]
pub struct StuckOracle {
    callers: BTreeMap<CallKey, (&'static str, Option<String>, Instant)>,
    agents: BTreeMap<AgentKey, (AgentState, Instant)>,
}

impl StuckOracle {
    /// Looks at all callers and agents. `leapt` is how long the switch stood still in all.
    pub fn look(
        &mut self,
        now: Instant,
        leapt: Duration,
        limits: &Limits,
        calls: &[CallView],
        agents: impl Iterator<Item = (AgentKey, AgentState)>,
    ) -> Option<Finding> {
        self.callers.retain(|key, _| calls.iter().any(|call| call.key == *key));
        for call in calls {
            let seen = self.callers.entry(call.key).or_insert((call.phase, call.agent.clone(), now));
            if (seen.0, &seen.1) != (call.phase, &call.agent) {
                *seen = (call.phase, call.agent.clone(), now);
            }
            let limit = match call.phase {
                "queued" => limits.wait_max,
                "ringing" => Duration::from_secs(60),
                "talking" => limits.call_max,
                "outbound" => limits.ring_max,
                _ => limits.flow_max,
            };
            if now - seen.2 > limit * 2 + leapt {
                return Some(format!("call {} is {} since {}", call.key, call.phase, seen.2));
            }
        }
        for (agent, state) in agents {
            let seen = self.agents.entry(agent).or_insert((state, now));
            if seen.0 != state {
                *seen = (state, now);
            }
            let limit = match state {
                AgentState::Reserved { .. } | AgentState::WrapUp { .. } => Duration::from_secs(60),
                AgentState::Talking { .. } | AgentState::Engaged => limits.call_max,
                _ => continue,
            };
            if now - seen.1 > limit * 2 + leapt {
                return Some(format!("agent {agent:?} is {state:?} since {}", seen.1));
            }
        }
        None
    }
}
