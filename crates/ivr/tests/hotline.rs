//! The flows of `config/hotline`: they are whole, every prompt can be made, and a caller can walk through them.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "the test reads the example configuration")]

mod script;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ivr::{Flows, Source, Vocabulary};
use script::Script;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/hotline").join(name)
}

fn flows() -> Flows {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder("flows")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let files: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().into(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let sources: Vec<Source<'_>> = files.iter().map(|(file, text)| Source { file, text }).collect();
    Flows::parse(&sources).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// Names that `make prompts` makes: the table's, and the tones.
fn voice(language: &str) -> BTreeSet<String> {
    let table = std::fs::read_to_string(folder("prompts").join(format!("{language}.txt"))).unwrap();
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut names = BTreeSet::new();
    for line in lines {
        let (name, text) = line.split_once('\t').unwrap_or_else(|| panic!("no TAB in `{line}`"));
        assert!(!text.trim().is_empty() && names.insert(name.to_owned()), "{language}.txt: {line}");
    }
    let tones = ["beep", "busy", "music", "ringback", "silence"];
    assert!(tones.iter().all(|tone| names.insert((*tone).to_owned())));
    names
}

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn vocabulary() -> Vocabulary {
    Vocabulary {
        prompts: ["zh", "en"].map(|language| (language.to_owned(), voice(language))).into(),
        queues: words(&["vip", "general"]),
        skills: words(&["zh", "en", "vip", "complaint", "fault"]),
        tiers: words(&["diamond", "gold", "silver", "ordinary"]),
    }
}

#[test]
fn the_example_is_whole() {
    let checked = flows().check(&vocabulary());
    assert_eq!(checked.errors, []);
    assert_eq!(checked.warnings, []);
}

#[test]
fn every_tier_is_greeted_as_itself_in_both_languages() {
    for tier in ["diamond", "gold", "silver", "ordinary"] {
        for language in ["zh", "en"] {
            Script::start(flows(), "10000", tier, language)
                .expect(&[&format!("play {language} greeting-{tier}")]);
        }
    }
    Script::start(flows(), "10000", "unheard-of", "").expect(&["play zh greeting-ordinary"]);
    Script::start(flows(), "10001", "diamond", "en").expect(&["set home", "play en greeting-self-service"]);
}

#[test]
fn a_diamond_caller_who_presses_nothing_talks_to_a_person() {
    let mut script = Script::start(flows(), "10000", "diamond", "zh");
    script.expect(&["play zh greeting-diamond"]);
    script.done().expect(&["play zh menu-diamond"]);
    script.done().expect(&[]);
    script.wait_ms(2999).expect(&[]);
    script.wait_ms(1).expect(&["enqueue vip Normal managers zh:5", "play zh connecting-vip"]);
    script.done().expect(&["music zh music"]);
    script.wait_ms(6000).expect(&["ask wait"]);
    script.expected_s(90).expect(&["play zh wait-before say-about say-liang say-minutes"]);
    script.agent("1024").expect(&["play zh agent-before say-yao say-0 say-2 say-4 agent-after"]);
    script.done().expect(&["join"]);
    script.key('5').wait_ms(600_000).expect(&[]);
    script.agent_hangs_up().expect(&["play zh survey"]);
    script.key('5').expect(&["stop", "score satisfaction 5", "play zh survey-thanks"]);
    script.done().expect(&["play zh goodbye"]);
    script.done().expect(&["hangup done"]).is_over();
}

#[test]
fn a_silent_caller_is_greeted_twice_and_asked_to_call_from_another_phone() {
    let mut script = Script::start(flows(), "10000", "ordinary", "en");
    script.expect(&["play en greeting-ordinary"]);
    script.done().expect(&["play en menu-ordinary"]);
    script.done().wait_ms(5000).expect(&["play en greeting-ordinary"]);
    script.done().expect(&["play en menu-ordinary"]);
    script.done().wait_ms(5000).expect(&["play en call-from-another-phone"]);
    script.done().wait_ms(5000).expect(&["hangup silent"]).is_over();
}

#[test]
fn a_senior_goes_to_a_person_without_a_menu() {
    let mut script = Script::start_senior(flows(), "10000", "ordinary", "zh");
    script.expect(&["play zh greeting-senior"]);
    script.key('3').expect(&[]);
    script.done().expect(&["enqueue general Normal managers zh:5", "play zh connecting"]);
}

#[test]
fn the_balance_is_spoken() {
    let mut script = Script::start(flows(), "10001", "silver", "en");
    script.expect(&["set home", "play en greeting-self-service"]);
    // Who knows the menu need not hear it.
    script.key('1').expect(&["stop", "play en menu-account"]);
    script.key('1').expect(&["stop", "hook balance number", "play en one-moment"]);
    script.hook_ok(&[("balance", "88.60"), ("charges", "12"), ("tier", "diamond")]).expect(&[]);
    assert_eq!(script.vars().get("tier"), "silver", "the back end sets only what the step takes");
    script
        .done()
        .expect(&["play en balance-is say-80 say-8 say-yuan say-60 say-fen charges-are say-12 say-yuan"]);
    script.done().expect(&["play en anything-else"]);
    script.key('1').expect(&["stop", "play en menu-self-service"]);
    script.key('9').expect(&["stop", "set language", "play zh menu-self-service"]);
    script.key('0').expect(&["stop", "set home", "play zh crossing-to-people"]);
    script.done().expect(&["enqueue general Normal managers zh:5", "play zh connecting"]);
}

#[test]
fn a_back_end_that_fails_has_its_own_branch() {
    let mut script = Script::start(flows(), "10000", "gold", "en");
    script.key('x');
    script.expect(&["play en greeting-gold"]);
    script.done().expect(&["play en menu-gold"]);
    script.key('1').key('2').expect(&[
        "stop",
        "play en menu-account",
        "stop",
        "hook points number",
        "play en one-moment",
    ]);
    script.done().hook_fails().expect(&["play en back-end-unavailable"]);
    // And a driver that never answers.
    let mut script = Script::start(flows(), "10000", "gold", "en");
    script.key('1').key('1');
    script.done().forget();
    script.wait_ms(3000).expect(&["play en back-end-unavailable"]);
    // And values that are missing.
    let mut script = Script::start(flows(), "10000", "gold", "en");
    script.key('1').key('1').done().forget();
    script.hook_ok(&[("balance", "1")]).expect(&["play en back-end-unavailable"]);
}

#[test]
fn an_order_number_is_confirmed_and_its_progress_spoken() {
    let mut script = Script::start(flows(), "10000", "gold", "en");
    script.forget().key('2').expect(&["stop", "play en order-enter"]);
    script.keys("123#").expect(&["stop", "play en sorry-invalid"]);
    script.done().expect(&["play en order-enter"]);
    script
        .keys("123456#")
        .expect(&["stop", "play en you-entered say-1 say-2 say-3 say-4 say-5 say-6 confirm-keys"]);
    script.key('2').expect(&["stop", "play en sorry-invalid"]);
    script.done().expect(&["play en order-enter"]);
    script.keys("654321").wait_ms(3000).forget();
    script.key('1').expect(&["stop", "hook order number order", "play en one-moment"]);
    script.done().hook_ok(&[("order_status", "working"), ("order_date", "2026-11-22")]);
    script.expect(&["play en order-working say-november say-20 say-2nd say-20 say-20 say-6"]);
}

#[test]
fn a_waiting_caller_books_a_callback_and_keeps_his_place_until_then() {
    let mut script = Script::start(flows(), "10000", "ordinary", "en");
    script.forget().key('0').expect(&["stop", "enqueue general Normal managers en:5", "play en connecting"]);
    script.done().wait_ms(4000).expect(&["music en music", "ask wait"]);
    script.expected_unknown().expect(&["play en wait-unknown"]);
    script.done().expect(&["music en music"]);
    script.wait_ms(25_000).expect(&["ask wait"]);
    script.expected_s(30).expect(&["play en comfort"]);
    script.done().expect(&["play en wait-before say-less-than-a-minute"]);
    script.key('1').expect(&[
        "stop",
        "play en callback-before say-1 say-3 say-8 say-0 say-0 say-1 say-3 say-8 say-0 say-0 say-0 callback-keys",
    ]);
    assert_eq!(script.queue(), Some("general"));
    // No: back to the music, no second entry into the queue.
    script.key('3').expect(&["stop", "play en connecting"]);
    script.done().expect(&["music en music"]);
    script.key('1').forget();
    script.key('2').expect(&["stop", "play en callback-enter"]);
    script.keys("02087654321#").expect(&[
        "stop",
        "play en callback-before say-0 say-2 say-0 say-8 say-7 say-6 say-5 say-4 say-3 say-2 say-1 callback-keys",
    ]);
    script.key('1').expect(&["stop", "callback general"]);
    script.callback(true).expect(&["play en callback-taken"]);
    assert_eq!(script.queue(), None);
    script.done().expect(&["play en goodbye"]);
    script.done().expect(&["hangup done"]).is_over();
}

#[test]
fn an_agent_may_come_while_the_caller_chooses_otherwise() {
    let mut script = Script::start(flows(), "10000", "gold", "en");
    script.key('0').forget();
    script.key('2').expect(&["stop", "set home", "play en greeting-self-service"]);
    assert_eq!(script.queue(), Some("vip"));
    script.agent("7").expect(&["play en agent-before say-7 agent-after"]);
    // He is lost before the voices are joined: back to the queue, without a second entry.
    script.requeued().expect(&["play en connecting-vip"]);
    script.agent("8").forget();
    script.done().expect(&["join"]);
    script.requeued().expect(&["play en connecting-vip"]);
    script.agent("9").done().forget();
    script.agent_hangs_up().expect(&["play en survey"]);
    script.done().wait_ms(5000).expect(&["play en survey"]);
    script.key('9').expect(&["stop", "play en goodbye"]);
    script.done().expect(&["hangup done"]).is_over();
}

#[test]
fn overflow_apologises_and_offers_a_callback() {
    let mut script = Script::start(flows(), "10000", "ordinary", "en");
    script.key('0').forget();
    script.left("time", None).expect(&["play en overflow-apology"]);
    assert_eq!(script.queue(), None);
    script.done().forget();
    script.done().wait_ms(5000).forget();
    script.done().wait_ms(5000).forget();
    script.done().wait_ms(5000).expect(&["play en goodbye"]);
    let mut script = Script::start(flows(), "10000", "ordinary", "en");
    script.key('0').forget();
    script.left("no-agents", None).expect(&["play en closed-apology"]);
    let mut script = Script::start(flows(), "10000", "ordinary", "en");
    script.key('0').forget();
    script.left("time", Some("closed")).expect(&["play en closed-apology"]);
}

#[test]
fn a_complaint_is_recorded_when_nobody_is_there() {
    let mut script = Script::start(flows(), "10000", "diamond", "en");
    script.forget().key('3').expect(&[
        "stop",
        "enqueue vip Complaint managers en:5",
        "play en connecting-complaint",
    ]);
    // What the step says about this reason goes before what the queue does with anybody.
    script.left("no-agents", Some("closed")).expect(&["play en complaint-record beep"]);
    script.done().expect(&["record complaint 120 s"]);
    script.key('#').expect(&["stop record"]);
    script.recorded(Some(2000)).expect(&["play en complaint-recorded goodbye"]);
    script.done().expect(&["hangup done"]).is_over();
}

/// Whatever a caller presses, and whenever, he is never stuck: when he stops, the call ends or he is in a queue.
#[test]
fn ten_thousand_wild_callers_come_to_an_end() {
    let flows = std::sync::Arc::new(flows());
    for seed in 0..10_000 {
        script::wild(&flows, seed);
    }
}
