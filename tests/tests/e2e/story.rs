//! The main story: greeted by value, queued, answered by the right agent, talked, accounted for.

use tests::api;
use tests::audio::{Audio, Signal};
use tests::baresip::Baresip;
use tests::g711::{self, Law};
use tests::sipp::{Plan, register};
use tests::site::{Site, set};
use tests::usher::Usher;
use tests::voice;

use crate::people::{call, telephone};

#[test]
fn a_call_is_greeted_queued_answered_talked_and_accounted_for() {
    let site = Site::new("story");
    let usher = Usher::start(&site);
    register(&site, "1009", 600);
    let agent_audio = Audio::bind(site.agent("1009"));
    let mut agent = Plan::new(&site, "agent-hung-up", site.agent("1009")).audio(&agent_audio).start();
    api::make_ready(&site, "1009");

    let (mut caller, caller_audio) = call(&site, "caller-hangs-up", "13800000001", "10000");
    caller_audio.wait_prompt("zh", "greeting-ordinary");
    caller_audio.wait_prompt("zh", "menu-ordinary");
    caller_audio.press(b'0');
    caller_audio.wait_prompt("zh", "connecting");

    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    caller_audio.wait_prompt("zh", "agent-before");
    caller_audio.wait_prompt("zh", "agent-after");
    api::wait_agent(&site, "1009", "talking");

    // Both ways, every byte as it was sent.
    caller_audio.say(Signal::Noise(1));
    agent_audio.say(Signal::Noise(2));
    agent_audio.wait_noise(1);
    caller_audio.wait_noise(2);

    caller.go_on();
    caller.finish();
    agent.finish();
    let (record, steps) = api::last_call(&site, 1);
    assert_eq!(record["outcome"], "answered", "{record}");
    assert_eq!(record["caller"], "13800000001");
    assert_eq!((&record["tier"], &record["queue"]), (&"ordinary".into(), &"general".into()));
    assert_eq!(record["agent"], "1009");
    let expected = ["offered", "identified ordinary", "answered", "key", "queued general", "presented 1009"];
    api::assert_in_order(&steps, &expected);
    api::assert_in_order(&steps, &["agent-answered 1009", "bridged 1009", "hung-up"]);
    api::wait_agent(&site, "1009", "wrap-up");

    let key = record["key"].as_str().unwrap();
    let shown = site.ask(&["calls", "show", key]);
    for word in ["bridged", "1009", "ordinary", "general"] {
        assert!(shown.contains(word), "{word} is not in\n{shown}");
    }
    assert!(!shown.contains("13800000001"), "numbers are masked unless asked for:\n{shown}");
    assert!(site.ask(&["calls", "list"]).contains(key));
    usher.stop();
}

/// A real softphone: it registers with digest, answers, and each side hears the other's tone.
#[test]
fn a_softphone_registers_answers_and_both_hear_each_other() {
    let site = Site::new("softphone");
    let usher = Usher::start(&site);
    let phone = Baresip::start(&site, "1010", 437.0);
    api::make_ready(&site, "1010");
    let (mut caller, audio) = call(&site, "caller-hangs-up", "13800000001", "10000");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'0');
    audio.say(Signal::Tone(1000.0));
    audio.wait_tone(437.0);
    // He, too, must have had time to hear a second of it.
    audio.wait_tone(437.0);
    caller.go_on();
    caller.finish();
    let (record, _) = api::last_call(&site, 1);
    assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &"1010".into()), "{record}");
    let heard = phone.heard();
    let best = heard.chunks_exact(4000).map(|part| g711::share_of(1000.0, part)).fold(0.0, f64::max);
    assert!(
        best > 0.9,
        "of what the agent heard ({} samples) at best {best} is the caller's tone",
        heard.len()
    );
    usher.stop();
}

/// Softphones that speak Opus, or G.722, and nothing else; the carrier speaks G.711 and nothing else.
#[test]
fn softphones_of_other_codecs_and_the_carrier_hear_each_other() {
    for codec in ["opus/48000/2", "G722"] {
        let site = Site::new("codecs");
        site.edit("usher.toml", |main| {
            set(
                main,
                "media",
                "codecs",
                vec!["PCMA".to_owned(), "PCMU".into(), "G722".into(), "opus".into()],
            );
        });
        let usher = Usher::start(&site);
        let phone = Baresip::that_speaks(&site, "1010", 437.0, codec);
        api::make_ready(&site, "1010");
        let (mut caller, audio) = call(&site, "caller-hangs-up", "13800000001", "10000");
        audio.wait_prompt("zh", "menu-ordinary");
        audio.press(b'0');
        audio.say(Signal::Tone(1000.0));
        audio.wait_tone(437.0);
        audio.wait_tone(437.0);
        caller.go_on();
        caller.finish();
        let (record, _) = api::last_call(&site, 1);
        assert_eq!((&record["outcome"], &record["agent"]), (&"answered".into(), &"1010".into()), "{record}");
        let heard = phone.heard();
        let shares = heard.chunks_exact(4000).map(|part| g711::share_of(1000.0, part));
        let best = shares.fold(0.0, f64::max);
        assert!(best > 0.9, "{codec}: of {} samples at best {best} is the caller's tone", heard.len());
        usher.stop();
    }
}

