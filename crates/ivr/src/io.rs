//! What the interpreter is told and what it asks for. Nothing here knows of SIP or of sockets.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;

use base::{Duration, Pii};

use crate::say::Language;

/// A name from a flow file: of a prompt, a queue, a step. Shared, never copied.
pub type Name = Arc<str>;

/// Pairs one request of the interpreter with its answer. An answer with an old token is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Prompts to speak, in order. `Debug` shows how many: what is spoken may be the caller's own number.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Items(Vec<Name>);

impl From<Vec<Name>> for Items {
    fn from(items: Vec<Name>) -> Self {
        Items(items)
    }
}

impl Deref for Items {
    type Target = [Name];
    fn deref(&self) -> &[Name] {
        &self.0
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} prompts", self.0.len())
    }
}

/// What happened to the caller, told to [`crate::Interpreter::handle`]. `Debug` shows no key and no value.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// The call is answered and its media flows: run the first step.
    Started,
    /// The caller pressed a key: `0`-`9`, `*`, `#`, `A`-`D`.
    Digit(u8),
    /// What [`Output::Play`] asked for was spoken to its end.
    PlayDone {
        /// Of the `Play`.
        token: Token,
    },
    /// The back end answered, or did not.
    HookDone {
        /// Of the `Hook`.
        token: Token,
        /// Values by name, or why there are none.
        result: Result<Vec<(String, Pii<String>)>, HookFailure>,
    },
    /// Answer to [`Output::AskWait`], as known now.
    Expected {
        /// What may be said of the wait.
        wait: Wait,
        /// Place in the queue, 1 = next; `None` when not meaningful.
        position: Option<u32>,
    },
    /// More callers than people: what a waiting caller may choose instead. He keeps his place meanwhile.
    WayOut(WayOut),
    /// The call left its queue without an agent. The flow goes on.
    QueueLeft {
        /// Why.
        why: LeftQueue,
        /// A flow that the queue's overflow names; it wins over the step's `overflow`, not over what the step
        /// says about this very reason (`no_agents`, `full`, `closed`).
        flow: Option<String>,
    },
    /// An agent's phone answered. His number is spoken to the caller, then [`Output::Join`] follows.
    AgentAnswered {
        /// The agent's number, as spoken.
        number: String,
    },
    /// The agent was lost before or after the voices were joined (not by his own hang-up); the call is in its queue again,
    /// place kept.
    Requeued,
    /// The agent, or the far end of a transfer, hung up first. The caller is led on (survey).
    AgentHungUp,
    /// [`Output::Transfer`] reached its target: the voices are joined.
    TransferJoined,
    /// [`Output::Transfer`] reached nobody.
    TransferFailed,
    /// [`Output::Record`] ended.
    RecordDone {
        /// Of the `Record`.
        token: Token,
        /// Length recorded in ms, or `None` when recording failed.
        length_ms: Option<u32>,
    },
    /// [`Output::Callback`] was taken or refused (no such number allowed, too many).
    CallbackDone {
        /// Of the `Callback`.
        token: Token,
        /// Whether the caller will be called back.
        taken: bool,
    },
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Started => f.write_str("Started"),
            Input::Digit(_) => f.write_str("Digit(•••)"),
            Input::PlayDone { token } => write!(f, "PlayDone({})", token.0),
            Input::HookDone { token, result } => {
                write!(f, "HookDone({}, {:?})", token.0, result.as_ref().map(Vec::len))
            }
            Input::Expected { wait, position } => write!(f, "Expected({wait:?}, {position:?})"),
            Input::WayOut(way) => write!(f, "{way:?}"),
            Input::QueueLeft { why, flow } => write!(f, "QueueLeft({why:?}, {flow:?})"),
            Input::AgentAnswered { number } => write!(f, "AgentAnswered({number})"),
            Input::Requeued => f.write_str("Requeued"),
            Input::AgentHungUp => f.write_str("AgentHungUp"),
            Input::TransferJoined => f.write_str("TransferJoined"),
            Input::TransferFailed => f.write_str("TransferFailed"),
            Input::RecordDone { token, length_ms } => write!(f, "RecordDone({}, {length_ms:?})", token.0),
            Input::CallbackDone { token, taken } => write!(f, "CallbackDone({}, {taken})", token.0),
        }
    }
}

