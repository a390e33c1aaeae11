//! The kit of the tests of the whole house: a switch with its own addresses and voices, real programs
//! (SIPp, baresip) as carriers and phones, ears and a mouth for RTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's kit fails by panicking and says why"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub mod api;
pub mod audio;
pub mod baresip;
pub mod g711;
pub mod place;
pub mod postgres;
pub mod process;
pub mod raw;
pub mod sipp;
pub mod site;
pub mod usher;
pub mod voice;

/// The top folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Every file below `folder` whose name ends in `.ending`, sorted; build output left out.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target" && name != ".git") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// How long anything may take that should take no time, on a busy machine.
pub const SOON: Duration = Duration::from_secs(15);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none within `limit`: `what` was waited for.
pub fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
