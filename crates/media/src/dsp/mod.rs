//! What is done to samples: other rates, gaps that nobody hears.

pub mod conceal;
pub mod resample;

/// Samples per second of decoded audio.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rate {
    /// 8 kHz: the telephone.
    Narrow,
    /// 16 kHz: wideband.
    Wide,
}

/// Samples of 20 ms at the widest rate.
pub const FRAME_SAMPLES_MAX: usize = 320;

impl Rate {
    /// In hertz.
    pub const fn hz(self) -> u32 {
        match self {
            Rate::Narrow => 8_000,
            Rate::Wide => 16_000,
        }
    }

    /// Samples of 20 ms.
    pub const fn frame(self) -> usize {
        match self {
            Rate::Narrow => 160,
            Rate::Wide => 320,
        }
    }
}
