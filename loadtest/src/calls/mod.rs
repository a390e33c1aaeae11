//! Whole calls from a trunk to agents at a given rate: with as little processor time on this side as
//! possible, so that one processor is enough to keep the switch on another busy.

mod ears;
mod raw;
mod register;
mod repeats;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::error::Error;
use std::fmt::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;
use usher_load::rtp::{Expect, Generator, StampedBatch, Stream, realtime_nanos, stamp};
use worker::net::{DATAGRAMS_MAX, Socket, SocketOptions, send_all};

use crate::demo::http::Api;
use crate::demo::people::Agent;
use ears::Ears;
use raw::{Raw, session};
use repeats::Repeats;

/// A call that is not over so long after its talk should be has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const BUFFER_BYTES: u32 = 8 << 20;

/// Who calls whom.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    /// The switch's SIP address.
    pub(crate) switch: SocketAddr,
    /// The carrier's SIP address.
    pub(crate) trunk: SocketAddr,
    /// All agents' SIP address.
    pub(crate) desk: SocketAddr,
    /// The agents' domain.
    pub(crate) domain: String,
    /// The number that callers dial.
    pub(crate) number: String,
    /// Callers only listen: no agent will answer.
    pub(crate) listen: bool,
    /// One caller of so many calls from 138… instead of 139…: numbers that the directory may know; 0 = nobody.
    pub(crate) valuable_every: u64,
    /// Callers and agents neither send nor take voice (`a=inactive`).
    pub(crate) muted: bool,
}

impl Sides {
    /// Callers and agents as `config/load` expects them, and the switch at `port`.
    pub(crate) fn on_this_machine(port: u16) -> Sides {
        Sides {
            switch: SocketAddr::from(([127, 0, 0, 1], port)),
            trunk: SocketAddr::from(([127, 0, 0, 2], 5090)),
            desk: SocketAddr::from(([127, 0, 0, 1], 5091)),
            domain: "load.example".to_owned(),
            number: "20000".to_owned(),
            listen: false,
            valuable_every: 0,
            muted: false,
        }
    }

    fn is_valuable(&self, key: u64) -> bool {
        self.valuable_every > 0 && key.is_multiple_of(self.valuable_every)
    }
}

/// What was measured about the signalling.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Signalling {
    /// Calls begun.
    pub(crate) begun: u64,
    /// Calls with both ends answered.
    pub(crate) bridged: u64,
    /// Calls ended at both ends.
    pub(crate) completed: u64,
    /// Calls refused, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Calls of valuable callers begun and completed.
    pub(crate) valuable: [u64; 2],
    /// Calls that nobody ended in time.
    pub(crate) stuck: u64,
    /// Messages that were sent again by the switch, or made no sense.
    pub(crate) odd: u64,
    /// Messages that were sent again to the switch, which had not answered.
    pub(crate) repeats: u64,
    /// From INVITE to the switch's 200, in microseconds.
    pub(crate) answer_us: Times,
    /// From the caller's INVITE to the INVITE at the agent.
    pub(crate) ring_us: Times,
    /// From the agent's 200 to the switch's ACK.
    pub(crate) join_us: Times,
    /// From the agent's 200 to the first packet of his that the caller hears, if voices are listened to.
    pub(crate) caller_hears_us: Times,
    /// From the agent's 200 to the first packet of the caller that he hears.
    pub(crate) agent_hears_us: Times,
    /// How long an agent was free while callers waited, from the BYE that ends his last call to the next INVITE.
    pub(crate) idle_us: Times,
    /// From INVITE to a refusal.
    pub(crate) refuse_us: Times,
}

/// How agents and callers behave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Calls last so long from the agent's answer; `None`: until [`Calls::hang_up_all`].
    pub(crate) hold: Option<Duration>,
    /// Agents let it ring for so long.
    pub(crate) rings: Duration,
    /// Both ends speak, and it is measured when they first hear each other.
    pub(crate) voices: bool,
}

/// Quantiles of a time, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Times {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Times {
        Times {
            count: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        }
    }
}

/// One call.
struct Call {
    begun: Instant,
    picked_up: Option<Instant>,
    /// The agent who is rung.
    rung: Option<String>,
    /// Where his voice goes.
    remote: Option<SocketAddr>,
    /// Request line and headers of the agent's BYE, or the caller's where there is no agent.
    bye: String,
    /// The caller's end, the agent's end: over.
    over: [bool; 2],
    /// Something has come for the caller's INVITE.
    heard: bool,
    /// The agent's 200, until it is acknowledged.
    answer: String,
    /// The switch's first 200 to the caller has come.
    connected: bool,
    /// Both ends are there.
    answered: bool,
    /// Sockets that wait for where to send to: the caller's, the agent's.
    media: [Option<Socket>; 2],
    here: [SocketAddr; 2],
}

