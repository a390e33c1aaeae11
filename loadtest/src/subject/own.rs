//! Our own relays, by the command `relay` of this program.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum;
use usher_load::rig::Rig;

use super::{Setup, Subject};
use crate::commands::relay::{Kind, Used};

/// A relay in a process of its own.
pub(super) struct Own {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    rig: Rig,
}

impl Own {
    pub(super) fn start(kind: Kind, setup: &Setup) -> Result<Own, Box<dyn Error>> {
        let rig = setup.rig;
        let kind = kind.to_possible_value().ok_or("no such kind")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("relay").args(["--kind", kind.get_name()]);
        command.args(["--calls", &rig.calls.to_string()]);
        command.args(["--address", &rig.address.to_string()]);
        command.args(["--relay-base", &rig.relay_base.to_string()]);
        command.args(["--generator-base", &rig.generator_base.to_string()]);
        command.args(["--coalesce-us", &setup.coalesce_us.to_string()]);
        command.args(["--cpu", &setup.cpu.to_string()]);
        if setup.unconnected {
            command.arg("--unconnected");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no way to hear the relay")?);
        let mut relay = Own { child, ask, answers, rig };
        match relay.line()?.as_str() {
            "ready" => Ok(relay),
            other => Err(format!("the relay did not start: {other:?}").into()),
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Subject for Own {
    fn used(&mut self) -> Result<Used, Box<dyn Error>> {
        writeln!(self.ask.as_mut().ok_or("it was told to end")?)?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn remote(&self, leg: u16) -> Option<SocketAddr> {
        Some(self.rig.relay(leg))
    }

    fn end(mut self: Box<Self>) -> Result<(), Box<dyn Error>> {
        self.ask = None;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the relay ended with {status}").into()) }
    }
}

/// It ends when its input does; if this process fails in between, it shall not stay behind either.
impl Drop for Own {
    fn drop(&mut self) {
        self.ask = None;
        // It has ended already, or does now.
        let _ = self.child.wait();
    }
}
