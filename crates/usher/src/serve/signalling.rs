//! The signalling loop: one thread owns the SIP sockets, the switch and the distributor. Everything else
//! reaches it by messages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::{CallKey, Duration, Instant, Pii};
use bytes::Bytes;
use call::backlog::Worth;
use call::intake::{Intake, Next};
use call::view::{Notice, Snapshot};
use call::{Input, Local, Output};
use console::AdminRequest;
use sip::glimpse::Glimpse;
use sip::{Flow, Protocol};
use store::{Found, Note};
use tokio::sync::{Notify, broadcast, mpsc};
use worker::CounterValues;

use super::alarms::Alarms;
use super::back::{Answer, Ask, refusal};
use super::clock::Clock;
use super::counters::{Counters, count};
use super::duty::Duty;
use super::history;
use super::offload::OffloadWatch;
use super::outbox::Outbox;
use super::pace::Pace;
use super::rarely::Rarely;
use super::resolver::Question;
use super::signals::{Signal, Signals};
use super::slow::SlowEnds;
use super::tcp::{StreamEvent, Streams};
use super::udp::{Arrival, UdpListeners};
use crate::config::keys::KeyBook;

/// How often the picture for the API and metrics is renewed.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(500);
/// How soon commands that a media thread had no room for are tried again.
const COMMAND_RETRY: Duration = Duration::from_millis(1);
/// How long what has arrived is handled before the network is looked at again.
const WORK_FOR: Duration = Duration::from_millis(1);
/// Media events handled before the network has its turn.
const EVENTS_PER_ROUND: usize = 256;
/// Refusals that leave in one system call.
const REFUSALS_PER_FLUSH: usize = 32;

/// Everything that the loop owns.
pub struct Signalling {
    /// Tells the time.
    pub clock: Clock,
    /// The switch with its distributor.
    pub local: Local,
    /// Who is registered and on duty, for the next start.
    pub duty: Duty,
    /// UDP sockets.
    pub udp: UdpListeners,
    /// What they brought, while it is sorted.
    pub arrivals: Vec<Arrival>,
    /// When they were last looked at.
    pub looked: Instant,
    /// What has arrived and is not handled yet.
    pub intake: Intake<Arrival, (Flow, Bytes)>,
    /// Says that there are too many.
    pub overloads: Rarely,
    /// TCP connections.
    pub streams: Streams,
    /// What TCP connections bring.
    pub stream_events: mpsc::Receiver<StreamEvent>,
    /// Media threads.
    pub media: Outbox,
    /// Rung by media threads when they have events.
    pub media_bell: Arc<Notify>,
    /// Directory, hooks, records, operators.
    pub slow: SlowEnds,
    /// The picture for the API.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The event stream.
    pub notices: broadcast::Sender<Arc<Notice>>,
    /// Tells `/readyz`.
    pub readiness: Arc<console::Readiness>,
    /// SIGTERM, SIGINT, SIGHUP.
    pub signals: Signals,
    /// The configuration's folder and names.
    pub config: (PathBuf, KeyBook),
    /// The bound listeners, for a reload.
    pub listeners: Vec<sip::Listener>,
    /// How long SIGTERM waits.
    pub drain: Duration,
    /// Lets messages gather at load.
    pub pace: Pace,
    /// Says when the kernel has no room for more calls.
    pub offload: OffloadWatch,
    /// What is counted here.
    pub counters: Arc<Counters>,
    /// What the log is told about limits.
    pub alarms: Alarms,
    /// How it ended, once it has.
    pub end: Option<End>,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should: no call is left.
    Drained,
    /// Too many panics, one after the other.
    GivenUp,
}

/// What woke the loop.
enum Wake {
    Udp,
    Stream(StreamEvent),
    Media,
    Answer(Answer),
    Admin(AdminRequest),
    Signal(Signal),
    Deadline,
    Snapshot,
    Intake,
}

