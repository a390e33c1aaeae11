//! Verbs one by one, the limits, and every mistake that the check names.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod script;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Finding;
use ivr::say::{self, Language};
use ivr::{Flows, Source, Vocabulary};
use script::{Script, caller};

fn parse(text: &str) -> Result<Flows, Vec<Finding>> {
    Flows::parse(&[Source { file: "f.toml", text }])
}

fn good(text: &str) -> Flows {
    parse(text).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

fn script(text: &str) -> Script {
    Script::at(&Arc::new(good(text)), "f", &caller("gold", "en", false))
}

fn vocabulary() -> Vocabulary {
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let voice = |language: Language| {
        let mut names = set(&["hello", "music", "agent-before", "agent-after"]);
        names.extend(say::pieces(language).into_iter().map(str::to_owned));
        (language.word().to_owned(), names)
    };
    Vocabulary {
        prompts: Language::ALL.iter().map(|language| voice(*language)).collect(),
        queues: set(&["vip"]),
        skills: set(&["fault"]),
        tiers: set(&["gold", "silver"]),
    }
}

/// What is wrong with `text`, as it is printed.
fn wrong(text: &str) -> Vec<String> {
    let vocabulary = vocabulary();
    let findings = match parse(text) {
        Ok(flows) => {
            let checked = flows.check(&vocabulary);
            checked.errors.into_iter().chain(checked.warnings).collect()
        }
        Err(findings) => findings,
    };
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_flow_has_no_findings() {
    let text = r#"
        [entry.10000]
        any = "f"
        [flow.f]
        start = "a"
        [flow.f.step.a]
        verb = "play"
        prompts = "hello"
        next = "b"
        [flow.f.step.b]
        verb = "hangup"
    "#;
    assert_eq!(wrong(text), Vec::<String>::new());
    let flows = good(text);
    assert_eq!(flows.entry("10000", "gold").map(|flow| &**flow), Some("f"));
    assert_eq!(flows.entry("10001", "gold"), None);
    assert_eq!(flows.numbers().collect::<Vec<_>>(), ["10000"]);
    assert_eq!(flows.prompts().into_iter().collect::<Vec<_>>(), ["hello"]);
}

#[test]
fn every_mistake_of_a_file_is_found_at_once_with_its_line() {
    let text = r#"[flow.f]
start = "a"
strat = "a"
[flow.f.step.a]
verb = "manu"
[flow.f.step.b]
verb = "menu"
prompts = []
keys = { 11 = "a", 1 = 5 }
timeout_ms = 1
retrys = 3
[flow.f.step.c]
verb = "say"
words = [{ amout = "${x}" }, { number = "${x" }]
barge_in = "yes"
[flow.f.step.d]
verb = "enqueue"
queue = "vip"
class = "complain"
skills = { fault = 11 }
overflow = "b"
[entri.1]
"#;
    assert_eq!(
        wrong(text),
        [
            "f.toml:3: unknown key `strat`; did you mean `start`?",
            "f.toml:5: step `a`: there is no verb `manu`; did you mean `menu`?",
            "f.toml:6: `default` is missing",
            "f.toml:9: `11` is not a key of a telephone: 0-9, \"*\", \"#\", A-D",
            "f.toml:9: `1` must be a text that is not empty",
            "f.toml:10: `timeout_ms` is 1, not within 500 to 60000",
            "f.toml:11: unknown key `retrys`; did you mean `retries`?",
            "f.toml:12: `next` is missing",
            "f.toml:14: a variable is written ${name}: letters, digits and _",
            "f.toml:14: nothing is spoken as `amout`; did you mean `amount`?",
            "f.toml:15: `barge_in` must be true or false, not string",
            "f.toml:19: `class` cannot be `complain`; did you mean `complaint`?",
            "f.toml:20: the level of `fault` must be from 1 to 10",
            "f.toml:22: a flow file has no table `entri`; did you mean `entry`?",
        ]
    );
}

#[test]
fn what_can_be_read_is_held_against_each_other_in_the_same_round() {
    let broken = r#"[flow.lost]
start = "a"
[flow.lost.step.a]
verb = "menuu"
keys = { 1 = "b" }
into = "written-by-a-broken-step"
[flow.lost.step.b]
verb = "play
prompts = "hello"
next = "c"
[flow.lost.step.c]
verb = "play"
prompts = "hallo"
next = "a"
[flow.lost.step.d]
verb = "play"
prompts = "hello"
next = "nowhere"
"#;
    let other = r#"[entry.10000]
any = "lost"
[flow.g]
start = "a"
[flow.g.step.a]
verb = "enqueue"
queue = "vipp"
overflow = "flow:lots"
"#;
    let sources = [Source { file: "a.toml", text: broken }, Source { file: "b.toml", text: other }];
    let (flows, mut found) = Flows::read(&sources);
    found.extend(flows.check(&vocabulary()).errors);
    found.sort();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "a.toml:4: step `a`: there is no verb `menuu`; did you mean `menu`?",
        "a.toml:8: invalid basic string, expected `\"`",
        "a.toml:13: voice `en` has no prompt `hallo`; did you mean `hello`?",
        "a.toml:13: voice `zh` has no prompt `hallo`; did you mean `hello`?",
        "a.toml:18: flow `lost` has no step `nowhere`; known are: c, d",
        "b.toml:7: there is no queue `vipp`; did you mean `vip`?",
        "b.toml:8: there is no flow `lots`; did you mean `lost`?",
    ];
    assert_eq!(found, expected, "nothing about `a`, `b` or `lost`, which are there");
}

#[test]
fn broken_toml_and_double_names_are_findings() {
    let broken = wrong("[flow.f\nstart = 1\n");
    assert!(!broken.is_empty() && broken.iter().all(|finding| finding.starts_with("f.toml:")), "{broken:?}");
    let double = wrong("[flow.f]\nstart = \"a\"\nstart = \"b\"\n");
    assert!(double.iter().any(|finding| finding.starts_with("f.toml:3: duplicate key")), "{double:?}");
    let hangup = "[flow.f]\nstart = \"a\"\n[flow.f.step.a]\nverb = \"hangup\"\n";
    let entry = "[entry.1]\nany = \"f\"\n";
    let text = format!("{hangup}{entry}");
    let found =
        Flows::parse(&[Source { file: "a.toml", text: &text }, Source { file: "b.toml", text: &text }]);
    let found: Vec<String> = found.unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["b.toml:1: flow `f` exists already: a.toml:1", "b.toml:5: number 1 exists already: a.toml:5"]
    );
    assert_eq!(wrong("[flow]\nf = 1\n"), ["f.toml:2: `f` must be a table: [flow.NAME]"]);
    assert_eq!(wrong(&format!("{hangup}[entry.x1]\nany = \"f\"\n")).len(), 1);
    assert_eq!(wrong("[flow.f]\nstart = \"a\"\nstep = 1\n").len(), 1);
}

