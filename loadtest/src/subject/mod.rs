//! What is measured under load: each is a process of its own, on a processor of its own, so that its
//! processor time is its own. There will be more: a file, and a line in [`SUBJECTS`].

mod bencode;
mod own;
pub(crate) mod rtpengine;

use std::error::Error;
use std::net::SocketAddr;

use usher_load::rig::Rig;

use crate::commands::relay::{Kind, Used};

/// What a subject is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Its calls.
    pub(crate) rig: Rig,
    /// Its processor.
    pub(crate) cpu: usize,
    /// Microseconds between two wake-ups, where the subject lets itself be told; 0 wakes for each packet.
    pub(crate) coalesce_us: u32,
    /// Let strangers reach its sockets even when the peer is known.
    pub(crate) unconnected: bool,
}

/// A subject at work. Ends when it is dropped.
pub(crate) trait Subject {
    /// What it has used and moved so far.
    fn used(&mut self) -> Result<Used, Box<dyn Error>>;

    /// Where the generator's leg sends to.
    fn remote(&self, leg: u16) -> Option<SocketAddr>;

    /// Ends it and waits until its ports are free.
    fn end(self: Box<Self>) -> Result<(), Box<dyn Error>>;
}

/// One line of [`SUBJECTS`].
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Its name in results.
    pub(crate) title: &'static str,
    /// Which of our own relays it is.
    kind: Option<Kind>,
    /// Wakes for each packet, whatever was asked for.
    per_packet: bool,
    /// Its legs speak though they hear prompts.
    speaks: bool,
    /// The raw loop that it is held against.
    pub(crate) raw: Option<&'static str>,
}

/// All that can be measured.
pub(crate) const SUBJECTS: &[Entry] = &[
    raw("null-epoll", "null relay, epoll", Kind::NullEpoll),
    raw("null-uring", "null relay, io_uring", Kind::NullUring),
    own("bridge-epoll", "Usher, epoll", Kind::BridgeEpoll, "null-epoll"),
    own("bridge-uring", "Usher, io_uring", Kind::BridgeUring, "null-uring"),
    Entry { per_packet: true, ..raw("null-awake", "null relay, woken per packet", Kind::NullUring) },
    Entry {
        per_packet: true,
        ..own("bridge-awake", "Usher, woken per packet", Kind::BridgeUring, "null-awake")
    },
    Entry {
        name: "rtpengine",
        title: "rtpengine 10.5, user space",
        kind: None,
        per_packet: true,
        speaks: true,
        raw: Some("null-uring"),
    },
    raw("send-mmsg", "raw send loop", Kind::SendMmsg),
    raw("send-uring", "raw send loop, io_uring", Kind::SendUring),
    own("prompt-epoll", "Usher, epoll", Kind::PromptEpoll, "send-mmsg"),
    own("prompt-uring", "Usher, io_uring", Kind::PromptUring, "send-mmsg"),
    Entry {
        speaks: true,
        ..own("prompt-talk", "Usher, listeners speak too", Kind::PromptUring, "send-mmsg")
    },
];

const fn raw(name: &'static str, title: &'static str, kind: Kind) -> Entry {
    Entry { name, title, kind: Some(kind), per_packet: false, speaks: false, raw: None }
}

const fn own(name: &'static str, title: &'static str, kind: Kind, beside: &'static str) -> Entry {
    Entry { raw: Some(beside), ..raw(name, title, kind) }
}

impl Entry {
    /// The line of that name.
    pub(crate) fn find(name: &str) -> Result<&'static Entry, String> {
        SUBJECTS.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names: Vec<&str> = SUBJECTS.iter().map(|entry| entry.name).collect();
            format!("one of {} is right", names.join(", "))
        })
    }

    /// Whether its legs hear prompts instead of each other.
    pub(crate) const fn plays(&self) -> bool {
        matches!(self.kind, Some(kind) if kind.plays())
    }

    /// Whether those who hear prompts speak meanwhile.
    pub(crate) const fn speaks(&self) -> bool {
        self.speaks
    }

    /// The tick that it will have.
    pub(crate) const fn coalesce_us(&self, asked: u32) -> u32 {
        if self.per_packet { 0 } else { asked }
    }

    pub(crate) fn start(&self, setup: Setup) -> Result<Box<dyn Subject>, Box<dyn Error>> {
        let setup = Setup { coalesce_us: self.coalesce_us(setup.coalesce_us), ..setup };
        Ok(match self.kind {
            Some(kind) => Box::new(own::Own::start(kind, &setup)?),
            None => Box::new(rtpengine::Rtpengine::start(&setup)?),
        })
    }
}
