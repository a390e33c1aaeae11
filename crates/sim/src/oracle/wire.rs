//! SIP as seen on the wire: transactions that are answered once, 2xx that are acknowledged, dialogs
//! that end on both sides, media ports that close with them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use base::{Duration, Instant};

use super::Finding;
use crate::text::{Text, media_port};

/// 64·T1: how long a transaction lives (RFC 3261 §17).
const LIFE: Duration = Duration::from_secs(32);
/// A request other than INVITE is answered within this (timer F less the way there and back).
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// An INVITE within this: twice the longest that it may wait.
const INVITE_MAX: Duration = Duration::from_secs(360);
/// Copies of one request: timers A and E allow 7 and 11 (RFC 3261 §17.1).
const COPIES_MAX: u32 = 12;

/// Call-ID, the switch's tag, the peer's tag.
type DialogId = (String, String, String);
/// Call-ID, To tag, CSeq number: what an ACK is about.
type AckId = (String, String, u32);

/// A request that reached the switch.
#[derive(Debug)]
struct Asked {
    first: Instant,
    finals: BTreeSet<u16>,
    /// A challenge is no verdict: nothing is kept of it, and after a reload the same request may pass.
    challenged: bool,
    initial: bool,
}

impl Asked {
    fn is_answered(&self) -> bool {
        self.challenged || !self.finals.is_empty()
    }
}

/// A request that the switch sent.
#[derive(Debug)]
struct Sent {
    first: Instant,
    copies: u32,
    heard: bool,
    cancelled: Option<Instant>,
    /// Its first final response, and when.
    ended: Option<(u16, Instant)>,
    reached: bool,
}

/// A confirmed dialog.
#[derive(Debug)]
struct Dialog {
    peer: SocketAddr,
    /// By whose BYE, if it is over.
    over: Option<Over>,
    cseq: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Peer,
    Switch { reached: bool },
}

/// Watches the wire.
#[derive(Debug, Default)]
pub struct WireOracle {
    asked: BTreeMap<(IpAddr, String, String), Asked>,
    sent: BTreeMap<(String, String), Sent>,
    dialogs: BTreeMap<DialogId, Dialog>,
    owed: BTreeMap<AckId, Instant>,
    acked: BTreeSet<AckId>,
    /// 2xx that have no ACK yet, with their dialogs-to-be.
    offered: BTreeMap<AckId, (DialogId, SocketAddr)>,
    /// The media port that the switch named last, by Call-ID and tag of the switch.
    ports: BTreeMap<(String, String), u16>,
    /// Dialogs that ended in this step.
    just_over: Vec<(String, String)>,
    wrong: Vec<Finding>,
}

