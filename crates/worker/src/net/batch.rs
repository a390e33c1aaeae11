//! Several datagrams per system call, in buffers that are allocated once.

use std::io;
use std::net::SocketAddr;

use libc::{iovec, mmsghdr};

use super::Token;
use super::address::{NAME_LEN, Name};
use super::io::{BUFFER_BYTES, Buffer, Parcel};
use super::socket::{Socket, slice};

/// Datagrams per batch. Also the most that one socket gets per round: a flooded socket cannot starve
/// the others.
pub const BATCH_MAX: usize = 8;

/// Longest datagram. Longer ones are cut and marked: no voice packet comes near.
pub const PACKET_BYTES_MAX: usize = 2048;

/// Receives up to [`BATCH_MAX`] datagrams from one socket.
#[derive(Debug)]
pub struct ReceiveBatch {
    /// Absent while a [`Parcel`] has it.
    bytes: [Option<Box<Buffer>>; BATCH_MAX],
    names: [Name; BATCH_MAX],
    lengths: [u32; BATCH_MAX],
    truncated: [bool; BATCH_MAX],
    /// Entries written since they were last reset: only these names are dirty.
    count: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        ReceiveBatch {
            bytes: [const { None }; BATCH_MAX],
            names: [Name::empty(); BATCH_MAX],
            lengths: [0; BATCH_MAX],
            truncated: [false; BATCH_MAX],
            count: 0,
        }
    }
}

impl ReceiveBatch {
    /// Takes what waits at `socket`, at most [`BATCH_MAX`] datagrams, and says how many. Fewer than
    /// [`BATCH_MAX`] means that the socket was empty (or had an error, which the next call returns).
    /// An error of kind `WouldBlock` means that nothing waited.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        self.count = 0;
        // SAFETY: both types are integers and pointers, for which zero is a valid value.
        let mut vectors: [iovec; BATCH_MAX] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [mmsghdr; BATCH_MAX] = unsafe { std::mem::zeroed() };
        let entries = headers.iter_mut().zip(&mut vectors).zip(self.bytes.iter_mut().zip(&mut self.names));
        for ((header, vector), (bytes, name)) in entries {
            let bytes = bytes.get_or_insert_with(|| Box::new([0; BUFFER_BYTES]));
            *vector = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: PACKET_BYTES_MAX };
            header.msg_hdr.msg_name = (&raw mut *name).cast();
            header.msg_hdr.msg_namelen = NAME_LEN;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: each of the `BATCH_MAX` headers points to a name of `NAME_LEN` bytes and, through one
        // vector, to a buffer of `PACKET_BYTES_MAX` bytes; all are ours and outlive the call. A null
        // timeout is allowed.
        let got = unsafe {
            let at_most = BATCH_MAX as u32;
            libc::recvmmsg(socket.raw(), headers.as_mut_ptr(), at_most, flags, std::ptr::null_mut())
        };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let count = usize::try_from(got).unwrap_or(0).min(BATCH_MAX);
        let written = headers.iter().take(count).zip(self.lengths.iter_mut().zip(&mut self.truncated));
        for (header, (length, truncated)) in written {
            *length = header.msg_len;
            *truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        }
        self.count = count;
        Ok(count)
    }

    /// Datagram `index` of the last [`ReceiveBatch::receive`]: its sender and its bytes. `None` beyond
    /// the last one, and for a datagram that was cut or whose sender is unknown.
    #[inline]
    pub fn packet(&mut self, index: usize) -> Option<(SocketAddr, &mut [u8])> {
        let (from, length) = self.whole(index)?;
        let bytes = self.bytes.get_mut(index)?.as_mut()?.get_mut(..length)?;
        Some((from, bytes))
    }

    /// The same, to keep until it is given back.
    #[inline]
    pub(super) fn take(&mut self, token: Token, index: usize) -> Option<Parcel> {
        let (from, end) = self.whole(index)?;
        let buffer = self.bytes.get_mut(index)?.take()?;
        Some(Parcel { token, from, buffer, start: 0, end, place: u16::try_from(index).unwrap_or(u16::MAX) })
    }

    /// Takes a parcel's buffer back, so that the next [`ReceiveBatch::receive`] need not get a new one.
    pub(super) fn give_back(&mut self, parcel: Parcel) {
        if let Some(place) = self.bytes.get_mut(usize::from(parcel.place)) {
            *place = Some(parcel.buffer);
        }
    }

    /// Sender and length of a datagram that arrived whole.
    fn whole(&self, index: usize) -> Option<(SocketAddr, usize)> {
        if index >= self.count || *self.truncated.get(index)? {
            return None;
        }
        Some((self.names.get(index)?.get()?, *self.lengths.get(index)? as usize))
    }
}

