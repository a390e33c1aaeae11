//! The story of a day as it happens: time, who, the message's first line, what the switch made of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use base::Instant;
use call::view::Notice;

use crate::house::{CARRIER, CARRIER_B, SWITCH};
use crate::phone::Phone;
use crate::text::Text;

/// Lines that are kept: the last ones tell what led to the fault.
const LINES_MAX: usize = 4_000;

/// Keeps the last lines of the story, if it is on.
#[derive(Debug, Default)]
pub struct Trace {
    /// Whether anything is written.
    pub on: bool,
    lines: VecDeque<String>,
}

impl Trace {
    /// A line.
    pub fn say(&mut self, now: Instant, what: impl FnOnce() -> String) {
        if !self.on {
            return;
        }
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>12}  {}", now.to_string(), what()));
    }

    /// A packet sets out.
    pub fn packet(
        &mut self,
        now: Instant,
        phones: &BTreeMap<SocketAddr, Phone>,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        self.say(now, || {
            let message = Text::read(bytes).unwrap_or_default();
            let cseq = message.get("CSeq").unwrap_or_default();
            let call: String = message.get("Call-ID").unwrap_or_default().chars().take(8).collect();
            let held = |line: &&str| matches!(*line, "a=sendonly" | "a=recvonly" | "a=inactive");
            let direction = message.body.lines().find(held);
            let body = direction.unwrap_or(if message.body.is_empty() { "" } else { "+body" });
            format!("{} → {}  {} [{cseq}] {call} {body}", who(phones, from), who(phones, to), message.start)
        });
    }

    /// Something on the event stream.
    pub fn notice(&mut self, now: Instant, notice: &Notice) {
        self.say(now, || match notice {
            Notice::Call { call, what, detail, .. } => format!("    call {call}: {what} {detail}"),
            Notice::Agent { number, state, .. } => format!("    agent {number}: {state}"),
        });
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

fn who(phones: &BTreeMap<SocketAddr, Phone>, address: SocketAddr) -> String {
    match address {
        SWITCH => "switch".to_owned(),
        CARRIER => "carrier".to_owned(),
        CARRIER_B => "carrier-b".to_owned(),
        _ => phones
            .iter()
            .find(|(key, _)| key.ip() == address.ip())
            .map_or_else(|| address.to_string(), |(_, phone)| phone.user.clone()),
    }
}
