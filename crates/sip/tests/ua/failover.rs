//! The next target, name servers, transport errors, OPTIONS to trunks, credentials of trunks.

use base::{Duration, Pii};
use sip::{Credentials, Flow, Gateway, Input, OutTarget, OutgoingInvite, Protocol, Target};

use crate::world::{A, B, TRUNK, World, address, config, header};

/// A's trunk is a name.
fn named() -> World {
    let mut a = config(1, 2);
    a.trunks[0].gateway = Some(Gateway { host: "carrier.example".to_owned(), port: None, protocol: None });
    World::with(a, config(2, 1))
}

fn target(last: u8) -> Target {
    Target { protocol: Protocol::Udp, remote: address(last) }
}

#[test]
fn the_second_target_takes_the_call_when_the_first_is_silent() {
    let mut world = named();
    world.call();
    let (_, query, host) = world.resolves.pop().unwrap();
    assert_eq!(host, "carrier.example");
    world.resolve(A, query, vec![target(77), target(2)]);
    world.secs(33);
    let b = world.invited(B);
    world.accept(B, b);
    world.ms(100);
    assert_eq!(world.names(A), ["Answered"]);
    assert_eq!(world.nodes[A].endpoint.counters().failovers, 1);
}

#[test]
fn a_transport_error_tries_the_next_target_at_once() {
    let mut world = named();
    world.call();
    let query = world.resolves.pop().unwrap().1;
    world.resolve(A, query, vec![target(77), target(2)]);
    let flow = Flow { protocol: Protocol::Udp, local: address(1), remote: address(77), connection: 0 };
    world.with_endpoint(A, |endpoint, now| endpoint.handle(now, Input::SendFailed { flow }));
    world.ms(50);
    let _ = world.invited(B);
}

#[test]
fn a_503_tries_the_next_target() {
    let mut world = named();
    world.call();
    let query = world.resolves.pop().unwrap().1;
    world.resolve(A, query, vec![target(77), target(2)]);
    let invite = world.received().pop().unwrap();
    let answer = format!(
        "SIP/2.0 503 Busy\nVia: {}\nFrom: {}\nTo: {};tag=x\nCall-ID: {}\nCSeq: {}\nContent-Length: 0\n\n",
        header(&invite, "Via"),
        header(&invite, "From"),
        header(&invite, "To"),
        header(&invite, "Call-ID"),
        header(&invite, "CSeq")
    );
    world.inject(address(77), A, &answer);
    world.ms(50);
    let _ = world.invited(B);
    assert!(world.names(A).is_empty());
}

#[test]
fn a_name_without_address_and_a_silent_resolver_both_fail() {
    let mut world = named();
    world.call();
    let query = world.resolves.pop().unwrap().1;
    world.resolve(A, query, Vec::new());
    assert_eq!(world.names(A), ["Failed 503", "Released"]);
    world.call();
    world.secs(33);
    assert_eq!(world.names(A), ["Failed 503", "Released"]);
    world.drained();
}

#[test]
fn a_stream_that_ends_takes_its_invites_with_it() {
    let mut world = World::new();
    let flow = Flow {
        protocol: Protocol::Tcp,
        local: address(1),
        remote: "10.0.0.2:39000".parse().unwrap(),
        connection: 5,
    };
    let invite = crate::refusals::invite("").replace("/UDP", "/TCP");
    world.inject_on(flow, A, &invite);
    assert_eq!(world.names(A), ["Invited"]);
    world.with_endpoint(A, |endpoint, now| endpoint.handle(now, Input::Closed { flow }));
    assert_eq!(world.names(A), ["Cancelled", "Released"]);
    world.drained();
}

#[test]
fn over_tcp_nothing_is_repeated() {
    let mut a = config(1, 2);
    a.trunks[0].gateway =
        Some(Gateway { host: "10.0.0.2".to_owned(), port: Some(5060), protocol: Some(Protocol::Tcp) });
    let mut world = World::with(a, config(2, 1));
    let leg = world.call();
    world.ms(50);
    let b = world.invited(B);
    world.accept(B, b);
    world.ms(50);
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, leg, None));
    world.ms(100);
    assert_eq!(world.names(A), ["Answered", "Released"]);
    assert_eq!(world.names(B), ["Acked", "Ended Peer", "Released"]);
    world.drained();
    assert_eq!(world.nodes[A].endpoint.counters().retransmits_out, 0);
}

