//! How a media thread's packets come and go: one small interface, and a table of ways to the kernel.
//!
//! A thread [`PacketIo::rest`]s while packets gather, [`PacketIo::wait`]s for the first one, takes each
//! with [`PacketIo::next`], and pushes what is to leave with [`PacketIo::send`], which is on its way at the
//! latest when the thread rests or waits again.

mod epoll;
#[cfg(test)]
mod tests;
mod uring;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Instant;

use super::batch::{PACKET_BYTES_MAX, Sent};
use super::{Socket, Token, Wake};

/// One way to the kernel. There will be more: a file, and a line in [`BACKENDS`].
#[derive(Clone, Copy)]
pub struct Backend {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Opens it. Fails where the kernel has it not or forbids it.
    open: fn(bell: &Wake, tokens_max: usize) -> io::Result<Box<dyn PacketIo>>,
}

/// Every way there is, the best one first: see `docs/decisions/0008-packet-io.md`.
pub const BACKENDS: &[Backend] = &[
    Backend { name: "io_uring", open: uring::Uring::open },
    Backend { name: "epoll", open: epoll::EpollIo::open },
];

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Which way to take.
#[derive(Clone, Copy, Debug, Default)]
pub enum IoChoice {
    /// The best one that this kernel has and allows.
    #[default]
    Auto,
    /// This one or none.
    Only(&'static Backend),
}

/// `auto` or the name of a backend.
impl FromStr for IoChoice {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        let named = BACKENDS.iter().find(|backend| backend.name == name).map(IoChoice::Only);
        if name == "auto" { Ok(IoChoice::Auto) } else { named.ok_or(UnknownBackend) }
    }
}

/// No [`IoChoice`] has that name. Says which there are.
#[derive(Clone, Copy, Debug)]
pub struct UnknownBackend;

impl fmt::Display for UnknownBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = IoChoice::names().collect();
        write!(f, "one of {} is right", names.join(", "))
    }
}

impl std::error::Error for UnknownBackend {}

impl IoChoice {
    /// The names of all choices.
    pub fn names() -> impl Iterator<Item = &'static str> {
        std::iter::once("auto").chain(BACKENDS.iter().map(|backend| backend.name))
    }

    /// Opens the first backend that this kernel has, with room for tokens below `tokens_max`; `bell` is
    /// listened to. Says in the list why better ones were passed over. What is opened stays with the thread
    /// that opened it.
    pub fn open(self, bell: &Wake, tokens_max: usize) -> io::Result<(Box<dyn PacketIo>, Vec<Refusal>)> {
        let candidates = match &self {
            IoChoice::Auto => BACKENDS,
            IoChoice::Only(backend) => std::slice::from_ref(*backend),
        };
        let mut refusals = Vec::new();
        for backend in candidates {
            match (backend.open)(bell, tokens_max) {
                Ok(io) => return Ok((io, refusals)),
                Err(error) => refusals.push(Refusal { backend: backend.name, error }),
            }
        }
        let why: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
        Err(io::Error::new(io::ErrorKind::Unsupported, why.join("; ")))
    }
}

impl IoChoice {
    /// Whether it can be opened here; opens it, on a thread of its own.
    pub fn check(self) -> io::Result<()> {
        let open = move || self.open(&Wake::new()?, 2).map(drop);
        let opened = std::thread::Builder::new().name("io-check".into()).spawn(open)?.join();
        opened.unwrap_or_else(|_| Err(io::Error::other("opening it panicked")))
    }
}

/// A backend that could not be opened.
#[derive(Debug)]
pub struct Refusal {
    /// Its name.
    pub backend: &'static str,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not available here: {}", self.backend, self.error)
    }
}

/// Room for one datagram and what the kernel may write before it.
pub(super) const BUFFER_BYTES: usize = PACKET_BYTES_MAX + 64;
pub(super) type Buffer = [u8; BUFFER_BYTES];

