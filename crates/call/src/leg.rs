//! Legs: one SIP dialog and its media each. Here a leg is opened, answered, refused, joined and
//! ended, whatever caller's journey it belongs to; and here it is seen that nothing of it stays.

use std::net::IpAddr;
use std::sync::Arc;

use base::{CallKey, Instant, LegKey, TrunkKey};
use bytes::Bytes;
use media::{Command, Prompt};
use sip::{Peer, Reason, Rejection};

use crate::audio::Audio;
use crate::core::Core;
use crate::journey::recording::Asked;
use crate::message::Output;
use crate::ports::Port;

/// The dialog's side of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// The peer's INVITE waits for our final answer.
    Incoming,
    /// Our INVITE waits for the peer's.
    Outgoing,
    /// Answered.
    Up,
    /// Ended by either side; the endpoint may still have to repeat or absorb messages.
    Over,
    /// The endpoint knows nothing of it any more.
    Released,
}

/// The media's side of a leg.
#[derive(Clone, Debug)]
pub(crate) enum Media {
    /// No port.
    Closed,
    /// A worker has the leg.
    Open(Box<Audio>),
    /// The worker was told to remove the leg; the port is free when it says so.
    Closing(Port),
}

/// One leg.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    /// The call it serves; `None` when that call has let it go.
    pub(crate) call: Option<CallKey>,
    /// SIP.
    pub(crate) dialog: Dialog,
    /// RTP.
    pub(crate) media: Media,
    /// Where its SIP came from: RTP may be learned from there too.
    pub(crate) source: Option<IpAddr>,
    /// Whose it is.
    peer: Peer,
    /// Whether the trunk's count of live calls includes it.
    counted: Option<TrunkKey>,
    /// Whether another port has been tried already.
    pub(crate) port_retried: bool,
    /// A recording that its worker was asked for and has not handed over.
    pub(crate) recording: Option<Box<Asked>>,
}

impl Leg {
    /// A new leg without media.
    pub(crate) fn new(call: CallKey, peer: Peer, dialog: Dialog) -> Self {
        let counted = match peer {
            Peer::Trunk(trunk) => Some(trunk),
            Peer::Agent(_) => None,
        };
        Leg {
            call: Some(call),
            dialog,
            media: Media::Closed,
            source: None,
            peer,
            counted,
            port_retried: false,
            recording: None,
        }
    }

    /// Whose it is.
    pub(crate) const fn peer(&self) -> Peer {
        self.peer
    }

    /// Its port, while it has one.
    pub(crate) fn port(&self) -> Option<Port> {
        match &self.media {
            Media::Closed => None,
            Media::Open(audio) => Some(audio.port),
            Media::Closing(port) => Some(*port),
        }
    }

    /// Its session, while its media is open.
    pub(crate) fn audio(&self) -> Option<&Audio> {
        match &self.media {
            Media::Open(audio) => Some(audio),
            Media::Closed | Media::Closing(_) => None,
        }
    }

    /// Its session, while its media is open.
    pub(crate) fn audio_mut(&mut self) -> Option<&mut Audio> {
        match &mut self.media {
            Media::Open(audio) => Some(audio),
            Media::Closed | Media::Closing(_) => None,
        }
    }

    /// The trunk whose count of live calls includes it.
    pub(crate) const fn trunk(&self) -> Option<TrunkKey> {
        self.counted
    }

    /// Whether the trunk's count of live calls includes it.
    pub(crate) const fn is_counted(&self) -> bool {
        self.counted.is_some()
    }

    fn is_gone(&self) -> bool {
        self.dialog == Dialog::Released && matches!(self.media, Media::Closed)
    }
}

/// How we end a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Normal clearing.
    Normal,
    /// Another phone of the same agent answered.
    Elsewhere,
    /// With a final status where none was sent yet; as Reason otherwise.
    Status(u16),
    /// 503 with Retry-After where no final answer was sent yet.
    Busy(u32),
}

impl Farewell {
    fn rejection(&self) -> Rejection {
        match self {
            Farewell::Normal | Farewell::Elsewhere => Rejection::code(480),
            Farewell::Status(code) => Rejection::code((*code).clamp(400, 699)),
            Farewell::Busy(retry_after_s) => {
                Rejection { code: 503, retry_after_s: Some(*retry_after_s), reason: None }
            }
        }
    }

    fn reason(&self) -> Option<Reason> {
        match self {
            Farewell::Normal => Some(Reason::q850(16, "Normal call clearing")),
            Farewell::Elsewhere => Some(Reason::completed_elsewhere()),
            Farewell::Status(code) => Some(Reason::sip(*code, "Ended by the switch")),
            Farewell::Busy(_) => Some(Reason::sip(503, "Service Unavailable")),
        }
    }
}

impl Core {
    /// The leg, if it is known.
    pub(crate) fn leg(&self, leg: LegKey) -> Option<&Leg> {
        self.legs.get(&leg)
    }

