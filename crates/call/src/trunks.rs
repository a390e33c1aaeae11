//! What each trunk carries now, and whether it may carry one call more.

use std::collections::BTreeMap;

use base::{Instant, TrunkKey};

use crate::bucket::Bucket;
use crate::settings::{Settings, Trunk};

/// Why a trunk carries no further call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Live calls.
    Calls,
    /// New calls per second.
    Rate,
}

/// One trunk's load.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    bucket: Bucket,
    calls_max: usize,
    /// Live calls.
    pub(crate) calls: usize,
    /// Calls since start.
    pub(crate) total: u64,
    /// Calls refused since start.
    pub(crate) refused: u64,
    /// Whether its OPTIONS are answered.
    pub(crate) reachable: Option<bool>,
}

/// Every trunk's load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trunks(BTreeMap<TrunkKey, Load>);

impl Trunks {
    /// Takes over limits from `settings`; loads stay.
    pub(crate) fn configure(&mut self, now: Instant, settings: &Settings) {
        for trunk in &settings.trunks {
            let load = self.0.entry(trunk.key).or_insert_with(|| Load::new(now, trunk));
            load.bucket.set_rate(trunk.calls_per_s_max);
            load.calls_max = trunk.calls_max;
        }
    }

    /// One inbound call: counted as live, or refused.
    pub(crate) fn arrive(&mut self, now: Instant, key: TrunkKey) -> Result<(), Full> {
        let Some(load) = self.0.get_mut(&key) else { return Err(Full::Calls) };
        let refusal = if load.calls >= load.calls_max {
            Some(Full::Calls)
        } else if load.bucket.take(now) {
            None
        } else {
            Some(Full::Rate)
        };
        match refusal {
            Some(full) => {
                load.refused = load.refused.saturating_add(1);
                Err(full)
            }
            None => {
                load.take();
                Ok(())
            }
        }
    }

    /// One outbound call; `urgent` ones pass every limit.
    pub(crate) fn depart(&mut self, key: TrunkKey, urgent: bool) -> Result<(), Full> {
        let Some(load) = self.0.get_mut(&key) else { return Err(Full::Calls) };
        if load.calls >= load.calls_max && !urgent {
            load.refused = load.refused.saturating_add(1);
            return Err(Full::Calls);
        }
        load.take();
        Ok(())
    }

    /// A call on the trunk is over.
    pub(crate) fn leave(&mut self, key: TrunkKey) {
        if let Some(load) = self.0.get_mut(&key) {
            load.calls = load.calls.saturating_sub(1);
        }
    }

    /// Counts the live calls anew: one of each of these trunks.
    pub(crate) fn recount(&mut self, live: impl Iterator<Item = TrunkKey>) {
        self.0.values_mut().for_each(|load| load.calls = 0);
        for key in live {
            if let Some(load) = self.0.get_mut(&key) {
                load.calls = load.calls.saturating_add(1);
            }
        }
    }

    /// A call was refused for another reason than the trunk's own limits.
    pub(crate) fn refuse(&mut self, key: TrunkKey) {
        if let Some(load) = self.0.get_mut(&key) {
            load.refused = load.refused.saturating_add(1);
        }
    }

    /// The trunk answered our OPTIONS, or did not.
    pub(crate) fn reachable(&mut self, key: TrunkKey, ok: bool) {
        if let Some(load) = self.0.get_mut(&key) {
            load.reachable = Some(ok);
        }
    }

    /// The load of one trunk.
    pub(crate) fn get(&self, key: TrunkKey) -> Option<&Load> {
        self.0.get(&key)
    }

    /// Live calls on all trunks.
    pub(crate) fn live(&self) -> usize {
        self.0.values().map(|load| load.calls).sum()
    }
}

impl Load {
    fn new(now: Instant, trunk: &Trunk) -> Self {
        let bucket = Bucket::new(trunk.calls_per_s_max, now);
        Load { bucket, calls_max: trunk.calls_max, calls: 0, total: 0, refused: 0, reachable: None }
    }

    fn take(&mut self) {
        self.calls = self.calls.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }
}
