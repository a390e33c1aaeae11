//! How long a caller will wait: foretold, announced, and held against what then happened.

use base::{CallKey, Duration, Instant, QueueKey, TierKey};

use super::Engine;
use crate::expected::{Estimate, Foretold, rounded_up};
use crate::index::Line;
use crate::io::{Announcement, Output};
use crate::tables::{Call, CallIx, CallState, LineIx, Place, Queue, Told};

/// Calls ahead are counted up to this many; beyond, a wait is "very long" anyway.
const AHEAD_MAX: usize = 4_096;
/// A wait that ended longer ago than this says nothing about now.
const OBSERVED_FOR: Duration = Duration::from_secs(600);
/// A caller is told a wait at most this often.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);
/// Waits shorter than this are not worth a word.
const ANNOUNCE_LEAST_S: f64 = 20.0;
/// Of the callers who must wait, one in so long has his wait foretold though nobody asks: the error is always known.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

impl Engine {
    /// How long a waiting call will probably wait from now on, to its mean. `None`: unknown call, or nobody
    /// is on duty. Do not announce a place in line to callers of several tiers: it can grow; announce
    /// [`Output::Wait`].
    pub fn expected_wait(&self, now: Instant, call: CallKey) -> Option<Duration> {
        let call = self.calls.get(self.call_of.get(&call)?.at())?;
        if let CallState::Presented { .. } = call.state {
            return Some(Duration::ZERO);
        }
        self.foretell(now, call).map(|told| Duration::from_secs_f64(told.mean_s))
    }

    /// How long a call of this tier and queue would probably wait if it came now. `None`: no such queue, or
    /// nobody is on duty.
    pub fn expected_wait_new(&self, now: Instant, queue: QueueKey, tier: TierKey) -> Option<Duration> {
        let &ix = self.queue_of.get(&queue)?;
        let queue = self.queues.get(ix.at())?;
        let told = self.foretell_new(now, queue, tier.index().min(self.tier_last()))?;
        Some(Duration::from_secs_f64(told.mean_s))
    }

    pub(super) fn foretell_new(&self, now: Instant, queue: &Queue, tier: usize) -> Option<Foretold> {
        let free = |profile| self.index.profile_at(profile).is_some_and(|row| !row.idle.is_empty());
        if queue.counts.waiting == 0 && queue.profiles.iter().copied().any(free) {
            return Some(Foretold { by_model_s: 0.0, by_history_s: 0.0, mean_s: 0.0, upper_s: 0.0 });
        }
        self.estimate(now, queue, tier, None, None)?.foretell(&self.tiers.get(tier)?.trust)
    }

    pub(super) fn foretell(&self, now: Instant, call: &Call) -> Option<Foretold> {
        let queue = self.queue_row(call)?;
        let line = match call.state {
            CallState::Waiting { line: Some(line) } => Some(line),
            _ => None,
        };
        let estimate = self.estimate(now, queue, call.tier(), line, Some(call))?;
        estimate.foretell(&self.tiers.get(call.tier())?.trust)
    }

    fn estimate(
        &self,
        now: Instant,
        queue: &Queue,
        tier: usize,
        line: Option<LineIx>,
        call: Option<&Call>,
    ) -> Option<Estimate> {
        let on_duty = |ix: &_| self.index.profile_at(*ix).map_or(0, |profile| profile.on_duty);
        let agents = match line {
            Some(line) => self.index.on_duty(line),
            None => queue.profiles.iter().map(on_duty).sum(),
        };
        let recent = |&(at, waited): &(Instant, Duration)| {
            (now.since(at) <= OBSERVED_FOR).then_some(waited.as_secs_f64())
        };
        let last = queue.last_wait.get(tier).and_then(|last| last.as_ref()).and_then(recent);
        let head = self.head(queue, tier).map(|since| now.since(since).as_secs_f64());
        Some(Estimate {
            agents,
            handle_s: queue.handled.seconds(),
            abandon_per_s: self.patience.rate_per_s(),
            ahead: self.ahead(queue, tier, call.map(|call| call.place)),
            overtaking_per_s: self.flows.iter().take(tier).map(|flow| flow.rate_per_s(now)).sum(),
            observed_s: [last, head].into_iter().flatten().reduce(f64::max),
            waited_s: call.map_or(0.0, |call| now.since(call.since).as_secs_f64()),
        })
    }

    /// Lines with calls that agents of the queue may take, and the queue's own; looks through the shorter of the lists
    /// of its agents' lines and of all lines with calls.
    fn competing(&self, queue: &Queue) -> Vec<&Line> {
        let profiles = || queue.profiles.iter().filter_map(|&ix| self.index.profile_at(ix));
        let busy = &self.index.busy;
        let few = profiles().map(|profile| profile.lines.len()).sum::<usize>() <= busy.len();
        let mut lines: Vec<_> = if few {
            profiles().flat_map(|profile| &profile.lines).filter(|&ix| busy.contains(ix)).copied().collect()
        } else {
            let fits = |ix: &&_| {
                let line = self.index.line_at(**ix);
                line.is_some_and(|line| queue.profiles.iter().any(|&profile| line.fit.has(profile)))
            };
            busy.iter().filter(fits).copied().collect()
        };
        let accounts = queue.kinds.values().filter_map(|account| self.accounts.get(account.at()));
        let own = accounts.flat_map(|account| account.lines.iter().flatten().flatten());
        lines.extend(own.filter(|&ix| busy.contains(ix)));
        lines.sort_unstable();
        lines.dedup();
        lines.into_iter().filter_map(|ix| self.index.line_at(ix)).collect()
    }

