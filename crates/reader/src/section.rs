//! One table being read.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{FromToml, Source, nearest};

/// Parses `source`; syntax errors (duplicate keys among them) become findings, all of them.
pub fn parse<'a>(source: Source<'a>) -> Spanned<DeTable<'a>> {
    parse_with_broken(source).0
}

/// Like [`parse`], and the parts of the text that have a syntax error in them, each from its `[header]` to the next:
/// what is read from them may lack what was written there.
pub fn parse_with_broken<'a>(source: Source<'a>) -> (Spanned<DeTable<'a>>, Vec<Range<usize>>) {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    let mut broken = Vec::new();
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        source.finding(offset, error.message());
        broken.push(part_around(source.text, offset));
    }
    (table, broken)
}

/// The part of a document around `offset`: from the line of its `[header]` to that of the next.
pub fn part_around(text: &str, offset: usize) -> Range<usize> {
    let mut part = 0..text.len();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            if start <= offset {
                part.start = start;
            } else {
                part.end = start;
                break;
            }
        }
        start += line.len();
    }
    part
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
        Section::of(source, table.get_ref(), table.span().start)
    }

    /// A table found within another one; `offset` is where it starts.
    pub fn of(source: Source<'a>, table: &'a DeTable<'a>, offset: usize) -> Self {
        Section { source, table, offset, asked: BTreeSet::new() }
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

    /// The value of `key` as it stands there.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    /// The value of `key` as it stands there; its absence is a finding.
    pub fn need_value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.value(key);
        if value.is_none() {
            self.source.finding(self.offset, format!("`{key}` is missing"));
        }
        value
    }

    /// One of a closed list of words.
    pub fn choice<T>(
        &mut self,
        key: &'static str,
        choices: impl IntoIterator<Item = (&'static str, T)>,
    ) -> Option<T> {
        let text: String = self.get(key)?;
        let mut known = Vec::new();
        for (word, choice) in choices {
            if word == text {
                return Some(choice);
            }
            known.push(word);
        }
        self.finding(key, format!("cannot be `{text}`{}", nearest(&text, known)));
        None
    }

    /// The value of `key`, if it is there and of the right kind.
    pub fn get<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        let value = self.value(key)?;
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
        self.need_value(key)?;
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
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.finding(key, "must be a table");
            return None;
        };
        Some(Section::of(self.source, table, value.span().start))
    }

    /// The tables of the array `[[key]]`, none if it is absent.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.finding(key, format!("must be a list of tables: [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Section::of(self.source, table, item.span().start)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Findings;

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
                "x.toml:1: `name` is missing",
                "x.toml:1: `ports` must be a whole number from 0 to 65535",
                "x.toml:2: unknown key `nmae`; did you mean `name`?",
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
}
