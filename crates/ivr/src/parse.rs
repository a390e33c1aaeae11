//! From the text of all flow files to [`Flows`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base::Finding;
use reader::{Findings, nearest};
use toml::de::{DeTable, DeValue};

use crate::flows::{Entry, Flow, Flows, Source, Step};
use crate::io::Name;
use crate::read::Reader;
use crate::verb::Verb;
use crate::words::Named;

/// Longest file: a flow is written by people.
const FILE_BYTES_MAX: usize = 1 << 20;

pub(crate) fn flows(sources: &[Source<'_>]) -> (Flows, Vec<Finding>) {
    let mut flows = Flows::default();
    let mut all = Vec::new();
    for source in sources {
        let findings = Findings::default();
        read_file(*source, &findings, &mut flows);
        let mut findings = findings.into_sorted();
        findings.sort_by_key(|finding| finding.line);
        all.append(&mut findings);
    }
    (flows, all)
}

/// A file being read.
struct Page<'a> {
    source: reader::Source<'a>,
    /// Parts that have a syntax error in them: what they say is not to be relied on.
    broken: Vec<Range<usize>>,
}

impl Page<'_> {
    fn wrong(&self, span: &Range<usize>, message: impl Into<String>) {
        self.source.finding(span.start, message);
    }

    fn line(&self, span: &Range<usize>) -> u32 {
        self.source.line(span.start)
    }

    /// Whether what stands there is in a part with a syntax error.
    fn is_broken(&self, span: &Range<usize>) -> bool {
        self.broken.iter().any(|part| part.contains(&span.start))
    }
}

fn read_file(source: Source<'_>, findings: &Findings, flows: &mut Flows) {
    let Source { file, text } = source;
    let source = reader::Source { file, text, findings };
    if text.len() > FILE_BYTES_MAX {
        return source.finding(0, format!("the file is longer than {FILE_BYTES_MAX} bytes"));
    }
    let (document, broken) = reader::parse_with_broken(source);
    flows.unread.extend(broken.iter().filter_map(|part| text.get(part.clone())).map(Box::from));
    let page = Page { source, broken };
    for (key, value) in document.get_ref() {
        let Some(table) = value.get_ref().as_table() else {
            if !page.is_broken(&key.span()) {
                let message = format!("`{}` must be a table: [flow.NAME] or [entry.NUMBER]", key.get_ref());
                page.wrong(&key.span(), message);
            }
            continue;
        };
        match key.get_ref().as_ref() {
            "flow" => {
                tables(&page, table, "flow", |name, span, table| flow(&page, flows, name, &span, table))
            }
            "entry" => {
                tables(&page, table, "entry", |name, span, table| entry(&page, flows, name, &span, table));
            }
            other => {
                let hint = nearest(other, ["flow", "entry"]);
                page.wrong(&key.span(), format!("a flow file has no table `{other}`{hint}"));
            }
        }
    }
}

/// Calls `each` for every table in `table`; anything else in it is a mistake.
fn tables<'t>(
    page: &Page<'_>,
    table: &'t DeTable<'t>,
    what: &str,
    mut each: impl FnMut(&'t str, Range<usize>, &'t DeTable<'t>),
) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => each(key.get_ref(), key.span(), inner),
            _ if page.is_broken(&key.span()) => {}
            _ => page.wrong(&key.span(), format!("`{}` must be a table: [{what}.NAME]", key.get_ref())),
        }
    }
}

fn flow<'t>(page: &Page<'t>, flows: &mut Flows, name: &'t str, span: &Range<usize>, table: &'t DeTable<'t>) {
    let line = page.line(span);
    if let Some(other) = flows.flows.get(name) {
        let message = format!("flow `{name}` exists already: {}:{}", other.file, other.line);
        page.wrong(span, message);
        return;
    }
    let before = page.source.findings.len();
    let mut reader = Reader::new(page.source, table, span);
    let start = reader.name("start");
    let steps_exist = reader.has("step");
    reader.finish();
    if page.is_broken(span) {
        page.source.findings.truncate(before);
    }
    let mut steps = BTreeMap::new();
    if let Some(table) = table.get("step").and_then(|value| value.get_ref().as_table()) {
        tables(page, table, "flow.NAME.step", |name, span, table| {
            if let Some(verb) = verb(page, flows, name, &span, table) {
                steps.insert(Name::from(name), Arc::new(Step { line: page.line(&span), verb }));
            }
        });
    } else if steps_exist {
        page.wrong(span, format!("`step` of flow `{name}` must hold tables: [flow.{name}.step.NAME]"));
    }
    flows.flows.insert(name.into(), Flow { file: page.source.file.into(), line, start, steps });
}

/// A step's verb; none for one that cannot be relied on, whose text is then kept in [`Flows::unread`].
fn verb<'t>(
    page: &Page<'t>,
    flows: &mut Flows,
    name: &str,
    span: &Range<usize>,
    table: &'t DeTable<'t>,
) -> Option<Verb> {
    if page.is_broken(span) {
        return None;
    }
    let before = page.source.findings.len();
    let mut reader = Reader::new(page.source, table, span);
    let word = reader.name("verb");
    let mut found = None;
    if !word.name.is_empty() {
        found = Verb::read(&word.name, &mut reader);
        if found.is_some() {
            reader.finish();
        } else {
            let hint = nearest(&word.name, Verb::WORDS.iter().copied());
            let at = table.get("verb").map_or_else(|| span.clone(), toml::Spanned::span);
            reader.wrong(&at, format!("step `{name}`: there is no verb `{}`{hint}", word.name));
        }
    }
    if page.source.findings.len() > before {
        let text = page.source.text;
        flows.unread.extend(text.get(reader::part_around(text, span.start)).map(Box::from));
    }
    found
}

fn entry<'t>(page: &Page<'t>, flows: &mut Flows, number: &str, span: &Range<usize>, table: &'t DeTable<'t>) {
    let fits = number.strip_prefix('+').unwrap_or(number);
    if fits.is_empty() || !fits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#') {
        page.wrong(span, format!("`{number}` cannot be dialled: digits, `*` and `#` only"));
    }
    if let Some(other) = flows.entries.get(number) {
        let message = format!("number {number} exists already: {}:{}", other.file, other.line);
        page.wrong(span, message);
        return;
    }
    let line = page.line(span);
    let mut tiers = BTreeMap::new();
    for (tier, flow) in table {
        match flow.get_ref().as_str() {
            Some(name) if !name.is_empty() => {
                let line = page.line(&flow.span());
                tiers.insert(Name::from(tier.get_ref().as_ref()), Named { name: name.into(), line });
            }
            _ => page.wrong(&flow.span(), "an entry is: tier = \"flow\""),
        }
    }
    let any = tiers.remove("any");
    flows.entries.insert(number.into(), Entry { file: page.source.file.into(), line, tiers, any });
}