    /// Whether the leg is answered and not ended.
    pub(crate) fn is_up(&self, leg: LegKey) -> bool {
        self.leg(leg).is_some_and(|leg| leg.dialog == Dialog::Up)
    }

    /// Answers the peer's INVITE with 200.
    pub(crate) fn accept(&mut self, now: Instant, leg: LegKey, sdp: Option<Bytes>) {
        if let Some(entry) = self.legs.get_mut(&leg).filter(|entry| entry.dialog == Dialog::Incoming) {
            entry.dialog = Dialog::Up;
            self.sip.accept(now, leg, sdp);
        }
    }

    /// The peer answered our INVITE.
    pub(crate) fn is_answered(&mut self, leg: LegKey, source: IpAddr) {
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.dialog = Dialog::Up;
            entry.source = Some(source);
        }
    }

    /// Ends the leg from our side, whatever its state: its media at once, its dialog by the message
    /// that fits. No event of it reaches a journey any more.
    pub(crate) fn part(&mut self, now: Instant, leg: LegKey, farewell: &Farewell) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.call = None;
        match entry.dialog {
            Dialog::Incoming => self.sip.reject(now, leg, farewell.rejection()),
            Dialog::Outgoing => self.sip.cancel(now, leg, farewell.reason()),
            Dialog::Up => self.sip.bye(now, leg, farewell.reason()),
            Dialog::Over | Dialog::Released => {}
        }
        self.dialog_over(leg);
        self.close_media(leg);
    }

    /// The peer (or the network) ended the leg's dialog: nothing is left to say to it.
    pub(crate) fn parted(&mut self, leg: LegKey) {
        self.dialog_over(leg);
        self.close_media(leg);
    }

    fn dialog_over(&mut self, leg: LegKey) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if entry.dialog != Dialog::Released {
            entry.dialog = Dialog::Over;
        }
        if let Some(trunk) = entry.counted.take() {
            self.trunks.leave(trunk);
        }
    }

    /// The endpoint forgot the leg.
    pub(crate) fn released(&mut self, leg: LegKey) {
        self.dialog_over(leg);
        self.close_media(leg);
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.dialog = Dialog::Released;
        }
        self.forget_if_gone(leg);
    }

    /// The worker removed the leg: its port rests, its statistics are added up.
    pub(crate) fn media_removed(&mut self, now: Instant, leg: LegKey) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if let Some(port) = entry.port() {
            self.ports.give_back(now, port);
        }
        entry.media = Media::Closed;
        entry.recording = None;
        self.forget_if_gone(leg);
    }

    fn forget_if_gone(&mut self, leg: LegKey) {
        if self.legs.get(&leg).is_some_and(Leg::is_gone) {
            self.legs.remove(&leg);
        }
    }

    fn close_media(&mut self, leg: LegKey) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if let Media::Open(audio) = &entry.media {
            let port = audio.port;
            entry.media = Media::Closing(port);
            self.output(Output::Media { worker: port.worker, command: Command::RemoveLeg { leg } });
        }
    }

    /// Sends a command about a leg to its worker, while the leg's media is open.
    pub(crate) fn command(&mut self, leg: LegKey, command: Command) {
        let Some(worker) = self.leg(leg).and_then(Leg::audio).map(|audio| audio.port.worker) else { return };
        self.output(Output::Media { worker, command });
    }

    /// Adds up what a leg's media was.
    pub(crate) fn add_stats(&mut self, stats: &media::LegStats) {
        for (label, value) in [
            ("in", stats.packets_in),
            ("out", stats.packets_out),
            ("lost", stats.lost),
            ("late", stats.late),
            ("strangers", stats.strangers),
            ("malformed", stats.malformed),
        ] {
            self.counters.add("leg_packets", label, value);
        }
        self.counters.add("leg_digits", "in", stats.digits_in);
    }

    /// Joins two voices.
    pub(crate) fn bridge(&mut self, a: LegKey, b: LegKey) {
        self.command(a, Command::Bridge { a, b });
    }

    /// Parts the leg from its other side; it hears silence until told otherwise.
    pub(crate) fn unbridge(&mut self, leg: LegKey) {
        self.command(leg, Command::Unbridge { leg });
    }

    /// Plays prompts, one after the other.
    pub(crate) fn play(&mut self, leg: LegKey, token: u64, prompts: Vec<Arc<Prompt>>) {
        self.command(leg, Command::Play { leg, token, prompts });
    }

    /// Plays music in a loop; silence if there is no such prompt.
    pub(crate) fn music(&mut self, leg: LegKey, language: &str, name: &str) {
        match self.settings.voices.get(language, name).cloned() {
            Some(music) => self.command(leg, Command::Music { leg, music }),
            None => {
                self.count("prompts_missing", "music");
                self.command(leg, Command::Stop { leg });
            }
        }
    }
}
