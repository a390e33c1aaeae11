//! The rows of the engine's tables. An index (`…Ix`) names a row for as long as the row lives.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentKey, CallKey, CallbackKey, Duration, Instant, QueueKey};

use crate::config::QueueConfig;
use crate::expected::{Foretold, Trust};
use crate::io::{AgentState, Class};
use crate::occupancy::Occupancy;
use crate::requirement::Requirement;
use crate::stats::{Counts, Waits};

macro_rules! indexes {
    ($($name:ident)*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl $name {
            pub(crate) fn new(at: usize) -> Self {
                $name(u32::try_from(at).unwrap_or(u32::MAX))
            }
            pub(crate) const fn at(self) -> usize {
                self.0 as usize
            }
            #[allow(dead_code, reason = "not every table is asked for its first row")]
            pub(crate) const FIRST: $name = $name(0);
        }
    )*};
}

indexes! { CallIx AgentIx QueueIx ProfileIx AccountIx LineIx CallbackIx }

/// Rows with holes that are filled again, the last freed first. They stand in pages: a table that grows moves no row,
/// and has no more than a page to spare.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Box<[Option<T>]>>,
    holes: Vec<u32>,
    /// Rows that were ever used.
    used: usize,
}

/// Rows of a page of a [`Slab`].
const PAGE: usize = 256;

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), holes: Vec::new(), used: 0 }
    }
}

impl<T> Slab<T> {
    /// Where the next row will be.
    pub(crate) fn next(&self) -> usize {
        self.holes.last().map_or(self.used, |&hole| hole as usize)
    }

    /// Puts a row where [`Slab::next`] said.
    pub(crate) fn insert(&mut self, row: T) -> usize {
        let at = self.next();
        if self.holes.pop().is_none() {
            if at.is_multiple_of(PAGE) {
                self.pages.push(core::iter::repeat_with(|| None).take(PAGE).collect());
            }
            self.used += 1;
        }
        if let Some(hole) = self.slot(at) {
            *hole = Some(row);
        }
        at
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        let row = self.slot(at)?.take();
        if row.is_some() {
            self.holes.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        row
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.slot(at)?.as_mut()
    }

    fn slot(&mut self, at: usize) -> Option<&mut Option<T>> {
        self.pages.get_mut(at / PAGE)?.get_mut(at % PAGE)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.pages.iter().flatten().enumerate().filter_map(|(at, row)| Some((at, row.as_ref()?)))
    }
}

/// Deadlines of rows, one each at most; the row itself remembers its own.
#[derive(Debug)]
pub(crate) struct Deadlines<Ix>(BTreeSet<(Instant, Ix)>);

impl<Ix> Default for Deadlines<Ix> {
    fn default() -> Self {
        Deadlines(BTreeSet::new())
    }
}

impl<Ix: Copy + Ord> Deadlines<Ix> {
    /// Sets the deadline of a row that had `old` to `new`, which is what the row has from now on.
    pub(crate) fn set(&mut self, ix: Ix, old: &mut Option<Instant>, new: Option<Instant>) {
        if *old == new {
            return;
        }
        if let Some(at) = old.take() {
            self.0.remove(&(at, ix));
        }
        if let Some(at) = new {
            self.0.insert((at, ix));
        }
        *old = new;
    }

    pub(crate) fn first(&self) -> Option<(Instant, Ix)> {
        self.0.first().copied()
    }

