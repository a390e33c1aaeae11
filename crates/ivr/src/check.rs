//! Holds all flows against each other and against the rest of the configuration, before a call is taken.

use std::collections::{BTreeMap, BTreeSet};

use base::Finding;
use reader::nearest as hint;

use crate::flows::{Checked, Flow, Flows, Step, Vocabulary};
use crate::io::Name;
use crate::say::{self, Language};
use crate::vars::BUILT_IN;
use crate::verb::{Refs, Verb};
use crate::words::{Named, Target, To, Word};

/// A step by flow and name.
type Node<'f> = (&'f str, &'f str);

pub(crate) fn check(flows: &Flows, vocabulary: &Vocabulary) -> Checked {
    let mut check = Check { flows, vocabulary, checked: Checked::default(), ways: BTreeMap::new() };
    check.entries();
    check.voices();
    let writes = check.all_writes();
    for (name, flow) in &flows.flows {
        check.flow(name, flow, &writes);
    }
    check.endless();
    check.unreachable();
    check.checked.errors.sort();
    check.checked.warnings.sort();
    check.checked
}

/// Every prompt that a verb names.
pub(crate) fn prompts(verb: &Verb) -> impl Iterator<Item = &Named> {
    let Refs { words, music, .. } = verb.refs();
    let words = words.into_iter().flat_map(|words| &words.0);
    let prompts = words.filter_map(|word| match word {
        Word::Prompt(prompt) => Some(prompt),
        Word::Value { .. } => None,
    });
    prompts.chain(music)
}

/// Where one step leads.
#[derive(Debug, Default)]
struct Ways<'f> {
    /// A caller who does nothing.
    silent: BTreeSet<Node<'f>>,
    /// Anybody.
    all: BTreeSet<Node<'f>>,
}

struct Check<'f> {
    flows: &'f Flows,
    vocabulary: &'f Vocabulary,
    checked: Checked,
    ways: BTreeMap<Node<'f>, Ways<'f>>,
}

impl<'f> Check<'f> {
    fn wrong(&mut self, file: &str, line: u32, message: String) {
        self.checked.errors.push(Finding { file: file.to_owned(), line: Some(line), message });
    }

    fn warn(&mut self, file: &str, line: u32, message: String) {
        self.checked.warnings.push(Finding { file: file.to_owned(), line: Some(line), message });
    }

    fn entries(&mut self) {
        for (number, entry) in &self.flows.entries {
            for flow in entry.tiers.values().chain(&entry.any) {
                if !self.flows.contains(&flow.name) && !self.flows.may_have(&flow.name) {
                    let hint = hint(&flow.name, self.flows.names());
                    self.wrong(&entry.file, flow.line, format!("there is no flow `{}`{hint}", flow.name));
                }
            }
            for (tier, flow) in &entry.tiers {
                self.tier(&entry.file, tier, flow.line);
            }
            if entry.any.is_some() {
                continue;
            }
            for tier in &self.vocabulary.tiers {
                if !entry.tiers.contains_key(tier.as_str()) {
                    let message =
                        format!("number {number} has no flow for tier `{tier}`; name one, or `any`");
                    self.wrong(&entry.file, entry.line, message);
                }
            }
        }
    }

    fn tier(&mut self, file: &str, tier: &str, line: u32) {
        if !self.vocabulary.tiers.contains(tier) {
            let hint = hint(tier, self.vocabulary.tiers.iter().map(String::as_str));
            self.wrong(file, line, format!("there is no tier `{tier}`{hint}"));
        }
    }

    /// Every voice must be able to speak every value.
    fn voices(&mut self) {
        for (voice, prompts) in &self.vocabulary.prompts {
            let Some(language) = Language::from_word(voice) else {
                let hint = hint(voice, Language::ALL.iter().map(|language| language.word()));
                let message = format!("nothing can be spoken in `{voice}`{hint}");
                self.checked.errors.push(Finding::new(format!("prompts/{voice}"), message));
                continue;
            };
            let pieces = say::pieces(language).into_iter();
            let missing: Vec<&str> = pieces.filter(|piece| !prompts.contains(*piece)).collect();
            if !missing.is_empty() {
                let message =
                    format!("pieces for numbers, dates and amounts are missing: {}", missing.join(", "));
                self.checked.errors.push(Finding::new(format!("prompts/{voice}"), message));
            }
        }
    }