#[test]
fn names_that_do_not_exist_are_found() {
    let text = r#"[entry.10000]
gold = "g"
platinum = "f"
[flow.f]
start = "aa"
[flow.f.step.a]
verb = "play"
prompts = "hallo"
next = "c"
[flow.f.step.b]
verb = "enqueue"
queue = "vipp"
skills = { faults = 3 }
overflow = "flow:nowhere"
[flow.f.step.d]
verb = "branch"
on = "balanse"
is = { x = "a" }
default = "e"
[flow.f.step.e]
verb = "set"
values = { balance = "${tear}" }
next = "a"
"#;
    let found = wrong(text);
    let expected = [
        "f.toml:1: number 10000 has no flow for tier `silver`; name one, or `any`",
        "f.toml:2: there is no flow `g`; did you mean `f`?",
        "f.toml:3: there is no tier `platinum`; known are: gold, silver",
        "f.toml:5: flow `f` has no step `aa` to start with; did you mean `a`?",
        "f.toml:8: voice `en` has no prompt `hallo`; did you mean `hello`?",
        "f.toml:8: voice `zh` has no prompt `hallo`; did you mean `hello`?",
        "f.toml:9: flow `f` has no step `c`; did you mean `a`?",
        "f.toml:12: there is no queue `vipp`; did you mean `vip`?",
        "f.toml:13: there is no skill `faults`; did you mean `fault`?",
        "f.toml:14: there is no flow `nowhere`; known are: f",
        "f.toml:17: no step gives `balanse` a value; did you mean `balance`?",
        "f.toml:22: no step gives `tear` a value; did you mean `tier`?",
    ];
    assert_eq!(found[..expected.len()], expected);
    assert!(found[expected.len()..].iter().all(|warning| warning.contains("nothing leads to")), "{found:#?}");
}

