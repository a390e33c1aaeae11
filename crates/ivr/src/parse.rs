//! From the text of all flow files to [`Flows`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base::Finding;
use toml::de::{DeTable, DeValue};

use crate::flows::{Entry, Flow, Flows, Source, Step};
use crate::io::Name;
use crate::nearest;
use crate::read::{Page, Reader};
use crate::verb::Verb;
use crate::words::Named;

/// Longest file: a flow is written by people.
const FILE_BYTES_MAX: usize = 1 << 20;

pub(crate) fn flows(sources: &[Source<'_>]) -> Result<Flows, Vec<Finding>> {
    let mut flows = Flows::default();
    let mut findings = Vec::new();
    for source in sources {
        let mut page = Page { file: source.file, text: source.text, findings: Vec::new() };
        read_file(&mut page, &mut flows);
        page.findings.sort_by_key(|finding| finding.line);
        findings.append(&mut page.findings);
    }
    if findings.is_empty() { Ok(flows) } else { Err(findings) }
}

fn read_file(page: &mut Page<'_>, flows: &mut Flows) {
    if page.text.len() > FILE_BYTES_MAX {
        page.wrong(&(0..0), format!("the file is longer than {FILE_BYTES_MAX} bytes"));
        return;
    }
    let (document, errors) = DeTable::parse_recoverable(page.text);
    for error in &errors {
        page.wrong(&error.span().unwrap_or_default(), error.message());
    }
    if !errors.is_empty() {
        return;
    }
    for (key, value) in document.get_ref() {
        let Some(table) = value.get_ref().as_table() else {
            page.wrong(
                &key.span(),
                format!("`{}` must be a table: [flow.NAME] or [entry.NUMBER]", key.get_ref()),
            );
            continue;
        };
        match key.get_ref().as_ref() {
            "flow" => {
                tables(page, table, "flow", |page, name, span, table| flow(page, flows, name, span, table))
            }
            "entry" => tables(page, table, "entry", |page, name, span, table| {
                entry(page, flows, name, span, table);
            }),
            other => {
                let hint = nearest::hint(other, ["flow", "entry"]);
                page.wrong(&key.span(), format!("a flow file has no table `{other}`{hint}"));
            }
        }
    }
}

/// Calls `each` for every table in `table`; anything else in it is a mistake.
fn tables<'t>(
    page: &mut Page<'_>,
    table: &'t DeTable<'t>,
    what: &str,
    mut each: impl FnMut(&mut Page<'_>, &'t str, Range<usize>, &'t DeTable<'t>),
) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => each(page, key.get_ref(), key.span(), inner),
            _ => page.wrong(&key.span(), format!("`{}` must be a table: [{what}.NAME]", key.get_ref())),
        }
    }
}

fn flow<'t>(
    page: &mut Page<'_>,
    flows: &mut Flows,
    name: &'t str,
    span: Range<usize>,
    table: &'t DeTable<'t>,
) {
    let line = page.line(&span);
    if let Some(other) = flows.flows.get(name) {
        let message = format!("flow `{name}` exists already: {}:{}", other.file, other.line);
        page.wrong(&span, message);
        return;
    }
    let mut reader = Reader::new(page, table, span);
    let start = reader.name("start");
    let steps_exist = reader.has("step");
    reader.finish("a flow");
    let mut steps = BTreeMap::new();
    if let Some(table) = table.get("step").and_then(|value| value.get_ref().as_table()) {
        tables(page, table, "flow.NAME.step", |page, name, span, table| {
            if let Some(verb) = verb(page, name, &span, table) {
                steps.insert(Name::from(name), Arc::new(Step { line: page.line(&span), verb }));
            }
        });
    } else if steps_exist {
        page.findings.push(Finding {
            file: page.file.to_owned(),
            line: Some(line),
            message: format!("`step` of flow `{name}` must hold tables: [flow.{name}.step.NAME]"),
        });
    }
    flows.flows.insert(name.into(), Flow { file: page.file.into(), line, start, steps });
}

fn verb<'t>(page: &mut Page<'_>, name: &str, span: &Range<usize>, table: &'t DeTable<'t>) -> Option<Verb> {
    let mut reader = Reader::new(page, table, span.clone());
    let word = reader.name("verb");
    if word.name.is_empty() {
        return None;
    }
    let found = Verb::read(&word.name, &mut reader);
    if found.is_none() {
        let hint = nearest::hint(&word.name, Verb::WORDS.iter().copied());
        let at = table.get("verb").map_or_else(|| span.clone(), toml::Spanned::span);
        reader.wrong(&at, format!("step `{name}`: there is no verb `{}`{hint}", word.name));
        return None;
    }
    reader.finish(&word.name);
    found
}

fn entry<'t>(
    page: &mut Page<'_>,
    flows: &mut Flows,
    number: &str,
    span: Range<usize>,
    table: &'t DeTable<'t>,
) {
    let fits = number.strip_prefix('+').unwrap_or(number);
    if fits.is_empty() || !fits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#') {
        page.wrong(&span, format!("`{number}` cannot be dialled: digits, `*` and `#` only"));
    }
    if let Some(other) = flows.entries.get(number) {
        let message = format!("number {number} exists already: {}:{}", other.file, other.line);
        page.wrong(&span, message);
        return;
    }
    let line = page.line(&span);
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
    flows.entries.insert(number.into(), Entry { file: page.file.into(), line, tiers, any });
}
