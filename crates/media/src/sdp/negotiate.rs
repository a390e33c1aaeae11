//! Offer and answer (RFC 3264) for one audio stream.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::net::{IpAddr, SocketAddr};

use super::parse::{decimal, host};
use super::{
    Attribute, DTMF_48K_PAYLOAD_TYPE, Direction, Incompatible, LocalMedia, Media, Negotiated, Origin,
    Session, check_target,
};
use crate::Codec;
use crate::codec::Info;
use crate::codec::opus::{self, Parameters};
use crate::dtmf;

/// What peers without `a=ptime` send (RFC 3551 §4.2).
const PTIME_MS: u16 = 20;
/// What a peer may reasonably ask for.
const PTIME_MS_MAX: u16 = 200;

/// Our first offer in a dialog.
pub fn offer(local: &LocalMedia) -> Session {
    offer_as(local, &[])
}

/// An offer whose numbers mean what they meant in `used` (RFC 3264 §8.3.2).
fn offer_as(local: &LocalMedia, used: &[(u8, Format)]) -> Session {
    let mut formats: Vec<(u8, Format)> = Vec::new();
    let voices = local.codecs.iter().map(|&codec| (codec.info().payload_type, Format::Voice(codec)));
    let opus_clock = Codec::Opus.info().clock_hz;
    let wide = local.codecs.contains(&Codec::Opus);
    let narrow = local.codecs.iter().any(|&codec| codec != Codec::Opus);
    let events = [
        (narrow || !wide, local.dtmf_payload_type, dtmf::CLOCK_HZ),
        (wide, DTMF_48K_PAYLOAD_TYPE, opus_clock),
    ];
    let events = events.into_iter().filter(|(wanted, ..)| *wanted);
    for (number, format) in voices.chain(events.map(|(_, number, clock)| (number, Format::Dtmf(clock)))) {
        let known = used.iter().find(|(_, other)| *other == format).map(|&(number, _)| number);
        let taken = |number: u8| used.iter().chain(&formats).any(|&(other, _)| other == number);
        let free = || (96..128).rev().find(|&number| !taken(number));
        let number = known.or_else(|| (!taken(number)).then_some(number)).or_else(free);
        formats.extend(number.map(|number| (number, format)));
    }
    session(local, vec![audio(local, "RTP/AVP", &formats, local.direction, local.rtcp_mux)])
}

/// A later offer in a dialog where `last` is the last description *we* sent: it keeps the number
/// and the order of the `m=` lines (RFC 3264 §8).
pub fn reoffer(local: &LocalMedia, last: &Session) -> Session {
    let Some(place) = our_audio(last) else { return offer(local) };
    let used = last.media.get(place).map(formats).unwrap_or_default();
    let mut fresh = offer_as(local, &used);
    let Some(ours) = fresh.media.pop() else { return fresh };
    let mut ours = Some(ours);
    fresh.media = last
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| match ours.take_if(|_| index == place) {
            Some(mut audio) => {
                audio.protocol.clone_from(&media.protocol);
                audio
            }
            None => refused(media),
        })
        .collect();
    fresh
}

/// Our answer to `offer`, and what is agreed by it. The first stream that we can speak is taken, with
/// one codec (so that it cannot change without signalling); the others are refused.
pub fn answer(local: &LocalMedia, offer: &Session) -> Result<(Session, Negotiated), Incompatible> {
    let mut taken = None;
    // The reason to give when nothing fits: the most specific one met.
    let mut reason = Incompatible::NoAudio;
    for (index, media) in offer.media.iter().enumerate().filter(|(_, media)| is_audio(media)) {
        match answer_media(local, offer, media) {
            Ok(negotiated) => {
                taken = Some((index, negotiated));
                break;
            }
            Err(why) => reason = why,
        }
    }
    let (place, negotiated) = taken.ok_or(reason)?;
    let line = |(index, media): (usize, &Media)| {
        if index != place {
            return refused(media);
        }
        let voices = negotiated.accepted.iter().map(|&(number, codec)| (number, Format::Voice(codec)));
        let events = Format::Dtmf(negotiated.dtmf_clock_hz);
        let events = negotiated.dtmf_payload_type_in.map(|number| (number, events));
        let formats: Vec<_> = voices.chain(events).collect();
        audio(local, &media.protocol, &formats, negotiated.direction, negotiated.rtcp_mux)
    };
    let media = offer.media.iter().enumerate().map(line).collect();
    Ok((session(local, media), negotiated))
}

