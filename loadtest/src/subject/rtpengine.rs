//! Sipwise rtpengine, forwarding in user space with one thread, driven over its `ng` control protocol.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use usher_load::rig::Rig;
use usher_load::rtp::resident_bytes;

use super::bencode::Value;
use super::{Setup, Subject};
use crate::commands::relay::Used;
use crate::process::cpu_us;

/// Where it is told what to do.
const CONTROL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 22_223);
/// Its ports: four for a call.
const PORTS: (u16, u16) = (40_000, 59_999);
/// How long it may take to come up.
const START_MAX: Duration = Duration::from_secs(10);

pub(crate) struct Rtpengine {
    child: Child,
    control: UdpSocket,
    cookie: u32,
    remotes: Vec<SocketAddr>,
}

impl Rtpengine {
    pub(super) fn start(setup: &Setup) -> Result<Rtpengine, Box<dyn Error>> {
        let mut engine = Rtpengine::launch(setup.rig.address, setup.cpu)?;
        let rig = &setup.rig;
        for caller in rig.legs().step_by(2) {
            engine.add_call(caller, [rig.generator(caller), rig.generator(Rig::other(caller))])?;
        }
        Ok(engine)
    }

    /// Without calls, its media at `address`.
    pub(crate) fn launch(address: IpAddr, cpu: usize) -> Result<Rtpengine, Box<dyn Error>> {
        let child = Command::new("taskset")
            .args(["-c", &cpu.to_string(), "rtpengine", "--foreground", "--config-file=none"])
            .args(["--table=-1", "--num-threads=1", "--media-num-threads=1", "--log-level=1", "--log-stderr"])
            .arg(format!("--interface={address}"))
            .arg(format!("--listen-ng={CONTROL}"))
            .args([format!("--port-min={}", PORTS.0), format!("--port-max={}", PORTS.1)])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("rtpengine does not start (rtpengine-daemon, util-linux): {error}"))?;
        let control = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        control.connect(CONTROL)?;
        control.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut engine = Rtpengine { child, control, cookie: 0, remotes: Vec::new() };
        engine.await_start()?;
        Ok(engine)
    }

    fn await_start(&mut self) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + START_MAX;
        loop {
            match self.ask(&Value::dictionary([("command", Value::text("ping"))])) {
                Ok(answer) if answer.get("result") == Some(b"pong") => return Ok(()),
                Ok(answer) => return Err(format!("rtpengine does not answer a ping: {answer:?}").into()),
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => return Err(format!("rtpengine did not come up: {error}").into()),
            }
        }
    }

    /// One question; a lost answer is an error, for everything is on this machine.
    fn ask(&mut self, question: &Value) -> Result<Value, Box<dyn Error>> {
        self.cookie += 1;
        let cookie = format!("{} ", self.cookie);
        let mut message = cookie.clone().into_bytes();
        question.write(&mut message);
        self.control.send(&message)?;
        let mut bytes = [0; 8192];
        loop {
            let length = self.control.recv(&mut bytes)?;
            if let Some(answer) = bytes.get(..length).and_then(|bytes| bytes.strip_prefix(cookie.as_bytes()))
            {
                return Value::read(answer).ok_or_else(|| "rtpengine's answer cannot be read".into());
            }
        }
    }

    /// The call of legs `caller` (even) and `caller + 1`: the even one's telephone offers, the odd one's answers. Where
    /// the two are to send.
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn add_call(
        &mut self,
        caller: u16,
        [even, odd]: [SocketAddr; 2],
    ) -> Result<[SocketAddr; 2], Box<dyn Error>> {
        let tags = (format!("a{caller}"), format!("b{caller}"));
        let to_callee = self.negotiate("offer", caller, &tags, even)?;
        let to_caller = self.negotiate("answer", caller, &tags, odd)?;
        self.remotes.extend([to_caller, to_callee]);
        Ok([to_caller, to_callee])
    }

    /// Gives rtpengine the SDP of one side; where the other side is to send.
    fn negotiate(
        &mut self,
        command: &str,
        call: u16,
        (from, to): &(String, String),
        media: SocketAddr,
    ) -> Result<SocketAddr, Box<dyn Error>> {
        let answer = self.ask(&Value::dictionary([
            ("command", Value::text(command)),
            ("call-id", Value::text(&format!("load-{call}"))),
            ("from-tag", Value::text(from)),
            ("to-tag", Value::text(if command == "answer" { to } else { "" })),
            ("ICE", Value::text("remove")),
            ("sdp", Value::text(&sdp(media))),
        ]))?;
        if answer.get("result") != Some(b"ok") {
            return Err(format!("rtpengine refuses the {command}: {answer:?}").into());
        }
        let sdp = String::from_utf8_lossy(answer.get("sdp").unwrap_or_default()).into_owned();
        media_address(&sdp).ok_or_else(|| format!("no media address in {sdp:?}").into())
    }
}

fn sdp(media: SocketAddr) -> String {
    let family = if media.is_ipv4() { "IP4" } else { "IP6" };
    let (host, port) = (media.ip(), media.port());
    format!(
        "v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    )
}

/// Address and port of the first stream.
fn media_address(sdp: &str) -> Option<SocketAddr> {
    let after = |key: &str, at: usize| {
        let line = sdp.lines().find(|line| line.starts_with(key))?;
        line.split_ascii_whitespace().nth(at)
    };
    Some(SocketAddr::new(after("c=", 2)?.parse().ok()?, after("m=audio", 1)?.parse().ok()?))
}

impl Subject for Rtpengine {
    fn used(&mut self) -> Result<Used, Box<dyn Error>> {
        let pid = self.child.id();
        Ok(Used {
            cpu_us: cpu_us(pid).ok_or("rtpengine is gone")?,
            resident_bytes: resident_bytes(pid).unwrap_or(0),
            ..Used::default()
        })
    }

    fn remote(&self, leg: u16) -> Option<SocketAddr> {
        self.remotes.get(usize::from(leg)).copied()
    }

    fn end(self: Box<Self>) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        // It has ended already, or does now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_what_was_written() {
        for address in ["127.0.0.1:4000", "[::1]:4000"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(media_address(&sdp(address)), Some(address));
        }
        assert_eq!(media_address("v=0\r\n"), None);
    }
}
