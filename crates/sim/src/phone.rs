//! Scripted SIP phones and a carrier: small user agents with timers of their own, which know nothing
//! of the switch but its address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};

use crate::digest;
use crate::text::{Text, uri};

/// T1 of RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// T2.
const T2: Duration = Duration::from_secs(4);

/// What a phone does when it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Rings, and is picked up after this.
    Answer(Duration),
    /// Rings, and nobody comes.
    Ring,
    /// Refuses with this status.
    Refuse(u16),
    /// Is picked up so long after the CANCEL or BYE that crosses it was sent; for races.
    AnswerAnyway(Duration),
    /// Says nothing at all.
    Dead,
}

/// Which end of a call a line is, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// Our INVITE is on its way.
    Calling,
    /// We are being called and have sent 180.
    Ringing,
    /// Answered.
    Up,
    /// Over, by this status (0: BYE).
    Over(u16),
}

/// Number of a line of a phone.
pub type LineId = usize;

/// One call of a phone.
#[derive(Clone, Debug)]
pub struct Line {
    /// How far it is.
    pub state: LineState,
    /// The last provisional status seen.
    pub provisional: u16,
    /// The peer's last session description.
    pub sdp: String,
    /// Bodies of NOTIFY requests (sipfrag).
    pub notified: Vec<String>,
    /// Whether the peer ended it with BYE or CANCEL.
    pub ended_by_peer: bool,
    /// The Reason header of the peer's BYE or CANCEL.
    pub reason: Option<String>,
    /// The INVITE as sent or received.
    pub invite: Text,
    call_id: String,
    local: String,
    remote: String,
    target: String,
    cseq: u32,
    answer_at: Option<Instant>,
    /// A 200 that waits for its ACK.
    unacked: Option<(Text, Instant, Duration, Instant)>,
    ack: Option<Text>,
    challenged: u32,
    cancelled: bool,
    session: u32,
}

#[derive(Clone, Debug)]
struct Pending {
    message: Text,
    next: Instant,
    interval: Duration,
    until: Instant,
    provisional: bool,
}

/// A phone, or a carrier's gateway.
#[derive(Debug)]
pub struct Phone {
    /// User part.
    pub user: String,
    /// Where it is.
    pub address: SocketAddr,
    /// The switch.
    pub server: SocketAddr,
    /// Digest password; a carrier has none.
    pub password: Option<String>,
    /// What it does when called.
    pub manner: Manner,
    /// Its calls, in the order they began.
    pub lines: Vec<Line>,
    /// Whether the switch accepted the registration.
    pub registered: bool,
    /// Codecs of its session descriptions (payload types).
    pub codecs: Vec<u8>,
    /// Whether its INVITEs leave the offer to the switch.
    pub late_offer: bool,
    /// Whether its early answer is a 183 with a session description.
    pub early_media: bool,
    pending: BTreeMap<String, Pending>,
    answered: BTreeMap<String, Text>,
    register: Option<(u32, u32, u32)>,
    out: Vec<Text>,
    rng: Rng,
}

impl Phone {
    /// A phone that answers after two seconds.
    pub fn new(
        user: &str,
        address: SocketAddr,
        server: SocketAddr,
        password: Option<&str>,
        rng: Rng,
    ) -> Self {
        Phone {
            user: user.to_owned(),
            address,
            server,
            password: password.map(str::to_owned),
            manner: Manner::Answer(Duration::from_secs(2)),
            lines: Vec::new(),
            registered: false,
            codecs: vec![8, 0],
            late_offer: false,
            early_media: false,
            pending: BTreeMap::new(),
            answered: BTreeMap::new(),
            register: None,
            out: Vec::new(),
            rng,
        }
    }

