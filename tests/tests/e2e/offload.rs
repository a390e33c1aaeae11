//! Calls that the kernel carries: carrier, switch and agents in network namespaces of their own. Needs root; says so
//! where it is skipped.

use std::time::{Duration, Instant};

use tests::audio::{Audio, EVENTS, Signal, noise_number};
use tests::place::{AGENTS_SIDE, CARRIER_SIDE};
use tests::site::Site;
use tests::usher::Usher;
use tests::{SOON, api, until};

use crate::people::{assert_talk, queued, talk, telephone};

/// A site on its own network, whose switch lets the kernel carry calls.
fn site(name: &str, calls_max: u32) -> Option<Site> {
    let site = Site::on_a_network(name)?;
    offload(&site, &[CARRIER_SIDE, AGENTS_SIDE], calls_max);
    Some(site)
}

fn offload(site: &Site, interfaces: &[&str], calls_max: u32) {
    site.edit("usher.toml", |main| {
        let media = main["media"].as_table_mut().unwrap();
        media.insert("offload".into(), "xdp".into());
        media.insert("offload_interfaces".into(), interfaces.to_vec().into());
        media.insert("offload_calls_max".into(), i64::from(calls_max).into());
    });
}

fn media(site: &Site, name: &str) -> u64 {
    let end = if name == "offloaded" { "" } else { "_total" };
    let value = api::metric(site, &format!("usher_{name}{end}{{worker=\"0\"}}"));
    value.unwrap_or_else(|| panic!("there is no metric {name}")) as u64
}

fn wait_carried(site: &Site, calls: u64) {
    until(&format!("{calls} calls in the kernel"), SOON, || {
        (media(site, "offloaded") == calls).then_some(())
    });
}

/// One stream from the first packet to the last: no number is missing, none comes twice or out of turn, and the
/// timestamps go on as the time does.
fn assert_unbroken(audio: &Audio) {
    let packets = audio.heard();
    for pair in packets.windows(2) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert_eq!(pair[0].sequence.wrapping_add(1), pair[1].sequence);
        let units = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!(units < 16_000, "time jumped by {units} at {}", pair[1].sequence);
    }
    assert!(packets.len() > 100, "{} packets", packets.len());
}

#[test]
fn the_kernel_carries_a_call_from_its_first_second_to_bye() {
    let Some(site) = site("carried", 10) else { return };
    let usher = Usher::start(&site);
    assert!(usher.output().contains("the kernel carries calls"), "{}", usher.output());
    let mut talk = talk(&site);
    wait_carried(&site, 1);
    let (carried, received) = (media(&site, "rtp_offloaded"), media(&site, "packets_in"));
    // One from the agents' network, one at the carrier's own address: both aim at the caller's port.
    let (stranger, neighbour) = (Audio::bind(site.ip(66)), Audio::bind(site.carrier()));
    let port_of_caller = talk.caller.media(&site);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        talk.agent_audio.wait_noise(11);
        talk.caller_audio.wait_noise(12);
    }
    let (carried, received) =
        (media(&site, "rtp_offloaded") - carried, media(&site, "packets_in") - received);
    // The counts are looked at with every report; there is one in 7.5 s at the latest, and RTCP goes on above.
    assert!(received < 20, "{received} packets came up, {carried} were carried");
    for (audio, seed) in [(&stranger, 98), (&neighbour, 99)] {
        audio.speak_to(port_of_caller);
        audio.say(Signal::Noise(seed));
    }
    talk.agent_audio.wait_noise(11);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        talk.agent_audio.wait_noise(11);
    }
    let heard = |seed: u8| talk.agent_audio.heard().iter().any(|p| noise_number(seed, &p.payload).is_some());
    assert!(heard(11) && !heard(98) && !heard(99), "a stranger is heard");
    assert_eq!((stranger.datagrams(), neighbour.datagrams()), (0, 0), "a stranger hears");
    assert_eq!((media(&site, "offloaded"), media(&site, "offloads_ended")), (1, 0), "nor does he disturb");

    talk.caller_audio.press(b'5');
    until("the key", SOON, || {
        talk.agent_audio.heard().iter().any(|p| p.payload_type == EVENTS && p.payload[0] == 5).then_some(())
    });
    assert!(media(&site, "offloads_ended") >= 1, "keys are for user space");
    wait_carried(&site, 1);
    talk.agent_audio.wait_noise(11);
    talk.caller_audio.wait_noise(12);

    talk.caller.go_on();
    talk.caller.finish();
    talk.agent.finish();
    api::wait_ended(&site, 1);
    wait_carried(&site, 0);
    let ears = [&talk.caller_audio, &talk.agent_audio, &stranger, &neighbour];
    let before = ears.map(Audio::datagrams);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(before, ears.map(Audio::datagrams), "packets after BYE");
    assert_unbroken(&talk.caller_audio);
    assert_unbroken(&talk.agent_audio);
    assert!(media(&site, "rtp_offloaded") > 300, "{}", media(&site, "rtp_offloaded"));
    usher.stop();
}

