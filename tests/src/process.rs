//! Programs under test: their output goes to files, they are waited for with a deadline, and ended by their
//! own process id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::until;

/// A program that runs.
pub struct Process {
    name: String,
    child: Child,
    /// Where its standard output and error go.
    pub log: PathBuf,
    over: bool,
}

impl Process {
    /// Starts `command`; its output goes to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Process {
        let out = File::create(log).unwrap();
        let err = out.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!(
                "{name}: {:?}: {error} (`scripts/install-debian.sh test` installs what is missing)",
                command.get_program()
            )
        });
        Process { name: name.to_owned(), child, log: log.to_path_buf(), over: false }
    }

    /// Its threads' names and niceness.
    pub fn niceness(&self) -> Vec<(String, i32)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // A thread may end between the listing and the reading.
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
        // proc(5): the name in parentheses is the second field, the niceness the nineteenth.
        let parsed = stats.filter_map(|stat| {
            let (_, rest) = stat.split_once('(')?;
            let (name, rest) = rest.rsplit_once(") ")?;
            Some((name.to_owned(), rest.split(' ').nth(16)?.parse().ok()?))
        });
        parsed.collect()
    }

    /// Its output so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it has ended, and how.
    pub fn status(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        self.over |= status.is_some();
        status
    }

    /// Waits until `text` is in its output.
    pub fn wait_output(&mut self, text: &str, limit: Duration) {
        let what = format!("{} to say {text:?}", self.name);
        until(&what, limit, || {
            if self.output().contains(text) {
                return Some(());
            }
            if let Some(status) = self.status() {
                panic!("{} ended ({status}) before it said {text:?}:\n{}", self.name, self.output());
            }
            None
        });
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        until(&what, limit, || self.status())
    }

    /// Sends it a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success(), "signal {name} to {} ({id})", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.over {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
