//! What a step speaks: prompts and values, and text with variables in it.

use base::{Instant, Pii};

use crate::io::Name;
use crate::say::{self, Date, Language, Saying};
use crate::vars::Vars;

/// A name in a flow file and the line where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: Name,
    pub(crate) line: u32,
}

/// Where a step goes: a step of the same flow, or the start of another (`flow:NAME`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) to: To,
    pub(crate) line: u32,
}

/// The place a [`Target`] names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum To {
    Step(Name),
    Flow(Name),
}

impl Target {
    pub(crate) fn parse(text: &str, line: u32) -> Self {
        let to = match text.strip_prefix("flow:") {
            Some(flow) => To::Flow(flow.into()),
            None => To::Step(text.into()),
        };
        Target { to, line }
    }
}

/// Text with `${variables}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
    pub(crate) line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Name),
}

impl Template {
    /// `None` when a `${` is not closed or names nothing.
    pub(crate) fn parse(text: &str, line: u32) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}')?;
            if !is_variable_name(name) {
                return None;
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.into()));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Some(Template { parts, line })
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    pub(crate) fn expand(&self, vars: &Vars) -> Pii<String> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Variable(name) => vars.get(name),
        });
        Pii::new(parts.collect())
    }
}

/// Whether `name` may name a variable: letters, digits and `_`.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What a step speaks, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<Word>);

/// One prompt, or one value to be spoken from pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Prompt(Named),
    Value { kind: Kind, value: Template },
}

/// How a value is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Digits,
    Amount,
    Date,
    Time,
    Wait,
}

impl Kind {
    pub(crate) const WORDS: &'static [(&'static str, Kind)] = &[
        ("number", Kind::Number),
        ("digits", Kind::Digits),
        ("amount", Kind::Amount),
        ("date", Kind::Date),
        ("time", Kind::Time),
        ("wait", Kind::Wait),
    ];
}

impl Words {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prompt names that speak these words now. A value that does not fit its kind is not spoken.
    pub(crate) fn items(&self, vars: &Vars, language: Language) -> Vec<Name> {
        let mut items = Vec::with_capacity(self.0.len());
        for word in &self.0 {
            match word {
                Word::Prompt(prompt) => items.push(prompt.name.clone()),
                Word::Value { kind, value } => {
                    let value = value.expand(vars);
                    if let Some(saying) = saying(*kind, value.reveal().trim()) {
                        items.extend(say::speak(language, saying).into_iter().map(Name::from));
                    }
                }
            }
        }
        items
    }
}

fn saying(kind: Kind, value: &str) -> Option<Saying<'_>> {
    Some(match kind {
        Kind::Number => Saying::Number(value.parse().ok()?),
        Kind::Digits => Saying::Digits(value),
        Kind::Amount => Saying::Amount { fen: fen(value)? },
        Kind::Date => Saying::Date(date(value)?),
        Kind::Time => time(value)?,
        Kind::Wait => Saying::Wait { seconds: value.parse().ok()? },
    })
}

/// `123`, `123.4`, `-123.45` yuan to fen.
fn fen(value: &str) -> Option<i64> {
    let (negative, value) = match value.strip_prefix('-') {
        Some(value) => (true, value),
        None => (false, value),
    };
    let (yuan, rest) = value.split_once('.').unwrap_or((value, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(yuan) || !all_digits(rest) || rest.len() > 2 {
        return None;
    }
    let scale = if rest.len() == 1 { 10 } else { 1 };
    let fen = yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(rest.parse::<i64>().ok()? * scale)?;
    Some(if negative { -fen } else { fen })
}

/// `2026-11-22`, `20261122` or `11-22`.
fn date(value: &str) -> Option<Date> {
    let mut fields = value.split('-');
    let (first, second, third) = (fields.next()?, fields.next(), fields.next());
    match (second, third) {
        (Some(month), Some(day)) => {
            Some(Date { year: first.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? })
        }
        (Some(day), None) => Some(Date { year: 0, month: first.parse().ok()?, day: day.parse().ok()? }),
        _ if first.len() == 8 => Some(Date {
            year: first.get(..4)?.parse().ok()?,
            month: first.get(4..6)?.parse().ok()?,
            day: first.get(6..)?.parse().ok()?,
        }),
        _ => None,
    }
}

/// `8:05`, `08:05` or `0805`.
fn time(value: &str) -> Option<Saying<'_>> {
    let (hour, minute) = match value.split_once(':') {
        Some(parts) => parts,
        None if value.len() == 4 => (value.get(..2)?, value.get(2..)?),
        None => return None,
    };
    Some(Saying::Time { hour: hour.parse().ok()?, minute: minute.parse().ok()? })
}

/// `now + ms`.
pub(crate) fn after_ms(now: Instant, ms: u32) -> Instant {
    now + base::Duration::from_millis(u64::from(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_become_fen() {
        let cases = [("0", Some(0)), ("12", Some(1200)), ("12.3", Some(1230)), ("12.34", Some(1234))];
        let more =
            [("-0.05", Some(-5)), ("12.345", None), ("", None), ("1e3", None), ("+1", None), (".5", None)];
        for (text, expected) in cases.into_iter().chain(more) {
            assert_eq!(fen(text), expected, "{text}");
        }
        assert_eq!(fen("99999999999999999999"), None);
        assert_eq!(fen("9223372036854775807"), None);
    }

    #[test]
    fn dates_and_times_are_read() {
        let day = Date { year: 2026, month: 11, day: 22 };
        assert_eq!(date("2026-11-22"), Some(day));
        assert_eq!(date("20261122"), Some(day));
        assert_eq!(date("11-22"), Some(Date { year: 0, ..day }));
        assert_eq!(date("yesterday"), None);
        assert_eq!(date("百百百百百百百百"), None);
        assert_eq!(time("0805"), Some(Saying::Time { hour: 8, minute: 5 }));
        assert_eq!(time("8:05"), Some(Saying::Time { hour: 8, minute: 5 }));
        assert_eq!(time("eight"), None);
    }

    #[test]
    fn a_template_names_its_variables() {
        let template = Template::parse("a${b}c${d}", 1).unwrap();
        assert_eq!(template.variables().map(|name| &**name).collect::<Vec<_>>(), ["b", "d"]);
        let mut vars = Vars::default();
        vars.set("b", "1");
        assert_eq!(template.expand(&vars).reveal(), "a1c");
        assert_eq!(Template::parse("a${b", 1), None);
        assert_eq!(Template::parse("${}", 1), None);
    }
}
