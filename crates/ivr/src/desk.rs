//! What a running verb may touch: the caller's variables, what is spoken, one deadline, the outputs.

use core::fmt;
use std::collections::VecDeque;

use base::{Duration, Instant, Pii};

use crate::io::{Dequeue, HangupReason, LeftQueue, Name, Output, Timer, Token, WayOut};
use crate::say::Language;
use crate::vars::Vars;
use crate::words::{Named, Target, To, Words, after_ms};

/// No prompt lasts longer. When `PlayDone` does not come by then, the flow goes on without it.
const PLAY_MAX: Duration = Duration::from_secs(300);

/// What a verb hears.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The step begins.
    Begin,
    /// What it asked to be spoken was spoken.
    Spoken,
    /// The caller pressed a key (and interrupted what was spoken).
    Key(u8),
    /// The step's deadline passed.
    Timeout,
    /// Its `Hook` came back; the values are variables already.
    Hooked { fine: bool },
    /// The expected wait is known (`${wait}`), or not.
    Expected { wait: Told },
    /// He may choose something else.
    WayOut(WayOut),
    /// The call left its queue.
    Left(LeftQueue),
    /// Its `Transfer` failed.
    TransferFailed,
    /// Its `Record` ended, by its length if it succeeded.
    Recorded { length_ms: Option<u32> },
    /// Its `Callback` was taken, or not.
    CallbackDone { taken: bool },
}

/// What may be said of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Known,
    Unknown,
    Nothing,
}

/// Never which key.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}

/// What a verb wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing; more events will come.
    Stay,
    /// Another step.
    Go(To),
    /// The end.
    Hangup(HangupReason),
}

impl Next {
    pub(crate) fn go(target: &Target) -> Self {
        Next::Go(target.to.clone())
    }

    /// To `target`, or the end of the call when the step names none.
    pub(crate) fn go_or_end(target: Option<&Target>) -> Self {
        target.map_or(Next::Hangup(HangupReason::Done), Next::go)
    }
}

/// What is being spoken.
#[derive(Clone, Copy, Debug)]
struct Playing {
    token: Token,
    barge_in: bool,
    /// Afterwards the caller has this long to press a key; without it the verb hears `Spoken`.
    then_ms: Option<u32>,
}

/// Where in the flows the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) flow: Name,
    pub(crate) step: Name,
}

/// The call's place in a queue: which, and the step that will go on with the caller afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) queue: Name,
    pub(crate) at: At,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) now: Instant,
    pub(crate) vars: Vars,
    pub(crate) stay: Option<Stay>,
    at: At,
    outputs: VecDeque<Output>,
    /// An event that follows at once from what the verb just did.
    pending: Option<Event>,
    playing: Option<Playing>,
    music: bool,
    awaited: Option<Token>,
    step_at: Option<Instant>,
    guard_at: Option<Instant>,
    token: u64,
    /// A key that ended an announcement: it counts where the caller is asked next.
    ahead: Option<Pii<u8>>,
}

impl Desk {
    pub(crate) fn new(vars: Vars, flow: Name) -> Self {
        Desk {
            now: Instant::ZERO,
            vars,
            stay: None,
            at: At { flow, step: "".into() },
            outputs: VecDeque::new(),
            pending: None,
            playing: None,
            music: false,
            awaited: None,
            step_at: None,
            guard_at: None,
            token: 0,
            ahead: None,
        }
    }

    /// The voice that speaks to this caller.
    pub(crate) fn language(&self) -> Language {
        Language::from_word(self.vars.get("language")).unwrap_or_default()
    }

    pub(crate) fn at(&self) -> &At {
        &self.at
    }

    /// A new step begins: its predecessor's deadline and speech mean nothing to it.
    pub(crate) fn enter(&mut self, at: At, verb: &'static str) {
        self.outputs.push_back(Output::Step { flow: at.flow.clone(), step: at.step.clone(), verb });
        self.at = at;
        self.forget();
    }

