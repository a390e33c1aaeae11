//! What sessions can be besides an early offer of G.711: a late offer, reliable provisional responses, session timers,
//! keys by INFO, G.722, IPv6.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tests::api;
use tests::audio::Audio;
use tests::g711::Law;
use tests::raw::{Answer, Raw, Request};
use tests::sipp::{Plan, register};
use tests::site::Site;
use tests::usher::Usher;
use tests::{SOON, until};

use crate::people::{assert_talk, telephone};

const SDP_TYPE: &str = "Content-Type: application/sdp";

fn sdp(at: SocketAddr) -> String {
    let (family, ip, port) = (if at.is_ipv4() { "IP4" } else { "IP6" }, at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
    )
}

/// Calls 10000 with these headers, is answered, and acknowledges.
fn answered(carrier: &Raw, invite: &Request, ack_body: &str) -> Answer {
    let ok = carrier.ask(invite);
    assert_eq!(ok.code(), 200, "{}", ok.0);
    let headers: &[&str] = if ack_body.is_empty() { &[] } else { &[SDP_TYPE] };
    carrier.send(carrier.within(invite, &ok, "ACK", 1, headers, ack_body).as_bytes());
    ok
}

/// Hangs up, and hears that it was heard.
fn hang_up(carrier: &Raw, invite: &Request, ok: &Answer) {
    let bye = carrier.within(invite, ok, "BYE", 9, &[], "");
    assert_eq!(carrier.ask_bytes(bye.as_bytes()).code(), 200);
}

#[test]
fn a_late_offer_is_ours_and_his_answer_comes_in_the_ack() {
    let site = Site::new("late-offer");
    let usher = Usher::start(&site);
    let (carrier, audio) = (Raw::bind(&site, site.carrier()), Audio::bind(site.carrier()));
    let mut invite = Request::new(&site, "INVITE", "10000");
    invite.body = String::new();
    let ok = answered(&carrier, &invite, &sdp(audio.address()));
    assert!(ok.0.contains("m=audio ") && ok.0.contains("telephone-event"), "our offer: {}", ok.0);
    audio.wait_prompt("zh", "greeting-ordinary");
    audio.press(b'1');
    audio.wait_prompt("zh", "menu-account");
    hang_up(&carrier, &invite, &ok);
    usher.stop();
}

#[test]
fn session_timers_are_agreed_kept_and_refused_when_too_short() {
    let site = Site::new("timers");
    let usher = Usher::start(&site);
    let carrier = Raw::bind(&site, site.carrier());
    let ask = |expires: &str| {
        let mut invite = Request::new(&site, "INVITE", "10000");
        invite.headers = vec!["Supported: timer".to_owned(), format!("Session-Expires: {expires}")];
        invite
    };
    let refused = carrier.ask(&ask("30"));
    assert_eq!((refused.code(), refused.header("Min-SE")), (422, Some("90")), "{}", refused.0);
    let invite = ask("120;refresher=uac");
    let ok = answered(&carrier, &invite, "");
    assert_eq!(ok.header("Session-Expires"), Some("120;refresher=uac"), "{}", ok.0);
    let refresh = carrier.within(
        &invite,
        &ok,
        "UPDATE",
        2,
        &["Supported: timer", "Session-Expires: 120;refresher=uac"],
        "",
    );
    let refreshed = carrier.ask_bytes(refresh.as_bytes());
    assert_eq!(
        (refreshed.code(), refreshed.header("Session-Expires")),
        (200, Some("120;refresher=uac")),
        "{}",
        refreshed.0
    );
    hang_up(&carrier, &invite, &ok);
    usher.stop();
}

#[test]
fn a_key_by_info_counts_as_a_key() {
    let site = Site::new("info");
    let usher = Usher::start(&site);
    let (carrier, audio) = (Raw::bind(&site, site.carrier()), Audio::bind(site.carrier()));
    let mut invite = Request::new(&site, "INVITE", "10000");
    invite.body = sdp(audio.address());
    let ok = answered(&carrier, &invite, "");
    audio.wait_prompt("zh", "greeting-ordinary");
    let info = carrier.within(
        &invite,
        &ok,
        "INFO",
        2,
        &["Content-Type: application/dtmf-relay"],
        "Signal=1\r\nDuration=160\r\n",
    );
    assert_eq!(carrier.ask_bytes(info.as_bytes()).code(), 200);
    audio.wait_prompt("zh", "menu-account");
    hang_up(&carrier, &invite, &ok);
    usher.stop();
}

