//! Who may take what. Agents with the same queues and skills share a *profile*. Calls of one queue with the same wishes
//! are one *account*; those of them whom the same agents may take now stand in one *line*, for wishes relax with time.
//! Which profiles fit which line is worked out once, when the line is first needed; from then on an agent's change
//! touches his profile and a call's change its line, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Instant, SkillKey};

use crate::choice::AgentChoice;
use crate::requirement::Requirement;
use crate::tables::{AccountIx, AgentIx, CallbackIx, IdleKey, LineIx, Place, ProfileIx, Queue, QueueIx};

/// Skills with their levels, sorted by skill.
pub(crate) type Skills = Vec<(SkillKey, u8)>;

/// Agents who may take the same calls.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) queues: Vec<QueueIx>,
    pub(crate) skills: Skills,
    pub(crate) group: u16,
    /// Free agents in the order in which they are chosen.
    pub(crate) idle: BTreeSet<(IdleKey, AgentIx)>,
    pub(crate) on_duty: usize,
    /// Since when nobody of it is on duty.
    pub(crate) unmanned_since: Option<Instant>,
    pub(crate) logged_in: usize,
    pub(crate) lines: Vec<LineIx>,
}

/// Calls of one queue with the same wishes.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) queue: QueueIx,
    pub(crate) needs: Requirement,
    /// Its line after so many relaxation steps; the second with reinforcement.
    pub(crate) lines: Vec<[Option<LineIx>; 2]>,
    /// Calls and promises of this account.
    pub(crate) members: usize,
}

/// The profiles that fit a line.
#[derive(Debug)]
pub(crate) struct Fit {
    members: Vec<u64>,
    /// By what the choice of agents says of a profile: the best first.
    pub(crate) best_first: Vec<(StaticKey, ProfileIx)>,
}

/// What the choice of agents says of a profile; the least is chosen.
pub(crate) type StaticKey = (u32, u32);

impl Fit {
    pub(crate) fn has(&self, ix: ProfileIx) -> bool {
        self.members.get(ix.at() / 64).is_some_and(|word| word >> (ix.at() % 64) & 1 == 1)
    }
}

/// Calls of one account that the same agents may take.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) account: AccountIx,
    pub(crate) needs: Requirement,
    pub(crate) fit: Arc<Fit>,
    /// Per tier, in order.
    pub(crate) tiers: Vec<BTreeSet<Place>>,
    /// The first of each tier.
    pub(crate) heads: Vec<Place>,
    pub(crate) waiting: usize,
    /// Promises that may be kept now, by when they are due.
    pub(crate) promised: BTreeSet<(Instant, CallbackIx)>,
}

/// The tables and what is non-empty in them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) choice: AgentChoice,
    pub(crate) profiles: Vec<Profile>,
    profile_of: BTreeMap<(Vec<QueueIx>, Skills, u16), ProfileIx>,
    pub(crate) lines: Vec<Option<Line>>,
    spare_lines: Vec<LineIx>,
    fits: BTreeMap<(Vec<QueueIx>, Requirement), Arc<Fit>>,
    /// Lines with calls.
    pub(crate) busy: BTreeSet<LineIx>,
    /// Lines with promises that may be kept.
    pub(crate) promised: BTreeSet<LineIx>,
    /// Profiles with free agents.
    pub(crate) idle: BTreeSet<ProfileIx>,
    /// All free agents in the order in which they are chosen; kept only in houses with many profiles.
    free: BTreeSet<(IdleKey, AgentIx)>,
}

/// Up to so many profiles are simply all looked at.
const FEW: usize = 32;
/// So many free agents are looked at before the best of a few profiles will do.
const LOOKS: usize = 256;

impl Index {
    pub(crate) fn new(choice: AgentChoice) -> Index {
        Index { choice, ..Index::default() }
    }

