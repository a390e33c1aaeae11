//! Whether the RTP port range can hold what it promises, asked before the first call.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::net::{self, Socket, SocketOptions};

/// What is asked of the machine.
#[derive(Clone, Debug)]
pub struct PortPlan {
    /// Local addresses that legs may use. Each has the whole range to itself.
    pub addresses: Vec<IpAddr>,
    /// UDP ports of the legs: an even one for RTP and the odd one after it for RTCP (RFC 3550 §11).
    pub range: RangeInclusive<u16>,
    /// UDP listeners of the switch itself; none may lie in the range.
    pub listeners: Vec<SocketAddr>,
    /// Files and sockets kept back for everything that is not a leg: listeners, TCP, HTTP, database.
    pub files_reserve: u64,
}

/// What fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Legs at once: port pairs over all addresses.
    pub legs: u64,
    /// Bridged calls at once: two legs each.
    pub calls: u64,
    /// Sockets that so many legs open at most: two each.
    pub sockets: u64,
    /// Limit of open files, after it was raised.
    pub files_max: u64,
}

/// Why the range cannot be used. Says the numbers, for a person to correct.
#[derive(Debug)]
pub enum PortsError {
    /// The list of local addresses is empty.
    NoAddress,
    /// An address that no peer can send to.
    Unspecified {
        /// The address.
        address: IpAddr,
    },
    /// The range holds no port.
    Empty {
        /// First port, as configured.
        first: u16,
        /// Last port, as configured.
        last: u16,
    },
    /// The range does not consist of pairs: first even, last odd.
    Unpaired {
        /// First port, as configured.
        first: u16,
        /// Last port, as configured.
        last: u16,
        /// The nearest range that consists of pairs.
        better: (u16, u16),
    },
    /// A listener lies inside the range.
    Overlap {
        /// The listener.
        listener: SocketAddr,
    },
    /// The process may not open so many sockets, even after its limit was raised.
    TooManyFor {
        /// Sockets of all legs.
        sockets: u64,
        /// Files kept back for the rest.
        reserve: u64,
        /// The hard limit of open files.
        files_max: u64,
        /// Legs that would fit.
        legs_max: u64,
    },
    /// Ports that could not be bound: taken by another program, or the address is not this machine's.
    Busy {
        /// The first of them.
        first: SocketAddr,
        /// How many on this address.
        count: u32,
        /// Why the first could not be bound.
        error: io::Error,
    },
    /// The limit of open files could not be read or raised.
    Limit(io::Error),
}

impl fmt::Display for PortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no local address for media is given"),
            Self::Unspecified { address } => {
                write!(f, "media address {address} is not one that peers can send to: name a local one")
            }
            Self::Empty { first, last } => write!(f, "RTP port range {first}-{last} is empty"),
            Self::Unpaired { first, last, better: (from, to) } => write!(
                f,
                "RTP port range {first}-{last} must begin with an even and end with an odd port \
                 (RTP and RTCP in pairs): {from}-{to} would do"
            ),
            Self::Overlap { listener } => write!(f, "listener {listener} lies inside the RTP port range"),
            Self::TooManyFor { sockets, reserve, files_max, legs_max } => write!(
                f,
                "the RTP port range needs {sockets} sockets and the rest of the switch {reserve} files, \
                 but the limit of open files is {files_max}: raise it (LimitNOFILE, ulimit -Hn) or \
                 shrink the range to {} ports per address in all",
                legs_max.saturating_mul(2)
            ),
            Self::Busy { first, count, error } => {
                write!(
                    f,
                    "{count} RTP ports on {} cannot be bound, the first is {first}: {error}",
                    first.ip()
                )
            }
            Self::Limit(error) => write!(f, "the limit of open files cannot be raised: {error}"),
        }
    }
}

impl std::error::Error for PortsError {}

/// Checks `plan` against this machine: the range consists of pairs, avoids the listeners, fits the limit
/// of open files (whose soft limit is raised to the hard one) and every port of it can be bound now.
/// Returns what fits, or everything that is wrong.
pub fn check_ports(plan: &PortPlan) -> Result<Capacity, Vec<PortsError>> {
    let mut errors = check_range(plan);
    let capacity = match net::raise_file_limit() {
        Ok(limit) => Some(capacity(plan, limit.soft)),
        Err(error) => {
            errors.push(PortsError::Limit(error));
            None
        }
    };
    if let Some(capacity) = capacity {
        let room = capacity.files_max.saturating_sub(plan.files_reserve);
        if capacity.sockets > room {
            errors.push(PortsError::TooManyFor {
                sockets: capacity.sockets,
                reserve: plan.files_reserve,
                files_max: capacity.files_max,
                legs_max: room / 2,
            });
        }
    }
    if errors.is_empty() {
        errors.extend(plan.addresses.iter().filter_map(|&address| check_free(address, &plan.range)));
    }
    match capacity {
        Some(capacity) if errors.is_empty() => Ok(capacity),
        _ => Err(errors),
    }
}

