//! RTP of strangers: not heard, not answered, whoever speaks first; and nothing after BYE.

use std::time::{Duration, Instant};

use tests::api;
use tests::audio::{Audio, Signal, noise_number};
use tests::site::Site;
use tests::usher::Usher;

use crate::people::{queued, talk, telephone};

/// Whether any packet of the noise was heard.
fn heard(audio: &Audio, seed: u8) -> bool {
    audio.heard().iter().any(|packet| noise_number(seed, &packet.payload).is_some())
}

#[test]
fn a_stranger_is_not_heard_while_a_call_is_up_and_nothing_comes_after_bye() {
    let site = Site::new("injection");
    let usher = Usher::start(&site);
    let mut talk = talk(&site);
    let port_of_caller = talk.caller.media(&site);
    // One from nowhere, one at the carrier's own address: both aim at the caller's port.
    let (stranger, neighbour) = (Audio::bind(site.ip(66)), Audio::bind(site.carrier()));
    for (audio, seed) in [(&stranger, 98), (&neighbour, 99)] {
        audio.speak_to(port_of_caller);
        audio.say(Signal::Noise(seed));
    }
    talk.agent_audio.forget();
    // A second of the true caller later they would have been heard.
    talk.agent_audio.wait_noise(11);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        talk.agent_audio.wait_noise(11);
    }
    assert!(!heard(&talk.agent_audio, 98) && !heard(&talk.agent_audio, 99), "a stranger is heard");
    assert_eq!((stranger.datagrams(), neighbour.datagrams()), (0, 0), "a stranger hears");

    talk.caller.go_on();
    talk.caller.finish();
    talk.agent.finish();
    api::wait_ended(&site, 1);
    // Whatever was under way has come: from here on silence, though everybody goes on sending.
    let ears = [&talk.caller_audio, &talk.agent_audio, &stranger, &neighbour];
    let before = ears.map(Audio::datagrams);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(before, ears.map(Audio::datagrams), "packets after BYE");
    usher.stop();
}

#[test]
fn a_stranger_who_speaks_first_gains_nothing() {
    let site = Site::new("first");
    let usher = Usher::start(&site);
    let (mut agent, agent_audio) = telephone(&site, "agent-hung-up", "1009");
    api::make_ready(&site, "1009");
    let stranger = Audio::bind(site.ip(66));
    let (mut caller, caller_audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    stranger.speak_to(caller.media(&site));
    stranger.say(Signal::Noise(98));
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    stranger.speak_to(agent.media(&site));
    api::wait_agent(&site, "1009", "talking");
    // The agent speaks, the caller is silent: only the stranger sends to both ports now and then.
    agent_audio.say(Signal::Noise(12));
    caller_audio.wait_noise(12);
    stranger.speak_to(caller.media(&site));
    caller_audio.forget();
    caller_audio.wait_noise(12);
    assert!(!heard(&agent_audio, 98) && !heard(&caller_audio, 98));
    assert_eq!(stranger.datagrams(), 0);
    // And the true caller is not locked out by him.
    caller_audio.say(Signal::Noise(11));
    agent_audio.wait_noise(11);
    caller.go_on();
    caller.finish();
    agent.finish();
    usher.stop();
}
