//! Who may take what. Agents with the same queues and skills share a *profile*; calls with the same queues and
//! wishes share a *signature*. Which profiles fit which signatures is worked out once, when a signature is first
//! seen; from then on an agent's change touches his profile and a call's change its signature, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use base::SkillKey;

use crate::requirement::Requirement;
use crate::tables::{AgentIx, CallIx, Order, ProfileIx, QueueIx, SignatureIx};

/// Skills with their levels, sorted by skill.
pub(crate) type Skills = Vec<(SkillKey, u8)>;

/// Agents who may take the same calls.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) queues: Vec<QueueIx>,
    pub(crate) skills: Skills,
    /// Free agents in the order in which they are chosen.
    pub(crate) idle: BTreeSet<((u64, u64), AgentIx)>,
    pub(crate) on_duty: usize,
    pub(crate) logged_in: usize,
    pub(crate) signatures: Vec<SignatureIx>,
    /// Tiers (by bit) of which a call that this profile fits has ever waited.
    pub(crate) serves: u64,
}

/// Calls that the same agents may take.
#[derive(Debug)]
pub(crate) struct Signature {
    queues: Vec<QueueIx>,
    pub(crate) needs: Requirement,
    /// Sorted.
    pub(crate) profiles: Vec<ProfileIx>,
    /// Per tier, in order.
    pub(crate) lines: Vec<BTreeSet<(Order, CallIx)>>,
    pub(crate) waiting: usize,
    tiers: u64,
}

/// The two tables and what is non-empty in them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) profiles: Vec<Profile>,
    profile_of: BTreeMap<(Vec<QueueIx>, Skills), ProfileIx>,
    pub(crate) signatures: Vec<Signature>,
    signature_of: BTreeMap<(Vec<QueueIx>, Requirement), SignatureIx>,
    /// Signatures with calls in line.
    pub(crate) busy: BTreeSet<SignatureIx>,
    /// Profiles with free agents.
    pub(crate) idle: BTreeSet<ProfileIx>,
}

impl Index {
    /// The profile of these queues and skills (both sorted), made if it is new.
    pub(crate) fn profile(&mut self, queues: Vec<QueueIx>, skills: Skills) -> ProfileIx {
        if let Some(&known) = self.profile_of.get(&(queues.clone(), skills.clone())) {
            return known;
        }
        let ix = ProfileIx::new(self.profiles.len());
        self.profile_of.insert((queues.clone(), skills.clone()), ix);
        self.profiles.push(Profile {
            queues,
            skills,
            idle: BTreeSet::new(),
            on_duty: 0,
            logged_in: 0,
            signatures: Vec::new(),
            serves: 0,
        });
        ix
    }

    /// The signature of these queues and wishes, made if it is new. `None`: as many as allowed are in use.
    pub(crate) fn signature(
        &mut self,
        queues: Vec<QueueIx>,
        needs: &Requirement,
        candidates: impl Fn() -> BTreeSet<ProfileIx>,
        limit: usize,
    ) -> Option<SignatureIx> {
        let key = (queues, needs.clone());
        if let Some(&known) = self.signature_of.get(&key) {
            return Some(known);
        }
        let fits = |ix: &ProfileIx| self.profile_at(*ix).is_some_and(|p| needs.accepts(&p.skills));
        let profiles: Vec<ProfileIx> = candidates().into_iter().filter(fits).collect();
        let (queues, needs) = key.clone();
        let row = Signature { queues, needs, profiles, lines: Vec::new(), waiting: 0, tiers: 0 };
        let ix = if self.signatures.len() < limit {
            let ix = SignatureIx::new(self.signatures.len());
            self.signatures.push(row);
            ix
        } else {
            self.reuse(row)?
        };
        self.signature_of.insert(key, ix);
        let Self { profiles, signatures, .. } = self;
        for profile in signatures.get(ix.at()).into_iter().flat_map(|row| &row.profiles) {
            if let Some(profile) = profiles.get_mut(profile.at()) {
                profile.signatures.push(ix);
            }
        }
        Some(ix)
    }

    /// Puts `row` in the place of a signature without calls.
    fn reuse(&mut self, row: Signature) -> Option<SignatureIx> {
        let at = self.signatures.iter().position(|old| old.waiting == 0)?;
        let ix = SignatureIx::new(at);
        let old = core::mem::replace(self.signatures.get_mut(at)?, row);
        self.signature_of.remove(&(old.queues, old.needs));
        for profile in old.profiles {
            if let Some(profile) = self.profiles.get_mut(profile.at()) {
                profile.signatures.retain(|&other| other != ix);
            }
        }
        Some(ix)
    }