/// The caller speaks µ-law, the agent A-law: the prompts are the caller's, and both hear each other.
#[test]
fn a_caller_of_mu_law_and_an_agent_of_a_law_understand_each_other() {
    let site = Site::new("laws");
    let usher = Usher::start(&site);
    let (mut agent, agent_audio) = telephone(&site, "agent-hung-up", "1009");
    api::make_ready(&site, "1009");
    let audio = Audio::with_law(site.carrier(), Law::Mu);
    let plan = Plan::new(&site, "caller-hangs-up", site.carrier()).audio(&audio);
    let mut caller = plan.key("caller", "13800000001").key("dialled", "10000").start();
    caller.wait("answered");
    audio.wait_prompt("zh", "greeting-ordinary");
    audio.wait_prompt("zh", "menu-ordinary");
    audio.press(b'0');
    agent.wait("ringing");
    agent.go_on();
    agent.wait("talking");
    audio.say(Signal::Tone(1000.0));
    agent_audio.say(Signal::Tone(437.0));
    agent_audio.wait_tone(1000.0);
    audio.wait_tone(437.0);
    assert!(audio.heard().iter().all(|packet| packet.payload_type == Law::Mu.payload_type()));
    assert!(agent_audio.heard().iter().all(|packet| packet.payload_type == Law::A.payload_type()));
    caller.go_on();
    caller.finish();
    agent.finish();
    usher.stop();
}

/// The listening test: what the caller hears is the WAV file of his tier's greeting after G.711, sample for
/// sample, packet after packet without a gap.
#[test]
fn every_tier_hears_its_own_greeting_sample_for_sample() {
    let site = Site::new("greetings");
    site.customers(&[
        "13800000001,Zhao Yi,diamond,zh,no,,",
        "13800000002,Qian Er,gold,zh,no,,",
        "13800000003,Sun San,silver,en,no,,",
        "13800000004,Li Si,ordinary,en,no,,",
    ]);
    let usher = Usher::start(&site);
    let rows = [("diamond", "zh"), ("gold", "zh"), ("silver", "en"), ("ordinary", "en")];
    for (row, (tier, language)) in rows.iter().enumerate() {
        // Carriers write numbers in their own ways.
        let caller = format!("{}1380000000{}", ["", "0", "86", "+86"][row], row + 1);
        let (mut caller, audio) = call(&site, "caller-hangs-up", &caller, "10000");
        let name = format!("greeting-{tier}");
        let start = audio.wait_prompt(language, &name);
        let after = audio.wait_prompt(language, &format!("menu-{tier}"));
        assert!(after >= start + voice::samples(language, &name).len(), "the menu follows the greeting");
        assert_no_jump(&audio);
        // Nobody else's greeting, nor the other language's.
        let heard = tests::audio::voice(&audio.heard());
        for (other, tongue) in rows.iter().flat_map(|(tier, _)| [(tier, "zh"), (tier, "en")]) {
            if (*other, tongue) != (tier, language) {
                let samples = voice::samples(tongue, &format!("greeting-{other}"));
                let start: Vec<u8> = samples.into_iter().take(320).map(g711::alaw).collect();
                assert!(!heard.windows(320).any(|window| window == start), "{tier} heard {other} {tongue}");
            }
        }
        caller.go_on();
        caller.finish();
        let (record, steps) = api::last_call(&site, row + 1);
        assert_eq!(record["tier"], *tier);
        api::assert_in_order(&steps, &["offered", &format!("identified {tier}"), "answered"]);
    }
    usher.stop();
}

/// One source, sequence numbers one after the other, timestamps by 160, a packet every 20 ms.
fn assert_no_jump(audio: &Audio) {
    let packets = audio.heard();
    for pair in packets.windows(2) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert_eq!(pair[0].sequence.wrapping_add(1), pair[1].sequence);
        assert_eq!(pair[0].timestamp.wrapping_add(160), pair[1].timestamp);
    }
    let (Some(first), Some(last)) = (packets.first(), packets.last()) else { panic!("nothing was heard") };
    let count = u32::try_from(packets.len() - 1).unwrap();
    let mean = (last.at - first.at).as_secs_f64() * 1000.0 / f64::from(count);
    assert!((19.0..21.0).contains(&mean), "a packet every {mean} ms");
}