    fn all_writes(&self) -> BTreeSet<&'f str> {
        let steps = self.flows.flows.values().flat_map(|flow| flow.steps.values());
        let written = steps.flat_map(|step| step.verb.refs().writes).map(|name| &**name);
        BUILT_IN.iter().copied().chain(written).collect()
    }

    fn flow(&mut self, name: &'f Name, flow: &'f Flow, writes: &BTreeSet<&str>) {
        let start = &*flow.start.name;
        // A missing start was found when the file was read.
        if flow.step_named(start).is_none() && !start.is_empty() && !self.flows.may_have(start) {
            let hint = hint(start, flow.steps.keys().map(|step| &**step));
            let message = format!("flow `{name}` has no step `{start}` to start with{hint}");
            self.wrong(&flow.file, flow.start.line.max(flow.line), message);
        }
        for (step_name, step) in &flow.steps {
            let refs = step.verb.refs();
            self.names(&flow.file, &refs);
            if refs.speaks_languages {
                self.language_skills(&flow.file, step.line);
            }
            self.variables(&flow.file, &refs, writes);
            for prompt in prompts(&step.verb) {
                self.prompt(&flow.file, prompt);
            }
            let mut ways = Ways::default();
            for target in &refs.silent {
                ways.silent.extend(self.target(name, flow, target));
            }
            for target in &refs.acted {
                ways.all.extend(self.target(name, flow, target));
            }
            ways.all.extend(ways.silent.iter().copied());
            self.ways.insert((&**name, &**step_name), ways);
        }
    }

    fn names(&mut self, file: &str, refs: &Refs<'_>) {
        for queue in refs.queues.iter().filter(|queue| !queue.name.is_empty()) {
            if !self.vocabulary.queues.contains(&*queue.name) {
                let hint = hint(&queue.name, self.vocabulary.queues.iter().map(String::as_str));
                self.wrong(file, queue.line, format!("there is no queue `{}`{hint}", queue.name));
            }
        }
        for skill in &refs.skills {
            if !self.vocabulary.skills.contains(&*skill.name) {
                let hint = hint(&skill.name, self.vocabulary.skills.iter().map(String::as_str));
                self.wrong(file, skill.line, format!("there is no skill `{}`{hint}", skill.name));
            }
        }
        for (tier, line) in &refs.tiers {
            self.tier(file, tier, *line);
        }
    }

    /// Every voice's language must be a skill that agents can have.
    fn language_skills(&mut self, file: &str, line: u32) {
        for voice in self.vocabulary.prompts.keys() {
            if !self.vocabulary.skills.contains(voice) {
                let message = format!(
                    "`language_level` asks for a skill `{voice}`, which is not in the list of skills"
                );
                self.wrong(file, line, message);
            }
        }
    }

    fn variables(&mut self, file: &str, refs: &Refs<'_>, writes: &BTreeSet<&str>) {
        let spoken = refs.words.iter().flat_map(|words| &words.0).filter_map(|word| match word {
            Word::Value { value, .. } => Some(value),
            Word::Prompt(_) => None,
        });
        let templates = spoken.chain(refs.templates.iter().copied());
        let read = templates.flat_map(|text| text.variables().map(|name| (name, text.line)));
        for (name, line) in read.chain(refs.reads.iter().map(|named| (&named.name, named.line))) {
            if !writes.contains(&**name) && !self.flows.may_have(name) {
                let hint = hint(name, writes.iter().copied());
                self.wrong(file, line, format!("no step gives `{name}` a value{hint}"));
            }
        }
    }

    fn prompt(&mut self, file: &str, prompt: &Named) {
        for (voice, prompts) in &self.vocabulary.prompts {
            if !prompts.contains(&*prompt.name) {
                let hint = hint(&prompt.name, prompts.iter().map(String::as_str));
                let message = format!("voice `{voice}` has no prompt `{}`{hint}", prompt.name);
                self.wrong(file, prompt.line, message);
            }
        }
    }

    fn target(&mut self, name: &'f Name, flow: &'f Flow, target: &Target) -> Option<Node<'f>> {
        match &target.to {
            // A missing target was found when the file was read.
            To::Step(step) if step.is_empty() => None,
            To::Step(step) => {
                let found = flow.step_named(step);
                if found.is_none() && !self.flows.may_have(step) {
                    let near = hint(step, flow.steps.keys().map(|step| &**step));
                    self.wrong(&flow.file, target.line, format!("flow `{name}` has no step `{step}`{near}"));
                }
                found.map(|step| (&**name, step))
            }
            To::Flow(other) => match self.flows.flows.get_key_value(other) {
                Some((name, flow)) => flow.step_named(&flow.start.name).map(|start| (&**name, start)),
                None if self.flows.may_have(other) => None,
                None => {
                    let near = hint(other, self.flows.names());
                    self.wrong(&flow.file, target.line, format!("there is no flow `{other}`{near}"));
                    None
                }
            },
        }
    }

    /// A caller who does nothing must come to an end: steps that lead back to themselves without anybody's act are found
    /// by taking away, again and again, every step that leads to none of the rest.
    fn endless(&mut self) {
        let mut rest: BTreeSet<Node<'f>> = self.ways.keys().copied().collect();
        loop {
            let ends = |node: &Node<'f>| {
                self.ways.get(node).is_none_or(|ways| ways.silent.iter().all(|next| !rest.contains(next)))
            };
            let ended: Vec<Node<'f>> = rest.iter().copied().filter(ends).collect();
            if ended.is_empty() {
                break;
            }
            for node in ended {
                rest.remove(&node);
            }
        }
        // What is left leads into a circle; only the circle itself is the mistake.
        let circle: Vec<Node<'f>> = rest.iter().copied().filter(|node| self.returns(*node, &rest)).collect();
        for (flow, step) in circle {
            if let Some((file, line)) = self.place(flow, step) {
                let message = format!(
                    "step `{step}` of flow `{flow}` leads back to itself without any input: a caller who does nothing would never come to an end"
                );
                self.wrong(&file, line, message);
            }
        }
    }

    fn returns(&self, from: Node<'f>, within: &BTreeSet<Node<'f>>) -> bool {
        let starts = self.ways.get(&from).map(|ways| ways.silent.clone()).unwrap_or_default();
        let silent = |ways: &'_ Ways<'f>| ways.silent.clone();
        self.reach(starts, silent).intersection(within).any(|node| *node == from)
    }

    /// Everything that can be reached from `starts`, themselves included.
    fn reach(
        &self,
        starts: BTreeSet<Node<'f>>,
        ways: impl Fn(&Ways<'f>) -> BTreeSet<Node<'f>>,
    ) -> BTreeSet<Node<'f>> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<Node<'f>> = starts.into_iter().collect();
        while let Some(node) = open.pop() {
            if reached.insert(node) {
                open.extend(self.ways.get(&node).map(&ways).into_iter().flatten());
            }
        }
        reached
    }

    /// Every flow may be entered from outside (a number, a queue's overflow); a step only from a flow.
    fn unreachable(&mut self) {
        if !self.flows.unread.is_empty() {
            return;
        }
        let starts = self.flows.flows.iter();
        let starts = starts.filter_map(|(name, flow)| Some((&**name, flow.step_named(&flow.start.name)?)));
        let reached = self.reach(starts.collect(), |ways| ways.all.clone());
        let lost: Vec<Node<'f>> = self.ways.keys().copied().filter(|node| !reached.contains(node)).collect();
        for (flow, step) in lost {
            if let Some((file, line)) = self.place(flow, step) {
                self.warn(&file, line, format!("nothing leads to step `{step}` of flow `{flow}`"));
            }
        }
    }

    fn place(&self, flow: &str, step: &str) -> Option<(String, u32)> {
        let line = self.flows.step(flow, step).map(|step: &std::sync::Arc<Step>| step.line)?;
        Some((self.flows.flows.get(flow)?.file.to_string(), line))
    }
}

impl Flow {
    /// The flow's own copy of a step's name.
    fn step_named(&self, step: &str) -> Option<&str> {
        self.steps.get_key_value(step).map(|(name, _)| &**name)
    }
}
