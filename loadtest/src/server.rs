//! Servers under load: started on a processor of their own, in a folder of their own, ended with their owner.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::calls::{Sides, seat};
use crate::demo::http::Api;
use crate::demo::people;
use crate::process::cpu_us_of_all;

const READY_MAX: Duration = Duration::from_secs(20);
const END_MAX: Duration = Duration::from_secs(10);

/// The switch in a comparison.
#[derive(Debug, clap::Args)]
pub(crate) struct Stand {
    /// The switch.
    #[arg(long, default_value = "target/release/usher")]
    usher: PathBuf,
    /// The switch's configuration.
    #[arg(long, default_value = "config/load")]
    config: PathBuf,
    /// Processor of those compared.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_cpu: usize,
    /// Processor of the load.
    #[arg(long, default_value_t = 1)]
    pub(crate) cpu: usize,
    /// Folder of the table and the chart.
    #[arg(long, default_value = "loadtest/results")]
    pub(crate) out: PathBuf,
}

impl Stand {
    /// Starts the switch, with so many agents who are ready.
    pub(crate) fn switch(&self, sides: &Sides, agents: usize) -> Result<Server, Box<dyn Error>> {
        let server = Server::usher(&self.usher, &self.config, self.server_cpu)?;
        let mut people = people::agents(&self.config.join("agents.toml"))?;
        people.truncate(agents);
        seat(sides, &people, &Api::new("http://127.0.0.1:8070", "demo-token"))?;
        Ok(server)
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts a program on processor `cpu`; what it is told may name the folder that it is given.
    pub(crate) fn start(
        program: &Path,
        cpu: usize,
        tell: impl FnOnce(&Path, &mut Command),
    ) -> Result<Server, Box<dyn Error>> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("usher-load-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string()]).arg(absolute(program)?);
        tell(&folder, &mut command);
        let log = File::create(folder.join("log"))?;
        let errors = log.try_clone()?;
        let child =
            command.current_dir(&folder).stdout(Stdio::from(log)).stderr(Stdio::from(errors)).spawn()?;
        Ok(Server { child, folder })
    }

    /// Starts the switch and waits until it serves.
    fn usher(program: &Path, config: &Path, cpu: usize) -> Result<Server, Box<dyn Error>> {
        let config = absolute(config)?;
        let mut server = Server::start(program, cpu, |_, command| {
            command.args(["serve", "--config"]).arg(&config);
        })?;
        let end = Instant::now() + READY_MAX;
        while !server.log().lines().any(|line| line == "ready") {
            if Instant::now() > end || server.child.try_wait()?.is_some() {
                return Err(format!("the switch did not say that it is ready: {}", server.log()).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that it and all that it started have used, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<u64, String> {
        cpu_us_of_all(self.pid()).ok_or_else(|| format!("the server has gone: {}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.pid().to_string()).status();
        let end = Instant::now() + END_MAX;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A path that still holds in another folder.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
}
