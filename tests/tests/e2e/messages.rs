//! What callers leave behind: a spoken message becomes a file, a wish to be called back a row.

use std::path::PathBuf;

use tests::api;
use tests::audio::{Signal, noise};
use tests::sipp::register;
use tests::site::Site;
use tests::usher::Usher;

use crate::people::call;

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

/// The agent takes no calls just now: the caller would rather be called back.
#[test]
fn a_promised_callback_is_listed_until_it_is_done() {
    let site = Site::new("callback");
    let usher = Usher::start(&site);
    register(&site, "1009", 600);
    api::make_ready(&site, "1009");
    api::change_agent(&site, "1009", r#"{"state":"not-ready","reason":1}"#);
    let (caller, audio) = call(&site, "caller-hung-up", "13800000001", "10000");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'0');
    audio.wait_prompt("zh", "connecting");
    audio.press(b'1');
    audio.wait_prompt("zh", "callback-before");
    audio.wait_prompt("zh", "callback-keys");
    audio.press(b'1');
    audio.wait_prompt("zh", "callback-taken");
    caller.finish();
    let (record, _) = api::last_call(&site, 1);
    assert_eq!(record["outcome"], "deflected", "{record}");
    let call = record["key"].as_str().unwrap();
    let list = api::get(&site, "/api/v1/callbacks");
    assert_eq!(
        (&list["callbacks"][0]["call"], &list["callbacks"][0]["queue"]),
        (&call.into(), &"general".into())
    );
    let key = list["callbacks"][0]["key"].as_str().unwrap();
    let open = site.ask(&["callbacks", "list"]);
    assert!(open.contains(key) && !open.contains("13800000001"), "{open}");
    assert!(site.ask(&["callbacks", "list", "--reveal"]).contains("13800000001"));
    site.ask(&["callbacks", "done", key]);
    assert!(!site.ask(&["callbacks", "list"]).contains(key));
    assert!(site.ask(&["callbacks", "list", "--all"]).contains(key));
    usher.stop();
}
