//! Numbers: how they are brought to one form, and what each one reaches.

use std::collections::BTreeMap;

use base::{AgentKey, QueueKey, TrunkKey};

use crate::settings::{Feature, Settings};

/// Longest number that is looked at, in characters (E.164 has 15; dial strings and codes need more).
pub const DIGITS_MAX: usize = 32;

/// One rewriting rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The rule is for numbers that begin so.
    pub prefix: String,
    /// What stands there instead.
    pub replace: String,
    /// The rule is only for numbers of at least so many characters, prefix included: `86` is a
    /// country code before a mobile number and the start of a short local number.
    pub length_min: usize,
}

/// Rewriting rules, tried in order; the first that fits is applied, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// Rules that strip each of `prefixes` from numbers longer than `length_min`.
    pub fn strip<'a>(prefixes: impl IntoIterator<Item = &'a str>, length_min: usize) -> Self {
        let rule = |prefix: &str| Rule { prefix: prefix.to_owned(), replace: String::new(), length_min };
        Rules(prefixes.into_iter().map(rule).collect())
    }

    /// The canonical form of `number`, or `None` if it is not a number that can be dialled.
    pub fn apply(&self, number: &str) -> Option<String> {
        let plain = dialable(number)?;
        let fits = |rule: &&Rule| plain.len() >= rule.length_min.max(1) && plain.starts_with(&rule.prefix);
        Some(match self.0.iter().find(fits) {
            Some(rule) => format!("{}{}", rule.replace, plain.get(rule.prefix.len()..).unwrap_or_default()),
            None => plain,
        })
    }
}

/// `number` without visual separators (RFC 3966 §5.1.1). `None` if anything else than digits, `*`,
/// `#` and one leading `+` is left, if nothing is left, or if it is too long: what cannot be dialled
/// is refused, never passed on (toll fraud hides in odd tails).
pub fn dialable(number: &str) -> Option<String> {
    let plain: String =
        number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).take(DIGITS_MAX + 1).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    let good = !digits.is_empty()
        && plain.len() <= DIGITS_MAX
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*' || byte == b'#');
    good.then_some(plain)
}

/// What a number reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An emergency service's number.
    Emergency(String),
    /// A flow's entry number.
    Entry(String),
    /// A queue (agents refer callers to it).
    Queue(QueueKey),
    /// An agent.
    Agent(AgentKey),
    /// A code that changes the agent's state; `reason` is the digit behind it.
    Feature {
        /// What it does.
        feature: Feature,
        /// The digit behind the code.
        reason: Option<u8>,
    },
    /// An outside number.
    Outside {
        /// The number.
        number: String,
        /// The trunks that may carry it, best first.
        trunks: Vec<TrunkKey>,
    },
    /// Nothing.
    Unknown,
}

/// The directory of numbers, indexed.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    inside: BTreeMap<String, Destination>,
    features: BTreeMap<String, Feature>,
    outbound: Vec<(TrunkKey, Vec<String>)>,
}

impl Plan {
    /// The plan of `settings`. Where one number is given twice the order is: emergency, entries,
    /// queues, agents.
    pub fn new(settings: &Settings) -> Self {
        let mut inside = BTreeMap::new();
        for agent in &settings.agents {
            inside.insert(agent.number.clone(), Destination::Agent(agent.key));
        }
        for queue in settings.queues.iter().filter(|queue| !queue.number.is_empty()) {
            inside.insert(queue.number.clone(), Destination::Queue(queue.key));
        }
        for entry in settings.flows.numbers() {
            inside.insert(entry.to_owned(), Destination::Entry(entry.to_owned()));
        }
        for number in &settings.emergency {
            inside.insert(number.clone(), Destination::Emergency(number.clone()));
        }
        let outbound = settings.trunks.iter().map(|trunk| (trunk.key, trunk.outbound.clone())).collect();
        Plan { inside, features: settings.features.clone(), outbound }
    }

    /// What a caller on a trunk reaches by `number` (canonical): entry numbers only. A trunk never
    /// reaches another trunk, an agent or a code.
    pub fn from_trunk(&self, number: &str) -> Destination {
        match self.inside.get(number) {
            Some(entry @ Destination::Entry(_)) => entry.clone(),
            _ => Destination::Unknown,
        }
    }

