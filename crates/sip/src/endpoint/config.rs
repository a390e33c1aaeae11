//! What the endpoint is told: where it listens, whom it trusts, and its limits.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use base::{AgentKey, Pii, TrunkKey};

use super::Protocol;

/// Everything the endpoint is configured with. [`super::Endpoint::configure`] takes a new one at any
/// time; dialogs and transactions that live are not touched.
#[derive(Clone, Debug, Default)]
pub struct EndpointConfig {
    /// Sockets of ours, by protocol; the first fitting one carries requests we start.
    pub listeners: Vec<Listener>,
    /// Our domains and addresses, as they stand in From and Request-URI. The first is the digest
    /// realm and the host of our From.
    pub domains: Vec<String>,
    /// Server and User-Agent; empty: none is sent.
    pub product: String,
    /// Carriers.
    pub trunks: Vec<TrunkConfig>,
    /// Who may register.
    pub users: Vec<UserConfig>,
    /// Numbers that users reach at any time, also while draining and above [`EndpointLimits::legs_max`]:
    /// emergency numbers.
    pub urgent: Vec<String>,
    /// Limits.
    pub limits: EndpointLimits,
    /// Protocol times.
    pub times: Times,
}

impl EndpointConfig {
    /// The digest realm, which is also the host of our From.
    pub fn realm(&self) -> &str {
        self.domains.first().map_or("localhost", String::as_str)
    }
}

/// One socket the driver has bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its protocol.
    pub protocol: Protocol,
    /// The bound address.
    pub local: SocketAddr,
    /// What peers must use to reach it (Via, Contact), where it is not `local`.
    pub advertised: Option<SocketAddr>,
}

impl Listener {
    /// The address that stands in Via and Contact.
    pub fn sent_by(&self) -> SocketAddr {
        self.advertised.unwrap_or(self.local)
    }
}

/// A block of addresses, `10.0.0.0/8` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// Any address in the block.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl Cidr {
    /// The block of one address.
    pub const fn host(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Cidr { address, prefix }
    }

    /// Whether `ip` is in the block. An IPv4 address mapped into IPv6 is the IPv4 address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let shift = |width: u32| width.saturating_sub(u32::from(self.prefix));
        match (self.address.to_canonical(), ip.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let (a, b) = (u32::from(a), u32::from(b));
                a.checked_shr(shift(32)).unwrap_or(0) == b.checked_shr(shift(32)).unwrap_or(0)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let (a, b) = (u128::from(a), u128::from(b));
                a.checked_shr(shift(128)).unwrap_or(0) == b.checked_shr(shift(128)).unwrap_or(0)
            }
            _ => false,
        }
    }
}

impl core::str::FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| CidrError)?;
        let whole = Cidr::host(address);
        let prefix = prefix.map_or(Ok(whole.prefix), |p| p.parse().map_err(|_| CidrError))?;
        if prefix > whole.prefix { Err(CidrError) } else { Ok(Cidr { address, prefix }) }
    }
}

/// Not an address nor a block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidrError;

impl core::fmt::Display for CidrError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not an address or CIDR block such as 192.0.2.1 or 192.0.2.0/24")
    }
}

impl core::error::Error for CidrError {}

/// One carrier.
#[derive(Clone, Debug)]
pub struct TrunkConfig {
    /// Its key.
    pub key: TrunkKey,
    /// Where its requests come from. A longer prefix wins over a shorter one of another trunk.
    pub sources: Vec<Cidr>,
    /// Where requests to it go (RFC 3263); `None`: calls come in only.
    pub gateway: Option<Gateway>,
    /// Whether its P-Asserted-Identity, Privacy, Diversion and History-Info are believed.
    pub trusted_identity: bool,
    /// What answers its challenges. Sent to no one else, and for no other realm.
    pub credentials: Option<Credentials>,
    /// Interval of OPTIONS to the gateway.
    pub options_interval: Option<Duration>,
    /// Requests inside a dialog go to the source of the dialog's first message instead of its
    /// Contact (a carrier behind address translation).
    pub symmetric: bool,
    /// Host of the From of our requests to it; `None`: our first domain.
    pub from_host: Option<String>,
}

impl TrunkConfig {
    /// A trunk with one gateway and no credentials: the common case, and the tests'.
    pub fn plain(key: TrunkKey, address: SocketAddr) -> Self {
        TrunkConfig {
            key,
            sources: vec![Cidr::host(address.ip())],
            gateway: Some(Gateway {
                host: address.ip().to_string(),
                port: Some(address.port()),
                protocol: None,
            }),
            trusted_identity: true,
            credentials: None,
            options_interval: None,
            symmetric: false,
            from_host: None,
        }
    }
}

/// A next hop, to be resolved by RFC 3263.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Host name or address.
    pub host: String,
    /// Port; `None`: SRV, then 5060.
    pub port: Option<u16>,
    /// Protocol; `None`: by DNS, else UDP.
    pub protocol: Option<Protocol>,
}