/// A datagram that arrived. Owned while it is looked at; its room goes back by [`PacketIo::give_back`].
#[derive(Debug)]
pub struct Parcel {
    /// The socket it arrived at.
    pub token: Token,
    /// Its sender.
    pub from: SocketAddr,
    pub(super) buffer: Box<Buffer>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The buffer's place with whoever owns it.
    pub(super) place: u16,
}

impl Parcel {
    /// Its bytes.
    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.end).unwrap_or_default()
    }
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// The bell rang.
    pub bell: bool,
    /// There is something for [`PacketIo::next`].
    pub packets: bool,
}

/// What was counted since the last [`PacketIo::tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams that arrived.
    pub packets_in: u64,
    /// Octets of UDP payload in them.
    pub bytes_in: u64,
    /// System calls that took datagrams in.
    pub receives: u64,
    /// Datagrams withheld: longer than any voice packet.
    pub oversize: u64,
    /// Sockets that had more waiting than one round takes.
    pub flooded: u64,
    /// ICMP errors that arrived in the place of datagrams.
    pub icmp: u64,
    /// Times that datagrams had to wait in the kernel because no buffer was free.
    pub starved: u64,
    /// What became of the datagrams that were sent.
    pub sent: Sent,
}

/// The sockets of one thread and their packets. Stays on the thread that opened it.
pub trait PacketIo: fmt::Debug {
    /// The backend's name.
    fn name(&self) -> &'static str;

    /// Takes `socket` in. What arrives there is reported under `token`, which is free.
    fn add(&mut self, token: Token, socket: Socket) -> io::Result<()>;

    /// The socket behind `token`.
    fn socket(&self, token: Token) -> Option<&Socket>;

    /// Sends what was pushed, then closes the socket behind `token`: its port is free on return, and
    /// nothing that arrived there is reported any more. `false` if there is none.
    fn close(&mut self, token: Token) -> bool;

    /// Sends what was pushed and sleeps until `until`, whatever arrives. Sending takes its time out of the sleep.
    fn rest(&mut self, until: Instant);

    /// Sends what was pushed and waits until something arrives or the bell rings, at the longest until `until`
    /// (`None`: for ever; past: not at all). Sending takes its time out of the wait. An interrupted wait is an
    /// empty answer.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<Woken>;

    /// The next datagram of this round. One socket has at most a bounded share of a round.
    fn next(&mut self) -> Option<Parcel>;

    /// Takes a parcel's room back.
    fn give_back(&mut self, parcel: Parcel);

    /// Pushes a datagram made of `header` and `payload` to `to`, or to the connected peer. `false` if it is
    /// too long. Never waits: what the kernel refuses is counted and lost, as voice is.
    fn send(&mut self, token: Token, to: Option<SocketAddr>, header: &[u8], payload: &[u8]) -> bool;

    /// Sends what was pushed.
    fn flush(&mut self);

    /// What was counted since the last call.
    fn tally(&mut self) -> Tally;
}

/// The sockets by token.
#[derive(Debug, Default)]
struct SocketTable {
    sockets: Vec<Option<Socket>>,
}

impl SocketTable {
    fn get(&self, token: Token) -> Option<&Socket> {
        self.sockets.get(token.index())?.as_ref()
    }

    fn insert(&mut self, token: Token, socket: Socket) {
        let index = token.index();
        if self.sockets.len() <= index {
            self.sockets.resize_with(index.saturating_add(1), || None);
        }
        if let Some(place) = self.sockets.get_mut(index) {
            *place = Some(socket);
        }
    }

    fn remove(&mut self, token: Token) -> Option<Socket> {
        self.sockets.get_mut(token.index())?.take()
    }

    fn tokens(&self) -> Vec<Token> {
        let open = self.sockets.iter().enumerate().filter(|(_, socket)| socket.is_some());
        open.map(|(index, _)| Token(index as u64)).collect()
    }
}
