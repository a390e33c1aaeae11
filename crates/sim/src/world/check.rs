//! What must hold: at every step, and when all is over.

use std::collections::BTreeSet;

use base::Duration;

use super::World;
use crate::oracle;
use crate::text::parameter;

/// How often the oracles look that look at everything.
const SWEEP: Duration = Duration::from_secs(1);

impl World {
    /// Checks what must hold at every instant.
    ///
    /// # Panics
    /// When it does not: the run is worthless from here on.
    pub fn check(&mut self) {
        if self.standstill.until.is_some() {
            return;
        }
        if let Err(violation) = self.local.switch().check_invariants() {
            self.fail(&format!("the switch: {violation:?}"));
        }
        if let Err(violation) = self.local.engine().check_invariants() {
            self.fail(&format!("the engine: {violation:?}"));
        }
        if let Some(nonsense) = self.voices.nonsense.first() {
            self.fail(nonsense);
        }
        self.listen();
        let voices = &self.voices;
        self.oracles.wire.after_step(self.now, |port| voices.legs.values().any(|voice| voice.port == port));
        if self.now - self.oracles.swept >= SWEEP {
            self.oracles.swept = self.now;
            self.sweep();
        }
        if let Some(wrong) = self.oracles.wire.take().first() {
            self.fail(wrong);
        }
    }

    /// Whom the media workers hear: a host that is there and reached, with a call that goes to the port.
    fn listen(&mut self) {
        let (phones, cut) = (&self.phones, &self.net.cut);
        self.voices.listen(self.now, |host, port| {
            let speaks = |line: &crate::phone::Line| !line.is_over() && line.peer_port() == Some(port);
            let at_host = phones.values().filter(|phone| phone.address.ip() == host && !phone.away);
            !cut.contains(&host) && at_host.flat_map(|phone| &phone.lines).any(speaks)
        });
    }

    #[expect(clippy::panic, reason = "an oracle's only way to speak")]
    fn fail(&self, what: &str) -> ! {
        panic!("{} after {} steps: {what}", self.now, self.steps);
    }

    fn sweep(&mut self) {
        let leapt = self.standstill.total;
        self.oracles.wire.sweep(self.now, leapt);
        let engine = self.local.engine();
        let tiers = (0..=u8::MAX).map(base::TierKey).map_while(|tier| engine.tier_stats(tier));
        let counts: Vec<_> = tiers.map(|stats| stats.counts).collect();
        if let Some(wrong) = self.oracles.queue.compare(&counts) {
            self.fail(&wrong);
        }
        let agents: Vec<_> = engine.agents().map(|seen| (seen.agent, seen.state)).collect();
        let together = engine.config().agent_choice == acd::AgentChoice::RingAll;
        if let Some(wrong) = one_call_each(&agents, together) {
            self.fail(&wrong);
        }
        let calls = self.local.snapshot(self.now).calls;
        let stuck = self.oracles.stuck.look(self.now, leapt, &self.limits, &calls, agents.into_iter());
        if let Some(wrong) = stuck {
            self.fail(&wrong);
        }
    }

    /// After the last call: waits until nothing more can be on its way, then looks for anything left.
    ///
    /// # Panics
    /// When something is left: a call, a leg, a port, an agent who is reserved, a line that is up.
    pub fn rest(&mut self) {
        self.run(Duration::from_secs(120));
        self.check();
        self.sweep();
        self.oracles.wire.finish(self.now);
        if let Some(wrong) = self.oracles.wire.take().first() {
            self.fail(wrong);
        }
        let left = self.local.switch().remains();
        if left != call::Remains::default() {
            self.fail(&format!("left over: {left:?}"));
        }
        if !self.voices.legs.is_empty() {
            self.fail(&format!("media legs left: {:?}", self.voices.legs));
        }
        if self.local.engine().waiting() > 0 {
            self.fail("somebody still waits in the engine");
        }
        self.lines_are_over();
        for agent in self.local.engine().agents() {
            use acd::AgentState::{Engaged, Reserved, Talking};
            if matches!(agent.state, Reserved { .. } | Talking { .. } | Engaged) {
                self.fail(&format!("{agent:?} is stuck"));
            }
        }
        self.records_are_right();
    }

    fn lines_are_over(&self) {
        for phone in self.phones.values() {
            for line in phone.lines.iter().filter(|line| !line.is_over()) {
                let tag = parameter(&line.local, "tag").unwrap_or_default();
                if !self.oracles.wire.is_excused(line.call_id(), tag) {
                    self.fail(&format!("{} has a line that nobody ended: {line:?}", phone.user));
                }
            }
        }
    }

    fn records_are_right(&self) {
        let keys: BTreeSet<_> = self.records.iter().map(|record| record.key).collect();
        if keys.len() != self.records.len() {
            self.fail("a call has two records");
        }
        if let Some(wrong) = self.records.iter().find_map(oracle::check_record) {
            self.fail(&wrong);
        }
        let accepted = self.oracles.wire.accepted();
        let answered = self.records.iter().filter(|record| record.answered.is_some()).count();
        if accepted > answered {
            self.fail(&format!("{accepted} calls were answered, {answered} records say so"));
        }
    }
}

/// No call has two agents, unless several are rung together. (That no agent has two calls the engine's states say by
/// their kind.)
fn one_call_each(agents: &[(base::AgentKey, acd::AgentState)], together: bool) -> Option<String> {
    let mut calls = BTreeSet::new();
    agents.iter().find_map(|(agent, state)| match state {
        acd::AgentState::Reserved { .. } if together => None,
        acd::AgentState::Reserved { call, .. } | acd::AgentState::Talking { call }
            if !calls.insert(*call) =>
        {
            Some(format!("call {call} has {agent:?} and another agent"))
        }
        _ => None,
    })
}
