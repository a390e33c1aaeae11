//! Small files, small functions, no left-over words. Clippy counts the lines of functions
//! (`too-many-lines-threshold`); the rest is held here. The lists of exceptions may only shrink.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use tests::{files, repository};

/// Lines a file may have.
const LINES_MAX: usize = 800;

/// Files that are longer, with the lines they have now.
const LONG_FILES: &[(&str, usize)] = &[];

/// What is unfinished does not go on main.
const UNFINISHED: &[&str] = &["todo!(", "unimplemented!(", "FIXME", "XXX:", "dbg!("];

fn sources() -> Vec<(String, String)> {
    let top = repository();
    let mut all = Vec::new();
    for folder in ["crates", "benches", "loadtest", "tests"] {
        for file in files(&top.join(folder), "rs") {
            let name = file.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
            all.push((name, std::fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(!all.is_empty());
    all
}

#[test]
fn files_are_at_most_800_lines() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        let allowed =
            LONG_FILES.iter().find(|(file, _)| *file == name).map_or(LINES_MAX, |&(_, lines)| lines);
        assert!(lines <= allowed, "{name} has {lines} lines, {allowed} allowed: cut it by its subject");
    }
}

#[test]
fn exceptions_are_still_needed() {
    for (name, lines) in LONG_FILES {
        let text = std::fs::read_to_string(repository().join(name)).unwrap_or_default();
        assert_eq!(text.lines().count(), *lines, "{name} changed: lower or remove its exception");
    }
}

#[test]
fn nothing_unfinished_is_left() {
    for (name, text) in sources() {
        if name == "tests/tests/tidy.rs" {
            continue;
        }
        for word in UNFINISHED {
            assert!(!text.contains(word), "{name} contains {word}");
        }
    }
}

#[test]
fn tests_below_floor_3_never_sleep() {
    for (name, text) in sources() {
        let pure = ["base", "sip", "media", "acd", "ivr", "call", "sim"]
            .iter()
            .any(|c| name.starts_with(&format!("crates/{c}/")));
        assert!(!pure || !text.contains("thread::sleep"), "{name} sleeps");
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for file in files(&repository().join("crates"), "rs") {
        if file.ends_with("src/lib.rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{} needs its charter as the first line", file.display());
        }
    }
}
