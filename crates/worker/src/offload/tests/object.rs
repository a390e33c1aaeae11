//! The committed object is what the committed source compiles to.

use std::path::Path;
use std::process::Command;

/// What `clang --version` says first; `None` if there is none.
fn clang() -> Option<String> {
    let output = Command::new("clang").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

#[test]
fn the_object_is_its_sources() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf");
    let built_by = std::fs::read_to_string(folder.join("relay.bpf.o.clang")).unwrap();
    let built_by = built_by.trim();
    match clang() {
        None => return println!("skipped: no clang to rebuild the object with"),
        Some(here) if here != built_by => {
            return println!("skipped: {here} makes other bytes than {built_by}, which made the object");
        }
        Some(_) => {}
    }
    let rebuilt = std::env::temp_dir().join(format!("relay-{}.bpf.o", std::process::id()));
    let built = Command::new(folder.join("build.sh")).arg(folder.join("relay.bpf.c")).arg(&rebuilt).status();
    assert!(built.unwrap().success());
    let same = std::fs::read(&rebuilt).unwrap() == super::super::load::OBJECT;
    std::fs::remove_file(&rebuilt).unwrap();
    assert!(same, "relay.bpf.c was changed and relay.bpf.o was not: run `make bpf`");
}
