//! One UDP socket: non-blocking, bound to exactly one address and port.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::address::{NAME_LEN, Name};

/// What every media socket gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Limit of the kernel's receive buffer in bytes (`SO_RCVBUF`); `None` leaves the system's default.
    /// Small: what a stranger floods is lost in the kernel, and old voice is worth nothing.
    pub receive_buffer_bytes: Option<u32>,
    /// The same for sending (`SO_SNDBUF`).
    pub send_buffer_bytes: Option<u32>,
    /// Differentiated services code point, 0-63; 46 is "expedited forwarding" (RFC 3246).
    pub dscp: u8,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions { receive_buffer_bytes: Some(64 * 1024), send_buffer_bytes: None, dscp: 46 }
    }
}

/// A UDP socket.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Binds a socket to exactly `address` (port 0: any free one). An IPv6 socket takes IPv6 only.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: takes no pointers.
        let fd = check(unsafe { libc::socket(family, kind, 0) })?;
        // SAFETY: `fd` was opened just now and nobody else owns it.
        let socket = Socket { fd: unsafe { OwnedFd::from_raw_fd(fd) } };
        if address.is_ipv6() {
            socket.set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
        if let Some(bytes) = options.receive_buffer_bytes {
            socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, i32::try_from(bytes).unwrap_or(i32::MAX))?;
        }
        if let Some(bytes) = options.send_buffer_bytes {
            socket.set(libc::SOL_SOCKET, libc::SO_SNDBUF, i32::try_from(bytes).unwrap_or(i32::MAX))?;
        }
        let class = i32::from(options.dscp & 0x3f) << 2;
        match address.ip() {
            IpAddr::V4(_) => socket.set(libc::IPPROTO_IP, libc::IP_TOS, class)?,
            IpAddr::V6(_) => socket.set(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, class)?,
        }
        let (name, len) = Name::new(address);
        // SAFETY: `name` holds at least `len` initialised bytes for the length of the call.
        check(unsafe { libc::bind(socket.raw(), (&raw const name).cast(), len) })?;
        Ok(socket)
    }

    /// From now on only datagrams from `remote` arrive, the kernel drops the others, and sending skips
    /// the route look-up.
    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        let (name, len) = Name::new(remote);
        // SAFETY: `name` holds at least `len` initialised bytes for the length of the call.
        check(unsafe { libc::connect(self.raw(), (&raw const name).cast(), len) }).map(drop)
    }

    /// Undoes [`Socket::connect`]. The socket keeps its port if it was bound to that port by number.
    pub fn disconnect(&self) -> io::Result<()> {
        // The family of an empty name is `AF_UNSPEC`.
        let name = Name::empty();
        // SAFETY: `name` holds `NAME_LEN` initialised bytes for the length of the call.
        check(unsafe { libc::connect(self.raw(), (&raw const name).cast(), NAME_LEN) }).map(drop)
    }

    /// Address and port that the socket is bound to.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let mut name = Name::empty();
        let mut len = NAME_LEN;
        // SAFETY: `name` has room for `len` bytes; both live for the length of the call.
        check(unsafe { libc::getsockname(self.raw(), (&raw mut name).cast(), &raw mut len) })?;
        name.get().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Sends one datagram made of `header` and `payload`, to `to` or, without it, to the connected peer.
    #[inline]
    pub fn send(&self, to: Option<SocketAddr>, header: &[u8], payload: &[u8]) -> io::Result<()> {
        let mut parts = [slice(header), slice(payload)];
        let (mut name, len) = to.map_or((Name::empty(), 0), Name::new);
        // SAFETY: a `msghdr` is integers and pointers, for which zero is a valid value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        if len > 0 {
            message.msg_name = (&raw mut name).cast();
            message.msg_namelen = len;
        }
        message.msg_iov = parts.as_mut_ptr();
        message.msg_iovlen = parts.len();
        // SAFETY: `message` points to `name` and `parts`, and `parts` to the caller's slices; all
        // outlive the call, and sendmsg only reads them.
        let sent = unsafe { libc::sendmsg(self.raw(), &raw const message, libc::MSG_DONTWAIT) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    pub(super) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn set(&self, level: i32, option: i32, value: i32) -> io::Result<()> {
        let len = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the kernel reads `len` bytes from `value`, which lives for the length of the call.
        let done = unsafe { libc::setsockopt(self.raw(), level, option, (&raw const value).cast(), len) };
        check(done).map(drop)
    }
}

/// For whoever waits for it in another way.
impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        socket.fd
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The kernel's view of bytes that it will only read.
pub(super) fn slice(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

/// A system call's result: negative means that `errno` says why.
pub(super) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_bound_once_and_free_again_after_drop() {
        let options = SocketOptions::default();
        let first = Socket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let address = first.local_address().unwrap();
        let second = Socket::bind(address, &options);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(Socket::bind(address, &options).is_ok());
    }

    #[test]
    fn connect_and_disconnect_keep_the_port() {
        let options = SocketOptions::default();
        let any = Socket::bind("[::1]:0".parse().unwrap(), &options).unwrap();
        let address = any.local_address().unwrap();
        drop(any);
        let socket = Socket::bind(address, &options).unwrap();
        socket.connect("[::1]:9".parse().unwrap()).unwrap();
        socket.disconnect().unwrap();
        assert_eq!(socket.local_address().unwrap(), address);
    }
}