/// What became of a batch that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams that the kernel took.
    pub packets: u64,
    /// Octets of UDP payload in them.
    pub bytes: u64,
    /// Datagrams refused because the socket's send buffer was full.
    pub blocked: u64,
    /// Datagrams refused otherwise: unreachable, no route, a late ICMP error.
    pub failed: u64,
    /// ICMP errors about earlier datagrams, which the kernel reports in the way of later ones.
    pub icmp: u64,
    /// System calls made.
    pub calls: u64,
}

/// Datagrams that wait to be sent through one socket.
#[derive(Debug)]
pub struct SendBatch {
    bytes: Box<[[u8; PACKET_BYTES_MAX]; BATCH_MAX]>,
    lengths: [usize; BATCH_MAX],
    to: [Option<SocketAddr>; BATCH_MAX],
    count: usize,
}

impl Default for SendBatch {
    fn default() -> Self {
        SendBatch {
            bytes: Box::new([[0; PACKET_BYTES_MAX]; BATCH_MAX]),
            lengths: [0; BATCH_MAX],
            to: [None; BATCH_MAX],
            count: 0,
        }
    }
}

impl SendBatch {
    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether [`SendBatch::flush`] must come before the next [`SendBatch::push`].
    pub const fn is_full(&self) -> bool {
        self.count >= BATCH_MAX
    }

    /// Adds one datagram made of `header` and `payload` for `to` (`None`: the connected peer). `false`
    /// if it does not fit: the batch is full or the datagram longer than [`PACKET_BYTES_MAX`].
    #[inline]
    pub fn push(&mut self, to: Option<SocketAddr>, header: &[u8], payload: &[u8]) -> bool {
        let whole = header.len().saturating_add(payload.len());
        let index = self.count;
        let (Some(bytes), Some(length), Some(name)) =
            (self.bytes.get_mut(index), self.lengths.get_mut(index), self.to.get_mut(index))
        else {
            return false;
        };
        let Some((head, tail)) = bytes.get_mut(..whole).and_then(|b| b.split_at_mut_checked(header.len()))
        else {
            return false;
        };
        head.copy_from_slice(header);
        tail.copy_from_slice(payload);
        *length = whole;
        *name = to;
        self.count += 1;
        true
    }

    /// Sends all that waits through `socket` and forgets it. Never waits: what the kernel refuses is
    /// counted and lost, as voice is.
    pub fn flush(&mut self, socket: &Socket) -> Sent {
        let mut sent = Sent::default();
        let count = std::mem::take(&mut self.count).min(BATCH_MAX);
        if count == 1 {
            self.flush_one(socket, &mut sent);
        } else if count > 1 {
            self.flush_many(socket, count, &mut sent);
        }
        sent
    }

    /// Forgets what waits.
    pub const fn clear(&mut self) {
        self.count = 0;
    }

    fn flush_one(&self, socket: &Socket, sent: &mut Sent) {
        let bytes = self.bytes[0].get(..self.lengths[0]).unwrap_or_default();
        sent.calls += 1;
        match socket.send(self.to[0], bytes, &[]) {
            Ok(()) => sent.took(bytes.len()),
            Err(error) if is_icmp(&error) => sent.try_again(socket, self.to[0], bytes),
            Err(error) => sent.refused(&error),
        }
    }