fn word(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

impl WireOracle {
    /// What has been found wrong since the last time.
    pub fn take(&mut self) -> Vec<Finding> {
        core::mem::take(&mut self.wrong)
    }

    fn wrong(&mut self, now: Instant, what: &str, message: &Text) {
        let about = message.get("Call-ID").unwrap_or_default();
        self.wrong.push(format!("{now}: {what}: {} of {about}", message.start));
    }

    /// A datagram reached the switch.
    pub fn reached_switch(&mut self, now: Instant, from: SocketAddr, message: &Text) {
        match message.status() {
            Some(code) => self.answer_reached(now, from, message, code),
            None => self.request_reached(now, from, message),
        }
    }

    fn request_reached(&mut self, now: Instant, from: SocketAddr, message: &Text) {
        let method = word(message.method());
        if method == "ACK" {
            return;
        }
        let key = (from.ip(), word(message.branch()), method.clone());
        let initial = message.to_tag().is_none();
        let new = || Asked { first: now, finals: BTreeSet::new(), challenged: false, initial };
        let asked = self.asked.entry(key).or_insert_with(new);
        if asked.is_answered() && now - asked.first > LIFE * 3 {
            // What the peer repeats after so long it asks anew.
            *asked = new();
        }
        if method == "BYE" {
            let id = (word(message.get("Call-ID")), word(message.to_tag()), word(message.from_tag()));
            if let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| dialog.over.is_none()) {
                dialog.over = Some(Over::Peer);
                self.just_over.push((id.0, id.1));
            }
        }
    }

    fn answer_reached(&mut self, now: Instant, from: SocketAddr, message: &Text, code: u16) {
        let Some((cseq, method)) = message.cseq() else { return };
        let key = (word(message.branch()), method.to_owned());
        let Some(sent) = self.sent.get_mut(&key) else { return };
        let alive = sent.is_alive(now);
        sent.heard |= alive;
        if code < 200 {
            return;
        }
        let before = sent.ended;
        if alive {
            sent.ended.get_or_insert((code, now));
        }
        // A branch that answers otherwise than the first final response said is heard by nobody.
        let fits = before.is_none_or(|(first, _)| (first < 300) == (code < 300));
        if method != "INVITE" || !fits {
            return;
        }
        let id = (word(message.get("Call-ID")), word(message.to_tag()), cseq);
        let dialog = (id.0.clone(), word(message.from_tag()), id.1.clone());
        if code < 300 && !self.dialogs.contains_key(&dialog) {
            self.offered.insert(id.clone(), (dialog, from));
        }
        // Who wakes up late may still take what came too late; he need not.
        if alive && !self.acked.contains(&id) {
            self.owed.entry(id).or_insert(now);
        }
    }

    /// The switch sent a datagram.
    pub fn sent_by_switch(&mut self, now: Instant, to: SocketAddr, message: &Text) {
        match message.status() {
            Some(code) => self.answered(now, to, message, code),
            None => self.requested(now, to, message),
        }
    }

    fn answered(&mut self, now: Instant, to: SocketAddr, message: &Text, code: u16) {
        let Some((_, method)) = message.cseq() else { return };
        let method = method.to_owned();
        let call_id = word(message.get("Call-ID"));
        let tags = (word(message.to_tag()), word(message.from_tag()));
        if let Some(port) = media_port(&message.body) {
            self.ports.insert((call_id.clone(), tags.0.clone()), port);
        }
        let key = (to.ip(), word(message.branch()), method.clone());
        let Some(asked) = self.asked.get_mut(&key) else {
            return self.wrong(now, "a response to nothing", message);
        };
        if code < 200 {
            if !asked.finals.is_empty() {
                self.wrong(now, "a provisional response after the final one", message);
            }
            return;
        }
        if code == 401 {
            asked.challenged = true;
            return;
        }
        asked.finals.insert(code);
        let (initial, finals) = (asked.initial, asked.finals.len());
        if finals > 1 {
            self.wrong(now, "another final response", message);
        }
        let id = (call_id, tags.0, tags.1);
        let lives = self.dialogs.get(&id).is_some_and(|dialog| dialog.over.is_none());
        if code == 481 && method != "CANCEL" && !initial && lives {
            self.wrong(now, "481 in a dialog that lives", message);
        }
        if method == "INVITE" && initial && code < 300 {
            self.dialogs.entry(id).or_insert(Dialog { peer: to, over: None, cseq: 0 });
        }
    }

    fn requested(&mut self, now: Instant, to: SocketAddr, message: &Text) {
        let method = word(message.method());
        let (call_id, tag) = (word(message.get("Call-ID")), word(message.from_tag()));
        let cseq = message.cseq().map_or(0, |(number, _)| number);
        if let Some(port) = media_port(&message.body) {
            self.ports.insert((call_id.clone(), tag.clone()), port);
        }
        if method == "ACK" {
            let id = (call_id, word(message.to_tag()), cseq);
            self.owed.remove(&id);
            if let Some((dialog, peer)) = self.offered.remove(&id) {
                self.dialogs.insert(dialog, Dialog { peer, over: None, cseq });
            }
            self.acked.insert(id);
            return;
        }
        let branch = word(message.branch());
        if method == "CANCEL"
            && let Some(invite) = self.sent.get_mut(&(branch.clone(), "INVITE".to_owned()))
        {
            invite.cancelled.get_or_insert(now);
        }
        let new = Sent { first: now, copies: 0, heard: false, cancelled: None, ended: None, reached: false };
        let sent = self.sent.entry((branch, method.clone())).or_insert(new);
        sent.copies += 1;
        let copies = sent.copies;
        if copies > COPIES_MAX {
            self.wrong(now, "too many copies", message);
        }
        if let (Some(peer_tag), true) = (message.to_tag(), copies == 1) {
            self.requested_in_dialog(now, to, message, &method, (call_id, tag, peer_tag.to_owned()), cseq);
        }
    }

    fn requested_in_dialog(
        &mut self,
        now: Instant,
        _to: SocketAddr,
        message: &Text,
        method: &str,
        id: DialogId,
        cseq: u32,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id) else {
            if !matches!(method, "PRACK" | "UPDATE") {
                self.wrong(now, "a request outside of any dialog", message);
            }
            return;
        };
        let rises = cseq > dialog.cseq;
        dialog.cseq = dialog.cseq.max(cseq);
        let over = dialog.over.is_some();
        if method == "BYE" {
            dialog.over.get_or_insert(Over::Switch { reached: false });
            self.just_over.push((id.0, id.1));
        }
        if !rises {
            self.wrong(now, "CSeq does not rise", message);
        }
        if over && method != "BYE" {
            self.wrong(now, "a request in a dialog that is over", message);
        }
    }

    /// A datagram of the switch reached a phone that is there.
    pub fn reached_phone(&mut self, message: &Text) {
        let Some(method) = message.method() else { return };
        if let Some(sent) = self.sent.get_mut(&(word(message.branch()), method.to_owned())) {
            sent.reached = true;
        }
        let id = (word(message.get("Call-ID")), word(message.from_tag()), word(message.to_tag()));
        if let ("BYE", Some(dialog)) = (method, self.dialogs.get_mut(&id))
            && let Some(Over::Switch { reached }) = &mut dialog.over
        {
            *reached = true;
        }
    }

    /// After each step: whoever said goodbye has closed his ears.
    pub fn after_step(&mut self, now: Instant, is_open: impl Fn(u16) -> bool) {
        for (call_id, tag) in core::mem::take(&mut self.just_over) {
            let other =
                |(id, dialog): (&DialogId, &Dialog)| id.0 == call_id && id.1 == tag && dialog.over.is_none();
            if self.dialogs.iter().any(other) {
                continue;
            }
            let port = self.ports.get(&(call_id.clone(), tag)).copied();
            if let Some(port) = port.filter(|port| is_open(*port)) {
                self.wrong.push(format!("{now}: media port {port} of {call_id} is open after BYE"));
            }
        }
    }

    /// Now and then: nothing waits too long. `leapt` is how long the switch stood still in all.
    pub fn sweep(&mut self, now: Instant, leapt: Duration) {
        for ((from, _, method), asked) in &self.asked {
            let limit = if method == "INVITE" { INVITE_MAX } else { ANSWER_MAX } + leapt;
            if !asked.is_answered() && now - asked.first > limit {
                self.wrong.push(format!("{now}: {method} of {from} at {} is not answered", asked.first));
            }
        }
        for (id, since) in &self.owed {
            if now - *since > Duration::from_secs(1) {
                self.wrong.push(format!("{now}: no ACK since {since} for {id:?}"));
            }
        }
        self.asked.retain(|_, asked| !asked.is_answered() || now - asked.first < INVITE_MAX * 2);
    }

    /// At the end, when all has drained.
    pub fn finish(&mut self, now: Instant) {
        for ((from, _, method), asked) in &self.asked {
            if !asked.is_answered() {
                self.wrong.push(format!("{now}: {method} of {from} at {} was never answered", asked.first));
            }
        }
        for (id, dialog) in self.dialogs.iter().filter(|(_, dialog)| dialog.over.is_none()) {
            self.wrong.push(format!("{now}: the dialog {} with {} never ended", id.0, dialog.peer));
        }
    }

    /// Whether a phone whose line is still open cannot know better: what would have ended it never
    /// reached him. `tag` is the phone's.
    pub fn is_excused(&self, call_id: &str, tag: &str) -> bool {
        let of_line = |id: &DialogId| id.0 == call_id && id.2 == tag;
        if let Some((_, dialog)) = self.dialogs.iter().find(|(id, _)| of_line(id)) {
            return dialog.over == Some(Over::Switch { reached: false });
        }
        // Rung, never up: the CANCEL was lost, or the switch never heard that it rang.
        true
    }

    /// Final responses of the switch to initial INVITEs: how many were accepted.
    pub fn accepted(&self) -> usize {
        self.dialogs.iter().filter(|(_, dialog)| dialog.cseq == 0).count()
    }
}

impl Sent {
    /// Whether a response still finds its transaction.
    fn is_alive(&self, now: Instant) -> bool {
        let since = |at: Instant| now - at < LIFE;
        match (self.ended, self.cancelled) {
            (Some((_, at)), _) => since(at),
            (None, Some(at)) => since(at),
            (None, None) => self.heard || since(self.first),
        }
    }
}
