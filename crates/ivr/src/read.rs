//! Reads one step's table: each key once, every mistake a finding with its line, unknown keys named.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use base::Finding;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::io::Name;
use crate::nearest;
use crate::words::{Kind, Named, Target, Template, Word, Words};

/// One file and what is wrong with it so far.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) findings: Vec<Finding>,
}

impl Page<'_> {
    pub(crate) fn line(&self, span: &Range<usize>) -> u32 {
        let before = self.text.as_bytes().iter().take(span.start);
        u32::try_from(before.filter(|&&byte| byte == b'\n').count() + 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn wrong(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.findings.push(Finding::at(self.file, self.text, span.start, message));
    }
}

/// A value in a table and where it stands.
type Value<'t> = &'t Spanned<DeValue<'t>>;

/// Reads one table.
#[derive(Debug)]
pub(crate) struct Reader<'r, 'p, 't> {
    page: &'r mut Page<'p>,
    table: &'t DeTable<'t>,
    span: Range<usize>,
    asked: BTreeSet<&'static str>,
}

impl<'r, 'p, 't> Reader<'r, 'p, 't> {
    pub(crate) fn new(page: &'r mut Page<'p>, table: &'t DeTable<'t>, span: Range<usize>) -> Self {
        Reader { page, table, span, asked: BTreeSet::new() }
    }

    pub(crate) fn wrong(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.page.wrong(span, message);
    }

    fn find(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    pub(crate) fn has(&mut self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    fn need(&mut self, key: &'static str) -> Option<Value<'t>> {
        let found = self.find(key);
        if found.is_none() {
            let span = self.span.clone();
            self.wrong(&span, format!("`{key}` is missing"));
        }
        found
    }

    fn text(&mut self, key: &str, value: Value<'t>) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none_or(str::is_empty) {
            self.wrong(&value.span(), format!("`{key}` must be a text that is not empty"));
            return None;
        }
        text
    }

    fn named(&mut self, key: &str, value: Value<'t>) -> Option<Named> {
        let line = self.page.line(&value.span());
        self.text(key, value).map(|text| Named { name: text.into(), line })
    }

    /// A name that must be given; an empty one stands for a missing one (a finding says so).
    pub(crate) fn name(&mut self, key: &'static str) -> Named {
        let found = self.need(key).and_then(|value| self.named(key, value));
        found.unwrap_or_else(|| Named { name: "".into(), line: 0 })
    }

    /// A name that must be given and must not depend on a caller.
    pub(crate) fn fixed(&mut self, key: &'static str) -> Named {
        let name = self.name(key);
        if name.name.contains("${") {
            let span = self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span);
            self.wrong(&span, format!("`{key}` cannot have variables: a caller must not choose it"));
        }
        name
    }

    pub(crate) fn name_or(&mut self, key: &'static str, default: &str) -> Named {
        let found = self.find(key).and_then(|value| self.named(key, value));
        let line = self.page.line(&self.span.clone());
        found.unwrap_or_else(|| Named { name: default.into(), line })
    }

    /// The name of a variable to be set.
    pub(crate) fn variable(&mut self, key: &'static str) -> Named {
        let name = self.name(key);
        self.check_variable(key, &name.name);
        name
    }

    fn check_variable(&mut self, key: &'static str, name: &str) {
        if !name.is_empty() && !crate::words::is_variable_name(name) {
            let span = self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span);
            self.wrong(&span, format!("`{name}` cannot name a variable: letters, digits and _ only"));
        }
    }

