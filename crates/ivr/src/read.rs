//! Reads one step's table: what flows have besides plain values, names, targets, words and templates with their lines.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use reader::{Section, Source, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::io::Name;
use crate::words::{Kind, Named, Target, Template, Word, Words};

/// A value in a table and where it stands.
type Value<'t> = &'t Spanned<DeValue<'t>>;

/// Reads one table.
pub(crate) struct Reader<'t> {
    section: Section<'t>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(source: Source<'t>, table: &'t DeTable<'t>, span: &Range<usize>) -> Self {
        Reader { section: Section::of(source, table, span.start) }
    }

    pub(crate) fn wrong(&self, span: &Range<usize>, message: impl Into<String>) {
        self.section.source().finding(span.start, message);
    }

    fn line(&self, span: &Range<usize>) -> u32 {
        self.section.source().line(span.start)
    }

    /// The line where the table starts.
    fn own_line(&self) -> u32 {
        self.section.source().line(self.section.offset())
    }

    pub(crate) fn has(&mut self, key: &'static str) -> bool {
        self.section.value(key).is_some()
    }

    fn text(&self, key: &str, value: Value<'t>) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none_or(str::is_empty) {
            self.wrong(&value.span(), format!("`{key}` must be a text that is not empty"));
            return None;
        }
        text
    }

    fn named(&self, key: &str, value: Value<'t>) -> Option<Named> {
        let line = self.line(&value.span());
        self.text(key, value).map(|text| Named { name: text.into(), line })
    }

    /// A name that must be given; an empty one stands for a missing one (a finding says so).
    pub(crate) fn name(&mut self, key: &'static str) -> Named {
        let found = self.section.need_value(key).and_then(|value| self.named(key, value));
        found.unwrap_or_else(|| Named { name: "".into(), line: 0 })
    }

    /// A name that must be given and must not depend on a caller.
    pub(crate) fn fixed(&mut self, key: &'static str) -> Named {
        let name = self.name(key);
        if name.name.contains("${") {
            self.section.finding(key, "cannot have variables: a caller must not choose it");
        }
        name
    }

    pub(crate) fn name_or(&mut self, key: &'static str, default: &str) -> Named {
        let found = self.section.value(key).and_then(|value| self.named(key, value));
        let line = self.own_line();
        found.unwrap_or_else(|| Named { name: default.into(), line })
    }

    /// The name of a variable to be set.
    pub(crate) fn variable(&mut self, key: &'static str) -> Named {
        let name = self.name(key);
        self.check_variable(key, &name.name);
        name
    }

    fn check_variable(&self, key: &'static str, name: &str) {
        if !name.is_empty() && !crate::words::is_variable_name(name) {
            self.section.finding(key, format!("`{name}` cannot name a variable: letters, digits and _ only"));
        }
    }

    /// One of `choices`, the first if the key is absent.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let first = choices.first().map(|(_, choice)| *choice);
        self.section.choice(key, choices.iter().copied()).or(first)
    }

    pub(crate) fn target(&mut self, key: &'static str) -> Target {
        let found = self.section.need_value(key).and_then(|value| self.goal(key, value));
        found.unwrap_or_else(|| Target::parse("", 0))
    }

    pub(crate) fn target_or(&mut self, key: &'static str) -> Option<Target> {
        self.section.value(key).and_then(|value| self.goal(key, value))
    }

    fn goal(&self, key: &str, value: Value<'t>) -> Option<Target> {
        self.named(key, value).map(|named| Target::parse(&named.name, named.line))
    }

    /// A whole number within `range`.
    pub(crate) fn count(&mut self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        self.section.within(key, range, default)
    }

    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.section.or(key, default)
    }

    /// `"09:30"` in minutes after midnight.
    pub(crate) fn time_of_day(&mut self, key: &'static str) -> Option<u16> {
        let value = self.section.value(key)?;
        let text = self.text(key, value)?;
        let minutes = minutes_of_day(text);
        if minutes.is_none() {
            self.section.finding(key, "is a time of day such as \"09:30\"");
        }
        minutes
    }

    /// Prompts and values; absent = nothing is spoken.
    pub(crate) fn words(&mut self, key: &'static str) -> Words {
        self.words_or(key, &[])
    }

    pub(crate) fn needed_words(&mut self, key: &'static str) -> Words {
        self.section.need_value(key).map(|value| self.word_list(key, value)).unwrap_or_default()
    }

    /// Prompts and values; absent = `default`, where `${x}` stands for a value: `("digits", "${agent}")`.
    pub(crate) fn words_or(&mut self, key: &'static str, default: &[(&str, &str)]) -> Words {
        if let Some(value) = self.section.value(key) {
            return self.word_list(key, value);
        }
        let line = self.own_line();
        let words = default.iter().filter_map(|&(kind, text)| match kind {
            "prompt" => Some(Word::Prompt(Named { name: text.into(), line })),
            kind => {
                let kind = Kind::WORDS.iter().find(|(word, _)| *word == kind)?.1;
                Some(Word::Value { kind, value: Template::parse(text, line)? })
            }
        });
        Words(words.collect())
    }

    fn word_list(&self, key: &str, value: Value<'t>) -> Words {
        if let Some(list) = value.get_ref().as_array() {
            return Words(list.iter().filter_map(|item| self.word(key, item)).collect());
        }
        Words(self.word(key, value).into_iter().collect())
    }

    fn word(&self, key: &str, item: Value<'t>) -> Option<Word> {
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
            let hint = nearest(kind.get_ref(), Kind::WORDS.iter().map(|(word, _)| *word));
            self.wrong(&kind.span(), format!("nothing is spoken as `{}`{hint}", kind.get_ref()));
        }
        let value = self.filled(key, value)?;
        known.map(|&(_, kind)| Word::Value { kind, value })
    }

    fn filled(&self, key: &str, value: Value<'t>) -> Option<Template> {
        let line = self.line(&value.span());
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
        self.section.need_value(key).and_then(|value| self.filled(key, value)).unwrap_or_default()
    }

    pub(crate) fn template_or(&mut self, key: &'static str, default: &str) -> Template {
        let line = self.own_line();
        match self.section.value(key) {
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
            let line = self.line(&span);
            match level {
                Some(level @ 1..=10) => levels.push((Named { name: name.into(), line }, level)),
                _ => self.wrong(&value.span(), format!("the level of `{name}` must be from 1 to 10")),
            }
        }
        levels
    }

    /// A list of variable names.
    pub(crate) fn variables(&mut self, key: &'static str) -> Vec<Name> {
        let Some(value) = self.section.value(key) else { return Vec::new() };
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
        let Some(value) = self.section.value(key) else { return Vec::new() };
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
        let Some(value) = self.section.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(&value.span(), format!("`{key}` must be a table {{ … }}"));
            return Vec::new();
        };
        table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value)).collect()
    }

    /// Names every key that nobody asked for.
    pub(crate) fn finish(self) {
        self.section.end();
    }
}

/// Minutes after midnight of `HH:MM`.
fn minutes_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}