#[test]
fn a_way_without_input_that_leads_back_is_found() {
    let circle = |keys: &str| {
        format!(
            "[flow.f]\nstart = \"a\"\n\
             [flow.f.step.a]\nverb = \"play\"\nprompts = \"hello\"\nnext = \"b\"\n\
             [flow.f.step.b]\nverb = \"menu\"\nprompts = \"hello\"\n{keys}\n\
             [flow.f.step.c]\nverb = \"hangup\"\n"
        )
    };
    assert_eq!(wrong(&circle("keys = { 1 = \"a\" }\ndefault = \"c\"")), Vec::<String>::new());
    assert_eq!(wrong(&circle("keys = { 1 = \"a\" }\nsilent = \"c\"\ndefault = \"a\"")), Vec::<String>::new());
    let found = wrong(&circle("keys = { 1 = \"c\" }\ndefault = \"a\""));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("f.toml:3: step `a` of flow `f` leads back to itself"), "{found:?}");
    assert!(found[1].starts_with("f.toml:7: step `b`"), "{found:?}");
}

#[test]
fn a_step_that_nothing_leads_to_is_a_warning() {
    let text =
        "[flow.f]\nstart = \"a\"\n[flow.f.step.a]\nverb = \"hangup\"\n[flow.f.step.b]\nverb = \"hangup\"\n";
    assert_eq!(wrong(text), ["f.toml:5: nothing leads to step `b` of flow `f`"]);
}

#[test]
fn a_circle_that_was_not_checked_ends_at_run_time() {
    let text = "[flow.f]\nstart = \"a\"\n[flow.f.step.a]\nverb = \"set\"\nvalues = {}\nnext = \"a\"\n";
    script(text).expect(&["hangup loop"]).is_over();
    script("[flow.f]\nstart = \"b\"\n").expect(&["hangup broken"]).is_over();
}

#[test]
fn a_menu_counts_misses_and_regrets_them() {
    let text = r#"
        [flow.f]
        start = "a"
        [flow.f.step.a]
        verb = "menu"
        prompts = "menu"
        silence = "nothing-heard"
        invalid = "wrong"
        retries = 2
        keys = { 1 = "one", '#' = "a" }
        default = "lost"
        [flow.f.step.one]
        verb = "hangup"
        prompts = "one"
        [flow.f.step.lost]
        verb = "hangup"
        prompts = "lost"
    "#;
    let mut caller = script(text);
    caller.expect(&["play en menu"]);
    caller.key('7').expect(&["stop", "play en wrong"]);
    caller.done().expect(&["play en menu"]);
    caller.done().wait_ms(4999).expect(&[]);
    caller.wait_ms(1).expect(&["play en nothing-heard"]);
    caller.key('1').expect(&["stop", "play en one"]);
    let mut caller = script(text);
    caller.key('7').key('7').key('7').expect(&[
        "play en menu",
        "stop",
        "play en wrong",
        "stop",
        "play en wrong",
        "stop",
        "play en lost",
    ]);
    // A prompt whose end is never told does not hold the caller for ever.
    let mut caller = script(text);
    caller.wait_ms(299_999).expect(&["play en menu"]);
    caller.wait_ms(1).expect(&["stop"]);
    caller.wait_ms(5000).expect(&["play en nothing-heard"]);
}

#[test]
fn gather_ends_by_length_terminator_or_silence() {
    let text = r#"
        [flow.f]
        start = "a"
        [flow.f.step.a]
        verb = "gather"
        prompts = "pin"
        into = "pin"
        min = 2
        max = 4
        terminator = "*"
        first_ms = 4000
        inter_ms = 2000
        retries = 0
        next = "told"
        default = "lost"
        [flow.f.step.told]
        verb = "say"
        words = { digits = "${pin}" }
        next = "lost"
        [flow.f.step.lost]
        verb = "hangup"
    "#;
    script(text).keys("1234").expect(&["play en pin", "stop", "play en say-1 say-2 say-3 say-4"]);
    script(text).keys("12*").expect(&["play en pin", "stop", "play en say-1 say-2"]);
    script(text).keys("12").wait_ms(2000).expect(&["play en pin", "stop", "play en say-1 say-2"]);
    script(text).keys("1*").expect(&["play en pin", "stop", "hangup done"]);
    script(text).done().wait_ms(4000).expect(&["play en pin", "hangup done"]);
}

