//! Finds the addresses of a SIP server's name: RFC 3263 §4 with SRV, then A and AAAA. Look-ups run
//! beside the signalling loop, so a dead name server delays only the calls that need it.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use sip::resolve::Srv;
use sip::{Protocol, Target};

/// Names asked for at the same time; more fail at once and count as not found.
const LOOKUPS_MAX: usize = 256;
/// Longest time for one name, all its look-ups together.
const LOOKUP_S_MAX: u64 = 5;

/// What to look up.
#[derive(Clone, Debug)]
pub struct Question {
    /// Comes back with the answer.
    pub query: u64,
    /// Host name or address.
    pub host: String,
    /// Port, if the URI had one.
    pub port: Option<u16>,
    /// Transport, if the URI had one.
    pub protocol: Option<Protocol>,
}

/// Asks the system's name servers.
#[derive(Clone)]
pub struct Resolver {
    dns: Option<TokioResolver>,
    busy: std::sync::Arc<tokio::sync::Semaphore>,
}

impl Resolver {
    /// A resolver with the system's configuration. Without one, only addresses resolve.
    pub fn of_the_system() -> Self {
        let dns = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        if let Err(error) = &dns {
            tracing::warn!(%error, "no name servers: trunks must be given by address");
        }
        Resolver { dns: dns.ok(), busy: std::sync::Arc::new(tokio::sync::Semaphore::new(LOOKUPS_MAX)) }
    }

    /// Targets, best first; none if the name is not found in time.
    pub async fn resolve(&self, question: &Question, rank: &mut base::Rng) -> Vec<Target> {
        let Ok(_permit) = self.busy.try_acquire() else { return Vec::new() };
        let limit = std::time::Duration::from_secs(LOOKUP_S_MAX);
        tokio::time::timeout(limit, self.look_up(question, rank)).await.unwrap_or_default()
    }

    async fn look_up(&self, question: &Question, rank: &mut base::Rng) -> Vec<Target> {
        let protocol = question.protocol.unwrap_or(Protocol::Udp);
        let port = question.port.unwrap_or(5060);
        // §4.2: an address or a port in the URI is the end of the search by name.
        if let Ok(ip) = question.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return vec![Target { protocol, remote: SocketAddr::new(ip, port) }];
        }
        if question.port.is_some() {
            return self.addresses(&question.host, protocol, port).await;
        }
        let tried: &[Protocol] = match question.protocol {
            Some(Protocol::Udp) => &[Protocol::Udp],
            Some(Protocol::Tcp) => &[Protocol::Tcp],
            None => &[Protocol::Udp, Protocol::Tcp],
        };
        let mut services = Vec::new();
        for &protocol in tried {
            services.extend(self.services(&question.host, protocol).await);
        }
        if services.is_empty() {
            return self.addresses(&question.host, protocol, port).await;
        }
        sip::resolve::order(services, rank)
    }

    /// SRV records with the addresses of their hosts.
    async fn services(&self, host: &str, protocol: Protocol) -> Vec<Srv> {
        let Some(dns) = &self.dns else { return Vec::new() };
        let Ok(found) = dns.srv_lookup(format!("_sip._{}.{host}", protocol.as_param())).await else {
            return Vec::new();
        };
        let mut services = Vec::new();
        for record in found.answers() {
            if let RData::SRV(srv) = &record.data {
                let host = srv.target.to_utf8();
                let targets = self.addresses(host.trim_end_matches('.'), protocol, srv.port).await;
                let addresses = targets.iter().map(|target| target.remote.ip()).collect();
                services.push(Srv {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    protocol,
                    addresses,
                });
            }
        }
        services
    }

    async fn addresses(&self, host: &str, protocol: Protocol, port: u16) -> Vec<Target> {
        if host.eq_ignore_ascii_case("localhost") {
            return vec![Target { protocol, remote: SocketAddr::from(([127, 0, 0, 1], port)) }];
        }
        let Some(dns) = &self.dns else { return Vec::new() };
        match dns.lookup_ip(host).await {
            Ok(found) => {
                found.iter().map(|ip| Target { protocol, remote: SocketAddr::new(ip, port) }).collect()
            }
            Err(_) => Vec::new(),
        }
    }
}