/// Hold music comes from user space, past the sockets: the call is taken back, twice, and nobody hears it happen.
#[test]
fn a_call_on_hold_comes_back_from_the_kernel_and_goes_again() {
    let Some(site) = site("carried-hold", 10) else { return };
    let usher = Usher::start(&site);
    let (mut agent, agent_audio) = telephone(&site, "agent-holds", "1009");
    api::make_ready(&site, "1009");
    let (mut caller, audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    wait_carried(&site, 1);
    agent.go_on();
    agent.wait("held");
    assert_eq!(media(&site, "offloaded"), 0);
    let (before, past) = (audio.heard().len(), media(&site, "packets_af_xdp"));
    until("a second of music", SOON, || (audio.heard().len() > before + 50).then_some(()));
    let past = media(&site, "packets_af_xdp") - past;
    assert!(past > 40, "{past} packets of music passed the sockets by");
    agent.go_on();
    agent.wait("resumed");
    assert_talk(&audio, &agent_audio);
    wait_carried(&site, 1);
    assert_talk(&audio, &agent_audio);
    // Long enough to be judged.
    until("two seconds of voice", SOON, || {
        [&audio, &agent_audio].iter().all(|ear| ear.heard().len() > 100).then_some(())
    });
    caller.go_on();
    caller.finish();
    agent.finish();
    assert_unbroken(&audio);
    assert_unbroken(&agent_audio);
    assert_eq!(media(&site, "offloads"), media(&site, "offloads_ended"));
    usher.stop();
}

#[test]
fn a_call_without_room_in_the_kernel_stays_in_user_space() {
    let Some(site) = site("carried-full", 1) else { return };
    let mut usher = Usher::start(&site);
    let mut first = talk(&site);
    wait_carried(&site, 1);
    let (mut agent, agent_audio) = telephone(&site, "agent-hung-up", "1010");
    api::make_ready(&site, "1010");
    let (mut caller, audio) = queued(&site, "caller-hangs-up", "13800000002", 5062);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    usher.wait_output("the kernel has no room for more calls", SOON);
    assert_talk(&audio, &agent_audio);
    assert_eq!(media(&site, "offloaded"), 1);
    for call in [&mut caller, &mut first.caller] {
        call.go_on();
    }
    caller.finish();
    first.caller.finish();
    agent.finish();
    first.agent.finish();
    assert_unbroken(&audio);
    usher.stop();
}

/// Loopback has no driver that could, and who is not root may not: the call is as it always was.
#[test]
fn what_the_kernel_cannot_do_is_said_and_done_in_user_space() {
    let site = Site::new("not-carried");
    offload(&site, &["lo"], 10);
    let usher = Usher::start(&site);
    assert!(
        usher.output().contains("the kernel carries no calls: all stay in user space"),
        "{}",
        usher.output()
    );
    let mut talk = talk(&site);
    assert_eq!(media(&site, "offloads"), 0);
    talk.caller.go_on();
    talk.caller.finish();
    talk.agent.finish();
    usher.stop();
}
