//! The rows of the engine's tables. An index (`…Ix`) names a row for as long as the row lives.

use std::collections::BTreeSet;

use base::{AgentKey, CallKey, Duration, Instant, QueueKey};

use crate::config::QueueConfig;
use crate::io::{AgentState, Class};
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
        }
    )*};
}

indexes! { CallIx AgentIx QueueIx ProfileIx SignatureIx }

/// Rows with holes that are filled again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    rows: Vec<Option<T>>,
    holes: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { rows: Vec::new(), holes: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, row: T) -> CallIx {
        if let Some(at) = self.holes.pop()
            && let Some(hole) = self.rows.get_mut(at)
        {
            *hole = Some(row);
            return CallIx::new(at);
        }
        self.rows.push(Some(row));
        CallIx::new(self.rows.len() - 1)
    }

    pub(crate) fn remove(&mut self, ix: CallIx) -> Option<T> {
        let row = self.rows.get_mut(ix.at())?.take();
        if row.is_some() {
            self.holes.push(ix.at());
        }
        row
    }

    pub(crate) fn get(&self, ix: CallIx) -> Option<&T> {
        self.rows.get(ix.at())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, ix: CallIx) -> Option<&mut T> {
        self.rows.get_mut(ix.at())?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CallIx, &T)> {
        self.rows.iter().enumerate().filter_map(|(at, row)| Some((CallIx::new(at), row.as_ref()?)))
    }
}

/// Order within a tier: the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    pub(crate) class: Class,
    /// Place by time, a senior's head start already taken off.
    pub(crate) since: Instant,
    pub(crate) junior: bool,
    /// Arrival number: makes every order unique.
    pub(crate) seq: u64,
}

impl Order {
    pub(crate) const FIRST: Order =
        Order { class: Class::Emergency, since: Instant::ZERO, junior: false, seq: 0 };
}

/// A call that wants a person.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) key: CallKey,
    pub(crate) tier: usize,
    pub(crate) queue: QueueIx,
    pub(crate) order: Order,
    /// The place in line: waits are counted from here.
    pub(crate) since: Instant,
    /// When it came to the engine; the managers' turns count from here.
    pub(crate) offered: Instant,
    /// When it entered its present queue.
    pub(crate) entered: Instant,
    pub(crate) needs: Requirement,
    /// Managers A and B, or the last agent alone.
    pub(crate) preferred: [Option<AgentIx>; 2],
    pub(crate) patience_a: Duration,
    pub(crate) turn: Turn,
    /// Relaxation steps taken.
    pub(crate) relaxed: usize,
    pub(crate) state: CallState,
    /// Agents at whom it failed, and until when it avoids them. At most [`AVOID_MAX`].
    pub(crate) avoid: Vec<(AgentIx, Instant)>,
    /// Queues it was moved through.
    pub(crate) hops: u8,
}

/// Most agents that a call avoids; the oldest is forgiven first.
pub(crate) const AVOID_MAX: usize = 16;

/// For whom a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// For its first preferred agent.
    First,
    /// For either preferred agent, since the instant.
    Both { since: Instant },
    /// For everybody of its signature, and still for its preferred agents.
    Pool,
}

/// What a call of the table does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    /// In line: in the index where its turn says; `signature` when its turn is the pool.
    Waiting { signature: Option<SignatureIx> },
    /// An agent is rung or being joined.
    Presented { agent: AgentIx },
}

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
    /// No longer in the config: logs out when he is done.
    pub(crate) gone: bool,
    /// Since when the shown state holds.
    pub(crate) since: Instant,
    /// When he last became free after work: a short "not ready" does not send him to the front.
    pub(crate) free_since: Instant,
    pub(crate) answered: u64,
    /// Number of his last presentation among all.
    pub(crate) rung: u64,
    /// Calls that wait for him in person, by tier and order.
    pub(crate) dedicated: BTreeSet<(usize, Order, CallIx)>,
    /// His key among the idle of his profile while he is free.
    pub(crate) idle_key: Option<(u64, u64)>,
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
            gone: false,
            since: Instant::ZERO,
            free_since: Instant::ZERO,
            answered: 0,
            rung: 0,
            dedicated: BTreeSet::new(),
            idle_key: None,
            shown: AgentState::LoggedOut,
        }
    }

    /// Could be rung this moment.
    pub(crate) fn is_free(&self) -> bool {
        self.state == State::Ready && self.reachable && !self.engaged && !self.gone
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

    /// When his state ends by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
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
    /// How many of them have somebody on duty.
    pub(crate) manned: usize,
    /// Since when nobody is on duty.
    pub(crate) empty_since: Option<Instant>,
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
            manned: 0,
            empty_since: Some(Instant::ZERO),
            handled,
            last_wait: Vec::new(),
        }
    }

    pub(crate) const fn key(&self) -> QueueKey {
        self.config.key
    }
}

/// A tier.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tier {
    pub(crate) counts: Counts,
    pub(crate) waits: Waits,
}
