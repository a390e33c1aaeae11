//! SIPp as carriers and telephones. A scenario (`tests/scenarios/*.xml`) stops at its *cues*: it says over SIPp's
//! third-party control socket where it is and, before what it does by itself, waits for the word to go on. So the
//! test, not a timer, decides.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::audio::Audio;
use crate::place;
use crate::process::Process;
use crate::site::Site;
use crate::{SOON, repository, until};

/// SIPp ends by itself after this long, whatever happens to the test.
const LIFE_S: &str = "90s";
/// Domain of `config/hotline`.
const DOMAIN: &str = "hotline.example";
/// End of a message on the control socket.
const ESCAPE: u8 = 0x1b;

/// One SIPp with one scenario.
pub struct Sipp {
    scenario: String,
    process: Process,
    messages: PathBuf,
    errors: PathBuf,
    control: Option<Control>,
}

struct Control {
    stream: TcpStream,
    cues: Receiver<Cue>,
    call_id: String,
}

/// Where a scenario is.
#[derive(Clone, Debug)]
pub struct Cue {
    /// Its name for this place.
    pub name: String,
    /// Its call.
    pub call_id: String,
    /// The lines that it added.
    pub lines: Vec<String>,
}

/// How to run a scenario.
pub struct Plan<'a> {
    site: &'a Site,
    scenario: &'a str,
    local: SocketAddrV4,
    transport: &'static str,
    calls: u32,
    keys: Vec<(&'a str, String)>,
    credentials: Option<[String; 3]>,
}

impl<'a> Plan<'a> {
    /// `scenario` (a file of `tests/scenarios` without its ending) at `ip`, port 5060.
    pub fn new(site: &'a Site, scenario: &'a str, ip: Ipv4Addr) -> Plan<'a> {
        let local = SocketAddrV4::new(ip, 5060);
        Plan { site, scenario, local, transport: "u1", calls: 1, keys: Vec::new(), credentials: None }
    }

    /// Another port.
    pub fn port(mut self, port: u16) -> Self {
        self.local.set_port(port);
        self
    }

    /// Over TCP.
    pub fn tcp(mut self) -> Self {
        self.transport = "t1";
        self
    }

    /// So many calls at once.
    pub fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// `[key]` of the scenario.
    pub fn key(mut self, key: &'a str, value: impl Into<String>) -> Self {
        self.keys.push((key, value.into()));
        self
    }

    /// `[audio_ip]`, `[audio_port]` and the codec of the scenario.
    pub fn audio(self, audio: &Audio) -> Self {
        let address = audio.address();
        self.key("audio_ip", address.ip().to_string())
            .key("audio_port", address.port().to_string())
            .key("codec", audio.law().payload_type().to_string())
            .key("codec_name", audio.law().name())
    }

    /// User name, password and Request-URI (without its scheme) of `[authentication]`.
    pub fn credentials(mut self, username: &str, password: &str, uri: &str) -> Self {
        self.credentials = Some([username, password, uri].map(str::to_owned));
        self
    }

    /// Starts it.
    pub fn start(self) -> Sipp {
        let file = repository().join(format!("tests/scenarios/{}.xml", self.scenario));
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let log = self.site.file(&format!("{}.out", self.scenario));
        let (messages, errors) = (log.with_extension("messages"), log.with_extension("errors"));
        let mut command = Command::new("sipp");
        command.current_dir(self.site.folder());
        command.args(["-i", &self.local.ip().to_string(), "-p", &self.local.port().to_string()]);
        command.args(["-t", self.transport, "-m", &self.calls.to_string(), "-l", &self.calls.to_string()]);
        command.args(["-nostdin", "-timeout", LIFE_S, "-timeout_error", "-cid_str", "%u-%p-%s"]);
        command.arg("-trace_msg").arg("-message_file").arg(&messages);
        command.arg("-trace_err").arg("-error_file").arg(&errors);
        for (key, value) in &self.keys {
            command.args(["-key", key, value]);
        }
        if let Some([username, password, uri]) = &self.credentials {
            command.args(["-au", username, "-ap", password, "-auth_uri", uri]);
        }
        let _here = place::enter(*self.local.ip());
        let listener = text.contains("<sendCmd>").then(|| {
            let listener = TcpListener::bind((*self.local.ip(), 0)).unwrap();
            command.args(["-3pcc", &listener.local_addr().unwrap().to_string()]);
            listener
        });
        command.arg("-sf").arg(&file).arg(self.site.switch().to_string());
        let mut process = Process::start("sipp", &mut command, &log);
        let control = listener.map(|listener| Control::accept(&listener, &mut process, self.scenario));
        let mut sipp = Sipp { scenario: self.scenario.to_owned(), process, messages, errors, control };
        sipp.wait_bound(self.local, self.transport);
        sipp
    }
}

