//! Writes every change of an agent's state into the store, many at a time: when the database is slow the changes
//! wait in a bounded channel, and what finds it full is counted, never waited for.

use std::time::Duration;

use call::view::Notice;
use store::{AgentChange, Store};
use tokio::sync::mpsc;

/// Changes that may wait.
pub const CHANGES_MAX: usize = 8192;
/// How long a change waits for company. Nobody is woken for what arrives meanwhile.
const COMPANY: Duration = Duration::from_millis(500);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// The change that a notice tells of.
pub fn change(notice: &Notice) -> Option<AgentChange> {
    match notice {
        Notice::Agent { at, number, state, reason } => {
            Some(AgentChange { number: number.clone(), at: *at, state: (*state).to_owned(), reason: *reason })
        }
        Notice::Call { .. } => None,
    }
}

/// Writes until the changes end. What the database does not take waits and is tried again.
pub async fn keep(store: Store, mut changes: mpsc::Receiver<AgentChange>) {
    let mut batch = Vec::new();
    while let Some(first) = changes.recv().await {
        batch.push(first);
        tokio::time::sleep(COMPANY).await;
        while let Ok(next) = changes.try_recv() {
            batch.push(next);
        }
        while let Err(error) = store.put_agent_changes(&batch).await {
            tracing::warn!(%error, changes = batch.len(), "agents' changes wait for the database");
            tokio::time::sleep(PAUSE).await;
        }
        batch.clear();
    }
}
