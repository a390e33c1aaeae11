//! The switch as a running process.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::place;
use crate::process::Process;
use crate::repository;
use crate::site::Site;

/// The built program: `USHER_BIN`, or beside the tests, or in the repository's target folder.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("USHER_BIN") {
        return path.into();
    }
    let profile = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.to_path_buf()));
    let places =
        profile.into_iter().chain(["target/debug", "target/release"].map(|place| repository().join(place)));
    let found = places.map(|place| place.join("usher")).find(|path| path.is_file());
    found.expect("the program is not built: `cargo build -p usher`, or name it in USHER_BIN")
}

/// A running `usher serve`.
pub struct Usher {
    process: Process,
}

impl Usher {
    /// Starts it on the site's configuration and waits until it is ready.
    pub fn start(site: &Site) -> Usher {
        let mut command = Command::new(binary());
        command.current_dir(site.folder()).arg("serve").arg("--config").arg(site.config());
        command.env("USHER_LOG", "debug,sqlx=warn,hyper=warn,aya=warn,aya_obj=warn");
        let _here = place::enter(*site.switch().ip());
        let mut process = Process::start("usher", &mut command, &site.file("usher.log"));
        process.wait_output("\nready\n", Duration::from_secs(30));
        Usher { process }
    }

    /// Its threads' names and niceness.
    pub fn niceness(&self) -> Vec<(String, i32)> {
        self.process.niceness()
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Waits until it says `text`.
    pub fn wait_output(&mut self, text: &str, limit: Duration) {
        self.process.wait_output(text, limit);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.process.signal("TERM");
    }

    /// SIGKILL: no farewell, nothing tidied.
    pub fn kill(mut self) {
        self.process.signal("KILL");
        self.wait(Duration::from_secs(5));
    }

    /// SIGHUP.
    pub fn reload(&self) {
        self.process.signal("HUP");
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.status().is_some()
    }

    /// Ends it with no call alive: it must leave at once, cleanly. Nothing of what it logged, at the level of
    /// debugging, may be a caller's number or a secret.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait(Duration::from_secs(15));
        let log = self.output();
        assert!(status.success(), "usher ended with {status}:\n{log}");
        for word in ["panicked", "1380000", "01088886666", "change-me", crate::site::TOKEN] {
            assert!(!log.contains(word), "{word} is in the log:\n{log}");
        }
    }
}

impl Drop for Usher {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.output();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("usher said last:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}