    /// The profile of these queues and skills (both sorted), made if it is new.
    pub(crate) fn profile(&mut self, queues: Vec<QueueIx>, skills: Skills, group: u16) -> ProfileIx {
        if let Some(&known) = self.profile_of.get(&(queues.clone(), skills.clone(), group)) {
            return known;
        }
        let ix = ProfileIx::new(self.profiles.len());
        self.profile_of.insert((queues.clone(), skills.clone(), group), ix);
        self.profiles.push(Profile {
            queues,
            skills,
            group,
            idle: BTreeSet::new(),
            on_duty: 0,
            unmanned_since: Some(Instant::ZERO),
            logged_in: 0,
            lines: Vec::new(),
        });
        ix
    }

    /// A new line for the account, whose calls agents of `queues` who fulfil `needs` may take; `candidates` are the
    /// profiles of those queues. `None`: there are `limit` lines.
    pub(crate) fn line(
        &mut self,
        account: AccountIx,
        queues: Vec<QueueIx>,
        needs: Requirement,
        candidates: impl FnOnce() -> BTreeSet<ProfileIx>,
        limit: usize,
    ) -> Option<LineIx> {
        let ix = match self.spare_lines.pop() {
            Some(spare) => spare,
            None if self.lines.len() < limit => {
                self.lines.push(None);
                LineIx::new(self.lines.len() - 1)
            }
            None => return None,
        };
        let key = (queues, needs);
        let fit = match self.fits.get(&key) {
            Some(fit) => Arc::clone(fit),
            None => {
                let fit = Arc::new(self.fit(&key.1, candidates()));
                self.fits.insert(key.clone(), Arc::clone(&fit));
                fit
            }
        };
        for &(_, profile) in &fit.best_first {
            if let Some(profile) = self.profiles.get_mut(profile.at()) {
                profile.lines.push(ix);
            }
        }
        if let Some(row) = self.lines.get_mut(ix.at()) {
            *row = Some(Line {
                account,
                needs: key.1,
                fit,
                tiers: Vec::new(),
                heads: Vec::new(),
                waiting: 0,
                promised: BTreeSet::new(),
            });
        }
        Some(ix)
    }

    fn fit(&self, needs: &Requirement, candidates: BTreeSet<ProfileIx>) -> Fit {
        let mut members = vec![0u64; self.profiles.len().div_ceil(64)];
        let mut best_first = Vec::new();
        for ix in candidates {
            let Some(profile) = self.profile_at(ix).filter(|profile| needs.accepts(&profile.skills)) else {
                continue;
            };
            if let Some(word) = members.get_mut(ix.at() / 64) {
                *word |= 1 << (ix.at() % 64);
            }
            best_first.push((self.static_key(profile, needs), ix));
        }
        best_first.sort_unstable();
        Fit { members, best_first }
    }

    /// What the choice of agents says of a profile.
    fn static_key(&self, profile: &Profile, needs: &Requirement) -> StaticKey {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let asked = |skill: &SkillKey| needs.skills().any(|other| other == *skill);
        let levels = profile.skills.iter().filter(|(skill, _)| asked(skill));
        let lacking = u32::MAX - levels.map(|&(_, level)| u32::from(level)).sum::<u32>();
        match self.choice {
            AgentChoice::FewestOtherSkills => (count(profile.queues.len() + profile.skills.len()), lacking),
            AgentChoice::SkillLevel => (lacking, 0),
            AgentChoice::LongestIdle
            | AgentChoice::FewestCalls
            | AgentChoice::RoundRobin
            | AgentChoice::LeastOccupied
            | AgentChoice::RingAll => (0, 0),
        }
    }

    /// Gives a line without calls and promises up.
    pub(crate) fn drop_line(&mut self, ix: LineIx) {
        let Some(line) = self.lines.get_mut(ix.at()).and_then(Option::take) else { return };
        for &(_, profile) in &line.fit.best_first {
            if let Some(profile) = self.profiles.get_mut(profile.at()) {
                profile.lines.retain(|&other| other != ix);
            }
        }
        drop(line);
        self.fits.retain(|_, fit| Arc::strong_count(fit) > 1);
        self.spare_lines.push(ix);
    }

    pub(crate) fn profile_at(&self, ix: ProfileIx) -> Option<&Profile> {
        self.profiles.get(ix.at())
    }

