//! What callers leave behind: a spoken message becomes a file, a wish to be called back a row.

use std::path::PathBuf;

use tests::api;
use tests::audio::{Audio, Signal, noise};
use tests::sipp::{Plan, register};
use tests::site::Site;
use tests::usher::Usher;
use tests::{SOON, until};

use crate::people::{assert_talk, call};

/// Files below the recordings' folder.
fn recordings(site: &Site) -> Vec<PathBuf> {
    let days = std::fs::read_dir(site.folder().join("var/recordings")).unwrap();
    let files = |day: std::fs::DirEntry| std::fs::read_dir(day.path()).unwrap();
    days.flatten().flat_map(files).flatten().map(|file| file.path()).collect()
}

/// Nobody is there: the complaint is spoken, the caller hangs up, and the file holds every byte he said.
#[test]
fn a_complaint_is_a_file_when_nobody_is_there() {
    let site = Site::new("message");
    site.edit("queues.toml", |queues| {
        for queue in queues["queue"].as_array_mut().unwrap() {
            queue.as_table_mut().unwrap().insert("no_agents_s".into(), 1.into());
        }
    });
    let usher = Usher::start(&site);
    let (mut caller, audio) = call(&site, "caller-hangs-up", "13800000001", "10000");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'3');
    audio.wait_prompt("zh", "complaint-record");
    audio.wait_prompt("zh", "beep");
    audio.say(Signal::Noise(5));
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    caller.go_on();
    caller.finish();
    let (record, steps) = api::last_call(&site, 1);
    api::assert_in_order(
        &steps,
        &["queued general", "overflowed no-agents", "recording complaint", "hung-up"],
    );
    // The index knows where it lies, and listening to it is written down.
    let key = record["key"].as_str().unwrap();
    let list = until("the message to be in the index", SOON, || {
        let list = api::get(&site, &format!("/api/v1/recordings?call={key}"))["recordings"].clone();
        (list.as_array().unwrap().len() == 1).then_some(list)
    });
    let path = format!("/api/v1/recordings/audio?file={}", list[0]["file"].as_str().unwrap());
    let (status, _) = api::request_bytes(&site, &path);
    assert_eq!(status, 200, "{list}");
    usher.stop();

    let files = recordings(&site);
    let [file] = &files[..] else { panic!("{files:?}") };
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("{}-complaint.wav", record["key"].as_str().unwrap()));
    let bytes = std::fs::read(file).unwrap();
    // RIFF, A-law, 8 kHz; then what was said, packet after packet.
    assert_eq!(
        (&bytes[..4], bytes[20], bytes.len() > 58 + 8_000),
        (&b"RIFF"[..], 6, true),
        "{}",
        bytes.len()
    );
    let voice = &bytes[58..];
    let known = (0..2_000).filter(|&packet| {
        let said = noise(5, packet);
        voice.windows(said.len()).any(|part| part == &said[..])
    });
    assert!(known.count() >= 50, "a second of what he said is in the file");
}

/// The agent takes no calls just now: a caller takes a callback.
fn promise(site: &Site) {
    register(site, "1009", 600);
    api::make_ready(site, "1009");
    api::change_agent(site, "1009", r#"{"state":"not-ready","reason":1}"#);
    let (caller, audio) = call(site, "caller-hung-up", "13800000001", "10000");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'0');
    audio.wait_prompt("zh", "connecting");
    audio.press(b'1');
    audio.wait_prompt("zh", "callback-before");
    audio.wait_prompt("zh", "callback-keys");
    audio.press(b'1');
    audio.wait_prompt("zh", "callback-taken");
    caller.finish();
}

/// At any hour, and with one agent only.
fn callbacks_at_once(site: &Site) {
    site.edit("queues.toml", |queues| {
        let callbacks = queues["callbacks"].as_table_mut().unwrap();
        callbacks.remove("quiet");
        callbacks.insert("reserve".into(), 0.into());
    });
}