    pub(crate) fn contains(&self, at: Instant, ix: Ix) -> bool {
        self.0.contains(&(at, ix))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A place in line: the least goes first. Class, then time (a senior's head start taken off), then seniors, then
/// arrival; and the call that stands there. Packed, for there are as many as there are callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// 2 bits of class, 62 bits of nanoseconds (146 years).
    time: u64,
    /// 1 bit junior, 39 bits arrival number, 24 bits row of the call.
    who: u64,
}

const TIME_BITS: u32 = 62;
const ROW_BITS: u32 = 24;
const SEQ_BITS: u32 = 39;

/// Most calls that a table can hold, whatever its limit says: the rows that a [`Place`] can name.
pub(crate) const CALLS_MAX: usize = (1 << ROW_BITS) - 1;

impl Place {
    /// Before every call.
    pub(crate) const FIRST: Place = Place { time: 0, who: 0 };
    /// After every call: nobody.
    pub(crate) const NONE: Place = Place { time: u64::MAX, who: u64::MAX };

    pub(crate) fn new(class: Class, since: Instant, senior: bool, seq: u64, ix: CallIx) -> Place {
        let class = Place::class_number(class);
        let time = since.as_nanos().min((1 << TIME_BITS) - 1);
        let seq = seq & ((1 << SEQ_BITS) - 1);
        Place {
            time: class << TIME_BITS | time,
            who: u64::from(!senior) << (SEQ_BITS + ROW_BITS) | seq << ROW_BITS | u64::from(ix.0),
        }
    }

    /// Before every call of the class.
    pub(crate) const fn first_of(class: Class) -> Place {
        Place { time: Place::class_number(class) << TIME_BITS, who: 0 }
    }

    pub(crate) const fn class_number(class: Class) -> u64 {
        match class {
            Class::Emergency => 0,
            Class::Complaint => 1,
            Class::Normal => 2,
        }
    }

    /// The same place in another class.
    #[must_use]
    pub(crate) fn in_class(self, class: Class) -> Place {
        let Place { time, .. } = Place::new(class, self.since(), false, 0, CallIx(0));
        Place { time, ..self }
    }

    pub(crate) const fn since(self) -> Instant {
        Instant::from_nanos(self.time & ((1 << TIME_BITS) - 1))
    }

    /// 0 for the first class.
    pub(crate) const fn class(self) -> u64 {
        self.time >> TIME_BITS
    }

    pub(crate) const fn is_senior(self) -> bool {
        self.who >> (SEQ_BITS + ROW_BITS) == 0
    }

    pub(crate) const fn call(self) -> CallIx {
        CallIx((self.who & ((1 << ROW_BITS) - 1)) as u32)
    }
}

/// A call that wants a person. There may be a hundred thousand: what few calls have is in [`Rare`].
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) key: CallKey,
    pub(crate) place: Place,
    /// The place in line: waits are counted from here.
    pub(crate) since: Instant,
    /// When it entered its present queue.
    pub(crate) entered: Instant,
    /// Its deadline in the engine's list.
    pub(crate) deadline: Option<Instant>,
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) account: AccountIx,
    pub(crate) state: CallState,
    pub(crate) tier: u8,
    /// Relaxation steps taken.
    pub(crate) relaxed: u8,
    /// Queues it was moved through.
    pub(crate) hops: u8,
    /// What ways out it was offered, as bits.
    pub(crate) shown: u8,
}

/// What few calls have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// When a caller with managers, or one who was called back, came to the engine: the managers' turns count from here.
    pub(crate) offered: Instant,
    /// Managers A and B, or the last agent alone.
    pub(crate) preferred: [Option<AgentIx>; 2],
    pub(crate) patience_a: Duration,
    pub(crate) turn: Turn,
    /// Agents at whom it failed, and until when it avoids them. At most [`AVOID_MAX`].
    pub(crate) avoid: Vec<(AgentIx, Instant)>,
    /// Further agents rung for it, besides the one of its state.
    pub(crate) rung: Vec<AgentIx>,
    /// The promise that it keeps.
    pub(crate) callback: Option<CallbackKey>,
    pub(crate) told: Option<Told>,
}

/// What was foretold about a call's wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The first time, and when.
    pub(crate) at: Instant,
    pub(crate) first: Foretold,
    /// "Within", as it was last said, and when.
    pub(crate) said: Option<(Instant, Duration)>,
}

impl Call {
    pub(crate) fn tier(&self) -> usize {
        usize::from(self.tier)
    }

    pub(crate) fn preferred(&self) -> [Option<AgentIx>; 2] {
        self.rare.as_ref().map_or([None, None], |rare| rare.preferred)
    }

    pub(crate) fn turn(&self) -> Turn {
        self.rare.as_ref().map_or(Turn::Pool, |rare| rare.turn)
    }

    pub(crate) fn avoid(&self) -> &[(AgentIx, Instant)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.avoid)
    }

    /// Agents rung for it besides the first.
    pub(crate) fn rung_too(&self) -> &[AgentIx] {
        self.rare.as_ref().map_or(&[], |rare| &rare.rung)
    }

    pub(crate) fn callback(&self) -> Option<CallbackKey> {
        self.rare.as_ref().and_then(|rare| rare.callback)
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Waits count from here in statistics: a customer who was called back has not been on the line since he
    /// first called.
    pub(crate) fn counted_from(&self) -> Instant {
        match &self.rare {
            Some(rare) if rare.callback.is_some() => rare.offered,
            _ => self.since,
        }
    }
}

