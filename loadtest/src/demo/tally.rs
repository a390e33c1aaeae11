//! What the telephones themselves saw, to be held against what the switch says.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::voice::Heard;

/// Shared by all telephones of the one thread.
#[derive(Clone, Default)]
pub(super) struct Tally(Rc<RefCell<Counts>>);

/// The counts.
#[derive(Default)]
pub(super) struct Counts {
    next_voice: u32,
    pub(super) calls: u64,
    pub(super) connected: u64,
    pub(super) refused: BTreeMap<u16, u64>,
    /// Calls in which not one packet of prompt, music or voice came.
    pub(super) deaf: u64,
    /// Times an agent's telephone rang, and was picked up.
    pub(super) rung: u64,
    pub(super) picked_up: u64,
    /// Agents who were talking and heard no caller.
    pub(super) silent: u64,
    pub(super) surveys: u64,
    pub(super) keys: u64,
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) delays_us: Vec<u64>,
    /// Pairs (caller, agent): whom callers heard, and who heard callers.
    pub(super) by_callers: BTreeSet<(u32, u32)>,
    pub(super) by_agents: BTreeSet<(u32, u32)>,
    /// Now.
    pub(super) live: u64,
    pub(super) talking: u64,
}

impl Tally {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Counts) -> T) -> T {
        work(&mut self.0.borrow_mut())
    }

    /// A number for a new voice.
    pub(super) fn voice(&self) -> u32 {
        self.with(|counts| {
            counts.next_voice += 1;
            counts.next_voice
        })
    }

    /// A caller's call has ended.
    pub(super) fn caller_left(&self, left: Option<(u32, Heard)>, connected: bool) {
        let Some((id, heard)) = left else { return };
        self.with(|counts| {
            counts.add(&heard);
            counts.deaf += u64::from(connected && heard.packets == 0);
            if let Some(agent) = heard.person {
                counts.by_callers.insert((id, agent));
            }
        });
    }

    /// An agent's call has ended. `talked`: long enough that the caller must have been heard.
    pub(super) fn agent_left(&self, left: Option<(u32, Heard)>, talked: bool) {
        let Some((id, heard)) = left else { return };
        self.with(|counts| {
            counts.add(&heard);
            match heard.person {
                Some(caller) => {
                    counts.by_agents.insert((caller, id));
                }
                None => counts.silent += u64::from(talked),
            }
        });
    }
}

impl Counts {
    fn add(&mut self, heard: &Heard) {
        self.packets += heard.packets;
        self.lost += heard.lost;
        self.delays_us.extend(&heard.delays_us);
    }

    /// Talks in which both heard each other.
    pub(super) fn both_ways(&self) -> usize {
        self.by_callers.intersection(&self.by_agents).count()
    }

    /// Talks in which only one heard the other.
    pub(super) fn one_way(&self) -> usize {
        self.by_callers.symmetric_difference(&self.by_agents).count()
    }

    /// The delay from mouth to ear below which a share of the packets stayed, in milliseconds.
    pub(super) fn delay_ms(&mut self, percent: usize) -> Option<f64> {
        self.delays_us.sort_unstable();
        let last = self.delays_us.len().checked_sub(1)?;
        let us = self.delays_us.get(last * percent / 100)?;
        #[expect(clippy::cast_precision_loss, reason = "a time for people to read")]
        Some(*us as f64 / 1000.0)
    }
}