#[test]
fn ringing_is_heard_reliably_by_who_requires_it() {
    let site = Site::new("prack");
    let usher = Usher::start(&site);
    let (mut colleague, colleague_audio) = telephone(&site, "agent-hung-up", "1010");
    register(&site, "1009", 600);
    let audio = Audio::bind(site.agent("1009"));
    let plan = Plan::new(&site, "agent-dials-reliably", site.agent("1009")).port(5066).audio(&audio);
    let plan = plan.key("caller", "1009").key("dialled", "1010");
    let mut agent = plan.credentials("1009", "change-me-1009", "1010@hotline.example").start();
    colleague.wait("ringing");
    agent.wait("heard");
    agent.go_on();
    colleague.go_on();
    colleague.wait("talking");
    agent.wait("answered");
    audio.speak_to(agent.media(&site));
    colleague_audio.speak_to(colleague.media(&site));
    assert_talk(&audio, &colleague_audio);
    agent.go_on();
    agent.finish();
    colleague.finish();
    usher.stop();
}

#[test]
fn two_telephones_with_g722_are_joined_without_a_change_of_a_byte() {
    let site = Site::new("g722");
    let usher = Usher::start(&site);
    register(&site, "1009", 600);
    let agent_audio = Audio::with_law(site.agent("1009"), Law::G722);
    let mut agent = Plan::new(&site, "agent-hung-up", site.agent("1009")).audio(&agent_audio).start();
    api::make_ready(&site, "1009");
    let audio = Audio::with_law(site.carrier(), Law::G722);
    let plan = Plan::new(&site, "caller-hangs-up", site.carrier()).audio(&audio);
    let mut caller = plan.key("caller", "13800000001").key("dialled", "10000").start();
    caller.wait("answered");
    audio.wait_voice();
    assert!(audio.heard().iter().all(|packet| packet.payload_type == 9), "greeted in G.722");
    audio.press(b'0');
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    caller.go_on();
    caller.finish();
    agent.finish();
    usher.stop();
}

#[test]
fn a_carrier_calls_over_ipv6() {
    let site = Site::new("ipv6");
    let free = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    site.edit("usher.toml", |main| {
        main["sip"]["listen"].as_array_mut().unwrap().push(format!("udp:{free}").into());
        main["media"]["addresses"].as_array_mut().unwrap().push("::1".into());
    });
    site.edit("trunks.toml", |trunks| {
        trunks["trunk"][0]["addresses"].as_array_mut().unwrap().push("::1".into());
    });
    let usher = Usher::start(&site);
    let sip = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let rtp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    for socket in [&sip, &rtp] {
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
    let (local, body) = (sip.local_addr().unwrap(), sdp(rtp.local_addr().unwrap()));
    let invite = format!(
        "INVITE sip:10000@{free} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-v6\r\nMax-Forwards: 70\r\n\
         From: <sip:13800000001@{local}>;tag=six\r\nTo: <sip:10000@{free}>\r\nCall-ID: v6\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:carrier@{local}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    sip.send_to(invite.as_bytes(), free).unwrap();
    let mut buffer = [0; 4096];
    let ok = until("a 200 over IPv6", SOON, || {
        let (length, _) = sip.recv_from(&mut buffer).ok()?;
        Some(Answer(String::from_utf8_lossy(&buffer[..length]).into_owned()))
            .filter(|answer| answer.code() >= 200)
    });
    assert!(ok.code() == 200 && ok.0.contains("c=IN IP6 ::1"), "{}", ok.0);
    let contact = ok.header("Contact").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    let within = |method: &str, cseq: u32| {
        format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-v6-{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:13800000001@{local}>;tag=six\r\nTo: {}\r\nCall-ID: v6\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
            ok.header("To").unwrap()
        )
    };
    sip.send_to(within("ACK", 1).as_bytes(), free).unwrap();
    let mut heard = 0;
    until("a second of the greeting over IPv6", SOON, || {
        let (length, from) = rtp.recv_from(&mut buffer).ok()?;
        assert!(
            from.ip() == Ipv6Addr::LOCALHOST && length == 172 && buffer[1] & 0x7f == 8,
            "{from} {length}"
        );
        heard += 1;
        (heard == 50).then_some(())
    });
    sip.send_to(within("BYE", 2).as_bytes(), free).unwrap();
    until("BYE to be answered", SOON, || {
        let (length, _) = sip.recv_from(&mut buffer).ok()?;
        String::from_utf8_lossy(&buffer[..length]).starts_with("SIP/2.0 200").then_some(())
    });
    usher.stop();
}
