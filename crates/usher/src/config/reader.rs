//! Reads TOML tables key by key and collects *every* mistake with its line, instead of stopping at the first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use base::Finding;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every finding so far, shared by all readers of one check.
#[derive(Debug, Default)]
pub struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    /// Adds one.
    pub fn push(&self, finding: Finding) {
        self.0.borrow_mut().push(finding);
    }

    /// Adds many.
    pub fn extend(&self, findings: impl IntoIterator<Item = Finding>) {
        self.0.borrow_mut().extend(findings);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All findings by file and line.
    pub fn into_sorted(self) -> Vec<Finding> {
        let mut all = self.0.into_inner();
        all.sort();
        all.dedup();
        all
    }
}

/// A file that a person wrote, with its text for the line numbers.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Name as the person knows it.
    pub file: &'a str,
    /// Content.
    pub text: &'a str,
    /// Where mistakes go.
    pub findings: &'a Findings,
}

impl Source<'_> {
    /// Notes a mistake at a byte offset.
    pub fn finding(&self, offset: usize, message: impl Into<String>) {
        self.findings.push(Finding::at(self.file, self.text, offset, message));
    }
}

/// Parses `source`; syntax errors (duplicate keys among them) become findings, all of them.
pub fn parse<'a>(source: Source<'a>) -> Spanned<DeTable<'a>> {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        source.finding(offset, error.message());
    }
    table
}

/// One table being read. Keys that nobody asked for are findings when it is [`Section::end`]ed.
pub struct Section<'a> {
    source: Source<'a>,
    table: &'a DeTable<'a>,
    offset: usize,
    asked: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    /// The top-level table of a document made by [`parse`].
    pub fn root(source: Source<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Section { source, table: table.get_ref(), offset: table.span().start, asked: BTreeSet::new() }
    }

    /// Where the table starts.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The file the table is in.
    pub fn source(&self) -> Source<'a> {
        self.source
    }

    /// Notes a mistake about the key, at its value if it is there.
    pub fn finding(&self, key: &str, message: impl Display) {
        let offset = self.table.get(key).map_or(self.offset, |value| value.span().start);
        self.source.finding(offset, format!("`{key}` {message}"));
    }

    /// The value of `key`, if it is there and of the right kind.
    pub fn get<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        self.asked.insert(key);
        let value = self.table.get(key)?;
        match T::from_toml(value.get_ref()) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.source.finding(value.span().start, format!("`{key}` {wrong}"));
                None
            }
        }
    }

    /// The value of `key`; its absence is a finding.
    pub fn need<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.asked.insert(key);
            self.source.finding(self.offset, format!("`{key}` is missing here"));
            return None;
        }
        self.get(key)
    }

    /// The value of `key`, or `default` where it is absent.
    pub fn or<T: FromToml>(&mut self, key: &'static str, default: T) -> T {
        self.get(key).unwrap_or(default)
    }

    /// A number within `range`, or `default` where it is absent.
    pub fn within<T>(&mut self, key: &'static str, range: RangeInclusive<T>, default: T) -> T
    where
        T: FromToml + PartialOrd + Display + Copy,
    {
        match self.get::<T>(key) {
            Some(value) if range.contains(&value) => value,
            Some(value) => {
                self.finding(key, format!("is {value}, not within {} to {}", range.start(), range.end()));
                default
            }
            None => default,
        }
    }

    /// The table `key`, if it is there.
    pub fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        self.asked.insert(key);
        let value = self.table.get(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.finding(key, "must be a table");
            return None;
        };
        Some(Section { source: self.source, table, offset: value.span().start, asked: BTreeSet::new() })
    }

    /// The tables of the array `[[key]]`, none if it is absent.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        self.asked.insert(key);
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.finding(key, format!("must be a list of tables: [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Section {
                    source: self.source,
                    table,
                    offset: item.span().start,
                    asked: BTreeSet::new(),
                }),
                other => self.source.finding(
                    item.span().start,
                    format!("each `{key}` must be a table, not {}", other.type_str()),
                ),
            }
        }
        sections
    }

    /// All keys with their values, for tables whose keys are names that the person chose.
    pub fn entries<T: FromToml>(&mut self) -> Vec<(String, T)> {
        let mut entries = Vec::with_capacity(self.table.len());
        for (key, value) in self.table {
            match T::from_toml(value.get_ref()) {
                Ok(value) => entries.push((key.get_ref().to_string(), value)),
                Err(wrong) => {
                    self.source.finding(value.span().start, format!("`{}` {wrong}", key.get_ref()));
                }
            }
        }
        entries
    }

    /// Notes every key that nobody asked for, with the nearest known one.
    pub fn end(self) {
        for key in self.table.keys() {
            if !self.asked.contains(key.get_ref().as_ref()) {
                let hint = nearest(key.get_ref(), self.asked.iter().copied());
                self.source.finding(key.span().start, format!("unknown key `{}`{hint}", key.get_ref()));
            }
        }
    }
}

/// ` (did you mean …?)` with the known word nearest to `word`, or nothing if none is near.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let best = known.into_iter().map(|candidate| (distance(word, candidate), candidate)).min();
    match best {
        Some((d, candidate)) if d <= 1 + candidate.len() / 3 => format!(" (did you mean `{candidate}`?)"),
        _ => String::new(),
    }
}

/// Levenshtein distance of two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = substituted.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A type that one TOML value becomes.
pub trait FromToml: Sized {
    /// The value, or what it should have been ("must be …").
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, read: impl FnOnce(&mut Section<'_>)) -> Vec<String> {
        let findings = Findings::default();
        {
            let source = Source { file: "x.toml", text, findings: &findings };
            let table = parse(source);
            let mut root = Section::root(source, &table);
            read(&mut root);
            root.end();
        }
        findings.into_sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let text = "ports = 70000\nnmae = \"x\"\nring_s = \"15\"\ncalls = 5\n";
        let found = check(text, |root| {
            root.get::<u16>("ports");
            root.need::<String>("name");
            root.get::<u32>("ring_s");
            root.within("calls", 10..=20u32, 10);
        });
        assert_eq!(
            found,
            [
                "x.toml:1: `name` is missing here",
                "x.toml:1: `ports` must be a whole number from 0 to 65535",
                "x.toml:2: unknown key `nmae` (did you mean `name`?)",
                "x.toml:3: `ring_s` must be a whole number, not string",
                "x.toml:4: `calls` is 5, not within 10 to 20",
            ]
        );
    }

    #[test]
    fn duplicate_keys_and_broken_lines_are_both_named() {
        let found = check("a = 1\na = 2\nb = \nc = 3\n", |root| {
            root.get::<u8>("a");
            root.get::<u8>("b");
            root.get::<u8>("c");
        });
        assert!(found.iter().any(|f| f.starts_with("x.toml:2: duplicate key")), "{found:?}");
        assert!(found.iter().any(|f| f.starts_with("x.toml:3:")), "{found:?}");
    }

    #[test]
    fn the_nearest_word_is_offered_only_when_near() {
        assert_eq!(nearest("billng", ["billing", "sales"]), " (did you mean `billing`?)");
        assert_eq!(nearest("xyz", ["billing", "sales"]), "");
    }
}
