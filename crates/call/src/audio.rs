//! A leg's audio: its port, what it may speak, and what offer and answer agreed on (RFC 3264).

use core::net::IpAddr;

use base::{Duration, Instant, LegKey};
use bytes::Bytes;
use media::sdp::{self, Incompatible, LocalMedia, Negotiated, SdpError, Session};
use media::{Codec, Command};

use crate::core::Core;
use crate::leg::{Leg, Media};
use crate::message::Output;
use crate::ports::Port;

/// Why a peer's description cannot be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `Malformed`: 400.
    Malformed(SdpError),
    /// `Unsupported`: 488.
    Incompatible(Incompatible),
    /// `ApiMisuse`: the leg has no open media, or no offer of ours waits for an answer.
    NoMedia,
}

impl Fault {
    /// The status that tells the peer.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Fault::Malformed(_) => 400,
            Fault::Incompatible(_) => 488,
            Fault::NoMedia => 500,
        }
    }
}

/// No port is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPort;

/// The audio of one leg.
#[derive(Clone, Debug)]
pub(crate) struct Audio {
    pub(crate) port: Port,
    bind: IpAddr,
    local: LocalMedia,
    /// The last description we sent, as it was sent: it is seldom looked at again, and the dialog has these bytes anyway.
    sent: Option<Bytes>,
    /// Whether that was an offer which waits for its answer.
    offering: bool,
    /// What is agreed.
    pub(crate) agreed: Option<Negotiated>,
}

impl Audio {
    /// Narrows what the leg may speak, best first.
    pub(crate) fn speak(&mut self, codecs: Vec<Codec>) {
        self.local.codecs = codecs;
    }

    /// The peer may be heard and spoken to.
    pub(crate) fn flows_both_ways(&self) -> bool {
        let direction = self.agreed.as_ref().map(|agreed| agreed.direction);
        direction.is_some_and(|direction| direction.sends() && direction.receives())
    }

    /// Answers the peer's offer.
    fn answer(&mut self, offer: &[u8]) -> Result<Bytes, Fault> {
        let offer = sdp::parse(offer).map_err(Fault::Malformed)?;
        let (mut session, mut agreed) = sdp::answer(&self.local, &offer).map_err(Fault::Incompatible)?;
        let mut bytes = session.to_bytes();
        if self.sent.as_ref().is_some_and(|sent| *sent != bytes) {
            // A changed description has a higher version (RFC 3264 §8).
            self.local.version = self.local.version.saturating_add(1);
            (session, agreed) = sdp::answer(&self.local, &offer).map_err(Fault::Incompatible)?;
            bytes = session.to_bytes();
        }
        self.sent = Some(bytes.clone());
        self.offering = false;
        self.agreed = Some(agreed);
        Ok(bytes)
    }

    /// Makes an offer of ours.
    pub(crate) fn offer(&mut self) -> Bytes {
        let session = match &self.sent {
            None => sdp::offer(&self.local),
            Some(last) => {
                self.local.version = self.local.version.saturating_add(1);
                match sdp::parse(last) {
                    Ok(last) => sdp::reoffer(&self.local, &last),
                    // Not what we print.
                    Err(_) => sdp::offer(&self.local),
                }
            }
        };
        let bytes = session.to_bytes();
        self.sent = Some(bytes.clone());
        self.offering = true;
        bytes
    }

    /// Takes the answer to our offer.
    fn accept(&mut self, answer: &[u8]) -> Result<(), Fault> {
        // A fault in what we sent is none of the peer's.
        let offer = self.sent.as_deref().and_then(|sent| sdp::parse(sent).ok()).ok_or(Fault::NoMedia)?;
        let answer = sdp::parse(answer).map_err(Fault::Malformed)?;
        self.agreed = Some(sdp::accept_answer(&self.local, &offer, &answer).map_err(Fault::Incompatible)?);
        self.offering = false;
        Ok(())
    }
}

