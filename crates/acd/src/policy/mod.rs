//! Which waiting call a free agent gets. One file per policy and one line in each table below.

mod age_offset;
mod debt3;
mod delay_ratio;
mod fcfs;
mod index;
mod reserve;
mod strict;

use core::cmp::Ordering;

use base::{Instant, Rng};

use crate::config::Config;
use crate::decision::{Band, Rank};
use crate::stats::Debts;
use crate::tables::{AccountIx, Place};

/// The policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PolicyKind {
    /// Answer rates by contract: floors first, then targets and promises, then waits in proportion.
    #[default]
    Debt3,
    /// The oldest call, whatever its tier.
    Fcfs,
    /// Tiers in value order, the oldest within.
    Strict,
    /// The oldest call when each tier's calls have waited a fixed time more.
    AgeOffset,
    /// The call that has waited longest in proportion to what its tier may wait.
    DelayRatio,
    /// Tiers in value order; lower ones only while enough agents are free.
    Reserve,
    /// A linear index of wait, idle time and a constant, per tier and group of agents.
    Index,
}

impl PolicyKind {
    /// Every policy.
    pub const ALL: &'static [PolicyKind] = &[
        PolicyKind::Debt3,
        PolicyKind::Fcfs,
        PolicyKind::Strict,
        PolicyKind::AgeOffset,
        PolicyKind::DelayRatio,
        PolicyKind::Reserve,
        PolicyKind::Index,
    ];

    /// The name in configs.
    pub const fn word(self) -> &'static str {
        match self {
            PolicyKind::Debt3 => "debt3",
            PolicyKind::Fcfs => "fcfs",
            PolicyKind::Strict => "strict",
            PolicyKind::AgeOffset => "age-offset",
            PolicyKind::DelayRatio => "delay-ratio",
            PolicyKind::Reserve => "reserve",
            PolicyKind::Index => "index",
        }
    }

    /// The policy of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    pub(crate) fn build(self, config: &Config, rng: Rng) -> Box<dyn Policy> {
        let tiers = &config.tiers;
        match self {
            PolicyKind::Debt3 => Box::new(debt3::Debt3::new(tiers, rng)),
            PolicyKind::Fcfs => Box::new(fcfs::Fcfs),
            PolicyKind::Strict => Box::new(strict::Strict),
            PolicyKind::AgeOffset => Box::new(age_offset::AgeOffset::new(tiers)),
            PolicyKind::DelayRatio => Box::new(delay_ratio::DelayRatio::new(tiers)),
            PolicyKind::Reserve => Box::new(reserve::Reserve::new(tiers)),
            PolicyKind::Index => Box::new(index::Index::new(&config.index)),
        }
    }
}

/// The first call in line of one tier and kind that a certain free agent may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) tier: usize,
    /// Its kind: queue and wishes.
    pub(crate) account: AccountIx,
    pub(crate) place: Place,
    /// Since its place in line, a senior's head start included.
    pub(crate) waited_s: f64,
    /// Waits for this very agent: no reserve holds it back.
    pub(crate) dedicated: bool,
    /// Free agents who could take it; counted only if [`Policy::counts_idle`].
    pub(crate) idle: u32,
}

/// The free agent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seat {
    pub(crate) group: u16,
    /// How long he has been free.
    pub(crate) idle_s: f64,
    /// The reserve that he belongs to now, if he is one of the last: for this tier and those above.
    pub(crate) kept: Option<Kept>,
}

/// Agents who are kept free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) tier: usize,
    pub(crate) need: u32,
    pub(crate) idle: u32,
}

/// Greater goes first; between equals the order in line decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) band: Band,
    pub(crate) first: f64,
    pub(crate) second: f64,
}

impl Key {
    pub(crate) const fn of(first: f64) -> Key {
        Key { band: Band::Calm, first, second: 0.0 }
    }

    pub(crate) fn cmp(&self, other: &Key) -> Ordering {
        self.band
            .cmp(&other.band)
            .then_with(|| self.first.total_cmp(&other.first))
            .then_with(|| self.second.total_cmp(&other.second))
    }
}

/// What a policy makes of a head for an agent.
pub(crate) enum Verdict {
    /// It may go to him: the greatest key does.
    Go(Key),
    /// He is not for it, at least for so long.
    Wait {
        /// When it may go to him if nothing else changes.
        until_s: Option<f64>,
    },
}

/// The rule. It hears what happens to each tier of each account and ranks the heads for one free agent.
pub(crate) trait Policy: core::fmt::Debug + Send {
    /// A call wants a person.
    fn offered(&mut self, _now: Instant, _account: AccountIx, _tier: usize) {}
    /// A call was answered, in time or not.
    fn answered(&mut self, _account: AccountIx, _tier: usize, _in_time: bool) {}
    /// A call left by its own choice: as if it had not been offered.
    fn undone(&mut self, _account: AccountIx, _tier: usize) {}
    /// A new event: the lot that a fractional reserve is drawn by holds for all decisions of one event.
    fn begin(&mut self) {}
    /// When a reserve is to be given up, if nobody comes for whom until then.
    fn vain_at(&self) -> Option<Instant> {
        None
    }
    /// It is that late, and calls are held back.
    fn held_in_vain(&mut self, _now: Instant) {}
    /// Tiers of accounts that agents are kept free for now, and how many.
    fn reserves(&self) -> &[(AccountIx, u8, u32)] {
        &[]
    }
    /// Whether [`Head::idle`] is asked for.
    fn counts_idle(&self) -> bool {
        false
    }
    /// What to make of a head for an agent, and how to tell it.
    fn rank(&self, head: &Head, seat: &Seat) -> (Verdict, Rank);
    /// The greatest index that a call of the tier, that has waited so long, has with an agent: for a policy that
    /// chooses the agent, too.
    fn prefers(&self, _tier: usize, _waited_s: f64, _seat: &Seat) -> Option<f64> {
        None
    }
    /// The state kept for a tier of an account.
    fn debts(&self, _account: AccountIx, _tier: usize) -> Option<Debts> {
        None
    }
    /// Takes over the state of an earlier policy.
    fn restore(&mut self, _now: Instant, _account: AccountIx, _tier: usize, _debts: Debts) {}
    /// Forgets an account: its number is given to another kind of calls.
    fn forget(&mut self, _account: AccountIx) {}
    /// The band that a call coming now would be in.
    fn band(&self, _account: AccountIx, _tier: usize) -> Option<Band> {
        None
    }
    /// Whether a call held back at one event may go at the next though nothing of its own changed.
    fn changes_its_mind(&self) -> bool {
        false
    }
}

/// The value of a tier as a number: the first tier's is greatest.
#[expect(clippy::cast_precision_loss, reason = "at most 64 tiers")]
fn value(tier: usize) -> f64 {
    -(tier as f64)
}

/// What a tier's waits are in proportion to, in seconds; never zero.
fn delay_ratio_s(tier: &crate::config::Contract) -> f64 {
    tier.delay_ratio.as_secs_f64().max(0.001)
}
