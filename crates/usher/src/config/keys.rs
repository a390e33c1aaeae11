//! Keys of named things, the same after a reload as before it.

use std::collections::BTreeMap;

/// Names and their numbers. A name that went keeps its number, so that a live call never means
/// somebody else.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, usize>);

impl Names {
    /// The number of `name`, a new one at its first mention.
    pub fn number(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    /// The number of `name`, if it was ever mentioned.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// Every name.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Keys of everything that has a name in the config, kept for the life of the process.
#[derive(Clone, Debug, Default)]
pub struct KeyBook {
    /// Agents by number.
    pub agents: Names,
    /// Queues by name.
    pub queues: Names,
    /// Skills by name.
    pub skills: Names,
    /// Trunks by name.
    pub trunks: Names,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_numbers() {
        let mut names = Names::default();
        assert_eq!((names.number("b"), names.number("a"), names.number("b")), (0, 1, 0));
        assert_eq!(names.find("c"), None);
    }
}
