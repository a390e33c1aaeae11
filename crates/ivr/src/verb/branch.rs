//! `branch`: goes on by the value of a variable.

use std::collections::BTreeMap;

use super::{Behaviour, Refs};
use crate::desk::{Desk, Event, Next};
use crate::io::Name;
use crate::read::Reader;
use crate::words::{Named, Target};

/// Keys: `on` (variable), `is` (`{ value = "step" }`), `ranges` (`[{ from = 0, below = 800, next = "step" }]`, for whole
/// numbers, first fitting one wins), `empty` (never set), `default`.
#[derive(Debug)]
pub(crate) struct Branch {
    on: Named,
    is: BTreeMap<Name, Target>,
    ranges: Vec<(i64, i64, Target)>,
    empty: Option<Target>,
    default: Target,
}

impl Behaviour for Branch {
    const WORD: &'static str = "branch";
    type Run = ();

    fn read(step: &mut Reader<'_>) -> Self {
        Branch {
            on: step.variable("on"),
            is: step.targets("is"),
            ranges: step.ranges("ranges"),
            empty: step.target_or("empty"),
            default: step.target("default"),
        }
    }

    fn refs<'a>(&'a self, refs: &mut Refs<'a>) {
        refs.reads.push(&self.on);
        if &*self.on.name == "tier" {
            refs.tiers.extend(self.is.iter().map(|(tier, target)| (tier, target.line)));
        }
        refs.silent.extend(self.is.values().chain(self.ranges.iter().map(|(_, _, target)| target)));
        refs.silent.extend(&self.empty);
        refs.silent.push(&self.default);
    }

    fn on(&self, (): &mut (), desk: &mut Desk, _event: Event) -> Next {
        let value = desk.vars.get(&self.on.name);
        if let Some(target) = self.empty.as_ref().filter(|_| value.is_empty()) {
            return Next::go(target);
        }
        if let Some(target) = self.is.get(value) {
            return Next::go(target);
        }
        let number = value.parse::<i64>().ok();
        let within = |from: i64, below: i64| number.is_some_and(|n| (from..below).contains(&n));
        let range = self.ranges.iter().find(|&&(from, below, _)| within(from, below));
        Next::go(range.map_or(&self.default, |(_, _, target)| target))
    }
}