impl Signalling {
    /// Runs until the switch is drained or has given up.
    pub async fn run(mut self) -> End {
        let mut snapshots = tokio::time::interval(SNAPSHOT_EVERY);
        snapshots.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let sleep = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(sleep);
        loop {
            if let Some(end) = self.pump() {
                self.publish();
                return end;
            }
            let deadline = self.local.poll_timeout().map_or(Instant::FAR_FUTURE, |(at, _)| at);
            let retry = self.media.flush().then(|| self.clock.now() + COMMAND_RETRY);
            let deadline = retry.map_or(deadline, |retry| retry.min(deadline));
            sleep.as_mut().reset(self.clock.tokio(deadline));
            if !self.intake.is_empty() {
                // The runtime looks at the sockets meanwhile: whatever the turn is for, it shall see what waits there.
                tokio::task::yield_now().await;
            }
            let udp = &self.udp;
            let wake = tokio::select! {
                () = std::future::poll_fn(|cx| udp.poll_readable(cx)) => Wake::Udp,
                Some(event) = self.stream_events.recv() => Wake::Stream(event),
                () = self.media_bell.notified() => Wake::Media,
                Some(answer) = self.slow.answers.recv() => Wake::Answer(answer),
                Some(request) = self.slow.admin.recv() => Wake::Admin(request),
                signal = self.signals.next() => Wake::Signal(signal),
                () = &mut sleep => Wake::Deadline,
                _ = snapshots.tick() => Wake::Snapshot,
                () = std::future::ready(()), if !self.intake.is_empty() => Wake::Intake,
            };
            if self.intake.is_empty() {
                self.pace.gather();
            }
            self.handle(wake);
        }
    }

