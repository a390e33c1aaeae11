//! Who climbs the ladder of overload, and what it does. A queue is looked at when calls of it come or go, at most once
//! a second, and at the moments when a wait passes a threshold or a rung may be left: nothing polls.

use base::{Duration, Instant, QueueKey};

use super::Engine;
use super::decide::tier_key;
use crate::config::{Contract, Ladder, OverflowTarget};
use crate::decision::{Decision, Outcome, Trigger};
use crate::index::Line;
use crate::io::{Class, Output, OverflowWhy, Timer, WayOut};
use crate::ladder::LOOK;
use crate::tables::{AccountIx, Call, CallIx, CallState, Place, Queue, QueueIx};

/// What was measured of a queue, as shares of what enters a rung.
struct Measures {
    /// Per tier: the wait that it is about to have, and the measure of offering it a callback.
    tiers: Vec<(Duration, f64)>,
    pressed: f64,
    infeasible: f64,
    /// When a wait passes its threshold if nothing happens.
    passes: Option<Instant>,
}

impl Engine {
    /// A call of the queue came or went.
    pub(super) fn watch(&mut self, now: Instant, ix: QueueIx) {
        if self.config.ladder.is_none() {
            return;
        }
        let Some(queue) = self.queues.get(ix.at()) else { return };
        let at = queue.overload.seen.map_or(now, |seen| (seen + LOOK).max(now));
        self.look_at(ix, at);
    }

    fn look_at(&mut self, ix: QueueIx, at: Instant) {
        let Some(queue) = self.queues.get_mut(ix.at()) else { return };
        if queue.overload.next.is_none_or(|next| at < next) {
            queue.overload.next = Some(at);
            self.timers.set(Timer::Ladder(queue.config.key), at);
        }
    }

    pub(super) fn ladder_timeout(&mut self, now: Instant, key: QueueKey) {
        let Some(&ix) = self.queue_of.get(&key) else { return };
        let Some(ladder) = self.config.ladder.clone() else { return };
        let Some(measures) = self.queues.get(ix.at()).map(|queue| self.measure(now, queue, &ladder)) else {
            return;
        };
        let Some(queue) = self.queues.get_mut(ix.at()) else { return };
        let waits = queue.counts.waiting > 0;
        let overload = &mut queue.overload;
        (overload.seen, overload.next) = (Some(now), None);
        let mut next = measures.passes;
        let mut soonest = |at: Option<Instant>| next = [next, at].into_iter().flatten().min();
        overload.offering.resize_with(measures.tiers.len(), Default::default);
        for (rung, &(_, measure)) in overload.offering.iter_mut().zip(&measures.tiers) {
            soonest(rung.see(now, measure, &ladder));
        }
        soonest(overload.pressed.see(now, measures.pressed, &ladder));
        soonest(overload.infeasible.see(now, measures.infeasible, &ladder));
        let (from, to) = (overload.level, overload.rung());
        overload.level = to;
        if from != to {
            self.changed_level(now, ix, from, to, &measures);
        }
        if to > 0 && waits && self.offer_ways_out(now, ix, ladder.offers_per_s) {
            next = [next, Some(now + LOOK)].into_iter().flatten().min();
        }
        if let Some(at) = next {
            self.look_at(ix, at.max(now + Duration::from_millis(1)));
        }
    }

    fn measure(&self, now: Instant, queue: &Queue, ladder: &Ladder) -> Measures {
        let mut passes: Option<Instant> = None;
        let mut pressed = 0.0f64;
        let mut tiers = Vec::with_capacity(self.config.tiers.len());
        let waits = queue.counts.waiting > 0;
        for (tier, contract) in self.config.tiers.iter().enumerate() {
            let owed = |f: fn(&crate::Debts) -> f64| self.owed(queue, tier, contract, f) / ladder.debt_share;
            pressed = pressed.max(if waits { owed(|debts| debts.floor) } else { 0.0 });
            let Some(above) = contract.callback_above else {
                tiers.push((Duration::ZERO, 0.0));
                continue;
            };
            let since = self.first_of(queue, tier);
            let wait = self.coming_wait(now, queue, tier, since);
            let mut measure = ratio(wait, above);
            if wait > ladder.debt_wait {
                measure = measure.max(owed(|debts| debts.target));
            }
            // A wait equal to the threshold does not pass it: a moment more.
            let at = since.map(|since| since + above + Duration::from_millis(1)).filter(|&at| at > now);
            passes = [passes, at].into_iter().flatten().min();
            tiers.push((wait, measure));
        }
        let infeasible = if pressed > 1.0 || queue.overload.infeasible.is_entered() {
            self.lacking(now, queue)
        } else {
            0.0
        };
        Measures { tiers, pressed, infeasible, passes }
    }

    /// The wait that a tier of the queue has now or is about to have.
    fn coming_wait(&self, now: Instant, queue: &Queue, tier: usize, first: Option<Instant>) -> Duration {
        let now_s = first.map_or(Duration::ZERO, |since| now.since(since));
        let told = self.foretell_new(now, queue, tier).map(|told| Duration::from_secs_f64(told.mean_s));
        now_s.max(told.unwrap_or_default())
    }

