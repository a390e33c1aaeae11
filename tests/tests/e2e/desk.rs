//! The agents' side: who does not answer, who hangs up, refers, dials out and changes his state.

use tests::api;
use tests::audio::{Audio, Signal, noise_number, voice as voice_of};
use tests::sipp::{Plan, register};
use tests::site::Site;
use tests::usher::Usher;
use tests::{SOON, g711, until, voice};

use crate::people::{assert_talk, queued, telephone, telephone_that_refers};

#[test]
fn nobody_answers_the_next_agent_rings_and_the_place_is_kept() {
    let site = Site::new("no-answer");
    let usher = Usher::start(&site);
    let (mut deaf, _) = telephone(&site, "agent-withdrawn", "1009");
    let (mut other, other_audio) = telephone(&site, "agent-hung-up", "1011");
    api::make_ready(&site, "1009");
    let (mut first, first_audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    deaf.wait("ringing");
    let (mut second, _second_audio) = queued(&site, "caller-hangs-up", "13800000002", 5061);
    // Three rings, here 5 s, then CANCEL; the caller hears music all the while.
    deaf.wait("withdrawn");
    deaf.finish();
    first_audio.forget();
    first_audio.wait_voice();
    // Whoever is free next gets him who came first.
    api::make_ready_soon(&site, "1011");
    other.wait("ringing");
    other.go_on();
    other.wait("talking");
    assert_talk(&first_audio, &other_audio);
    first.go_on();
    first.finish();
    let messages = other.finish();
    assert!(messages.contains("13800000001") && !messages.contains("13800000002"), "{messages}");
    let (_, steps) = api::last_call(&site, 1);
    api::assert_in_order(
        &steps,
        &["queued general", "presented 1009", "withdrawn 1009", "presented 1011", "bridged 1011"],
    );
    second.go_on();
    second.finish();
    let (record, _) = api::last_call(&site, 2);
    assert_eq!(record["outcome"], "abandoned", "{record}");
    usher.stop();
}

#[test]
fn the_agent_hangs_up_first_and_the_caller_scores_the_service() {
    let site = Site::new("survey");
    let usher = Usher::start(&site);
    let (mut agent, agent_audio) = telephone(&site, "agent-hangs-up", "1009");
    api::make_ready(&site, "1009");
    let (caller, audio) = queued(&site, "caller-hung-up", "13800000001", 5060);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    audio.say(Signal::Quiet);
    agent.go_on();
    agent.finish();
    audio.wait_prompt("zh", "survey");
    audio.press(b'4');
    audio.wait_prompt("zh", "survey-thanks");
    audio.wait_prompt("zh", "goodbye");
    caller.finish();
    let (record, steps) = api::last_call(&site, 1);
    assert_eq!((&record["survey"], &record["outcome"]), (&4.into(), &"answered".into()), "{record}");
    api::assert_in_order(&steps, &["bridged 1009", "hung-up", "surveyed"]);
    usher.stop();
}

/// Agent 1009 talks and refers his caller to `target`, where agent 1011 answers.
fn refers(name: &str, target: &str, other_is_ready: bool) -> Vec<String> {
    let site = Site::new(name);
    let usher = Usher::start(&site);
    let (mut first, _first_audio) = telephone_that_refers(&site, "1009", target);
    let (mut second, second_audio) = telephone(&site, "agent-hung-up", "1011");
    api::make_ready(&site, "1009");
    let (mut caller, audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    first.wait("ringing");
    first.go_on();
    first.wait("talking");
    api::wait_agent(&site, "1009", "talking");
    if other_is_ready {
        api::make_ready(&site, "1011");
    }
    first.go_on();
    second.wait("ringing");
    second.go_on();
    second.wait("talking");
    let messages = first.finish();
    assert!(
        messages.contains("\nSIP/2.0 100 Trying") && messages.contains("terminated;reason=noresource"),
        "{messages}"
    );
    assert_talk(&audio, &second_audio);
    caller.go_on();
    caller.finish();
    second.finish();
    let (record, steps) = api::last_call(&site, 1);
    assert_eq!(record["outcome"], "answered", "{record}");
    usher.stop();
    steps
}

#[test]
fn an_agent_refers_his_caller_to_another() {
    let steps = refers("refer", "1011", false);
    api::assert_in_order(&steps, &["bridged 1009", "referred", "hung-up"]);
}

#[test]
fn an_agent_refers_his_caller_to_a_queue() {
    let steps = refers("refer-queue", "8002", true);
    api::assert_in_order(
        &steps,
        &["bridged 1009", "referred queue general", "presented 1011", "bridged 1011"],
    );
}

#[test]
fn an_agent_puts_the_caller_on_hold_and_takes_him_back() {
    let site = Site::new("hold");
    let usher = Usher::start(&site);
    let (mut agent, agent_audio) = telephone(&site, "agent-holds", "1009");
    api::make_ready(&site, "1009");
    let (mut caller, audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    agent.go_on();
    agent.wait("held");
    assert!(
        agent.messages().contains("a=recvonly"),
        "the answer to sendonly is recvonly: {}",
        agent.messages()
    );
    // The caller hears music, however much the agent's telephone goes on sending; the agent hears nobody.
    audio.forget();
    agent_audio.forget();
    let half_a_second = || Some(voice_of(&audio.heard())).filter(|bytes| bytes.len() >= 4000);
    let heard = until("half a second of music", SOON, half_a_second);
    let music: Vec<u8> = voice::samples("zh", "music").into_iter().map(g711::alaw).collect();
    let music = [music.clone(), music].concat();
    // What was under way when the agent pressed the key may come first.
    let heard = &heard[heard.len() - 3200..];
    assert!(music.windows(heard.len()).any(|window| window == heard), "the caller on hold hears no music");
    let last = agent_audio.heard().last().map(|packet| packet.payload.clone()).unwrap_or_default();
    assert_eq!(noise_number(11, &last), None, "the agent hears a caller whom he put on hold");
    agent.go_on();
    agent.wait("resumed");
    audio.forget();
    agent_audio.forget();
    assert_talk(&audio, &agent_audio);
    caller.go_on();
    caller.finish();
    agent.finish();
    let (_, steps) = api::last_call(&site, 1);
    api::assert_in_order(&steps, &["bridged 1009", "held", "resumed", "hung-up"]);
    usher.stop();
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let site = Site::new("abandoned");
    let usher = Usher::start(&site);
    let (mut agent, _audio) = telephone(&site, "agent-withdrawn", "1009");
    api::make_ready(&site, "1009");
    let (mut caller, _caller_audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    agent.wait("ringing");
    api::wait_agent(&site, "1009", "reserved");
    caller.go_on();
    caller.finish();
    agent.wait("withdrawn");
    agent.finish();
    let (record, steps) = api::last_call(&site, 1);
    assert_eq!(record["outcome"], "abandoned", "{record}");
    api::assert_in_order(&steps, &["queued general", "presented 1009", "abandoned"]);
    api::wait_agent(&site, "1009", "ready");
    usher.stop();
}

/// An agent dials; the gateway of the trunk rings and answers; both hear each other.
fn dials_out(site: &Site, number: &str) {
    let (gateway_audio, audio) = (Audio::bind(site.carrier()), Audio::bind(site.agent("1009")));
    let gateway = Plan::new(site, "gateway", site.carrier()).port(5080).audio(&gateway_audio);
    let mut gateway = gateway.start();
    let agent = Plan::new(site, "agent-dials", site.agent("1009")).audio(&audio);
    let uri = format!("{number}@hotline.example");
    let agent =
        agent.key("caller", "1009").key("dialled", number).credentials("1009", "change-me-1009", &uri);
    let mut agent = agent.start();
    gateway.wait("ringing");
    gateway.go_on();
    gateway.wait("talking");
    agent.wait("answered");
    gateway_audio.speak_to(gateway.media(site));
    audio.speak_to(agent.media(site));
    assert_talk(&audio, &gateway_audio);
    agent.go_on();
    agent.finish();
    let messages = gateway.finish();
    assert!(messages.contains(&format!("INVITE sip:{number}@")), "{messages}");
    assert!(messages.contains("sip:10000@"), "the trunk's own number is shown: {messages}");
}

#[test]
fn an_emergency_call_and_an_outside_call_leave_by_the_trunk() {
    let site = Site::new("outside");
    let usher = Usher::start(&site);
    register(&site, "1009", 600);
    dials_out(&site, "110");
    dials_out(&site, "01088886666");
    for call in api::wait_ended(&site, 2) {
        assert_eq!((&call["outcome"], &call["source"]), (&"outbound".into(), &"1009".into()), "{call}");
    }
    usher.stop();
}

#[test]
fn an_emergency_call_passes_every_limit() {
    let site = Site::new("emergency");
    site.edit("trunks.toml", |trunks| {
        trunks["trunk"][0].as_table_mut().unwrap().insert("calls_max".into(), 1.into());
    });
    site.edit("usher.toml", |main| tests::site::set(main, "limits", "calls_max", 1));
    let usher = Usher::start(&site);
    let (mut caller, _audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    register(&site, "1009", 600);
    dials_out(&site, "119");
    caller.go_on();
    caller.finish();
    usher.stop();
}

/// Dials a code and listens to the confirmation.
fn dials_code(site: &Site, code: &str, confirmation: &str) {
    let audio = Audio::bind(site.agent("1009"));
    let plan = Plan::new(site, "agent-dials-code", site.agent("1009")).audio(&audio);
    let uri = format!("{code}@hotline.example");
    let plan = plan.key("caller", "1009").key("dialled", code).credentials("1009", "change-me-1009", &uri);
    let agent = plan.start();
    audio.wait_prompt("zh", confirmation);
    agent.finish();
}

#[test]
fn an_agent_changes_his_state_by_dialling() {
    let site = Site::new("codes");
    let usher = Usher::start(&site);
    register(&site, "1009", 600);
    api::wait_contacts(&site, "1009", 1);
    dials_code(&site, "*10", "feature-ready");
    api::wait_agent(&site, "1009", "ready");
    dials_code(&site, "*113", "feature-not-ready");
    api::wait_agent(&site, "1009", "not-ready");
    assert_eq!(api::get(&site, "/api/v1/agents/1009")["reason"], 3);
    dials_code(&site, "*110", "feature-not-ready");
    dials_code(&site, "*12", "feature-refused");
    dials_code(&site, "*10", "feature-ready");
    api::wait_agent(&site, "1009", "ready");

    // A talk, and the wrap-up after it, which he ends himself.
    let agent_audio = Audio::bind(site.agent("1009"));
    let mut agent = Plan::new(&site, "agent-hung-up", site.agent("1009")).audio(&agent_audio).start();
    let (mut caller, _audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    api::wait_agent(&site, "1009", "talking");
    caller.go_on();
    caller.finish();
    agent.finish();
    api::wait_agent(&site, "1009", "wrap-up");
    dials_code(&site, "*12", "feature-wrap-up-ended");
    api::wait_agent(&site, "1009", "ready");
    usher.stop();
}
