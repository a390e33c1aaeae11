//! What the store knows from before the start goes to the switch: open promises, and who served whom last. A database
//! that is away is asked until it comes.

use base::{Duration, UnixMillis};
use store::Store;
use tokio::sync::mpsc;

use super::back::Answer;

/// Promises taken up; the distributor has a limit of its own.
const PROMISES_MAX: usize = 100_000;
/// Customers whose last agent is remembered.
const SERVED_MAX: u32 = 100_000;
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// Tells the switch; ends when that is done, or when nobody listens any more.
pub async fn remember(store: Store, answers: mpsc::Sender<Answer>, now: UnixMillis, within: Duration) {
    let promises = loop {
        match store.open_callbacks(PROMISES_MAX).await {
            Ok(promises) => break promises,
            Err(error) => {
                tracing::warn!(%error, "promised callbacks of the last run wait for the database");
                tokio::time::sleep(PAUSE).await;
            }
        }
        if answers.is_closed() {
            return;
        }
    };
    if !promises.is_empty() {
        tracing::info!(callbacks = promises.len(), "promised callbacks of the last run are taken up");
    }
    for row in promises {
        if answers.send(Answer::Promised(Box::new(row.callback))).await.is_err() {
            return;
        }
    }
    if within.is_zero() {
        return;
    }
    let since = UnixMillis(now.0.saturating_sub(u64::try_from(within.as_millis()).unwrap_or(u64::MAX)));
    match store.last_agents(since, SERVED_MAX).await {
        Ok(served) => {
            for (number, agent, at) in served {
                if answers.send(Answer::Served { number, agent, at }).await.is_err() {
                    return;
                }
            }
        }
        Err(error) => tracing::warn!(%error, "who served whom before the start is not known"),
    }
}
