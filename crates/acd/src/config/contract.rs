//! What each tier was promised.

use base::Duration;

/// What a tier was promised. Rates are fractions of the calls offered to people (`0.0..=1.0`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contract {
    /// Answer rate promised while it is feasible.
    pub target: f64,
    /// Answer rate kept under any load that allows the floors of all tiers.
    pub floor: f64,
    /// A call that waited this long is promoted before the targets of others.
    pub promise: Duration,
    /// Waits of tiers in calm hours are proportional to this; policy `delay-ratio` keeps them so always.
    pub delay_ratio: Duration,
    /// The time of the service level.
    pub service_level: Duration,
    /// Share of offered calls to be answered within it, if promised.
    pub service_level_target: Option<f64>,
    /// Worth of an answered call, in any unit common to all tiers.
    pub value: f64,
    /// Most agents kept idle for this tier and those above, when it is chronically in deficit.
    pub reserve_max: f64,
    /// Most calls that the tier can be owed.
    pub debt_max: f64,
    /// Most calls that it can be ahead; small for the top tiers, lest calm hours be spent in a burst.
    pub credit_max: f64,
    /// Policy `age-offset`: the tier's calls are served as if they had waited this much longer.
    pub age_offset: Duration,
    /// Policy `reserve`: the tier is served only while more agents than this are free.
    pub idle_threshold: u32,
    /// Overload: a callback is offered when the tier's wait is about to be longer than this. `None`: never.
    pub callback_above: Option<Duration>,
    /// How soon what was promised must be done.
    pub due: Due,
}

/// How soon a promise to a customer is due, counted from when it was given, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// A callback instead of waiting.
    pub callback: Duration,
    /// A call about a complaint.
    pub complaint: Duration,
    /// A call about a visit.
    pub visit: Duration,
}

impl Due {
    /// Within two hours; a complaint and a visit within a day.
    pub const USUAL: Due = Due {
        callback: Duration::from_secs(2 * 3_600),
        complaint: Duration::from_secs(24 * 3_600),
        visit: Duration::from_secs(24 * 3_600),
    };
}

impl Contract {
    /// A contract of this target and floor, the other terms as for the middle tiers of a hotline.
    pub const fn new(target: f64, floor: f64, promise: Duration) -> Self {
        Contract {
            target,
            floor,
            promise,
            delay_ratio: promise,
            service_level: Duration::from_secs(15),
            service_level_target: None,
            value: 1.0,
            reserve_max: 0.0,
            debt_max: 10.0,
            credit_max: 1.0,
            age_offset: Duration::ZERO,
            idle_threshold: 0,
            callback_above: None,
            due: Due::USUAL,
        }
    }

    /// The four tiers of a hotline: diamond, gold, silver, ordinary (without a reserve, which pays
    /// only with some twenty agents and more).
    pub fn hotline() -> Vec<Contract> {
        let tier = |target, floor, promise, ratio, debt_max, credit_max, value| Contract {
            delay_ratio: Duration::from_secs(ratio),
            debt_max,
            credit_max,
            value,
            ..Contract::new(target, floor, Duration::from_secs(promise))
        };
        let mut tiers = vec![
            tier(0.98, 0.90, 8, 10, 10.0, 0.5, 8.0),
            tier(0.95, 0.75, 20, 15, 10.0, 1.0, 4.0),
            tier(0.90, 0.50, 60, 30, 15.0, 2.0, 2.0),
            tier(0.80, 0.20, 120, 60, 20.0, 3.0, 1.0),
        ];
        let rest = [(60, 0, None), (30, 1, None), (15, 1, Some(40)), (0, 1, Some(20))];
        for (tier, (offset, threshold, above)) in tiers.iter_mut().zip(rest) {
            tier.age_offset = Duration::from_secs(offset);
            tier.idle_threshold = threshold;
            tier.callback_above = above.map(Duration::from_secs);
        }
        tiers
    }
}
