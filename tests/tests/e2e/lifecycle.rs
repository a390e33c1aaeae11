//! Draining and reloading while people talk.

use std::time::Duration;

use tests::api;
use tests::raw::{Raw, Request};
use tests::site::{Site, set};
use tests::usher::Usher;
use tests::{SOON, until, voice};

use crate::people::{assert_talk, call, queued, talk, telephone};

#[test]
fn sigterm_takes_no_new_calls_and_waits_for_the_last_one() {
    let site = Site::new("drain");
    let mut usher = Usher::start(&site);
    let mut talk = talk(&site);
    let carrier = Raw::bind(&site, site.carrier());
    assert_eq!(carrier.ask(&Request::new(&site, "OPTIONS", "10000")).code(), 200);
    assert_eq!(api::request(&site, "GET", "/readyz", "").0, 200);

    usher.terminate();
    until("OPTIONS to be answered 503", SOON, || {
        (carrier.ask(&Request::new(&site, "OPTIONS", "10000")).code() == 503).then_some(())
    });
    let refusal = carrier.ask(&Request::new(&site, "INVITE", "10000"));
    assert_eq!(refusal.code(), 503, "{refusal:?}");
    assert!(refusal.header("Retry-After").is_some(), "{refusal:?}");
    assert_eq!(api::request(&site, "GET", "/readyz", "").0, 503);
    assert_eq!(api::request(&site, "GET", "/healthz", "").0, 200);
    // Those who talk notice nothing.
    talk.caller_audio.forget();
    talk.agent_audio.forget();
    assert_talk(&talk.caller_audio, &talk.agent_audio);
    assert!(!usher.has_ended());

    talk.caller.go_on();
    talk.caller.finish();
    talk.agent.finish();
    let status = usher.wait(SOON);
    assert!(status.success(), "{status}");
    let calls = site.ask(&["calls", "list"]);
    assert!(calls.contains("1009"), "the last call is accounted for:\n{calls}");
}

#[test]
fn when_processor_time_is_short_calls_come_before_the_database() {
    let site = Site::new("niceness");
    let usher = Usher::start(&site);
    let threads = usher.niceness();
    let of = |name: &str| -> Vec<i32> {
        threads.iter().filter(|(known, _)| known.starts_with(name)).map(|(_, nice)| *nice).collect()
    };
    let calls = of("usher")[0];
    assert!(of("media-").iter().all(|nice| *nice == calls) && !of("media-").is_empty(), "{threads:?}");
    for slow in ["api", "spool", "recorder", "sqlx"] {
        // The scheduler's last step is 19: whoever runs the tests there sees no difference.
        let behind = of(slow).iter().all(|nice| *nice > calls || calls == 19);
        assert!(behind && !of(slow).is_empty(), "{slow}: {threads:?}");
    }
    usher.stop();
}

#[test]
fn the_drain_ends_what_lasts_too_long() {
    let site = Site::new("drain-end");
    site.edit("usher.toml", |main| set(main, "limits", "drain_s", 1));
    let mut usher = Usher::start(&site);
    let (caller, _audio) = call(&site, "caller-hung-up", "13800000001", "10000");
    usher.terminate();
    caller.finish();
    let status = usher.wait(SOON);
    assert!(status.success(), "{status}");
}

#[test]
fn sighup_reloads_under_a_live_call_and_a_broken_folder_changes_nothing() {
    let site = Site::new("reload");
    let mut usher = Usher::start(&site);
    let mut talk = talk(&site);
    let (status, _) = api::request(&site, "GET", "/api/v1/agents/2001", "");
    assert_eq!(status, 404);

    // A new agent, and a new greeting.
    site.edit("agents.toml", |agents| {
        let text = "number = \"2001\"\nname = \"New\"\nsecret = \"change-me-2001\"";
        agents["agent"].as_array_mut().unwrap().push(toml::Value::Table(text.parse().unwrap()));
    });
    let greeting = voice::samples("zh", "a new greeting");
    let file = site.config().join("prompts/zh/greeting-ordinary.wav");
    std::fs::write(&file, voice::wav(&greeting)).unwrap();
    usher.reload();
    usher.wait_output("configuration reloaded", SOON);
    until("the new agent", SOON, || {
        (api::request(&site, "GET", "/api/v1/agents/2001", "").0 == 200).then_some(())
    });
    talk.caller_audio.forget();
    talk.agent_audio.forget();
    assert_talk(&talk.caller_audio, &talk.agent_audio);
    api::wait_agent(&site, "1009", "talking");

    // Broken: all stays as it is.
    let agents = site.config().join("agents.toml");
    let good = std::fs::read_to_string(&agents).unwrap();
    std::fs::write(&agents, format!("{good}\n[[agent]]\nnumber = \"1001\"\nsecret = \"x\"\nnmae = \"y\"\n"))
        .unwrap();
    std::fs::write(&file, b"no WAV").unwrap();
    usher.reload();
    usher.wait_output("the old configuration stays in force", SOON);
    let log = usher.output();
    for mistake in ["nmae", "greeting-ordinary.wav", "1001 is given to another agent"] {
        assert!(log.contains(mistake), "{mistake} is not named in\n{log}");
    }
    talk.caller.go_on();
    talk.caller.finish();
    talk.agent.finish();

    let (mut caller, audio) = call(&site, "caller-hangs-up", "13800000002", "10000");
    let expected: Vec<u8> = greeting.into_iter().map(tests::g711::alaw).collect();
    audio.wait_bytes("the new greeting", &expected);
    caller.go_on();
    caller.finish();
    usher.terminate();
    assert!(usher.wait(Duration::from_secs(15)).success());
}

#[test]
fn a_killed_switch_comes_back_with_registrations_and_agents_on_duty() {
    let site = Site::new("killed");
    let usher = Usher::start(&site);
    let (mut agent, agent_audio) = telephone(&site, "agent-hung-up", "1009");
    api::make_ready(&site, "1009");
    usher.kill();
    let usher = Usher::start(&site);
    // Nobody registers again, nobody dials *10 again.
    api::wait_contacts(&site, "1009", 1);
    api::wait_agent(&site, "1009", "ready");
    let (mut caller, audio) = queued(&site, "caller-hangs-up", "13800000001", 5060);
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&audio, &agent_audio);
    caller.go_on();
    caller.finish();
    agent.finish();
    usher.stop();
}
