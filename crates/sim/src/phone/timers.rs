//! A phone's own timers: what it repeats until it is answered, when it is picked up.

use base::Instant;

use super::{LineId, LineState, Phone, T1, T2};
use crate::text::Text;

impl Phone {
    /// When the phone wants to act by itself.
    pub fn next(&self) -> Option<Instant> {
        if self.away {
            return None;
        }
        let pending = self.pending.values().map(|pending| pending.next);
        let answers = self.lines.iter().filter_map(|line| line.answer_at);
        let unacked = self.lines.iter().filter_map(|line| line.unacked.as_ref().map(|unacked| unacked.1));
        pending.chain(answers).chain(unacked).min()
    }

    /// Time passed.
    pub fn wake(&mut self, now: Instant) {
        let (mut again, mut unheard) = (Vec::new(), Vec::new());
        self.pending.retain(|key, pending| {
            if pending.next > now {
                return true;
            }
            let stops = pending.provisional && key.ends_with(" INVITE");
            if now >= pending.until && !stops {
                unheard.push(pending.message.clone());
            }
            if now >= pending.until || stops {
                return false;
            }
            again.push(pending.message.clone());
            let max = if key.ends_with(" INVITE") { T1 * 64 } else { T2 };
            pending.interval = (pending.interval * 2).min(max);
            pending.next = now + pending.interval;
            true
        });
        self.out.extend(again);
        for message in unheard {
            self.unheard(now, &message);
        }
        for id in 0..self.lines.len() {
            if self.lines.get(id).and_then(|line| line.answer_at).is_some_and(|at| at <= now) {
                if let Some(line) = self.lines.get_mut(id) {
                    line.answer_at = None;
                }
                self.pick_up(now, id);
            }
            self.repeat_200(now, id);
        }
    }

    /// Nobody answered a request of ours (timers B and F, RFC 3261 §17.1).
    fn unheard(&mut self, now: Instant, message: &Text) {
        let Some(id) = self.own_line(message) else { return };
        let Some(line) = self.lines.get_mut(id) else { return };
        match (message.method(), line.state) {
            (Some("INVITE"), LineState::Calling) => line.state = LineState::Over(408),
            // RFC 3261 §9.1: it counts as cancelled.
            (Some("CANCEL"), LineState::Calling) => line.state = LineState::Over(487),
            (Some("INVITE" | "INFO" | "REFER"), LineState::Up) => self.hang_up(now, id),
            _ => {}
        }
    }

    fn repeat_200(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(id) else { return };
        let Some((answer, next, interval, until)) = &mut line.unacked else { return };
        if *next > now {
            return;
        }
        if now >= *until {
            line.unacked = None;
            return self.hang_up(now, id);
        }
        *interval = (*interval * 2).min(T2);
        *next = now + *interval;
        let answer = answer.clone();
        self.out.push(answer);
    }
}
