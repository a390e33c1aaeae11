//! What a phone does with what it receives: requests of the switch, and responses to its own.

use base::Instant;

use super::{Line, LineId, LineState, Manner, Phone, T1};
use crate::digest;
use crate::fault::Fault;
use crate::text::{Text, parameter, uri};

impl Phone {
    /// A datagram arrived.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if self.manner == Manner::Dead || self.away {
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
            // RFC 3261 §12.2.2: of a dialog that we know nothing of.
            ("INVITE", None) if message.to_tag().is_some() => self.respond(message, 481, None),
            ("INVITE", None) => self.on_invite(now, message),
            ("INVITE", Some(id)) => self.on_reinvite(now, id, message),
            ("ACK", line) => self.on_ack(line, message),
            ("CANCEL", Some(id)) => self.on_cancel(now, id, message),
            ("BYE", Some(id)) => self.on_bye(id, message),
            ("NOTIFY", Some(id)) if self.lines.get(id).is_some_and(|line| !line.is_over()) => {
                self.respond(message, 200, None);
                if let Some(line) = self.lines.get_mut(id) {
                    line.notified.push(message.body.trim().to_owned());
                }
            }
            ("OPTIONS", _) => self.respond(message, 200, None),
            ("UPDATE", Some(id)) if self.lines.get(id).is_some_and(|line| !line.is_over()) => {
                self.respond(message, 200, None);
            }
            _ => self.respond(message, 481, None),
        }
    }

    fn on_ack(&mut self, line: Option<LineId>, message: &Text) {
        if let Some(line) = line.and_then(|id| self.lines.get_mut(id)) {
            line.unacked = None;
            if !message.body.is_empty() {
                line.sdp.clone_from(&message.body);
            }
        }
    }

    fn on_bye(&mut self, id: LineId, message: &Text) {
        self.respond(message, 200, None);
        if let Some(line) = self.lines.get_mut(id) {
            line.state = LineState::Over(0);
            line.ended_by_peer = true;
            line.unacked = None;
            line.reason = message.get("Reason").map(str::to_owned);
        }
    }

    fn on_invite(&mut self, now: Instant, message: &Text) {
        let (answer_at, code) = match self.manner {
            Manner::Answer(after) | Manner::AnswerAnyway(after) => (Some(now + after), 180),
            Manner::Ring | Manner::AnswerLate(_) => (None, 180),
            Manner::Refuse(code) => (None, code),
            Manner::Silent => {
                self.faults.insert(Fault::SilentPhone);
                return;
            }
            Manner::Dead => return,
        };
        self.be_called(message, answer_at, code);
        for branch in (1..=self.habits.branches).filter(|_| code == 180) {
            // The other branches of a fork ring too, and are answered a moment later.
            let later = answer_at.map(|at| at + T1 / 4 * u32::from(branch));
            self.be_called(message, later, code);
        }
    }

    fn be_called(&mut self, message: &Text, answer_at: Option<Instant>, code: u16) {
        let tag = self.tag();
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
            cancel_seen: false,
            session: 1,
        };
        self.lines.push(line);
        let early = (code == 180 && self.early_media).then(|| self.sdp(1, "sendrecv"));
        self.respond_as(message, if early.is_some() { 183 } else { code }, early, &tag);
    }

    fn on_reinvite(&mut self, now: Instant, id: LineId, message: &Text) {
        let sdp = self.sdp(2, "sendrecv");
        if let Some(line) = self.lines.get_mut(id) {
            match line.state {
                // A repeated INVITE: our 180 was lost.
                LineState::Ringing => return self.respond(message, 180, None),
                LineState::Over(_) => return self.respond(message, 481, None),
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

    fn on_cancel(&mut self, now: Instant, id: LineId, message: &Text) {
        self.respond(message, 200, None);
        let call_id = self.lines.get(id).map(|line| line.call_id.clone()).unwrap_or_default();
        let answered = self.lines.iter().any(|line| line.call_id == call_id && line.state == LineState::Up);
        let mut refused = false;
        for line in self.lines.iter_mut().filter(|line| line.call_id == call_id) {
            if line.state != LineState::Ringing {
                continue;
            }
            line.cancel_seen = true;
            match self.manner {
                Manner::AnswerAnyway(_) => continue,
                Manner::AnswerLate(after) => {
                    line.answer_at = Some(now + after);
                    continue;
                }
                _ => {}
            }
            line.state = LineState::Over(487);
            line.answer_at = None;
            line.ended_by_peer = true;
            line.reason = message.get("Reason").map(str::to_owned);
            refused = true;
        }
        let invite = self.lines.get(id).map(|line| line.invite.clone());
        if let Some(invite) = invite.filter(|_| refused && !answered) {
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
        let tag = parameter(&line.local, "tag").unwrap_or_default().to_owned();
        if line.cancel_seen {
            self.faults.insert(Fault::LateAnswer);
        }
        let call_id = invite.get("Call-ID");
        let others = self.lines.iter().enumerate().filter(|(other, _)| *other != id);
        if others
            .filter(|(_, line)| Some(line.call_id.as_str()) == call_id)
            .any(|(_, l)| l.state == LineState::Up)
        {
            self.faults.insert(Fault::Forked);
        }
        self.respond_as(&invite, 200, Some(sdp), &tag);
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
            _ if known && code == 481 => self.forgotten(message),
            _ => {}
        }
    }

    /// The switch knows nothing of our dialog (RFC 3261 §12.2.1.2).
    fn forgotten(&mut self, message: &Text) {
        let Some(line) = self.own_line(message).and_then(|id| self.lines.get_mut(id)) else { return };
        match (line.state, message.cseq()) {
            (LineState::Up, _) => (line.state, line.unacked) = (LineState::Over(481), None),
            (LineState::Calling, Some((_, "CANCEL"))) => line.state = LineState::Over(487),
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
        let Some(id) = self.own_line(message) else { return };
        let Some(line) = self.lines.get_mut(id) else { return };
        if code < 200 {
            line.provisional = line.provisional.max(code);
            if code > 100 {
                message.get("To").unwrap_or_default().clone_into(&mut line.remote);
            }
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
        if line.state != LineState::Up || code == 481 {
            line.state = LineState::Over(code);
        }
    }
}

fn ack_number(line: &Line) -> Option<u32> {
    line.ack.as_ref()?.cseq().map(|(number, _)| number)
}
