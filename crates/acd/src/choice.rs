//! Which free agent a call gets.

/// The ways to choose. Ties go to the one who has been free longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum AgentChoice {
    /// Who has been free longest.
    LongestIdle,
    /// Who has the fewest queues and skills besides, so that the versatile stay free for others; between equals
    /// the best at the skills asked for.
    #[default]
    FewestOtherSkills,
    /// Who is best at the skills asked for.
    SkillLevel,
    /// Who has answered the fewest calls.
    FewestCalls,
    /// Who was rung longest ago.
    RoundRobin,
    /// Who has worked the smallest share of his time of late.
    LeastOccupied,
    /// Several at once, those free longest; the first to pick up has the call.
    RingAll,
}

impl AgentChoice {
    /// Every way.
    pub const ALL: &'static [AgentChoice] = &[
        AgentChoice::LongestIdle,
        AgentChoice::FewestOtherSkills,
        AgentChoice::SkillLevel,
        AgentChoice::FewestCalls,
        AgentChoice::RoundRobin,
        AgentChoice::LeastOccupied,
        AgentChoice::RingAll,
    ];

    /// The name in configs.
    pub const fn word(self) -> &'static str {
        match self {
            AgentChoice::LongestIdle => "longest-idle",
            AgentChoice::FewestOtherSkills => "fewest-other-skills",
            AgentChoice::SkillLevel => "skill-level",
            AgentChoice::FewestCalls => "fewest-calls",
            AgentChoice::RoundRobin => "round-robin",
            AgentChoice::LeastOccupied => "least-occupied",
            AgentChoice::RingAll => "ring-all",
        }
    }

    /// The way of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|choice| choice.word() == word)
    }
}