impl Control {
    /// SIPp connects before it begins with its scenario.
    fn accept(listener: &TcpListener, process: &mut Process, scenario: &str) -> Control {
        listener.set_nonblocking(true).unwrap();
        let stream = until(&format!("sipp {scenario} to connect"), SOON, || {
            if let Some(status) = process.status() {
                panic!("sipp {scenario} ended ({status}):\n{}", process.output());
            }
            listener.accept().ok().map(|(stream, _)| stream)
        });
        stream.set_nonblocking(false).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let (sender, cues) = channel();
        std::thread::spawn(move || {
            let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                pending.extend_from_slice(&buffer[..length]);
                while let Some(end) = pending.iter().position(|&byte| byte == ESCAPE) {
                    let message: Vec<u8> = pending.drain(..=end).collect();
                    if sender.send(Cue::parse(&String::from_utf8_lossy(&message))).is_err() {
                        return;
                    }
                }
            }
        });
        Control { stream, cues, call_id: String::new() }
    }
}

impl Cue {
    fn parse(text: &str) -> Cue {
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|v| v.trim().to_owned());
        Cue {
            name: value("Cue:").unwrap_or_default(),
            call_id: value("Call-ID:").unwrap_or_default(),
            lines: text.lines().map(|line| line.trim().to_owned()).collect(),
        }
    }
}

impl Sipp {
    /// A telephone that waits for calls must not miss the first.
    fn wait_bound(&mut self, local: SocketAddrV4, transport: &str) {
        until(&format!("sipp {} to listen on {local}", self.scenario), SOON, || {
            // Whoever ended already has been there.
            let taken = match transport {
                "u1" => std::net::UdpSocket::bind(local).is_err(),
                _ => true,
            };
            (taken || self.process.status().is_some()).then_some(())
        });
    }

    /// Waits until the scenario is at the cue `name`. Where its next deed is its own it stays there until
    /// [`Sipp::go_on`].
    pub fn wait(&mut self, name: &str) -> Cue {
        self.wait_for(name, SOON)
    }

    /// As [`Sipp::wait`], with another limit.
    pub fn wait_for(&mut self, name: &str, limit: Duration) -> Cue {
        let deadline = Instant::now() + limit;
        loop {
            let control = self.control.as_mut().expect("the scenario has no cues");
            if let Ok(cue) = control.cues.recv_timeout(Duration::from_millis(50)) {
                assert_eq!(cue.name, name, "sipp {}\n{}", self.scenario, self.story());
                control.call_id.clone_from(&cue.call_id);
                return cue;
            }
            let ended = self.process.status();
            assert!(ended.is_none(), "sipp {} ended before {name}\n{}", self.scenario, self.story());
            assert!(Instant::now() < deadline, "sipp {} is not at {name}\n{}", self.scenario, self.story());
        }
    }

    /// Whether the scenario is not at any cue: nothing came to it meanwhile.
    pub fn is_undisturbed(&mut self) -> bool {
        self.control.as_mut().is_some_and(|control| control.cues.try_recv().is_err())
    }

    /// Lets the scenario go on from the cue that was waited for last.
    pub fn go_on(&mut self) {
        let control = self.control.as_mut().expect("the scenario has no cues");
        let word = format!("Call-ID: {}\r\n\r\n\u{1b}", control.call_id);
        control.stream.write_all(word.as_bytes()).unwrap();
    }

    /// Waits for the scenario's end: every message came as it expects.
    pub fn finish(mut self) -> String {
        let deadline = Instant::now() + SOON;
        let status = loop {
            if let Some(status) = self.process.status() {
                break status;
            }
            assert!(Instant::now() < deadline, "sipp {} does not end\n{}", self.scenario, self.story());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "sipp {} failed ({status})\n{}", self.scenario, self.story());
        self.messages()
    }

    /// Every message sent and received.
    pub fn messages(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.messages).unwrap_or_default()).into_owned()
    }

    /// Where the switch last said that it wants to hear this telephone.
    pub fn media(&self, site: &Site) -> std::net::SocketAddr {
        let messages = self.messages();
        let ip = site.switch().ip().to_string();
        let of_switch = format!("c=IN IP4 {ip}");
        // Whole lines: a telephone's address may begin with the switch's.
        let lines: Vec<&str> = messages.lines().map(str::trim_end).collect();
        let sdp = lines.iter().rposition(|line| *line == of_switch).expect("SDP of the switch");
        let port = lines[sdp..].iter().find_map(|line| line.strip_prefix("m=audio ")).expect("its audio");
        format!("{ip}:{}", port.split(' ').next().unwrap_or_default()).parse().unwrap()
    }

    /// What SIPp complains of and the end of what it sent and received.
    fn story(&self) -> String {
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let messages = self.messages();
        let lines: Vec<&str> = messages.lines().collect();
        let last = lines[lines.len().saturating_sub(120)..].join("\n");
        let screen =
            if errors.is_empty() && messages.is_empty() { self.process.output() } else { String::new() };
        format!("--- errors\n{errors}\n--- messages\n{last}\n{screen}")
    }
}

/// Registers a telephone of agent `number` at `contact`, from that address, with digest.
pub fn register(site: &Site, number: &str, expires_s: u32) {
    register_with(site, number, &format!("change-me-{number}"), expires_s, "register").finish();
}

/// Registers with any password and a scenario that expects what comes.
pub fn register_with(site: &Site, number: &str, password: &str, expires_s: u32, scenario: &str) -> Sipp {
    Plan::new(site, scenario, site.agent(number))
        .key("number", number)
        .credentials(number, password, DOMAIN)
        .key("domain", DOMAIN)
        .key("expires", expires_s.to_string())
        .key("contact_port", "5060")
        .start()
}