#[test]
fn a_branch_reads_values_ranges_and_emptiness() {
    let text = |value: &str| {
        format!(
            r#"
            [flow.f]
            start = "s"
            [flow.f.step.s]
            verb = "set"
            values = {{ x = "{value}" }}
            next = "a"
            [flow.f.step.a]
            verb = "branch"
            on = "x"
            is = {{ gold = "is" }}
            ranges = [{{ below = 0, next = "low" }}, {{ from = 10, below = 20, next = "mid" }}, {{ from = 20, next = "high" }}]
            empty = "empty"
            default = "other"
            "#
        ) + &["is", "low", "mid", "high", "empty", "other"]
            .map(|step| format!("[flow.f.step.{step}]\nverb = \"hangup\"\nprompts = \"{step}\"\n"))
            .concat()
    };
    let table = [
        ("gold", "is"),
        ("${tier}", "is"),
        ("-1", "low"),
        ("0", "other"),
        ("9", "other"),
        ("10", "mid"),
        ("19", "mid"),
        ("20", "high"),
        ("99999999999", "high"),
        ("", "empty"),
        ("x", "other"),
    ];
    for (value, step) in table {
        script(&text(value)).expect(&["set x", &format!("play en {step}")]);
    }
}

#[test]
fn a_transfer_says_why_and_has_a_way_back() {
    let text = r#"
        [flow.f]
        start = "q"
        [flow.f.step.q]
        verb = "enqueue"
        queue = "vip"
        report = []
        keys = { 1 = "a", 2 = "leave" }
        overflow = "lost"
        [flow.f.step.a]
        verb = "transfer"
        number = "0${caller}"
        prompts = "we-connect-you"
        failed = "lost"
        after = "thanks"
        [flow.f.step.leave]
        verb = "set"
        values = {}
        leave_queue = true
        next = "lost"
        [flow.f.step.lost]
        verb = "hangup"
        prompts = "lost"
        [flow.f.step.thanks]
        verb = "hangup"
        prompts = "thanks"
    "#;
    let mut caller = script(text);
    caller.expect(&["enqueue vip Normal managers", "music en music"]);
    caller.key('1').expect(&["play en we-connect-you"]);
    caller.done().expect(&["dequeue Transfer", "music en music", "transfer Number(•••)"]);
    caller.tell(ivr::Input::TransferFailed).expect(&["play en lost"]);
    let mut caller = script(text);
    caller.key('1').done().tell(ivr::Input::TransferJoined).forget();
    caller.agent_hangs_up().expect(&["play en thanks"]);
    // Without a report the voices are joined at once; without `after` the call ends.
    let mut caller = script(text);
    caller.forget().agent("1").expect(&["join"]);
    caller.agent_hangs_up().expect(&["hangup done"]);
    // Hanging up by the flow leaves the queue, once.
    let mut caller = script(text);
    caller.key('2').forget();
    caller.done().expect(&["hangup done"]);
    let mut caller = script(text);
    caller.forget().key('2').expect(&["dequeue SelfService", "play en lost"]);
}

#[test]
fn a_transfer_to_a_queue_waits_there_like_any_caller() {
    let text = r#"
        [flow.f]
        start = "a"
        [flow.f.step.a]
        verb = "transfer"
        queue = "vip"
        prompts = "why"
        failed = "lost"
        after = "thanks"
        [flow.f.step.lost]
        verb = "hangup"
        prompts = "lost"
        [flow.f.step.thanks]
        verb = "hangup"
        prompts = "thanks"
    "#;
    let mut caller = script(text);
    caller.done().expect(&["play en why", "music en music", "transfer Queue(\"vip\")"]);
    assert_eq!(caller.queue(), Some("vip"));
    caller.agent("12").expect(&["play en agent-before say-1 say-2 agent-after"]);
    caller.requeued().expect(&["music en music"]);
    caller.agent("13").done().forget();
    caller.agent_hangs_up().expect(&["play en thanks"]);
    let mut caller = script(text);
    caller.done().forget().left("time", None).expect(&["play en lost"]);
}