    fn flush_many(&self, socket: &Socket, count: usize, sent: &mut Sent) {
        let mut names = [Name::empty(); BATCH_MAX];
        // SAFETY: both types are integers and pointers, for which zero is a valid value.
        let mut vectors: [iovec; BATCH_MAX] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [mmsghdr; BATCH_MAX] = unsafe { std::mem::zeroed() };
        let room = headers.iter_mut().zip(&mut vectors).zip(&mut names);
        let queued = self.bytes.iter().zip(&self.lengths).zip(&self.to);
        for (((header, vector), name), ((bytes, &length), &to)) in room.zip(queued).take(count) {
            *vector = slice(bytes.get(..length).unwrap_or_default());
            if let Some(to) = to {
                let (filled, len) = Name::new(to);
                *name = filled;
                header.msg_hdr.msg_name = (&raw mut *name).cast();
                header.msg_hdr.msg_namelen = len;
            }
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let (mut first, mut retried) = (0, false);
        while let Some(rest) = headers.get_mut(first..count).filter(|rest| !rest.is_empty()) {
            sent.calls += 1;
            #[expect(clippy::cast_possible_truncation, reason = "at most BATCH_MAX")]
            let at_most = rest.len() as u32;
            // SAFETY: each of the `at_most` headers points to a name and, through one vector, to bytes
            // of `self`; all outlive the call, and sendmmsg only writes the headers' `msg_len`.
            let took =
                unsafe { libc::sendmmsg(socket.raw(), rest.as_mut_ptr(), at_most, libc::MSG_DONTWAIT) };
            match usize::try_from(took) {
                Ok(took) if took > 0 => {
                    for header in rest.iter().take(took) {
                        sent.took(header.msg_len as usize);
                    }
                    (first, retried) = (first + took, false);
                }
                // The first datagram of the rest was refused: leave it out and go on with the others.
                _ => match io::Error::last_os_error() {
                    error if is_icmp(&error) && !retried => (sent.icmp, retried) = (sent.icmp + 1, true),
                    error => {
                        sent.refused(&error);
                        (first, retried) = (first + 1, false);
                    }
                },
            }
        }
    }
}

/// Whether `error` may be about an earlier datagram. Reporting it clears it, so trying again is right.
pub(super) fn is_icmp(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

impl Sent {
    /// Adds what became of another batch.
    pub fn add(&mut self, other: Sent) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.blocked += other.blocked;
        self.failed += other.failed;
        self.icmp += other.icmp;
        self.calls += other.calls;
    }

    /// Sends once more what an ICMP error about an earlier datagram stood in the way of.
    pub(super) fn try_again(&mut self, socket: &Socket, to: Option<SocketAddr>, bytes: &[u8]) {
        self.icmp += 1;
        self.calls += 1;
        match socket.send(to, bytes, &[]) {
            Ok(()) => self.took(bytes.len()),
            Err(error) => self.refused(&error),
        }
    }

    pub(super) fn took(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    pub(super) fn refused(&mut self, error: &io::Error) {
        if error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS) {
            self.blocked += 1;
        } else {
            self.failed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SocketOptions;
    use super::*;

    fn socket(address: &str) -> (Socket, SocketAddr) {
        let socket = Socket::bind(address.parse().unwrap(), &SocketOptions::default()).unwrap();
        let bound = socket.local_address().unwrap();
        (socket, bound)
    }

    /// Loopback delivers before `sendmmsg` returns: no waiting here.
    #[test]
    fn a_batch_arrives_whole_and_in_order() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let ((a, a_address), (b, b_address)) = (socket(address), socket(address));
            let (mut out, mut inward) = (SendBatch::default(), ReceiveBatch::default());
            assert_eq!(inward.receive(&b).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            for number in 0..5u8 {
                assert!(out.push(Some(b_address), &[0x80, number], &[number; 160]));
            }
            let sent = out.flush(&a);
            assert_eq!(sent, Sent { packets: 5, bytes: 5 * 162, calls: 1, ..Sent::default() });
            assert!(out.is_empty());
            assert_eq!(inward.receive(&b).unwrap(), 5);
            for number in 0..5u8 {
                let (from, bytes) = inward.packet(usize::from(number)).unwrap();
                assert_eq!((from, bytes.len()), (a_address, 162));
                assert_eq!(bytes[..3], [0x80, number, number]);
            }
            assert!(inward.packet(5).is_none());
        }
    }

    #[test]
    fn a_refused_datagram_does_not_hold_up_the_others() {
        let ((a, _), (b, b_address)) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut out = SendBatch::default();
        assert!(out.push(Some(b_address), b"first", &[]));
        assert!(out.push(Some("[::1]:9".parse().unwrap()), b"wrong family", &[]));
        assert!(out.push(Some(b_address), b"third", &[]));
        let sent = out.flush(&a);
        assert_eq!((sent.packets, sent.failed), (2, 1));
        assert_eq!(ReceiveBatch::default().receive(&b).unwrap(), 2);
    }

    #[test]
    fn an_icmp_error_costs_no_later_datagram() {
        let ((a, _), (gone, gone_address)) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        a.connect(gone_address).unwrap();
        drop(gone);
        let mut out = SendBatch::default();
        assert!(out.push(None, b"nobody hears this", &[]));
        assert_eq!(out.flush(&a).packets, 1);
        let back = Socket::bind(gone_address, &SocketOptions::default()).unwrap();
        assert!(out.push(None, b"this must arrive", &[]));
        let sent = out.flush(&a);
        assert_eq!((sent.packets, sent.icmp, sent.failed), (1, 1, 0));
        assert_eq!(ReceiveBatch::default().receive(&back).unwrap(), 1);
    }

    #[test]
    fn limits_are_answers_not_panics() {
        let mut out = SendBatch::default();
        assert!(!out.push(None, &[0; 12], &[0; PACKET_BYTES_MAX]));
        for _ in 0..BATCH_MAX {
            assert!(out.push(None, &[0; 12], &[0; 160]));
        }
        assert!(out.is_full());
        assert!(!out.push(None, &[0; 12], &[0; 160]));
    }

    #[test]
    fn a_cut_datagram_is_withheld() {
        let ((a, _), (b, b_address)) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        a.send(Some(b_address), &[0; 12], &[0; PACKET_BYTES_MAX]).unwrap();
        let mut inward = ReceiveBatch::default();
        assert_eq!(inward.receive(&b).unwrap(), 1);
        assert!(inward.packet(0).is_none());
    }
}
