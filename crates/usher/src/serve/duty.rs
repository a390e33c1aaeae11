//! Who is registered and on duty, kept over a restart: one line per change is appended to a file, the last line of
//! an agent counts, and the next process begins with what has not expired. A line is in the kernel's hands before the
//! phone hears its 200, so a killed process loses none.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base::{Instant, Pii, WallClock};
use call::Local;
use call::admin::AgentChange;
use serde::{Deserialize, Serialize};
use sip::{Binding, BindingKey, Flow, Protocol};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// The file is written anew when it has grown by this much and is mostly old lines.
const GROWTH_BYTES: u64 = 4 << 20;

/// One agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Line {
    agent: String,
    /// Absent: nothing new about his contacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contacts: Option<Vec<Contact>>,
    /// Absent: nothing new about his duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duty: Option<AgentChange>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Contact {
    uri: String,
    tcp: bool,
    local: SocketAddr,
    remote: SocketAddr,
    expires_ms: u64,
    q_milli: u16,
    product: Option<String>,
}

/// The file, and what its last lines say.
#[derive(Debug)]
pub struct Duty {
    path: PathBuf,
    file: File,
    known: BTreeMap<String, Line>,
    grown: u64,
    failing: bool,
}

impl Duty {
    /// Opens the file, gives what it says to the switch, and begins it anew.
    ///
    /// # Errors
    /// What the system says about the file.
    pub fn open(path: &Path, local: &mut Local, now: Instant, wall: WallClock) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let known = read(path);
        let mut contacts = 0usize;
        for line in known.values() {
            let kept = line.contacts.iter().flatten();
            let bindings: Vec<Binding> = kept.filter_map(|contact| contact.binding(now, wall)).collect();
            contacts += bindings.len();
            local.restore(now, &line.agent, bindings, line.duty);
        }
        if contacts > 0 {
            tracing::info!(contacts, "registrations of the last run are taken up");
        }
        let file = write_all(path, &known)?;
        Ok(Duty { path: path.to_path_buf(), file, known, grown: 0, failing: false })
    }

    /// An agent's contacts are these now.
    pub fn contacts(&mut self, number: &str, bindings: &[Binding], wall: WallClock) {
        let contacts = bindings.iter().map(|binding| Contact::of(binding, wall)).collect();
        self.note(Line { agent: number.to_owned(), contacts: Some(contacts), duty: None });
    }

    /// An agent's state is this now. What he does for a call changes nothing about his duty.
    pub fn state(&mut self, number: &str, state: &str, reason: Option<u8>) {
        let duty = match state {
            "logged-out" => AgentChange::Logout,
            "not-ready" => AgentChange::NotReady { reason: reason.unwrap_or(0) },
            _ => AgentChange::Ready,
        };
        if self.known.get(number).and_then(|line| line.duty) != Some(duty) {
            self.note(Line { agent: number.to_owned(), contacts: None, duty: Some(duty) });
        }
    }

    fn note(&mut self, line: Line) {
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        let written = self.file.write_all(&text).is_ok();
        if !written && !self.failing {
            tracing::error!(file = %self.path.display(), "registrations cannot be kept for the next start");
        }
        self.failing = !written;
        self.grown = self.grown.saturating_add(u64::try_from(text.len()).unwrap_or(0));
        merge(&mut self.known, line);
        if self.grown > GROWTH_BYTES {
            self.grown = 0;
            if let Ok(file) = write_all(&self.path, &self.known) {
                self.file = file;
            }
        }
    }
}

fn merge(known: &mut BTreeMap<String, Line>, line: Line) {
    let entry =
        known.entry(line.agent.clone()).or_insert_with(|| Line { agent: line.agent, ..Line::default() });
    entry.contacts = line.contacts.or(entry.contacts.take());
    entry.duty = line.duty.or(entry.duty);
}

/// What the file says; a torn last line is not there, and a file that cannot be read says nothing.
fn read(path: &Path) -> BTreeMap<String, Line> {
    let mut known = BTreeMap::new();
    if fs::metadata(path).is_ok_and(|meta| meta.len() <= FILE_BYTES_MAX) {
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            if let Ok(line) = serde_json::from_str::<Line>(line) {
                merge(&mut known, line);
            }
        }
    }
    known
}

/// Writes the file whole or not at all; returns it open for further lines.
fn write_all(path: &Path, known: &BTreeMap<String, Line>) -> io::Result<File> {
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let mut text = Vec::new();
    for line in known.values() {
        text.extend(serde_json::to_vec(line).unwrap_or_default());
        text.push(b'\n');
    }
    file.write_all(&text)?;
    fs::rename(&part, path)?;
    Ok(file)
}

impl Contact {
    fn of(binding: &Binding, wall: WallClock) -> Self {
        Contact {
            uri: String::from_utf8_lossy(binding.uri.reveal()).into_owned(),
            tcp: binding.flow.protocol == Protocol::Tcp,
            local: binding.flow.local,
            remote: binding.flow.remote,
            expires_ms: wall.at(binding.expires_at).0,
            q_milli: binding.q_milli,
            product: binding.product.clone(),
        }
    }

    /// `None`: it has expired.
    fn binding(&self, now: Instant, wall: WallClock) -> Option<Binding> {
        let left_ms = self.expires_ms.checked_sub(wall.at(now).0)?;
        let protocol = if self.tcp { Protocol::Tcp } else { Protocol::Udp };
        Some(Binding {
            key: BindingKey(0),
            uri: Pii::new(self.uri.clone().into_bytes().into()),
            flow: Flow { protocol, local: self.local, remote: self.remote, connection: 0 },
            expires_at: now + base::Duration::from_millis(left_ms),
            q_milli: self.q_milli,
            product: self.product.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_an_agent_counts_and_a_torn_one_is_not_there() {
        let folder = std::env::temp_dir().join(format!("usher-duty-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("duty.jsonl");
        let mut known = BTreeMap::new();
        let contact = Contact {
            uri: "sip:1001@127.0.0.1:5070".to_owned(),
            tcp: false,
            local: "127.0.0.1:5060".parse().unwrap(),
            remote: "127.0.0.1:5070".parse().unwrap(),
            expires_ms: 90_000,
            q_milli: 1000,
            product: None,
        };
        let line = |contacts, duty| Line { agent: "1001".to_owned(), contacts, duty };
        merge(&mut known, line(Some(vec![contact.clone()]), None));
        let mut file = write_all(&path, &known).unwrap();
        for next in
            [line(None, Some(AgentChange::Ready)), line(None, Some(AgentChange::NotReady { reason: 3 }))]
        {
            writeln!(file, "{}", serde_json::to_string(&next).unwrap()).unwrap();
        }
        write!(file, "{{\"agent\":\"1001\",\"duty\":{{\"state\":\"log").unwrap();
        let found = read(&path);
        assert_eq!(
            found["1001"],
            line(Some(vec![contact.clone()]), Some(AgentChange::NotReady { reason: 3 }))
        );
        let wall = WallClock { epoch: base::UnixMillis(60_000) };
        let binding = contact.binding(Instant::from_secs(10), wall).unwrap();
        assert_eq!(binding.expires_at, Instant::from_secs(30));
        assert_eq!(contact.binding(Instant::from_secs(31), wall), None, "expired meanwhile");
        fs::remove_dir_all(&folder).unwrap();
    }
}
