//! Datagrams that wait for the kernel to send them, all of a round in one system call.

use std::net::SocketAddr;

use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, types};

use crate::net::address::Name;
use crate::net::batch::PACKET_BYTES_MAX;
use crate::net::io::BUFFER_BYTES;
use crate::net::{Sent, Socket, Token};

/// Datagrams per system call.
pub(super) const SENDS_MAX: usize = 256;

/// One datagram. Lives until the ring is closed, so the kernel may read it at any time; it is used again
/// only after the kernel took it.
struct Slot {
    bytes: [u8; BUFFER_BYTES],
    length: usize,
    name: Name,
    to: Option<SocketAddr>,
    token: Token,
}

/// The datagrams of one system call.
pub(super) struct Sends {
    slots: Box<[Slot]>,
    count: usize,
    /// Octets in them.
    bytes: u64,
}

impl std::fmt::Debug for Sends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sends({} of {SENDS_MAX})", self.count)
    }
}

impl Default for Sends {
    fn default() -> Self {
        let empty = || Slot {
            bytes: [0; BUFFER_BYTES],
            length: 0,
            name: Name::empty(),
            to: None,
            token: Token(u64::MAX),
        };
        Sends { slots: std::iter::repeat_with(empty).take(SENDS_MAX).collect(), count: 0, bytes: 0 }
    }
}

impl Sends {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) const fn is_full(&self) -> bool {
        self.count >= SENDS_MAX
    }

    /// Keeps a datagram and returns the request to send it, under the slot's number. `None` if it is too
    /// long or no slot is free.
    #[inline]
    pub(super) fn push(
        &mut self,
        token: Token,
        socket: types::Fixed,
        to: Option<SocketAddr>,
        header: &[u8],
        payload: &[u8],
    ) -> Option<(usize, Entry)> {
        let number = self.count;
        let slot = self.slots.get_mut(number)?;
        let length = header.len().checked_add(payload.len()).filter(|length| *length <= PACKET_BYTES_MAX)?;
        let (head, tail) = slot.bytes.get_mut(..length)?.split_at_mut_checked(header.len())?;
        head.copy_from_slice(header);
        tail.copy_from_slice(payload);
        (slot.length, slot.to, slot.token) = (length, to, token);
        // With MSG_DONTWAIT the kernel sends or refuses at once, while it takes the request in.
        let mut send = opcode::Send::new(socket, slot.bytes.as_ptr(), u32::try_from(length).ok()?)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        if let Some(to) = to {
            let (name, name_length) = Name::new(to);
            slot.name = name;
            send = send.dest_addr((&raw const slot.name).cast()).dest_addr_len(name_length);
        }
        self.count = number + 1;
        self.bytes += length as u64;
        Some((number, send.build().flags(Flags::SKIP_SUCCESS)))
    }

    /// The kernel took no request for the datagram pushed last.
    pub(super) fn forget_last(&mut self) {
        self.count = self.count.saturating_sub(1);
        let length = self.slots.get(self.count).map_or(0, |slot| slot.length);
        self.bytes = self.bytes.saturating_sub(length as u64);
    }

    /// All were handed to the kernel: counts them as sent, and begins anew.
    pub(super) fn submitted(&mut self, sent: &mut Sent) {
        sent.packets += std::mem::take(&mut self.count) as u64;
        sent.bytes += std::mem::take(&mut self.bytes);
    }

    /// The kernel refused the datagram of a slot, which is as it was handed over.
    pub(super) fn refused<'a>(
        &self,
        number: usize,
        errno: i32,
        sent: &mut Sent,
        socket: impl Fn(Token) -> Option<&'a Socket>,
    ) {
        let Some(slot) = self.slots.get(number) else { return };
        let bytes = slot.bytes.get(..slot.length).unwrap_or_default();
        sent.packets = sent.packets.saturating_sub(1);
        sent.bytes = sent.bytes.saturating_sub(bytes.len() as u64);
        let error = std::io::Error::from_raw_os_error(errno);
        match socket(slot.token) {
            Some(socket) if crate::net::batch::is_icmp(&error) => sent.try_again(socket, slot.to, bytes),
            _ => sent.refused(&error),
        }
    }
}