#[test]
fn trunks_are_asked_whether_they_serve() {
    let mut a = config(1, 2);
    a.trunks[0].options_interval = Some(Duration::from_secs(30));
    let mut world = World::with(a, config(2, 1));
    world.secs(1);
    assert_eq!(world.names(A), ["OptionsAnswered true"]);
    world.with_endpoint(B, |endpoint, _| endpoint.set_draining(true));
    world.secs(30);
    assert_eq!(world.names(A), ["OptionsAnswered false"]);
    world.link.loss = 100;
    world.secs(65);
    assert!(world.names(A).contains(&"OptionsAnswered false".to_owned()));
}

/// A's trunk wants credentials; the hand is the trunk.
fn challenged(realm: &str, times: usize) -> (World, Vec<String>) {
    let mut a = config(1, 2);
    a.trunks[0].credentials = Some(Credentials {
        realm: "carrier".to_owned(),
        username: "us".to_owned(),
        password: Pii::new("secret".to_owned()),
    });
    let mut world = World::with(a, config(2, 1));
    world.nodes.pop();
    let target = OutTarget::Trunk(TRUNK, Pii::new("1".to_owned()));
    world
        .with_endpoint(A, |endpoint, now| endpoint.invite(now, OutgoingInvite::new(target, "2", None)))
        .unwrap();
    let mut invites = Vec::new();
    for n in 0..times {
        let Some(invite) = world.received().into_iter().rfind(|text| text.starts_with("INVITE")) else {
            break;
        };
        let answer = format!(
            "SIP/2.0 407 No\nVia: {}\nFrom: {}\nTo: {};tag=x{n}\nCall-ID: {}\nCSeq: {}\n\
             Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"n{n}\", qop=\"auth\", algorithm=MD5\nContent-Length: 0\n\n",
            header(&invite, "Via"),
            header(&invite, "From"),
            header(&invite, "To"),
            header(&invite, "Call-ID"),
            header(&invite, "CSeq")
        );
        invites.push(invite);
        world.inject(address(2), A, &answer);
    }
    (world, invites)
}

#[test]
fn a_challenge_of_the_trunks_realm_is_answered_but_not_for_ever() {
    let (mut world, invites) = challenged("carrier", 6);
    assert_eq!(invites.len(), 3, "the first and two with credentials");
    assert!(header(&invites[0], "Proxy-Authorization").is_empty());
    assert!(header(&invites[1], "Proxy-Authorization").contains("nonce=\"n0\""));
    assert_eq!(world.names(A), ["Failed 407", "Released"]);
    world.drained();
}

#[test]
fn another_realm_gets_nothing() {
    let (mut world, invites) = challenged("attacker", 3);
    assert_eq!(invites.len(), 1);
    assert_eq!(world.names(A), ["Failed 407", "Released"]);
    assert_eq!(world.nodes[A].endpoint.counters().dropped.challenges_refused, 1);
}

/// A hash of the trunk's secret for a request that we began may go to the trunk; who calls us cannot
/// make us say it by challenging our BYE.
#[test]
fn a_challenged_bye_leaks_no_digest() {
    let credentials = || {
        Some(Credentials {
            realm: "carrier".to_owned(),
            username: "us".to_owned(),
            password: Pii::new("secret".to_owned()),
        })
    };
    let mut a = config(1, 2);
    a.trunks[0].credentials = credentials();
    let mut world = World::with(a, config(2, 1));
    world.nodes.pop();
    let (leg, _) = crate::refusals::up(&mut world);
    world.received();
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, leg, None));
    let bye = world.received().pop().unwrap();
    assert!(bye.starts_with("BYE"), "{bye}");
    let lines = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n\", qop=\"auth\", algorithm=MD5\n";
    let challenge = crate::forks::response(&bye, "407 Proxy Authentication Required", "x", lines);
    world.inject(address(2), A, &challenge.replace(";tag=x", ""));
    let sent = world.received();
    assert!(sent.iter().all(|text| !text.contains("Authorization")), "{sent:?}");
    assert_eq!(world.nodes[A].endpoint.counters().dropped.challenges_refused, 1);
    world.drained();
}
