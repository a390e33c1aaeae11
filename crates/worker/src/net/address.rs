//! `SocketAddr` ⇄ the kernel's `sockaddr`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libc::{sa_family_t, sockaddr_in, sockaddr_in6, socklen_t};

/// Room for an IPv4 or IPv6 address as the kernel writes it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union Name {
    family: sa_family_t,
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.get())
    }
}

/// Size of [`Name`].
pub(super) const NAME_LEN: socklen_t = size_of::<Name>() as socklen_t;

impl Name {
    /// No address.
    pub(super) const fn empty() -> Self {
        // All bytes of the largest member are set, so every member is initialised.
        Name {
            v6: sockaddr_in6 {
                sin6_family: 0,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
                sin6_scope_id: 0,
            },
        }
    }

    /// `address` as the kernel wants it, and its length.
    #[expect(clippy::cast_possible_truncation, reason = "sizes and family constants are small")]
    pub(super) fn new(address: SocketAddr) -> (Self, socklen_t) {
        let mut name = Name::empty();
        match address {
            SocketAddr::V4(v4) => {
                name.v4 = sockaddr_in {
                    sin_family: libc::AF_INET as sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (name, size_of::<sockaddr_in>() as socklen_t)
            }
            SocketAddr::V6(v6) => {
                name.v6 = sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                (name, size_of::<sockaddr_in6>() as socklen_t)
            }
        }
    }

    /// A name that the kernel wrote among other bytes; short or missing ends are zero.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut name = Name::empty();
        let length = bytes.len().min(size_of::<Name>());
        // SAFETY: at most the size of a `Name` is copied into one, every byte of which stays initialised,
        // and its members are plain integers, for which all bit patterns are valid.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut name).cast::<u8>(), length) };
        name
    }

    /// The address that the kernel wrote, if it is one of ours.
    pub(super) fn get(&self) -> Option<SocketAddr> {
        // SAFETY: `empty` and `new` initialise every byte, the kernel overwrites a prefix of them, and
        // every member is plain integers, for which all bit patterns are valid.
        let (family, v4, v6) = unsafe { (self.family, &self.v4, &self.v6) };
        match i32::from(family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))))
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddr::V6(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernels_form() {
        for text in ["192.0.2.1:5060", "[2001:db8::1]:9", "[fe80::1%3]:65535", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Name::new(address).0.get(), Some(address));
        }
        assert_eq!(Name::empty().get(), None);
    }
}
