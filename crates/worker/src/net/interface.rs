//! What the kernel knows of a network interface, and the clock that its programs read.

use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::socket::check;

/// `ETHTOOL_GFLAGS` and its flag for "received VLAN tags are taken off" (`linux/ethtool.h`).
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETH_FLAG_RXVLAN: u32 = 1 << 8;
/// `SIOCETHTOOL` (`linux/sockios.h`).
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// The number of an interface by its name.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `name` is a C string that lives for the length of the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 { Err(io::Error::last_os_error()) } else { Ok(index) }
}

/// Whether VLAN tags are taken off before a program at the interface sees the frame. `false` where the
/// driver has no such thing.
pub fn strips_vlan_tags(name: &str) -> bool {
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let Ok(socket) = std::net::UdpSocket::bind(("127.0.0.1", 0)) else { return false };
    let mut value = Value { command: ETHTOOL_GFLAGS, data: 0 };
    // SAFETY: an `ifreq` is integers and pointers, for which zero is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    let room = request.ifr_name.len().saturating_sub(1);
    for (place, byte) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request points to `value`, into which the kernel writes 4 bytes; both outlive the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    check(done).is_ok() && value.data & ETH_FLAG_RXVLAN != 0
}

/// Whether there are VLAN interfaces above `name`.
pub fn carries_vlans(name: &str) -> bool {
    // The file is there only if the kernel has VLANs.
    std::fs::read_to_string("/proc/net/vlan/config").is_ok_and(|config| lists(&config, name))
}

/// Whether a line `eth0.5 | 5 | eth0` has `name` below it.
fn lists(config: &str, name: &str) -> bool {
    config.lines().skip(2).any(|line| line.rsplit('|').next().is_some_and(|below| below.trim() == name))
}

/// `at` on the kernel's monotonic clock (`bpf_ktime_get_ns`), nanoseconds.
pub fn monotonic_ns(at: Instant) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which is ours; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let (seconds, nanos) =
        (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    let now = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    now.saturating_sub(u64::try_from(at.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_found_by_name() {
        assert_eq!(interface_index("lo").unwrap(), 1);
        assert!(interface_index("nosuch0").is_err());
        assert!(!strips_vlan_tags("lo") && !strips_vlan_tags("nosuch0"));
    }

    #[test]
    fn vlans_are_found_below_their_interface() {
        let config = "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n\
                      eth0.100       | 100  | eth0\nvoice          | 7  | eth10\n";
        assert!(lists(config, "eth0") && lists(config, "eth10"));
        assert!(!lists(config, "eth1") && !lists(config, "eth0.100") && !lists("", "eth0"));
    }

    #[test]
    fn the_kernels_clock_goes_with_ours() {
        let (a, at) = (monotonic_ns(Instant::now()), Instant::now());
        let b = monotonic_ns(at);
        assert!(b >= a && b - a < 1_000_000_000, "{a} {b}");
    }
}
