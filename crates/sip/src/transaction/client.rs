//! Non-INVITE client transaction (RFC 3261 §17.1.2).

use core::time::Duration;

use super::Step;
use crate::endpoint::Letter;

/// Its states.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    /// Sent: timer E repeats it, F gives up.
    Trying { interval: Duration },
    /// A provisional response came: repeated every T2.
    Proceeding,
    /// A final response came: timer K absorbs its repetitions.
    Completed,
}

impl Client {
    /// A response. `Step::Up`: it is news.
    pub(crate) fn on_response(&mut self, code: u16) -> Step {
        match self {
            Client::Completed => Step::Nothing,
            Client::Trying { .. } | Client::Proceeding => {
                *self = if code < 200 { Client::Proceeding } else { Client::Completed };
                Step::Up
            }
        }
    }

    /// A timer ran out.
    pub(crate) fn on_timer(&mut self, letter: Letter, t2: Duration) -> Step {
        match (self, letter) {
            (Client::Trying { interval }, Letter::E) => {
                *interval = interval.saturating_mul(2).min(t2);
                Step::Repeat(*interval)
            }
            (Client::Proceeding, Letter::E) => Step::Repeat(t2),
            (Client::Trying { .. } | Client::Proceeding, Letter::F) => Step::TimedOut,
            (Client::Completed, Letter::K) => Step::Done,
            _ => Step::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_e_doubles_up_to_t2_and_f_gives_up() {
        let t2 = Duration::from_secs(4);
        let mut machine = Client::Trying { interval: Duration::from_millis(500) };
        let waits: Vec<_> = (0..4).map(|_| machine.on_timer(Letter::E, t2)).collect();
        let ms = |ms| Step::Repeat(Duration::from_millis(ms));
        assert_eq!(waits, [ms(1000), ms(2000), ms(4000), ms(4000)]);
        assert_eq!(machine.on_response(100), Step::Up);
        assert_eq!(machine.on_timer(Letter::E, t2), ms(4000));
        assert_eq!(machine.on_timer(Letter::F, t2), Step::TimedOut);
        assert_eq!(machine.on_response(200), Step::Up);
        assert_eq!(machine.on_response(200), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::F, t2), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::K, t2), Step::Done);
    }
}
