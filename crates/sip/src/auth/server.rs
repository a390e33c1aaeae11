//! Who may register and call. Nonces are stateless (a keyed hash of their time and of who asked); what
//! is kept is which of their counts have been used. A user who does not exist is answered exactly
//! like a wrong password.

use core::hash::BuildHasher;
use core::net::IpAddr;

use base::{AgentKey, Duration, Instant, Rng, Seed, SeededMap};
use subtle::ConstantTimeEq as _;

use super::digest::{Algorithm, Parts, response};
use super::quirks::takes_only_md5;
use crate::endpoint::EndpointConfig;
use crate::message::header::AuthParams;
use crate::message::{HeaderName, Message};
use crate::transaction::template::{hex, unhex};
use crate::ua::print::{Lines, quoted};

/// What a request's credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They prove this agent.
    Proven(AgentKey),
    /// None, or none for our realm: challenge.
    Challenge,
    /// Right, but the nonce is old, or of another address: challenge again without asking the person.
    Stale,
    /// Wrong.
    Wrong,
    /// Right, but used before.
    Replayed,
}

#[derive(Clone, Debug)]
struct User {
    agent: AgentKey,
    password: base::Pii<String>,
}

/// The window of counts of one nonce (as in IPsec, RFC 4303 §3.4.3): late ones are good once.
#[derive(Clone, Copy, Debug)]
struct Counts {
    highest: u32,
    seen: u64,
    issued: Instant,
}

/// Wrong credentials of one address.
#[derive(Clone, Copy, Debug)]
struct Guesses {
    count: u32,
    since: Instant,
}

/// Nonces whose counts are remembered; beyond, the credentials are stale and a new one is made.
const NONCES_MAX: usize = 100_000;
/// Addresses whose guesses are remembered.
const GUESSERS_MAX: usize = 20_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Digest, server side.
#[derive(Debug)]
pub(crate) struct Guard {
    realm: String,
    nonce_life: Duration,
    failures_max: u32,
    users: SeededMap<String, User>,
    names: SeededMap<AgentKey, String>,
    counts: SeededMap<u64, Counts>,
    guesses: SeededMap<IpAddr, Guesses>,
    key: Seed,
    nobody: String,
}

