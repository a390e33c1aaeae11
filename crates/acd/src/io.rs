//! What goes into the engine and what comes out of it. Plain values: the engine may run in another process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentKey, CallKey, CallbackKey, CustomerKey, Duration, Instant, QueueKey, TierKey};

use crate::callback::{CallbackState, Promise};
use crate::config::{Config, OverflowTarget};
use crate::decision::Decision;
use crate::requirement::Requirement;

/// What happened. An input that does not fit the state (a late or double message) changes nothing and is
/// counted in [`Counters::ignored`](crate::Counters::ignored).
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The agent logs in: `NotReady { reason: 0 }` until `Ready`.
    Login {
        /// Who.
        agent: AgentKey,
    },
    /// The agent logs out: at once if free, withdrawn if rung, after the talk if talking.
    Logout {
        /// Who.
        agent: AgentKey,
    },
    /// The agent takes calls (logs in if needed, ends wrap-up).
    Ready {
        /// Who.
        agent: AgentKey,
    },
    /// The agent takes no calls: at once if free, withdrawn if rung, after the talk if talking.
    NotReady {
        /// Who.
        agent: AgentKey,
        /// Why, 0-9.
        reason: u8,
    },
    /// The agent's after-call work is done.
    EndWrapUp {
        /// Who.
        agent: AgentKey,
    },
    /// Whether the agent's phone is registered. Agents start unreachable.
    Reachable {
        /// Who.
        agent: AgentKey,
        /// Whether he can be rung.
        reachable: bool,
    },
    /// Whether the agent is in a call of his own.
    Engaged {
        /// Who.
        agent: AgentKey,
        /// Whether he is.
        engaged: bool,
    },
    /// A call wants a person.
    Offer {
        /// The call; one that the engine already holds is ignored.
        call: CallKey,
        /// Who calls and what for.
        caller: Caller,
    },
    /// A waiting call is served otherwise from now on: other tier or class, place kept. Takes effect at once.
    Promote {
        /// The call.
        call: CallKey,
        /// New tier.
        tier: TierKey,
        /// New class.
        class: Class,
    },
    /// The caller gave up (or was cut off) before the voices were joined.
    Abandon {
        /// The call.
        call: CallKey,
    },
    /// The caller leaves the queue by his choice.
    Deflect {
        /// The call.
        call: CallKey,
        /// For what.
        how: Deflection,
    },
    /// The agent went off hook; the voices are joined soon. Ends the ringing deadline, optional when
    /// `Answered` follows at once.
    PickedUp {
        /// The call.
        call: CallKey,
        /// Who.
        agent: AgentKey,
    },
    /// The voices are joined. Too late or somebody else's: `Withdraw { why: TooLate }` comes back.
    Answered {
        /// The call.
        call: CallKey,
        /// Who.
        agent: AgentKey,
    },
    /// This presentation failed; the call keeps its place.
    Declined {
        /// The call.
        call: CallKey,
        /// Who.
        agent: AgentKey,
        /// Why.
        why: Decline,
    },
    /// The talk is over: the agent goes to wrap-up, the call is forgotten.
    Ended {
        /// The call.
        call: CallKey,
        /// Who.
        agent: AgentKey,
    },
    /// How long will this waiting call wait? [`Output::Wait`] says what to tell the caller and when to ask again.
    AskWait {
        /// The call.
        call: CallKey,
    },
    /// A customer is promised a call: now, or (`attempts`, `not_before`) restored from the store after a restart,
    /// the oldest first. One customer has one promise of a kind; a second is answered by
    /// `CallbackChanged { state: Refused }`.
    Promise {
        /// A key of the driver's, unique for ever.
        callback: CallbackKey,
        /// What was promised.
        promise: Box<Promise>,
    },
    /// The customer took the call that [`Output::DialBack`] asked for; he waits for an agent as `call`, at the
    /// place that he kept. His hanging up from now on is `Abandon`.
    DialAnswered {
        /// Which promise.
        callback: CallbackKey,
        /// The call by which he waits.
        call: CallKey,
    },
    /// The customer did not take the call (busy, no answer, not reachable).
    DialFailed {
        /// Which promise.
        callback: CallbackKey,
    },
    /// The promise is taken back: by the customer, or because it was kept otherwise.
    CancelCallback {
        /// Which promise.
        callback: CallbackKey,
    },
    /// What is really going on. Whatever the engine believes otherwise is set right; see [`Truth`].
    Truth(Box<Truth>),
    /// New configuration. Waiting calls keep their places, talks go on.
    Configure(Box<Config>),
}

