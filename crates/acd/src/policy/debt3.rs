//! DEBT-3: each offered call adds its tier's floor and target to what the tier is owed, each answered call pays
//! one back. Who is owed floor goes first, then who is owed target or has waited past his promise, both in
//! value order; in calm hours waits are kept in proportion. Debts use arrivals and answers, both known at once:
//! there is no lag to oscillate about, and nobody's patience need be known.

use core::cmp::Ordering;

use base::Rng;

use super::{Head, Policy};
use crate::config::Contract;
use crate::decision::Rank;
use crate::stats::Debts;

/// How fast the reserve follows a chronic deficit, in agents per call owed above the cap.
const RESERVE_GAIN: f64 = 0.1;
/// Softens the proportional rule for calls that have hardly waited, in seconds.
const SOFTENING_S: f64 = 0.5;

#[derive(Debug)]
pub(super) struct Debt3 {
    tiers: Vec<Tier>,
    rng: Rng,
    /// In `[0, 1)`, drawn once per event: a fraction of an agent is an agent for that fraction of events.
    lot: f64,
}

#[derive(Debug)]
struct Tier {
    terms: Contract,
    floor: f64,
    target: f64,
    reserve: f64,
    /// A call of the tier came since the reserve was last found to hold somebody back.
    came: bool,
}

/// Greater goes first.
#[derive(Clone, Copy, Debug)]
struct Key {
    band: u8,
    first: f64,
    second: f64,
}

impl Key {
    fn cmp(&self, other: &Key) -> Ordering {
        let tail = || self.first.total_cmp(&other.first).then(self.second.total_cmp(&other.second));
        self.band.cmp(&other.band).then_with(tail)
    }
}

impl Debt3 {
    pub(super) fn new(tiers: &[Contract], rng: Rng) -> Self {
        let tier =
            |terms: &Contract| Tier { terms: *terms, floor: 0.0, target: 0.0, reserve: 0.0, came: false };
        Debt3 { tiers: tiers.iter().map(tier).collect(), rng, lot: 0.0 }
    }

    /// Agents to keep free for tiers above `head`'s that this agent could serve.
    fn need(&self, head: &Head) -> u32 {
        let above = self.tiers.iter().take(head.tier).enumerate();
        let reserve = above
            .filter(|(tier, _)| {
                head.serves.checked_shr(u32::try_from(*tier).unwrap_or(64)).unwrap_or(0) & 1 == 1
            })
            .fold(0.0f64, |most, (_, tier)| most.max(tier.reserve));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 <= reserve <= reserve_max"
        )]
        let whole = reserve.floor() as u32;
        whole.saturating_add(u32::from(self.lot < reserve.fract()))
    }
}

impl Tier {
    fn band(&self, index: usize, waited_s: f64) -> u8 {
        let past_promise = waited_s >= self.terms.promise.as_secs_f64();
        if self.floor > 0.0 || (index == 0 && past_promise) {
            3
        } else if self.target > 0.0 || past_promise {
            2
        } else {
            1
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 64 tiers")]
    fn key(&self, index: usize, waited_s: f64) -> Key {
        let ratio_s = self.terms.delay_ratio.as_secs_f64().max(0.001);
        match self.band(index, waited_s) {
            1 => Key { band: 1, first: (waited_s + SOFTENING_S) / ratio_s, second: 0.0 },
            band => Key { band, first: -(index as f64), second: waited_s / ratio_s },
        }
    }
}

impl Policy for Debt3 {
    fn offered(&mut self, tier: usize) {
        let Some(tier) = self.tiers.get_mut(tier) else { return };
        tier.came = true;
        let (terms, cap) = (tier.terms, tier.terms.debt_max);
        tier.floor = (tier.floor + terms.floor).min(cap);
        let owed = tier.target + terms.target;
        if owed > cap {
            tier.reserve = (tier.reserve + RESERVE_GAIN * (owed - cap)).min(terms.reserve_max);
        }
        tier.target = owed.min(cap);
    }

    fn answered(&mut self, tier: usize) {
        let Some(tier) = self.tiers.get_mut(tier) else { return };
        let least = -tier.terms.credit_max;
        tier.floor = (tier.floor - 1.0).max(least);
        tier.target = (tier.target - 1.0).max(least);
        tier.reserve = (tier.reserve - RESERVE_GAIN * (1.0 - tier.terms.target)).max(0.0);
    }

    fn undone(&mut self, tier: usize) {
        let Some(tier) = self.tiers.get_mut(tier) else { return };
        let least = -tier.terms.credit_max;
        tier.floor = (tier.floor - tier.terms.floor).max(least);
        tier.target = (tier.target - tier.terms.target).max(least);
    }

    fn begin(&mut self) {
        if self.reserves() {
            self.lot = self.rng.unit();
        }
    }

    fn held_in_vain(&mut self) {
        for tier in &mut self.tiers {
            if !core::mem::take(&mut tier.came) {
                tier.reserve = 0.0;
            }
        }
    }

    fn reserves(&self) -> bool {
        self.tiers.iter().any(|tier| tier.reserve > 0.0)
    }

    fn choose(&mut self, heads: &[Head], ranks: &mut Vec<Rank>) -> Option<usize> {
        let mut best: Option<(usize, Key)> = None;
        for (at, head) in heads.iter().enumerate() {
            let Some(tier) = self.tiers.get(head.tier) else {
                ranks.push(Rank::Plain);
                continue;
            };
            let need = self.need(head);
            // Floors override the reserve.
            if need > 0 && head.idle <= need && tier.floor <= 0.0 && !head.dedicated {
                ranks.push(Rank::Reserve { need, idle: head.idle });
                continue;
            }
            let key = tier.key(head.tier, head.waited.as_secs_f64());
            ranks.push(Rank::Band { band: key.band, floor_debt: tier.floor, target_debt: tier.target });
            if best.is_none_or(|(_, other)| key.cmp(&other) == Ordering::Greater) {
                best = Some((at, key));
            }
        }
        best.map(|(at, _)| at)
    }

    fn debts(&self, tier: usize) -> Option<Debts> {
        let tier = self.tiers.get(tier)?;
        Some(Debts { floor: tier.floor, target: tier.target, reserve: tier.reserve })
    }

    fn restore(&mut self, tier: usize, debts: Debts) {
        let Some(tier) = self.tiers.get_mut(tier) else { return };
        let (least, cap) = (-tier.terms.credit_max, tier.terms.debt_max);
        tier.floor = debts.floor.max(least).min(cap);
        tier.target = debts.target.max(least).min(cap);
        tier.reserve = debts.reserve.max(0.0).min(tier.terms.reserve_max);
    }
}
