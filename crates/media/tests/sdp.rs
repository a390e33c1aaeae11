//! Session descriptions as they come from telephones, carriers, browsers and attackers.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Rng, Seed};
use media::Codec;
use media::sdp::{
    Direction, Incompatible, LocalMedia, Negotiated, SdpError, Session, TargetRefused, accept_answer, answer,
    check_target, offer, parse, reoffer,
};

const PHONE: &str = "v=0\r\n\
o=alice 2890844526 2890844526 IN IP4 192.0.2.10\r\n\
s=-\r\n\
c=IN IP4 192.0.2.10\r\n\
t=0 0\r\n\
m=audio 49170 RTP/AVP 0 8 9 96\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:96 telephone-event/8000\r\n\
a=fmtp:96 0-16\r\n\
a=ptime:30\r\n\
a=sendrecv\r\n";

fn local() -> LocalMedia {
    LocalMedia::new([198, 51, 100, 1].into(), 30_000, 77, vec![Codec::Pcma, Codec::Pcmu])
}

fn read(text: &str) -> Session {
    parse(text.as_bytes()).unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn agreed(text: &str) -> Negotiated {
    answer(&local(), &read(text)).unwrap().1
}

fn refused(text: &str) -> Incompatible {
    answer(&local(), &read(text)).unwrap_err()
}

fn text(session: &Session) -> String {
    String::from_utf8(session.to_bytes().to_vec()).unwrap()
}

#[test]
fn an_offer_is_answered_with_one_codec_and_its_own_numbers() {
    let (session, negotiated) = answer(&local(), &read(PHONE)).unwrap();
    let expected = Negotiated {
        remote: at("192.0.2.10:49170"),
        remote_rtcp: at("192.0.2.10:49171"),
        codec: Codec::Pcma,
        payload_type: 8,
        accepted: vec![(8, Codec::Pcma)],
        dtmf_payload_type: Some(96),
        dtmf_payload_type_in: Some(96),
        dtmf_clock_hz: 8_000,
        parameters: Default::default(),
        ptime_ms: 30,
        direction: Direction::SendRecv,
        rtcp_mux: false,
    };
    assert_eq!(negotiated, expected);
    assert_eq!(
        text(&session),
        "v=0\r\no=- 77 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
         a=fmtp:96 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn an_offer_of_ours_and_its_answers() {
    let ours = offer(&local());
    assert!(text(&ours).contains("m=audio 30000 RTP/AVP 8 0 101\r\n"), "{}", text(&ours));
    let said = |lines: &str| {
        let whole =
            format!("v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n{lines}");
        accept_answer(&local(), &ours, &read(&whole))
    };
    let both = said("m=audio 4000 RTP/AVP 0 8 97\r\na=rtpmap:97 telephone-event/8000\r\n").unwrap();
    assert_eq!((both.codec, both.payload_type), (Codec::Pcmu, 0), "the peer's first");
    assert_eq!(both.accepted, [(0, Codec::Pcmu), (8, Codec::Pcma)], "he may send either");
    assert_eq!((both.dtmf_payload_type, both.dtmf_payload_type_in), (Some(97), Some(101)));
    let plain = said("m=audio 4000 RTP/AVP 8\r\n").unwrap();
    assert_eq!((plain.dtmf_payload_type, plain.dtmf_payload_type_in, plain.ptime_ms), (None, None, 20));
    assert_eq!(said("m=audio 0 RTP/AVP 8\r\n"), Err(Incompatible::Refused));
    assert_eq!(said("m=audio 4000 RTP/AVP 18\r\n"), Err(Incompatible::NoCommonCodec));
    assert_eq!(said("m=audio 4000 RTP/AVP 9\r\n"), Err(Incompatible::NoCommonCodec), "not offered");
    assert_eq!(said(""), Err(Incompatible::OtherMedia));
    assert_eq!(said("m=video 4000 RTP/AVP 8\r\n"), Err(Incompatible::OtherMedia));
    assert_eq!(said("m=audio 4000 RTP/SAVP 8\r\n"), Err(Incompatible::OtherMedia));
}

#[test]
fn our_offer_and_our_answer_agree_with_each_other() {
    for direction in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
        for rtcp_mux in [false, true] {
            for address in ["198.51.100.1", "2001:db8::1"] {
                let a = LocalMedia { direction, rtcp_mux, address: address.parse().unwrap(), ..local() };
                let other = if a.address.is_ipv4() { "198.51.100.2" } else { "2001:db8::2" };
                let b = LocalMedia { address: other.parse().unwrap(), rtp_port: 40_000, ..local() };
                let offered = parse(&offer(&a).to_bytes()).unwrap();
                let (answered, at_b) = answer(&b, &offered).unwrap();
                let at_a = accept_answer(&a, &offered, &parse(&answered.to_bytes()).unwrap()).unwrap();
                assert_eq!((at_a.direction, at_b.direction), (direction, direction.reversed()));
                assert_eq!((at_a.rtcp_mux, at_b.rtcp_mux), (rtcp_mux, rtcp_mux));
                let step = u16::from(!rtcp_mux);
                assert_eq!(at_a.remote, SocketAddr::new(b.address, 40_000));
                assert_eq!(at_a.remote_rtcp, SocketAddr::new(b.address, 40_000 + step));
                assert_eq!(at_b.remote_rtcp, SocketAddr::new(a.address, 30_000 + step));
                assert_eq!((at_a.codec, at_a.dtmf_payload_type), (at_b.codec, at_b.dtmf_payload_type));
            }
        }
    }
}

#[test]
fn hold_is_understood_in_all_its_forms() {
    let direction = |line: &str| agreed(&PHONE.replace("a=sendrecv\r\n", line)).direction;
    assert_eq!(direction(""), Direction::SendRecv);
    assert_eq!(direction("a=sendonly\r\n"), Direction::RecvOnly);
    assert_eq!(direction("a=recvonly\r\n"), Direction::SendOnly);
    assert_eq!(direction("a=inactive\r\n"), Direction::Inactive);
    let session_level = PHONE.replace("a=sendrecv\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n");
    assert_eq!(agreed(&session_level).direction, Direction::Inactive);
    let old = PHONE.replace("c=IN IP4 192.0.2.10", "c=IN IP4 0.0.0.0");
    let (session, negotiated) = answer(&local(), &read(&old)).unwrap();
    assert_eq!((negotiated.direction, negotiated.remote.ip().is_unspecified()), (Direction::RecvOnly, true));
    assert!(text(&session).contains("a=recvonly"));
    // While the other leg holds, we say so.
    let holding = LocalMedia { direction: Direction::SendOnly, ..local() };
    let (session, negotiated) = answer(&holding, &read(PHONE)).unwrap();
    assert_eq!(negotiated.direction, Direction::SendOnly);
    assert!(text(&session).contains("a=sendonly"));
    let (_, both) = answer(&holding, &read(&PHONE.replace("sendrecv", "sendonly"))).unwrap();
    assert_eq!(both.direction, Direction::Inactive);
}

#[test]
fn streams_that_are_not_taken_are_answered_with_port_0_in_their_place() {
    let many = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nt=0 0\r\n\
        m=video 5000 RTP/AVP 99\r\nc=IN IP4 192.0.2.10\r\na=rtpmap:99 H264/90000\r\n\
        m=audio 5002 RTP/SAVP 8\r\nc=IN IP4 192.0.2.10\r\n\
        m=audio 5004 RTP/AVP 8\r\nc=IN IP4 192.0.2.11\r\n\
        m=audio 5006 RTP/AVP 8\r\nc=IN IP4 192.0.2.12\r\n\
        m=application 5008 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    let (session, negotiated) = answer(&local(), &read(many)).unwrap();
    assert_eq!(negotiated.remote, at("192.0.2.11:5004"), "its own c=");
    let lines: Vec<(&str, u16)> =
        session.media.iter().map(|media| (media.kind.as_str(), media.port)).collect();
    assert_eq!(lines, [("video", 0), ("audio", 0), ("audio", 30_000), ("audio", 0), ("application", 0)]);
    // A later offer of ours keeps them (RFC 3264 §8) and counts its version up.
    let later = reoffer(&LocalMedia { version: 2, direction: Direction::SendOnly, ..local() }, &session);
    let ports: Vec<u16> = later.media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [0, 0, 30_000, 0, 0]);
    assert_eq!((later.origin.session_id.as_str(), later.origin.version.as_str()), ("77", "2"));
    assert_eq!(parse(&later.to_bytes()), Ok(later));
}

#[test]
fn what_cannot_be_agreed_says_why() {
    assert_eq!(refused("v=0\r\nm=video 5000 RTP/AVP 99\r\n"), Incompatible::NoAudio);
    assert_eq!(refused(&PHONE.replace("49170", "0")), Incompatible::NoAudio);
    assert_eq!(refused(&PHONE.replace("RTP/AVP", "RTP/SAVP")), Incompatible::NoAudio);
    assert_eq!(refused(&PHONE.replace(" 0 8 9 96", " 18 4")), Incompatible::NoCommonCodec);
    assert_eq!(refused(&PHONE.replace("c=IN IP4 192.0.2.10\r\n", "")), Incompatible::NoAudio);
    assert_eq!(
        refused(&PHONE.replace("c=IN IP4 192.0.2.10", "c=IN IP6 2001:db8::5")),
        Incompatible::AddressFamily
    );
}

#[test]
fn numbers_mean_what_rtpmap_says() {
    let dynamic =
        PHONE.replace("0 8 9 96", "112 96").replace("a=rtpmap:8 PCMA/8000", "a=rtpmap:112 pcma/8000/1");
    let negotiated = agreed(&dynamic);
    assert_eq!((negotiated.payload_type, negotiated.codec), (112, Codec::Pcma));
    // A static number without rtpmap, and telephone-event only at another clock.
    let bare = "v=0\no=- 1 1 IN IP4 192.0.2.10\ns=-\nc=IN IP4 192.0.2.10\nt=0 0\n\
                m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/48000\n";
    assert_eq!(agreed(bare).dtmf_payload_type, None);
    // Stereo is another codec, and so is another clock.
    assert_eq!(refused(&bare.replace("101\n", "101\na=rtpmap:8 PCMA/8000/2\n")), Incompatible::NoCommonCodec);
    assert_eq!(refused(&bare.replace("101\n", "101\na=rtpmap:8 PCMA/16000\n")), Incompatible::NoCommonCodec);
}

#[test]
fn reports_go_where_they_are_expected_but_never_to_a_third_party() {
    let rtcp = |line: &str| agreed(&format!("{PHONE}{line}\r\n")).remote_rtcp;
    assert_eq!(rtcp("a=rtcp:53020"), at("192.0.2.10:53020"));
    assert_eq!(rtcp("a=rtcp:53020 IN IP4 192.0.2.10"), at("192.0.2.10:53020"));
    assert_eq!(rtcp("a=rtcp:53020 IN IP4 203.0.113.66"), at("192.0.2.10:49171"));
    assert_eq!(rtcp("a=rtcp:nonsense"), at("192.0.2.10:49171"));
    assert_eq!(rtcp("a=rtcp-mux"), at("192.0.2.10:49170"));
    assert_eq!(agreed(&PHONE.replace("49170", "65535")).remote_rtcp, at("192.0.2.10:65535"));
    assert_eq!(refused(&format!("{PHONE}a=rtcp:53\r\n")), Incompatible::Target(TargetRefused::SystemPort));
}

#[test]
fn media_is_aimed_at_nobody_who_must_not_get_it() {
    use TargetRefused::{Broadcast, Multicast, Own, SystemPort, Unspecified};
    let own = [at("198.51.100.1:5060"), at("0.0.0.0:8080"), at("[::]:5061")];
    let check = |target: &str| check_target(at(target), at("198.51.100.1:1").ip(), &own);
    for (target, why) in [
        ("224.0.0.1:4000", Multicast),
        ("239.255.255.250:1900", Multicast),
        ("[ff02::1]:4000", Multicast),
        ("[::ffff:224.0.0.1]:4000", Multicast),
        ("255.255.255.255:4000", Broadcast),
        ("0.0.0.0:4000", Unspecified),
        ("0.1.2.3:4000", Unspecified),
        ("[::]:4000", Unspecified),
        ("[::ffff:0.0.0.0]:4000", Unspecified),
        ("192.0.2.10:0", SystemPort),
        ("192.0.2.10:53", SystemPort),
        ("192.0.2.10:123", SystemPort),
        ("198.51.100.1:5060", Own),
        ("[::ffff:198.51.100.1]:5060", Own),
        ("198.51.100.1:8080", Own),
        ("127.0.0.1:8080", Own),
    ] {
        assert_eq!(check(target), Err(why), "{target}");
    }
    for target in
        ["192.0.2.10:4000", "127.0.0.1:5060", "192.0.2.10:8080", "[2001:db8::9]:5061", "10.0.0.255:4000"]
    {
        assert_eq!(check(target), Ok(()), "{target}");
    }
    let aimed =
        |address: &str| refused(&PHONE.replace("c=IN IP4 192.0.2.10", &format!("c=IN IP4 {address}")));
    assert_eq!(aimed("224.2.17.12/127"), Incompatible::Target(Multicast));
    assert_eq!(aimed("255.255.255.255"), Incompatible::Target(Broadcast));
    let guarded = LocalMedia { own: Arc::from([at("192.0.2.10:49170")]), ..local() };
    assert_eq!(answer(&guarded, &read(PHONE)).unwrap_err(), Incompatible::Target(Own));
    // Our own media port: a loop of one.
    let mirror = PHONE.replace("c=IN IP4 192.0.2.10", "c=IN IP4 198.51.100.1").replace("49170", "30000");
    assert_eq!(refused(&mirror), Incompatible::Target(Own));
}

#[test]
fn what_broke_others_is_refused_or_harmless() {
    let malformed =
        |bytes: &[u8], line| assert_eq!(parse(bytes), Err(SdpError::Malformed { line }), "{bytes:?}");
    malformed(b"", 1);
    malformed(b"\r\n\r\n", 1);
    malformed(b"o=- 1 1 IN IP4 1.2.3.4\r\n", 1);
    malformed(b"v=1\r\n", 1);
    malformed(b"v=0\r\na=x:\0y\r\n", 2);
    malformed(b"v=0\r\nnonsense\r\n", 2);
    malformed(b"v=0\r\nm=audio 65536 RTP/AVP 8\r\n", 2);
    malformed(b"v=0\r\nm=audio -1 RTP/AVP 8\r\n", 2);
    malformed(b"v=0\r\nm=audio 99999999999999999999 RTP/AVP 8\r\n", 2);
    malformed(b"v=0\r\nm=audio 4000 RTP/AVP\r\n", 2);
    malformed(b"v=0\r\nm=audio 4000 RTP/AVP \xFF\r\n", 2);
    malformed(b"v=0\r\nc=IN IP4\r\n", 2);
    malformed(b"v=0\r\no=- x\r\n", 2);
    assert_eq!(parse(b"v=0\r\nc=IN IP4 host.example\r\n"), Err(SdpError::Unsupported { line: 2 }));
    assert_eq!(parse(b"v=0\r\nc=ATM NSAP 1.2\r\n"), Err(SdpError::Unsupported { line: 2 }));
    // 2^32 + 8, 65535, nothing at all: no number of ours.
    for odd in ["4294967304", "65535", "128", "+8", "8x"] {
        let session = PHONE.replace("0 8 9 96", odd).replace("a=rtpmap:8", &format!("a=rtpmap:{odd}"));
        assert_eq!(refused(&session), Incompatible::NoCommonCodec, "{odd}");
    }
    for line in [
        "a=",
        "a=:",
        "a=rtpmap:",
        "a=rtpmap:8",
        "a=rtpmap:8 ",
        "a=rtpmap:8 /",
        "a=fmtp:",
        "a=ptime:-1",
        "a=\u{1}",
    ] {
        assert!(answer(&local(), &read(&format!("{PHONE}{line}\r\n"))).is_ok(), "{line}");
    }
    assert_eq!(agreed(&PHONE.replace("ptime:30", "ptime:99999")).ptime_ms, 20);
}

#[test]
fn limits_are_held() {
    let of = |count: usize, line: &str| format!("v=0\r\n{}", line.repeat(count));
    for (count, line) in [(32, "m=audio 1 RTP/AVP 8\r\n"), (256, "a=crypto:1\r\n")] {
        assert!(parse(of(count, line).as_bytes()).is_ok());
        assert_eq!(parse(of(count + 1, line).as_bytes()), Err(SdpError::TooLarge));
    }
    let formats = |count| format!("v=0\r\nm=audio 1 RTP/AVP{}\r\n", " 8".repeat(count));
    assert!(parse(formats(64).as_bytes()).is_ok());
    assert_eq!(parse(formats(65).as_bytes()), Err(SdpError::TooLarge));
    assert_eq!(parse(&vec![b'v'; 65_537]), Err(SdpError::TooLarge));
}

#[test]
fn what_is_kept_is_printed_as_it_was_read() {
    let browser = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8\r\nc=IN IP6 ::1\r\na=ice-ufrag:x\r\na=rtcp-mux\r\na=mid:0\r\n";
    let session = read(browser);
    assert_eq!(text(&session), browser);
    // Line ends of all kinds read the same.
    for end in ["\n", "\r"] {
        assert_eq!(parse(browser.replace("\r\n", end).as_bytes()), Ok(session.clone()));
    }
}

#[test]
fn any_bytes_are_parsed_printed_and_answered_without_harm() {
    let mut rng = Rng::new(Seed([2, 1]));
    let seeds = [PHONE.as_bytes().to_vec(), offer(&local()).to_bytes().to_vec()];
    let words: [&[u8]; 12] = [
        b"\r\n",
        b"m=audio 1 RTP/AVP 8\r\n",
        b"c=IN IP4 1.2.3.4\r\n",
        b"a=rtpmap:8 PCMA/8000",
        b"4294967295",
        b"0",
        b"\0",
        b"\xFF\xFE",
        b"=",
        b":",
        b" ",
        b"a=inactive\r\n",
    ];
    let mut answered = 0;
    for _ in 0..120_000 {
        let mut bytes = seeds[rng.below(2) as usize].clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(4) {
                0 => bytes[at] = rng.next_u32() as u8,
                1 => bytes.truncate(at + 1),
                2 => drop(bytes.splice(at..at, words[rng.below(12) as usize].iter().copied())),
                _ => drop(bytes.drain(at..bytes.len().min(at + rng.below(20) as usize + 1))),
            }
            if bytes.is_empty() {
                bytes.push(b'v');
            }
        }
        if let Ok(session) = parse(&bytes) {
            let printed = session.to_bytes();
            assert_eq!(parse(&printed), Ok(session.clone()), "{printed:?}");
            answered += u32::from(answer(&local(), &session).is_ok());
            let _ = accept_answer(&local(), &offer(&local()), &session);
            let _ = reoffer(&local(), &session);
        }
    }
    assert!(answered > 10_000, "{answered}: the mutations are too wild to test anything");
}

