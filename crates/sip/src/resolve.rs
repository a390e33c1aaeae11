//! The order of targets (RFC 2782, RFC 3263 §4). The look-ups themselves are the driver's.

use core::net::IpAddr;

use base::Rng;

use crate::endpoint::{Protocol, Target};

/// One SRV record with the addresses of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share of the load among equal priorities.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// Protocol of the service name that was asked for (`_sip._udp`).
    pub protocol: Protocol,
    /// Addresses of the target host.
    pub addresses: Vec<IpAddr>,
}

/// Targets of SRV records, best first: by priority, and among equals drawn by weight (RFC 2782).
pub fn order(mut records: Vec<Srv>, rng: &mut Rng) -> Vec<Target> {
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut targets = Vec::new();
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.iter().take_while(|record| record.priority == priority);
        let total = equals.map(|record| u64::from(record.weight)).sum::<u64>();
        // A draw of 0..=total, as RFC 2782 has it: records of weight 0 stand first and win at 0.
        let mut draw = rng.below(total.saturating_add(1));
        let mut chosen = 0;
        for (index, record) in
            records.iter().enumerate().take_while(|(_, record)| record.priority == priority)
        {
            chosen = index;
            match draw.checked_sub(u64::from(record.weight)) {
                Some(left) if left > 0 => draw = left,
                _ => break,
            }
        }
        let record = records.remove(chosen);
        let target = |ip| Target { protocol: record.protocol, remote: (ip, record.port).into() };
        targets.extend(record.addresses.iter().copied().map(target));
    }
    targets
}

/// Targets of a host without SRV records, in the order of its addresses.
pub fn plain(addresses: &[IpAddr], port: Option<u16>, protocol: Option<Protocol>) -> Vec<Target> {
    let target = |ip: &IpAddr| Target {
        protocol: protocol.unwrap_or_default(),
        remote: (*ip, port.unwrap_or(5060)).into(),
    };
    addresses.iter().map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Seed;

    fn srv(priority: u16, weight: u16, last: u8) -> Srv {
        Srv {
            priority,
            weight,
            port: 5060,
            protocol: Protocol::Udp,
            addresses: vec![IpAddr::from([192, 0, 2, last])],
        }
    }

    #[test]
    fn priority_first_then_weight() {
        let mut rng = Rng::new(Seed([1, 2]));
        let mut first = [0u32; 3];
        for _ in 0..3000 {
            let targets = order(vec![srv(20, 0, 3), srv(10, 30, 1), srv(10, 10, 2)], &mut rng);
            assert_eq!(targets.len(), 3);
            assert_eq!(targets[2].remote.ip(), IpAddr::from([192, 0, 2, 3]));
            let IpAddr::V4(ip) = targets[0].remote.ip() else { panic!("IPv4") };
            first[usize::from(ip.octets()[3]) - 1] += 1;
        }
        assert!(first[0] > 2 * first[1] && first[1] > 500, "{first:?}");
    }
}
