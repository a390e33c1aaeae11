//! What the operating system asks of the process.

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or Ctrl-C: take no new calls, end when the last one has.
    Drain,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals we listen to.
pub struct Signals {
    term: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::Drain,
            _ = self.interrupt.recv() => Signal::Drain,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}
