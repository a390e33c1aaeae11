//! Datagrams with the time at which the kernel took them: how late the generator looks at them then
//! does not matter.

#![expect(unsafe_code, reason = "recvmmsg with timestamps; each block says why it is sound")]

use std::io;
use std::os::fd::AsRawFd;

use libc::{iovec, mmsghdr};
use worker::net::Socket;

const BATCH: usize = 16;
const BYTES: usize = 2048;
/// Room for one control message with a timestamp, aligned as control messages must be.
const CONTROL_WORDS: usize = 8;

/// Asks the kernel to stamp what arrives at `socket`.
pub fn stamp(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one int from `on`, which lives for the length of the call.
    let done = unsafe {
        let (fd, len) = (socket.as_raw_fd(), size_of::<libc::c_int>() as libc::socklen_t);
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const on).cast(), len)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives batches from sockets that were given to [`stamp`].
#[derive(Debug)]
pub struct StampedBatch {
    bytes: Box<[[u8; BYTES]; BATCH]>,
    control: Box<[[u64; CONTROL_WORDS]; BATCH]>,
    /// Length and arrival of each datagram taken.
    got: [(usize, u64); BATCH],
    count: usize,
}

impl Default for StampedBatch {
    fn default() -> Self {
        let control = Box::new([[0; CONTROL_WORDS]; BATCH]);
        StampedBatch { bytes: Box::new([[0; BYTES]; BATCH]), control, got: [(0, 0); BATCH], count: 0 }
    }
}

impl StampedBatch {
    /// Takes up to [`BATCH`] datagrams that wait at `socket`. Whether more may wait.
    pub fn receive(&mut self, socket: &Socket) -> bool {
        self.count = 0;
        // SAFETY: both types are integers and pointers, for which zero is a valid value.
        let mut vectors: [iovec; BATCH] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let rooms = self.bytes.iter_mut().zip(self.control.iter_mut());
        for ((header, vector), (bytes, control)) in headers.iter_mut().zip(&mut vectors).zip(rooms) {
            *vector = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: BYTES };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of_val(control) as _;
        }
        // SAFETY: every header points to a buffer of `BYTES` bytes and a control buffer of the length
        // given; all are ours and outlive the call. A null timeout is allowed.
        let got = unsafe {
            let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
            libc::recvmmsg(fd, headers.as_mut_ptr(), BATCH as u32, flags, std::ptr::null_mut())
        };
        let got = usize::try_from(got).unwrap_or(0);
        for (header, (length, arrived)) in headers.iter().zip(self.got.iter_mut()).take(got) {
            (*length, *arrived) = (header.msg_len as usize, arrival(&header.msg_hdr));
        }
        self.count = got;
        got == BATCH
    }

    /// What the last [`StampedBatch::receive`] took: arrival in nanoseconds of wall time (0 if the kernel
    /// did not say) and bytes.
    pub fn packets(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let taken = self.got.iter().zip(self.bytes.iter()).take(self.count);
        taken.map(|(&(length, arrived), bytes)| (arrived, bytes.get(..length).unwrap_or_default()))
    }
}

/// The timestamp among a message's control messages.
fn arrival(header: &libc::msghdr) -> u64 {
    // SAFETY: `header` was filled by recvmmsg, so its control buffer is alive and holds well-formed
    // control messages of the length that the header says.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: null or a control message inside that buffer.
    let Some(message) = (unsafe { first.as_ref() }) else { return 0 };
    if message.cmsg_level != libc::SOL_SOCKET || message.cmsg_type != libc::SCM_TIMESTAMPNS {
        return 0;
    }
    // SAFETY: a message of this type carries one timespec; it may be unaligned.
    let time = unsafe { libc::CMSG_DATA(first).cast::<libc::timespec>().read_unaligned() };
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos.unwrap_or(0))
}