    /// The agent with this number.
    pub fn agent(&self, number: &str) -> Option<AgentKey> {
        match self.inside.get(number) {
            Some(Destination::Agent(agent)) => Some(*agent),
            _ => None,
        }
    }

    /// What an agent reaches by dialling or referring to `dialled`.
    pub fn from_agent(&self, dialled: &str) -> Destination {
        let Some(number) = dialable(dialled) else { return Destination::Unknown };
        if let Some(found) = self.inside.get(&number) {
            return found.clone();
        }
        if let Some((feature, reason)) = self.feature(&number) {
            return Destination::Feature { feature, reason };
        }
        if number.contains(['*', '#']) {
            return Destination::Unknown;
        }
        let carries =
            |prefixes: &Vec<String>| prefixes.iter().any(|prefix| number.starts_with(prefix.as_str()));
        let trunks: Vec<_> = self.outbound.iter().filter(|(_, p)| carries(p)).map(|(key, _)| *key).collect();
        if trunks.is_empty() { Destination::Unknown } else { Destination::Outside { number, trunks } }
    }

    /// A code alone, or a code followed by one reason digit where the code takes one.
    fn feature(&self, number: &str) -> Option<(Feature, Option<u8>)> {
        if let Some(&feature) = self.features.get(number) {
            return Some((feature, None));
        }
        let last = number.bytes().last().filter(u8::is_ascii_digit)?;
        let code = number.get(..number.len() - 1)?;
        let feature = self.features.get(code).copied().filter(|&feature| feature == Feature::NotReady)?;
        Some((feature, Some(last - b'0')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_one_form() {
        let rules = Rules::strip(["+86", "0086", "86", "0"], 8);
        let forms = ["+86 13800138000", "+8613800138000", "8613800138000", "013800138000", "138-0013-8000"];
        let canonical: Vec<_> = forms.iter().map(|form| rules.apply(form)).collect();
        assert_eq!(canonical[0], None, "a blank is no visual separator");
        assert!(canonical[1..].iter().all(|n| n.as_deref() == Some("13800138000")), "{canonical:?}");
        assert_eq!(rules.apply("10000").as_deref(), Some("10000"));
        assert_eq!(rules.apply("861234").as_deref(), Some("861234"), "too short for a country code");
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        for bad in ["", "+", "alice", "10000%20", "1+2", "１２", "10000;x=1"] {
            assert_eq!(dialable(bad), None, "{bad}");
        }
        assert_eq!(dialable(&"1".repeat(DIGITS_MAX + 1)), None);
        assert_eq!(dialable("*11#").as_deref(), Some("*11#"));
    }

    #[test]
    fn a_code_takes_a_reason_digit() {
        let features =
            BTreeMap::from([("*10".to_owned(), Feature::Ready), ("*11".to_owned(), Feature::NotReady)]);
        let plan = Plan { features, ..Plan::default() };
        assert_eq!(plan.from_agent("*10"), Destination::Feature { feature: Feature::Ready, reason: None });
        assert_eq!(
            plan.from_agent("*113"),
            Destination::Feature { feature: Feature::NotReady, reason: Some(3) }
        );
        assert_eq!(plan.from_agent("*103"), Destination::Unknown);
    }

    #[test]
    fn a_trunk_reaches_entries_only() {
        let entry = Destination::Entry("10000".to_owned());
        let inside = BTreeMap::from([
            ("10000".to_owned(), entry.clone()),
            ("1024".to_owned(), Destination::Agent(AgentKey(1))),
            ("110".to_owned(), Destination::Emergency("110".to_owned())),
        ]);
        let plan = Plan { inside, outbound: vec![(TrunkKey(0), vec![String::new()])], ..Plan::default() };
        assert_eq!(plan.from_trunk("10000"), entry);
        assert_eq!(plan.from_trunk("1024"), Destination::Unknown);
        assert_eq!(plan.from_trunk("110"), Destination::Unknown);
        assert_eq!(plan.from_trunk("13800138000"), Destination::Unknown);
        let outside = Destination::Outside { number: "13800138000".to_owned(), trunks: vec![TrunkKey(0)] };
        assert_eq!(plan.from_agent("138-0013-8000"), outside);
    }
}
