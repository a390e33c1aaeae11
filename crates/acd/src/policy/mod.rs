//! Which waiting call a free agent gets. One file per policy and one line in each table below.

mod debt3;
mod fcfs;
mod strict;

use base::{Duration, Rng};

use crate::config::Contract;
use crate::decision::Rank;
use crate::stats::Debts;
use crate::tables::{CallIx, Order};

/// The policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PolicyKind {
    /// The oldest call, whatever its tier.
    Fcfs,
    /// Tiers in value order, the oldest within.
    Strict,
    /// Answer rates by contract: floors first, then targets and promises, then waits in proportion.
    #[default]
    Debt3,
}

impl PolicyKind {
    /// Every policy.
    pub const ALL: &'static [PolicyKind] = &[PolicyKind::Fcfs, PolicyKind::Strict, PolicyKind::Debt3];

    /// The name in configs.
    pub const fn word(self) -> &'static str {
        match self {
            PolicyKind::Fcfs => "fcfs",
            PolicyKind::Strict => "strict",
            PolicyKind::Debt3 => "debt3",
        }
    }

    /// The policy of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    pub(crate) fn build(self, tiers: &[Contract], rng: Rng) -> Box<dyn Policy> {
        match self {
            PolicyKind::Fcfs => Box::new(fcfs::Fcfs),
            PolicyKind::Strict => Box::new(strict::Strict),
            PolicyKind::Debt3 => Box::new(debt3::Debt3::new(tiers, rng)),
        }
    }
}

/// The first call in line of one tier that a certain free agent may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) call: CallIx,
    pub(crate) tier: usize,
    pub(crate) order: Order,
    pub(crate) waited: Duration,
    /// Waits for this very agent: no reserve holds it back.
    pub(crate) dedicated: bool,
    /// Free agents who could take it; counted only for policies that keep a reserve.
    pub(crate) idle: u32,
    /// Tiers (by bit) whose calls this agent could take: only for them is he kept free.
    pub(crate) serves: u64,
}

/// The rule. It hears what happens to each tier and ranks the heads for one free agent.
pub(crate) trait Policy: core::fmt::Debug + Send {
    /// A call of the tier wants a person.
    fn offered(&mut self, _tier: usize) {}
    /// A call of the tier was answered.
    fn answered(&mut self, _tier: usize) {}
    /// A call of the tier left by its own choice: as if it had not been offered.
    fn undone(&mut self, _tier: usize) {}
    /// A new event: the lot that a fractional reserve is drawn by holds for all decisions of one event.
    fn begin(&mut self) {}
    /// Calls have been held back for a while without a break, and nobody came for whom.
    fn held_in_vain(&mut self) {}
    /// Whether free agents are being kept back now, so that [`Head::idle`] matters.
    fn reserves(&self) -> bool {
        false
    }
    /// The place in `heads` (one per tier, in value order) of the call to present, and for each head what was
    /// made of it. `None`: the agent stays free.
    fn choose(&mut self, heads: &[Head], ranks: &mut Vec<Rank>) -> Option<usize>;
    /// The state kept for a tier.
    fn debts(&self, _tier: usize) -> Option<Debts> {
        None
    }
    /// Takes over the state of an earlier policy for a tier.
    fn restore(&mut self, _tier: usize, _debts: Debts) {}
}