/// What the driver knows of calls and dialogs: the answer to [`Output::AskTruth`]. It must speak of the moment when
/// all earlier outputs were carried out and all earlier events were handed in.
///
/// * A call that the engine holds and that is not in `waiting` has gone: it counts as abandoned.
/// * An agent believed to be rung or talking who is not in `busy` with that call is set free.
/// * An agent in `busy` believed to be free talks (a follower that takes over learns it so).
/// * A dial-out that is not in `dialling` has failed.
///
/// Each repair is one [`Output::Repaired`] and counts as [`Counters::stuck`](crate::Counters::stuck).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Truth {
    /// Callers who wait for a person, rung for or not.
    pub waiting: BTreeSet<CallKey>,
    /// Agents who are rung for, or talk with, a caller of a queue.
    pub busy: BTreeSet<(AgentKey, CallKey)>,
    /// Of these, who talk: voices joined.
    pub talking: BTreeMap<AgentKey, CallKey>,
    /// Customers who are being called back and have not answered yet.
    pub dialling: BTreeSet<CallbackKey>,
}

/// Something that [`Input::Truth`] set right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// The caller had gone.
    CallGone(CallKey),
    /// The agent was not rung for the call.
    NotRung(AgentKey, CallKey),
    /// The talk was over.
    TalkOver(AgentKey, CallKey),
    /// The talk was unknown.
    Talks(AgentKey, CallKey),
    /// Nobody was dialling.
    NotDialling(CallbackKey),
}

/// Who calls and what for.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Tier; one below the last is served as the last.
    pub tier: TierKey,
    /// Queue.
    pub queue: QueueKey,
    /// Skills asked for.
    pub skills: Requirement,
    /// Order within the tier.
    pub class: Class,
    /// Favoured within the tier.
    pub senior: bool,
    /// Account manager A and his stand-in B.
    pub managers: [Option<AgentKey>; 2],
    /// Who served this caller last, if that was lately.
    pub last_agent: Option<AgentKey>,
    /// The place in line, for a caller who was waiting already. `None`: now.
    pub since: Option<Instant>,
    /// Who he is. If he was promised a callback, this call keeps the promise and has its place.
    pub customer: Option<CustomerKey>,
}

impl Caller {
    /// An ordinary call of `tier` for `queue`.
    pub fn new(tier: TierKey, queue: QueueKey) -> Self {
        Caller {
            tier,
            queue,
            skills: Requirement::none(),
            class: Class::Normal,
            senior: false,
            managers: [None, None],
            last_agent: None,
            since: None,
            customer: None,
        }
    }
}

/// Order within a tier: an earlier class goes first, then the earlier call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Class {
    /// First.
    Emergency,
    /// Second.
    Complaint,
    /// As everybody.
    #[default]
    Normal,
}

/// What a caller left the queue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deflection {
    /// A callback was promised.
    Callback,
    /// Self-service or another flow.
    SelfService,
    /// Another queue; the flow offers the call there anew.
    OtherQueue,
    /// Somebody outside the queues.
    Transfer,
    /// The flow said goodbye.
    Hangup,
}

/// Why a presentation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decline {
    /// It rang and nobody came. (The engine also sets this deadline itself.)
    NoAnswer,
    /// The phone was busy.
    Busy,
    /// The agent rejected it.
    Rejected,
    /// The phone could not be reached.
    Unreachable,
    /// The driver could not ring anybody just now, for want of something of its own. Not the agent's fault, nor the
    /// call's: both are tried again, with each other, too.
    Shortage,
}

