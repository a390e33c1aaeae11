//! The two rings between the signalling thread and a media thread: commands in, events out.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use media::{Command, Event};

use crate::net::Wake;

/// What a media thread is told.
pub(crate) enum Order {
    /// A command for its relay.
    Media(Command),
    /// Panic, to show that it is survived.
    #[cfg(test)]
    Panic,
}

/// Commands for one media thread.
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

    /// Leaves `order` and wakes the thread, or gives it back.
    pub(crate) fn push(&self, order: Order) -> Result<(), Order> {
        self.ring.push(order)?;
        self.wake.ring();
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<Order> {
        self.ring.pop()
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

/// Whether an event may be lost when its reader does not keep up.
fn is_final(event: &Event) -> bool {
    matches!(event, Event::Removed { .. } | Event::BindFailed { .. })
}

/// The sending end of the events of all threads.
pub(crate) struct Outbox {
    ring: Arc<ArrayQueue<Event>>,
    /// Final events for which the ring had no room. While it is not empty no command is carried out, so
    /// it cannot grow beyond the legs that one thread has.
    held: VecDeque<Event>,
    notify: Arc<dyn Fn() + Send + Sync>,
    unread: bool,
}

impl Outbox {
    pub(crate) fn new(
        ring: Arc<ArrayQueue<Event>>,
        legs_max: usize,
        notify: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Outbox { ring, held: VecDeque::with_capacity(legs_max), notify, unread: false }
    }

    /// Hands `event` over. `false` if it was lost: an event that ends a leg never is, the others leave
    /// the last quarter of the ring to those.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        let reserve = self.ring.capacity() / 4;
        self.unread = true;
        if is_final(&event) {
            let back = if self.held.is_empty() { self.ring.push(event) } else { Err(event) };
            self.held.extend(back.err());
            return true;
        }
        let free = self.ring.capacity().saturating_sub(self.ring.len());
        free > reserve && self.ring.push(event).is_ok()
    }

    /// Whether final events still wait for room in the ring.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.held.is_empty()
    }

    /// Tries again what waits, then tells the reader, once, if there is anything new.
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
