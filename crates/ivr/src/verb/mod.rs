//! What a step can do: one file per verb, one line in the table.

use core::fmt::Debug;

use crate::desk::{Desk, Event, Next};
use crate::io::Name;
use crate::read::Reader;
use crate::words::{Named, Target, Template, Words};

/// One verb: how its table is read, what it refers to, what it does.
pub(crate) trait Behaviour: Debug + Sized {
    /// The word in flow files.
    const WORD: &'static str;
    /// What it remembers while it runs.
    type Run: Debug + Default;

    /// Reads its keys; mistakes become findings.
    fn read(step: &mut Reader<'_>) -> Self;

    /// Names everything it refers to.
    fn refs<'a>(&'a self, refs: &mut Refs<'a>);

    /// One event. The first one is [`Event::Begin`].
    fn on(&self, run: &mut Self::Run, desk: &mut Desk, event: Event) -> Next;
}

/// "Agent 1024 is at your service": what a step that leads to an agent speaks if it says nothing else.
const REPORT: &[(&str, &str)] =
    &[("prompt", "agent-before"), ("digits", "${agent}"), ("prompt", "agent-after")];

/// What a step refers to, for the check of the whole.
#[derive(Debug, Default)]
pub(crate) struct Refs<'a> {
    /// Where a caller who does nothing is led.
    pub(crate) silent: Vec<&'a Target>,
    /// Where a key, an agent's hang-up or another's act leads.
    pub(crate) acted: Vec<&'a Target>,
    pub(crate) words: Vec<&'a Words>,
    pub(crate) music: Vec<&'a Named>,
    pub(crate) queues: Vec<&'a Named>,
    pub(crate) skills: Vec<&'a Named>,
    /// Asks for a skill named like the caller's language.
    pub(crate) speaks_languages: bool,
    /// Tier names that a branch compares with.
    pub(crate) tiers: Vec<(&'a Name, u32)>,
    pub(crate) templates: Vec<&'a Template>,
    pub(crate) reads: Vec<&'a Named>,
    pub(crate) writes: Vec<&'a Name>,
}

macro_rules! verbs {
    ($($module:ident::$verb:ident,)*) => {
        $(mod $module;)*

        /// What a step does.
        #[derive(Debug)]
        #[expect(clippy::large_enum_variant, reason = "some dozens, made once at start; a box would cost each step a jump")]
        pub(crate) enum Verb { $($verb($module::$verb),)* }

        /// A step under way.
        #[derive(Debug)]
        pub(crate) enum Run { $($verb(<$module::$verb as Behaviour>::Run),)* }

        impl Verb {
            /// Every verb's word.
            pub(crate) const WORDS: &'static [&'static str] = &[$(<$module::$verb as Behaviour>::WORD,)*];

            pub(crate) fn read(word: &str, step: &mut Reader<'_>) -> Option<Verb> {
                match word {
                    $(<$module::$verb as Behaviour>::WORD => Some(Verb::$verb(Behaviour::read(step))),)*
                    _ => None,
                }
            }

            pub(crate) fn word(&self) -> &'static str {
                match self { $(Verb::$verb(_) => <$module::$verb as Behaviour>::WORD,)* }
            }

            pub(crate) fn refs(&self) -> Refs<'_> {
                let mut refs = Refs::default();
                match self { $(Verb::$verb(verb) => verb.refs(&mut refs),)* }
                refs
            }

            pub(crate) fn run(&self) -> Run {
                match self { $(Verb::$verb(_) => Run::$verb(Default::default()),)* }
            }

            pub(crate) fn on(&self, run: &mut Run, desk: &mut Desk, event: Event) -> Next {
                match (self, run) {
                    $((Verb::$verb(verb), Run::$verb(run)) => verb.on(run, desk, event),)*
                    // A step's run is made by `run` above, so the two always fit.
                    _ => Next::Hangup(crate::HangupReason::Broken),
                }
            }
        }
    };
}

verbs! {
    branch::Branch,
    callback::Callback,
    enqueue::Enqueue,
    gather::Gather,
    hangup::Hangup,
    hook::Hook,
    menu::Menu,
    play::Play,
    record::Record,
    say::Say,
    set::Set,
    survey::Survey,
    transfer::Transfer,
}

impl Verb {
    /// The words that tell the caller who answered, if this step leads to an agent.
    pub(crate) fn report(&self) -> Option<&Words> {
        match self {
            Verb::Enqueue(enqueue) => Some(enqueue.report()),
            Verb::Transfer(transfer) => Some(transfer.report()),
            _ => None,
        }
    }

    /// Where the caller goes when the agent hung up first.
    pub(crate) fn after(&self) -> Option<&Target> {
        match self {
            Verb::Enqueue(enqueue) => enqueue.after(),
            Verb::Transfer(transfer) => transfer.after(),
            _ => None,
        }
    }
}
