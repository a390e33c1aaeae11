//! Which waiting call a free agent gets. One file per policy and one line in [`PolicyKind`].

/// The policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PolicyKind {
    /// The oldest call, whatever its tier.
    Fcfs,
    /// Tiers in value order, the oldest within.
    Strict,
    /// Answer rates by contract.
    #[default]
    Debt3,
}

impl PolicyKind {
    /// Every policy.
    pub const ALL: &'static [PolicyKind] = &[PolicyKind::Fcfs, PolicyKind::Strict, PolicyKind::Debt3];

    /// The name in configs.
    pub const fn word(self) -> &'static str {
        match self {
            PolicyKind::Fcfs => "fcfs",
            PolicyKind::Strict => "strict",
            PolicyKind::Debt3 => "debt3",
        }
    }

    /// The policy of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}