    /// Forgets deadlines and speech under way; what plays goes on until something replaces it.
    pub(crate) fn forget(&mut self) {
        self.step_at = None;
        self.guard_at = None;
        self.playing = None;
        self.pending = None;
        self.awaited = None;
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_token(&mut self) -> Token {
        self.token = self.token.saturating_add(1);
        Token(self.token)
    }

    /// Speaks `words`; the verb hears [`Event::Spoken`].
    pub(crate) fn speak(&mut self, words: &Words, barge_in: bool) {
        self.start(words, barge_in, None);
    }

    /// Speaks `words` and gives the caller `ms` after them to press a key: [`Event::Key`] or [`Event::Timeout`].
    pub(crate) fn ask(&mut self, words: &Words, barge_in: bool, ms: u32) {
        self.start(words, barge_in, Some(ms));
    }

    fn start(&mut self, words: &Words, barge_in: bool, then_ms: Option<u32>) {
        let language = self.language();
        let items = words.items(&self.vars, language);
        self.step_at = None;
        if items.is_empty() {
            // Music, if it plays, goes on.
            self.hush();
            self.spoken(then_ms);
            return;
        }
        let token = self.next_token();
        self.music = false;
        self.playing = Some(Playing { token, barge_in, then_ms });
        self.guard_at = Some(self.now + PLAY_MAX);
        self.emit(Output::Play { token, language, items: items.into() });
    }

    fn spoken(&mut self, then_ms: Option<u32>) {
        match then_ms {
            Some(ms) => self.step_at = Some(after_ms(self.now, ms)),
            None => self.pending = Some(Event::Spoken),
        }
    }

    /// Ends what is spoken, if anything is.
    pub(crate) fn hush(&mut self) {
        self.guard_at = None;
        if self.playing.take().is_some() {
            self.emit(Output::StopPlay);
        }
    }

    /// Loops `prompt` until something is spoken.
    pub(crate) fn music(&mut self, prompt: &Named) {
        if !self.music {
            self.music = true;
            self.emit(Output::Music { language: self.language(), name: prompt.name.clone() });
        }
    }

    /// The driver plays nothing any more (voices were joined).
    pub(crate) fn handed_over(&mut self) {
        self.forget();
        self.music = false;
    }

    /// The step's deadline, replacing the one before.
    pub(crate) fn wait_ms(&mut self, ms: u32) {
        self.step_at = Some(after_ms(self.now, ms));
    }

    /// The call leaves its queue by itself.
    pub(crate) fn leave_queue(&mut self, why: Dequeue) {
        if self.stay.take().is_some() {
            self.emit(Output::Dequeue { why });
        }
    }

    pub(crate) fn take_pending(&mut self) -> Option<Event> {
        self.pending.take()
    }

    /// A prompt ended; whether it was the one that plays.
    pub(crate) fn play_done(&mut self, token: Token) -> Option<Event> {
        let playing = self.playing.take_if(|playing| playing.token == token)?;
        self.guard_at = None;
        self.spoken(playing.then_ms);
        self.pending.take()
    }

    /// A key as the verb hears it: not while something plays that must be heard to its end.
    pub(crate) fn key(&mut self, digit: u8) -> Option<Event> {
        match self.playing {
            Some(Playing { barge_in: false, .. }) => None,
            Some(_) => {
                self.hush();
                Some(Event::Key(digit))
            }
            None => Some(Event::Key(digit)),
        }
    }

    /// The key that ended this announcement counts as the answer to the question right after it: who knows the menu need not
    /// hear it.
    pub(crate) fn pass_on(&mut self, key: u8) {
        self.ahead = Some(key.into());
    }

    /// The key passed on, if the caller is being asked something now. The question is not spoken then.
    pub(crate) fn take_ahead(&mut self) -> Option<Event> {
        let key = self.ahead.take()?.into_inner();
        let playing = self.playing.take_if(|playing| playing.barge_in && playing.then_ms.is_some())?;
        self.guard_at = None;
        let unheard =
            |output: &Output| matches!(output, Output::Play { token, .. } if *token == playing.token);
        if self.outputs.back().is_some_and(unheard) {
            self.outputs.pop_back();
        }
        Some(Event::Key(key))
    }

    /// The step waits for the answer to `token`.
    pub(crate) fn awaits(&mut self, token: Token) {
        self.awaited = Some(token);
    }

    /// Whether the step waited for `token`; it does no more.
    pub(crate) fn answered(&mut self, token: Token) -> bool {
        self.awaited.take_if(|awaited| *awaited == token).is_some()
    }

    /// What has expired by now.
    pub(crate) fn expired(&mut self) -> Option<Event> {
        if self.guard_at.is_some_and(|at| at <= self.now) {
            self.guard_at = None;
            let playing = self.playing.take()?;
            self.emit(Output::StopPlay);
            self.spoken(playing.then_ms);
            return self.pending.take();
        }
        self.step_at.take_if(|at| *at <= self.now).map(|_| Event::Timeout)
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let step = self.step_at.map(|at| (at, Timer::Step));
        let guard = self.guard_at.map(|at| (at, Timer::PlayGuard));
        step.into_iter().chain(guard).min()
    }
}