/// What `answer` agrees to of `offer`, which we made with `local`.
pub fn accept_answer(
    local: &LocalMedia,
    offer: &Session,
    answer: &Session,
) -> Result<Negotiated, Incompatible> {
    let place = our_audio(offer).ok_or(Incompatible::NoAudio)?;
    let ours = offer.media.get(place).ok_or(Incompatible::NoAudio)?;
    let media = answer.media.get(place).ok_or(Incompatible::OtherMedia)?;
    if media.kind != ours.kind || !is_rtp(media) {
        return Err(Incompatible::OtherMedia);
    }
    if media.port == 0 {
        return Err(Incompatible::Refused);
    }
    let formats = formats(media);
    let spoken = formats.iter().filter_map(|&(number, format)| match format {
        Format::Voice(codec) if local.codecs.contains(&codec) => Some((number, codec)),
        _ => None,
    });
    // We send under the answer's numbers and are sent to under the offer's (RFC 3264 §7, §6.1).
    let (payload_type, codec) = spoken.clone().next().ok_or(Incompatible::NoCommonCodec)?;
    let offered = self::formats(ours);
    let number_of = |format: Format| offered.iter().find(|(_, other)| *other == format).map(|&(n, _)| n);
    let accepted: Vec<_> =
        spoken.filter_map(|(_, codec)| Some((number_of(Format::Voice(codec))?, codec))).collect();
    let (dtmf, dtmf_clock_hz) = dtmf(&formats, codec);
    let muxed = flag(&media.attributes, "rtcp-mux") && flag(&ours.attributes, "rtcp-mux");
    let peer = Peer::read(local, answer, media, muxed)?;
    Ok(Negotiated {
        remote: peer.rtp,
        remote_rtcp: peer.rtcp,
        codec,
        payload_type,
        accepted,
        dtmf_payload_type: dtmf,
        dtmf_payload_type_in: dtmf.and_then(|_| number_of(Format::Dtmf(dtmf_clock_hz))),
        dtmf_clock_hz,
        parameters: parameters(media, payload_type),
        ptime_ms: peer.ptime_ms,
        direction: peer.direction.and(local.direction),
        rtcp_mux: muxed,
    })
}

/// What we would agree to of one offered stream.
fn answer_media(local: &LocalMedia, offer: &Session, media: &Media) -> Result<Negotiated, Incompatible> {
    let formats = formats(media);
    let offered = |codec: Codec| {
        let found = formats.iter().find(|(_, format)| *format == Format::Voice(codec));
        found.map(|&(number, _)| (number, codec))
    };
    let (payload_type, codec) =
        local.codecs.iter().find_map(|&codec| offered(codec)).ok_or(Incompatible::NoCommonCodec)?;
    let (dtmf, dtmf_clock_hz) = dtmf(&formats, codec);
    let muxed = flag(&media.attributes, "rtcp-mux");
    let peer = Peer::read(local, offer, media, muxed)?;
    Ok(Negotiated {
        remote: peer.rtp,
        remote_rtcp: peer.rtcp,
        codec,
        payload_type,
        accepted: vec![(payload_type, codec)],
        dtmf_payload_type: dtmf,
        dtmf_payload_type_in: dtmf,
        dtmf_clock_hz,
        parameters: parameters(media, payload_type),
        ptime_ms: peer.ptime_ms,
        direction: peer.direction.and(local.direction),
        rtcp_mux: muxed,
    })
}

/// What one stream says about its speaker.
struct Peer {
    rtp: SocketAddr,
    rtcp: SocketAddr,
    ptime_ms: u16,
    /// As *we* may send and receive by what he said.
    direction: Direction,
}

