//! Every scenario in `config/scenarios` is read and lived; broken ones are named in full.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it found"
)]

use std::path::{Path, PathBuf};

use acd::PolicyKind;
use sim::centre::{Load, Run, Scenario};
use usher::simulate::{compared, json, over_time, scenario, table};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/scenarios")
}

fn read(name: &str) -> Scenario {
    scenario::load(&folder().join(name)).unwrap()
}

#[test]
fn every_scenario_is_good_and_can_be_lived() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap().flatten() {
        let scenario = scenario::load(&entry.path()).unwrap_or_else(|found| panic!("{found:?}"));
        let short = Scenario { hours: 2.0, ..scenario };
        let outcome = Run::whole(&short).unwrap();
        assert!(outcome.total.offered > 50 && outcome.total.conserved(), "{}", entry.path().display());
        assert!(table(&short, &outcome).contains("\nall"));
        assert!(over_time(&short, &outcome).svg().ends_with("</svg>\n"));
        seen += 1;
    }
    assert!(seen >= 8, "{seen} scenarios");
}

/// The files are the very scenarios that the proofs use.
#[test]
fn the_files_say_what_the_proofs_use() {
    let same = |name: &str, load: Load, agents: u32| {
        let read = read(name);
        let mut of_code = Scenario {
            hours: read.hours,
            warmup_hours: read.warmup_hours,
            callback: read.callback,
            ..Scenario::hotline(agents, load)
        };
        for (tier, read) in of_code.tiers.iter_mut().zip(&read.tiers) {
            // The files leave the value out.
            tier.contract.value = read.contract.value;
        }
        for (read, code) in read.tiers.iter().zip(&of_code.tiers) {
            assert_eq!(read, code, "{name}");
        }
        assert!(read == of_code, "{name}");
    };
    same("hotline.toml", Load::Rho(1.2), 50);
    same("floors.toml", Load::Rho(2.0), 50);
    same("small-team.toml", Load::Rho(1.2), 10);
    same("step.toml", Load::CallsPerHour(vec![850.0, 1300.0, 1300.0, 1300.0]), 50);
    let day = [800.0, 1000.0, 1300.0, 1300.0, 1000.0, 700.0, 600.0, 600.0];
    same("day.toml", Load::CallsPerHour(day.to_vec()), 50);
}

#[test]
fn json_has_the_keys_that_programs_rely_on() {
    let outcome = Run::whole(&Scenario { hours: 1.0, ..read("hotline.toml") }).unwrap();
    let found: serde_json::Value = serde_json::from_str(&json(&outcome)).unwrap();
    assert_eq!(found["seed"], 1);
    assert_eq!(found["policy"], "debt3");
    let keys =
        |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let mut wanted = vec![
        "abandoned",
        "answer_rate",
        "answered",
        "asa_s",
        "deflected",
        "max_wait_s",
        "name",
        "offered",
        "p95_wait_s",
        "service_level",
    ];
    for tier in found["tiers"].as_array().unwrap() {
        assert_eq!(keys(tier), wanted);
        let sum = ["answered", "abandoned", "deflected"]
            .iter()
            .map(|key| tier[*key].as_u64().unwrap())
            .sum::<u64>();
        assert_eq!(sum, tier["offered"].as_u64().unwrap());
        let rate = tier["answered"].as_f64().unwrap() / tier["offered"].as_f64().unwrap();
        assert!((tier["answer_rate"].as_f64().unwrap() - rate).abs() < 1e-5);
    }
    wanted.insert(7, "occupancy");
    assert_eq!(keys(&found["total"]), wanted);
}

#[test]
fn policies_are_compared_side_by_side() {
    let scenario = Scenario { hours: 1.0, ..read("hotline.toml") };
    let live = |policy| Run::whole(&Scenario { policy, ..scenario.clone() }).unwrap();
    let outcomes = [live(PolicyKind::Debt3), live(PolicyKind::Fcfs)];
    assert_eq!(outcomes[0].total.offered, outcomes[1].total.offered, "the same callers");
    let text = compared(&scenario, &outcomes);
    assert!(text.contains("\ndebt3 ") && text.contains("\nfcfs "), "{text}");
}

fn mistakes(text: &str) -> Vec<String> {
    let found = scenario::parse("x.toml", text).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

const TIER: &str =
    "[[tier]]\nname = \"all\"\nshare = 1.0\ntarget = 0.8\nfloor = 0.2\npatience = { mean_s = 120 }\n";

#[test]
fn all_mistakes_are_named_at_once() {
    let found = mistakes(
        "polcy = \"debt3\"\npolicy = \"detb3\"\nhours = -1\nhandle_time = { dist = \"exponential\", mean_s = 0 }\n\
         [agents]\ncount = 0\n[load]\nrho = 1.0\ncalls_per_hour = [1]\n[[tier]]\nname = \"gold\"\nshare = 0.5\n\
         target = 0.5\nfloor = 0.9\nskills = [\"vip\"]\n[[tier]]\nname = \"gold\"\nshare = 0.4\n",
    );
    for wanted in [
        "x.toml:1: unknown key `polcy`; did you mean `policy`?",
        "x.toml:2: `policy` cannot be `detb3`; did you mean `debt3`?",
        "x.toml:3: `hours` is -1",
        "x.toml:4: `dist` is \"exponential\"",
        "x.toml:4: `mean_s` is 0",
        "x.toml:6: `count` is 0",
        "stands beside rho",
        "`floor` is 0.9, above the target 0.5",
        "no agent has \"vip\"",
        "\"gold\" is given to another tier too",
        "shares add up to 0.9, not 1",
    ] {
        assert!(found.iter().any(|line| line.contains(wanted)), "{wanted} is not in {found:#?}");
    }
}

#[test]
fn contracts_that_cannot_be_are_named_with_what_would_do() {
    let of = |agents: u32, load: &str, tier: &str| {
        mistakes(&format!(
            "handle_time = {{ mean_s = 180 }}\n[agents]\ncount = {agents}\n[load]\n{load}\n{tier}"
        ))
    };
    assert_eq!(of(50, "rho = 1.2", TIER), Vec::<String>::new());
    let high = TIER.replace("floor = 0.2", "floor = 0.7");
    let found = of(50, "calls_per_hour = [500, 2000]", &high);
    assert!(found.len() == 1 && found[0].contains("70.0 % of 2000 calls an hour"), "{found:?}");
    assert!(found[0].contains("50 agents on duty") && found[0].contains("71 agents would do"), "{found:?}");
    let patient = TIER.replace("patience = { mean_s = 120 }\n", "");
    let found = of(50, "rho = 1.0", &patient);
    assert!(found.len() == 1 && found[0].contains("51 agents would do"), "{found:?}");
    assert_eq!(of(50, "rho = 0.9", &patient), Vec::<String>::new());
}

#[test]
fn skills_that_nobody_has_together_are_named() {
    let found = mistakes(&format!(
        "handle_time = {{ mean_s = 180 }}\n[load]\nrho = 0.9\n[[agent_group]]\ncount = 5\nskills = [\"en\"]\n\
         [[agent_group]]\ncount = 5\nskills = {{ zh = 4 }}\n[[reason]]\nname = \"both\"\nshare = 1.0\n\
         skills = [\"en\", \"zh\"]\n{TIER}"
    ));
    assert!(
        found.len() == 1 && found[0].contains("\"all\" with reason \"both\": no agent has all"),
        "{found:?}"
    );
}