/// Most agents that a call avoids; the oldest is forgiven first.
pub(crate) const AVOID_MAX: usize = 16;

/// How a call leaves the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Answered,
    Abandoned,
    Deflected,
    Overflowed,
}

/// For whom a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Turn {
    /// For its first preferred agent.
    First,
    /// For either preferred agent, since the instant.
    Both { since: Instant },
    /// For everybody of its line, and still for its preferred agents.
    #[default]
    Pool,
}

/// What a call of the table does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    /// In line: in the index where its turn says; `line` when its turn is the pool.
    Waiting { line: Option<LineIx> },
    /// An agent is rung or being joined; others may be rung, too.
    Presented { agent: AgentIx },
}

/// Order among free agents: what the choice of agents says, then since when he is free.
pub(crate) type IdleKey = (u64, u64);

/// An agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) key: AgentKey,
    pub(crate) profile: ProfileIx,
    pub(crate) state: State,
    /// What he wants to be when he is done with the present call.
    pub(crate) wish: Wish,
    pub(crate) reachable: bool,
    pub(crate) engaged: bool,
    /// The overdue promise that is being dialled for him: he is kept free for its customer.
    pub(crate) held: Option<CallbackIx>,
    /// No longer in the config: logs out when he is done.
    pub(crate) gone: bool,
    /// Since when the shown state holds.
    pub(crate) since: Instant,
    /// When he last became free after work: a short "not ready" does not send him to the front.
    pub(crate) free_since: Instant,
    pub(crate) answered: u64,
    /// Number of his last presentation among all.
    pub(crate) rung: u64,
    /// Calls that wait for him in person, by tier and place.
    pub(crate) dedicated: BTreeSet<(u8, Place)>,
    /// His key among the idle of his profile while he is free.
    pub(crate) idle_key: Option<IdleKey>,
    /// His deadline in the engine's list.
    pub(crate) deadline: Option<Instant>,
    pub(crate) occupancy: Occupancy,
    /// His own cap of occupancy.
    pub(crate) occupancy_max: Option<f64>,
    pub(crate) shown: AgentState,
}

/// An agent's state. Each with an end of its own has its deadline within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    LoggedOut,
    NotReady { reason: u8, until: Option<Instant> },
    Ready,
    Reserved { call: CallIx, key: CallKey, until: Instant, picked_up: bool },
    Talking { call: CallKey, queue: QueueIx, since: Instant, until: Instant },
    WrapUp { until: Instant },
}

/// What an agent wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Ready,
    NotReady(u8),
    LoggedOut,
}

impl Agent {
    pub(crate) fn new(key: AgentKey, profile: ProfileIx) -> Self {
        Agent {
            key,
            profile,
            state: State::LoggedOut,
            wish: Wish::Ready,
            reachable: false,
            engaged: false,
            held: None,
            gone: false,
            since: Instant::ZERO,
            free_since: Instant::ZERO,
            answered: 0,
            rung: 0,
            dedicated: BTreeSet::new(),
            idle_key: None,
            deadline: None,
            occupancy: Occupancy::default(),
            occupancy_max: None,
            shown: AgentState::LoggedOut,
        }
    }

    /// What he will be after a talk that came over him.
    pub(crate) fn wish_by_state(&self) -> Wish {
        match self.state {
            State::LoggedOut => Wish::LoggedOut,
            State::NotReady { reason, until: None } => Wish::NotReady(reason),
            State::NotReady { .. } | State::Ready => Wish::Ready,
            State::Reserved { .. } | State::Talking { .. } | State::WrapUp { .. } => self.wish,
        }
    }

    /// Could be rung this moment.
    pub(crate) fn is_free(&self) -> bool {
        self.state == State::Ready && self.reachable && !self.engaged && !self.gone && self.held.is_none()
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.state != State::LoggedOut
    }

    /// Takes calls, now or when he is done with the present one.
    pub(crate) fn is_on_duty(&self) -> bool {
        let takes_calls = match self.state {
            State::LoggedOut | State::NotReady { until: None, .. } => false,
            State::NotReady { .. } | State::Ready | State::Reserved { .. } => true,
            State::Talking { .. } | State::WrapUp { .. } => self.wish == Wish::Ready,
        };
        takes_calls && self.reachable && !self.gone
    }

