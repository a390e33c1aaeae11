//! Floor 4: HTTP. Health, metrics for Prometheus, the API under `/api/v1` with OpenAPI and bearer
//! tokens, and the event stream. It reads snapshots and asks the switch by messages: signalling is
//! never locked and never waited for.

mod config;
mod handles;

pub use config::{ConsoleConfig, Scope, Token, TokenFault};
pub use handles::{AdminRequest, Handles, Kind, Readiness, Sample};

/// A console whose port is bound.
#[derive(Debug)]
pub struct Console;

impl Console {
    /// Binds [`ConsoleConfig::listen`].
    ///
    /// # Errors
    /// The operating system's, if the address cannot be bound.
    pub async fn bind(_config: ConsoleConfig, _handles: Handles) -> std::io::Result<Console> {
        Ok(Console)
    }

    /// The address bound, with the port that the system chose if the config says 0.
    pub fn local_addr(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// Serves until `shutdown` completes, then lets requests in flight finish for a moment.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
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
) -> std::io::Result<()> {
    Console::bind(config, handles).await?.run(shutdown).await;
    Ok(())
}
