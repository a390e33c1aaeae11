//! Writes every change of an agent's state into the store, beside the calls: when a database is slow the
//! changes wait in the notices' ring, and what falls out of it is counted, never waited for.

use std::sync::Arc;
use std::time::Duration;

use call::view::Notice;
use store::{AgentChange, Store};
use tokio::sync::broadcast;

use super::counters::{Counters, count};

/// Changes written at once.
const BATCH_MAX: usize = 256;
/// How long a change waits for company before it is written.
const COMPANY: Duration = Duration::from_millis(500);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// Writes until the notices end.
pub async fn keep(store: Store, mut notices: broadcast::Receiver<Arc<Notice>>, counters: Arc<Counters>) {
    let mut batch: Vec<AgentChange> = Vec::new();
    loop {
        let next = if batch.is_empty() {
            notices.recv().await
        } else {
            match tokio::time::timeout(COMPANY, notices.recv()).await {
                Ok(next) => next,
                Err(_) => {
                    write(&store, &mut batch).await;
                    continue;
                }
            }
        };
        match next {
            Ok(notice) => batch.extend(change(&notice)),
            Err(broadcast::error::RecvError::Lagged(_)) => count(&counters.agent_changes_lost),
            Err(broadcast::error::RecvError::Closed) => {
                write(&store, &mut batch).await;
                return;
            }
        }
        if batch.len() >= BATCH_MAX {
            write(&store, &mut batch).await;
        }
    }
}

fn change(notice: &Notice) -> Option<AgentChange> {
    match notice {
        Notice::Agent { at, number, state, reason } => {
            Some(AgentChange { number: number.clone(), at: *at, state: (*state).to_owned(), reason: *reason })
        }
        Notice::Call { .. } => None,
    }
}

/// The batch stays when the database is away: it is written at the next try.
async fn write(store: &Store, batch: &mut Vec<AgentChange>) {
    match store.put_agent_changes(batch).await {
        Ok(()) => batch.clear(),
        Err(error) => {
            tracing::warn!(%error, changes = batch.len(), "agents' changes wait for the database");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
