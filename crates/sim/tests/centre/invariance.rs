//! What holds whatever the parameters: laws of queues that no implementation may break.

use acd::erlang::{cobham, erlang_c};
use acd::{PolicyKind, Requirement};
use base::Duration;
use sim::centre::{Load, Outcome, Run, Scenario, Spread};

use super::statistics::{Batches, SMALL, Size, erlang_a};

const FOR_EVER: Duration = Duration::from_secs(1_000_000_000);

/// Policies that leave no agent idle while a call waits, where agents are alike.
const BUSY: [PolicyKind; 4] =
    [PolicyKind::Fcfs, PolicyKind::Strict, PolicyKind::AgeOffset, PolicyKind::DelayRatio];

/// The hotline without a reserve: nobody is kept idle by any policy but `reserve`.
fn hotline(rho: f64) -> Scenario {
    let mut scenario = Scenario::hotline(50, Load::Rho(rho));
    scenario.tiers.iter_mut().for_each(|tier| tier.contract.reserve_max = 0.0);
    scenario
}

fn rates(outcome: &Outcome) -> Vec<f64> {
    let all = outcome.tiers.iter().chain([&outcome.total]);
    all.map(|tier| tier.answer_rate().unwrap() * 100.0).collect()
}

/// The outcome without the policy's name.
fn deeds(outcome: Outcome) -> Outcome {
    Outcome { policy: PolicyKind::Fcfs, ..outcome }
}

/// Law 1: the answer rate in all is Erlang A's under every policy that keeps nobody idle, and (to a tenth of a point, by
/// the very same callers) the same under all of them.
#[test]
fn the_total_answer_rate_is_erlang_a_under_every_policy() {
    for rho in [0.85, 1.2, 2.0] {
        let scenario = hotline(rho);
        let total = |policy| {
            let batches = Batches::live(&Scenario { policy, ..scenario.clone() }, SMALL);
            batches.plain(batches.tiers())
        };
        let fcfs = total(PolicyKind::Fcfs);
        let exact = erlang_a(&scenario) * 100.0;
        assert!((fcfs.mean - exact).abs() < 3.0 * fcfs.error, "load {rho}: {fcfs:?}, Erlang A {exact}");
        for policy in BUSY.into_iter().chain([PolicyKind::Debt3, PolicyKind::Index]) {
            let found = total(policy);
            let off = found.mean - fcfs.mean;
            assert!(off.abs() < 0.15, "load {rho}, {}: {off:+.3} points", policy.word());
        }
    }
}

/// Law 1 by the other numbers of Erlang A: waits, service level, occupancy, as tables know them.
#[test]
fn first_come_first_served_is_erlang_a_in_every_number() {
    let scenario =
        Scenario { hours: 500.0, policy: PolicyKind::Fcfs, ..Scenario::hotline(50, Load::Rho(1.2)) };
    let outcome = Run::whole(&scenario).unwrap();
    let exact = scenario.line(1200.0).steady(50, 15.0).unwrap();
    let near = |found: f64, wanted: f64, by: f64| {
        assert!((found - wanted).abs() < by, "{found} instead of {wanted}");
    };
    near(outcome.total.answer_rate().unwrap(), exact.answered, 0.006);
    near(outcome.total.service_level().unwrap(), exact.in_time, 0.018);
    near(outcome.total.asa_s().unwrap(), exact.asa_s, 0.8);
    near(outcome.occupancy, exact.occupancy, 0.003);
}

/// Law 2: keeping agents idle can only lower the answer rate in all.
#[test]
fn a_reserve_only_lowers_the_total() {
    let full = Scenario::hotline(50, Load::Rho(1.2));
    let all = |policy| *rates(&Run::whole(&Scenario { policy, ..full.clone() }).unwrap()).last().unwrap();
    let fcfs = all(PolicyKind::Fcfs);
    assert!(all(PolicyKind::Reserve) < fcfs - 0.8, "a fixed reserve costs a point");
    assert!(all(PolicyKind::Debt3) < fcfs + 0.05, "an elastic one nearly nothing, but never less than that");
}