/// As browsers and softphones write it.
const OPUS_OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 96 111 8 110 126\r\na=rtpmap:96 opus/48000/2\r\n\
    a=fmtp:96 minptime=10; useinbandfec=1; maxaveragebitrate=20000\r\na=rtpmap:111 speex/16000\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

#[test]
fn opus_is_offered_with_its_clock_its_channels_and_what_we_like_to_hear() {
    let mut local = local();
    local.codecs = vec![Codec::Pcma, Codec::Opus];
    let said = text(&offer(&local));
    for line in [
        "m=audio 30000 RTP/AVP 8 111 101 110\r\n",
        "a=rtpmap:111 opus/48000/2\r\n",
        "a=fmtp:111 minptime=10;useinbandfec=1;stereo=0;maxplaybackrate=16000;sprop-maxcapturerate=16000\r\n",
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
        "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    local.codecs = vec![Codec::Opus];
    let said = text(&offer(&local));
    assert!(said.contains("m=audio 30000 RTP/AVP 111 110\r\n"), "one clock, one kind of event:\n{said}");
}

#[test]
fn opus_is_answered_with_the_peers_numbers_and_the_events_of_its_clock() {
    let mut local = local();
    let offered = read(OPUS_OFFER);
    local.codecs = vec![Codec::Pcma, Codec::Opus];
    let (_, plain) = answer(&local, &offered).unwrap();
    assert_eq!((plain.codec, plain.dtmf_payload_type, plain.dtmf_clock_hz), (Codec::Pcma, Some(126), 8_000));
    local.codecs = vec![Codec::Opus];
    let (session, agreed) = answer(&local, &offered).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Opus, 96));
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_clock_hz), (Some(110), 48_000));
    assert_eq!((agreed.parameters.fec, agreed.parameters.max_bitrate), (true, 20_000));
    let said = text(&session);
    assert!(said.contains("RTP/AVP 96 110\r\n") && said.contains("a=rtpmap:96 opus/48000/2\r\n"), "{said}");
    // Our next offer in this dialog gives no number a new meaning (RFC 3264 §8.3.2).
    local.codecs = vec![Codec::Opus, Codec::Pcma];
    let said = text(&reoffer(&local, &session));
    assert!(said.contains("RTP/AVP 96 8 101 110\r\n"), "{said}");
    // Without events of its clock the others are taken.
    let others = OPUS_OFFER.replace("a=rtpmap:110 telephone-event/48000\r\n", "");
    local.codecs = vec![Codec::Opus];
    let (_, agreed) = answer(&local, &read(&others)).unwrap();
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_clock_hz), (Some(126), 8_000));
}

#[test]
fn opus_of_another_clock_is_none_and_a_forgotten_channel_is_forgiven() {
    let mut local = local();
    local.codecs = vec![Codec::Opus];
    for (written, is_opus) in
        [("opus/48000/2", true), ("OPUS/48000", true), ("opus/16000/2", false), ("opus/48000/6", false)]
    {
        let changed = OPUS_OFFER.replace("opus/48000/2", written);
        assert_eq!(answer(&local, &read(&changed)).is_ok(), is_opus, "{written}");
    }
}

#[test]
fn an_answer_to_our_offer_of_opus_is_sent_under_its_numbers_and_heard_under_ours() {
    let mut local = local();
    local.codecs = vec![Codec::Pcma, Codec::Opus];
    let ours = offer(&local);
    let theirs = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 98 99\r\na=rtpmap:98 opus/48000/2\r\na=rtpmap:99 telephone-event/48000\r\n";
    let agreed = accept_answer(&local, &ours, &read(theirs)).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Opus, 98));
    assert_eq!(agreed.accepted, [(111, Codec::Opus)]);
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_payload_type_in), (Some(99), Some(110)));
}