    fn handle(&mut self, wake: Wake) {
        let now = self.clock.now();
        self.drain_udp(now);
        match wake {
            Wake::Udp | Wake::Deadline | Wake::Intake => {}
            Wake::Stream(event) => self.stream(now, event),
            Wake::Media => {
                self.watch_media(now);
                self.drain_media(now);
            }
            Wake::Answer(answer) => self.answer(now, answer),
            Wake::Admin(request) => {
                // The client may have gone; then nobody waits for the reply.
                let _ = request.reply.send(self.local.admin(now, request.admin));
            }
            Wake::Signal(Signal::Reload) => self.reload(),
            Wake::Signal(Signal::Drain) => self.start_draining(now),
            Wake::Snapshot => self.publish(),
        }
        self.work();
        // A deadline may have passed while something else was handled.
        if self.local.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.local.handle_timeout(now);
        }
    }

    /// Empties the sockets, so that all that waits is seen.
    fn drain_udp(&mut self, now: Instant) {
        if self.intake.is_full() {
            return;
        }
        // While there is more than can be handled, each turn begins with a look, and what is found now may have come right
        // after the last one: it has waited for as long as the turn took.
        let looked = std::mem::replace(&mut self.looked, now);
        let since = if self.intake.is_empty() { now } else { looked };
        let mut arrivals = std::mem::take(&mut self.arrivals);
        self.udp.drain(|arrival| arrivals.push(arrival));
        for arrival in arrivals.drain(..) {
            self.arrived(now, since, arrival);
        }
        self.arrivals = arrivals;
    }

    fn stream(&mut self, now: Instant, event: StreamEvent) {
        match event {
            StreamEvent::Accepted(stream, local, remote) => {
                if !self.streams.accepted(stream, local, remote) {
                    count(&self.counters.tcp_connections_refused);
                }
            }
            StreamEvent::Arrival(arrival) => {
                if let Arrival::Closed(flow) = &arrival {
                    self.streams.closed(flow);
                }
                self.arrived(now, now, arrival);
            }
        }
    }

    /// Puts an arrival in its place.
    fn arrived(&mut self, now: Instant, since: Instant, arrival: Arrival) {
        let refused = match arrival {
            Arrival::Message { flow, bytes } => match Glimpse::of(&bytes) {
                Glimpse::Call | Glimpse::Registration => {
                    let (switch, slow) = (self.local.switch(), &self.slow);
                    let worth = |call: &(Flow, Bytes)| worth(switch, slow, call);
                    self.intake.arrived(now, since, (flow, bytes), worth)
                }
                Glimpse::Withdrawal if self.intake.waiting() > 0 => self.intake.withdrawn(now, (flow, bytes)),
                Glimpse::Withdrawal | Glimpse::Other => {
                    self.intake.existing(Arrival::Message { flow, bytes });
                    None
                }
            },
            other => {
                self.intake.existing(other);
                None
            }
        };
        if let Some(gone) = refused {
            self.let_go(now, gone);
        }
    }

    /// Refuses those for whom it is too late, then handles what has arrived, for as long as nothing else can have
    /// become urgent.
    fn work(&mut self) {
        self.refuse_late(self.clock.now());
        let begun = self.clock.now();
        let mut now = begun;
        while now - begun < WORK_FOR {
            let input = match self.intake.pop() {
                None => return,
                Some(Next::New((flow, bytes)) | Next::Existing(Arrival::Message { flow, bytes })) => {
                    sip::Input::Received { flow, bytes }
                }
                Some(Next::Existing(Arrival::Closed(flow))) => sip::Input::Closed { flow },
                Some(Next::Existing(Arrival::Failed(flow))) => sip::Input::SendFailed { flow },
            };
            self.local.handle(now, Input::Sip(input));
            self.carry_out();
            now = self.clock.now();
        }
        self.refuse_late(now);
    }

    /// Tells the switch which media threads keep up. A thread changes its mind seconds apart, so the log is
    /// not flooded.
    fn watch_media(&mut self, now: Instant) {
        while let Some((worker, late)) = self.media.lateness_changed() {
            if late {
                tracing::warn!(worker, "a media thread does not keep up: no new calls there");
            } else {
                tracing::info!(worker, "a media thread keeps up again");
            }
            self.local.handle(now, Input::MediaLate { worker, late });
        }
    }

    fn refuse_late(&mut self, now: Instant) {
        for refused in 1.. {
            let (switch, slow) = (self.local.switch(), &self.slow);
            let Some(gone) = self.intake.too_late(now, |call| worth(switch, slow, call)) else { break };
            self.let_go(now, gone);
            if refused % REFUSALS_PER_FLUSH == 0 {
                self.send_all();
            }
        }
    }

    /// Not everything new can be begun in time: this one is refused.
    fn let_go(&mut self, now: Instant, (flow, bytes): (Flow, Bytes)) {
        let is_call = Glimpse::of(&bytes) != Glimpse::Withdrawal;
        self.local.handle(now, Input::Sip(sip::Input::Crowded { flow, bytes }));
        if is_call {
            self.say_refused(now);
        }
    }

    fn say_refused(&mut self, now: Instant) {
        count(&self.counters.calls_let_go);
        if self.overloads.is_due(now) {
            tracing::warn!(
                waiting = self.intake.waiting(),
                "more new calls than can be begun in time: refusing"
            );
        }
    }

    fn drain_media(&mut self, now: Instant) {
        for _ in 0..EVENTS_PER_ROUND {
            let Some(event) = self.media.try_recv() else { return };
            self.local.handle(now, Input::Media(event));
        }
        self.media_bell.notify_one();
    }

    fn answer(&mut self, now: Instant, answer: Answer) {
        let input = match answer {
            Answer::Customer { call, found } => Input::Customer { call, found },
            Answer::Hook { call, token, result } => Input::HookDone { call, token, result },
            Answer::Resolved { query, targets } => Input::Sip(sip::Input::Resolved { query, targets }),
            Answer::MayCall { callback, open } => Input::MayCall { callback, open },
            Answer::Promised(callback) => Input::Promised(callback),
            Answer::Served { number, agent, at } => Input::Served { number, agent, at },
            Answer::Reloaded(Ok(loaded)) => {
                let (loaded, keys) = *loaded;
                let mut settings = loaded.settings;
                settings.sip.listeners.clone_from(&self.listeners);
                settings.acd.callbacks.wall = self.clock.wall();
                self.config.1 = keys;
                self.drain = Duration::from_secs(loaded.main.drain_s);
                tracing::info!(agents = settings.agents.len(), "configuration reloaded; live calls go on");
                Input::Reload(Box::new(settings))
            }
            Answer::Reloaded(Err(findings)) => {
                for finding in &findings {
                    tracing::error!(%finding, "in the new configuration");
                }
                tracing::error!(mistakes = findings.len(), "the old configuration stays in force");
                return;
            }
        };
        self.local.handle(now, input);
    }

    fn reload(&mut self) {
        let (folder, keys) = &self.config;
        self.ask(Ask::Reload(folder.clone(), keys.clone()));
    }

    fn start_draining(&mut self, now: Instant) {
        tracing::info!(drain_s = self.drain.as_secs(), "draining: no new calls");
        self.readiness.set_draining();
        self.local.handle(now, Input::Drain { deadline: now + self.drain });
    }

    fn ask(&mut self, ask: Ask) {
        if let Err(error) = self.slow.asks.try_send(ask) {
            let (mpsc::error::TrySendError::Full(ask) | mpsc::error::TrySendError::Closed(ask)) = error;
            count(&self.counters.questions_refused);
            let now = self.clock.now();
            self.answer(now, refusal(ask));
        }
    }

    /// Does what the switch wants done and sends what leaves; whether and how that was the last of it.
    fn pump(&mut self) -> Option<End> {
        self.send_all();
        self.end
    }

    fn send_all(&mut self) {
        self.carry_out();
        for _ in 0..self.udp.flush() {
            count(&self.counters.udp_sends_failed);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.local.poll_output() {
            match output {
                Output::Sip(sip::Output::Send { protocol, local, remote, connection, bytes }) => {
                    self.send(protocol, local, remote, connection, bytes);
                }
                Output::Sip(sip::Output::Resolve { query, host, port, protocol }) => {
                    self.ask(Ask::Resolve(Question { query, host, port, protocol }));
                }
                Output::Media { worker, command } => self.media.send(worker, command),
                Output::Lookup { call, number } => self.look_up(call, number),
                Output::Hook { call, token, request } => self.ask(Ask::Hook { call, token, request }),
                Output::Record(record) => {
                    if self.slow.spool.push(*record) == store::Push::Refused {
                        count(&self.counters.records_refused);
                    }
                }
                Output::Notice(notice) => self.notice(notice),
                Output::Contacts(agent) => {
                    let (number, contacts) = self.local.switch().contacts_of(agent);
                    self.duty.contacts(number, contacts, self.clock.wall());
                }
                Output::Drained => self.end = Some(End::Drained),
                Output::GivenUp => self.end = Some(End::GivenUp),
                Output::Recording(recording) => self.slow.recorder.keep(*recording),
                Output::Callback(callback) => self.note(Note::Promise(*callback)),
                Output::CallbackChanged(change) => self.note(Note::PromiseChange(change)),
                Output::MayCall(callback) => self.ask(Ask::MayCall(callback)),
                // Local keeps what passes between the switch and the distributor.
                Output::Sip(sip::Output::Event(_)) | Output::Acd(_) => {}
            }
        }
    }

    fn note(&self, note: Note) {
        if self.slow.spool.push(note) == store::Push::Refused {
            count(&self.counters.notes_refused);
        }
    }

    /// From the directory in memory where it knows, else from the database.
    fn look_up(&mut self, call: CallKey, number: Pii<String>) {
        let found = match self.slow.directory.find(number.reveal()) {
            Found::Customer(customer) => Some(Box::new(customer)),
            Found::Nobody => None,
            Found::Ask => return self.ask(Ask::Customer { call, number }),
        };
        self.local.handle(self.clock.now(), Input::Customer { call, found });
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::Agent { number, state, reason, .. } = &notice {
            self.duty.state(number, state, *reason);
        }
        if let Some(change) = history::change(&notice)
            && self.slow.changes.try_send(change).is_err()
        {
            count(&self.counters.agent_changes_lost);
        }
        if self.notices.receiver_count() > 0 {
            // The last listener may leave at this moment.
            let _ = self.notices.send(Arc::new(notice));
        }
    }

    fn send(
        &mut self,
        protocol: Protocol,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        connection: u64,
        bytes: bytes::Bytes,
    ) {
        match protocol {
            Protocol::Udp => {
                if !self.udp.send(local, remote, bytes) {
                    count(&self.counters.udp_sends_failed);
                }
            }
            Protocol::Tcp => self.streams.send(local, remote, connection, bytes),
        }
    }

    fn publish(&mut self) {
        let now = self.clock.now();
        let media = self.media.totals();
        self.offload.look(now, &media);
        let snapshot = self.local.snapshot(now);
        if self.alarms.are_due(now) {
            self.say_alarms(now, &snapshot, &media);
        }
        self.snapshot.store(Arc::new(snapshot));
    }

    fn say_alarms(&mut self, now: Instant, snapshot: &Snapshot, media: &CounterValues) {
        let own = self.counters.samples();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter's value")]
        let value = |name: &str, label: &str| {
            let switch = snapshot.counters.iter().find(|one| one.name == name && one.label == label);
            let own = own.iter().find(|sample| sample.name == name).map(|sample| sample.value as u64);
            let thread = media.list().find(|(known, ..)| *known == name).map(|(.., value)| value);
            switch.map(|counter| counter.value).or(own).or(thread).unwrap_or(0)
        };
        for (meaning, count) in self.alarms.look(now, value) {
            tracing::warn!(count, "{meaning}");
        }
    }
}

/// What something new is worth, by the directory in memory.
fn worth(switch: &call::Switch, slow: &SlowEnds, (flow, bytes): &(Flow, Bytes)) -> Worth {
    switch.worth(flow, bytes, |number| slow.directory.tier(number, |name| switch.tier_named(name)).flatten())
}
