//! What the signalling side counts beside the switch, readable from the api thread.

use std::sync::atomic::{AtomicU64, Ordering};

use console::{Kind, Sample};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident $help:literal,)*) => {
        /// Monotonic counters.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Counters {
            /// All of them, for the metrics page.
            pub fn samples(&self) -> Vec<Sample> {
                vec![$(sample(stringify!($name), $help, &self.$name),)*]
            }
        }
    };
}

counters! {
    /// Datagrams that the kernel did not take.
    udp_sends_failed "SIP datagrams that the kernel did not take; SIP repeats them.",
    /// TCP connections refused by a limit.
    tcp_connections_refused "SIP connections closed at once because of a limit.",
    /// Calls and registrations that were let go.
    calls_let_go "New calls and registrations refused because more came than could be begun in time.",
    /// Media commands that had to wait.
    media_commands_delayed "Commands that waited because a media thread's ring was full.",
    /// Media commands lost.
    media_commands_dropped "Commands lost because too many waited for a media thread.",
    /// Questions refused.
    questions_refused "Directory, hook and name questions answered in the negative because too many were under way.",
    /// Gaps in the agents' history.
    agent_changes_lost "Agents' changes lost because the database was away for too long.",
    /// Messages written.
    recordings_written "Callers' messages written to files.",
    /// Messages lost.
    recordings_lost "Callers' messages lost: disk full or slow, or the folder's limit.",
    /// Notes lost.
    notes_refused "Promised callbacks and messages' places that the spool refused at its bound.",
    /// Records refused.
    records_refused "Call records that the spool refused at its bound.",
}

/// One more.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[expect(clippy::cast_precision_loss, reason = "a metric's value is a double")]
fn sample(name: &'static str, help: &'static str, value: &AtomicU64) -> Sample {
    let value = value.load(Ordering::Relaxed) as f64;
    Sample { name, help, kind: Kind::Counter, labels: Vec::new(), value }
}
