//! Who calls and who answers, and what chance decides about them. The same seed draws the same people.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use base::{Rng, Seed};
use serde::Deserialize;

/// Shares of the callers by tier, in percent.
const SHARES: [(&str, u64); 4] = [("diamond", 5), ("gold", 15), ("silver", 30), ("ordinary", 50)];
/// How carriers write a number.
const PREFIXES: [&str; 4] = ["", "+86", "0", "0086"];

/// The sample directory: numbers by tier.
pub(super) struct Directory {
    numbers: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Row {
    number: String,
    tier: String,
}

impl Directory {
    /// Reads the CSV that `usher customers sample` writes.
    pub(super) fn read(path: &Path) -> Result<Directory, Box<dyn Error>> {
        let mut numbers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in csv::Reader::from_path(path)?.deserialize() {
            let Row { number, tier } = row?;
            numbers.entry(tier).or_default().push(number);
        }
        if numbers.is_empty() {
            return Err(format!("{}: nobody is in it", path.display()).into());
        }
        Ok(Directory { numbers })
    }

    /// A number as some carrier writes it.
    pub(super) fn draw(&self, rng: &mut Rng) -> String {
        let mut ticket = rng.below(100);
        let tier = SHARES.iter().find(|(_, share)| {
            let here = ticket < *share;
            ticket = ticket.saturating_sub(*share);
            here
        });
        let numbers =
            tier.and_then(|(tier, _)| self.numbers.get(*tier)).or_else(|| self.numbers.values().next());
        let number = numbers.and_then(|numbers| pick(rng, numbers)).cloned().unwrap_or_default();
        format!("{}{number}", pick(rng, &PREFIXES).copied().unwrap_or_default())
    }
}

/// One agent of the configuration.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Agent {
    pub(crate) number: String,
    pub(crate) secret: String,
}

/// The agents of `agents.toml`.
pub(crate) fn agents(path: &Path) -> Result<Vec<Agent>, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct File {
        agent: Vec<Agent>,
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(toml::from_str::<File>(&text).map_err(|error| format!("{}: {error}", path.display()))?.agent)
}

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A person, by one key of the first menu.
    Person,
    /// A person, for a complaint.
    Complaint,
    /// The balance, then perhaps a person.
    Balance,
    /// The progress of an order.
    Order,
}

/// One call as its caller will behave.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) number: String,
    pub(super) dialled: &'static str,
    pub(super) wish: Wish,
    /// Listens to the greeting for so long.
    pub(super) listens: Duration,
    /// Waits for a person for so long.
    pub(super) patience: Duration,
    /// Takes a callback when half of the patience is used up.
    pub(super) callback: bool,
    /// Hangs up himself after so long a talk.
    pub(super) talk_max: Duration,
    /// The survey's key; most give one.
    pub(super) score: Option<char>,
    /// Before the next caller takes this place.
    pub(super) pause: Duration,
}

impl Caller {
    pub(super) fn draw(directory: &Directory, rng: &mut Rng) -> Caller {
        let self_service = rng.below(100) < 6;
        let wish = match rng.below(100) {
            0..6 => Wish::Balance,
            6..9 => Wish::Order,
            9..14 if !self_service => Wish::Complaint,
            _ if self_service => Wish::Balance,
            _ => Wish::Person,
        };
        Caller {
            number: directory.draw(rng),
            dialled: if self_service { "10001" } else { "10000" },
            wish,
            listens: between(rng, 1.0, 3.5),
            patience: exponential(rng, 30.0, 10.0, 120.0),
            callback: rng.below(100) < 8,
            talk_max: between(rng, 8.0, 30.0),
            score: (rng.below(100) < 80).then(|| char::from(b'1' + u8::try_from(rng.below(5)).unwrap_or(0))),
            pause: between(rng, 1.0, 6.0),
        }
    }
}

/// One call as the agent will behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub(super) rings: Duration,
    pub(super) talk: Duration,
    /// Who ends the talk: the agent in most cases.
    pub(super) hangs_up: bool,
    /// Ends the wrap-up himself after so long.
    pub(super) wrap_up: Option<Duration>,
}

impl Service {
    pub(super) fn draw(rng: &mut Rng) -> Service {
        Service {
            rings: between(rng, 0.3, 1.5),
            talk: exponential(rng, 5.0, 2.5, 20.0),
            hangs_up: rng.below(100) < 85,
            wrap_up: (rng.below(100) < 80).then(|| between(rng, 0.5, 1.5)),
        }
    }
}

/// A generator for person number `index` of a kind.
pub(super) fn chance(seed: u64, kind: u64, index: usize) -> Rng {
    Rng::new(Seed([seed ^ (kind << 32), u64::try_from(index).unwrap_or(u64::MAX)]))
}

pub(super) fn between(rng: &mut Rng, low_s: f64, high_s: f64) -> Duration {
    Duration::from_secs_f64(low_s + (high_s - low_s) * rng.unit())
}

/// Exponential of the given mean, held within bounds.
fn exponential(rng: &mut Rng, mean_s: f64, low_s: f64, high_s: f64) -> Duration {
    Duration::from_secs_f64((-(1.0 - rng.unit()).ln() * mean_s).clamp(low_s, high_s))
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> Option<&'a T> {
    let index = rng.below(u64::try_from(from.len()).ok()?);
    from.get(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_callers_in_the_shares_of_the_tiers() {
        let numbers = SHARES.map(|(tier, _)| (tier.to_owned(), vec![tier.to_owned()]));
        let directory = Directory { numbers: numbers.into() };
        let drawn = |seed| {
            let mut rng = chance(seed, 1, 0);
            (0..2000).map(|_| Caller::draw(&directory, &mut rng).number).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        for (tier, share) in SHARES {
            let count = drawn(1).iter().filter(|number| number.ends_with(tier)).count() as u64;
            assert!(count.abs_diff(share * 20) < 60, "{tier}: {count}");
        }
    }
}
