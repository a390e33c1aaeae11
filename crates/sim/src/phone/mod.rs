//! Scripted SIP phones and a carrier: small user agents with timers of their own, which know nothing
//! of the switch but its address. Some have bad habits.

mod receive;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};

use crate::digest;
use crate::fault::Fault;
use crate::text::{Text, media_port, parameter};

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
    /// Is picked up after this even if a CANCEL came first; for races.
    AnswerAnyway(Duration),
    /// Rings, and is picked up so long after the CANCEL that it should have obeyed.
    AnswerLate(Duration),
    /// Says nothing to an INVITE.
    Silent,
    /// Says nothing at all.
    Dead,
}

/// What a phone does wrong, or what its network does for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Everything that it sends comes so much later.
    pub pause: Duration,
    /// Sends each final response to INVITE twice.
    pub doubles: bool,
    /// A proxy before it forks: so many further branches answer as well, each with a tag of its own.
    pub branches: u8,
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
    pub(crate) local: String,
    remote: String,
    target: String,
    cseq: u32,
    answer_at: Option<Instant>,
    /// A 200 that waits for its ACK.
    unacked: Option<(Text, Instant, Duration, Instant)>,
    ack: Option<Text>,
    challenged: u32,
    cancelled: bool,
    /// A CANCEL for it came.
    cancel_seen: bool,
    session: u32,
}

impl Line {
    /// Whether it is neither up nor about to be.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, LineState::Over(_))
    }

    /// The port that its peer wants its voice at.
    pub fn peer_port(&self) -> Option<u16> {
        media_port(&self.sdp)
    }

    /// Its Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }
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
    /// Where it is now.
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
    /// What it does wrong.
    pub habits: Habits,
    /// Switched off, or its cable is out: it neither hears nor speaks.
    pub away: bool,
    /// Which of its faults have happened.
    pub faults: BTreeSet<Fault>,
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
            habits: Habits::default(),
            away: false,
            faults: BTreeSet::new(),
            pending: BTreeMap::new(),
            answered: BTreeMap::new(),
            register: None,
            out: Vec::new(),
            rng,
        }
    }

    /// Messages to send now.
    pub fn take_out(&mut self) -> Vec<Vec<u8>> {
        let out = core::mem::take(&mut self.out);
        if self.away {
            return Vec::new();
        }
        if !out.is_empty() && !self.habits.pause.is_zero() {
            self.faults.insert(Fault::SlowPhone);
        }
        out.iter().map(Text::write).collect()
    }

    /// Its power or its cable fails: it is not heard of until it comes back.
    pub fn vanish(&mut self) {
        let in_state = |state| self.lines.iter().any(|line| line.state == state);
        self.faults.insert(match () {
            () if in_state(LineState::Up) => Fault::VanishTalking,
            () if in_state(LineState::Ringing) => Fault::VanishRinging,
            () => Fault::VanishIdle,
        });
        self.away = true;
    }

    /// It is there again; after a restart it has forgotten every call.
    pub fn come_back(&mut self, restarted: bool) {
        self.away = false;
        if restarted {
            self.faults.insert(Fault::Restart);
            self.pending.clear();
            self.answered.clear();
            for line in &mut self.lines {
                line.call_id.insert_str(0, "forgotten-");
                (line.state, line.answer_at, line.unacked) = (LineState::Over(0), None, None);
            }
        }
    }

    /// Its address translator gives it another port: Contact and media move.
    pub fn move_to(&mut self, port: u16) {
        self.address.set_port(port);
        self.faults.insert(Fault::NewContact);
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
            cancel_seen: false,
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
            // One CANCEL is enough; if it stays unheard the call counts as cancelled (RFC 3261 §9.1).
            LineState::Calling if line.cancelled => {}
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
                line.answer_at = None;
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

    /// Asks the switch to join the parties of two calls (RFC 5589 §7.3): `id`'s and `with`'s.
    pub fn refer_replacing(&mut self, now: Instant, id: LineId, with: LineId) {
        let Some(line) = self.lines.get(with) else { return };
        let tag = |value: &str| parameter(value, "tag").unwrap_or_default().to_owned();
        let (call_id, theirs, ours) = (line.call_id.replace('@', "%40"), tag(&line.remote), tag(&line.local));
        let replaces = format!("{call_id}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}");
        let to = format!("<sip:asked@{}?Replaces={replaces}>", self.server);
        let refer = self.next_request(id, "REFER").with("Refer-To", to).with("Contact", self.contact());
        self.request(now, refer);
    }

    /// Presses a key by INFO.
    pub fn info(&mut self, now: Instant, id: LineId, key: char) {
        let mut info = self.next_request(id, "INFO").with("Content-Type", "application/dtmf-relay");
        info.body = format!("Signal={key}\r\nDuration=160\r\n");
        self.request(now, info);
    }

    fn tag(&self) -> String {
        format!("{}x{}", self.user, self.lines.len())
    }

    fn respond(&mut self, request: &Text, code: u16, sdp: Option<String>) {
        let line = self.line_of(request).and_then(|id| self.lines.get(id));
        let tag = line.and_then(|line| parameter(&line.local, "tag")).map(str::to_owned);
        let tag = tag.unwrap_or_else(|| self.tag());
        self.respond_as(request, code, sdp, &tag);
    }

    fn respond_as(&mut self, request: &Text, code: u16, sdp: Option<String>, tag: &str) {
        let mut answer = request.respond(code, (code > 100).then_some(tag)).with("Contact", self.contact());
        answer = answer.with_sdp(sdp);
        if code >= 200
            && let (Some(branch), Some(method)) = (request.branch(), request.method())
        {
            self.answered.insert(format!("{branch} {method}"), answer.clone());
            if method == "INVITE" && self.habits.doubles {
                self.faults.insert(Fault::DoubleAnswer);
                self.out.push(answer.clone());
            }
        }
        self.out.push(answer);
    }

    /// The line whose dialog a request of the switch belongs to. Without a tag of ours in it, the first
    /// of the call.
    fn line_of(&self, request: &Text) -> Option<LineId> {
        self.find(request.get("Call-ID")?, request.to_tag())
    }

    /// The line that a request of ours, or a response to it, belongs to.
    fn own_line(&self, message: &Text) -> Option<LineId> {
        self.find(message.get("Call-ID")?, message.from_tag())
    }

    fn find(&self, call_id: &str, tag: Option<&str>) -> Option<LineId> {
        let mine = |line: &Line| tag.is_none_or(|tag| parameter(&line.local, "tag") == Some(tag));
        self.lines.iter().position(|line| line.call_id == call_id && mine(line))
    }
}
