//! Who asks, and may he? Bearer tokens (RFC 6750), known by their SHA-256, compared in constant time.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{Scope, Token};
use crate::counts::add;
use crate::error::{ApiError, ApiResult};
use crate::state::Shared;

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) IpAddr);

/// What the token of a request allows.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) name: String,
    scope: Scope,
}

impl Granted {
    /// Refuses unless the token allows `scope`.
    pub(crate) fn require(&self, scope: Scope) -> ApiResult<()> {
        if self.scope >= scope { Ok(()) } else { Err(ApiError::forbidden()) }
    }
}

/// Limits the requests of one address.
pub(crate) async fn limit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if let Err(seconds) = shared.requests.take(client(&request), Instant::now()) {
        add(&shared.counts.limited, 1);
        return ApiError::too_many(seconds).into_response();
    }
    next.run(request).await
}

/// Lets through only who has a token; says to the handler what it allows.
pub(crate) async fn authenticate(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let (address, now) = (client(&request), Instant::now());
    if let Err(seconds) = shared.failures.check(address, now) {
        add(&shared.counts.limited, 1);
        return ApiError::too_many(seconds).into_response();
    }
    let granted = bearer(request.headers()).and_then(|secret| grant(&shared.config.tokens, secret));
    let Some(granted) = granted else {
        add(&shared.counts.unauthorised, 1);
        let _ = shared.failures.take(address, now);
        tokio::time::sleep(shared.config.failure_delay).await;
        return ApiError::unauthorised().into_response();
    };
    request.extensions_mut().insert(granted);
    next.run(request).await
}

fn client(request: &Request) -> IpAddr {
    // Without an address (never, behind our own listener) all share one bucket.
    request.extensions().get::<Client>().map_or(IpAddr::from([0, 0, 0, 0]), |client| client.0)
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, secret) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| secret.trim_ascii())
}

/// Looks at every token, whichever fits: the time says nothing about where it stands or how much of it fits.
fn grant(tokens: &[Token], secret: &[u8]) -> Option<Granted> {
    let hash: [u8; 32] = Sha256::digest(secret).into();
    let mut granted = None;
    for token in tokens {
        if bool::from(token.sha256.ct_eq(&hash)) {
            granted = Some(Granted { name: token.name.clone(), scope: token.scope });
        }
    }
    granted
}