    /// Messages to send now.
    pub fn take_out(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.out).iter().map(Text::write).collect()
    }

    /// The session description of a line.
    fn sdp(&self, version: u32, direction: &str) -> String {
        let (ip, port) = (self.address.ip(), 20_000 + self.address.port() % 1_000 * 2);
        let formats: String = self.codecs.iter().map(|codec| format!("{codec} ")).collect();
        format!(
            "v=0\r\no=- 42 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}101\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na={direction}\r\n"
        )
    }

    fn via(&mut self) -> String {
        format!("SIP/2.0/UDP {};branch=z9hG4bK{};rport", self.address, self.rng.token())
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.address)
    }

    /// Sends a request and repeats it until it is answered.
    fn request(&mut self, now: Instant, message: Text) {
        let Some(branch) = message.branch().map(str::to_owned) else { return };
        let until = now + T1 * 64;
        let pending =
            Pending { message: message.clone(), next: now + T1, interval: T1, until, provisional: false };
        let method = message.method().unwrap_or_default();
        self.pending.insert(format!("{branch} {method}"), pending);
        self.out.push(message);
    }

    /// Registers for this many seconds (0: takes the registration back).
    pub fn register(&mut self, now: Instant, expires_s: u32) {
        let (_, cseq, _) = self.register.unwrap_or_default();
        self.register = Some((expires_s, cseq + 1, 0));
        self.send_register(now, None);
    }

    fn send_register(&mut self, now: Instant, challenge: Option<&Text>) {
        let Some((expires_s, cseq, count)) = self.register else { return };
        let host = format!("sip:{}", self.server);
        let mut message = Text { start: format!("REGISTER {host} SIP/2.0"), ..Text::default() }
            .with("Via", self.via())
            .with("Max-Forwards", "70")
            .with("From", format!("<sip:{}@{}>;tag={}", self.user, self.server, self.address.port()))
            .with("To", format!("<sip:{}@{}>", self.user, self.server))
            .with("Call-ID", format!("reg-{}-{}", self.user, self.address))
            .with("CSeq", format!("{cseq} REGISTER"))
            .with("Contact", self.contact())
            .with("Expires", expires_s.to_string());
        if let (Some(challenge), Some(password)) = (challenge, &self.password)
            && let Some(value) =
                digest::authorization(challenge, "REGISTER", &host, &self.user, password, count)
        {
            message = message.with("Authorization", value);
        }
        self.request(now, message);
    }

    /// Calls a number.
    pub fn call(&mut self, now: Instant, number: &str, from: &str) -> LineId {
        let tag = self.rng.token();
        let call_id = format!("{}@{}", self.rng.token(), self.address.ip());
        let target = format!("sip:{number}@{}", self.server);
        let line = Line {
            state: LineState::Calling,
            provisional: 0,
            sdp: String::new(),
            notified: Vec::new(),
            ended_by_peer: false,
            reason: None,
            invite: Text::default(),
            call_id,
            local: format!(
                "<sip:{from}@{}>;tag={tag}",
                if self.password.is_some() { self.server } else { self.address }
            ),
            remote: format!("<sip:{number}@{}>", self.server),
            target,
            cseq: 1,
            answer_at: None,
            unacked: None,
            ack: None,
            challenged: 0,
            cancelled: false,
            session: 1,
        };
        self.lines.push(line);
        let id = self.lines.len() - 1;
        let sdp = (!self.late_offer).then(|| self.sdp(1, "sendrecv"));
        self.invite(now, id, sdp, None);
        id
    }

    fn invite(&mut self, now: Instant, id: LineId, sdp: Option<String>, authorization: Option<String>) {
        let mut message = self.in_dialog(id, "INVITE").with("Contact", self.contact());
        message = message.with("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER, UPDATE");
        if let Some(authorization) = authorization {
            message = message.with("Authorization", authorization);
        }
        message = message.with_sdp(sdp);
        if let Some(line) = self.lines.get_mut(id) {
            line.invite = message.clone();
        }
        self.request(now, message);
    }

    /// A request of the line's dialog, with its present CSeq.
    fn in_dialog(&mut self, id: LineId, method: &str) -> Text {
        let via = self.via();
        let Some(line) = self.lines.get(id) else { return Text::default() };
        Text { start: format!("{method} {} SIP/2.0", line.target), ..Text::default() }
            .with("Via", via)
            .with("Max-Forwards", "70")
            .with("From", line.local.clone())
            .with("To", line.remote.clone())
            .with("Call-ID", line.call_id.clone())
            .with("CSeq", format!("{} {method}", line.cseq))
    }

    fn next_request(&mut self, id: LineId, method: &str) -> Text {
        if let Some(line) = self.lines.get_mut(id) {
            line.cseq += 1;
        }
        self.in_dialog(id, method)
    }

    /// Ends the line: CANCEL before the answer, BYE after it.
    pub fn hang_up(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        match line.state {
            LineState::Calling => {
                line.cancelled = true;
                // Not before a provisional response (RFC 3261 §9.1).
                if line.provisional > 0 {
                    self.send_cancel(now, id);
                }
            }
            LineState::Ringing => {
                let invite = line.invite.clone();
                line.state = LineState::Over(486);
                self.respond(&invite, 486, None);
            }
            LineState::Up => {
                line.state = LineState::Over(0);
                line.unacked = None;
                let bye = self.next_request(id, "BYE");
                self.request(now, bye);
            }
            LineState::Over(_) => {}
        }
    }

    fn send_cancel(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get(id) else { return };
        let mut cancel = line.invite.clone();
        cancel.start = cancel.start.replacen("INVITE", "CANCEL", 1);
        cancel.body.clear();
        cancel
            .headers
            .retain(|(name, _)| matches!(name.as_str(), "Via" | "From" | "To" | "Call-ID" | "Max-Forwards"));
        let cancel = cancel.with("CSeq", format!("{} CANCEL", line.cseq));
        self.request(now, cancel);
    }

    /// Offers the line's session anew: `sendonly` holds, `sendrecv` resumes.
    pub fn reoffer(&mut self, now: Instant, id: LineId, direction: &str) {
        let session = self.lines.get_mut(id).map_or(1, |line| {
            line.session += 1;
            line.cseq += 1;
            line.session
        });
        let sdp = self.sdp(session, direction);
        self.invite(now, id, Some(sdp), None);
    }

    /// Asks the switch to connect the other party elsewhere.
    pub fn refer(&mut self, now: Instant, id: LineId, number: &str) {
        let to = format!("<sip:{number}@{}>", self.server);
        let refer = self.next_request(id, "REFER").with("Refer-To", to).with("Contact", self.contact());
        self.request(now, refer);
    }

    /// Presses a key by INFO.
    pub fn info(&mut self, now: Instant, id: LineId, key: char) {
        let mut info = self.next_request(id, "INFO").with("Content-Type", "application/dtmf-relay");
        info.body = format!("Signal={key}\r\nDuration=160\r\n");
        self.request(now, info);
    }

    fn respond(&mut self, request: &Text, code: u16, sdp: Option<String>) {
        let tag = format!("{}x{}", self.user, self.address.port());
        let mut answer = request.respond(code, (code > 100).then_some(&tag)).with("Contact", self.contact());
        answer = answer.with_sdp(sdp);
        if code >= 200
            && let (Some(branch), Some(method)) = (request.branch(), request.method())
        {
            self.answered.insert(format!("{branch} {method}"), answer.clone());
        }
        self.out.push(answer);
    }

    fn line_of(&self, message: &Text) -> Option<LineId> {
        let call_id = message.get("Call-ID")?;
        self.lines.iter().rposition(|line| line.call_id == call_id)
    }

    /// A datagram arrived.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if self.manner == Manner::Dead {
            return;
        }
        let Some(message) = Text::read(bytes) else { return };
        match message.status() {
            Some(code) => self.on_response(now, &message, code),
            None => self.on_request(now, &message),
        }
    }

    fn on_request(&mut self, now: Instant, message: &Text) {
        let Some(method) = message.method().map(str::to_owned) else { return };
        let key = format!("{} {method}", message.branch().unwrap_or_default());
        if let Some(answer) = self.answered.get(&key) {
            if method != "ACK" {
                self.out.push(answer.clone());
            }
            return;
        }
        let line = self.line_of(message);
        match (method.as_str(), line) {
            ("INVITE", None) => self.on_invite(now, message),
            ("INVITE", Some(id)) => self.on_reinvite(now, id, message),
            ("ACK", Some(id)) => {
                if let Some(line) = self.lines.get_mut(id) {
                    line.unacked = None;
                    if !message.body.is_empty() {
                        line.sdp.clone_from(&message.body);
                    }
                }
            }
            ("CANCEL", Some(id)) => self.on_cancel(now, id, message),
            ("BYE", Some(id)) => {
                self.respond(message, 200, None);
                if let Some(line) = self.lines.get_mut(id) {
                    line.state = LineState::Over(0);
                    line.ended_by_peer = true;
                    line.unacked = None;
                    line.reason = message.get("Reason").map(str::to_owned);
                }
            }
            ("NOTIFY", Some(id)) => {
                self.respond(message, 200, None);
                if let Some(line) = self.lines.get_mut(id) {
                    line.notified.push(message.body.trim().to_owned());
                }
            }
            ("OPTIONS" | "UPDATE", _) => self.respond(message, 200, None),
            ("ACK", None) => {}
            _ => self.respond(message, 481, None),
        }
    }

    fn on_invite(&mut self, now: Instant, message: &Text) {
        let (answer_at, code) = match self.manner {
            Manner::Answer(after) | Manner::AnswerAnyway(after) => (Some(now + after), 180),
            Manner::Ring => (None, 180),
            Manner::Refuse(code) => (None, code),
            Manner::Dead => return,
        };
        let tag = format!("{}x{}", self.user, self.address.port());
        let line = Line {
            state: if code == 180 { LineState::Ringing } else { LineState::Over(code) },
            provisional: 0,
            sdp: message.body.clone(),
            notified: Vec::new(),
            ended_by_peer: false,
            reason: None,
            invite: message.clone(),
            call_id: message.get("Call-ID").unwrap_or_default().to_owned(),
            local: format!("{};tag={tag}", message.get("To").unwrap_or_default()),
            remote: message.get("From").unwrap_or_default().to_owned(),
            target: uri(message.get("Contact").unwrap_or_default()).to_owned(),
            cseq: 1,
            answer_at,
            unacked: None,
            ack: None,
            challenged: 0,
            cancelled: false,
            session: 1,
        };
        self.lines.push(line);
        let early = (code == 180 && self.early_media).then(|| self.sdp(1, "sendrecv"));
        self.respond(message, if early.is_some() { 183 } else { code }, early);
    }

    fn on_reinvite(&mut self, now: Instant, id: LineId, message: &Text) {
        let sdp = self.sdp(2, "sendrecv");
        if let Some(line) = self.lines.get_mut(id) {
            match line.state {
                // A repeated INVITE: our 180 was lost.
                LineState::Ringing => return self.respond(message, 180, None),
                LineState::Over(_) => return,
                LineState::Calling | LineState::Up => {}
            }
            line.sdp.clone_from(&message.body);
        }
        self.respond(message, 200, Some(sdp));
        let answer = self.out.last().cloned().unwrap_or_default();
        if let Some(line) = self.lines.get_mut(id) {
            line.unacked = Some((answer, now + T1, T1, now + T1 * 64));
        }
    }

    fn on_cancel(&mut self, _now: Instant, id: LineId, message: &Text) {
        self.respond(message, 200, None);
        let anyway = matches!(self.manner, Manner::AnswerAnyway(_));
        let Some(line) = self.lines.get_mut(id) else { return };
        if line.state == LineState::Ringing && !anyway {
            line.state = LineState::Over(487);
            line.ended_by_peer = true;
            line.reason = message.get("Reason").map(str::to_owned);
            let invite = line.invite.clone();
            self.respond(&invite, 487, None);
        }
    }

    /// Picks up a ringing line.
    pub fn pick_up(&mut self, now: Instant, id: LineId) {
        let sdp = self.sdp(1, "sendrecv");
        let Some(line) = self.lines.get_mut(id).filter(|line| line.state == LineState::Ringing) else {
            return;
        };
        line.state = LineState::Up;
        line.answer_at = None;
        let invite = line.invite.clone();
        self.respond(&invite, 200, Some(sdp));
        let answer = self.out.last().cloned().unwrap_or_default();
        if let Some(line) = self.lines.get_mut(id) {
            line.unacked = Some((answer, now + T1, T1, now + T1 * 64));
        }
    }

    fn on_response(&mut self, now: Instant, message: &Text, code: u16) {
        let Some((_, method)) = message.cseq() else { return };
        let method = method.to_owned();
        let key = format!("{} {method}", message.branch().unwrap_or_default());
        let known = self.pending.contains_key(&key);
        if code < 200 {
            if let Some(pending) = self.pending.get_mut(&key) {
                pending.provisional = true;
            }
        } else {
            self.pending.remove(&key);
        }
        match method.as_str() {
            "REGISTER" if known => self.on_registered(now, message, code),
            "INVITE" => self.on_invite_response(now, message, code),
            _ => {}
        }
    }

    fn on_registered(&mut self, now: Instant, message: &Text, code: u16) {
        let Some((expires_s, cseq, count)) = self.register else { return };
        match code {
            401 if count < 2 => {
                self.register = Some((expires_s, cseq + 1, count + 1));
                self.send_register(now, Some(message));
            }
            200 => self.registered = expires_s > 0,
            _ => self.registered = false,
        }
    }

    fn on_invite_response(&mut self, now: Instant, message: &Text, code: u16) {
        let Some(id) = self.line_of(message) else { return };
        let Some(line) = self.lines.get_mut(id) else { return };
        if code < 200 {
            line.provisional = line.provisional.max(code);
            if !message.body.is_empty() {
                line.sdp.clone_from(&message.body);
            }
            if line.cancelled && line.state == LineState::Calling && !self.is_cancelling(id) {
                self.send_cancel(now, id);
            }
            return;
        }
        if code >= 300 {
            self.ack_failure(id, message);
            return self.on_refused(now, id, message, code);
        }
        let repeated = line.ack.is_some() && message.cseq().map(|(number, _)| number) == ack_number(line);
        if repeated {
            let ack = line.ack.clone();
            self.out.extend(ack);
            return;
        }
        self.on_accepted(now, id, message);
    }

    fn is_cancelling(&self, id: LineId) -> bool {
        let branch = self.lines.get(id).and_then(|line| line.invite.branch()).unwrap_or_default();
        self.pending.contains_key(&format!("{branch} CANCEL"))
    }

    fn on_accepted(&mut self, now: Instant, id: LineId, message: &Text) {
        let late = self.lines.get(id).is_some_and(|line| line.invite.body.is_empty());
        let sdp = late.then(|| self.sdp(1, "sendrecv"));
        let Some(line) = self.lines.get_mut(id) else { return };
        line.remote = message.get("To").unwrap_or_default().to_owned();
        line.target = uri(message.get("Contact").unwrap_or_default()).to_owned();
        line.sdp.clone_from(&message.body);
        let (was, cancelled) = (line.state, line.cancelled);
        if was == LineState::Calling {
            line.state = LineState::Up;
        }
        let ack = self.in_dialog(id, "ACK").with_sdp(sdp);
        if let Some(line) = self.lines.get_mut(id) {
            line.ack = Some(ack.clone());
        }
        self.out.push(ack);
        if cancelled && was == LineState::Calling {
            // The 200 crossed our CANCEL.
            self.hang_up(now, id);
        }
    }

    fn ack_failure(&mut self, id: LineId, message: &Text) {
        let Some(line) = self.lines.get(id) else { return };
        let mut ack = line.invite.clone();
        ack.start = ack.start.replacen("INVITE", "ACK", 1);
        ack.body.clear();
        ack.headers.retain(|(name, _)| matches!(name.as_str(), "From" | "Call-ID" | "Max-Forwards"));
        let via = message.get("Via").unwrap_or_default();
        let number = message.cseq().map_or(1, |(number, _)| number);
        ack.headers.insert(0, ("Via".to_owned(), via.to_owned()));
        let ack = ack.with("To", message.get("To").unwrap_or_default()).with("CSeq", format!("{number} ACK"));
        self.out.push(ack);
    }

    fn on_refused(&mut self, now: Instant, id: LineId, message: &Text, code: u16) {
        let password = self.password.clone();
        let Some(line) = self.lines.get_mut(id) else { return };
        if matches!(line.state, LineState::Over(_)) {
            return;
        }
        if code == 401
            && line.challenged == 0
            && let Some(password) = password
        {
            line.challenged += 1;
            line.cseq += 1;
            let (target, body) = (line.target.clone(), line.invite.body.clone());
            let answer = digest::authorization(message, "INVITE", &target, &self.user, &password, 1);
            return self.invite(now, id, Some(body).filter(|body| !body.is_empty()), answer);
        }
        if line.state != LineState::Up {
            line.state = LineState::Over(code);
        }
    }

    /// When the phone wants to act by itself.
    pub fn next(&self) -> Option<Instant> {
        let pending = self.pending.values().map(|pending| pending.next);
        let answers = self.lines.iter().filter_map(|line| line.answer_at);
        let unacked = self.lines.iter().filter_map(|line| line.unacked.as_ref().map(|unacked| unacked.1));
        pending.chain(answers).chain(unacked).min()
    }

    /// Time passed.
    pub fn wake(&mut self, now: Instant) {
        let (mut again, mut unheard) = (Vec::new(), Vec::new());
        self.pending.retain(|key, pending| {
            if pending.next > now {
                return true;
            }
            let stops = pending.provisional && key.ends_with(" INVITE");
            if now >= pending.until && !stops {
                unheard.push(pending.message.clone());
            }
            if now >= pending.until || stops {
                return false;
            }
            again.push(pending.message.clone());
            let max = if key.ends_with(" INVITE") { T1 * 64 } else { T2 };
            pending.interval = (pending.interval * 2).min(max);
            pending.next = now + pending.interval;
            true
        });
        self.out.extend(again);
        for invite in unheard.iter().filter(|message| message.method() == Some("INVITE")) {
            // Timer B: nobody heard us (RFC 3261 §17.1.1.2).
            let line = self.line_of(invite).and_then(|id| self.lines.get_mut(id));
            if let Some(line) = line.filter(|line| line.state == LineState::Calling) {
                line.state = LineState::Over(408);
            }
        }
        for id in 0..self.lines.len() {
            if self.lines.get(id).and_then(|line| line.answer_at).is_some_and(|at| at <= now) {
                if let Some(line) = self.lines.get_mut(id) {
                    line.answer_at = None;
                }
                self.pick_up(now, id);
            }
            self.repeat_200(now, id);
        }
    }

    fn repeat_200(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        let Some((answer, next, interval, until)) = &mut line.unacked else { return };
        if *next > now {
            return;
        }
        if now >= *until {
            line.unacked = None;
            return self.hang_up(now, id);
        }
        *interval = (*interval * 2).min(T2);
        *next = now + *interval;
        let answer = answer.clone();
        self.out.push(answer);
    }
}

fn ack_number(line: &Line) -> Option<u32> {
    line.ack.as_ref()?.cseq().map(|(number, _)| number)
}
