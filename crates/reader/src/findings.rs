//! Where mistakes are collected, and the file they are found in.

use std::cell::RefCell;

use base::Finding;

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

    /// How many there are so far.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Forgets everything after the first `len`: what follows from an earlier mistake is no second one.
    pub fn truncate(&self, len: usize) {
        self.0.borrow_mut().truncate(len);
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

    /// The line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> u32 {
        let before = self.text.as_bytes().iter().take(offset);
        u32::try_from(before.filter(|&&byte| byte == b'\n').count() + 1).unwrap_or(u32::MAX)
    }
}
