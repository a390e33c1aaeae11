//! Epoll, `recvmmsg`, `sendmmsg`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use worker::net::{BATCH_MAX, Epoll, ReceiveBatch, SendBatch, Token};

use super::NullRelay;

pub(super) fn run(relay: &NullRelay, stop: &AtomicBool) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    for (leg, socket) in relay.sockets.iter().enumerate() {
        epoll.add(socket, Token(leg as u64))?;
    }
    let (mut inward, mut outward) = (ReceiveBatch::default(), SendBatch::default());
    let mut ready = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ready.clear();
        epoll.wait(Some(Duration::from_millis(100)), &mut ready)?;
        let began = Instant::now();
        relay.moved.rounds.fetch_add(1, Ordering::Relaxed);
        for &Token(leg) in &ready {
            pass(relay, usize::try_from(leg).unwrap_or(0), &mut inward, &mut outward);
        }
        if !relay.tick.is_zero() && !ready.is_empty() {
            std::thread::sleep(relay.next_tick(began).saturating_duration_since(Instant::now()));
        }
    }
    Ok(())
}

fn pass(relay: &NullRelay, leg: usize, inward: &mut ReceiveBatch, outward: &mut SendBatch) {
    let (Some(from), Some(to)) = (relay.sockets.get(leg), relay.other(leg)) else { return };
    let mut count = BATCH_MAX;
    while count == BATCH_MAX {
        count = inward.receive(from).unwrap_or(0);
        for index in 0..count {
            if let Some((_, packet)) = inward.packet(index) {
                outward.push(None, packet, &[]);
            }
        }
        relay.moved.count(count as u64, outward.flush(to).packets);
    }
}
