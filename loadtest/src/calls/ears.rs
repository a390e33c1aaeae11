//! Voices of measured calls: each end sends a packet every 20 ms from the moment it may, and notes when it first hears
//! the other end itself (hold music and prompts do not bear its mark).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use usher_load::rtp::StampedBatch;
use worker::net::Socket;

/// One packet.
const TICK: Duration = Duration::from_millis(20);
/// Begins every payload: no tone and no prompt of the switch does.
const MARK: [u8; 4] = *b"ears";

/// One end of a call.
struct End {
    socket: Socket,
    remote: SocketAddr,
    due: Instant,
    sequence: u16,
    heard: bool,
}

/// All ends, and from the agent's 200 to the first packet of the other end, by who hears it.
pub(super) struct Ears {
    ends: HashMap<(u64, usize), End>,
    picked_up: HashMap<u64, Instant>,
    /// The caller hears the agent; the agent hears the caller.
    pub(super) times: [Histogram<u64>; 2],
}

impl Ears {
    pub(super) fn new() -> Result<Ears, hdrhistogram::CreationError> {
        let histogram = || Histogram::new(3);
        Ok(Ears { ends: HashMap::new(), picked_up: HashMap::new(), times: [histogram()?, histogram()?] })
    }

    /// An end begins to speak: the caller's is 0, the agent's 1.
    pub(super) fn open(&mut self, now: Instant, call: u64, end: usize, socket: Socket, remote: SocketAddr) {
        // Phases are spread as by chance: nobody's clock ticks with the call's.
        let phase = Duration::from_micros(call.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 20_000);
        let due = if end == 0 { now + phase } else { now };
        self.ends.insert((call, end), End { socket, remote, due, sequence: 0, heard: false });
        if end == 1 {
            self.picked_up.insert(call, now);
        }
    }

    /// A call is over.
    pub(super) fn close(&mut self, call: u64) {
        self.ends.remove(&(call, 0));
        self.ends.remove(&(call, 1));
        self.picked_up.remove(&call);
    }

    /// Sends what is due and hears what came.
    pub(super) fn work(&mut self, now: Instant, batch: &mut StampedBatch) {
        for (&(call, place), end) in &mut self.ends {
            if end.due <= now {
                end.due += TICK;
                // A packet that cannot be sent is lost, as on any network.
                let _ = end.socket.send(Some(end.remote), &packet(call, place, end.sequence), &[]);
                end.sequence = end.sequence.wrapping_add(1);
            }
            batch.receive(&end.socket);
            for (_, bytes) in batch.packets() {
                if end.heard || !is_of(bytes, call, 1 - place) {
                    continue;
                }
                end.heard = true;
                if let (Some(since), Some(times)) = (self.picked_up.get(&call), self.times.get_mut(place)) {
                    let _ = times.record(u64::try_from((now - *since).as_micros()).unwrap_or(u64::MAX));
                }
            }
        }
    }
}

/// 160 samples of A-law, the first twelve of which say whose they are.
fn packet(call: u64, end: usize, sequence: u16) -> [u8; 172] {
    let mut packet = [0xd5; 172];
    let ssrc = u32::try_from(call & 0x7fff_ffff).unwrap_or(0) * 2 + u32::from(end == 1);
    packet[0] = 0x80;
    packet[1] = 8;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet[12..16].copy_from_slice(&MARK);
    packet[16..24].copy_from_slice(&(call * 2 + u64::from(end == 1)).to_be_bytes());
    packet
}

fn is_of(bytes: &[u8], call: u64, end: usize) -> bool {
    bytes.get(12..16) == Some(&MARK)
        && bytes.get(16..24) == Some(&(call * 2 + u64::from(end == 1)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_knows_the_other_by_its_mark() {
        let from_agent = packet(7, 1, 3);
        assert!(is_of(&from_agent, 7, 1) && !is_of(&from_agent, 7, 0) && !is_of(&from_agent, 8, 1));
        assert!(!is_of(&[0xd5; 172], 7, 1));
    }
}
