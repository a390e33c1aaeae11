//! Whether a contract can be kept at all: by Erlang A, for the load and the people there are.

use crate::config::Contract;
use crate::erlang::{Goal, Line};

/// What comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Calls per second of each tier.
    pub calls_per_s: Vec<f64>,
    /// Mean talk and after-call work.
    pub handle_s: f64,
    /// Mean patience of a waiting caller.
    pub patience_s: f64,
}

/// What a contract needs, beside what there is. By the law that the total answer rate does not depend on the rule
/// by which calls are chosen (as long as nobody sits idle while they wait), contracts can be kept if and only if
/// the total that they add up to is the agents' total.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feasibility {
    /// Calls per second.
    pub calls_per_s: f64,
    /// Mean talk and after-call work.
    pub handle_s: f64,
    /// Mean patience of a waiting caller.
    pub patience_s: f64,
    /// Agents on duty.
    pub on_duty: u32,
    /// Answer rate of all calls with the agents on duty.
    pub answer_rate: f64,
    /// Answer rate of all calls if every target is kept.
    pub targets: f64,
    /// Answer rate of all calls if every floor is kept.
    pub floors: f64,
    /// Agents needed to keep all targets. `None`: a million do not suffice.
    pub for_targets: Option<u32>,
    /// Agents needed to keep all floors.
    pub for_floors: Option<u32>,
}

impl Feasibility {
    /// What these contracts need for this demand. `None`: nobody calls, or the numbers are not a demand (negative,
    /// not finite).
    pub fn of(tiers: &[Contract], demand: &Demand, on_duty: u32) -> Option<Feasibility> {
        let calls_per_s: f64 = demand.calls_per_s.iter().sum();
        let usable = |x: f64| x.is_finite() && x > 0.0;
        if ![calls_per_s, demand.handle_s, demand.patience_s].into_iter().all(usable) {
            return None;
        }
        let total = |rate: fn(&Contract) -> f64| {
            let parts = tiers.iter().zip(&demand.calls_per_s).map(|(tier, calls)| rate(tier) * calls);
            (parts.sum::<f64>() / calls_per_s).clamp(0.0, 1.0)
        };
        let (targets, floors) = (total(|tier| tier.target), total(|tier| tier.floor));
        let Demand { handle_s, patience_s, .. } = *demand;
        let line = Line { calls_per_s, handle_s, patience_s, waiting_max: None };
        let needed = |rate: f64| if rate > 0.0 { line.agents_for(Goal::Answered(rate)) } else { Some(0) };
        Some(Feasibility {
            calls_per_s,
            handle_s,
            patience_s,
            on_duty,
            answer_rate: line.steady(on_duty, 0.0).map_or(0.0, |steady| steady.answered),
            targets,
            floors,
            for_targets: needed(targets),
            for_floors: needed(floors),
        })
    }

    /// Whether the agents on duty can keep every target.
    pub fn keeps_targets(&self) -> bool {
        self.for_targets.is_some_and(|needed| needed <= self.on_duty)
    }

    /// Whether the agents on duty can keep every floor.
    pub fn keeps_floors(&self) -> bool {
        self.for_floors.is_some_and(|needed| needed <= self.on_duty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The staffing table: shares 5/15/30/50 %, handle time 180 s, patience 120 s.
    #[test]
    fn agents_for_targets_and_for_floors_as_in_the_table() {
        let tiers = Contract::hotline();
        let rows = [(3.0, 4, 2), (6.0, 7, 3), (12.0, 12, 5), (24.0, 22, 10), (50.0, 45, 21), (100.0, 87, 41)];
        for (erlangs, for_targets, for_floors) in rows {
            let calls_per_s = [0.05, 0.15, 0.30, 0.50].map(|share| share * erlangs / 180.0).to_vec();
            let demand = Demand { calls_per_s, handle_s: 180.0, patience_s: 120.0 };
            let found = Feasibility::of(&tiers, &demand, 10).unwrap();
            assert_eq!(
                (found.for_targets, found.for_floors),
                (Some(for_targets), Some(for_floors)),
                "{erlangs}"
            );
            assert!((found.targets - 0.8615).abs() < 1e-9 && (found.floors - 0.4075).abs() < 1e-9);
            assert_eq!(found.keeps_floors(), for_floors <= 10);
        }
    }

    #[test]
    fn nobody_calls_nothing_is_needed() {
        let demand = Demand { calls_per_s: vec![0.0; 4], handle_s: 180.0, patience_s: 120.0 };
        assert_eq!(Feasibility::of(&Contract::hotline(), &demand, 10), None);
    }
}