/// The switch is killed between the promise and the agent's return: the customer is called all the same, sees the
/// hotline's number, is greeted, and talks to the agent.
#[test]
fn a_promised_callback_is_made_also_after_a_restart() {
    let site = Site::new("called-back");
    callbacks_at_once(&site);
    let usher = Usher::start(&site);
    promise(&site);
    let (record, _) = api::last_call(&site, 1);
    let list = until("the promise to be in the store", SOON, || {
        let list = api::get(&site, "/api/v1/callbacks")["callbacks"].clone();
        (list.as_array().unwrap().len() == 1).then_some(list)
    });
    assert_eq!((&list[0]["call"], &list[0]["state"]), (&record["key"], &"waiting".into()));
    usher.kill();
    let usher = Usher::start(&site);

    let (gateway_audio, agent_audio) = (Audio::bind(site.carrier()), Audio::bind(site.agent("1009")));
    let mut gateway = Plan::new(&site, "gateway", site.carrier()).port(5080).audio(&gateway_audio).start();
    let mut agent = Plan::new(&site, "agent-hangs-up", site.agent("1009")).audio(&agent_audio).start();
    api::wait_contacts(&site, "1009", 1);
    api::change_agent(&site, "1009", r#"{"state":"ready"}"#);
    gateway.wait("ringing");
    gateway.go_on();
    gateway.wait("talking");
    gateway_audio.speak_to(gateway.media(&site));
    agent.wait("ringing");
    gateway_audio.wait_prompt("zh", "called-back");
    agent.go_on();
    agent.wait("talking");
    assert_talk(&gateway_audio, &agent_audio);
    agent.go_on();
    agent.finish();
    let messages = gateway.finish();
    assert!(messages.contains("From: <sip:10000@") || messages.contains("sip:10000@"), "{messages}");
    let (made, steps) = api::last_call(&site, 2);
    assert_eq!((&made["outcome"], &made["source"]), (&"answered".into(), &"callback".into()), "{made}");
    api::assert_in_order(
        &steps,
        &["dialled callback", "answered", "queued general", "bridged 1009", "hung-up agent"],
    );
    until("the promise to be kept", SOON, || {
        let all = api::get(&site, "/api/v1/callbacks?all=true")["callbacks"].clone();
        (all[0]["state"] == "kept").then_some(())
    });
    let key = made["key"].as_str().unwrap();
    let told = site.ask(&["explain", key]);
    assert!(told.contains("presented to 1009") && !told.contains("13800000001"), "{told}");
    let decisions = api::get(&site, &format!("/api/v1/calls/{key}/decisions"));
    assert!(!decisions["decisions"].as_array().unwrap().is_empty(), "{decisions}");
    usher.stop();
}

#[test]
fn a_promised_callback_is_listed_until_it_is_done() {
    let site = Site::new("callback");
    let usher = Usher::start(&site);
    promise(&site);
    let (record, _) = api::last_call(&site, 1);
    assert_eq!(record["outcome"], "deflected", "{record}");
    let call = record["key"].as_str().unwrap();
    let list = until("the promise to be in the store", SOON, || {
        let list = api::get(&site, "/api/v1/callbacks")["callbacks"].clone();
        (list.as_array().unwrap().len() == 1).then_some(list)
    });
    assert_eq!((&list[0]["call"], &list[0]["queue"]), (&call.into(), &"general".into()));
    let key = list[0]["key"].as_str().unwrap();
    let open = site.ask(&["callbacks", "list"]);
    assert!(open.contains(key) && !open.contains("13800000001"), "{open}");
    assert!(site.ask(&["callbacks", "list", "--reveal"]).contains("13800000001"));
    site.ask(&["callbacks", "done", key]);
    assert!(!site.ask(&["callbacks", "list"]).contains(key));
    assert!(site.ask(&["callbacks", "list", "--all"]).contains(key));
    usher.stop();
}