#[test]
fn nothing_of_the_caller_is_printed() {
    let text = r#"
        [flow.f]
        start = "a"
        [flow.f.step.a]
        verb = "gather"
        prompts = [{ digits = "${caller}" }, "pin"]
        into = "pin"
        next = "b"
        default = "b"
        [flow.f.step.b]
        verb = "hook"
        url = "u"
        params = { pin = "${pin}" }
        next = "a"
        failed = "a"
    "#;
    let now = base::Instant::ZERO;
    let mut interpreter = ivr::Interpreter::new(Arc::new(good(text)), "f", &caller("gold", "en", false));
    interpreter.handle(now, ivr::Input::Started);
    let mut printed = String::new();
    for digit in b"777777#" {
        printed += &format!("{:?} {interpreter:?}", ivr::Input::Digit(*digit));
        interpreter.handle(now, ivr::Input::Digit(*digit));
        printed += &format!("{interpreter:?}");
    }
    while let Some(output) = interpreter.poll_output() {
        printed += &format!("{output:?}");
    }
    // 55 is ASCII for 7.
    for secret in ["138", "say-", "55", "777"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[test]
fn a_caller_cannot_choose_what_the_back_end_is_asked() {
    let found = wrong(
        "[flow.f]\nstart = \"a\"\n[flow.f.step.a]\nverb = \"hook\"\nurl = \"http://${caller}/\"\nnext = \"a\"\nfailed = \"a\"\n",
    );
    assert_eq!(found, ["f.toml:5: `url` cannot have variables: a caller must not choose it"]);
}

/// A parser of what people write: no text may make it panic.
#[test]
fn damaged_files_never_panic() {
    let text = include_str!("../../../config/hotline/flows/people.toml");
    let mut rng = base::Rng::new(base::Seed([3, 5]));
    for _ in 0..3000 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=rng.below(8) {
            let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
            match rng.below(3) {
                0 => bytes[at] = b"\"[]{}=$.#\n0-"[usize::try_from(rng.below(12)).unwrap()],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, u8::try_from(rng.below(128)).unwrap()),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(flows) = parse(&text) {
            flows.check(&Vocabulary::default());
        }
    }
}

const WAITING: &str = r#"
    [flow.f]
    start = "wait"
    [flow.f.step.wait]
    verb = "enqueue"
    queue = "vip"
    language_level = 5
    announce = "within"
    announce_unknown = "unknown"
    announce_after_ms = 5000
    comfort_every_ms = 20000
    offer = "offer"
    offer_self_service = "self"
    offer_both = "both"
    offer_plainly = "sorry"
    keys = { 1 = "back" }
    overflow = "back"
    [flow.f.step.back]
    verb = "hangup"
"#;

#[test]
fn a_waiting_caller_hears_what_he_may_choose_and_his_keys_choose_it() {
    let mut script = script(WAITING);
    script.expect(&["enqueue vip Normal managers en:5", "music en music"]);
    script.way_out("callback").expect(&["play en offer"]);
    script.way_out("callback self-service").expect(&[]);
    script.done().expect(&["play en both"]).done().expect(&["music en music"]);
    script.way_out("self-service plainly").expect(&["play en sorry"]).done().expect(&["play en self"]);
    script.way_out("callback pressing").expect(&["play en offer"]);
    script.key('1').expect(&["stop", "dequeue Hangup", "hangup done"]);
    script.is_over();
}

#[test]
fn a_choice_is_offered_when_the_opening_words_have_been_heard() {
    let mut script =
        script(&WAITING.replacen("verb = \"enqueue\"", "verb = \"enqueue\"\nprompts = \"opening\"", 1));
    script.expect(&["enqueue vip Normal managers en:5", "play en opening"]);
    script.way_out("callback").expect(&[]).done().expect(&["play en offer"]);
    script.done().expect(&["music en music"]);
}

#[test]
fn what_may_not_be_said_of_the_wait_is_not_said() {
    let mut script = script(WAITING);
    script.forget().wait_ms(5_000).expect(&["ask wait"]);
    script.expected_untold().expect(&[]);
    script.wait_ms(20_000).expect(&["ask wait"]).expected_s(60).expect(&["play en within"]);
    script.done().expect(&["music en music"]).wait_ms(20_000).expect(&["ask wait"]);
    script.expected_unknown().expect(&["play en unknown"]);
}
