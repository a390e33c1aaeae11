//! The least that a prompt player can do: one connected socket per listener, a packet of 172 bytes each 20 ms,
//! the listeners spread over the frame. What the switch's player costs beyond this is its own.

#![expect(unsafe_code, reason = "requests to io_uring; each block says why it is sound")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use io_uring::squeue::Flags;
use io_uring::types::Fixed;
use io_uring::{IoUring, opcode};
use worker::net::{SendBatch, Socket, SocketOptions};

use crate::null_relay::{Calls, Moved};
use crate::rtp::{HEADER_BYTES, PAYLOAD_BYTES};

const BYTES: usize = HEADER_BYTES + PAYLOAD_BYTES;
/// Milliseconds of a frame.
const PHASES: u32 = 20;
const REQUESTS: u32 = 512;

/// A listener's socket and his next packet.
struct Listener {
    socket: Socket,
    packet: [u8; BYTES],
}

impl Listener {
    /// Numbers the next packet.
    fn advance(&mut self) {
        let [_, _, s0, s1, t0, t1, t2, t3, ..] = &mut self.packet;
        let sequence = u16::from_be_bytes([*s0, *s1]).wrapping_add(1);
        [*s0, *s1] = sequence.to_be_bytes();
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]).wrapping_add(160);
        [*t0, *t1, *t2, *t3] = timestamp.to_be_bytes();
    }
}

/// A sender without logic.
pub struct NullSender {
    listeners: Vec<Listener>,
    moved: Arc<Moved>,
}

impl NullSender {
    /// Opens all `legs`: from where to whom.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn bind(legs: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> io::Result<NullSender> {
        let mut listeners = Vec::new();
        for (from, to) in legs {
            let socket = Socket::bind(from, &SocketOptions::default())?;
            socket.connect(to)?;
            let mut packet = [0xd5; BYTES];
            let [s0, s1] = from.port().to_be_bytes();
            packet[..HEADER_BYTES].copy_from_slice(&[0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, s0, s1]);
            listeners.push(Listener { socket, packet });
        }
        Ok(NullSender { listeners, moved: Arc::default() })
    }

    /// Its counters, for another thread.
    pub fn moved(&self) -> Arc<Moved> {
        Arc::clone(&self.moved)
    }

    /// Sends until `stop`.
    pub fn run(mut self, calls: Calls, stop: &AtomicBool) -> io::Result<()> {
        let mut ring = Ring::new(&self.listeners)?;
        let mut batch = SendBatch::default();
        let began = Instant::now();
        for ms in 1.. {
            let due = began + Duration::from_millis(u64::from(ms));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let mut sent = 0;
            let first = (ms % PHASES) as usize;
            for (leg, listener) in self.listeners.iter_mut().enumerate().skip(first).step_by(PHASES as usize)
            {
                listener.advance();
                match calls {
                    Calls::Uring => ring.send(leg, &listener.packet),
                    Calls::Epoll => {
                        batch.push(None, &listener.packet, &[]);
                        sent += batch.flush(&listener.socket).packets;
                    }
                }
            }
            if calls == Calls::Uring {
                sent = ring.submit()?;
            }
            self.moved.rounds.fetch_add(1, Ordering::Relaxed);
            self.moved.packets_out.fetch_add(sent, Ordering::Relaxed);
        }
        ring.end()
    }
}

/// All packets of a millisecond in one system call.
struct Ring {
    ring: IoUring,
    pushed: u64,
}

impl Ring {
    fn new(listeners: &[Listener]) -> io::Result<Self> {
        let ring = IoUring::builder().setup_single_issuer().setup_submit_all().build(REQUESTS)?;
        let files: Vec<i32> = listeners.iter().map(|listener| listener.socket.as_raw_fd()).collect();
        ring.submitter().register_files(&files)?;
        Ok(Ring { ring, pushed: 0 })
    }

    fn send(&mut self, leg: usize, packet: &[u8; BYTES]) {
        let send = opcode::Send::new(Fixed(leg as u32), packet.as_ptr(), BYTES as u32)
            .flags(libc::MSG_DONTWAIT)
            .build()
            .flags(Flags::SKIP_SUCCESS);
        // SAFETY: the packet belongs to a listener that lives as long as the ring is used, and with
        // MSG_DONTWAIT the kernel reads it while it takes the request in.
        while unsafe { self.ring.submission().push(&send) }.is_err() {
            // The next try will do.
            let _ = self.ring.submit();
        }
        self.pushed += 1;
    }

    /// Hands all over; how many were sent.
    fn submit(&mut self) -> io::Result<u64> {
        self.ring.submit()?;
        let failed = self.ring.completion().count() as u64;
        Ok(std::mem::take(&mut self.pushed).saturating_sub(failed))
    }

    /// Lets the sockets go, so that their ports are free at once.
    fn end(self) -> io::Result<()> {
        self.ring.submitter().unregister_files()
    }
}
