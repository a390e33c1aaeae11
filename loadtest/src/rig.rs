//! Who sits at which port when a relay is measured without signalling: both processes count alike.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Calls between two rows of ports: the relay's and the generator's.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Rig {
    /// Bridged calls: two legs each.
    #[arg(long, default_value_t = 200)]
    pub calls: u16,
    /// Address of both rows.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub address: IpAddr,
    /// First RTP port of the relay; leg n has this plus 2n.
    #[arg(long, default_value_t = 10_000)]
    pub relay_base: u16,
    /// First RTP port of the generator; stream n has this plus 2n.
    #[arg(long, default_value_t = 21_000)]
    pub generator_base: u16,
}

impl Rig {
    /// Numbers of all legs. Legs 2n and 2n+1 are call n.
    pub fn legs(&self) -> impl Iterator<Item = u16> + use<> {
        0..self.calls.saturating_mul(2)
    }

    /// The relay's side of leg `leg`.
    pub fn relay(&self, leg: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.relay_base.saturating_add(leg.saturating_mul(2)))
    }

    /// The generator's side of leg `leg`.
    pub fn generator(&self, leg: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.generator_base.saturating_add(leg.saturating_mul(2)))
    }

    /// The other leg of the same call.
    pub const fn other(leg: u16) -> u16 {
        leg ^ 1
    }
}
