//! Which packets of a stream were seen (RFC 3711 §3.3.2).

/// Packets behind the newest that are still told apart.
const BITS: u64 = u128::BITS as u64;

/// The newest packet's index and the 127 before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: u64,
    /// Bit n = packet `highest - n` was seen. Nothing was seen while it is 0.
    seen: u128,
}

impl Window {
    /// The newest packet's index, once there is one.
    pub(super) fn highest(&self) -> Option<u64> {
        (self.seen != 0).then_some(self.highest)
    }

    /// Whether a packet was not seen yet and is not too old to know.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            _ if self.seen == 0 => true,
            None => true,
            Some(behind) => behind < BITS && self.seen & (1 << behind) == 0,
        }
    }

    /// Notes a packet that is new.
    pub(super) fn note(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(behind) if self.seen != 0 => {
                self.seen |= if behind < BITS { 1 << behind } else { 0 };
            }
            _ => {
                let ahead = index.saturating_sub(self.highest);
                self.seen = if ahead < BITS { (self.seen << ahead) | 1 } else { 1 };
                self.highest = index;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_new_once_and_too_old_ones_never() {
        let mut window = Window::default();
        assert_eq!((window.highest(), window.is_new(7)), (None, true));
        for (index, is_new) in [
            (7, true),
            (7, false),
            (6, true),
            (6, false),
            (134, true),
            (7, false),
            (8, true),
            (6, false),
            (400, true),
            (272, false),
            (273, true),
            (399, true),
            (400, false),
        ] {
            assert_eq!(window.is_new(index), is_new, "{index}");
            if is_new {
                window.note(index);
            }
        }
        assert_eq!(window.highest(), Some(400));
    }
}
