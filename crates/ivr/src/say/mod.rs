//! From a value to the names of the recorded pieces that speak it.

mod en;
mod zh;

/// A language that [`speak`] knows. The voice's folder of prompts has the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Mandarin.
    #[default]
    Zh,
    /// English.
    En,
}

impl Language {
    /// Every language.
    pub const ALL: &'static [Language] = &[Language::Zh, Language::En];

    /// The word in directories, configurations and folder names.
    pub const fn word(self) -> &'static str {
        match self {
            Language::Zh => "zh",
            Language::En => "en",
        }
    }

    /// The language of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Language::ALL.iter().copied().find(|language| language.word() == word)
    }
}

/// Something to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying<'a> {
    /// A whole number.
    Number(i64),
    /// Digits one by one, as of a phone number or an agent's number; anything but `0`-`9`, `*`, `#` is skipped.
    Digits(&'a str),
    /// Money in fen (1/100 yuan).
    Amount {
        /// Fen; negative is spoken with "minus".
        fen: i64,
    },
    /// A day of the year as people say it.
    Date(Date),
    /// A time of day.
    Time {
        /// 0-23.
        hour: u8,
        /// 0-59.
        minute: u8,
    },
    /// How long a wait will be, rounded as people say it.
    Wait {
        /// Seconds.
        seconds: u64,
    },
}

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// 1000-9999, or 0 when the year is not said.
    pub year: u16,
    /// 1-12.
    pub month: u8,
    /// 1-31.
    pub day: u8,
}

/// A piece's name: a WAV file of the voice's folder, without `.wav`.
pub type Piece = &'static str;

/// The pieces that speak `saying`, in order. What cannot be spoken (month 13) gives no piece.
pub fn speak(language: Language, saying: Saying<'_>) -> Vec<Piece> {
    match language {
        Language::Zh => zh::speak(saying),
        Language::En => en::speak(saying),
    }
}

/// Every piece that [`speak`] can ever name in `language`; each must exist in the voice's folder.
pub fn pieces(language: Language) -> Vec<Piece> {
    match language {
        Language::Zh => zh::pieces(),
        Language::En => en::pieces(),
    }
}

impl Date {
    /// Whether people have such a day (29 February is allowed when the year is not said or a leap year).
    pub const fn is_real(self) -> bool {
        let leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        self.day >= 1 && self.day <= days && (self.year == 0 || (self.year >= 1000 && self.year <= 9999))
    }
}

/// A wait as people promise it, rounded up so that nobody waits longer than he was told: whole minutes to 10, fives to 30,
/// tens to 60. 0 = less than a minute, 61 = more than an hour.
const fn wait_minutes(seconds: u64) -> u64 {
    if seconds < 60 {
        return 0;
    }
    match seconds.div_ceil(60) {
        minutes @ 0..=10 => minutes,
        minutes @ 11..=30 => minutes.div_ceil(5) * 5,
        minutes @ 31..=60 => minutes.div_ceil(10) * 10,
        _ => 61,
    }
}
