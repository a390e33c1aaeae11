//! Programs for the kernel: the committed objects are what the committed sources compile to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use tests::{files, repository};

/// What `clang --version` says first; `None` if there is none.
fn clang() -> Option<String> {
    let output = Command::new("clang").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

#[test]
fn every_object_is_its_sources() {
    let top = repository();
    let sources: Vec<_> =
        files(&top, "c").into_iter().filter(|file| file.to_string_lossy().ends_with(".bpf.c")).collect();
    assert!(sources.len() >= 2, "the relay and its measure: {sources:?}");
    for source in sources {
        let object = source.with_extension("o");
        let name = source.strip_prefix(&top).unwrap().display().to_string();
        let built_by = std::fs::read_to_string(object.with_extension("o.clang")).unwrap();
        let built_by = built_by.trim();
        match clang() {
            None => {
                println!("skipped: no clang to rebuild {name} with");
                continue;
            }
            Some(here) if here != built_by => {
                println!("skipped {name}: {here} makes other bytes than {built_by}");
                continue;
            }
            Some(_) => {}
        }
        let rebuilt = std::env::temp_dir().join(format!("usher-{}.bpf.o", std::process::id()));
        let built = Command::new(top.join("crates/worker/bpf/build.sh")).args([&source, &rebuilt]).status();
        assert!(built.unwrap().success(), "{name} does not compile");
        let same = std::fs::read(&rebuilt).unwrap() == std::fs::read(&object).unwrap();
        std::fs::remove_file(&rebuilt).unwrap();
        assert!(same, "{name} was changed and its object was not: run `make bpf`");
    }
}