/// What is sent until something comes for it, with the number of its call.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Invite(u64),
    /// The agent's 200.
    Answer(u64),
    Bye(u64),
}

/// What times are counted in.
struct Clocks {
    answer: Histogram<u64>,
    ring: Histogram<u64>,
    join: Histogram<u64>,
    idle: Histogram<u64>,
    refuse: Histogram<u64>,
}

/// Both sides of all calls.
pub(crate) struct Calls {
    sides: Sides,
    trunk: Line,
    desk: Line,
    silent: [SocketAddr; 2],
    /// Datagrams to where nobody listens would cost the switch an error each; these are never read.
    _unread: [Socket; 2],
    calls: HashMap<u64, Call>,
    by_agent: HashMap<String, u64>,
    hang_ups: VecDeque<(Instant, u64)>,
    /// Agents who let it ring: until when, and the call.
    pick_ups: VecDeque<(Instant, u64)>,
    repeats: Repeats<Sent>,
    /// Callers who are connected and for whom nobody is rung.
    waiting: usize,
    /// When each agent's last call ended.
    free_since: HashMap<String, Instant>,
    next: u64,
    manner: Manner,
    ears: Option<Ears>,
    generator: Option<Generator>,
    counts: Signalling,
    clocks: Clocks,
    text: String,
}

/// A socket for SIP. What is sent leaves with [`Line::flush`], many datagrams in one system call: that is most of
/// what a call costs here.
struct Line {
    socket: Socket,
    here: SocketAddr,
    leaving: Vec<(SocketAddr, Vec<u8>)>,
}

impl Line {
    fn open(at: SocketAddr) -> Result<Line, Box<dyn Error>> {
        let options = SocketOptions { receive_buffer_bytes: Some(BUFFER_BYTES), ..SocketOptions::default() };
        let socket = Socket::bind(at, &options).map_err(|error| format!("{at}: {error}"))?;
        stamp(&socket)?;
        let here = socket.local_address()?;
        Ok(Line { socket, here, leaving: Vec::new() })
    }

    fn send(&mut self, text: &str, to: SocketAddr) {
        self.leaving.push((to, text.as_bytes().to_vec()));
        if self.leaving.len() >= DATAGRAMS_MAX {
            self.flush();
        }
    }

    fn flush(&mut self) {
        // A datagram that cannot be sent is lost; the call counts as stuck.
        send_all(&self.socket, &self.leaving);
        self.leaving.clear();
    }
}

/// Registers the agents at the desk's address and makes them ready. The socket is closed again.
pub(crate) fn seat(sides: &Sides, agents: &[Agent], api: &Api) -> Result<(), Box<dyn Error>> {
    let desk = UdpSocket::bind(sides.desk)?;
    register::register(&desk, sides.switch, &sides.domain, agents)?;
    drop(desk);
    register::make_ready(api, agents)
}

impl Calls {
    /// Both sides.
    pub(crate) fn new(
        sides: Sides,
        manner: Manner,
        generator: Option<Generator>,
    ) -> Result<Calls, Box<dyn Error>> {
        let options = SocketOptions { receive_buffer_bytes: Some(0), ..SocketOptions::default() };
        let unread = [
            Socket::bind(SocketAddr::new(sides.trunk.ip(), 0), &options)?,
            Socket::bind(SocketAddr::new(sides.desk.ip(), 0), &options)?,
        ];
        let silent = [unread[0].local_address()?, unread[1].local_address()?];
        let histogram = || Histogram::new(3);
        Ok(Calls {
            trunk: Line::open(sides.trunk)?,
            desk: Line::open(sides.desk)?,
            sides,
            silent,
            _unread: unread,
            calls: HashMap::new(),
            waiting: 0,
            by_agent: HashMap::new(),
            hang_ups: VecDeque::new(),
            pick_ups: VecDeque::new(),
            repeats: Repeats::new(),
            free_since: HashMap::new(),
            next: 1,
            ears: if manner.voices { Some(Ears::new()?) } else { None },
            manner,
            generator,
            counts: Signalling::default(),
            clocks: Clocks {
                answer: histogram()?,
                ring: histogram()?,
                join: histogram()?,
                idle: histogram()?,
                refuse: histogram()?,
            },
            text: String::new(),
        })
    }