/// User name and password for a challenge of `realm`.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The only realm that is answered.
    pub realm: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Pii<String>,
}

/// Who may register and call.
#[derive(Clone, Debug)]
pub struct UserConfig {
    /// The agent.
    pub agent: AgentKey,
    /// User part of the address of record and digest user name: the agent's number.
    pub username: String,
    /// Digest secret.
    pub password: Pii<String>,
}

/// Limits of the endpoint. What happens at each is counted under the name in brackets.
#[derive(Clone, Copy, Debug)]
pub struct EndpointLimits {
    /// Message limits of the parser: 413/400.
    pub message: crate::message::Limits,
    /// Legs at once: 503 (`legs_full`).
    pub legs_max: usize,
    /// Server transactions at once: 503, then silence (`transactions_full`).
    pub transactions_max: usize,
    /// Server transactions of one source address at once: 503 (`source_full`).
    pub transactions_per_source_max: u32,
    /// Requests per second from one address that is no trunk: 503 (`rate_limited`); beyond twice
    /// that, silence (`flooded`).
    pub requests_per_source_per_s: u32,
    /// The same for a trunk's address.
    pub requests_per_trunk_source_per_s: u32,
    /// Addresses watched at once; the longest unseen is forgotten.
    pub sources_max: usize,
    /// Failed authentications of one address within a minute before it hears nothing
    /// (`guesses_silenced`).
    pub auth_failures_per_minute: u32,
    /// Contacts of one agent: 403 (`contacts_full`).
    pub contacts_per_user_max: usize,
    /// Challenges answered within one request (TRUST row 39).
    pub challenges_max: u8,
}

impl Default for EndpointLimits {
    fn default() -> Self {
        EndpointLimits {
            message: crate::message::Limits::default(),
            legs_max: 20_000,
            transactions_max: 100_000,
            transactions_per_source_max: 50_000,
            requests_per_source_per_s: 100,
            requests_per_trunk_source_per_s: 10_000,
            sources_max: 10_000,
            auth_failures_per_minute: 10,
            contacts_per_user_max: 8,
            challenges_max: 2,
        }
    }
}

/// Times of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// T1, the round-trip estimate (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// T2, the longest interval between retransmissions of a non-INVITE request.
    pub t2: Duration,
    /// T4, how long a message may live in the network.
    pub t4: Duration,
    /// How long an INVITE of a peer may wait for our first answer before it gets 100; zero: no time. At
    /// most 200 ms (RFC 3261 §17.2.1).
    pub trying_after: Duration,
    /// What only forgets (timers D, I, J, K, L, M) waits for the next multiple of this, so that many
    /// such timers cost one wake-up; zero: each has its own.
    pub forget_grid: Duration,
    /// How long an INVITE of ours may ring before it is cancelled and reported as 408.
    pub ring_max: Duration,
    /// How long an INVITE of a peer may wait for our final answer; then 504 (`Cancelled`).
    pub unanswered_max: Duration,
    /// Session-Expires we ask for (RFC 4028); zero: no session timer of our own.
    pub session_expires: Duration,
    /// The shortest session timer we accept (Min-SE; at least 90 s).
    pub session_min: Duration,
    /// Shortest registration: 423 (RFC 3261 §10.3).
    pub registration_min: Duration,
    /// Longest registration: shortened to it.
    pub registration_max: Duration,
    /// Registration when the peer names no time.
    pub registration_default: Duration,
    /// Interval of keep-alives towards UDP contacts of agents; zero: none.
    pub keepalive: Duration,
    /// How long a digest nonce is good.
    pub nonce_life: Duration,
    /// Retry-After of our 503.
    pub retry_after_s: u32,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying_after: Duration::ZERO,
            forget_grid: Duration::ZERO,
            ring_max: Duration::from_secs(180),
            unanswered_max: Duration::from_secs(180),
            session_expires: Duration::from_secs(1800),
            session_min: Duration::from_secs(90),
            registration_min: Duration::from_secs(60),
            registration_max: Duration::from_secs(3600),
            registration_default: Duration::from_secs(600),
            keepalive: Duration::from_secs(25),
            nonce_life: Duration::from_secs(300),
            retry_after_s: 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_addresses_contains_its_own() -> Result<(), CidrError> {
        let block: Cidr = "192.0.2.0/24".parse()?;
        assert!(block.contains(IpAddr::from([192, 0, 2, 200])));
        assert!(!block.contains(IpAddr::from([192, 0, 3, 1])));
        assert!("0.0.0.0/0".parse::<Cidr>()?.contains(IpAddr::from([8, 8, 8, 8])));
        assert!(
            "2001:db8::/32"
                .parse::<Cidr>()?
                .contains("2001:db8::7".parse().unwrap_or(IpAddr::from([0, 0, 0, 0])))
        );
        assert!("10.0.0.1/33".parse::<Cidr>().is_err());
        assert!("carrier.example".parse::<Cidr>().is_err());
        Ok(())
    }
}
