//! Whether the tables agree with each other. Checked after every step in simulation and tests; in the
//! server a broken invariant is counted and ends the call it concerns, not the process.

use std::collections::BTreeSet;

use base::{CallKey, LegKey};

use crate::journey::{Journey, Phase};
use crate::leg::{Dialog, Leg};
use crate::switch::Switch;

/// Two tables that disagree: a bug of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A call holds a leg that is not there, or that serves another call.
    Leg(CallKey, LegKey),
    /// A call holds a leg whose dialog is over.
    DeadLeg(CallKey, LegKey),
    /// A leg serves a call that does not hold it.
    Stray(CallKey, LegKey),
    /// A call has no deadline.
    NoDeadline(CallKey),
    /// A call that is over is still in the table.
    Over(CallKey),
    /// More or fewer ports are in use than legs have.
    Ports {
        /// By the port table.
        used: usize,
        /// By the legs.
        held: usize,
    },
    /// The trunks' live calls differ from their legs.
    Trunks {
        /// By the trunks' counts.
        counted: usize,
        /// By the legs.
        live: usize,
    },
}

/// What is left of calls when none is live: all zero, or something leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Calls.
    pub calls: usize,
    /// Legs.
    pub legs: usize,
    /// Ports in use.
    pub ports: usize,
    /// Live calls by the trunks' counts.
    pub trunk_calls: usize,
    /// Timers of calls.
    pub timers: usize,
    /// Agents marked as in a call of their own.
    pub engaged: usize,
    /// Legs of the SIP endpoint.
    pub sip_legs: usize,
    /// Its transactions, server and client.
    pub transactions: usize,
}

impl Journey {
    fn legs(&self) -> Vec<LegKey> {
        let mut legs = vec![self.caller];
        legs.retain(|&leg| leg != crate::journey::NOBODY);
        match &self.phase {
            Phase::Presenting { rung, .. } => legs.extend(rung.iter().flat_map(|rung| &rung.dial.legs)),
            Phase::Dialling { dial, .. } => legs.extend(&dial.legs),
            Phase::Joining { leg, .. } => legs.push(*leg),
            Phase::Talking(talk) => legs.push(talk.leg),
            Phase::Referring { talk, dial } => {
                legs.push(talk.leg);
                legs.extend(&dial.legs);
            }
            _ => {}
        }
        legs
    }
}

impl Switch {
    /// Whether every table agrees with every other.
    ///
    /// # Errors
    /// The first disagreement.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        let mut held = BTreeSet::new();
        for (&key, journey) in &self.calls {
            if journey.is_over() {
                return Err(Violation::Over(key));
            }
            if self.core.timers.get(crate::Timer::Call(key)).is_none() {
                return Err(Violation::NoDeadline(key));
            }
            for leg in journey.legs() {
                let entry = self.core.leg(leg).filter(|entry| entry.call == Some(key));
                let entry = entry.ok_or(Violation::Leg(key, leg))?;
                if matches!(entry.dialog, Dialog::Over | Dialog::Released) {
                    return Err(Violation::DeadLeg(key, leg));
                }
                held.insert(leg);
            }
        }
        self.check_legs(&held)
    }

    fn check_legs(&self, held: &BTreeSet<LegKey>) -> Result<(), Violation> {
        let alive = |leg: &Leg| !matches!(leg.dialog, Dialog::Over | Dialog::Released);
        let legs = &self.core.legs;
        let stray = legs.iter().filter(|(key, leg)| alive(leg) && leg.call.is_some() && !held.contains(key));
        if let Some((&key, leg)) = stray.min_by_key(|(key, _)| **key) {
            return Err(Violation::Stray(leg.call.unwrap_or_default(), key));
        }
        let ports = legs.values().filter(|leg| leg.port().is_some()).count();
        if ports != self.core.ports.used() {
            return Err(Violation::Ports { used: self.core.ports.used(), held: ports });
        }
        let live = legs.values().filter(|leg| leg.is_counted()).count();
        if live != self.core.trunks.live() {
            return Err(Violation::Trunks { counted: self.core.trunks.live(), live });
        }
        Ok(())
    }

    /// What is left of calls.
    pub fn remains(&self) -> Remains {
        let (servers, clients) = self.core.sip.transactions_len();
        Remains {
            calls: self.calls.len(),
            legs: self.core.legs.len(),
            ports: self.core.ports.used(),
            trunk_calls: self.core.trunks.live(),
            timers: self.core.timers.len(),
            engaged: self.core.agents.values().filter(|seen| seen.engaged > 0).count(),
            sip_legs: self.core.sip.legs_len(),
            transactions: servers + clients,
        }
    }
}
