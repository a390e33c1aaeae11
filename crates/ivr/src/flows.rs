//! All flows of one configuration.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Finding;

use crate::check;
use crate::io::Name;
use crate::parse;
use crate::verb::Verb;
use crate::words::Named;

/// One flow file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name, as the person who wrote it knows it.
    pub file: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// What the rest of the configuration offers to flows.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Prompt names by voice (`zh`, `en`): one set per folder.
    pub prompts: BTreeMap<String, BTreeSet<String>>,
    /// Queue names.
    pub queues: BTreeSet<String>,
    /// Skill names.
    pub skills: BTreeSet<String>,
    /// Tier names.
    pub tiers: BTreeSet<String>,
}

/// Every flow, and which number and tier enters where.
#[derive(Default)]
pub struct Flows {
    pub(crate) flows: BTreeMap<Name, Flow>,
    pub(crate) entries: BTreeMap<Name, Entry>,
    /// Text of the parts that could not be read or have mistakes: what they speak of may exist.
    pub(crate) unread: Vec<Box<str>>,
}

/// How many: an interpreter's `Debug` should fit on a page.
impl fmt::Debug for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} flows", self.flows.len())
    }
}

/// One flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    pub(crate) start: Named,
    pub(crate) steps: BTreeMap<Name, Arc<Step>>,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: u32,
    pub(crate) verb: Verb,
}

/// One number dialled.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    /// Flow by tier.
    pub(crate) tiers: BTreeMap<Name, Named>,
    /// For every other tier.
    pub(crate) any: Option<Named>,
}

/// What [`Flows::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The switch must not start.
    pub errors: Vec<Finding>,
    /// Worth a line.
    pub warnings: Vec<Finding>,
}

impl Flows {
    /// Parses all files as one whole.
    ///
    /// # Errors
    /// Every mistake found, in the order of the files.
    pub fn parse(sources: &[Source<'_>]) -> Result<Flows, Vec<Finding>> {
        let (flows, findings) = Self::read(sources);
        if findings.is_empty() { Ok(flows) } else { Err(findings) }
    }

    /// Reads what can be read, with every mistake of the rest: so that [`Flows::check`] can hold the readable parts
    /// against each other in the same round. Flows read with a mistake are not to be run.
    pub fn read(sources: &[Source<'_>]) -> (Flows, Vec<Finding>) {
        parse::flows(sources)
    }

    /// Holds the flows against each other and against what exists: every target, prompt (in every voice), queue, skill
    /// and variable, and that a caller who does nothing comes to an end.
    pub fn check(&self, vocabulary: &Vocabulary) -> Checked {
        check::check(self, vocabulary)
    }

    /// Name of the flow for a caller of `tier` who dialled `number`.
    pub fn entry(&self, number: &str, tier: &str) -> Option<&Name> {
        let entry = self.entries.get(number)?;
        entry.tiers.get(tier).or(entry.any.as_ref()).map(|flow| &flow.name)
    }

    /// Whether `name` may exist in a part that could not be read: that it is missing is then no second mistake.
    pub fn may_have(&self, name: &str) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        self.unread.iter().any(|text| text.split(|c| !is_word(c)).any(|word| word == name))
    }

    /// Whether a flow of this name exists.
    pub fn contains(&self, flow: &str) -> bool {
        self.flows.contains_key(flow)
    }

    /// Every flow's name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.flows.keys().map(|name| &**name)
    }

    /// Every number that enters a flow.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(|name| &**name)
    }

    /// Every prompt that a step names: what a voice's folder must have besides [`crate::say::pieces`].
    pub fn prompts(&self) -> BTreeSet<&str> {
        let steps = self.flows.values().flat_map(|flow| flow.steps.values());
        steps.flat_map(|step| check::prompts(&step.verb)).map(|prompt| &*prompt.name).collect()
    }

    pub(crate) fn step(&self, flow: &str, step: &str) -> Option<&Arc<Step>> {
        self.flows.get(flow)?.steps.get(step)
    }
}
