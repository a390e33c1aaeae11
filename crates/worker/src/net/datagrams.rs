//! Datagrams of any length, many per system call: for a socket that carries signalling.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use libc::{iovec, mmsghdr};

use super::address::{NAME_LEN, Name};
use super::socket::slice;

/// Datagrams per system call.
pub const DATAGRAMS_MAX: usize = 32;

/// Longest payload of a UDP datagram, rounded up.
const BYTES_MAX: usize = 1 << 16;

/// Receives datagrams, whatever their length, up to [`DATAGRAMS_MAX`] per system call.
pub struct Datagrams {
    /// One place of [`BYTES_MAX`] octets each; the system gives memory to what is used of it.
    bytes: Box<[u8]>,
    names: [Name; DATAGRAMS_MAX],
    lengths: [usize; DATAGRAMS_MAX],
    count: usize,
}

impl std::fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Datagrams({})", self.count)
    }
}

impl Default for Datagrams {
    fn default() -> Self {
        Datagrams {
            bytes: vec![0; DATAGRAMS_MAX * BYTES_MAX].into_boxed_slice(),
            names: [Name::empty(); DATAGRAMS_MAX],
            lengths: [0; DATAGRAMS_MAX],
            count: 0,
        }
    }
}

impl Datagrams {
    /// Takes what waits at `socket`, at most [`DATAGRAMS_MAX`] datagrams, and says how many. Fewer mean that
    /// the socket was empty or had an error, which the next call returns. An error of kind `WouldBlock`
    /// means that nothing waited.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.count = 0;
        // SAFETY: both types are integers and pointers, for which zero is a valid value.
        let mut vectors: [iovec; DATAGRAMS_MAX] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [mmsghdr; DATAGRAMS_MAX] = unsafe { std::mem::zeroed() };
        let places = self.bytes.chunks_exact_mut(BYTES_MAX).zip(&mut self.names);
        for ((header, vector), (bytes, name)) in headers.iter_mut().zip(&mut vectors).zip(places) {
            *vector = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: BYTES_MAX };
            header.msg_hdr.msg_name = (&raw mut *name).cast();
            header.msg_hdr.msg_namelen = NAME_LEN;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: each of the `DATAGRAMS_MAX` headers points to a name of `NAME_LEN` bytes and, through one
        // vector, to a place of `BYTES_MAX` bytes; all are ours and outlive the call. A null timeout is allowed.
        let got = unsafe {
            let (fd, at_most) = (socket.as_fd().as_raw_fd(), DATAGRAMS_MAX as u32);
            libc::recvmmsg(fd, headers.as_mut_ptr(), at_most, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let count = usize::try_from(got).unwrap_or(0).min(DATAGRAMS_MAX);
        for (length, header) in self.lengths.iter_mut().zip(headers.iter().take(count)) {
            *length = header.msg_len as usize;
        }
        self.count = count;
        Ok(count)
    }

    /// Datagram `index` of the last [`Datagrams::receive`]: its sender and its bytes.
    #[inline]
    pub fn get(&self, index: usize) -> Option<(SocketAddr, &[u8])> {
        if index >= self.count {
            return None;
        }
        let from = self.names.get(index)?.get()?;
        let place = self.bytes.chunks_exact(BYTES_MAX).nth(index)?;
        Some((from, place.get(..*self.lengths.get(index)?)?))
    }
}

/// Sends every datagram, as many per system call as there are, and says how many the kernel refused. Never
/// waits.
pub fn send_all<B: AsRef<[u8]>>(socket: &impl AsFd, datagrams: &[(SocketAddr, B)]) -> usize {
    datagrams.chunks(DATAGRAMS_MAX).map(|chunk| send_chunk(socket, chunk)).sum()
}

fn send_chunk<B: AsRef<[u8]>>(socket: &impl AsFd, chunk: &[(SocketAddr, B)]) -> usize {
    let mut names = [(Name::empty(), 0); DATAGRAMS_MAX];
    // SAFETY: both types are integers and pointers, for which zero is a valid value.
    let mut vectors: [iovec; DATAGRAMS_MAX] = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut headers: [mmsghdr; DATAGRAMS_MAX] = unsafe { std::mem::zeroed() };
    let places = headers.iter_mut().zip(&mut vectors).zip(&mut names);
    for (((header, vector), name), (to, bytes)) in places.zip(chunk) {
        *name = Name::new(*to);
        *vector = slice(bytes.as_ref());
        header.msg_hdr.msg_name = (&raw mut name.0).cast();
        header.msg_hdr.msg_namelen = name.1;
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    let fd = socket.as_fd().as_raw_fd();
    let (mut first, mut refused, count) = (0, 0, chunk.len().min(DATAGRAMS_MAX));
    while let Some(rest) = headers.get_mut(first..count).filter(|rest| !rest.is_empty()) {
        let at_most = u32::try_from(rest.len()).unwrap_or(0);
        // SAFETY: each header points to a name of its length and, through one vector, to a datagram of the
        // caller's; all outlive the call, and sendmmsg only reads them.
        let took = unsafe { libc::sendmmsg(fd, rest.as_mut_ptr(), at_most, libc::MSG_DONTWAIT) };
        match usize::try_from(took) {
            Ok(took) if took > 0 => first += took,
            // The first of the rest was refused: leave it out and go on with the others.
            _ => (first, refused) = (first + 1, refused + 1),
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::super::{Socket, SocketOptions};
    use super::*;

    fn socket(address: &str) -> (Socket, SocketAddr) {
        let options = SocketOptions { receive_buffer_bytes: Some(4 << 20), ..SocketOptions::default() };
        let socket = Socket::bind(address.parse().unwrap(), &options).unwrap();
        let bound = socket.local_address().unwrap();
        (socket, bound)
    }

    /// Loopback delivers before `sendmmsg` returns: no waiting here.
    #[test]
    fn many_leave_and_arrive_in_order_whatever_their_length() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let ((a, a_address), (b, b_address)) = (socket(address), socket(address));
            let mut inward = Datagrams::default();
            assert_eq!(inward.receive(&b).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            let sent: Vec<_> = (0..40u8).map(|n| (b_address, vec![n; 1 + usize::from(n) * 50])).collect();
            assert_eq!(send_all(&a, &sent), 0);
            let mut heard = Vec::new();
            while let Ok(count) = inward.receive(&b) {
                heard.extend((0..count).map(|index| {
                    let (from, bytes) = inward.get(index).unwrap();
                    assert_eq!(from, a_address);
                    (b_address, bytes.to_vec())
                }));
                assert!(inward.get(count).is_none());
            }
            assert!(heard == sent);
        }
    }

    #[test]
    fn the_longest_datagram_is_whole_and_a_refused_one_holds_up_nobody() {
        let ((a, _), (b, b_address)) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let longest = vec![7u8; 65_507];
        let nowhere = "[::1]:9".parse().unwrap();
        let sent = [(nowhere, vec![1u8]), (b_address, longest.clone()), (nowhere, vec![2u8])];
        assert_eq!(send_all(&a, &sent), 2);
        let mut inward = Datagrams::default();
        assert_eq!(inward.receive(&b).unwrap(), 1);
        assert!(inward.get(0).unwrap().1 == longest);
    }
}