    /// Whether his time counts as work; `None`: he is not there.
    pub(crate) fn at_work(&self) -> Option<bool> {
        match self.state {
            State::LoggedOut => None,
            State::Talking { .. } | State::WrapUp { .. } => Some(true),
            State::NotReady { .. } | State::Ready | State::Reserved { .. } => Some(false),
        }
    }

    /// When his state ends by itself.
    pub(crate) fn ends(&self) -> Option<Instant> {
        match self.state {
            State::LoggedOut | State::Ready => None,
            State::NotReady { until, .. } => until,
            State::Reserved { until, .. } | State::Talking { until, .. } | State::WrapUp { until } => {
                Some(until)
            }
        }
    }

    /// His state as people see it.
    pub(crate) fn show(&self) -> AgentState {
        match self.state {
            State::LoggedOut => AgentState::LoggedOut,
            State::NotReady { reason, until } => AgentState::NotReady { reason, until },
            State::Ready if self.engaged => AgentState::Engaged,
            State::Ready if !self.reachable => AgentState::Unreachable,
            State::Ready => AgentState::Ready,
            State::Reserved { key, until, .. } => AgentState::Reserved { call: key, until },
            State::Talking { call, .. } => AgentState::Talking { call },
            State::WrapUp { until } => AgentState::WrapUp { until },
        }
    }
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) config: QueueConfig,
    pub(crate) gone: bool,
    pub(crate) counts: Counts,
    pub(crate) waits: Waits,
    /// Profiles whose agents serve it.
    pub(crate) profiles: Vec<ProfileIx>,
    /// Its kinds of calls, by their wishes.
    pub(crate) kinds: BTreeMap<Requirement, AccountIx>,
    pub(crate) overload: crate::ladder::Overload,
    /// How fast calls of each tier come.
    pub(crate) arriving: Vec<crate::expected::Flow>,
    /// Somebody was on duty until then at least, as far as was known at the last reload; since then his profile knows.
    pub(crate) manned_until: Instant,
    /// Talk and wrap-up: see [`crate::expected`].
    pub(crate) handled: crate::expected::Average,
    /// Wait of the last answered call per tier, and when it was answered.
    pub(crate) last_wait: Vec<Option<(Instant, Duration)>>,
}

impl Queue {
    pub(crate) fn new(config: QueueConfig) -> Self {
        let handled = crate::expected::Average::guess(config.handle_time);
        Queue {
            config,
            gone: false,
            counts: Counts::default(),
            waits: Waits::default(),
            profiles: Vec::new(),
            kinds: BTreeMap::new(),
            overload: crate::ladder::Overload::default(),
            arriving: Vec::new(),
            manned_until: Instant::ZERO,
            handled,
            last_wait: Vec::new(),
        }
    }

    pub(crate) const fn key(&self) -> QueueKey {
        self.config.key
    }

    /// A call of the tier came.
    pub(crate) fn came(&mut self, now: Instant, tier: usize) {
        if self.arriving.len() <= tier {
            self.arriving.resize(tier + 1, crate::expected::Flow::default());
        }
        if let Some(flow) = self.arriving.get_mut(tier) {
            flow.count(now);
        }
    }

    /// A call of the tier was answered.
    pub(crate) fn served(&mut self, now: Instant, tier: usize, waited: Duration) {
        if self.last_wait.len() <= tier {
            self.last_wait.resize(tier + 1, None);
        }
        if let Some(last) = self.last_wait.get_mut(tier) {
            *last = Some((now, waited));
        }
    }
}

/// A tier.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tier {
    pub(crate) counts: Counts,
    pub(crate) waits: Waits,
    pub(crate) trust: Trust,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_they_were_put_whatever_comes_and_goes() {
        let mut slab = Slab::default();
        let rows = 3 * PAGE + 1;
        for row in 0..rows {
            assert_eq!((slab.next(), slab.insert(row)), (row, row));
        }
        assert!((0..rows).all(|at| slab.get(at) == Some(&at)));
        assert_eq!((slab.remove(PAGE), slab.remove(PAGE), slab.get(PAGE)), (Some(PAGE), None, None));
        assert_eq!(slab.insert(7), PAGE, "a hole is filled first");
        *slab.get_mut(PAGE).unwrap() = 8;
        assert!(slab.iter().map(|(_, row)| *row).eq((0..rows).map(|at| if at == PAGE { 8 } else { at })));
        assert_eq!(slab.insert(9), rows);
    }
}
