//! What can go wrong in the simulated world, and how often it did.

use std::collections::{BTreeMap, BTreeSet};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A class of faults.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// Every class.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// Its word in the coverage line.
            pub const fn word(self) -> &'static str {
                match self { $(Fault::$name => $word,)* }
            }
        }
    };
}

faults! {
    /// A phone whose messages come late.
    SlowPhone = "slow-phone",
    /// A phone that says nothing to an INVITE.
    SilentPhone = "silent-phone",
    /// Two branches of a fork answered.
    Forked = "forked",
    /// Somebody hung up at a random moment.
    HangsUp = "hangs-up",
    /// A phone that answers with 200 after our CANCEL.
    LateAnswer = "late-answer",
    /// A phone that sends its 200 twice.
    DoubleAnswer = "double-200",
    /// A phone that vanished while it rang.
    VanishRinging = "vanish-ringing",
    /// A phone that vanished in a call.
    VanishTalking = "vanish-talking",
    /// A registered phone that vanished while nothing was going on.
    VanishIdle = "vanish-idle",
    /// A phone that came back without its memory.
    Restart = "phone-restart",
    /// A phone whose Contact changed, within a call or without.
    NewContact = "new-contact",
    /// Hold, resume, keys, referrals while other things go wrong.
    Meddling = "meddling",
    /// An agent who joins two calls of his (REFER with Replaces).
    Consultation = "consultation",
    /// Packets lost.
    Loss = "loss",
    /// Packets doubled.
    Doubled = "doubled",
    /// Packets out of order.
    Reordered = "reordered",
    /// Packets late.
    Delay = "delay",
    /// The carrier cut off.
    TrunkCut = "trunk-cut",
    /// Agents cut off, healed one after the other in random order.
    AgentsCut = "agents-cut",
    /// A directory that answers late, some of it too late.
    DirectorySlow = "directory-slow",
    /// A directory that does not answer.
    DirectoryDead = "directory-dead",
    /// A back end that answers late.
    HookSlow = "hook-slow",
    /// A back end that fails or says nothing.
    HookDead = "hook-dead",
    /// A store that takes records late.
    StoreSlow = "store-slow",
    /// A voice that no longer arrives.
    RtpLost = "rtp-lost",
    /// A media worker that fell over and lost its legs.
    WorkerDies = "worker-dies",
    /// A media port that cannot be bound.
    PortTaken = "port-taken",
    /// New configuration in the middle of everything.
    Reload = "reload",
    /// Draining in the middle of everything.
    Drain = "drain",
    /// The process stood still: the clock leaps, everything is due at once.
    Leap = "clock-leap",
    /// A panic in the handling of one call.
    Panic = "panic",
}

/// How many days saw each class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    days: u32,
    seen: BTreeMap<Fault, u32>,
}

impl Coverage {
    /// One more day, in which these happened.
    pub fn add(&mut self, faults: &BTreeSet<Fault>) {
        self.days = self.days.saturating_add(1);
        for &fault in faults {
            let seen = self.seen.entry(fault).or_default();
            *seen = seen.saturating_add(1);
        }
    }

    /// Percent of the days that saw this class.
    pub fn percent(&self, fault: Fault) -> u32 {
        self.seen.get(&fault).copied().unwrap_or(0).saturating_mul(100) / self.days.max(1)
    }

    /// Classes that fewer days saw than `percent` of them.
    pub fn rarer_than(&self, percent: u32) -> Vec<Fault> {
        let possible = Fault::ALL.iter().filter(|&&fault| fault != Fault::Panic || cfg!(debug_assertions));
        possible.copied().filter(|&fault| self.percent(fault) < percent).collect()
    }
}

impl core::fmt::Display for Coverage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "coverage of {} days, percent:", self.days)?;
        Fault::ALL.iter().try_for_each(|fault| write!(f, " {} {}", fault.word(), self.percent(*fault)))
    }
}
