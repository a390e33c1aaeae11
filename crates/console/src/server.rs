//! The listener and its connections.

use core::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::auth::Client;
use crate::config::ConsoleConfig;
use crate::handles::Handles;
use crate::router::router;
use crate::state::Shared;

/// Time for requests in flight after the shutdown.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// Pause after a failed accept (out of file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Header fields of one request.
const HEADERS_MAX: usize = 64;

/// A console whose port is bound.
pub struct Console {
    listener: TcpListener,
    address: SocketAddr,
    config: ConsoleConfig,
    handles: Handles,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Console({})", self.address)
    }
}

impl Console {
    /// Binds [`ConsoleConfig::listen`]. Must be called on the runtime that it will run on.
    ///
    /// # Errors
    /// The operating system's, if the address cannot be bound.
    pub async fn bind(config: ConsoleConfig, handles: Handles) -> io::Result<Console> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        Ok(Console { listener, address, config, handles })
    }

    /// The address bound, with the port that the system chose if the config says 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then lets requests in flight finish for a moment.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Console { listener, config, handles, .. } = self;
        let (close, closing) = watch::channel(false);
        let places = Arc::new(Semaphore::new(config.connections_max.max(1)));
        let shared = Shared::new(config, handles, closing);
        let router = router(&shared);
        let mut connections = JoinSet::new();
        let mut shutdown = core::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = accept(&listener, &places) => {
                    let Some((stream, address, place)) = accepted else { continue };
                    let (shared, router) = (shared.clone(), router.clone());
                    connections.spawn(async move {
                        serve_connection(&shared, router, stream, address).await;
                        drop(place);
                    });
                }
            }
        }
        drop(listener);
        let _ = close.send(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_REQUESTS, all).await;
    }
}

/// Binds and serves until `shutdown` completes: [`Console::bind`] and [`Console::run`] in one.
///
/// # Errors
/// The operating system's, if the address cannot be bound.
pub async fn serve(
    config: ConsoleConfig,
    handles: Handles,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    Console::bind(config, handles).await?.run(shutdown).await;
    Ok(())
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, address, place))
        }
        Err(error) => {
            tracing::warn!(%error, "the console cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(shared: &Shared, router: Router, stream: TcpStream, address: SocketAddr) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Client(address.ip()));
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_headers(HEADERS_MAX)
        // hyper's own lower bound is 8192.
        .max_buf_size(shared.config.head_bytes_max.max(8192))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = core::pin::pin!(connection);
    tokio::select! {
        // An error here is the peer's: he closed, was too slow, or spoke no HTTP.
        _ = &mut connection => {}
        () = shared.closed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
