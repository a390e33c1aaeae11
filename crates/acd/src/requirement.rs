//! What a call asks of an agent: skills joined by "and" and "or", each with a lowest level.

use base::SkillKey;

/// One skill and its lowest level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// Skill.
    pub skill: SkillKey,
    /// Lowest level, 1-10; 0 is taken as 1.
    pub level: u8,
}

/// An expression in disjunctive form: any of the alternatives, all needs of it. Kept sorted and without
/// repetitions, so that equal wishes are equal values and share one index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Requirement {
    alternatives: Vec<Vec<Need>>,
}

/// Most alternatives of a requirement, and most needs of an alternative.
pub const TERMS_MAX: usize = 16;

/// A requirement with more than [`TERMS_MAX`] alternatives or needs in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooComplex;

impl Requirement {
    /// Anybody of the queue.
    pub const fn none() -> Self {
        Requirement { alternatives: Vec::new() }
    }

    /// One skill at this level or better.
    pub fn skill(skill: SkillKey, level: u8) -> Self {
        Requirement { alternatives: vec![vec![Need { skill, level: level.clamp(1, 10) }]] }
    }

    /// All of these skills, each at its level or better. None of them: anybody.
    ///
    /// # Errors
    /// [`TooComplex`] above [`TERMS_MAX`] skills.
    pub fn all(needs: impl IntoIterator<Item = (SkillKey, u8)>) -> Result<Self, TooComplex> {
        needs
            .into_iter()
            .try_fold(Self::none(), |so_far, (skill, level)| so_far.and(&Self::skill(skill, level)))
    }

    /// Both of two.
    ///
    /// # Errors
    /// [`TooComplex`] if the result has too many terms.
    pub fn and(&self, other: &Self) -> Result<Self, TooComplex> {
        if self.is_none() {
            return Ok(other.clone());
        }
        if other.is_none() {
            return Ok(self.clone());
        }
        let pairs = self.alternatives.iter().flat_map(|a| other.alternatives.iter().map(move |b| (a, b)));
        Self::normal(pairs.map(|(a, b)| a.iter().chain(b).copied().collect()).collect())
    }

    /// Either of two. With [`Requirement::none`] it is none: anybody will do.
    ///
    /// # Errors
    /// [`TooComplex`] if the result has too many terms.
    pub fn or(&self, other: &Self) -> Result<Self, TooComplex> {
        if self.is_none() || other.is_none() {
            return Ok(Self::none());
        }
        Self::normal(self.alternatives.iter().chain(&other.alternatives).cloned().collect())
    }

    /// Whether anybody will do.
    pub fn is_none(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// Whether these skills (sorted by key) fulfil it.
    pub fn accepts(&self, skills: &[(SkillKey, u8)]) -> bool {
        self.is_none() || self.alternatives.iter().any(|needs| needs.iter().all(|need| level(skills, need)))
    }

    /// Every minimum level lower by `by`, not below 1.
    #[must_use]
    pub fn lowered(&self, by: u8) -> Self {
        let lower = |need: &Need| Need { level: need.level.saturating_sub(by).max(1), ..*need };
        let terms = self.alternatives.iter().map(|needs| needs.iter().map(lower).collect()).collect();
        Self::normal(terms).unwrap_or_else(|TooComplex| self.clone())
    }

    /// Without asking for `skill`.
    #[must_use]
    pub fn without(&self, skill: SkillKey) -> Self {
        let keep = |needs: &Vec<Need>| needs.iter().copied().filter(|need| need.skill != skill).collect();
        let terms: Vec<Vec<Need>> = self.alternatives.iter().map(keep).collect();
        if terms.iter().any(Vec::is_empty) {
            return Self::none();
        }
        Self::normal(terms).unwrap_or_else(|TooComplex| self.clone())
    }

    /// The skills asked for in any alternative.
    pub fn skills(&self) -> impl Iterator<Item = SkillKey> {
        self.alternatives.iter().flatten().map(|need| need.skill)
    }

    fn normal(mut terms: Vec<Vec<Need>>) -> Result<Self, TooComplex> {
        for needs in &mut terms {
            // By skill, the highest level first: the strictest of several needs of a skill stays.
            needs.sort_unstable_by_key(|need| (need.skill, core::cmp::Reverse(need.level)));
            needs.dedup_by_key(|need| need.skill);
        }
        terms.sort_unstable();
        terms.dedup();
        if terms.len() > TERMS_MAX || terms.iter().any(|needs| needs.len() > TERMS_MAX) {
            return Err(TooComplex);
        }
        Ok(Requirement { alternatives: terms })
    }
}

fn level(skills: &[(SkillKey, u8)], need: &Need) -> bool {
    skills
        .binary_search_by_key(&need.skill, |&(skill, _)| skill)
        .ok()
        .and_then(|at| skills.get(at))
        .is_some_and(|&(_, level)| level >= need.level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EN: SkillKey = SkillKey(1);
    const FIBRE: SkillKey = SkillKey(2);

    #[test]
    fn and_or_and_levels() {
        let both = Requirement::all([(FIBRE, 3), (EN, 5)]).unwrap();
        assert!(both.accepts(&[(EN, 5), (FIBRE, 3)]));
        assert!(!both.accepts(&[(EN, 4), (FIBRE, 9)]));
        assert!(!both.accepts(&[(EN, 10)]));
        let either = Requirement::skill(EN, 5).or(&Requirement::skill(FIBRE, 1)).unwrap();
        assert!(either.accepts(&[(FIBRE, 1)]));
        assert!(!either.accepts(&[]));
        assert!(Requirement::none().accepts(&[]));
        assert!(either.or(&Requirement::none()).unwrap().is_none());
    }

    #[test]
    fn equal_wishes_are_equal_values() {
        let one = Requirement::all([(EN, 5), (FIBRE, 3), (EN, 2)]).unwrap();
        let two = Requirement::all([(FIBRE, 3), (EN, 5)]).unwrap();
        assert_eq!(one, two);
    }

    #[test]
    fn relaxing_only_widens() {
        let both = Requirement::all([(FIBRE, 3), (EN, 5)]).unwrap();
        assert!(both.lowered(2).accepts(&[(EN, 3), (FIBRE, 1)]));
        assert!(both.lowered(9).accepts(&[(EN, 1), (FIBRE, 1)]));
        assert!(both.without(EN).accepts(&[(FIBRE, 3)]));
        assert!(both.without(EN).without(FIBRE).is_none());
    }

    #[test]
    fn terms_are_limited() {
        let many = (0..20u16).map(|n| (SkillKey(n), 1));
        assert_eq!(Requirement::all(many), Err(TooComplex));
    }
}
