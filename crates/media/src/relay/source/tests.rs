use super::*;

const SDP: &str = "192.0.2.10:4000";
const NAT: &str = "198.51.100.7:31000";
const STRANGER: &str = "203.0.113.66:5555";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn armed(learn_from: &[&str]) -> Source {
    let hosts: Vec<IpAddr> = learn_from.iter().map(|text| text.parse().unwrap()).collect();
    Source::new(None, at(SDP), at("192.0.2.10:4001"), false, &hosts)
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// What the relay asks, in its order.
fn packet(source: &mut Source, millis: u64, from: &str, ssrc: u32) -> Admission {
    let from = at(from);
    if source.may_be(from) { source.admit(ms(millis), from, ssrc) } else { Admission::Stranger }
}

#[test]
fn the_negotiated_address_is_believed_and_locked() {
    let mut source = armed(&["192.0.2.10"]);
    assert_eq!(source.send_to(), Some(at(SDP)));
    assert_eq!(packet(&mut source, 0, STRANGER, 1), Admission::Stranger, "who speaks first");
    assert_eq!(source.send_to(), Some(at(SDP)), "nothing leaks to him");
    assert_eq!(packet(&mut source, 1, SDP, 7), Admission::PeerLocked);
    assert_eq!(packet(&mut source, 2, SDP, 7), Admission::Peer);
    assert_eq!(packet(&mut source, 3, STRANGER, 7), Admission::Stranger, "with the right SSRC");
    assert_eq!(packet(&mut source, 4, "192.0.2.10:4002", 7), Admission::Stranger, "with the right host");
}

#[test]
fn behind_a_nat_the_host_that_signalled_is_learned_once() {
    let mut source = armed(&["192.0.2.10", "198.51.100.7"]);
    assert_eq!(packet(&mut source, 0, STRANGER, 1), Admission::Stranger);
    assert_eq!(packet(&mut source, 1, NAT, 7), Admission::PeerLocked);
    assert_eq!(source.send_to(), Some(at(NAT)));
    assert_eq!(packet(&mut source, 2, "198.51.100.7:31001", 8), Admission::Stranger, "once");
    assert_eq!(packet(&mut source, 3, SDP, 7), Admission::Stranger, "not back either");
    // New signalling with the same address: he stays where he was heard, and may have moved.
    let mut again =
        Source::new(Some(&source), at(SDP), at("192.0.2.10:4001"), false, &["198.51.100.7".parse().unwrap()]);
    assert_eq!(again.send_to(), Some(at(NAT)));
    assert_eq!(packet(&mut again, 9, "198.51.100.7:40000", 9), Admission::PeerLocked);
    assert_eq!(again.send_to(), Some(at("198.51.100.7:40000")));
}

#[test]
fn another_port_of_the_same_host_waits_for_the_right_one() {
    let other = "192.0.2.10:9999";
    let mut source = armed(&["192.0.2.10"]);
    assert_eq!(packet(&mut source, 0, other, 1), Admission::Stranger);
    assert_eq!(packet(&mut source, 499, other, 1), Admission::Stranger);
    assert_eq!(packet(&mut source, 499, SDP, 7), Admission::PeerLocked, "the negotiated port wins");
    assert_eq!(packet(&mut source, 900, other, 1), Admission::Stranger);

    let mut source = armed(&["192.0.2.10"]);
    packet(&mut source, 0, other, 1);
    assert_eq!(packet(&mut source, 500, other, 1), Admission::PeerLocked, "nobody else spoke");

    let mut source = armed(&["192.0.2.10"]);
    for millis in 0..5_000 {
        let from = if millis % 2 == 0 { other } else { "192.0.2.10:8888" };
        assert_eq!(packet(&mut source, millis, from, 1), Admission::Stranger, "two are no proof");
    }
    assert_eq!(source.send_to(), Some(at(SDP)));

    let mut source = armed(&[]);
    packet(&mut source, 0, other, 1);
    assert_eq!(packet(&mut source, 5_000, other, 1), Admission::Stranger, "learning is off");
}

#[test]
fn the_ssrc_is_locked_while_it_speaks() {
    let mut source = armed(&[]);
    packet(&mut source, 0, SDP, 7);
    packet(&mut source, 20, SDP, 7);
    assert_eq!(packet(&mut source, 30, SDP, 8), Admission::WrongSsrc);
    assert_eq!(packet(&mut source, 119, SDP, 8), Admission::WrongSsrc);
    assert_eq!(packet(&mut source, 120, SDP, 8), Admission::PeerRenamed, "the old one fell silent");
    assert_eq!(packet(&mut source, 121, SDP, 7), Admission::WrongSsrc);
}

#[test]
fn reports_follow_the_same_rules() {
    let mut source = armed(&["198.51.100.7"]);
    assert_eq!(source.send_rtcp_to(), Some(at("192.0.2.10:4001")));
    assert_eq!(source.admit_rtcp(at("192.0.2.10:4001"), 7), Admission::Peer);
    assert_eq!(source.admit_rtcp(at("198.51.100.7:31001"), 7), Admission::Stranger, "before his voice");
    packet(&mut source, 0, NAT, 7);
    assert_eq!(source.send_rtcp_to(), None, "nowhere known behind the NAT");
    assert_eq!(source.admit_rtcp(at("198.51.100.7:31001"), 8), Admission::Stranger);
    assert_eq!(source.admit_rtcp(at("198.51.100.7:31001"), 7), Admission::Peer);
    assert_eq!(source.admit_rtcp(at("198.51.100.7:31002"), 7), Admission::Stranger, "once");
    assert_eq!(source.send_rtcp_to(), Some(at("198.51.100.7:31001")));
    assert_eq!(source.admit_rtcp(at("192.0.2.10:4001"), 8), Admission::WrongSsrc);

    let mut muxed = Source::new(None, at(SDP), at(SDP), true, &[]);
    assert_eq!(muxed.send_rtcp_to(), Some(at(SDP)));
    assert_eq!(muxed.admit_rtcp(at(SDP), 7), Admission::Peer);
    assert_eq!(muxed.admit_rtcp(at("192.0.2.10:4001"), 7), Admission::Stranger);
}

#[test]
fn an_old_style_hold_is_sent_nothing() {
    let hold = Source::new(None, at("0.0.0.0:4000"), at("0.0.0.0:4001"), false, &[]);
    assert_eq!((hold.send_to(), hold.send_rtcp_to()), (None, None));
}

#[test]
fn a_moved_peer_starts_afresh() {
    let mut source = armed(&["198.51.100.7"]);
    packet(&mut source, 0, NAT, 7);
    let moved = Source::new(Some(&source), at("192.0.2.99:6000"), at("192.0.2.99:6001"), false, &[]);
    assert_eq!(moved.send_to(), Some(at("192.0.2.99:6000")));
    assert!(!moved.may_be(at(NAT)));
}
