//! What a TOML value becomes.

use std::fmt::Display;
use std::str::FromStr;

use toml::de::DeValue;

/// A type that one TOML value becomes.
pub trait FromToml: Sized {
    /// The value, or what it should have been ("must be …").
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the key.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String>;
}

impl FromToml for String {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| must("text in quotes", value))
    }
}

impl FromToml for bool {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| must("true or false", value))
    }
}

impl FromToml for f64 {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = match value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => return Err(must("a number", value)),
        };
        text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| must("a number", value))
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl FromToml for $int {
            fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
                let integer = value.as_integer().ok_or_else(|| must("a whole number", value))?;
                <$int>::from_str_radix(integer.as_str(), integer.radix())
                    .map_err(|_| format!("must be a whole number from {} to {}", <$int>::MIN, <$int>::MAX))
            }
        }
    )*};
}
integers!(u8 u16 u32 u64);

impl<T: FromToml> FromToml for Vec<T> {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| must("a list in [ ]", value))?;
        items.iter().map(|item| T::from_toml(item.get_ref())).collect()
    }
}

/// A value written as text and parsed by its type: addresses, ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

impl<T: FromStr<Err: Display>> FromToml for Parsed<T> {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| must("text in quotes", value))?;
        text.parse().map(Parsed).map_err(|error| format!("is \"{text}\": {error}"))
    }
}

fn must(be: &str, value: &DeValue<'_>) -> String {
    format!("must be {be}, not {}", value.type_str())
}