    pub(crate) fn line_at(&self, ix: LineIx) -> Option<&Line> {
        self.lines.get(ix.at())?.as_ref()
    }

    fn line_mut(&mut self, ix: LineIx) -> Option<&mut Line> {
        self.lines.get_mut(ix.at())?.as_mut()
    }

    /// Puts a call in line.
    pub(crate) fn enlist(&mut self, ix: LineIx, tier: usize, place: Place) {
        let Some(line) = self.line_mut(ix) else { return };
        if line.tiers.len() <= tier {
            line.tiers.resize_with(tier + 1, BTreeSet::new);
            line.heads.resize(tier + 1, Place::NONE);
        }
        let (Some(calls), Some(head)) = (line.tiers.get_mut(tier), line.heads.get_mut(tier)) else { return };
        if calls.insert(place) {
            *head = place.min(*head);
            line.waiting += 1;
            if line.waiting == 1 {
                self.busy.insert(ix);
            }
        }
    }

    /// Takes a call out of line.
    pub(crate) fn delist(&mut self, ix: LineIx, tier: usize, place: Place) {
        let Some(line) = self.line_mut(ix) else { return };
        let (Some(calls), Some(head)) = (line.tiers.get_mut(tier), line.heads.get_mut(tier)) else { return };
        if calls.remove(&place) {
            if *head == place {
                *head = calls.first().copied().unwrap_or(Place::NONE);
            }
            line.waiting -= 1;
            if line.waiting == 0 {
                self.busy.remove(&ix);
            }
        }
    }

    /// A promise may be kept from now on.
    pub(crate) fn promise(&mut self, ix: LineIx, due: Instant, callback: CallbackIx) {
        if let Some(line) = self.line_mut(ix) {
            line.promised.insert((due, callback));
            self.promised.insert(ix);
        }
    }

    /// A promise may not be kept now.
    pub(crate) fn unpromise(&mut self, ix: LineIx, due: Instant, callback: CallbackIx) {
        if let Some(line) = self.line_mut(ix) {
            line.promised.remove(&(due, callback));
            if line.promised.is_empty() {
                self.promised.remove(&ix);
            }
        }
    }

    fn is_wide(&self) -> bool {
        self.profiles.len() > FEW
    }

    pub(crate) fn insert_idle(&mut self, ix: ProfileIx, key: IdleKey, agent: AgentIx) {
        if self.is_wide() {
            self.free.insert((key, agent));
        }
        if let Some(profile) = self.profiles.get_mut(ix.at()) {
            if profile.idle.is_empty() {
                self.idle.insert(ix);
            }
            profile.idle.insert((key, agent));
        }
    }

    pub(crate) fn remove_idle(&mut self, ix: ProfileIx, key: IdleKey, agent: AgentIx) {
        if self.is_wide() {
            self.free.remove(&(key, agent));
        }
        if let Some(profile) = self.profiles.get_mut(ix.at()) {
            profile.idle.remove(&(key, agent));
            if profile.idle.is_empty() {
                self.idle.remove(&ix);
            }
        }
    }

    /// Nobody is free.
    pub(crate) fn clear_idle(&mut self) {
        self.profiles.iter_mut().for_each(|profile| profile.idle.clear());
        self.idle.clear();
        self.free.clear();
    }

    /// Lines with calls that `profile` fits; looks through the shorter of the two lists.
    pub(crate) fn busy_for(&self, profile: ProfileIx) -> impl Iterator<Item = &Line> {
        let own = self.profile_at(profile).map_or(&[][..], |row| &row.lines);
        let by_profile = own.len() <= self.busy.len();
        // The list that is not looked through is not walked either.
        let (from_own, from_busy) = if by_profile { (usize::MAX, 0) } else { (0, usize::MAX) };
        let first = own.iter().take(from_own).filter_map(|&ix| self.line_at(ix));
        let second = self
            .busy
            .iter()
            .take(from_busy)
            .filter_map(|&ix| self.line_at(ix))
            .filter(move |line| line.fit.has(profile));
        first.filter(|line| line.waiting > 0).chain(second)
    }