fn check_range(plan: &PortPlan) -> Vec<PortsError> {
    let (first, last) = (*plan.range.start(), *plan.range.end());
    let mut errors = Vec::new();
    if plan.addresses.is_empty() {
        errors.push(PortsError::NoAddress);
    }
    let nobody = plan.addresses.iter().filter(|address| address.is_unspecified() || address.is_multicast());
    errors.extend(nobody.map(|&address| PortsError::Unspecified { address }));
    if first == 0 || last < first {
        errors.push(PortsError::Empty { first, last });
    } else if first % 2 != 0 || last % 2 != 1 {
        let better = (first.saturating_add(first % 2), if last % 2 == 1 { last } else { last - 1 });
        errors.push(PortsError::Unpaired { first, last, better });
    }
    let inside = plan.listeners.iter().filter(|listener| {
        let same = plan.addresses.contains(&listener.ip()) || listener.ip().is_unspecified();
        same && plan.range.contains(&listener.port())
    });
    errors.extend(inside.map(|&listener| PortsError::Overlap { listener }));
    errors
}

fn capacity(plan: &PortPlan, files_max: u64) -> Capacity {
    let pairs = u64::try_from(plan.range.len() / 2).unwrap_or(0);
    let legs = pairs.saturating_mul(u64::try_from(plan.addresses.len()).unwrap_or(0));
    Capacity { legs, calls: legs / 2, sockets: legs.saturating_mul(2), files_max }
}

/// Binds every port of the range once. About 10 µs each.
fn check_free(address: IpAddr, range: &RangeInclusive<u16>) -> Option<PortsError> {
    let options = SocketOptions { receive_buffer_bytes: None, send_buffer_bytes: None, dscp: 0 };
    let mut failures = range.clone().filter_map(|port| {
        let address = SocketAddr::new(address, port);
        Socket::bind(address, &options).err().map(|error| (address, error))
    });
    let (first, error) = failures.next()?;
    let others = u32::try_from(failures.count()).unwrap_or(u32::MAX);
    Some(PortsError::Busy { first, count: others.saturating_add(1), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(range: RangeInclusive<u16>) -> PortPlan {
        let addresses = vec!["127.29.9.3".parse().unwrap()];
        PortPlan { addresses, range, listeners: Vec::new(), files_reserve: 100 }
    }

    #[test]
    fn a_good_range_says_what_fits() {
        let capacity = check_ports(&plan(20_000..=20_399)).unwrap();
        assert_eq!((capacity.legs, capacity.calls, capacity.sockets), (200, 100, 400));
    }

    #[test]
    fn a_bad_range_names_its_numbers() {
        let text = |plan: &PortPlan| check_ports(plan).unwrap_err()[0].to_string();
        #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
        let reversed = plan(300..=200);
        assert_eq!(text(&reversed), "RTP port range 300-200 is empty");
        assert!(text(&plan(10_001..=10_010)).ends_with("10002-10009 would do"));
        assert!(text(&PortPlan { addresses: Vec::new(), ..plan(2..=3) }).starts_with("no local address"));
        let everywhere = PortPlan { addresses: vec!["::".parse().unwrap()], ..plan(2..=3) };
        assert!(text(&everywhere).starts_with("media address ::"));
        let listeners = vec!["0.0.0.0:20004".parse().unwrap(), "127.0.0.9:20004".parse().unwrap()];
        let errors = check_ports(&PortPlan { listeners, ..plan(20_000..=20_009) }).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].to_string(), "listener 0.0.0.0:20004 lies inside the RTP port range");
        let greedy = PortPlan { files_reserve: u64::MAX, ..plan(20_000..=20_009) };
        assert!(text(&greedy).contains("needs 10 sockets"));
    }

    #[test]
    fn a_port_in_use_is_found() {
        let address = "127.29.9.3:20503".parse().unwrap();
        let _taken = Socket::bind(address, &SocketOptions::default()).unwrap();
        let errors = check_ports(&plan(20_500..=20_509)).unwrap_err();
        assert!(matches!(errors[..], [PortsError::Busy { first, count: 1, .. }] if first == address));
    }
}