    /// Calls before a place in line that the same agents would take first: higher tiers, and earlier ones.
    fn ahead(&self, queue: &Queue, tier: usize, place: Option<Place>) -> usize {
        let mut ahead = 0;
        for line in self.competing(queue) {
            for (other, calls) in line.tiers.iter().enumerate().take(tier + 1) {
                ahead += match place {
                    Some(place) if other == tier => {
                        calls.iter().take(AHEAD_MAX).take_while(|&&before| before < place).count()
                    }
                    _ => calls.len(),
                };
            }
        }
        ahead
    }

    /// Since when the first call of a tier waits in lines for the queue's agents.
    pub(super) fn head(&self, queue: &Queue, tier: usize) -> Option<Instant> {
        let heads = self.competing(queue).into_iter().filter_map(|line| line.heads.get(tier).copied());
        let first = heads.filter(|&place| place != Place::NONE).min()?;
        self.calls.get(first.call().at()).map(|call| call.since)
    }

    /// Place in line, 1 for the next, among the calls of its tier and wishes that wait now. Counted up to 4096.
    pub fn position(&self, call: CallKey) -> Option<usize> {
        self.calls.get(self.call_of.get(&call)?.at()).and_then(|call| self.position_of(call))
    }

    fn position_of(&self, call: &Call) -> Option<usize> {
        let CallState::Waiting { line: Some(line) } = call.state else { return Some(1) };
        let calls = self.index.line_at(line)?.tiers.get(call.tier())?;
        Some(1 + calls.iter().take(AHEAD_MAX).take_while(|&&before| before < call.place).count())
    }

    /// What to tell a waiting caller now.
    pub(super) fn ask_wait(&mut self, now: Instant, key: CallKey) {
        let Some(ix) = self.call_ix(key) else { return };
        let Some(call) = self.calls.get(ix.at()) else { return };
        let ahead = self.position_of(call).map_or(0, |position| position - 1);
        let silent = Announcement { within: None, mean: None, ahead, again: ANNOUNCE_EVERY };
        let announcement = match call.state {
            // It rings already.
            CallState::Presented { .. } => Announcement { mean: Some(Duration::ZERO), ..silent },
            CallState::Waiting { .. } => match self.foretell(now, call) {
                Some(told) => self.announce(now, ix, &told, silent),
                None => silent,
            },
        };
        self.outputs.push_back(Output::Wait { call: key, announcement });
    }

    /// Only downward, not too often, and not if it is soon.
    fn announce(&mut self, now: Instant, ix: CallIx, told: &Foretold, silent: Announcement) -> Announcement {
        let mean = Some(Duration::from_secs_f64(told.mean_s));
        let said = self.remember(now, ix, *told);
        let trust =
            self.calls.get(ix.at()).and_then(|call| self.tiers.get(call.tier())).map(|tier| &tier.trust);
        let within = rounded_up(trust.map_or(told.upper_s, |trust| trust.within_s(told)));
        let speak = told.mean_s >= ANNOUNCE_LEAST_S
            && said.is_none_or(|(at, before)| now.since(at) >= ANNOUNCE_EVERY && within < before);
        if speak && let Some(call) = self.calls.get_mut(ix.at()) {
            if let Some(told) = &mut call.rare().told {
                told.said = Some((now, within));
            }
            return Announcement { within: Some(within), mean, ..silent };
        }
        let again = match said {
            Some((at, _)) if now.since(at) < ANNOUNCE_EVERY => ANNOUNCE_EVERY - now.since(at),
            _ => ANNOUNCE_EVERY,
        };
        Announcement { mean, again, ..silent }
    }

    /// Keeps the first word about a call's wait, to hold it against what happens. Returns what was said last.
    fn remember(&mut self, now: Instant, ix: CallIx, first: Foretold) -> Option<(Instant, Duration)> {
        let call = self.calls.get_mut(ix.at())?;
        call.rare().told.get_or_insert(Told { at: now, first, said: None }).said
    }

    /// A call came and must wait: now and then its wait is foretold to nobody but the statistics.
    pub(super) fn sample_wait(&mut self, now: Instant, ix: CallIx) {
        if self.sampled.is_some_and(|last| now.since(last) < SAMPLE_EVERY) {
            return;
        }
        let Some(call) = self.calls.get(ix.at()) else { return };
        if let CallState::Waiting { line: Some(_) } = call.state
            && let Some(told) = self.foretell(now, call)
        {
            self.sampled = Some(now);
            self.remember(now, ix, told);
        }
    }

    /// The wait is over.
    pub(super) fn wait_over(&mut self, now: Instant, call: &Call, answered: bool) {
        let Some(told) = call.rare.as_ref().and_then(|rare| rare.told) else { return };
        let Some(tier) = self.tiers.get_mut(call.tier()) else { return };
        let after_s = now.since(told.at).as_secs_f64();
        if answered {
            tier.trust.answered(&told.first, after_s);
            if let Some((at, within)) = told.said {
                tier.trust.told(now.since(at) <= within);
            }
        } else {
            tier.trust.gave_up(&told.first, after_s);
        }
    }
}