/// What the driver must do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Speak these prompts one after the other; replaces whatever plays. [`Input::PlayDone`] follows at the end.
    Play {
        /// Comes back with `PlayDone`.
        token: Token,
        /// Which voice speaks.
        language: Language,
        /// Prompt names of that voice.
        items: Items,
    },
    /// Silence within one packet (barge-in). No `PlayDone` for what was stopped.
    StopPlay,
    /// Play this prompt of the voice in a loop, going on where this caller's music stopped.
    Music {
        /// Which voice's folder.
        language: Language,
        /// Prompt name.
        name: Name,
    },
    /// Ask the back end; answer with [`Input::HookDone`] within `timeout`.
    Hook {
        /// Comes back with `HookDone`.
        token: Token,
        /// Absolute, or relative to the configured base. Never contains a variable.
        url: Name,
        /// Parameters, expanded.
        params: Vec<(Name, Pii<String>)>,
        /// At most 2 s.
        timeout: Duration,
    },
    /// Put the call in a queue of people.
    Enqueue(Enqueue),
    /// How long will it be? Answer with [`Input::Expected`] at once.
    AskWait,
    /// The call leaves its queue by the caller's choice (not by hanging up).
    Dequeue {
        /// What for, in the terms of the queue's statistics.
        why: Dequeue,
    },
    /// The agent's number was spoken: join the voices.
    Join,
    /// Take a callback to `number`; if the call waits in a queue it leaves it and keeps its place there. Answer with
    /// [`Input::CallbackDone`].
    Callback {
        /// Comes back with `CallbackDone`.
        token: Token,
        /// To be called, digits only.
        number: Pii<String>,
        /// Whose people call back.
        queue: Name,
        /// What it is about.
        kind: CallbackKind,
        /// Not before this time of day, minutes after midnight.
        not_before_min: Option<u16>,
    },
    /// Give the caller to somebody else. The call leaves its queue first.
    Transfer {
        /// To whom.
        to: TransferTo,
    },
    /// Record the caller until `RecordDone`.
    Record {
        /// Comes back with `RecordDone`.
        token: Token,
        /// What the recording is for: a word of the flow.
        name: Name,
        /// Longest recording.
        length_max: Duration,
    },
    /// End the recording now (a key was pressed); `RecordDone` follows.
    StopRecord {
        /// Of the `Record`.
        token: Token,
    },
    /// The caller scored.
    SurveyResult {
        /// Name of the question.
        question: Name,
        /// The key pressed, 1-9.
        score: u8,
    },
    /// A variable changed by a `set` step.
    Set {
        /// Variable.
        name: Name,
        /// New value.
        value: Pii<String>,
    },
    /// A step begins: for the call record.
    Step {
        /// Flow.
        flow: Name,
        /// Step.
        step: Name,
        /// Its verb.
        verb: &'static str,
    },
    /// The flow is over: end the call. Always the last output.
    Hangup {
        /// Why.
        reason: HangupReason,
    },
}

/// What may be said of a caller's wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// He will be answered within this.
    Within(Duration),
    /// Nothing now: it is short, or no shorter than what he was told.
    Untold,
    /// Nobody can say.
    Unknown,
}

/// What a caller may choose instead of waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WayOut {
    /// A callback that keeps his place.
    pub callback: bool,
    /// Self-service.
    pub self_service: bool,
    /// Before anything else: the line is full.
    pub pressing: bool,
    /// Say plainly that there are not enough people.
    pub plainly: bool,
}

/// Entry into a queue of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueue {
    /// Queue.
    pub queue: Name,
    /// Skills asked for, each with its lowest level 1-10.
    pub skills: Vec<(Name, u8)>,
    /// Order within the tier.
    pub class: Class,
    /// Whether account managers A and B are tried first.
    pub managers: bool,
}

/// What a promised call is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallbackKind {
    /// Instead of waiting.
    #[default]
    Callback,
    /// Word on a complaint.
    Complaint,
    /// Word on a visit.
    Visit,
}

/// Order at equal tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// First of all.
    Emergency,
    /// A complaint.
    Complaint,
    /// Everything else.
    #[default]
    Normal,
}

/// Why a call left its queue without an agent and not by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftQueue {
    /// Waited longer than the queue allows.
    Time,
    /// The queue is full.
    Length,
    /// Nobody who could answer is logged in.
    NoAgents,
    /// The queue does not take calls now.
    Closed,
}

/// What the flow does instead of waiting. Other steps keep the caller's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dequeue {
    /// Self-service: a `set` step with `leave_queue = true`.
    SelfService,
    /// Somebody else.
    Transfer,
    /// Another queue; its `Enqueue` follows.
    OtherQueue,
    /// The flow ends the call.
    Hangup,
}

/// Target of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferTo {
    /// An agent by number.
    Agent(Pii<String>),
    /// A queue by name.
    Queue(Name),
    /// An outside number.
    Number(Pii<String>),
}

/// Why the back end gave no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookFailure {
    /// No answer in time.
    Timeout,
    /// Could not be reached.
    Unreachable,
    /// Answered with this HTTP status.
    Status(u16),
    /// Answered with something that is not values by name.
    Malformed,
    /// Too many hooks are under way.
    Busy,
}

/// Why the flow ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangupReason {
    /// A `hangup` step, or a step without a next one.
    Done,
    /// The caller never pressed a key and never spoke.
    Silent,
    /// No service now.
    Closed,
    /// More steps ran without input than allowed: the flow goes in a circle.
    Loop,
    /// The flow names something that does not exist (only possible when it was not checked).
    Broken,
}

impl HangupReason {
    /// The word in flow files and call records.
    pub const fn word(self) -> &'static str {
        match self {
            HangupReason::Done => "done",
            HangupReason::Silent => "silent",
            HangupReason::Closed => "closed",
            HangupReason::Loop => "loop",
            HangupReason::Broken => "broken",
        }
    }
}

/// Deadlines of the interpreter, named by what they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The caller's time to press a key, the back end's time to answer, the next comfort announcement.
    Step,
    /// A prompt should long have ended.
    PlayGuard,
}