    /// The debt of the queue's account that is owed most, as a share of its cap.
    fn owed(&self, queue: &Queue, tier: usize, terms: &Contract, f: impl Fn(&crate::Debts) -> f64) -> f64 {
        let debts = queue.kinds.values().filter_map(|&account| self.policy.debts(account, tier));
        debts.map(|debts| f(&debts)).fold(0.0, f64::max) / terms.debt_max.max(f64::EPSILON)
    }

    /// Agents needed for the floors per agent on duty.
    fn lacking(&self, now: Instant, queue: &Queue) -> f64 {
        let Some(view) = self.feasibility(now, Some(queue.key())) else { return 0.0 };
        let needed = view.for_floors.unwrap_or(u32::MAX);
        f64::from(needed) / f64::from(view.on_duty.max(1))
    }

    /// The queue's own lines.
    fn own_lines<'a>(&'a self, queue: &'a Queue) -> impl Iterator<Item = &'a Line> {
        let accounts = queue.kinds.values().filter_map(|account: &AccountIx| self.accounts.get(account.at()));
        let lines = accounts.flat_map(|account| account.lines.iter().flatten().flatten());
        lines.filter_map(|&line| self.index.line_at(line))
    }

    /// Since when the first of the queue's usual callers of a tier waits: emergencies and complaints go before
    /// them and have not waited as long.
    fn first_of(&self, queue: &Queue, tier: usize) -> Option<Instant> {
        let calls = self.own_lines(queue).filter_map(|line| line.tiers.get(tier));
        let usual = Place::first_of(Class::Normal);
        calls.filter_map(|calls| calls.range(usual..).next()).map(|place| place.since()).min()
    }

    fn changed_level(&mut self, now: Instant, ix: QueueIx, from: u8, to: u8, measures: &Measures) {
        let Some(queue) = self.queues.get_mut(ix.at()) else { return };
        let key = queue.key();
        let reinforced = to >= 3 && !queue.config.reinforce.is_empty();
        let changed = core::mem::replace(&mut queue.overload.reinforced, reinforced) != reinforced;
        self.outputs.push_back(Output::Overload { queue: key, level: to });
        let by_measure = |(_, one): &(usize, &(Duration, f64)), (_, two): &(usize, &(Duration, f64))| {
            one.1.total_cmp(&two.1)
        };
        let worst = measures.tiers.iter().enumerate().max_by(by_measure);
        let (tier, wait) = worst.map(|(tier, &(wait, _))| (tier_key(tier), wait)).unzip();
        self.note(Decision {
            number: 0,
            at: now,
            call: None,
            tier,
            queue: key,
            waited: Duration::ZERO,
            outcome: Outcome::Level { from, to, wait },
            trigger: Trigger::Overload,
            policy: self.config.policy,
            choice: self.config.agent_choice,
            heads: Vec::new(),
            idle: 0,
            others: Vec::new(),
        });
        if changed {
            self.move_lines(now, ix);
        }
    }

    /// The queue's callers may be taken by more agents, or by fewer, from now on.
    fn move_lines(&mut self, now: Instant, ix: QueueIx) {
        let Some(queue) = self.queues.get(ix.at()) else { return };
        let lines = self.own_lines(queue).flat_map(|line| line.tiers.iter().enumerate());
        let mut calls: Vec<(usize, Place)> =
            lines.flat_map(|(tier, calls)| calls.iter().map(move |&place| (tier, place))).collect();
        calls.sort_unstable();
        for &(_, place) in &calls {
            self.advance(now, place.call());
        }
        for (_, place) in calls {
            self.place(now, place.call(), Trigger::Overload);
        }
    }

    /// Offers to those who wait, the latest first: they have the longest wait before them. Whether some are left.
    fn offer_ways_out(&mut self, now: Instant, ix: QueueIx, most: u32) -> bool {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let Some(queue) = self.queues.get(ix.at()) else { return false };
        let mut calls = Vec::new();
        for tier in (0..self.config.tiers.len()).rev() {
            let of_tier = self.own_lines(queue).filter_map(|line| line.tiers.get(tier));
            for place in of_tier.flat_map(|calls| calls.iter().rev()) {
                let Some(call) = self.calls.get(place.call().at()) else { continue };
                if self.way_out(now, queue, call, false).is_some() {
                    calls.push(place.call());
                }
                if calls.len() > most {
                    break;
                }
            }
        }
        let more = calls.len() > most;
        for call in calls.into_iter().take(most) {
            self.offer_way_out(now, call, false);
        }
        more
    }

