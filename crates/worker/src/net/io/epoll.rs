//! Epoll tells which sockets have something; `recvmmsg` takes it, `sendmmsg` sends what leaves by the same
//! socket in a row. Every kernel since Linux 3.0 has these.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{PacketIo, Parcel, SocketTable, Tally, Woken};
use crate::net::{BATCH_MAX, Epoll, ReceiveBatch, SendBatch, Socket, Token, Wake};

/// The bell's token: no socket has it.
const BELL: Token = Token(u64::MAX);

#[derive(Debug)]
pub(super) struct EpollIo {
    epoll: Epoll,
    sockets: SocketTable,
    inward: ReceiveBatch,
    /// The socket that `inward` was filled from, datagrams in it, and those already handed out.
    filled: (Token, usize, usize),
    outward: SendBatch,
    outward_of: Token,
    /// Sockets to look at in this round, the next one last.
    ready: Vec<Token>,
    /// Sockets that had more than a round takes, or an error before their packets.
    again: Vec<Token>,
    tally: Tally,
}

impl EpollIo {
    pub(super) fn open(bell: &Wake, _tokens_max: usize) -> io::Result<Box<dyn PacketIo>> {
        let epoll = Epoll::new()?;
        epoll.add(bell, BELL)?;
        Ok(Box::new(EpollIo {
            epoll,
            sockets: SocketTable::default(),
            inward: ReceiveBatch::default(),
            filled: (BELL, 0, 0),
            outward: SendBatch::default(),
            outward_of: BELL,
            ready: Vec::with_capacity(1024),
            again: Vec::with_capacity(1024),
            tally: Tally::default(),
        }))
    }

    /// Takes what waits at one socket, at most [`BATCH_MAX`] datagrams.
    fn fill(&mut self, token: Token) {
        let Some(socket) = self.sockets.get(token) else { return };
        self.tally.receives += 1;
        match self.inward.receive(socket) {
            Ok(count) => {
                self.filled = (token, count, 0);
                self.tally.packets_in += count as u64;
                if count == BATCH_MAX {
                    self.tally.flooded += 1;
                    self.again.push(token);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => {
                // An ICMP error about something we sent. Reading it cleared it; packets may be behind it.
                self.tally.icmp += 1;
                self.again.push(token);
            }
        }
    }
}

impl PacketIo for EpollIo {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn add(&mut self, token: Token, socket: Socket) -> io::Result<()> {
        self.epoll.add(&socket, token)?;
        self.sockets.insert(token, socket);
        Ok(())
    }

    fn socket(&self, token: Token) -> Option<&Socket> {
        self.sockets.get(token)
    }

    fn close(&mut self, token: Token) -> bool {
        self.flush();
        if self.filled.0 == token {
            self.filled = (BELL, 0, 0);
        }
        self.ready.retain(|ready| *ready != token);
        self.again.retain(|again| *again != token);
        self.sockets.remove(token).is_some()
    }

    fn rest(&mut self, until: Instant) {
        self.flush();
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }

    fn wait(&mut self, until: Option<Instant>) -> io::Result<Woken> {
        self.flush();
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = if self.again.is_empty() { timeout } else { Some(Duration::ZERO) };
        self.ready.clear();
        self.epoll.wait(timeout, &mut self.ready)?;
        let all = self.ready.len();
        self.ready.retain(|token| *token != BELL);
        let bell = self.ready.len() < all;
        self.ready.append(&mut self.again);
        // The last is taken first: it has to be the one that has waited the longest.
        self.ready.reverse();
        Ok(Woken { bell, packets: !self.ready.is_empty() })
    }

    fn next(&mut self) -> Option<Parcel> {
        loop {
            let (token, count, next) = self.filled;
            if next < count {
                self.filled.2 = next + 1;
                match self.inward.take(token, next) {
                    Some(parcel) => {
                        self.tally.bytes_in += (parcel.end - parcel.start) as u64;
                        return Some(parcel);
                    }
                    None => self.tally.oversize += 1,
                }
            } else {
                let token = self.ready.pop()?;
                self.fill(token);
            }
        }
    }

    fn give_back(&mut self, parcel: Parcel) {
        self.inward.give_back(parcel);
    }

    fn send(&mut self, token: Token, to: Option<SocketAddr>, header: &[u8], payload: &[u8]) -> bool {
        if self.outward_of != token || self.outward.is_full() {
            self.flush();
        }
        self.outward_of = token;
        self.outward.push(to, header, payload)
    }

    fn flush(&mut self) {
        match self.sockets.get(self.outward_of) {
            Some(socket) => self.tally.sent.add(self.outward.flush(socket)),
            None => self.outward.clear(),
        }
    }

    fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}