impl Guard {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Guard {
            realm: String::new(),
            nonce_life: Duration::ZERO,
            failures_max: 0,
            users: SeededMap::with_hasher(rng.next_seed()),
            names: SeededMap::with_hasher(rng.next_seed()),
            counts: SeededMap::with_hasher(rng.next_seed()),
            guesses: SeededMap::with_hasher(rng.next_seed()),
            key: rng.next_seed(),
            nobody: rng.token(),
        }
    }

    pub(crate) fn configure(&mut self, config: &EndpointConfig) {
        self.realm = config.realm().to_owned();
        self.nonce_life = config.times.nonce_life;
        self.failures_max = config.limits.auth_failures_per_minute;
        self.users.clear();
        self.names.clear();
        for user in &config.users {
            let value = User { agent: user.agent, password: user.password.clone() };
            self.users.insert(user.username.clone(), value);
            self.names.insert(user.agent, user.username.clone());
        }
    }

    /// An agent's user name.
    pub(crate) fn username(&self, agent: AgentKey) -> Option<&str> {
        self.names.get(&agent).map(String::as_str)
    }

    /// Whether there is a user of this name.
    pub(crate) fn knows(&self, username: &[u8]) -> bool {
        core::str::from_utf8(username).is_ok_and(|name| self.users.contains_key(name))
    }

    /// Judges the credentials of a request. One that is proven uses up its count.
    pub(crate) fn judge(&mut self, now: Instant, m: &Message, method: &[u8], source: IpAddr) -> Verdict {
        let realm = self.realm.clone();
        let ours = m
            .credentials(HeaderName::Authorization)
            .chain(m.credentials(HeaderName::ProxyAuthorization))
            .filter_map(Result::ok)
            .filter(|c| c.is_digest())
            .filter_map(|c| c.params)
            .take(8)
            .find(|params| params.get("realm").as_deref() == Some(realm.as_bytes()));
        let Some(params) = ours else { return Verdict::Challenge };
        let verdict = self.weigh(now, &params, m, method, source);
        if verdict == Verdict::Wrong {
            self.guessed(now, source);
        }
        verdict
    }

    fn weigh(
        &mut self,
        now: Instant,
        params: &AuthParams<'_>,
        m: &Message,
        method: &[u8],
        source: IpAddr,
    ) -> Verdict {
        let get = |name: &str| params.get(name).unwrap_or_default();
        let (username, nonce, uri) = (get("username"), get("nonce"), get("uri"));
        let (nc, cnonce, qop) = (get("nc"), get("cnonce"), get("qop"));
        let algorithm = Algorithm::from_name(params.get("algorithm").as_deref());
        let count = core::str::from_utf8(&nc)
            .ok()
            .filter(|nc| nc.len() == 8)
            .and_then(|nc| u32::from_str_radix(nc, 16).ok());
        let (Some(algorithm), Some(count)) = (algorithm, count) else { return Verdict::Wrong };
        // Without qop=auth there is no count, and so no protection against replay.
        if !qop.eq_ignore_ascii_case(b"auth") || !same_uri(&uri, m.uri_bytes().unwrap_or_default()) {
            return Verdict::Wrong;
        }
        let user = core::str::from_utf8(&username).ok().and_then(|name| self.users.get(name));
        // Nobody has a password too: both ways cost the same.
        let password = user.map_or(self.nobody.as_str(), |user| user.password.reveal());
        let expected = response(
            algorithm,
            &Parts {
                username: &username,
                realm: self.realm.as_bytes(),
                password: password.as_bytes(),
                method,
                uri: &uri,
                nonce: &nonce,
                auth: Some((&nc, &cnonce)),
            },
        );
        let right = bool::from(expected.as_bytes().ct_eq(get("response").to_ascii_lowercase().as_slice()));
        let Some(agent) = user.map(|user| user.agent).filter(|_| right) else { return Verdict::Wrong };
        match self
            .nonce_issued(&nonce, source)
            .filter(|issued| now.since(*issued) <= self.nonce_life && *issued <= now)
        {
            None => Verdict::Stale,
            Some(issued) => self.use_count(now, &nonce, issued, count, agent),
        }
    }

    fn use_count(
        &mut self,
        now: Instant,
        nonce: &[u8],
        issued: Instant,
        count: u32,
        agent: AgentKey,
    ) -> Verdict {
        let key = self.key.hash_one(("count", nonce));
        if !self.counts.contains_key(&key) && self.counts.len() >= NONCES_MAX {
            self.sweep(now);
            if self.counts.len() >= NONCES_MAX {
                return Verdict::Stale;
            }
        }
        let counts = self.counts.entry(key).or_insert(Counts { highest: 0, seen: 0, issued });
        if counts.take(count) { Verdict::Proven(agent) } else { Verdict::Replayed }
    }

    /// A challenge: one line for each algorithm that the sender of `m` can bear.
    pub(crate) fn challenge(
        &self,
        now: Instant,
        m: &Message,
        source: IpAddr,
        stale: bool,
        salt: u64,
    ) -> Lines {
        let mut lines = Lines::new();
        let nonce = self.nonce(now, source, salt);
        let md5_only = takes_only_md5(m);
        for algorithm in Algorithm::OFFERED {
            if md5_only && algorithm != Algorithm::Md5 {
                continue;
            }
            let mut value = format!(
                "Digest realm={}, nonce=\"{nonce}\", algorithm={}, qop=\"auth\"",
                quoted(&self.realm),
                algorithm.name()
            );
            if stale {
                value.push_str(", stale=true");
            }
            lines.line("WWW-Authenticate", value.as_bytes());
        }
        lines
    }

    fn nonce(&self, now: Instant, source: IpAddr, salt: u64) -> String {
        let mut out = Vec::with_capacity(48);
        let time = now.as_millis();
        for part in [time, salt, self.key.hash_one(("nonce", time, salt, source))] {
            hex(&mut out, part);
        }
        String::from_utf8(out).unwrap_or_default()
    }

    /// When a nonce of ours was issued to `source`.
    fn nonce_issued(&self, nonce: &[u8], source: IpAddr) -> Option<Instant> {
        let part = |from: usize| unhex(nonce.get(from..from.checked_add(16)?)?);
        let (time, salt, mac) = (part(0)?, part(16)?, part(32)?);
        let genuine = nonce.len() == 48 && mac == self.key.hash_one(("nonce", time, salt, source));
        genuine.then(|| Instant::from_millis(time))
    }

    fn guessed(&mut self, now: Instant, source: IpAddr) {
        if self.guesses.len() >= GUESSERS_MAX && !self.guesses.contains_key(&source) {
            return;
        }
        let guesses = self.guesses.entry(source).or_insert(Guesses { count: 0, since: now });
        if now.since(guesses.since) > MINUTE {
            *guesses = Guesses { count: 0, since: now };
        }
        guesses.count = guesses.count.saturating_add(1);
    }

    /// Whether an address has guessed so often that it hears nothing for now.
    pub(crate) fn is_silenced(&self, now: Instant, source: IpAddr) -> bool {
        let guesses = self.guesses.get(&source);
        guesses.is_some_and(|g| g.count >= self.failures_max && now.since(g.since) <= MINUTE)
    }

    /// Forgets what is too old to matter.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let life = self.nonce_life;
        self.counts.retain(|_, counts| now.since(counts.issued) <= life);
        self.guesses.retain(|_, guesses| now.since(guesses.since) <= MINUTE);
    }
}

impl Counts {
    /// Uses a count. `false`: used before, zero, or too old to tell.
    fn take(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if count > self.highest {
            let step = count.saturating_sub(self.highest);
            self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let bit = 1u64.checked_shl(self.highest.saturating_sub(count)).unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

/// The digest's `uri` must be the Request-URI (RFC 3261 §22.4): as bytes, or equivalent.
fn same_uri(uri: &[u8], request: &[u8]) -> bool {
    use crate::message::Uri;
    uri == request || Uri::parse_lossy(uri) == Uri::parse_lossy(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_good_once_even_out_of_order() {
        let mut counts = Counts { highest: 0, seen: 0, issued: Instant::ZERO };
        assert_eq!(
            [1, 3, 2, 2, 3, 1, 0].map(|n| counts.take(n)),
            [true, true, true, false, false, false, false]
        );
        assert!(counts.take(100));
        assert!(counts.take(40));
        assert!(!counts.take(36), "outside of the window nobody can tell");
        assert!(counts.take(u32::MAX));
    }
}
