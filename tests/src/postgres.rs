//! A PostgreSQL server of the test's own, which can be stopped and started again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::Process;
use crate::site::Site;
use crate::until;

/// A server's data, and the server while it runs.
pub struct Postgres {
    bin: PathBuf,
    root: PathBuf,
    address: String,
    server: Option<Process>,
    starts: u32,
}

impl Postgres {
    /// Makes a database cluster and starts it. `None` if PostgreSQL is not installed.
    pub fn start(site: &Site) -> Option<Postgres> {
        let bin = binaries()?;
        let root = site.file("postgres");
        std::fs::create_dir_all(&root).unwrap();
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&root).status().unwrap();
            assert!(owned.success(), "chown postgres {}", root.display());
        }
        let made = command(&bin.join("initdb"), &root)
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
            ])
            .arg(root.join("data"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Postgres { bin, root, address: site.ip(3).to_string(), server: None, starts: 0 };
        postgres.resume();
        Some(postgres)
    }

    /// Its URL for `[store]`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}:5432/postgres", self.address)
    }

    /// Stops the server: connections break, new ones are refused.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Fast shutdown.
            server.signal("INT");
            server.wait(Duration::from_secs(20));
        }
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        self.starts += 1;
        let mut server = command(&self.bin.join("postgres"), &self.root);
        server.arg("-D").arg(self.root.join("data")).arg("-k").arg(&self.root);
        server.args([
            "-p",
            "5432",
            "-h",
            &self.address,
            "-F",
            "-c",
            "max_connections=20",
            "-c",
            "logging_collector=off",
        ]);
        let log = self.root.with_extension(format!("log{}", self.starts));
        self.server = Some(Process::start("postgres", &mut server, &log));
        until("PostgreSQL to take connections", Duration::from_secs(30), || {
            let connection = format!("host={} user=postgres dbname=postgres", self.address);
            let asked =
                Command::new("psql").args(["-qAt", "-d", &connection, "-c", "SELECT 1"]).output().unwrap();
            asked.status.success().then_some(())
        });
    }
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.flatten().map(|version| version.path().join("bin"));
    bins.filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists()).max()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// PostgreSQL refuses to run as root; and it must not outlive the test.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--clear-groups"]);
    }
    command.arg("--pdeathsig=INT").arg(program).current_dir(folder);
    command
}
