//! Choice of agents `ring-all`: a call rings at several free agents, and who becomes free meanwhile joins in.

use base::Instant;

use super::Engine;
use crate::choice::AgentChoice;
use crate::config::RING_TOGETHER_MAX;
use crate::decision::Trigger;
use crate::tables::{Agent, AgentIx, CallIx, LineIx, Turn};

/// Ringing calls that an agent who becomes free looks at.
const LOOKS: usize = 64;

impl Engine {
    /// Rings further free agents for a call that one is rung for, but none of a reserve.
    pub(super) fn ring_others(&mut self, now: Instant, ix: CallIx, trigger: Trigger) {
        if self.config.agent_choice != AgentChoice::RingAll {
            return;
        }
        let Some(line) = self.line_ringing(ix) else { return };
        while self.has_room_to_ring(ix) {
            let Some(call) = self.calls.get(ix.at()) else { return };
            let Some(other) = self.best_of_pool(now, call, line) else { return };
            if self.is_kept_from(other, ix) {
                return;
            }
            self.ring_too(now, ix, other, trigger);
        }
    }

    /// An agent became free and no call waits for him: he joins in where a call is ringing already.
    pub(super) fn join_ringing(&mut self, now: Instant, agent: AgentIx) {
        if self.config.agent_choice != AgentChoice::RingAll {
            return;
        }
        let calls: Vec<CallIx> = self.ringing.iter().take(LOOKS).map(|(_, place)| place.call()).collect();
        for ix in calls {
            let Some(line) = self.line_ringing(ix).filter(|_| self.has_room_to_ring(ix)) else { continue };
            let (Some(row), Some(call)) = (self.agents.get(agent.at()), self.calls.get(ix.at())) else {
                return;
            };
            let fits = self.index.line_at(line).is_some_and(|line| line.fit.has(row.profile));
            if fits && row.is_free() && !self.avoids(now, call, agent) && !self.is_kept_from(agent, ix) {
                return self.ring_too(now, ix, agent, Trigger::AgentFree);
            }
        }
    }

    /// The line of a call that rings at the pool.
    fn line_ringing(&mut self, ix: CallIx) -> Option<LineIx> {
        let call = self.calls.get(ix.at()).filter(|call| call.turn() == Turn::Pool)?;
        self.line(call.account, usize::from(call.relaxed))
    }

    fn has_room_to_ring(&self, ix: CallIx) -> bool {
        let most = self.config.ring_together.clamp(1, RING_TOGETHER_MAX);
        self.calls.get(ix.at()).is_some_and(|call| call.rung_too().len() + 1 < most)
    }

    /// Whether the agent is kept free for a tier above the call's.
    fn is_kept_from(&self, agent: AgentIx, ix: CallIx) -> bool {
        let kept = self.agents.get(agent.at()).and_then(|agent| self.kept(agent.profile));
        self.calls.get(ix.at()).is_some_and(|call| kept.is_some_and(|kept| kept.tier < call.tier()))
    }

    fn ring_too(&mut self, now: Instant, ix: CallIx, agent: AgentIx, trigger: Trigger) {
        self.record_presented(now, ix, agent, trigger);
        if let Some(call) = self.calls.get_mut(ix.at()) {
            call.rare().rung.push(agent);
        }
        self.ring(now, ix, agent);
    }

    /// The call rings no more, or somebody has picked up: nobody joins in.
    pub(super) fn rings_at_nobody_else(&mut self, ix: CallIx) {
        if let Some(call) = self.calls.get(ix.at()) {
            self.ringing.remove(&(call.tier, call.place));
        }
    }

    /// Gives an agent who has become free a call, or lets him join in.
    pub(super) fn serve_or_join(&mut self, now: Instant, ix: AgentIx) {
        self.serve(now, ix);
        if self.agents.get(ix.at()).is_some_and(Agent::is_free) {
            self.join_ringing(now, ix);
        }
    }
}
