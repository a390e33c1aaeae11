//! DEBT-3: each offered call adds its tier's floor and target to what the tier is owed, each answered call pays
//! one back. Who is owed floor goes first, then who is owed target or has waited past his promise, both in
//! value order; in calm hours waits are kept in proportion. Debts use arrivals and answers, both known at once:
//! there is no lag to oscillate about, and nobody's patience need be known.
//!
//! Debts are kept per *account*: calls of one queue with the same wishes, as they came. With one account for the whole
//! house, a kind of call that nobody on duty can take would owe for ever: its floor debt would stand in front of
//! everybody at agents who cannot even help it, and its reserve would keep them idle in vain. And a kind that is served
//! well would hide another that is not. So each kind of call is promised its tier's contract for itself, which implies
//! the contract of the tier as a whole; where all calls are of one kind the two are the same.

use base::{Duration, Instant, Rng};

use super::{Head, Key, Policy, Seat, Verdict, delay_ratio_s, value};
use crate::config::Contract;
use crate::decision::{Band, Rank};
use crate::stats::Debts;
use crate::tables::AccountIx;

/// How fast the reserve grows in a chronic deficit, in agents per call owed above the cap.
const RESERVE_RISE: f64 = 0.2;
/// How fast answers reduce it, in agents per call that its tier may lose for each. At a standing deficit rise and fall
/// are equal where the answer rate is `2 a / (3 - a)` of the target `a`: 97 % of 98.
const RESERVE_FALL: f64 = 0.1;
/// A reserve is given up when nobody came for whom for so many times as long as his kind's calls are apart: of calls
/// that come by chance, one gap in 3,000 is so long.
const GAPS_IN_VAIN: f64 = 8.0;
/// But not sooner than this, in seconds.
const VAIN_LEAST_S: f64 = 180.0;
/// Over the last so many calls or so their distance is averaged.
const GAPS_AVERAGED: f64 = 32.0;
/// Softens the proportional rule for calls that have hardly waited, in seconds.
const SOFTENING_S: f64 = 0.5;

#[derive(Debug)]
pub(super) struct Debt3 {
    terms: Vec<Terms>,
    /// Per account, then tier.
    rows: Vec<Row>,
    /// The rows with a reserve, and how many agents it is by the present lot.
    reserving: Vec<(AccountIx, u8, u32)>,
    rng: Rng,
    /// In `[0, 1)`, drawn once per event: a fraction of an agent is an agent for that fraction of events.
    lot: f64,
}

/// A tier's contract in the numbers that are used.
#[derive(Clone, Copy, Debug)]
struct Terms {
    floor: f64,
    target: f64,
    in_time: f64,
    promise_s: f64,
    ratio_s: f64,
    service_level_s: f64,
    debt_max: f64,
    credit_max: f64,
    reserve_max: f64,
}

impl Terms {
    fn of(contract: &Contract) -> Terms {
        Terms {
            floor: contract.floor,
            target: contract.target,
            in_time: contract.service_level_target.unwrap_or(0.0),
            promise_s: contract.promise.as_secs_f64(),
            ratio_s: delay_ratio_s(contract),
            service_level_s: contract.service_level.as_secs_f64(),
            debt_max: contract.debt_max,
            credit_max: contract.credit_max,
            reserve_max: contract.reserve_max,
        }
    }
}

/// What a tier of an account is owed.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    floor: f64,
    target: f64,
    in_time: f64,
    reserve: f64,
    pace: Pace,
}

/// How far calls are apart.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    last: Instant,
    gap_s: f64,
    /// Gaps that the average stands on.
    gaps: f64,
}

impl Pace {
    /// A call came. A pause counts for no more than it takes to give a reserve up: a night is not the pace of a day.
    fn came(&mut self, now: Instant) {
        let gap_s = now.since(self.last).as_secs_f64().min(self.vain_s());
        self.gaps = (self.gaps + 1.0).min(GAPS_AVERAGED);
        self.gap_s += (gap_s - self.gap_s) / self.gaps;
        self.last = now;
    }

    fn vain_s(&self) -> f64 {
        (GAPS_IN_VAIN * self.gap_s).max(VAIN_LEAST_S)
    }

