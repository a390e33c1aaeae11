//! Limits that were met, for the log: each at most once a second, however often it was met.

use base::{Duration, Instant};

/// How often the counters are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What is watched: a counter's name and label, and what it means that it rose.
const WATCHED: &[(&str, &str, &str)] = &[
    ("limited", "ports", "calls refused: no media port is free (media.ports)"),
    ("limited", "media", "calls refused: the media threads do not keep up (media.workers)"),
    ("limited", "calls", "calls refused: as many calls as there may be (limits.calls_max)"),
    ("limited", "trunk_calls", "calls refused: a trunk has all the calls it may have"),
    ("limited", "trunk_rate", "calls refused: a trunk sends them faster than it may"),
    ("media_commands_delayed", "", "commands waited: a media thread's ring was full"),
    ("media_commands_dropped", "", "commands lost: too many waited for a media thread"),
    ("drops_blocked", "", "voice packets lost: a socket's send buffer was full"),
    ("buffers_exhausted", "", "sockets had to wait: a media thread's receive buffers were full"),
    ("binds_failed", "", "legs failed: no media port could be bound, or no file was left for one"),
    ("events_lost", "", "news lost: too many waited from the media threads"),
    ("panics", "", "a media thread fell over and went on; the calls concerned were ended"),
];

/// Counters as last seen.
#[derive(Debug)]
pub struct Alarms {
    seen: Vec<u64>,
    next: Instant,
}

impl Default for Alarms {
    fn default() -> Self {
        Alarms { seen: vec![0; WATCHED.len()], next: Instant::ZERO }
    }
}

impl Alarms {
    /// Whether it is time to look.
    pub fn are_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// What rose since the last look, and by how much. `value` finds a counter by name and label.
    pub fn look(&mut self, now: Instant, value: impl Fn(&str, &str) -> u64) -> Vec<(&'static str, u64)> {
        self.next = now + EVERY;
        let rise = |(&(name, label, meaning), seen): (&(&str, &str, &'static str), &mut u64)| {
            let now = value(name, label);
            let risen = now.saturating_sub(std::mem::replace(seen, now));
            (risen > 0).then_some((meaning, risen))
        };
        WATCHED.iter().zip(&mut self.seen).filter_map(rise).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_said_once_with_its_size() {
        let mut alarms = Alarms::default();
        assert!(alarms.are_due(Instant::ZERO));
        let ports = |count| move |_: &str, label: &str| if label == "ports" { count } else { 0 };
        assert_eq!(alarms.look(Instant::ZERO, ports(0)), []);
        let said = alarms.look(Instant::from_secs(1), ports(7));
        assert!(matches!(said[..], [(text, 7)] if text.contains("no media port")), "{said:?}");
        assert!(!alarms.are_due(Instant::from_millis(1_999)) && alarms.are_due(Instant::from_secs(2)));
        assert_eq!(alarms.look(Instant::from_secs(2), ports(7)), []);
        assert_eq!(alarms.look(Instant::from_secs(3), ports(9)).len(), 1);
    }

    #[test]
    fn every_watched_counter_exists() {
        let worker = worker::CounterValues::default();
        let own: Vec<String> =
            crate::serve::counters::Counters::default().samples().iter().map(|s| s.name.to_owned()).collect();
        for (name, label, _) in WATCHED.iter().filter(|(name, ..)| *name != "limited") {
            let known = worker.list().any(|(known, ..)| known == *name) || own.contains(&(*name).to_owned());
            assert!(known && label.is_empty(), "{name}");
        }
    }
}
