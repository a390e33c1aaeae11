//! Where the console listens, who may ask, and how much.

use core::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Settings of the console. [`ConsoleConfig::new`] gives every limit a sensible value.
#[derive(Clone, Debug)]
pub struct ConsoleConfig {
    /// Address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Who may use `/api`. Empty: nobody.
    pub tokens: Vec<Token>,
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Clients of the event stream at once; more get 503.
    pub event_clients_max: usize,
    /// Bytes of a request's body; more get 413.
    pub body_bytes_max: usize,
    /// Bytes of a request's head; more get 431.
    pub head_bytes_max: usize,
    /// Time for a client to send its request's head, and between requests of one connection.
    pub head_timeout: Duration,
    /// Time for a request to be answered; after it 503.
    pub request_timeout: Duration,
    /// Requests to `/api` per second from one address, and as many as that may come at once times ten;
    /// more get 429 with Retry-After.
    pub requests_per_s: u32,
    /// Wrong credentials per minute from one address; after them 429 without a look at the token.
    pub failures_per_min: u32,
    /// A 401 is answered no sooner than this.
    pub failure_delay: Duration,
    /// An event client that takes nothing for this long is dropped.
    pub event_timeout: Duration,
}

impl ConsoleConfig {
    /// The console at `listen` for the holders of `tokens`.
    pub fn new(listen: SocketAddr, tokens: Vec<Token>) -> Self {
        ConsoleConfig {
            listen,
            tokens,
            connections_max: 512,
            event_clients_max: 64,
            body_bytes_max: 64 << 10,
            head_bytes_max: 16 << 10,
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            requests_per_s: 50,
            failures_per_min: 10,
            failure_delay: Duration::from_millis(250),
            event_timeout: Duration::from_secs(10),
        }
    }
}

/// What a token's holder may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See calls, agents, queues and customers, their numbers masked.
    Read,
    /// See whole numbers on request, change agents' states, end calls.
    Write,
}

/// One bearer token, known by its SHA-256 only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, for the log.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// What it allows.
    pub scope: Scope,
}

/// What is wrong with a token of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// The hash is not 64 hexadecimal digits.
    Hash,
    /// The scope is neither `read` nor `write`.
    Scope,
}

impl Token {
    /// A token from the words of the configuration: its SHA-256 as 64 hexadecimal digits, its scope as
    /// `read` or `write`.
    ///
    /// # Errors
    /// [`TokenFault`].
    pub fn parse(name: &str, sha256: &str, scope: &str) -> Result<Token, TokenFault> {
        let mut hash = [0_u8; 32];
        let digits = sha256.as_bytes();
        if digits.len() != 64 {
            return Err(TokenFault::Hash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| pair.get(at).and_then(|&digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(0), digit(1)) else { return Err(TokenFault::Hash) };
            *byte = u8::try_from(high * 16 + low).map_err(|_| TokenFault::Hash)?;
        }
        let scope = match scope {
            "read" => Scope::Read,
            "write" => Scope::Write,
            _ => return Err(TokenFault::Scope),
        };
        Ok(Token { name: name.to_owned(), sha256: hash, scope })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {:?})", self.name, self.scope)
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenFault::Hash => "the token's sha256 must be 64 hexadecimal digits",
            TokenFault::Scope => "the token's scope must be \"read\" or \"write\"",
        })
    }
}

impl std::error::Error for TokenFault {}