    /// Until when another is waited for.
    fn vain_at(&self) -> Instant {
        self.last + Duration::from_secs_f64(self.vain_s())
    }
}

impl Debt3 {
    pub(super) fn new(tiers: &[Contract], rng: Rng) -> Self {
        let terms = tiers.iter().map(Terms::of).collect();
        Debt3 { terms, rows: Vec::new(), reserving: Vec::new(), rng, lot: 0.0 }
    }

    fn at(&self, account: AccountIx, tier: usize) -> usize {
        account.at() * self.terms.len() + tier
    }

    fn row(&self, account: AccountIx, tier: usize) -> Row {
        self.rows.get(self.at(account, tier)).copied().unwrap_or_default()
    }

    fn change(&mut self, account: AccountIx, tier: usize, f: impl FnOnce(&mut Row, &Terms)) {
        let at = self.at(account, tier);
        let Some(terms) = self.terms.get(tier) else { return };
        if self.rows.len() <= at {
            self.rows.resize((account.at() + 1) * self.terms.len(), Row::default());
        }
        let Some(row) = self.rows.get_mut(at) else { return };
        let before = row.reserve;
        f(row, terms);
        let reserve = row.reserve;
        if before > 0.0 || reserve > 0.0 {
            self.keep(account, tier, reserve);
        }
    }

    /// Keeps the list of reserves in step.
    fn keep(&mut self, account: AccountIx, tier: usize, reserve: f64) {
        let tier = u8::try_from(tier).unwrap_or(u8::MAX);
        let listed = self.reserving.iter().position(|&(a, t, _)| a == account && t == tier);
        let need = agents(reserve, self.lot);
        match listed {
            Some(at) if reserve <= 0.0 => {
                self.reserving.swap_remove(at);
            }
            Some(at) => {
                if let Some(entry) = self.reserving.get_mut(at) {
                    entry.2 = need;
                }
            }
            None if reserve > 0.0 => self.reserving.push((account, tier, need)),
            None => {}
        }
    }
}

/// A reserve in whole agents: the fraction is one more by lot.
fn agents(reserve: f64, lot: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 <= reserve <= reserve_max; as casts saturate"
    )]
    let whole = reserve.floor() as u32;
    whole.saturating_add(u32::from(lot < reserve.fract()))
}

impl Row {
    fn band(&self, terms: &Terms, tier: usize, waited_s: f64) -> Band {
        let past_promise = waited_s >= terms.promise_s;
        if self.floor > 0.0 || (tier == 0 && past_promise) {
            Band::Floor
        } else if self.target > 0.0 || past_promise {
            Band::Target
        } else if self.in_time > 0.0 && waited_s < terms.service_level_s {
            // A call past its time has nothing to gain here; the debts above never give it up.
            Band::InTime
        } else {
            Band::Calm
        }
    }
}

impl Policy for Debt3 {
    fn offered(&mut self, now: Instant, account: AccountIx, tier: usize) {
        self.change(account, tier, |row, terms| {
            row.pace.came(now);
            row.floor = (row.floor + terms.floor).min(terms.debt_max);
            let owed = row.target + terms.target;
            if owed > terms.debt_max {
                row.reserve = (row.reserve + RESERVE_RISE * (owed - terms.debt_max)).min(terms.reserve_max);
            }
            row.target = owed.min(terms.debt_max);
            row.in_time = (row.in_time + terms.in_time).min(terms.debt_max);
        });
    }

    fn answered(&mut self, account: AccountIx, tier: usize, in_time: bool) {
        self.change(account, tier, |row, terms| {
            let least = -terms.credit_max;
            row.floor = (row.floor - 1.0).max(least);
            row.target = (row.target - 1.0).max(least);
            if in_time {
                row.in_time = (row.in_time - 1.0).max(least);
            }
            row.reserve = (row.reserve - RESERVE_FALL * (1.0 - terms.target)).max(0.0);
        });
    }

    fn undone(&mut self, account: AccountIx, tier: usize) {
        self.change(account, tier, |row, terms| {
            let least = -terms.credit_max;
            row.floor = (row.floor - terms.floor).max(least);
            row.target = (row.target - terms.target).max(least);
            row.in_time = (row.in_time - terms.in_time).max(least);
        });
    }

