//! What goes into the switch and what comes out.

use base::{AgentKey, CallKey, CallbackKey, Instant, Pii, UnixMillis};

use crate::callback::{Callback, CallbackChange};
use crate::directory::Customer;
use crate::record::CallRecord;
use crate::settings::Settings;
use crate::view::Notice;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A SIP message, a connection's end, a resolver's answer.
    Sip(sip::Input),
    /// Something that a media worker heard or finished.
    Media(media::Event),
    /// A media worker does not keep up, or does again. New calls go to another one; if there is none, they
    /// are refused with 503, except emergencies.
    MediaLate {
        /// The worker.
        worker: usize,
        /// Whether it does not keep up.
        late: bool,
    },
    /// A decision of the call distributor.
    Acd(acd::Output),
    /// Answer to [`Output::Lookup`]. Too late is harmless.
    Customer {
        /// The call.
        call: CallKey,
        /// The directory's row, if the number is in it.
        found: Option<Box<Customer>>,
    },
    /// Answer to [`Output::Hook`].
    HookDone {
        /// The call.
        call: CallKey,
        /// Token of the hook.
        token: u64,
        /// Variables for the flow, or what failed.
        result: Result<Vec<(String, Pii<String>)>, ivr::HookFailure>,
    },
    /// Answer to [`Output::MayCall`].
    MayCall {
        /// The promise.
        callback: CallbackKey,
        /// Whether it is still to be kept.
        open: bool,
    },
    /// A promise that was given before the start, the oldest first.
    Promised(Box<Callback>),
    /// An agent talked to this customer before the start.
    Served {
        /// The customer's number, canonical.
        number: Pii<String>,
        /// The agent's number.
        agent: String,
        /// When.
        at: UnixMillis,
    },
    /// New settings. Live calls go on; what they need next they take from the new ones.
    Reload(Box<Settings>),
    /// No new calls; at `deadline` the remaining ones are ended.
    Drain {
        /// When patience ends.
        deadline: Instant,
    },
}

/// What the driver must do now.
#[derive(Debug)]
pub enum Output {
    /// Send bytes or resolve a name ([`sip::Output::Event`] never comes out here).
    Sip(sip::Output),
    /// Command a media worker.
    Media {
        /// The worker.
        worker: usize,
        /// The command.
        command: media::Command,
    },
    /// Tell the call distributor.
    Acd(acd::Input),
    /// A customer is about to be called back: has nobody taken the promise back? Answer with [`Input::MayCall`].
    MayCall(CallbackKey),
    /// Find the customer; answer with [`Input::Customer`] within [`crate::settings::Limits::lookup_max`].
    Lookup {
        /// The call.
        call: CallKey,
        /// The caller's number, canonical.
        number: Pii<String>,
    },
    /// Ask the carrier's back end; answer with [`Input::HookDone`].
    Hook {
        /// The call.
        call: CallKey,
        /// Token to answer with.
        token: u64,
        /// What to ask.
        request: Box<HookRequest>,
    },
    /// A call is over: its record, exactly once per call.
    Record(Box<CallRecord>),
    /// A customer was promised a call: keep it.
    Callback(Box<Callback>),
    /// What became of a promise: keep it.
    CallbackChanged(CallbackChange),
    /// A caller left a message: keep it.
    Recording(Box<Recording>),
    /// An agent's contacts changed: [`crate::Switch::contacts_of`] has them, to be kept over a restart.
    Contacts(AgentKey),
    /// Something for the event stream.
    Notice(Notice),
    /// Panics came one after the other: something is broken that ending calls does not mend. The process
    /// must end, for its supervisor to start it anew.
    GivenUp,
    /// Draining is done: no call is left.
    Drained,
}

/// A request to the carrier's back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRequest {
    /// Where: absolute, or relative to the configured base.
    pub url: ivr::Name,
    /// Parameters, values private.
    pub params: Vec<(ivr::Name, Pii<String>)>,
    /// How long the answer may take.
    pub timeout: base::Duration,
}

/// A message that a caller left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The call in which he left it.
    pub call: CallKey,
    /// What it is for: the `name` of the flow's step.
    pub name: String,
    /// What `audio` is.
    pub codec: media::Codec,
    /// His voice as RTP payload, one channel; [`media::recording::wav`] makes a file of it.
    pub audio: Pii<Box<[u8]>>,
    /// Length of `audio`.
    pub length_ms: u32,
    /// When it began.
    pub at: UnixMillis,
}