    /// One of `choices`, the first if the key is absent.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let first = choices.first().map(|(_, choice)| *choice);
        let Some(value) = self.find(key) else { return first };
        let text = self.text(key, value)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let hint = nearest::hint(text, choices.iter().map(|(word, _)| *word));
            self.wrong(&value.span(), format!("`{key}` cannot be `{text}`{hint}"));
        }
        found.map(|(_, choice)| *choice).or(first)
    }

    pub(crate) fn target(&mut self, key: &'static str) -> Target {
        let found = self.need(key).and_then(|value| self.goal(key, value));
        found.unwrap_or_else(|| Target::parse("", 0))
    }

    pub(crate) fn target_or(&mut self, key: &'static str) -> Option<Target> {
        self.find(key).and_then(|value| self.goal(key, value))
    }

    fn goal(&mut self, key: &str, value: Value<'t>) -> Option<Target> {
        self.named(key, value).map(|named| Target::parse(&named.name, named.line))
    }

    /// A whole number within `range`.
    pub(crate) fn count(&mut self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(value) = self.find(key) else { return default };
        let number =
            value.get_ref().as_integer().and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        let (low, high) = (range.start(), range.end());
        self.wrong(&value.span(), format!("`{key}` must be a whole number from {low} to {high}"));
        default
    }

    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.find(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(&value.span(), format!("`{key}` must be true or false"));
            default
        })
    }

    /// Prompts and values; absent = nothing is spoken.
    pub(crate) fn words(&mut self, key: &'static str) -> Words {
        self.words_or(key, &[])
    }

    pub(crate) fn needed_words(&mut self, key: &'static str) -> Words {
        self.need(key).map(|value| self.word_list(key, value)).unwrap_or_default()
    }

    /// Prompts and values; absent = `default`, where `${x}` stands for a value: `("digits", "${agent}")`.
    pub(crate) fn words_or(&mut self, key: &'static str, default: &[(&str, &str)]) -> Words {
        if let Some(value) = self.find(key) {
            return self.word_list(key, value);
        }
        let line = self.page.line(&self.span.clone());
        let words = default.iter().filter_map(|&(kind, text)| match kind {
            "prompt" => Some(Word::Prompt(Named { name: text.into(), line })),
            kind => {
                let kind = Kind::WORDS.iter().find(|(word, _)| *word == kind)?.1;
                Some(Word::Value { kind, value: Template::parse(text, line)? })
            }
        });
        Words(words.collect())
    }

    fn word_list(&mut self, key: &str, value: Value<'t>) -> Words {
        if let Some(list) = value.get_ref().as_array() {
            return Words(list.iter().filter_map(|item| self.word(key, item)).collect());
        }
        Words(self.word(key, value).into_iter().collect())
    }

    fn word(&mut self, key: &str, item: Value<'t>) -> Option<Word> {
        let Some(table) = item.get_ref().as_table() else {
            return self.named(key, item).map(Word::Prompt);
        };
        let mut entries = table.iter();
        let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
            self.wrong(&item.span(), "a value to speak is one pair such as { amount = \"${balance}\" }");
            return None;
        };
        let known = Kind::WORDS.iter().find(|(word, _)| *word == kind.get_ref().as_ref());
        if known.is_none() {
            let hint = nearest::hint(kind.get_ref(), Kind::WORDS.iter().map(|(word, _)| *word));
            self.wrong(&kind.span(), format!("nothing is spoken as `{}`{hint}", kind.get_ref()));
        }
        let value = self.filled(key, value)?;
        known.map(|&(_, kind)| Word::Value { kind, value })
    }

    fn filled(&mut self, key: &str, value: Value<'t>) -> Option<Template> {
        let line = self.page.line(&value.span());
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.as_str(),
            DeValue::String(text) => text.as_ref(),
            _ => {
                self.wrong(&value.span(), format!("`{key}` must be a text, with ${{variables}} if you like"));
                return None;
            }
        };
        let template = Template::parse(text, line);
        if template.is_none() {
            self.wrong(&value.span(), "a variable is written ${name}: letters, digits and _");
        }
        template
    }

    pub(crate) fn template(&mut self, key: &'static str) -> Template {
        self.need(key).and_then(|value| self.filled(key, value)).unwrap_or_default()
    }

    pub(crate) fn template_or(&mut self, key: &'static str, default: &str) -> Template {
        let line = self.page.line(&self.span.clone());
        match self.find(key) {
            Some(value) => self.filled(key, value).unwrap_or_default(),
            None => Template::parse(default, line).unwrap_or_default(),
        }
    }

    /// `{ name = "text with ${variables}" }`.
    pub(crate) fn templates(&mut self, key: &'static str) -> Vec<(Name, Template)> {
        let entries = self.entries(key);
        entries
            .into_iter()
            .filter_map(|(name, _, value)| Some((name.into(), self.filled(name, value)?)))
            .collect()
    }

    /// `{ value = "target" }`.
    pub(crate) fn targets(&mut self, key: &'static str) -> BTreeMap<Name, Target> {
        let entries = self.entries(key);
        entries
            .into_iter()
            .filter_map(|(name, _, value)| Some((name.into(), self.goal(name, value)?)))
            .collect()
    }

    /// `{ 1 = "target", "#" = "target" }`.
    pub(crate) fn keys(&mut self, key: &'static str) -> BTreeMap<u8, Target> {
        let mut keys = BTreeMap::new();
        for (name, span, value) in self.entries(key) {
            let &[digit @ (b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D')] = name.as_bytes() else {
                self.wrong(&span, format!("`{name}` is not a key of a telephone: 0-9, \"*\", \"#\", A-D"));
                continue;
            };
            if let Some(target) = self.goal(name, value) {
                keys.insert(digit, target);
            }
        }
        keys
    }

    /// `{ name = 5 }`, each level 1-10.
    pub(crate) fn levels(&mut self, key: &'static str) -> Vec<(Named, u8)> {
        let mut levels = Vec::new();
        for (name, span, value) in self.entries(key) {
            let level = value.get_ref().as_integer().and_then(|n| n.as_str().parse().ok());
            let line = self.page.line(&span);
            match level {
                Some(level @ 1..=10) => levels.push((Named { name: name.into(), line }, level)),
                _ => self.wrong(&value.span(), format!("the level of `{name}` must be from 1 to 10")),
            }
        }
        levels
    }

    /// A list of variable names.
    pub(crate) fn variables(&mut self, key: &'static str) -> Vec<Name> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(&value.span(), format!("`{key}` must be a list of variable names"));
            return Vec::new();
        };
        let names: Vec<Name> =
            list.iter().filter_map(|item| self.named(key, item)).map(|named| named.name).collect();
        for name in &names {
            self.check_variable(key, name);
        }
        names
    }

    /// `[{ from = 0, below = 800, next = "target" }]`.
    pub(crate) fn ranges(&mut self, key: &'static str) -> Vec<(i64, i64, Target)> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(&value.span(), format!("`{key}` must be a list of {{ from, below, next }}"));
            return Vec::new();
        };
        let mut ranges = Vec::new();
        for item in list {
            let bound = |name: &str, default: i64| {
                let Some(value) = item.get_ref().get(name) else { return Some(default) };
                value.get_ref().as_integer().and_then(|n| n.as_str().parse().ok())
            };
            let (from, below) = (bound("from", i64::MIN), bound("below", i64::MAX));
            let next = item.get_ref().get("next").and_then(|value| self.goal("next", value));
            match (from, below, next) {
                (Some(from), Some(below), Some(next)) if from < below => ranges.push((from, below, next)),
                _ => self.wrong(
                    &item.span(),
                    "a range is { from = 0, below = 800, next = \"step\" }, from < below",
                ),
            }
        }
        ranges
    }

    fn entries(&mut self, key: &'static str) -> Vec<(&'t str, Range<usize>, Value<'t>)> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(&value.span(), format!("`{key}` must be a table {{ … }}"));
            return Vec::new();
        };
        table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value)).collect()
    }

    /// Names every key that nobody asked for.
    pub(crate) fn finish(self, what: &str) {
        for (key, _) in self.table {
            if !self.asked.contains(key.get_ref().as_ref()) {
                let hint = nearest::hint(key.get_ref(), self.asked.iter().copied());
                self.page.wrong(&key.span(), format!("{what} has no key `{}`{hint}", key.get_ref()));
            }
        }
    }
}
