//! Every example in `config/` is read by the same code as `usher serve`; broken ones are named in full.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it found"
)]

use std::path::{Path, PathBuf};

use usher::config::{keys::KeyBook, load};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of `config/hotline` whose files can be broken; prompts are read in place.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("usher-config-{}-{name}", std::process::id()));
        let original = repository().join("config/hotline");
        std::fs::create_dir_all(folder.join("flows")).unwrap();
        for place in ["", "flows"] {
            for entry in std::fs::read_dir(original.join(place)).unwrap().flatten() {
                if entry.path().is_file() {
                    std::fs::copy(entry.path(), folder.join(place).join(entry.file_name())).unwrap();
                }
            }
        }
        std::os::unix::fs::symlink(original.join("prompts").canonicalize().unwrap(), folder.join("prompts"))
            .unwrap();
        Copy(folder)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not contain {from:?}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    fn mistakes(&self) -> Vec<String> {
        let found = load(&self.0, &mut KeyBook::default()).err().unwrap_or_default();
        let folder = format!("{}/", self.0.display());
        found.iter().map(|finding| finding.to_string().replace(&folder, "")).collect()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_example_is_good() {
    let mut examples = 0;
    for entry in std::fs::read_dir(repository().join("config")).unwrap().flatten() {
        if !entry.path().join("usher.toml").is_file() {
            continue;
        }
        examples += 1;
        if let Err(findings) = load(&entry.path(), &mut KeyBook::default()) {
            let listed: Vec<_> = findings.iter().map(ToString::to_string).collect();
            panic!("{} (prompts are made by `make prompts`):\n{}", entry.path().display(), listed.join("\n"));
        }
    }
    assert!(examples >= 1);
}

#[test]
fn all_mistakes_of_all_files_are_named_at_once() {
    let copy = Copy::new("all");
    copy.edit("usher.toml", "ports = [20000, 28999]", "ports = [28999, 20000]");
    copy.edit("usher.toml", "coalesce_us = 1000", "coalesce_ms = 1");
    copy.edit("trunks.toml", "addresses = [\"127.0.0.2\"]", "addresses = [\"127.0.0.300\"]");
    copy.edit("agents.toml", "vip = 9", "vpi = 9");
    copy.edit("agents.toml", "number = \"1002\"", "number = \"1001\"");
    copy.edit("queues.toml", "borrow = \"general\"", "borrow = \"genral\"");
    copy.edit("tiers.toml", "floor = 0.90", "floor = 0.99");
    copy.edit("flows/people.toml", "queue = \"vip\"", "queue = \"vipp\"");
    let found = copy.mistakes();
    for expected in [
        "usher.toml:",
        "`ports` must be two numbers",
        "unknown key `coalesce_ms`; did you mean `coalesce_us`?",
        "127.0.0.300",
        "no skill is called \"vpi\"; did you mean `vip`?",
        "1001 is given to another agent too",
        "no queue is called \"genral\"; did you mean `general`?",
        "is 0.99, above the target 0.98",
        "vipp",
    ] {
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected:?} is not in {found:#?}");
    }
    let with_lines =
        found.iter().filter(|finding| finding.split(':').nth(1).is_some_and(|n| n.parse::<u32>().is_ok()));
    assert!(with_lines.count() >= 6, "{found:#?}");
}

#[test]
fn a_contract_that_cannot_be_kept_is_named_with_the_number_that_would_do() {
    let copy = Copy::new("forecast");
    copy.edit("queues.toml", "calls_per_hour = 200", "calls_per_hour = 2000");
    let found = copy.mistakes();
    assert!(
        found.len() == 1
            && found[0].starts_with("tiers.toml")
            && found[0].contains("floors")
            && found[0].contains("41 are needed"),
        "{found:#?}"
    );
    copy.edit("tiers.toml", "share = 0.50", "share = 0.40");
    let found = copy.mistakes();
    assert!(found.len() == 1 && found[0].contains("0.9"), "{found:#?}");
}

#[test]
fn names_in_the_overload_table_are_checked_too() {
    let copy = Copy::new("overload");
    copy.edit("queues.toml", "# cap_to = \"flow:overflow\"", "cap_to = \"flow:overflwo\"");
    copy.edit("queues.toml", "greeting = [\"called-back\"]", "greeting = [\"caled-back\"]");
    copy.edit("queues.toml", "policy = \"debt3\"", "policy = \"debt\"");
    let found = copy.mistakes();
    for expected in ["did you mean `overflow`?", "did you mean `called-back`?", "did you mean `debt3`?"] {
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected:?} is not in {found:#?}");
    }
}

#[test]
fn duplicate_keys_and_missing_files_are_named() {
    let copy = Copy::new("missing");
    copy.edit("usher.toml", "name = \"hotline\"", "name = \"hotline\"\nname = \"again\"");
    std::fs::remove_file(copy.0.join("tiers.toml")).unwrap();
    let found = copy.mistakes();
    assert!(found.iter().any(|f| f.starts_with("usher.toml:") && f.contains("duplicate key")), "{found:#?}");
    assert!(found.iter().any(|f| f.starts_with("tiers.toml")), "{found:#?}");
}

#[test]
fn keys_survive_a_reload() {
    let copy = Copy::new("keys");
    let mut keys = KeyBook::default();
    let before = load(&copy.0, &mut keys).unwrap_or_else(|findings| panic!("{findings:#?}")).settings;
    copy.edit("agents.toml", "number = \"1001\"", "number = \"2001\"");
    let after = load(&copy.0, &mut keys).unwrap_or_else(|findings| panic!("{findings:#?}")).settings;
    let key =
        |settings: &call::Settings, number: &str| settings.agent_by_number(number).map(|agent| agent.key);
    assert_eq!(key(&before, "1002"), key(&after, "1002"));
    assert_eq!(key(&after, "1001"), None);
    assert_ne!(key(&before, "1001"), key(&after, "2001"));
}

#[test]
fn the_excess_of_a_trunk_meets_the_trunks_own_limit() {
    let copy = Copy::new("trunk-limit");
    let most = |copy: &Copy| {
        let loaded =
            load(&copy.0, &mut KeyBook::default()).unwrap_or_else(|findings| panic!("{findings:#?}"));
        loaded.settings.sip.limits.requests_per_trunk_source_per_s
    };
    assert_eq!(most(&copy), 10_000);
    copy.edit("trunks.toml", "calls_per_s_max = 500", "calls_per_s_max = 20_000");
    assert_eq!(most(&copy), 40_000);
}

#[test]
fn each_worker_needs_the_ports_of_one_call() {
    let copy = Copy::new("ports");
    copy.edit("usher.toml", "ports = [20000, 28999]", "ports = [20000, 20006]");
    copy.edit("usher.toml", "workers = 1", "workers = 2");
    let found = copy.mistakes();
    let told =
        |f: &&String| f.starts_with("usher.toml:") && f.contains("no room for one call on each of 2 workers");
    assert_eq!(found.iter().filter(told).count(), 1, "{found:#?}");
    copy.edit("usher.toml", "ports = [20000, 20006]", "ports = [20000, 20007]");
    assert_eq!(copy.mistakes(), Vec::<String>::new());
}
