//! What a rush took is given back to the system when it is over. The allocator keeps freed memory for the next one, in
//! pieces between what is still used; so a switch that once had an hour of ten thousand calls would look like one for good.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use base::Duration;
use call::view::Snapshot;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Fewer transactions at a time than this are no rush: they take some megabytes.
const RUSH: u64 = 10_000;
/// It is over when there are no more than a tenth of the most that there were.
const OVER: u64 = 10;

/// The most transactions since the last rush.
#[derive(Debug, Default)]
struct Rush {
    most: u64,
}

impl Rush {
    /// Whether one is over now; that is said once.
    fn is_over(&mut self, transactions: u64) -> bool {
        self.most = self.most.max(transactions);
        let over = self.most >= RUSH && transactions <= self.most / OVER;
        if over {
            self.most = transactions;
        }
        over
    }
}

/// Gives memory back after each rush, for as long as the switch lives. Whoever wants memory meanwhile waits for some
/// milliseconds: the log says for how many.
pub async fn give_back(snapshot: Arc<ArcSwap<Snapshot>>) {
    let mut rush = Rush::default();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let transactions = |snapshot: &Snapshot| {
            let now = snapshot.counters.iter().filter(|counter| counter.name == "sip_transactions_now");
            now.map(|counter| counter.value).sum()
        };
        if rush.is_over(transactions(&snapshot.load())) {
            let began = Instant::now();
            if tokio::task::spawn_blocking(worker::net::give_memory_back).await.is_ok() {
                let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(ms, "a rush is over: free memory goes back to the system");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_is_over_once_and_small_ones_are_none() {
        let mut rush = Rush::default();
        let seen = [0, 9_999, 0, 10_000, 1_001, 1_000, 0, 999, 400_000, 60_000, 40_000, 39_999, 4_000, 0];
        let over = seen.map(|transactions| rush.is_over(transactions));
        let after: Vec<u64> =
            seen.into_iter().zip(over).filter_map(|(seen, over)| over.then_some(seen)).collect();
        // What is left of a rush may be one itself.
        assert_eq!(after, [1_000, 40_000, 4_000]);
    }
}
