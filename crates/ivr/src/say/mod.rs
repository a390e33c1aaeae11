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
