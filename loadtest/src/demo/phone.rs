//! One telephone: a SIP socket, one call at a time, and the events that a person at it would notice.
//! Whatever a person would not notice (retransmissions, ACK, re-INVITE, OPTIONS, challenges) happens inside.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::Rng;
use rsip::message::HeadersExt;
use rsip::prelude::UntypedHeader;
use rsip::{Method, Request, Response, SipMessage};
use tokio::time::{Instant, sleep_until};

use super::message::{self, Dialog, Draft, Identity};
use super::sdp;
use super::voice::{Change, Heard, Voice};
use super::wire::Wire;

/// RFC 3261 timer T1, and T2 for what is not INVITE.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// A request or answer is given up when nobody reacts for so long.
const PATIENCE: Duration = Duration::from_secs(8);
const DATAGRAM_BYTES_MAX: usize = 8192;

/// What the person at the telephone notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Somebody calls.
    Rings,
    /// The caller gave up before we answered.
    Stops,
    /// The call we made was answered, or our answer was confirmed.
    Answered,
    /// The call we made was refused with this status; 408 if nobody reacted.
    Refused(u16),
    /// A person is heard.
    PersonStarts,
    /// The person is heard no more.
    PersonEnds,
    /// The other side hung up, or went away.
    Ended,
    /// The time that was waited for has come.
    Due,
    /// The registration was accepted.
    Registered,
}

/// The call of the telephone.
struct Call {
    dialog: Dialog,
    /// Opened when the telephone is picked up; until then it is deaf.
    voice: Option<Voice>,
    phase: Phase,
    session: u64,
    version: u32,
}

enum Phase {
    /// We called and wait.
    Calling(Request),
    /// We are called and have not answered.
    Called(Request),
    /// We answered and wait for the ACK.
    Answering,
    /// Both are there.
    Talking,
    /// We hung up and wait for the confirmation.
    Leaving,
}

/// What is sent again until somebody reacts.
struct Resend {
    bytes: Vec<u8>,
    at: Instant,
    gap: Duration,
    gap_max: Duration,
    until: Instant,
}

/// A telephone.
pub(super) struct Phone {
    wire: Wire,
    here: SocketAddr,
    switch: SocketAddr,
    identity: Identity,
    rng: Rng,
    call: Option<Call>,
    registration: Option<Request>,
    registrations: u32,
    challenged: bool,
    resend: Option<Resend>,
    events: VecDeque<Event>,
}

impl Phone {
    /// A telephone at `address` that knows the switch at `switch`.
    pub(super) fn new(
        address: IpAddr,
        switch: SocketAddr,
        identity: Identity,
        rng: Rng,
    ) -> io::Result<Phone> {
        let wire = Wire::open(address)?;
        let here = wire.here();
        Ok(Phone {
            wire,
            here,
            switch,
            identity,
            rng,
            call: None,
            registration: None,
            registrations: 0,
            challenged: false,
            resend: None,
            events: VecDeque::new(),
        })
    }