/// What the other side of a call may speak when this side speaks `codecs`, best first: the same; the other
/// G.711 law, which the relay turns into this one by a table; then all else that is `ours`, which it must
/// decode and encode.
pub(crate) fn with_others(codecs: &[Codec], ours: &[Codec]) -> Vec<Codec> {
    let mut all = codecs.to_vec();
    let is_twin = |other: &Codec| codecs.iter().any(|codec| codec.is_twin(*other));
    let twins = media::codec::TABLE.iter().map(|info| info.codec).filter(is_twin);
    for other in twins.chain(ours.iter().copied()) {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// Which of `codecs` an offer has, in our order. A broken offer has none.
pub(crate) fn offered(codecs: &[Codec], offer: &[u8]) -> Vec<Codec> {
    let Ok(offer) = sdp::parse(offer) else { return Vec::new() };
    let mut local = LocalMedia::new(IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 40_000, 1, Vec::new());
    if has_ipv6(&offer) {
        local.address = IpAddr::V6(core::net::Ipv6Addr::LOCALHOST);
    }
    let has = |codec: &&Codec| {
        local.codecs = vec![**codec];
        sdp::answer(&local, &offer).is_ok()
    };
    codecs.iter().filter(has).copied().collect()
}

fn has_ipv6(session: &Session) -> bool {
    let own = session.media.iter().find_map(|media| media.connection);
    own.or(session.connection).is_some_and(|address| address.is_ipv6())
}

impl Core {
    /// A port of `worker` for a leg to be, which may speak `codecs`. `peer` decides the address family.
    pub(crate) fn prepare_audio(
        &mut self,
        now: Instant,
        worker: usize,
        peer: Option<IpAddr>,
        codecs: Vec<Codec>,
    ) -> Result<Audio, NoPort> {
        let addresses = &self.settings.media.addresses;
        let same =
            |address: &&IpAddr| peer.is_none_or(|peer| peer.to_canonical().is_ipv4() == address.is_ipv4());
        let bind = *addresses.iter().find(same).or(addresses.first()).ok_or(NoPort)?;
        let port = self.ports.take(now, worker).ok_or(NoPort)?;
        let address = self.settings.media.advertised.get(&bind).copied().unwrap_or(bind);
        let session_id = self.rng.next_u64() >> 2;
        let mut local = LocalMedia::new(address, port.rtp, session_id, codecs);
        local.own = self.own.clone();
        Ok(Audio { port, bind, local, sent: None, offering: false, agreed: None })
    }

    /// Gives the leg its audio.
    pub(crate) fn open_audio(&mut self, now: Instant, leg: LegKey, audio: Audio) {
        let (port, local) = (audio.port, audio.bind);
        let Some(entry) = self.legs.get_mut(&leg) else {
            self.ports.give_back(now, port);
            return;
        };
        entry.media = Media::Open(Box::new(audio));
        let command = Command::AddLeg { leg, port: port.rtp, local };
        self.output(Output::Media { worker: port.worker, command });
    }

    /// The worker could not bind the leg's port: the leg is without media now. Another port is tried
    /// once, and only where `untold` is so: where nobody was told the number of this one.
    pub(crate) fn reopen_audio(&mut self, now: Instant, leg: LegKey, untold: bool) -> Result<(), NoPort> {
        let entry = self.legs.get_mut(&leg).ok_or(NoPort)?;
        let source = entry.source;
        let Media::Open(audio) = core::mem::replace(&mut entry.media, Media::Closed) else {
            return Err(NoPort);
        };
        let retried = core::mem::replace(&mut entry.port_retried, true);
        self.ports.give_back(now, audio.port);
        self.count("ports_unusable", "");
        if retried || !untold {
            return Err(NoPort);
        }
        let audio = self.prepare_audio(now, audio.port.worker, source, audio.local.codecs)?;
        self.open_audio(now, leg, audio);
        Ok(())
    }

    fn audio(&mut self, leg: LegKey) -> Result<&mut Audio, Fault> {
        self.legs.get_mut(&leg).and_then(Leg::audio_mut).ok_or(Fault::NoMedia)
    }

    /// Lets the leg speak only these codecs from its next description on.
    pub(crate) fn speak(&mut self, leg: LegKey, codecs: Vec<Codec>) {
        if let Ok(audio) = self.audio(leg) {
            audio.speak(codecs);
        }
    }

    /// Answers an offer and aims the media accordingly.
    pub(crate) fn answer_offer(&mut self, leg: LegKey, offer: &[u8]) -> Result<Bytes, Fault> {
        let answer = self.audio(leg)?.answer(offer)?;
        self.aim(leg);
        Ok(answer)
    }

    /// Our offer on this leg.
    pub(crate) fn make_offer(&mut self, leg: LegKey) -> Result<Bytes, Fault> {
        Ok(self.audio(leg)?.offer())
    }

    /// Takes the answer to our offer and aims the media accordingly.
    pub(crate) fn accept_answer(&mut self, leg: LegKey, answer: &[u8]) -> Result<(), Fault> {
        self.audio(leg)?.accept(answer)?;
        self.aim(leg);
        Ok(())
    }

    /// The codec agreed on this leg.
    pub(crate) fn codec(&self, leg: LegKey) -> Option<Codec> {
        Some(self.leg(leg)?.audio()?.agreed.as_ref()?.codec)
    }

    /// Whether an offer of ours on this leg waits for its answer.
    pub(crate) fn is_offering(&self, leg: LegKey) -> bool {
        self.leg(leg).and_then(Leg::audio).is_some_and(|audio| audio.offering)
    }

    /// Whether the peer of this leg has put us on hold.
    pub(crate) fn is_holding(&self, leg: LegKey) -> bool {
        let audio = self.leg(leg).and_then(Leg::audio);
        audio.and_then(|audio| audio.agreed.as_ref()).is_some_and(|agreed| !agreed.direction.sends())
    }

    /// Tells the worker where the peer is. Learning is allowed from the hosts that signalled, no other.
    /// Silence ends a leg only while both sides are meant to speak.
    fn aim(&mut self, leg: LegKey) {
        let rtp_timeout = self.settings.media.rtp_timeout;
        let Some(entry) = self.leg(leg) else { return };
        let Some(audio) = entry.audio() else { return };
        let Some(negotiated) = audio.agreed.clone() else { return };
        let timeout = (audio.flows_both_ways() && rtp_timeout > Duration::ZERO).then_some(rtp_timeout);
        let mut learn_from = vec![negotiated.remote.ip()];
        learn_from.extend(entry.source.filter(|source| *source != negotiated.remote.ip()));
        self.command(leg, Command::SetRemote { leg, negotiated, learn_from, timeout });
    }
}