    /// The calls' numbers begin here: a server remembers those of another run for half a minute.
    #[must_use]
    pub(crate) fn numbered_from(mut self, first: u64) -> Calls {
        self.next = first.max(1);
        self
    }

    /// Begins `count` calls, `rate` per second, and goes on until they are answered, or over if they end
    /// by themselves.
    pub(crate) fn run(&mut self, count: u64, rate: f64) -> Result<(), Box<dyn Error>> {
        let (start, first, mut batch) = (Instant::now(), self.counts.begun, StampedBatch::default());
        let mut quiet_since = Instant::now();
        loop {
            let now = Instant::now();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let due = ((start.elapsed().as_secs_f64() * rate) as u64 + 1).min(count);
            let mut busy = false;
            while self.counts.begun - first < due {
                self.begin()?;
                busy = true;
            }
            busy |= self.work(now, &mut batch)?;
            if busy {
                quiet_since = now;
            } else if self.counts.begun - first >= count && self.settled() {
                return Ok(());
            } else if now - quiet_since > PATIENCE {
                self.give_up();
                return Ok(());
            } else {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Keeps `live` calls going, a new one for each that ends, until `count` have begun and all are over.
    pub(crate) fn run_closed(&mut self, count: u64, live: usize) -> Result<(), Box<dyn Error>> {
        let (first, mut batch) = (self.counts.begun, StampedBatch::default());
        let mut quiet_since = Instant::now();
        loop {
            let now = Instant::now();
            let mut busy = false;
            // Not all of the first at once: a carrier's trunk takes so many a second.
            if self.calls.len() < live && self.counts.begun - first < count {
                self.begin()?;
                busy = true;
            }
            busy |= self.work(now, &mut batch)?;
            if busy {
                quiet_since = now;
            } else if self.counts.begun - first >= count && self.settled() {
                return Ok(());
            } else if now - quiet_since > PATIENCE {
                self.give_up();
                return Ok(());
            } else {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }

    /// Answers what comes for a while.
    pub(crate) fn stay(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        let (end, mut batch) = (Instant::now() + time, StampedBatch::default());
        while Instant::now() < end {
            if !self.work(Instant::now(), &mut batch)? {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// Ends every call, `rate` per second.
    pub(crate) fn hang_up_all(&mut self, rate: f64) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let live: Vec<u64> = self.calls.keys().copied().collect();
        for (n, key) in (0_u32..).zip(live) {
            self.hang_ups.push_back((now + Duration::from_secs_f64(f64::from(n) / rate), key));
        }
        self.manner.hold = Some(Duration::ZERO);
        self.run(0, rate)
    }

    /// The generator with all streams, once all calls are up.
    pub(crate) fn generator(&mut self) -> Option<&mut Generator> {
        self.generator.as_mut()
    }

    /// Takes the generator out, to end it.
    pub(crate) fn take_generator(&mut self) -> Option<Generator> {
        self.generator.take()
    }

    /// What was measured so far.
    pub(crate) fn counts(&self) -> Signalling {
        let hears = |end: usize| {
            let times = self.ears.as_ref().and_then(|ears| ears.times.get(end));
            times.map(Times::of).unwrap_or_default()
        };
        Signalling {
            answer_us: Times::of(&self.clocks.answer),
            ring_us: Times::of(&self.clocks.ring),
            join_us: Times::of(&self.clocks.join),
            caller_hears_us: hears(0),
            agent_hears_us: hears(1),
            idle_us: Times::of(&self.clocks.idle),
            refuse_us: Times::of(&self.clocks.refuse),
            ..self.counts.clone()
        }
    }

    fn settled(&self) -> bool {
        match self.manner.hold {
            Some(_) => self.calls.is_empty(),
            None => self.calls.values().all(|call| call.answered),
        }
    }

    fn give_up(&mut self) {
        self.counts.stuck += self.calls.len() as u64;
        self.calls.clear();
        self.waiting = 0;
        self.by_agent.clear();
    }

    fn work(&mut self, now: Instant, batch: &mut StampedBatch) -> Result<bool, Box<dyn Error>> {
        let mut busy = false;
        for caller in [true, false] {
            let line = if caller { &self.trunk } else { &self.desk };
            batch.receive(&line.socket);
            let (looked, clock) = (Instant::now(), realtime_nanos());
            for (arrived, bytes) in batch.packets() {
                busy = true;
                let Some(raw) = Raw::new(bytes) else { continue };
                // How late we look at it is none of the switch's time.
                let at =
                    looked.checked_sub(Duration::from_nanos(clock.saturating_sub(arrived))).unwrap_or(looked);
                let done = if caller { self.at_trunk(at, raw) } else { self.at_desk(at, raw) };
                self.counts.odd += u64::from(done.is_none());
            }
        }
        while let Some(&(at, key)) = self.pick_ups.front()
            && at <= now
        {
            self.pick_ups.pop_front();
            self.pick_up(key);
            busy = true;
        }
        if let Some(ears) = &mut self.ears {
            ears.work(now, batch);
        }
        while let Some(&(at, key)) = self.hang_ups.front() {
            if at > now {
                break;
            }
            self.hang_ups.pop_front();
            self.hang_up(key);
            busy = true;
        }
        self.repeat(now);
        self.trunk.flush();
        self.desk.flush();
        Ok(busy)
    }

    /// Sends again what nobody has answered.
    fn repeat(&mut self, now: Instant) {
        loop {
            let (calls, end) = (&self.calls, self.ending());
            let due = self.repeats.due(now, |what| match what {
                Sent::Invite(key) => calls.get(&key).is_some_and(|call| !call.heard),
                Sent::Answer(key) => calls.get(&key).is_some_and(|call| !call.answered && !call.over[1]),
                Sent::Bye(key) => calls.get(&key).is_some_and(|call| !call.over[end]),
            });
            match due {
                Some(Sent::Invite(key)) => self.invite(key),
                Some(Sent::Answer(key)) => {
                    let Some(call) = self.calls.get(&key) else { continue };
                    self.desk.send(&call.answer, self.sides.switch);
                }
                Some(Sent::Bye(key)) => self.bye(key),
                None => return,
            }
            self.counts.repeats += 1;
        }
    }

    /// The end that hangs up: the caller where there is no agent.
    fn ending(&self) -> usize {
        usize::from(!self.sides.listen)
    }

    fn begin(&mut self) -> Result<(), Box<dyn Error>> {
        let key = self.next;
        self.next += 1;
        self.counts.begun += 1;
        self.counts.valuable[0] += u64::from(self.sides.is_valuable(key));
        let mut call = Call {
            begun: Instant::now(),
            picked_up: None,
            rung: None,
            remote: None,
            bye: String::new(),
            over: [false; 2],
            heard: false,
            answer: String::new(),
            connected: false,
            answered: false,
            media: [None, None],
            here: self.silent,
        };
        if self.generator.is_some() || self.ears.is_some() {
            let options = SocketOptions { receive_buffer_bytes: Some(1 << 18), ..SocketOptions::default() };
            let ends = if self.sides.listen { 1 } else { 2 };
            let lines = [self.trunk.here, self.desk.here].into_iter().take(ends);
            for ((media, here), line) in call.media.iter_mut().zip(&mut call.here).zip(lines) {
                let socket = Socket::bind(SocketAddr::new(line.ip(), 0), &options)?;
                *here = socket.local_address()?;
                *media = Some(socket);
            }
        }
        self.repeats.sent(call.begun, Sent::Invite(key));
        self.calls.insert(key, call);
        self.invite(key);
        Ok(())
    }

    fn invite(&mut self, key: u64) {
        let Some(call) = self.calls.get(&key) else { return };
        let Sides { switch, number, .. } = &self.sides;
        let here = self.trunk.here;
        let prefix = if self.sides.is_valuable(key) { 138 } else { 139 };
        self.text.clear();
        let _ = write!(
            self.text,
            "INVITE sip:{number}@{switch} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKi{key}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{prefix}{key:08}@{here}>;tag=c{key}\r\nTo: <sip:{number}@{switch}>\r\n\
             Call-ID: {key}@load\r\nCSeq: 1 INVITE\r\nContact: <sip:carrier@{here}>\r\n"
        );
        raw::close(&mut self.text, &session(call.here[0], self.sides.muted));
        self.trunk.send(&self.text, *switch);
    }

    /// What comes to the carrier. `None` if it makes no sense.
    fn at_trunk(&mut self, now: Instant, raw: Raw<'_>) -> Option<()> {
        let id = raw.header("Call-ID")?;
        let key: Option<u64> = id.strip_suffix("@load").and_then(|id| id.parse().ok());
        if let Some(status) = raw.status() {
            let (key, cseq) = (key?, raw.header("CSeq")?);
            if let Some(call) = self.calls.get_mut(&key) {
                call.heard = true;
            }
            return match (cseq.ends_with("INVITE"), status) {
                (_, 100..200) => Some(()),
                (true, 200..300) => self.caller_answered(now, key, raw),
                (true, _) => self.caller_refused(now, key, status, raw),
                (false, _) => self.over(key, 0),
            };
        }
        match raw.method() {
            "BYE" => {
                raw.answer(&mut self.text, "200 OK", "", "", "");
                self.trunk.send(&self.text, self.sides.switch);
                self.over(key?, 0)
            }
            "ACK" => Some(()),
            _ => {
                raw.answer(&mut self.text, "200 OK", "t", "", "");
                self.trunk.send(&self.text, self.sides.switch);
                Some(())
            }
        }
    }

    fn caller_answered(&mut self, now: Instant, key: u64, raw: Raw<'_>) -> Option<()> {
        let (to, target) = (raw.header("To")?, raw.contact()?);
        let (here, from) = (self.trunk.here, raw.header("From")?);
        self.text.clear();
        let _ = write!(
            self.text,
            "ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKa{key}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {key}@load\r\nCSeq: 1 ACK\r\n"
        );
        raw::close(&mut self.text, "");
        self.trunk.send(&self.text, self.sides.switch);
        let call = self.calls.get_mut(&key)?;
        if !call.connected {
            call.connected = true;
            self.waiting += usize::from(call.rung.is_none());
            let _ = self.clocks.answer.record(micros(now - call.begun));
        }
        if let (Some(socket), Some(remote)) = (call.media[0].take(), raw.audio()) {
            let expect = if self.sides.listen { Expect::Voice } else { Expect::Stream(id(key, 1)) };
            match (&mut self.ears, &self.generator) {
                (Some(ears), _) => ears.open(now, key, 0, socket, remote),
                (None, Some(generator)) => stream(generator, id(key, 0), socket, remote, expect)?,
                (None, None) => {}
            }
        }
        if self.sides.listen && !call.answered {
            call.answered = true;
            call.over[1] = true;
            let _ = write!(
                call.bye,
                "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKb{key}\r\nMax-Forwards: 70\r\n\
                 From: {from}\r\nTo: {to}\r\nCall-ID: {key}@load\r\nCSeq: 2 BYE\r\n"
            );
            self.counts.bridged += 1;
        }
        Some(())
    }

    fn caller_refused(&mut self, now: Instant, key: u64, status: u16, raw: Raw<'_>) -> Option<()> {
        let Sides { switch, number, .. } = &self.sides;
        let (here, from, to) = (self.trunk.here, raw.header("From")?, raw.header("To")?);
        self.text.clear();
        let _ = write!(
            self.text,
            "ACK sip:{number}@{switch} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKi{key}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {key}@load\r\nCSeq: 1 ACK\r\n"
        );
        raw::close(&mut self.text, "");
        self.trunk.send(&self.text, *switch);
        let call = self.calls.remove(&key)?;
        let _ = self.clocks.refuse.record(micros(now - call.begun));
        *self.counts.refused.entry(status).or_default() += 1;
        Some(())
    }

    /// What comes to the agents.
    fn at_desk(&mut self, now: Instant, raw: Raw<'_>) -> Option<()> {
        let call_id = raw.header("Call-ID")?;
        if raw.status().is_some() {
            let key = *self.by_agent.get(call_id)?;
            return if raw.header("CSeq")?.ends_with("BYE") { self.over(key, 1) } else { Some(()) };
        }
        match raw.method() {
            "INVITE" => self.agent_rung(now, call_id, raw),
            "ACK" => self.agent_joined(now, call_id),
            method => {
                raw.answer(&mut self.text, "200 OK", "t", "", "");
                self.desk.send(&self.text, self.sides.switch);
                if matches!(method, "BYE" | "CANCEL") {
                    let key = *self.by_agent.get(call_id)?;
                    self.over(key, 1)?;
                }
                Some(())
            }
        }
    }

    fn agent_rung(&mut self, now: Instant, call_id: &str, raw: Raw<'_>) -> Option<()> {
        let number = raw.caller_number()?;
        let key: u64 = number.strip_prefix("139").or_else(|| number.strip_prefix("138"))?.parse().ok()?;
        let waiting = self.waiting;
        let call = self.calls.get_mut(&key)?;
        let here = self.desk.here;
        let contact = format!("Contact: <sip:agent@{here}>\r\n");
        let session = session(call.here[1], self.sides.muted);
        if call.rung.is_some() {
            return None;
        }
        let _ = self.clocks.ring.record(micros(now - call.begun));
        let agent = raw.dialled()?;
        if let Some(since) = self.free_since.remove(agent).filter(|_| waiting > 1) {
            let _ = self.clocks.idle.record(micros(now - since));
        }
        self.waiting -= usize::from(call.connected);
        call.rung = Some(agent.to_owned());
        call.remote = raw.audio();
        let (from, to, target) = (raw.header("From")?, raw.header("To")?, raw.contact()?);
        let _ = write!(
            call.bye,
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKb{key}\r\nMax-Forwards: 70\r\n\
             From: {to};tag=a{key}\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\n"
        );
        self.by_agent.insert(call_id.to_owned(), key);
        raw.answer(&mut self.text, "200 OK", &format!("a{key}"), &contact, &session);
        call.answer.clone_from(&self.text);
        if self.manner.rings.is_zero() {
            self.pick_up(key);
        } else {
            self.pick_ups.push_back((now + self.manner.rings, key));
        }
        Some(())
    }

    /// The agent's 200.
    fn pick_up(&mut self, key: u64) {
        let now = Instant::now();
        let Some(call) = self.calls.get_mut(&key).filter(|call| call.picked_up.is_none()) else { return };
        call.picked_up = Some(now);
        self.desk.send(&call.answer, self.sides.switch);
        self.repeats.sent(now, Sent::Answer(key));
        if let (Some(socket), Some(remote)) = (call.media[1].take(), call.remote) {
            match (&mut self.ears, &self.generator) {
                (Some(ears), _) => ears.open(now, key, 1, socket, remote),
                (None, Some(generator)) => {
                    let expect = Expect::Stream(id(key, 0));
                    self.counts.odd +=
                        u64::from(stream(generator, id(key, 1), socket, remote, expect).is_none());
                }
                (None, None) => {}
            }
        }
    }

    fn agent_joined(&mut self, now: Instant, call_id: &str) -> Option<()> {
        let key = *self.by_agent.get(call_id)?;
        let call = self.calls.get_mut(&key)?;
        if call.answered {
            return None;
        }
        call.answered = true;
        call.answer = String::new();
        self.counts.bridged += 1;
        let _ = self.clocks.join.record(micros(now - call.picked_up?));
        if let Some(hold) = self.manner.hold {
            self.hang_ups.push_back((now + hold, key));
        }
        Some(())
    }

    fn hang_up(&mut self, key: u64) {
        let Some(call) = self.calls.get(&key) else { return };
        let now = Instant::now();
        if let Some(agent) = &call.rung {
            self.free_since.insert(agent.clone(), now);
        }
        self.repeats.sent(now, Sent::Bye(key));
        self.bye(key);
    }

    fn bye(&mut self, key: u64) {
        let Some(call) = self.calls.get(&key) else { return };
        self.text.clone_from(&call.bye);
        raw::close(&mut self.text, "");
        let line = if self.sides.listen { &mut self.trunk } else { &mut self.desk };
        line.send(&self.text, self.sides.switch);
    }

    /// One end of a call is over.
    fn over(&mut self, key: u64, end: usize) -> Option<()> {
        let call = self.calls.get_mut(&key)?;
        *call.over.get_mut(end)? = true;
        if call.over == [true, true] {
            self.waiting -= usize::from(call.connected && call.rung.is_none());
            self.calls.remove(&key);
            if let Some(ears) = &mut self.ears {
                ears.close(key);
            }
            self.counts.completed += 1;
            self.counts.valuable[1] += u64::from(self.sides.is_valuable(key));
            if self.by_agent.len() > 4096 && self.calls.len() * 4 < self.by_agent.len() {
                let calls = &self.calls;
                self.by_agent.retain(|_, key| calls.contains_key(key));
            }
        }
        Some(())
    }
}

/// Number of a call's stream: the caller's (0) and the agent's (1).
fn id(key: u64, end: u32) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX / 2) * 2 + end
}

fn stream(generator: &Generator, id: u32, socket: Socket, remote: SocketAddr, expect: Expect) -> Option<()> {
    let ssrc = 0x6000_0000 | id;
    generator.add(Stream { id, socket, remote, payload_type: 8, ssrc, sends: true, expect }).ok()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
