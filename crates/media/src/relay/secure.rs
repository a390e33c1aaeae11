//! SRTP on a leg: what arrives is opened before anybody looks at it, what leaves is protected last.

use core::net::SocketAddr;

use super::{Channel, Sink, Slot};
use crate::srtp::{Keys, OVERHEAD_MAX, Receiver, Refused, Sender};

/// The longest packet that can be protected.
const PACKET_BYTES_MAX: usize = 2_048;

/// One leg's keys and what was done with them.
#[derive(Debug)]
pub(super) struct Secure {
    receiver: Receiver,
    sender: Sender,
    buffer: [u8; PACKET_BYTES_MAX + OVERHEAD_MAX],
}

impl Secure {
    /// Takes keys. Those that were there already go on where they were: their counts must not begin again.
    pub(super) fn agree(before: Option<Box<Secure>>, keys: &Keys) -> Box<Secure> {
        let mut secure = before.unwrap_or_else(|| {
            Box::new(Secure {
                receiver: Receiver::new(&keys.receive),
                sender: Sender::new(&keys.send),
                buffer: [0; PACKET_BYTES_MAX + OVERHEAD_MAX],
            })
        });
        if *secure.receiver.master() != keys.receive {
            secure.receiver = Receiver::new(&keys.receive);
        }
        if *secure.sender.master() != keys.send {
            secure.sender = Sender::new(&keys.send);
        }
        secure
    }

    /// Opens a packet: the bytes of it that are left.
    pub(super) fn open(&mut self, is_report: bool, packet: &mut [u8]) -> Result<usize, Refused> {
        if is_report { self.receiver.open_report(packet) } else { self.receiver.open(packet) }
    }

    fn protect(&mut self, is_report: bool, header: &[u8], payload: &[u8]) -> Result<&[u8], Refused> {
        let length = header.len().saturating_add(payload.len());
        if length > PACKET_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        for (place, byte) in self.buffer.iter_mut().zip(header.iter().chain(payload)) {
            *place = *byte;
        }
        let length = if is_report {
            self.sender.protect_report(&mut self.buffer, length)
        } else {
            self.sender.protect(&mut self.buffer, length)
        }?;
        self.buffer.get(..length).ok_or(Refused::Malformed)
    }
}

/// Where a leg's packets go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) slot: Slot,
    pub(super) channel: Channel,
    pub(super) to: SocketAddr,
}

/// Sends voice, protected where keys were agreed on; false if it could not be.
#[inline]
pub(super) fn send(
    secure: &mut Option<Box<Secure>>,
    wire: Wire,
    header: &[u8],
    payload: &[u8],
    out: &mut impl Sink,
) -> bool {
    let Some(secure) = secure else {
        out.send(wire.slot, wire.channel, wire.to, header, payload);
        return true;
    };
    dispatch(secure.protect(false, header, payload), wire, out)
}

/// The same for a report.
pub(super) fn send_report(
    secure: &mut Option<Box<Secure>>,
    wire: Wire,
    report: &[u8],
    out: &mut impl Sink,
) -> bool {
    let Some(secure) = secure else {
        out.send(wire.slot, wire.channel, wire.to, report, &[]);
        return true;
    };
    dispatch(secure.protect(true, report, &[]), wire, out)
}

fn dispatch(protected: Result<&[u8], Refused>, wire: Wire, out: &mut impl Sink) -> bool {
    match protected {
        Ok(packet) => {
            out.send(wire.slot, wire.channel, wire.to, packet, &[]);
            true
        }
        Err(_) => false,
    }
}
