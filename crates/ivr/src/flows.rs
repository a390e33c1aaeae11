//! All flows of one configuration.

use std::collections::{BTreeMap, BTreeSet};

use base::Finding;

use crate::io::Name;

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

/// Every flow and which number and tier enters where.
#[derive(Clone, Debug, Default)]
pub struct Flows {}

impl Flows {
    /// Parses all files as one whole.
    ///
    /// # Errors
    /// Every mistake found, in the order of the files.
    pub fn parse(_sources: &[Source<'_>]) -> Result<Flows, Vec<Finding>> {
        Ok(Flows::default())
    }

    /// Holds the flows against what exists. Errors first in the list's first part, warnings in its second.
    pub fn check(&self, _vocabulary: &Vocabulary) -> Checked {
        Checked::default()
    }

    /// Name of the flow for a caller of `tier` who dialled `number`.
    pub fn entry(&self, _number: &str, _tier: &str) -> Option<&Name> {
        None
    }

    /// Whether a flow of this name exists.
    pub fn contains(&self, _flow: &str) -> bool {
        false
    }

    /// Every number that enters a flow.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        core::iter::empty()
    }
}

/// What [`Flows::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The switch must not start.
    pub errors: Vec<Finding>,
    /// Worth a line.
    pub warnings: Vec<Finding>,
}