impl Peer {
    fn read(local: &LocalMedia, session: &Session, media: &Media, muxed: bool) -> Result<Peer, Incompatible> {
        let address = media.connection.or(session.connection).ok_or(Incompatible::NoAudio)?;
        let said = direction(&media.attributes).or_else(|| direction(&session.attributes));
        let mut ours = said.unwrap_or_default().reversed();
        let rtp = SocketAddr::new(address, media.port);
        let mut rtcp = rtp;
        if address.is_unspecified() {
            // Hold as RFC 2543 had it; RFC 3264 §8.4 still wants it understood: nothing may be sent.
            ours = ours.and(Direction::RecvOnly);
        } else {
            if address.is_ipv4() != local.address.is_ipv4() {
                return Err(Incompatible::AddressFamily);
            }
            aim(local, rtp)?;
            rtcp.set_port(rtcp_port(media, address, muxed));
            aim(local, rtcp)?;
        }
        let ptime = value(&media.attributes, "ptime").and_then(|text| decimal(text.as_bytes()));
        let ptime_ms = ptime.filter(|ms| (1..=PTIME_MS_MAX).contains(ms)).unwrap_or(PTIME_MS);
        Ok(Peer { rtp, rtcp, ptime_ms, direction: ours })
    }
}

fn aim(local: &LocalMedia, target: SocketAddr) -> Result<(), Incompatible> {
    let mine = |port| SocketAddr::new(local.address, port);
    let media_ports = [mine(local.rtp_port), mine(local.rtp_port.saturating_add(1))];
    check_target(target, local.address, &media_ports)
        .and_then(|()| check_target(target, local.address, &local.own))
        .map_err(Incompatible::Target)
}

/// `a=rtcp` (RFC 3605) if it names the same host, else the port above (RFC 3550 §11).
/// Another host is not believed: reports would go to somebody who never asked.
fn rtcp_port(media: &Media, address: IpAddr, muxed: bool) -> u16 {
    if muxed {
        return media.port;
    }
    let named = value(&media.attributes, "rtcp").and_then(|text| {
        let mut words = text.split_ascii_whitespace();
        let port = decimal::<u16>(words.next()?.as_bytes())?;
        match (words.next(), words.next(), words.next()) {
            (None, _, _) => Some(port),
            (Some("IN"), Some(family), Some(at)) => {
                (host(family.as_bytes(), at.as_bytes()) == Some(address)).then_some(port)
            }
            _ => None,
        }
    });
    named.unwrap_or_else(|| media.port.checked_add(1).unwrap_or(media.port))
}

/// What a payload type number stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Voice(Codec),
    /// Of this clock.
    Dtmf(u32),
}

/// The formats that we understand, in the peer's order.
fn formats(media: &Media) -> Vec<(u8, Format)> {
    let mut all = Vec::with_capacity(media.formats.len());
    for format in &media.formats {
        let Some(number) = decimal::<u8>(format.as_bytes()).filter(|&number| number < 128) else { continue };
        let mapped =
            media.attributes.iter().filter(|attribute| attribute.name == "rtpmap").find_map(|attribute| {
                let (of, encoding) = attribute.value.as_deref()?.split_once(' ')?;
                (decimal(of.as_bytes()) == Some(number)).then_some(encoding)
            });
        let meaning = match mapped {
            Some(encoding) => encoding_format(encoding.trim()),
            None => Codec::from_static(number).map(Format::Voice),
        };
        all.extend(meaning.map(|meaning| (number, meaning)));
    }
    all
}

/// `<name>/<clock>[/<channels>]`.
fn encoding_format(encoding: &str) -> Option<Format> {
    let mut parts = encoding.split('/');
    let (name, clock_hz) = (parts.next()?, decimal(parts.next()?.as_bytes())?);
    let channels: u8 = parts.next().map_or(Some(1), |channels| decimal(channels.as_bytes()))?;
    if name.eq_ignore_ascii_case("telephone-event") {
        let clocks = [dtmf::CLOCK_HZ, Codec::Opus.info().clock_hz];
        return (channels == 1 && clocks.contains(&clock_hz)).then_some(Format::Dtmf(clock_hz));
    }
    // Opus says 2 even for one (RFC 7587 §7); some forget it.
    let codec = Codec::from_rtpmap(name, clock_hz)?;
    (channels == 1 || channels == codec.info().channels).then_some(Format::Voice(codec))
}

