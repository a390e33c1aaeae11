//! Commands on their way to the media threads: in order, also when a thread's ring is full for a moment.

use std::collections::VecDeque;
use std::sync::Arc;

use media::{Command, Event};
use worker::{CounterValues, Full, Pool};

use super::counters::{Counters, count};

/// Commands that may wait for one thread; a further one is dropped and counted: the thread is dead or
/// hopelessly behind, and its calls end by their media timeouts.
const WAITING_MAX: usize = 100_000;

/// The media threads with what they have not taken yet.
#[derive(Debug)]
pub struct Outbox {
    pool: Pool,
    waiting: Vec<VecDeque<Command>>,
    /// Threads that were late when last looked at.
    late: Vec<bool>,
    /// Threads that have not been woken yet for what they were left.
    asleep: Vec<bool>,
    counters: Arc<Counters>,
}

impl Outbox {
    /// An outbox for `pool`.
    pub fn new(pool: Pool, counters: Arc<Counters>) -> Self {
        let waiting = (0..pool.workers()).map(|_| VecDeque::new()).collect();
        let late = vec![false; pool.workers()];
        let asleep = vec![false; pool.workers()];
        Outbox { pool, waiting, late, asleep, counters }
    }

    /// Leaves a command for its thread, behind those that wait already. The thread is woken by
    /// [`Outbox::flush`]: once for all commands of a turn of the loop.
    pub fn send(&mut self, worker: usize, command: Command) {
        let Some(waiting) = self.waiting.get_mut(worker) else { return };
        let command = if waiting.is_empty() {
            match self.pool.leave(worker, command) {
                Ok(()) => return self.leave_asleep(worker),
                Err(Full(command)) => *command,
            }
        } else {
            command
        };
        if waiting.len() < WAITING_MAX {
            count(&self.counters.media_commands_delayed);
            waiting.push_back(command);
        } else {
            count(&self.counters.media_commands_dropped);
        }
    }

    fn leave_asleep(&mut self, worker: usize) {
        if let Some(asleep) = self.asleep.get_mut(worker) {
            *asleep = true;
        }
    }

    /// Tries again what waits and wakes the threads; whether anything still waits.
    pub fn flush(&mut self) -> bool {
        for ((worker, waiting), asleep) in self.waiting.iter_mut().enumerate().zip(&mut self.asleep) {
            while let Some(command) = waiting.pop_front() {
                *asleep = true;
                if let Err(Full(command)) = self.pool.leave(worker, command) {
                    waiting.push_front(*command);
                    break;
                }
            }
            if std::mem::take(asleep) {
                self.pool.wake(worker);
            }
        }
        self.waiting.iter().any(|waiting| !waiting.is_empty())
    }

    /// What all threads have counted so far.
    pub fn totals(&self) -> CounterValues {
        self.pool.total()
    }

    /// A thread that began or ended to be late since the last call of this: its number, and whether it is.
    pub fn lateness_changed(&mut self) -> Option<(usize, bool)> {
        let change = |(worker, known): (usize, &mut bool)| {
            let late = self.pool.is_late(worker);
            (std::mem::replace(known, late) != late).then_some((worker, late))
        };
        self.late.iter_mut().enumerate().find_map(change)
    }

    /// What the threads heard or finished.
    pub fn try_recv(&self) -> Option<Event> {
        self.pool.try_recv()
    }
}