    pub(crate) fn profile_at(&self, ix: ProfileIx) -> Option<&Profile> {
        self.profiles.get(ix.at())
    }

    pub(crate) fn signature_at(&self, ix: SignatureIx) -> Option<&Signature> {
        self.signatures.get(ix.at())
    }

    /// Puts a call in line.
    pub(crate) fn enlist(&mut self, ix: SignatureIx, tier: usize, order: Order, call: CallIx) {
        let Some(row) = self.signatures.get_mut(ix.at()) else { return };
        if row.lines.len() <= tier {
            row.lines.resize_with(tier + 1, BTreeSet::new);
        }
        let Some(line) = row.lines.get_mut(tier) else { return };
        if line.insert((order, call)) {
            row.waiting += 1;
            self.busy.insert(ix);
        }
        let bit = tier_bit(tier);
        if row.tiers & bit == 0 {
            row.tiers |= bit;
            for profile in &row.profiles {
                if let Some(profile) = self.profiles.get_mut(profile.at()) {
                    profile.serves |= bit;
                }
            }
        }
    }

    /// Takes a call out of line.
    pub(crate) fn delist(&mut self, ix: SignatureIx, tier: usize, order: Order, call: CallIx) {
        let Some(row) = self.signatures.get_mut(ix.at()) else { return };
        if row.lines.get_mut(tier).is_some_and(|line| line.remove(&(order, call))) {
            row.waiting -= 1;
            if row.waiting == 0 {
                self.busy.remove(&ix);
            }
        }
    }

    pub(crate) fn insert_idle(&mut self, ix: ProfileIx, key: (u64, u64), agent: AgentIx) {
        if let Some(profile) = self.profiles.get_mut(ix.at()) {
            profile.idle.insert((key, agent));
            self.idle.insert(ix);
        }
    }

    pub(crate) fn remove_idle(&mut self, ix: ProfileIx, key: (u64, u64), agent: AgentIx) {
        if let Some(profile) = self.profiles.get_mut(ix.at()) {
            profile.idle.remove(&(key, agent));
            if profile.idle.is_empty() {
                self.idle.remove(&ix);
            }
        }
    }

    /// Signatures with calls in line that `profile` fits; looks through the shorter of the two lists.
    pub(crate) fn busy_for(&self, profile: ProfileIx) -> impl Iterator<Item = &Signature> {
        let own = self.profile_at(profile).map_or(&[][..], |row| &row.signatures);
        let by_profile = own.len() <= self.busy.len();
        let first = own.iter().filter(move |_| by_profile).filter_map(|&ix| self.signature_at(ix));
        let second = self
            .busy
            .iter()
            .filter(move |_| !by_profile)
            .filter_map(|&ix| self.signature_at(ix))
            .filter(move |row| row.profiles.binary_search(&profile).is_ok());
        first.filter(|row| row.waiting > 0).chain(second)
    }

    /// Profiles with free agents that fit the signature.
    pub(crate) fn idle_for(&self, signature: SignatureIx) -> impl Iterator<Item = (ProfileIx, &Profile)> {
        let fits = self.signature_at(signature).map_or(&[][..], |row| &row.profiles);
        let by_signature = fits.len() <= self.idle.len();
        let first = fits.iter().filter(move |_| by_signature).copied();
        let second = self
            .idle
            .iter()
            .filter(move |_| !by_signature)
            .copied()
            .filter(move |ix| fits.binary_search(ix).is_ok());
        first
            .chain(second)
            .filter_map(|ix| Some((ix, self.profile_at(ix)?)))
            .filter(|(_, profile)| !profile.idle.is_empty())
    }

    /// Agents on duty who fit the signature.
    pub(crate) fn on_duty(&self, signature: SignatureIx) -> usize {
        let fits = self.signature_at(signature).map_or(&[][..], |row| &row.profiles);
        fits.iter().filter_map(|&ix| self.profile_at(ix)).map(|profile| profile.on_duty).sum()
    }
}

/// The bit of a tier in a mask.
pub(crate) fn tier_bit(tier: usize) -> u64 {
    u32::try_from(tier).ok().and_then(|tier| 1u64.checked_shl(tier)).unwrap_or(0)
}