/// The events that go with a codec: those of its clock (RFC 4733 §2.1), else any; and their clock.
fn dtmf(formats: &[(u8, Format)], codec: Codec) -> (Option<u8>, u32) {
    let mut events = formats.iter().filter_map(|&(number, format)| match format {
        Format::Dtmf(clock_hz) => Some((number, clock_hz)),
        Format::Voice(_) => None,
    });
    let own_hz = codec.info().clock_hz;
    let own = events.clone().find(|&(_, clock_hz)| clock_hz == own_hz);
    match own.or_else(|| events.find(|_| codec == Codec::Opus)) {
        Some((number, clock_hz)) => (Some(number), clock_hz),
        None => (None, own_hz),
    }
}

/// What the peer says about a format.
fn parameters(media: &Media, number: u8) -> Parameters {
    let of = |attribute: &Attribute| {
        let (of, text) = attribute.value.as_deref()?.split_once(' ')?;
        (decimal(of.as_bytes()) == Some(number)).then(|| Parameters::parse(text))
    };
    let mut all = media.attributes.iter().filter(|attribute| attribute.name == "fmtp");
    all.find_map(of).unwrap_or_default()
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| Direction::from_name(&attribute.name))
}

fn value<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.name == name)?.value.as_deref()
}

fn flag(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.name == name)
}

/// Plain RTP; `AVPF` only adds feedback that nobody must send.
fn is_rtp(media: &Media) -> bool {
    matches!(media.protocol.as_str(), "RTP/AVP" | "RTP/AVPF")
}

fn is_audio(media: &Media) -> bool {
    media.kind == "audio" && media.port != 0 && is_rtp(media)
}

/// The stream we use in a description of ours.
fn our_audio(ours: &Session) -> Option<usize> {
    ours.media.iter().position(is_audio)
}

/// The answer to a stream that we do not take (RFC 3264 §6).
fn refused(media: &Media) -> Media {
    Media {
        kind: media.kind.clone(),
        port: 0,
        protocol: media.protocol.clone(),
        formats: media.formats.clone(),
        connection: None,
        attributes: Vec::new(),
    }
}

fn session(local: &LocalMedia, media: Vec<Media>) -> Session {
    Session {
        origin: Origin {
            session_id: local.session_id.to_string(),
            version: local.version.to_string(),
            address: local.address,
        },
        connection: Some(local.address),
        attributes: Vec::new(),
        media,
    }
}

/// Our `m=audio` line.
fn audio(
    local: &LocalMedia,
    protocol: &str,
    numbered: &[(u8, Format)],
    direction: Direction,
    rtcp_mux: bool,
) -> Media {
    let mut formats = Vec::new();
    let mut attributes = Vec::new();
    let mut add =
        |name: &str, value: Option<String>| attributes.push(Attribute { name: name.to_owned(), value });
    for (number, format) in numbered {
        formats.push(number.to_string());
        match format {
            Format::Voice(codec) => {
                let Info { name, clock_hz, channels, .. } = codec.info();
                let channels = if *channels > 1 { format!("/{channels}") } else { String::new() };
                add("rtpmap", Some(format!("{number} {name}/{clock_hz}{channels}")));
                if *codec == Codec::Opus {
                    add("fmtp", Some(format!("{number} {}", opus::FORMAT_PARAMETERS)));
                }
            }
            Format::Dtmf(clock_hz) => {
                add("rtpmap", Some(format!("{number} telephone-event/{clock_hz}")));
                add("fmtp", Some(format!("{number} 0-15")));
            }
        }
    }
    add("ptime", Some(PTIME_MS.to_string()));
    add(direction.name(), None);
    if rtcp_mux {
        add("rtcp-mux", None);
    }
    let kind = "audio".to_owned();
    Media { kind, port: local.rtp_port, protocol: protocol.to_owned(), formats, connection: None, attributes }
}