/// What the driver must do or show.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ring the agent for the call. The engine withdraws after `ring`.
    Present {
        /// The call.
        call: CallKey,
        /// Who.
        agent: AgentKey,
        /// How long at most.
        ring: Duration,
    },
    /// Stop ringing the agent (or hang up on him, if he came too late).
    Withdraw {
        /// The call.
        call: CallKey,
        /// Who.
        agent: AgentKey,
        /// Why.
        why: Withdrawal,
    },
    /// The call left its queue unanswered. To a queue: it already waits there, nothing is to be done.
    Overflow {
        /// The call.
        call: CallKey,
        /// Where to.
        to: OverflowTarget,
        /// Why.
        why: OverflowWhy,
    },
    /// An agent's state as shown to people changed.
    AgentChanged {
        /// Who.
        agent: AgentKey,
        /// The new state.
        state: AgentState,
    },
    /// Why a call went to an agent, or to none; for explaining it later.
    Decided(Arc<Decision>),
    /// Overload: let the caller choose; a choice comes back as [`Input::Deflect`]. He keeps his place meanwhile.
    WayOut {
        /// The waiting call.
        call: CallKey,
        /// What to offer.
        way: WayOut,
    },
    /// A queue climbed or descended the ladder of overload.
    Overload {
        /// Which.
        queue: QueueKey,
        /// The rung, 0-4; from 2 on prompts should be short.
        level: u8,
    },
    /// The answer to [`Input::AskWait`].
    Wait {
        /// The call.
        call: CallKey,
        /// What to say, and when to ask again.
        announcement: Announcement,
    },
    /// Call the customer: agents are free for it. Answer by [`Input::DialAnswered`] or [`Input::DialFailed`].
    DialBack {
        /// Which promise.
        callback: CallbackKey,
        /// Whom.
        customer: CustomerKey,
        /// His tier.
        tier: TierKey,
        /// The queue that he will wait in.
        queue: QueueKey,
        /// 1 for the first attempt.
        attempt: u8,
    },
    /// Stop calling the customer.
    StopDial {
        /// Which promise.
        callback: CallbackKey,
    },
    /// A promise is due and not kept yet: for people to see to.
    CallbackOverdue {
        /// Which promise.
        callback: CallbackKey,
    },
    /// What became of a promise: for the store and for people.
    CallbackChanged {
        /// Which promise.
        callback: CallbackKey,
        /// Its state now.
        state: CallbackState,
    },
    /// Tell what is going on: [`Input::Truth`].
    AskTruth,
    /// Something was not as the engine believed.
    Repaired(Repair),
}

/// What a caller is offered at overload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// A callback that keeps his place.
    pub callback: bool,
    /// Self-service.
    pub self_service: bool,
    /// At once and before anything else: the line of his tier is full.
    pub pressing: bool,
    /// Say plainly that there are not enough people.
    pub plainly: bool,
    /// How long he would wait.
    pub expected: Option<Duration>,
}

/// What to tell a waiting caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// "You will be answered within …": four of five callers are. A whole half minute up to five minutes, then a
    /// whole minute. `None`: say nothing now (too short to matter, no shorter than what was said, too soon, or
    /// nobody is on duty).
    pub within: Option<Duration>,
    /// The mean, not rounded, for people who watch. `None`: nobody is on duty.
    pub mean: Option<Duration>,
    /// Calls of his tier and wishes before him.
    pub ahead: usize,
    /// Ask again after this.
    pub again: Duration,
}

/// Why a presentation is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withdrawal {
    /// He let it ring too long.
    NoAnswer,
    /// The caller left.
    CallerGone,
    /// Somebody else has the call.
    AnsweredElsewhere,
    /// He logged out, became not ready or unreachable.
    AgentLeft,
    /// He came after the presentation was over.
    TooLate,
}

/// Why a call left its queue unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverflowWhy {
    /// It waited long enough.
    Time,
    /// Too many wait.
    Length,
    /// Nobody is on duty.
    NoAgents,
    /// A limit of the engine, or a queue that does not exist (any more).
    Limit,
    /// The ladder of overload leads such calls elsewhere.
    Overload,
}

/// An agent's state as shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// Away.
    LoggedOut,
    /// Takes no calls.
    NotReady {
        /// Why.
        reason: u8,
        /// When he is ready again by himself, after a failed presentation.
        until: Option<Instant>,
    },
    /// Free.
    Ready,
    /// Would be free, but his phone is not registered.
    Unreachable,
    /// Would be free, but is in a call of his own.
    Engaged,
    /// A call is ringing, or he picked up and the voices are being joined.
    Reserved {
        /// Which.
        call: CallKey,
        /// When it is withdrawn.
        until: Instant,
    },
    /// Voices joined.
    Talking {
        /// With whom.
        call: CallKey,
    },
    /// After-call work.
    WrapUp {
        /// When he is ready again by himself.
        until: Instant,
    },
}

/// What a deadline of the engine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// End of ringing, joining, resting, talk or wrap-up.
    Agent(AgentKey),
    /// Longest call of an agent's own.
    Engaged(AgentKey),
    /// The next change of a waiting call: manager's turn over, relaxation, somebody may be rung again, overflow.
    Call(CallKey),
    /// A queue has been without agents for too long.
    NoAgents(QueueKey),
    /// Look again at calls held back by a reserve.
    Reserve,
    /// Look again at calls held back until now by their index.
    Held,
    /// Look at a queue's overload.
    Ladder(QueueKey),
    /// A promise may be kept from now on, or its dial-out has taken too long.
    Callback(CallbackKey),
    /// A promise is due.
    CallbackDue(CallbackKey),
    /// The quiet hours are over.
    Quiet,
    /// Ask the driver for the truth.
    Audit,
}
