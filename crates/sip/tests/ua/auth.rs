//! Registration and digest.

use std::fmt::Write as _;

use base::{AgentKey, Duration, Pii};
use bytes::Bytes;
use md5::Digest as _;
use sip::{ApiError, Event, OutTarget, OutgoingInvite, UserConfig};

use crate::world::{A, OFFER, World, address, config, header, status_of};

const PHONE: u8 = 50;

fn with_users() -> World {
    let mut a = config(1, 2);
    a.users = (1..=2)
        .map(|n| UserConfig {
            agent: AgentKey(n),
            username: format!("800{n}"),
            password: Pii::new(format!("secret{n}")),
        })
        .collect();
    let mut world = World::with(a, config(2, 1));
    world.nodes.pop();
    world
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn hash(algorithm: &str, text: &str) -> String {
    if algorithm == "MD5" { hex(&md5::Md5::digest(text)) } else { hex(&sha2::Sha256::digest(text)) }
}

/// A phone that registers: what changes from one test to the next.
#[derive(Clone)]
struct Phone {
    user: &'static str,
    password: &'static str,
    algorithm: &'static str,
    cseq: u32,
    nc: u32,
    nonce: String,
    call_id: &'static str,
    contact: String,
    extra: String,
    method: &'static str,
}

impl Phone {
    fn new() -> Self {
        Phone {
            user: "8001",
            password: "secret1",
            algorithm: "SHA-256",
            cseq: 1,
            nc: 0,
            nonce: String::new(),
            call_id: "reg1",
            contact: "Contact: <sip:8001@192.168.1.9:5060>\n".to_owned(),
            extra: "Expires: 600\n".to_owned(),
            method: "REGISTER",
        }
    }

    fn text(&self) -> String {
        let uri = if self.method == "REGISTER" { "sip:hotline.example" } else { "sip:10000@hotline.example" };
        let to = if self.method == "REGISTER" { self.user } else { "10000" };
        let mut text = format!(
            "{} {uri} SIP/2.0\nVia: SIP/2.0/UDP 192.168.1.9:5060;branch=z9hG4bKr{}x{}{};rport\nFrom: <sip:{}@hotline.example>;tag=t\n\
             To: <sip:{to}@hotline.example>\nCall-ID: {}\nCSeq: {} {}\nMax-Forwards: 70\n{}{}",
            self.method,
            self.cseq,
            self.nc,
            self.nonce.len(),
            self.user,
            self.call_id,
            self.cseq,
            self.method,
            self.contact,
            self.extra
        );
        if !self.nonce.is_empty() {
            let ha1 = hash(self.algorithm, &format!("{}:hotline.example:{}", self.user, self.password));
            let ha2 = hash(self.algorithm, &format!("{}:{uri}", self.method));
            let response =
                hash(self.algorithm, &format!("{ha1}:{}:{:08x}:cn:auth:{ha2}", self.nonce, self.nc));
            let _ = writeln!(
                text,
                "Authorization: Digest username=\"{}\", realm=\"hotline.example\", nonce=\"{}\", uri=\"{uri}\", \
                 response=\"{response}\", algorithm={}, qop=auth, nc={:08x}, cnonce=\"cn\"",
                self.user, self.nonce, self.algorithm, self.nc
            );
        }
        text.push_str("Content-Length: 0\n\n");
        text
    }

    /// Sends it as it is.
    fn send(&self, world: &mut World) -> String {
        world.inject(address(PHONE), A, &self.text());
        world.received().pop().unwrap_or_default()
    }

    fn challenged(&mut self, world: &mut World) {
        self.nonce.clear();
        let answer = self.send(world);
        assert_eq!(status_of(&answer), 401, "{answer}");
        self.take_nonce(&answer);
    }

    fn take_nonce(&mut self, answer: &str) {
        self.nonce = answer.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        self.nc = 0;
    }

    /// The next request with credentials.
    fn again(&mut self, world: &mut World) -> String {
        self.nc += 1;
        self.cseq += 1;
        self.send(world)
    }
}

fn registered(world: &mut World) -> Phone {
    let mut phone = Phone::new();
    phone.challenged(world);
    assert_eq!(status_of(&phone.again(world)), 200);
    phone
}

#[test]
fn a_phone_registers_with_both_algorithms() {
    for algorithm in ["SHA-256", "MD5"] {
        let mut world = with_users();
        let mut phone = Phone { algorithm, ..Phone::new() };
        phone.challenged(&mut world);
        let answer = phone.again(&mut world);
        assert_eq!(status_of(&answer), 200);
        assert_eq!(header(&answer, "Contact"), "<sip:8001@192.168.1.9:5060>;q=1.000;expires=600");
        assert!(matches!(world.events(A)[..], [Event::Registered { agent: AgentKey(1), first: true }]));
        assert_eq!(status_of(&phone.again(&mut world)), 200);
        assert!(matches!(world.events(A)[..], [Event::Registered { first: false, .. }]));
        assert_eq!(world.nodes[A].endpoint.bindings(AgentKey(1)).len(), 1);
    }
}

#[test]
fn a_registration_ends_by_itself_and_by_request() {
    let mut world = with_users();
    let mut phone = registered(&mut world);
    world.secs(590);
    world.events(A);
    world.secs(20);
    assert!(matches!(world.events(A)[..], [Event::Unregistered { agent: AgentKey(1) }]));
    phone.challenged(&mut world);
    phone.again(&mut world);
    phone.extra = "Expires: 0\n".to_owned();
    let answer = phone.again(&mut world);
    assert!(status_of(&answer) == 200 && header(&answer, "Contact").is_empty(), "{answer}");
    assert_eq!(world.names(A), ["Registered", "Unregistered"]);
    // Too late, and of before: the removed contact does not come back.
    phone.extra = "Expires: 600\n".to_owned();
    phone.cseq -= 2;
    assert_eq!(status_of(&phone.again(&mut world)), 500);
}

#[test]
fn star_removes_all_and_only_with_expires_0() {
    let mut world = with_users();
    let mut phone = registered(&mut world);
    phone.contact = "Contact: <sip:8001@192.168.1.10>;q=0.5\n".to_owned();
    phone.call_id = "reg2";
    let answer = phone.again(&mut world);
    assert_eq!(answer.matches("Contact:").count(), 2);
    assert_eq!(world.nodes[A].endpoint.bindings(AgentKey(1))[0].q_milli, 1000);
    phone.contact = "Contact: *\n".to_owned();
    assert_eq!(status_of(&phone.again(&mut world)), 400);
    phone.extra = "Expires: 0\n".to_owned();
    assert_eq!(status_of(&phone.again(&mut world)), 200);
    assert!(world.nodes[A].endpoint.bindings(AgentKey(1)).is_empty());
}

#[test]
fn limits_of_expiry_and_of_contacts() {
    let mut world = with_users();
    let mut phone = registered(&mut world);
    phone.extra = "Expires: 10\n".to_owned();
    let answer = phone.again(&mut world);
    assert_eq!((status_of(&answer), header(&answer, "Min-Expires")), (423, "60"));
    phone.extra = "Expires: 999999999999\n".to_owned();
    assert!(header(&phone.again(&mut world), "Contact").ends_with("expires=3600"));
    phone.extra = "Expires: 600\n".to_owned();
    for n in 0..7 {
        phone.contact = format!("Contact: <sip:8001@192.168.2.{n}>\n");
        assert_eq!(status_of(&phone.again(&mut world)), 200);
    }
    phone.contact = "Contact: <sip:8001@192.168.3.1>\n".to_owned();
    assert_eq!(status_of(&phone.again(&mut world)), 403);
    assert_eq!(world.nodes[A].endpoint.counters().dropped.contacts_full, 1);
}

#[test]
fn a_replay_and_an_old_nonce_are_stale() {
    let mut world = with_users();
    let mut phone = registered(&mut world);
    // The same credentials in a new transaction.
    let mut replay = phone.clone();
    replay.extra.push_str("X: y\n");
    let text = replay.text().replace("z9hG4bKr", "z9hG4bKs");
    world.inject(address(PHONE), A, &text);
    let answer = world.received().pop().unwrap();
    assert!(status_of(&answer) == 401 && answer.contains("stale=true"));
    assert_eq!(world.nodes[A].endpoint.counters().dropped.auth_replayed, 1);
    world.secs(400);
    let answer = phone.again(&mut world);
    assert!(status_of(&answer) == 401 && answer.contains("stale=true"));
    phone.take_nonce(&answer);
    assert_eq!(status_of(&phone.again(&mut world)), 200);
}

#[test]
fn a_nonce_is_good_only_where_it_was_given() {
    let mut world = with_users();
    let mut phone = Phone::new();
    phone.challenged(&mut world);
    phone.nc = 1;
    world.inject(address(51), A, &phone.text());
    let answer = world.received().pop().unwrap();
    assert!(status_of(&answer) == 401 && answer.contains("stale=true"));
}

#[test]
fn unknown_user_and_wrong_password_are_alike_and_guesses_end_in_silence() {
    let mut world = with_users();
    let answers: Vec<String> = [("8001", "wrong"), ("7777", "secret1")]
        .into_iter()
        .map(|(user, password)| {
            let mut phone = Phone { user, password, ..Phone::new() };
            phone.challenged(&mut world);
            let answer = phone.again(&mut world);
            let nonce = answer.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            let tag = header(&answer, "To").split("tag=").nth(1).unwrap().to_owned();
            answer.replace(&nonce, "N").replace(&tag, "T").replace(user, "U")
        })
        .collect();
    assert_eq!(answers[0], answers[1]);
    let mut phone = Phone { password: "wrong", ..Phone::new() };
    phone.challenged(&mut world);
    for _ in 0..8 {
        assert_eq!(status_of(&phone.again(&mut world)), 401);
    }
    assert_eq!(phone.again(&mut world), "", "ten guesses in a minute, then silence");
    assert_eq!(world.nodes[A].endpoint.counters().dropped.guesses_silenced, 1);
    world.secs(61);
    assert_eq!(status_of(&phone.again(&mut world)), 401);
}

#[test]
fn nobody_registers_for_another() {
    let mut world = with_users();
    let mut phone = Phone::new();
    phone.challenged(&mut world);
    phone.nc = 1;
    let text = phone.text().replace("To: <sip:8001", "To: <sip:8002");
    world.inject(address(PHONE), A, &text);
    assert_eq!(world.status(), 403);
}

#[test]
fn an_agent_is_called_at_his_flow_and_may_call() {
    let mut world = with_users();
    let none = OutgoingInvite::new(OutTarget::Agent(AgentKey(2)), "1", None);
    let refused = world.with_endpoint(A, |endpoint, now| endpoint.invite(now, none));
    assert_eq!(refused, Err(ApiError::NotRegistered));
    let phone = registered(&mut world);
    world.events(A);
    let invite = OutgoingInvite::new(OutTarget::Agent(AgentKey(1)), "139", Some(Bytes::from_static(OFFER)));
    world.with_endpoint(A, |endpoint, now| endpoint.invite(now, invite)).unwrap();
    world.ms(20);
    let (to, text) = world.raw.pop().unwrap();
    assert_eq!(to, address(PHONE), "the registration's flow, not the Contact's private address");
    assert!(text.starts_with("INVITE sip:8001@192.168.1.9:5060 SIP/2.0\r\n"));
    assert_eq!(header(&text, "To"), "<sip:8001@hotline.example>");

    let mut calling = Phone { method: "INVITE", call_id: "call", extra: String::new(), ..phone };
    calling.nc = 1;
    let answer = calling.again(&mut world);
    assert_eq!(status_of(&answer), 100, "{answer}");
    let events = world.events(A);
    assert!(
        matches!(&events[..], [Event::Invited { peer: sip::Peer::Agent(AgentKey(1)), .. }]),
        "{events:?}"
    );
}

#[test]
fn a_reload_without_a_user_ends_his_contacts() {
    let mut world = with_users();
    registered(&mut world);
    world.events(A);
    world.with_endpoint(A, |endpoint, now| endpoint.configure(now, config(1, 2)));
    assert!(matches!(world.events(A)[..], [Event::Unregistered { agent: AgentKey(1) }]));
}

#[test]
fn phones_behind_translators_are_kept_reachable() {
    let mut world = with_users();
    registered(&mut world);
    world.raw.clear();
    world.run(Duration::from_secs(101));
    assert_eq!(world.raw.iter().filter(|(to, text)| *to == address(PHONE) && text == "\r\n\r\n").count(), 4);
}

#[test]
fn a_phone_that_chokes_on_sha_256_is_offered_md5_alone() {
    let mut world = with_users();
    let mut phone = Phone { algorithm: "MD5", ..Phone::new() };
    phone.extra = "Expires: 600\nUser-Agent: baresip v1.0.0 (x86_64/linux)\n".to_owned();
    let answer = phone.send(&mut world);
    assert!(answer.contains("algorithm=MD5") && !answer.contains("SHA-256"), "{answer}");
    phone.take_nonce(&answer);
    assert_eq!(status_of(&phone.again(&mut world)), 200);
}

#[test]
fn an_agent_at_a_trunks_address_is_an_agent() {
    let mut world = with_users();
    let phone = Phone { method: "INVITE", extra: String::new(), ..Phone::new() };
    // The trunk's address, and no registration there.
    world.inject(address(2), A, &phone.text());
    assert_eq!(world.status(), 401);
    assert!(world.names(A).is_empty());
}

#[test]
fn a_late_or_replayed_register_removes_nothing() {
    let mut world = with_users();
    let mut phone = registered(&mut world);
    let mut late = phone.clone();
    phone.challenged(&mut world);
    assert_eq!(status_of(&phone.again(&mut world)), 200);
    // An older one of the same Call-ID, though with credentials that are good: refused, and again.
    late.contact = late.contact.replace('>', ">;expires=0");
    late.cseq = 1;
    late.challenged(&mut world);
    late.nc = 4;
    let refused = late.again(&mut world);
    assert_eq!(status_of(&refused), 500, "{refused}");
    assert_eq!(status_of(&late.send(&mut world)), 500, "its repetition is not a replay but a repetition");
    assert_eq!(world.nodes[A].endpoint.bindings(AgentKey(1)).len(), 1);
}
