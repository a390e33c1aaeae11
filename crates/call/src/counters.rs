//! Everything the switch counts, by name and label.

use std::collections::BTreeMap;

use crate::view::Counter;

/// Labels per name at most; what comes later is counted under `other`.
const LABELS_MAX: usize = 64;

/// Monotonic counters. Names are the code's, labels are few and never a peer's bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters(BTreeMap<&'static str, BTreeMap<&'static str, u64>>);

impl Counters {
    /// One more.
    pub(crate) fn count(&mut self, name: &'static str, label: &'static str) {
        self.add(name, label, 1);
    }

    /// `more` more.
    pub(crate) fn add(&mut self, name: &'static str, label: &'static str, more: u64) {
        let labels = self.0.entry(name).or_default();
        let label = if labels.len() >= LABELS_MAX && !labels.contains_key(label) { "other" } else { label };
        let value = labels.entry(label).or_default();
        *value = value.saturating_add(more);
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<Counter> {
        let each = self
            .0
            .iter()
            .flat_map(|(name, labels)| labels.iter().map(move |(label, value)| (name, label, value)));
        each.map(|(name, label, value)| Counter { name, label: (*label).to_owned(), value: *value }).collect()
    }
}