/// Law 3: first come first served knows no tiers.
#[test]
fn first_come_first_served_treats_all_alike() {
    let batches =
        Batches::live(&Scenario { policy: PolicyKind::Fcfs, ..hotline(1.2) }, Size { hours: 40.0, ..SMALL });
    let all = batches.plain(4).mean;
    for tier in 0..4 {
        let found = batches.plain(tier);
        assert!((found.mean - all).abs() < 3.0 * found.error, "tier {tier}: {found:?}, all {all}");
    }
}

/// Law 4: strict priority orders the tiers, and whoever stands below does not count for those above but by keeping
/// agents busy: the same diamonds before half and before twice as many others, at loads that keep all agents busy.
#[test]
fn strict_priority_hears_of_lower_tiers_only_by_busy_agents() {
    let strict = |rho: f64, share: f64| {
        let mut scenario = Scenario { policy: PolicyKind::Strict, hours: 400.0, ..hotline(rho) };
        let rest = (1.0 - share) / 0.95;
        scenario.tiers.iter_mut().for_each(|tier| tier.share *= rest);
        scenario.tiers[0].share = share;
        rates(&Run::whole(&scenario).unwrap())
    };
    let (half, twice) = (strict(1.5, 0.06), strict(3.0, 0.03));
    assert!(half[0] > half[1] && half[1] > half[2] && half[2] > half[3], "{half:?}");
    assert!((half[0] - twice[0]).abs() < 0.4, "{half:?} {twice:?}");
    assert!(twice[3] < half[3] - 20.0, "the last tier pays: {half:?} {twice:?}");
}

/// Law 5: DEBT-3 without promises is strict priority, call for call; with promises for ever and none due it is the
/// delay-ratio rule but for its half second of softening; with one tier it is first come first served.
#[test]
fn debt3_contains_the_simple_policies() {
    let live = |scenario: &Scenario, policy| Run::whole(&Scenario { policy, ..scenario.clone() }).unwrap();
    let mut bare = Scenario { hours: 40.0, ..hotline(1.2) };
    for tier in &mut bare.tiers {
        let terms = &mut tier.contract;
        (terms.floor, terms.target, terms.promise) = (0.0, 0.0, Duration::ZERO);
    }
    assert!(deeds(live(&bare, PolicyKind::Debt3)) == deeds(live(&bare, PolicyKind::Strict)));
    let mut calm = bare.clone();
    calm.tiers.iter_mut().for_each(|tier| tier.contract.promise = FOR_EVER);
    let (debt3, ratio) = (live(&calm, PolicyKind::Debt3), live(&calm, PolicyKind::DelayRatio));
    for (found, wanted) in rates(&debt3).into_iter().zip(rates(&ratio)) {
        assert!((found - wanted).abs() < 0.4, "{found} instead of {wanted}");
    }
    let mut one = Scenario { hours: 40.0, ..hotline(1.2) };
    one.tiers.truncate(1);
    one.tiers[0].share = 1.0;
    assert!(deeds(live(&one, PolicyKind::Debt3)) == deeds(live(&one, PolicyKind::Fcfs)));
}

/// Law 6: every caller has one end. The engine's counts are checked after every event of every run; here those of the
/// world against them.
#[test]
fn no_call_is_lost_and_none_counted_twice() {
    for &policy in PolicyKind::ALL {
        let scenario = Scenario { policy, hours: 30.0, ..Scenario::hotline(50, Load::Rho(1.5)) };
        let outcome = Run::whole(&scenario).unwrap();
        assert!(outcome.tiers.iter().all(|tier| tier.conserved()) && outcome.total.conserved());
        let by_time: u64 = outcome.series.tiers.iter().flatten().map(|bin| bin.offered).sum();
        assert_eq!(by_time, outcome.total.offered);
    }
}

