//! The two rings between the signalling thread and a media thread: commands in, events out.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::queue::ArrayQueue;
use media::{Command, Event};

use crate::net::Wake;

/// What a media thread is told.
pub(crate) enum Order {
    /// A command for its relay.
    Media(Command),
    /// Panic now, or at the next packet of a leg: to show that it is survived.
    #[cfg(test)]
    Panic(Option<base::LegKey>),
    /// Panic, and again while recovering from that.
    #[cfg(test)]
    Break,
}

/// Orders for one media thread.
pub(crate) struct Inbox {
    ring: ArrayQueue<Order>,
    pub(crate) wake: Wake,
    stop: AtomicBool,
}

impl Inbox {
    pub(crate) fn new(commands_max: usize) -> io::Result<Self> {
        let ring = ArrayQueue::new(commands_max.max(1));
        Ok(Inbox { ring, wake: Wake::new()?, stop: AtomicBool::new(false) })
    }

    /// Leaves `order` without waking the thread, or gives it back.
    #[expect(clippy::result_large_err, reason = "what does not fit goes back whole")]
    pub(crate) fn leave(&self, order: Order) -> Result<(), Order> {
        self.ring.push(order)
    }

    pub(crate) fn pop(&self) -> Option<Order> {
        self.ring.pop()
    }

    /// Orders that wait.
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Asks the thread to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake.ring();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// The sending end of the events of all threads.
///
/// When the reader does not keep up: news that nobody waits for ([`Event::must_arrive`]) is lost once half
/// of the ring is full. The rest waits in `held`, and while something waits there the thread carries
/// out no commands, so its owner sees [`crate::Full`]. What then still comes (keys, ends of prompts) is
/// lost at `held_max`; what ends a leg never is, and there is at most one such event per leg.
pub(crate) struct Outbox {
    ring: Arc<ArrayQueue<Event>>,
    held: VecDeque<Event>,
    held_max: usize,
    notify: Arc<dyn Fn() + Send + Sync>,
    unread: bool,
}

impl Outbox {
    pub(crate) fn new(
        ring: Arc<ArrayQueue<Event>>,
        held_max: usize,
        notify: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Outbox { ring, held: VecDeque::new(), held_max, notify, unread: false }
    }

    /// Hands `event` over. `false` if it was lost.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        self.unread = true;
        if !event.must_arrive() {
            let quiet = self.held.is_empty() && self.ring.len() < self.ring.capacity() / 2;
            return quiet && self.ring.push(event).is_ok();
        }
        let back = if self.held.is_empty() { self.ring.push(event).err() } else { Some(event) };
        let Some(event) = back else { return true };
        let last = matches!(event, Event::Removed { .. } | Event::BindFailed { .. });
        if !last && self.held.len() >= self.held_max {
            return false;
        }
        self.held.push_back(event);
        true
    }

    /// Whether events wait for room in the ring.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// The reader has something to look at, be it no event.
    pub(crate) const fn wake_reader(&mut self) {
        self.unread = true;
    }

    /// Tries again what waits, then tells the reader, once, if there is anything for it.
    pub(crate) fn finish_round(&mut self) {
        while let Some(event) = self.held.pop_front() {
            if let Err(event) = self.ring.push(event) {
                self.held.push_front(event);
                break;
            }
        }
        if std::mem::take(&mut self.unread) || self.is_stuck() {
            (self.notify)();
        }
    }
}

#[cfg(test)]
mod tests {
    use base::LegKey;

    use super::*;

    #[test]
    fn what_ends_a_leg_is_never_lost_and_nothing_overtakes() {
        let ring = Arc::new(ArrayQueue::new(4));
        let mut outbox = Outbox::new(Arc::clone(&ring), 3, Arc::new(|| ()));
        let done = |token| Event::PlayDone { leg: LegKey(1), token };
        let removed = |leg| Event::Removed { leg: LegKey(leg), stats: Box::default() };
        assert!((0..6).all(|token| outbox.push(done(token))));
        assert!(outbox.is_stuck());
        assert!(!outbox.push(Event::Flowing { leg: LegKey(1) }), "news gives way");
        assert!(outbox.push(removed(7)));
        assert!(!outbox.push(done(6)), "a key or prompt gives way only now");
        assert!(outbox.push(removed(8)));
        let mut seen = Vec::new();
        while let Some(event) = ring.pop() {
            seen.push(match event {
                Event::PlayDone { token, .. } => token,
                other => other.leg().0,
            });
            outbox.finish_round();
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 7, 8]);
        assert!(!outbox.is_stuck());
    }
}
