//! Who and what is refused, and how.

use std::time::Duration;

use tests::api;
use tests::audio::Audio;
use tests::raw::{Raw, Request};
use tests::sipp::{Plan, register_with};
use tests::site::{Site, set};
use tests::usher::Usher;

/// An answer without what differs between any two answers.
fn shape(answer: &str) -> Vec<String> {
    let line = |line: &str| match line.split_once(':') {
        Some((name @ ("Via" | "From" | "To" | "Call-ID"), _)) => name.to_owned(),
        _ => match (line.find("nonce=\""), line) {
            (Some(start), line) => {
                line[..start].to_owned() + &line[start + 7..].replace(|c: char| c.is_ascii_hexdigit(), "")
            }
            (None, line) => line.to_owned(),
        },
    };
    answer.lines().map(line).collect()
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let site = Site::new("passwords");
    let usher = Usher::start(&site);
    register_with(&site, "1001", "a-wrong-one", 600, "register-refused").finish();

    let raw = Raw::bind(&site, site.ip(50));
    let mut shapes = Vec::new();
    for user in ["1001", "9999"] {
        let mut register = Request::new(&site, "REGISTER", user);
        register.domain = "hotline.example".to_owned();
        (register.from, register.home) = (user.to_owned(), "hotline.example".to_owned());
        let challenge = raw.ask(&register);
        assert_eq!(challenge.code(), 401, "{challenge:?}");
        let offered = challenge.header("WWW-Authenticate").unwrap().to_owned();
        assert!(offered.contains("SHA-256"), "the better algorithm comes first: {offered}");
        let nonce = offered.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        register.cseq = 2;
        register.headers.push(format!(
            "Authorization: Digest username=\"{user}\", realm=\"hotline.example\", nonce=\"{nonce}\", \
             uri=\"sip:hotline.example\", response=\"{}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\"",
            "0".repeat(64)
        ));
        let refusal = raw.ask(&register);
        assert!([401, 403].contains(&refusal.code()), "{refusal:?}");
        shapes.push((shape(&challenge.0), shape(&refusal.0)));
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(api::get(&site, "/api/v1/agents/1001")["contacts"], 0);
    usher.stop();
}

#[test]
fn each_bad_call_gets_its_own_answer() {
    let site = Site::new("refusals");
    let usher = Usher::start(&site);
    let (carrier, stranger) = (Raw::bind(&site, site.carrier()), Raw::bind(&site, site.ip(66)));
    let invite = |to: &str| Request::new(&site, "INVITE", to);

    assert_eq!(stranger.ask(&invite("10000")).code(), 403, "an address of no trunk");
    assert_eq!(carrier.ask(&invite("10086")).code(), 404, "a number that nobody has");
    assert_eq!(carrier.ask(&invite("1001")).code(), 404, "a trunk reaches no agent");
    assert_eq!(carrier.ask(&invite("110")).code(), 404, "a trunk reaches no emergency service");
    let mut gsm = invite("10000");
    gsm.body = gsm.body.replace("RTP/AVP 8", "RTP/AVP 3");
    assert_eq!(carrier.ask(&gsm).code(), 488, "GSM is all that it speaks");
    let mut last_hop = invite("10000");
    last_hop.max_forwards = 0;
    assert_eq!(carrier.ask(&last_hop).code(), 483);
    let mut strange = invite("10000");
    strange.headers.push("Require: time-travel".to_owned());
    let answer = carrier.ask(&strange);
    assert_eq!((answer.code(), answer.header("Unsupported")), (420, Some("time-travel")));
    let answer = carrier.ask(&Request::new(&site, "PUBLISH", "10000"));
    assert_eq!(answer.code(), 405);
    assert!(answer.header("Allow").is_some_and(|allow| allow.contains("INVITE")), "{answer:?}");
    assert_eq!(carrier.ask(&Request::new(&site, "BYE", "10000")).code(), 481);
    let answer = carrier.ask(&Request::new(&site, "OPTIONS", "10000"));
    assert_eq!(answer.code(), 200);
    assert!(answer.header("Allow").is_some(), "{answer:?}");
    usher.stop();
}

#[test]
fn what_cannot_be_read_gets_400_or_silence_and_a_counter() {
    let site = Site::new("malformed");
    let usher = Usher::start(&site);
    let carrier = Raw::bind(&site, site.carrier());
    let text = Request::new(&site, "INVITE", "10000").text(&carrier.local());

    let torn = text.replace("Content-Length: ", "Content-Length: 9");
    assert_eq!(carrier.ask_bytes(torn.as_bytes()).code(), 400, "the body is shorter than it says");
    let no_cseq = text.replace("CSeq: 1 INVITE", "CSeq: one INVITE");
    carrier.send(no_cseq.as_bytes());
    if let Some(answer) = carrier.receive(Duration::from_millis(300)) {
        assert_eq!(answer.code(), 400);
    }
    for garbage in [&b"\x00\xff\xfe SIP/2.0"[..], b"GET / HTTP/1.1\r\n\r\n", b"INVITE", &[0x80; 1400]] {
        carrier.send(garbage);
        assert!(carrier.receive(Duration::from_millis(100)).is_none(), "{garbage:?} was answered");
    }
    assert_eq!(carrier.ask(&Request::new(&site, "OPTIONS", "10000")).code(), 200, "it lives");
    let (_, metrics) = api::request(&site, "GET", "/metrics", "");
    let malformed = metrics.lines().find(|line| line.starts_with("usher_") && line.contains("malformed"));
    assert!(malformed.is_some(), "no counter of malformed messages in\n{metrics}");
    usher.stop();
}

#[test]
fn a_trunk_over_its_limit_gets_503_with_retry_after() {
    let site = Site::new("limit");
    site.edit("trunks.toml", |trunks| {
        trunks["trunk"][0].as_table_mut().unwrap().insert("calls_max".into(), 1.into());
    });
    site.edit("usher.toml", |main| set(main, "limits", "calls_max", 100));
    let usher = Usher::start(&site);
    let audio = Audio::bind(site.carrier());
    let caller = Plan::new(&site, "caller-hangs-up", site.carrier()).audio(&audio);
    let mut caller = caller.key("caller", "13800000001").key("dialled", "10000").start();
    caller.wait("answered");
    let carrier = Raw::bind(&site, site.carrier());
    let answer = carrier.ask(&Request::new(&site, "INVITE", "10000"));
    assert_eq!(answer.code(), 503, "{answer:?}");
    assert!(
        answer.header("Retry-After").and_then(|s| s.parse::<u32>().ok()).is_some_and(|s| s > 0),
        "{answer:?}"
    );
    caller.go_on();
    caller.finish();
    usher.stop();
}