/// Law 7: the delay-ratio rule keeps waits in proportion when nobody gives up (to 3 in the limit of a full house).
#[test]
fn the_delay_ratio_rule_keeps_the_ratio() {
    let mut scenario =
        Scenario { policy: PolicyKind::DelayRatio, hours: 1500.0, warmup_hours: 20.0, ..hotline(0.97) };
    scenario.tiers.truncate(2);
    for (tier, (share, ratio_s)) in scenario.tiers.iter_mut().zip([(0.3, 10), (0.7, 30)]) {
        tier.share = share;
        tier.patience = Spread::NEVER;
        tier.contract.delay_ratio = Duration::from_secs(ratio_s);
    }
    let outcome = Run::whole(&scenario).unwrap();
    let asa_s = |tier: usize| outcome.tiers[tier].asa_s().unwrap();
    let ratio = asa_s(1) / asa_s(0);
    assert!((2.7..3.0).contains(&ratio), "{} to {}: {ratio}", asa_s(0), asa_s(1));
}

/// Law 8: shuffling who belongs to which tier changes nothing for first come first served.
#[test]
fn first_come_first_served_does_not_look_at_tiers() {
    let one = Scenario { policy: PolicyKind::Fcfs, hours: 40.0, ..hotline(1.2) };
    let mut two = one.clone();
    for (tier, share) in two.tiers.iter_mut().zip([0.5, 0.3, 0.15, 0.05]) {
        tier.share = share;
    }
    let total = |scenario| {
        let total = Run::whole(scenario).unwrap().total;
        (total.offered, total.answered, total.abandoned, total.waits.max_s)
    };
    assert_eq!(total(&one), total(&two));
}

/// Law 9: the same seed gives the same day, decision by decision.
#[test]
fn the_same_seed_gives_the_same_decisions() {
    for &policy in PolicyKind::ALL {
        let scenario = Scenario { policy, hours: 3.0, ..Scenario::hotline(20, Load::Rho(1.3)) };
        let (mut one, mut two) = (Run::new(&scenario), Run::new(&scenario));
        let last = |run: &Run| run.engine().decisions().next_back().map(|decision| format!("{decision:?}"));
        loop {
            let more = (one.advance(1).unwrap(), two.advance(1).unwrap());
            assert_eq!(last(&one), last(&two));
            if more == (false, false) {
                break;
            }
        }
        assert!(one.finish() == two.finish());
    }
}

/// Priority without abandonment, by Cobham's formula.
#[test]
fn strict_priority_is_cobhams() {
    let mut scenario = Scenario {
        policy: PolicyKind::Strict,
        hours: 6000.0,
        warmup_hours: 20.0,
        ..Scenario::hotline(10, Load::Rho(0.8))
    };
    scenario.tiers.truncate(2);
    for (tier, share) in scenario.tiers.iter_mut().zip([0.25, 0.75]) {
        (tier.share, tier.patience) = (share, Spread::NEVER);
    }
    let outcome = Run::whole(&scenario).unwrap();
    let wanted = cobham(10, 180.0, &[2.0, 6.0]);
    // Of all callers of a tier, those who found somebody free waited nothing.
    for ((tier, wanted), by) in outcome.tiers.iter().zip(wanted).zip([0.3, 2.5]) {
        let found = tier.asa_s().unwrap();
        assert!((found - wanted).abs() < by, "{}: {found} instead of {wanted}", tier.name);
    }
    assert!((erlang_c(10, 8.0) - 0.4092).abs() < 1e-4);
}

/// A queue that takes no more loses no call: what the engine refuses is counted as overflowed.
#[test]
fn nobody_who_can_serve_is_found_for_a_skill_that_is_missing() {
    let mut scenario = Scenario { hours: 2.0, ..hotline(0.5) };
    scenario.tiers[3].skills = Requirement::skill(base::SkillKey(7), 1);
    let outcome = Run::whole(&scenario).unwrap();
    assert_eq!(outcome.tiers[3].answered, 0, "nobody has that skill");
    assert_eq!(outcome.tiers[3].abandoned, outcome.tiers[3].offered, "they gave up, every one");
    assert!(outcome.tiers[0].answer_rate().unwrap() > 0.999);
}
