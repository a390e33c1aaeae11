//! Imports point down only. Reads every manifest of the workspace; see docs/ARCHITECTURE.md.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use tests::repository;

/// What each crate may import of ours, floor by floor.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("reader", &["base"]),
    ("sip", &["base"]),
    ("media", &["base"]),
    ("acd", &["base"]),
    ("ivr", &["base", "reader"]),
    ("call", &["base", "sip", "media", "acd", "ivr"]),
    ("worker", &["base", "media"]),
    ("store", &["base", "acd", "call"]),
    ("sim", &["base", "reader", "sip", "media", "acd", "ivr", "call"]),
    ("console", &["base", "acd", "call", "store"]),
    ("usher", &["base", "reader", "sip", "media", "acd", "ivr", "call", "worker", "store", "console", "sim"]),
];

/// What does I/O, reads clocks or runs threads: not below floor 3, nor in the simulated world.
const NOT_BELOW_FLOOR_3: &[&str] = &[
    "tokio",
    "socket2",
    "libc",
    "crossbeam",
    "axum",
    "hyper",
    "sqlx",
    "hickory-resolver",
    "rand",
    "tracing",
];

/// Floors 0 to 2 and `sim`.
const PURE: &[&str] = &["base", "reader", "sip", "media", "acd", "ivr", "call", "sim"];

fn dependencies(name: &str) -> Vec<String> {
    let path = repository().join("crates").join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest
        .get("dependencies")
        .and_then(|d| d.as_table())
        .into_iter()
        .flat_map(|t| t.keys().cloned())
        .collect()
}

#[test]
fn every_crate_has_a_floor_and_every_floor_its_crates() {
    let mut crates: Vec<String> = std::fs::read_dir(repository().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    crates.sort();
    let mut floors: Vec<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    floors.sort_unstable();
    assert_eq!(crates, floors, "a thirteenth crate needs a reason and a row in MAY_IMPORT");
}

#[test]
fn imports_point_down_only() {
    let allowed: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    for (name, may) in MAY_IMPORT {
        for dependency in dependencies(name) {
            let ours = allowed.contains_key(dependency.as_str());
            assert!(!ours || may.contains(&dependency.as_str()), "{name} must not import {dependency}");
        }
    }
}

#[test]
fn floors_0_to_2_and_sim_do_no_io() {
    for name in PURE {
        for dependency in dependencies(name) {
            assert!(!NOT_BELOW_FLOOR_3.contains(&dependency.as_str()), "{name} must not import {dependency}");
        }
        let bans = repository().join("crates").join(name).join("clippy.toml");
        let text = std::fs::read_to_string(&bans).unwrap_or_default();
        assert!(text.contains("std::time::Instant"), "{} must ban the clock", bans.display());
    }
}

#[test]
fn media_threads_know_no_tokio() {
    assert!(!dependencies("worker").iter().any(|d| d == "tokio"));
}

#[test]
fn unsafe_code_lives_in_worker_alone() {
    for file in tests::files(&repository().join("crates"), "rs") {
        let of_worker = file.starts_with(repository().join("crates/worker"));
        let text = std::fs::read_to_string(&file).unwrap();
        let found = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        assert!(of_worker || !found, "unsafe in {}", file.display());
    }
}