    /// The next thing that the person notices, at the latest at `until`.
    pub(super) async fn next(&mut self, until: Instant) -> io::Result<Event> {
        let (mut signal, mut sound) = ([0; DATAGRAM_BYTES_MAX], [0; 2048]);
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let now = Instant::now();
            if now >= until {
                return Ok(Event::Due);
            }
            self.send_again(now);
            if let Some(change) = self.voice_mut().and_then(|voice| voice.tick(now)) {
                self.hear(change);
                continue;
            }
            let tick = self.voice().and_then(Voice::next);
            let resend = self.resend.as_ref().map(|resend| resend.at);
            let wake = [tick, resend].into_iter().flatten().fold(until, Instant::min);
            tokio::select! {
                length = self.wire.receive(&mut signal) => {
                    // A refused port (ICMP) is nothing that a telephone would notice.
                    if let Ok(length) = length {
                        self.receive(signal.get(..length).unwrap_or_default());
                    }
                }
                length = hear(self.voice(), &mut sound) => {
                    let packet = sound.get(..length.unwrap_or(0)).unwrap_or_default();
                    let heard = self.voice_mut().and_then(|voice| voice.heard.packet(packet));
                    if let Some(change) = heard {
                        self.hear(change);
                    }
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Waits for one of `wanted`, dropping what else happens; `Due` if it does not come until then.
    pub(super) async fn wait_for(&mut self, wanted: &[Event], until: Instant) -> io::Result<Event> {
        loop {
            let event = self.next(until).await?;
            if event == Event::Due || wanted.contains(&event) {
                return Ok(event);
            }
        }
    }

    /// Asks for a registration of `expires_s` seconds (0 ends it). `Registered` or `Refused` follows.
    pub(super) fn register(&mut self, expires_s: u32) {
        let Identity { user, host, .. } = &self.identity;
        let (user, uri) = (user.clone(), format!("sip:{host}"));
        let address = format!("<sip:{user}@{host}>");
        self.registrations += 1;
        let dialog = Dialog {
            call_id: format!("register-{user}-{}", self.here.port()),
            local: format!("{address};tag={}", self.rng.token()),
            remote: address,
            target: uri.clone(),
            cseq: self.registrations,
        };
        let draft = self.draft(Method::Register, &uri, &dialog, "");
        let Some(request) = draft.map(|request| message::with_expires(request, expires_s)) else { return };
        self.challenged = false;
        self.send_until_answered(&request, T2);
        self.registration = Some(request);
    }

    /// Calls `number`. `Answered` or `Refused` follows.
    pub(super) fn dial(&mut self, number: &str, id: u32, hertz: u32) -> io::Result<()> {
        let voice = Voice::open(self.here.ip(), id, hertz, &mut self.rng)?;
        let session = self.rng.next_u64() >> 12;
        let Identity { user, host, .. } = &self.identity;
        let uri = format!("sip:{number}@{host}");
        let dialog = Dialog {
            call_id: self.rng.token(),
            local: format!("<sip:{user}@{host}>;tag={}", self.rng.token()),
            remote: format!("<{uri}>"),
            target: uri.clone(),
            cseq: 1,
        };
        let sdp = sdp::session(voice.here(), session, 1);
        let Some(invite) = self.draft(Method::Invite, &uri, &dialog, &sdp) else {
            self.events.push_back(Event::Refused(400));
            return Ok(());
        };
        self.challenged = false;
        self.send_until_answered(&invite, PATIENCE);
        self.call =
            Some(Call { dialog, voice: Some(voice), phase: Phase::Calling(invite), session, version: 1 });
        Ok(())
    }

    /// Picks up. `Answered` follows when the other side has confirmed it.
    pub(super) fn pick_up(&mut self, id: u32, hertz: u32) -> io::Result<()> {
        let mut voice = Voice::open(self.here.ip(), id, hertz, &mut self.rng)?;
        let Some(call) = &mut self.call else { return Ok(()) };
        let Phase::Called(invite) = &call.phase else { return Ok(()) };
        let invite = invite.clone();
        voice.speak_as_told(&invite.body);
        let sdp = sdp::session(voice.here(), call.session, call.version);
        call.voice = Some(voice);
        call.phase = Phase::Answering;
        let response = self.answer(&invite, 200, &sdp);
        self.send_until(response.to_string().into_bytes(), T2);
        Ok(())
    }

    /// Presses keys.
    pub(super) fn press(&mut self, keys: &str) {
        if let Some(voice) = self.voice_mut() {
            voice.press(keys);
        }
    }

    /// Hangs up, whatever the call has come to, and says what was heard in it.
    pub(super) async fn hang_up(&mut self) -> io::Result<Option<(u32, Heard)>> {
        let Some(call) = &self.call else { return Ok(None) };
        match &call.phase {
            Phase::Calling(invite) => {
                let cancel = cancel(invite);
                self.send_until_answered(&cancel, T2);
                self.wait_for(&[Event::Refused(487), Event::Answered], Instant::now() + T2).await?;
            }
            Phase::Called(invite) => {
                let busy = self.answer(&invite.clone(), 486, "");
                self.send(busy.to_string().as_bytes());
            }
            Phase::Answering | Phase::Talking | Phase::Leaving => {}
        }
        if let Some(call) = &mut self.call
            && matches!(call.phase, Phase::Talking | Phase::Answering)
        {
            call.phase = Phase::Leaving;
            call.dialog.cseq += 1;
            let dialog = call.dialog.clone();
            if let Some(bye) = self.draft(Method::Bye, &dialog.target, &dialog, "") {
                self.send_until_answered(&bye, T2);
            }
            self.wait_for(&[Event::Ended], Instant::now() + T2).await?;
        }
        Ok(self.leave())
    }

    /// Puts the handset down after the other side has ended the call.
    pub(super) fn leave(&mut self) -> Option<(u32, Heard)> {
        self.resend = None;
        self.events.clear();
        let voice = self.call.take()?.voice?;
        Some((voice.id, voice.heard))
    }

    fn voice(&self) -> Option<&Voice> {
        self.call.as_ref()?.voice.as_ref()
    }

    fn voice_mut(&mut self) -> Option<&mut Voice> {
        self.call.as_mut()?.voice.as_mut()
    }

    fn hear(&mut self, change: Change) {
        self.events.push_back(match change {
            Change::Starts => Event::PersonStarts,
            Change::Ends => Event::PersonEnds,
        });
    }

    fn draft(&mut self, method: Method, uri: &str, dialog: &Dialog, body: &str) -> Option<Request> {
        let branch = format!("z9hG4bK{}", self.rng.token());
        let (here, user) = (self.here, self.identity.user.as_str());
        let cseq = dialog.cseq;
        Draft { method, uri, dialog, cseq, branch: &branch, here, user, body }.request()
    }

    fn answer(&self, request: &Request, code: u16, body: &str) -> Response {
        let contact = format!("<sip:{}@{}>", self.identity.user, self.here);
        let tag = self.tag();
        message::answer(request, code, &tag, (code < 300).then_some(contact.as_str()), body)
    }

    /// Our tag of the call at hand.
    fn tag(&self) -> String {
        let local = self.call.as_ref().map_or("", |call| call.dialog.local.as_str());
        local.rsplit_once("tag=").map_or_else(|| "stateless".to_owned(), |(_, tag)| tag.to_owned())
    }

    fn send(&self, bytes: &[u8]) {
        self.wire.send(bytes, self.switch);
    }

    fn send_until_answered(&mut self, request: &Request, gap_max: Duration) {
        self.send_until(request.to_string().into_bytes(), gap_max);
    }

    fn send_until(&mut self, bytes: Vec<u8>, gap_max: Duration) {
        self.send(&bytes);
        let now = Instant::now();
        self.resend = Some(Resend { bytes, at: now + T1, gap: T1, gap_max, until: now + PATIENCE });
    }

    fn send_again(&mut self, now: Instant) {
        let Some(resend) = &mut self.resend else { return };
        if now >= resend.until {
            self.resend = None;
            self.registration = None;
            let calling =
                matches!(self.call.as_ref().map(|call| &call.phase), Some(Phase::Calling(_)) | None);
            self.events.push_back(if calling { Event::Refused(408) } else { Event::Ended });
        } else if now >= resend.at {
            resend.gap = (resend.gap * 2).min(resend.gap_max);
            resend.at = now + resend.gap;
            self.wire.send(&resend.bytes, self.switch);
        }
    }

    fn receive(&mut self, datagram: &[u8]) {
        // Keep-alives and what `rsip` cannot read are no messages to a telephone.
        match SipMessage::try_from(datagram) {
            Ok(SipMessage::Request(request)) => self.on_request(&request),
            Ok(SipMessage::Response(response)) => self.on_response(&response),
            Err(_) => {}
        }
    }

    fn on_request(&mut self, request: &Request) {
        let same = request.call_id_header().is_ok_and(|id| self.in_call(id.value()));
        match request.method {
            Method::Invite if same => self.on_invite_again(request),
            Method::Invite if self.call.is_none() => self.on_invite(request),
            Method::Invite => self.send(self.answer(request, 486, "").to_string().as_bytes()),
            Method::Ack if same => self.on_ack(request),
            Method::Ack => {}
            Method::Cancel if same => self.on_cancel(request),
            Method::Bye if same => {
                self.send(self.answer(request, 200, "").to_string().as_bytes());
                self.resend = None;
                self.events.push_back(Event::Ended);
            }
            Method::Update if same => self.renegotiate(request),
            Method::Options => self.send(self.answer(request, 200, "").to_string().as_bytes()),
            Method::Info | Method::Notify if same => {
                self.send(self.answer(request, 200, "").to_string().as_bytes());
            }
            _ => self.send(self.answer(request, 481, "").to_string().as_bytes()),
        }
    }

    fn in_call(&self, call_id: &str) -> bool {
        self.call.as_ref().is_some_and(|call| call.dialog.call_id == call_id)
    }

    fn on_invite(&mut self, request: &Request) {
        let Some(dialog) = Dialog::called(request, &self.rng.token()) else { return };
        let session = self.rng.next_u64() >> 12;
        let phase = Phase::Called(request.clone());
        self.call = Some(Call { dialog, voice: None, phase, session, version: 1 });
        self.send(self.answer(request, 180, "").to_string().as_bytes());
        self.events.push_back(Event::Rings);
    }

    /// The INVITE of the call at hand once more: lost answers, or new media.
    fn on_invite_again(&mut self, request: &Request) {
        match self.call.as_ref().map(|call| &call.phase) {
            Some(Phase::Called(_)) => self.send(self.answer(request, 180, "").to_string().as_bytes()),
            Some(Phase::Talking) => self.renegotiate(request),
            _ => {}
        }
    }

    /// RFC 3264 §8: the other side changes the media; what we offer stays as it is.
    fn renegotiate(&mut self, request: &Request) {
        let Some(call) = &mut self.call else { return };
        let Some(voice) = &mut call.voice else { return };
        voice.speak_as_told(&request.body);
        call.version += 1;
        let offered = request.method == Method::Invite || !request.body.is_empty();
        let sdp =
            if offered { sdp::session(voice.here(), call.session, call.version) } else { String::new() };
        self.send(self.answer(request, 200, &sdp).to_string().as_bytes());
    }

    fn on_ack(&mut self, request: &Request) {
        let Some(call) = &mut self.call else { return };
        if let Some(voice) = &mut call.voice {
            voice.speak_as_told(&request.body);
        }
        if matches!(call.phase, Phase::Answering) {
            call.phase = Phase::Talking;
            self.resend = None;
            self.events.push_back(Event::Answered);
        }
    }

    fn on_cancel(&mut self, cancel: &Request) {
        self.send(self.answer(cancel, 200, "").to_string().as_bytes());
        // After our 200 the CANCEL comes too late (RFC 3261 §9.2): the caller sends BYE.
        if let Some(Phase::Called(invite)) = self.call.as_ref().map(|call| &call.phase) {
            self.send(self.answer(&invite.clone(), 487, "").to_string().as_bytes());
            self.events.push_back(Event::Stops);
        }
    }

    fn on_response(&mut self, response: &Response) {
        let Some((method, cseq)) = message::cseq(response) else { return };
        let code = response.status_code.code();
        match method {
            Method::Register => self.on_registered(response, code, cseq),
            Method::Invite => self.on_invite_answered(response, code),
            Method::Bye if code >= 200 => {
                self.resend = None;
                self.events.push_back(Event::Ended);
            }
            Method::Cancel if code >= 200 => self.resend = None,
            _ => {}
        }
    }

    fn on_registered(&mut self, response: &Response, code: u16, cseq: u32) {
        if code < 200 || cseq != self.registrations {
            return;
        }
        let Some(request) = self.registration.take() else { return };
        self.resend = None;
        if code == 401 && !self.challenged {
            self.challenged = true;
            self.registrations += 1;
            if let Some(request) = self.with_credentials(&request, response, self.registrations) {
                self.send_until_answered(&request, T2);
                self.registration = Some(request);
                return;
            }
        }
        self.events.push_back(if code < 300 { Event::Registered } else { Event::Refused(code) });
    }

    fn on_invite_answered(&mut self, response: &Response, code: u16) {
        let ours = response.call_id_header().is_ok_and(|id| self.in_call(id.value()));
        let Some(call) = self.call.as_mut().filter(|_| ours) else { return };
        if let Ok(to) = response.to_header() {
            call.dialog.remote = to.value().to_owned();
        }
        if let Some(voice) = &mut call.voice {
            voice.speak_as_told(&response.body);
        }
        match code {
            100..200 => {
                if matches!(call.phase, Phase::Calling(_)) {
                    self.resend = None;
                }
            }
            200..300 => {
                if let Some(target) = message::contact(response) {
                    call.dialog.target = target;
                }
                let dialog = call.dialog.clone();
                let first = matches!(call.phase, Phase::Calling(_));
                if first {
                    call.phase = Phase::Talking;
                    self.resend = None;
                    self.events.push_back(Event::Answered);
                }
                if let Some(ack) = self.draft(Method::Ack, &dialog.target, &dialog, "") {
                    self.send(ack.to_string().as_bytes());
                }
            }
            _ => self.on_invite_refused(response, code),
        }
    }

    fn on_invite_refused(&mut self, response: &Response, code: u16) {
        let Some(call) = &self.call else { return };
        let Phase::Calling(invite) = &call.phase else { return };
        let invite = invite.clone();
        self.resend = None;
        self.send(acknowledge(&invite, response).to_string().as_bytes());
        if matches!(code, 401 | 407) && !self.challenged {
            self.challenged = true;
            let cseq = call.dialog.cseq + 1;
            if let Some(again) = self.with_credentials(&invite, response, cseq)
                && let Some(call) = &mut self.call
            {
                call.dialog.cseq = cseq;
                call.phase = Phase::Calling(again.clone());
                self.send_until_answered(&again, PATIENCE);
                return;
            }
        }
        self.events.push_back(Event::Refused(code));
    }

    /// `request` as a new transaction with credentials.
    fn with_credentials(&mut self, request: &Request, challenge: &Response, cseq: u32) -> Option<Request> {
        let cnonce = self.rng.token();
        let branch = format!("SIP/2.0/UDP {};branch=z9hG4bK{};rport", self.here, self.rng.token());
        let mut again = request.clone();
        if let Ok(via) = again.via_header_mut() {
            via.replace(branch);
        }
        if let Ok(header) = again.cseq_header_mut() {
            header.replace(format!("{cseq} {}", request.method));
        }
        message::with_credentials(again, challenge, &self.identity, &cnonce)
    }
}

async fn hear(voice: Option<&Voice>, buffer: &mut [u8]) -> io::Result<usize> {
    match voice {
        Some(voice) => voice.receive(buffer).await,
        None => std::future::pending().await,
    }
}

/// RFC 3261 §9.1: as the INVITE, but for method and body.
fn cancel(invite: &Request) -> Request {
    let mut cancel = invite.clone();
    cancel.method = Method::Cancel;
    bare(&mut cancel, "CANCEL");
    cancel
}

/// RFC 3261 §17.1.1.3: the ACK of a refusal is part of the INVITE's transaction.
fn acknowledge(invite: &Request, refusal: &Response) -> Request {
    let mut ack = invite.clone();
    ack.method = Method::Ack;
    bare(&mut ack, "ACK");
    if let (Ok(to), Ok(answered)) = (ack.to_header_mut(), refusal.to_header()) {
        to.replace(answered.value().to_owned());
    }
    ack
}

fn bare(request: &mut Request, method: &str) {
    use rsip::Header;
    request.body.clear();
    request.headers.retain(|header| {
        !matches!(
            header,
            Header::ContentType(_) | Header::ContentLength(_) | Header::Contact(_) | Header::Allow(_)
        )
    });
    request.headers.push(rsip::headers::ContentLength::new("0").into());
    let number = message::cseq(request).map_or(1, |(_, number)| number);
    if let Ok(cseq) = request.cseq_header_mut() {
        cseq.replace(format!("{number} {method}"));
    }
}