    /// What a waiting caller would be offered now that he has not been offered yet.
    fn way_out(&self, now: Instant, queue: &Queue, call: &Call, pressing: bool) -> Option<WayOut> {
        let CallState::Waiting { .. } = call.state else { return None };
        let overload = &queue.overload;
        let tier = call.tier();
        let lowest = self.lowest_offered();
        let offered = overload.offering.get(tier).is_some_and(|rung| rung.is_entered());
        let led = offered || (overload.level >= 3 && lowest == Some(tier));
        if !led || is_exempt(call) {
            return None;
        }
        let way = WayOut {
            callback: true,
            self_service: overload.level >= 2 && lowest == Some(tier),
            pressing,
            plainly: overload.level >= 4,
            expected: None,
        };
        if mask(&way) & !call.shown == 0 {
            return None;
        }
        let expected = self.foretell(now, call).map(|told| Duration::from_secs_f64(told.mean_s));
        Some(WayOut { expected, ..way })
    }

    /// The lowest tier that may be offered a callback at all.
    fn lowest_offered(&self) -> Option<usize> {
        self.config.tiers.iter().rposition(|contract| contract.callback_above.is_some())
    }

    fn offer_way_out(&mut self, now: Instant, ix: CallIx, pressing: bool) {
        let Some(call) = self.calls.get(ix.at()) else { return };
        let Some(way) = self.queue_row(call).and_then(|queue| self.way_out(now, queue, call, pressing))
        else {
            return;
        };
        let decision = self.decision(now, None, call, Outcome::WayOut(way), Trigger::Overload);
        let key = call.key;
        if let Some(call) = self.calls.get_mut(ix.at()) {
            call.shown |= mask(&way);
        }
        self.counters.ways_out += 1;
        self.outputs.push_back(Output::WayOut { call: key, way });
        self.note(decision);
    }

    /// Where an arriving call goes that the ladder does not let wait.
    pub(super) fn led_elsewhere(&self, ix: CallIx) -> Option<OverflowTarget> {
        let ladder = self.config.ladder.as_ref()?;
        let call = self.calls.get(ix.at())?;
        let overload = &self.queue_row(call)?.overload;
        if overload.level < 3 || self.lowest_offered() != Some(call.tier()) || is_exempt(call) {
            return None;
        }
        let outsource = ladder.outsource.as_ref().filter(|_| overload.level >= 4);
        let to = outsource.or_else(|| ladder.cap_to.as_ref().filter(|_| self.is_capped(ladder, call)));
        to.cloned()
    }

    /// Whether the line of its tier is full.
    fn is_capped(&self, ladder: &Ladder, call: &Call) -> bool {
        let Some(queue) = self.queue_row(call) else { return false };
        let of_tier = self.own_lines(queue).filter_map(|line| line.tiers.get(call.tier()));
        let waiting: usize = of_tier.map(|calls| calls.len()).sum();
        waiting >= usize::try_from(ladder.cap).unwrap_or(usize::MAX)
    }

    /// An arriving caller who must wait may choose at once what the others of his tier were offered.
    pub(super) fn greet_overloaded(&mut self, now: Instant, ix: CallIx) {
        let Some(ladder) = &self.config.ladder else { return };
        let Some(call) = self.calls.get(ix.at()) else { return };
        let level = self.queue_row(call).map_or(0, |queue| queue.overload.level);
        if level > 0 {
            // He himself waits already.
            let full = Ladder { cap: ladder.cap.saturating_add(1), ..ladder.clone() };
            let pressing = level >= 3 && self.is_capped(&full, call);
            self.offer_way_out(now, ix, pressing);
        }
    }
}

/// Emergencies, seniors and customers who were called back are never led away.
fn is_exempt(call: &Call) -> bool {
    call.place.class() == Place::class_number(Class::Emergency)
        || call.place.is_senior()
        || call.callback().is_some()
}

/// What of a way out was offered, as bits.
fn mask(way: &WayOut) -> u8 {
    let bits = [way.callback, way.self_service, way.pressing, way.plainly];
    bits.iter().rev().fold(0, |mask, &bit| mask << 1 | u8::from(bit))
}

fn ratio(wait: Duration, above: Duration) -> f64 {
    wait.as_secs_f64() / above.as_secs_f64().max(0.001)
}

impl Engine {
    /// The rung of the ladder of overload that a queue is on, 0-4.
    pub fn overload(&self, queue: QueueKey) -> Option<u8> {
        let &ix = self.queue_of.get(&queue)?;
        self.queues.get(ix.at()).map(|queue| queue.overload.level)
    }

    /// After a reload: without a ladder nobody stands on it.
    pub(super) fn restore_ladder(&mut self, now: Instant) {
        for at in 0..self.queues.len() {
            let ix = QueueIx::new(at);
            if self.config.ladder.is_some() {
                self.watch(now, ix);
            } else if let Some(queue) = self.queues.get_mut(at) {
                let key = queue.key();
                let before = core::mem::take(&mut queue.overload);
                self.timers.cancel(Timer::Ladder(key));
                if before.level > 0 {
                    self.outputs.push_back(Output::Overload { queue: key, level: 0 });
                }
            }
        }
    }

    /// The overload sends an arriving call elsewhere. Whether it did.
    pub(super) fn lead_elsewhere(&mut self, now: Instant, ix: CallIx) -> bool {
        let to = self.led_elsewhere(ix);
        if let Some(to) = to.clone() {
            self.overflow(now, ix, to, OverflowWhy::Overload);
        }
        to.is_some()
    }
}