    fn begin(&mut self) {
        if self.reserving.is_empty() {
            return;
        }
        self.lot = self.rng.unit();
        for at in 0..self.reserving.len() {
            let Some(&(account, tier, _)) = self.reserving.get(at) else { return };
            let need = agents(self.row(account, usize::from(tier)).reserve, self.lot);
            if let Some(entry) = self.reserving.get_mut(at) {
                entry.2 = need;
            }
        }
    }

    fn vain_at(&self) -> Option<Instant> {
        let pace = |&(account, tier, _): &(AccountIx, u8, u32)| self.row(account, usize::from(tier)).pace;
        self.reserving.iter().map(|entry| pace(entry).vain_at()).min()
    }

    fn held_in_vain(&mut self, now: Instant) {
        let (rows, tiers) = (&mut self.rows, self.terms.len());
        self.reserving.retain(|&(account, tier, _)| {
            let Some(row) = rows.get_mut(account.at() * tiers + usize::from(tier)) else { return false };
            let vain = row.pace.vain_at() <= now;
            if vain {
                row.reserve = 0.0;
            }
            !vain
        });
    }

    fn reserves(&self) -> &[(AccountIx, u8, u32)] {
        &self.reserving
    }

    fn changes_its_mind(&self) -> bool {
        true
    }

    fn rank(&self, head: &Head, seat: &Seat) -> (Verdict, Rank) {
        let row = self.row(head.account, head.tier);
        let Some(terms) = self.terms.get(head.tier) else { return (Verdict::Go(Key::of(0.0)), Rank::Plain) };
        // Floors override the reserve.
        if let Some(kept) = seat.kept
            && kept.tier < head.tier
            && row.floor <= 0.0
            && !head.dedicated
        {
            return (Verdict::Wait { until_s: None }, Rank::Reserve { need: kept.need, idle: kept.idle });
        }
        let band = row.band(terms, head.tier, head.waited_s);
        let key = match band {
            Band::Calm => Key::of((head.waited_s + SOFTENING_S) / terms.ratio_s),
            _ => Key { band, first: value(head.tier), second: head.waited_s / terms.ratio_s },
        };
        (Verdict::Go(key), Rank::Band { band, floor_debt: row.floor, target_debt: row.target })
    }

    fn debts(&self, account: AccountIx, tier: usize) -> Option<Debts> {
        let Row { floor, target, in_time, reserve, .. } = self.row(account, tier);
        Some(Debts { floor, target, in_time, reserve })
    }

    fn band(&self, account: AccountIx, tier: usize) -> Option<Band> {
        self.terms.get(tier).map(|terms| self.row(account, tier).band(terms, tier, 0.0))
    }

    fn restore(&mut self, now: Instant, account: AccountIx, tier: usize, debts: Debts) {
        self.change(account, tier, |row, terms| {
            row.pace.last = now;
            let (least, cap) = (-terms.credit_max, terms.debt_max);
            row.floor = debts.floor.max(least).min(cap);
            row.target = debts.target.max(least).min(cap);
            row.in_time = debts.in_time.max(least).min(cap);
            row.reserve = debts.reserve.max(0.0).min(terms.reserve_max);
        });
    }

