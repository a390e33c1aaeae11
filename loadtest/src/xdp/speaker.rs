//! Telephones on both sides of the switch, in their time.

use std::error::Error;
use std::time::{Duration, Instant};

use super::programs::{Heard, Telephones};

/// All telephones, and how far they are behind.
pub struct Speaker {
    sides: Vec<Telephones>,
    legs: u32,
}

impl Speaker {
    /// Nobody speaks yet.
    pub fn new(sides: Vec<Telephones>) -> Speaker {
        Speaker { sides, legs: 0 }
    }

    /// From now on the legs below `legs` speak.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn set_legs(&mut self, legs: u32) -> Result<(), Box<dyn Error>> {
        self.legs = legs;
        self.sides.iter_mut().try_for_each(|side| side.set_legs(legs))
    }

    /// Every leg speaks 50 times a second for so long, or as often as it goes. Packets spoken.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn speak_for(&mut self, time: Duration, flat_out: bool) -> Result<u64, Box<dyn Error>> {
        let (start, mut spoken) = (Instant::now(), 0u64);
        while start.elapsed() < time {
            // Each side has half of the legs.
            let due = start.elapsed().as_micros() * u128::from(self.legs) / 2 * 50 / 1_000_000;
            let due = u64::try_from(due)?.saturating_sub(spoken / 2);
            let packets = if flat_out { 4096 } else { u32::try_from(due)?.min(8192) };
            for side in &mut self.sides {
                side.speak(packets)?;
            }
            spoken += u64::from(packets) * 2;
            if !flat_out {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(spoken)
    }

    /// What all legs heard so far.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn heard(&self) -> Result<Heard, Box<dyn Error>> {
        let mut sum = Heard::default();
        for side in &self.sides {
            let heard = side.heard()?;
            sum.packets += heard.packets;
            sum.missing += heard.missing;
            sum.doubled += heard.doubled;
        }
        Ok(sum)
    }
}