    /// Profiles with free agents that fit the line.
    pub(crate) fn idle_for<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = (StaticKey, &'a Profile)> {
        let fits = &line.fit.best_first;
        let by_line = fits.len() <= self.idle.len();
        let (from_fits, from_idle) = if by_line { (usize::MAX, 0) } else { (0, usize::MAX) };
        let first = fits.iter().take(from_fits).filter_map(|&(key, ix)| Some((key, self.profile_at(ix)?)));
        let second = self
            .idle
            .iter()
            .take(from_idle)
            .copied()
            .filter(move |&ix| line.fit.has(ix))
            .filter_map(|ix| self.profile_at(ix))
            .map(move |profile| (self.static_key(profile, &line.needs), profile));
        first.chain(second).filter(|(_, profile)| !profile.idle.is_empty())
    }

    /// Whether some free agent fits both lines.
    pub(crate) fn share_idle(&self, one: &Line, other: &Line) -> bool {
        let both = |ix: &ProfileIx| one.fit.has(*ix) && other.fit.has(*ix);
        self.idle.iter().any(both)
    }

    /// Free agents who fit the line, counted until there are `enough`.
    pub(crate) fn idle_count(&self, line: LineIx, enough: u32) -> u32 {
        let Some(line) = self.line_at(line) else { return 0 };
        let mut count = 0u32;
        for (_, profile) in self.idle_for(line) {
            count = count.saturating_add(u32::try_from(profile.idle.len()).unwrap_or(u32::MAX));
            if count >= enough {
                break;
            }
        }
        count
    }

    /// The free agent to choose for a call of the line, among those who are `welcome`.
    pub(crate) fn best(
        &self,
        line: &Line,
        profile_of: impl Fn(AgentIx) -> Option<ProfileIx>,
        welcome: impl Fn(AgentIx) -> bool,
    ) -> Option<AgentIx> {
        let first_of = |profile: &Profile| profile.idle.iter().find(|&&(_, agent)| welcome(agent)).copied();
        let fits = &line.fit.best_first;
        if fits.len().min(self.idle.len()) <= FEW {
            let of_profile = |(key, profile)| first_of(profile).map(|(idle, agent)| (key, idle, agent));
            return self.idle_for(line).filter_map(of_profile).min().map(|(_, _, agent)| agent);
        }
        // Many kinds of agents are free. The best kind with somebody free; then who of that kind is first.
        let mut free = fits.iter().filter_map(|&(key, ix)| Some((key, first_of(self.profile_at(ix)?)?)));
        let (best, first) = free.next()?;
        let alike = free.take_while(|&(key, _)| key == best).map(|(_, first)| first);
        let (few, more) = (alike.take(FEW).min(), fits.len() > FEW);
        let of_few = few.map_or(first, |other| other.min(first));
        if more {
            let fitting = |ix: ProfileIx| {
                line.fit.has(ix)
                    && self.profile_at(ix).is_some_and(|row| self.static_key(row, &line.needs) == best)
            };
            let looked = self.free.iter().take(LOOKS);
            let found = looked
                .filter(|&&(_, agent)| profile_of(agent).is_some_and(fitting))
                .find(|&&(_, a)| welcome(a));
            return Some(found.copied().map_or(of_few, |other| other.min(of_few)).1);
        }
        Some(of_few.1)
    }

    /// Since when nobody is on duty for a queue. Asked of the profiles that serve it rather than kept: an agent of ten
    /// thousand queues changes one count.
    pub(crate) fn unmanned_since(&self, queue: &Queue) -> Option<Instant> {
        let mut serving = queue.profiles.iter().filter_map(|&ix| self.profile_at(ix));
        serving.try_fold(queue.manned_until, |latest, profile| Some(latest.max(profile.unmanned_since?)))
    }

    /// Agents on duty who fit the line.
    pub(crate) fn on_duty(&self, line: LineIx) -> usize {
        let fits = self.line_at(line).map_or(&[][..], |line| &line.fit.best_first);
        fits.iter().filter_map(|&(_, ix)| self.profile_at(ix)).map(|profile| profile.on_duty).sum()
    }
}