    fn forget(&mut self, account: AccountIx) {
        for tier in 0..self.terms.len() {
            self.change(account, tier, |row, _| *row = Row::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLY: AccountIx = AccountIx::FIRST;

    fn hotline() -> Debt3 {
        let mut tiers = Contract::hotline();
        (tiers[0].reserve_max, tiers[1].reserve_max) = (4.0, 2.0);
        Debt3::new(&tiers, Rng::new(base::Seed([1, 1])))
    }

    fn near(one: f64, two: f64) {
        assert!((one - two).abs() < 1e-9, "{one} is not {two}");
    }

    #[test]
    fn offers_owe_and_answers_pay_within_the_caps() {
        let mut policy = hotline();
        policy.offered(Instant::ZERO, ONLY, 0);
        let debts = policy.debts(ONLY, 0).unwrap();
        near(debts.floor, 0.90);
        near(debts.target, 0.98);
        policy.answered(ONLY, 0, true);
        policy.answered(ONLY, 0, true);
        let debts = policy.debts(ONLY, 0).unwrap();
        near(debts.floor, -0.5);
        near(debts.target, -0.5);
        // 11 calls of 0.98 on -0.5: 0.28 above the cap of 10, of which the reserve takes a fifth.
        (0..11).for_each(|_| policy.offered(Instant::ZERO, ONLY, 0));
        let debts = policy.debts(ONLY, 0).unwrap();
        near(debts.floor, -0.5 + 11.0 * 0.90);
        near(debts.target, 10.0);
        near(debts.reserve, 0.2 * (-0.5 + 11.0 * 0.98 - 10.0));
        policy.answered(ONLY, 0, true);
        near(policy.debts(ONLY, 0).unwrap().reserve, 0.056 - 0.1 * 0.02);
        policy.undone(ONLY, 0);
        near(policy.debts(ONLY, 0).unwrap().target, 10.0 - 1.0 - 0.98);
    }

    #[test]
    fn bands_by_debt_and_promise() {
        let mut policy = hotline();
        let band = |policy: &Debt3, tier: usize, waited_s: f64| {
            policy.row(ONLY, tier).band(&policy.terms[tier], tier, waited_s)
        };
        assert_eq!(band(&policy, 0, 7.9), Band::Calm);
        assert_eq!(band(&policy, 0, 8.0), Band::Floor);
        assert_eq!(band(&policy, 1, 20.0), Band::Target);
        policy.offered(Instant::ZERO, ONLY, 3);
        assert_eq!(band(&policy, 3, 0.0), Band::Floor);
        policy.answered(ONLY, 3, false);
        assert_eq!(band(&policy, 3, 0.0), Band::Calm);
        (0..2).for_each(|_| policy.offered(Instant::ZERO, ONLY, 3));
        policy.answered(ONLY, 3, false);
        policy.offered(Instant::ZERO, ONLY, 3);
        // 4 x 0.2 - 2 = -1.2 of the floor, 4 x 0.8 - 2 = 1.2 of the target.
        assert_eq!(band(&policy, 3, 0.0), Band::Target);
    }

    #[test]
    fn answers_in_time_are_a_third_debt_below_the_others() {
        let contract = Contract {
            service_level_target: Some(0.85),
            ..Contract::new(0.0, 0.0, base::Duration::from_secs(60))
        };
        let mut policy = Debt3::new(&[contract], Rng::new(base::Seed([1, 1])));
        policy.offered(Instant::ZERO, ONLY, 0);
        let band = |policy: &Debt3, waited_s| policy.row(ONLY, 0).band(&policy.terms[0], 0, waited_s);
        assert_eq!((band(&policy, 14.9), band(&policy, 15.0)), (Band::InTime, Band::Calm));
        policy.answered(ONLY, 0, false);
        assert_eq!(band(&policy, 1.0), Band::InTime, "a late answer pays nothing");
        policy.answered(ONLY, 0, true);
        assert_eq!((band(&policy, 1.0), band(&policy, 60.0)), (Band::Calm, Band::Floor));
    }

    #[test]
    fn reserves_are_listed_until_nobody_comes_for_whom() {
        let mut policy = hotline();
        let call = |number: u64| Instant::from_secs(300 * number);
        (1..=100).for_each(|number| policy.offered(call(number), ONLY, 1));
        policy.begin();
        assert_eq!(policy.reserves(), [(ONLY, 1, 2)]);
        // Calls were 300 s apart (the first counts as 180): eight times as long is waited for the next.
        let until = policy.vain_at().unwrap();
        near(until.since(call(100)).as_secs_f64().round(), 2_397.0);
        policy.held_in_vain(call(107));
        assert_eq!(policy.reserves().len(), 1);
        policy.held_in_vain(until);
        assert_eq!((policy.reserves(), policy.vain_at()), (&[][..], None));
        near(policy.debts(ONLY, 1).unwrap().reserve, 0.0);
    }

    #[test]
    fn a_night_is_not_the_pace_of_a_day() {
        let mut pace = Pace::default();
        (1..=100).for_each(|call| pace.came(Instant::from_secs(60 * call)));
        near(pace.vain_s().round(), 480.0);
        pace.came(Instant::from_secs(40_000));
        near(pace.vain_s().round(), 585.0);
    }
}
