//! What is wrong in a configuration: where, and what would be right.

use core::fmt;

/// One mistake in a file that a person wrote. Checks collect *all* findings before anything starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as the person named it.
    pub file: String,
    /// Line, counted from 1, where known.
    pub line: Option<u32>,
    /// What is wrong and what would be right, one sentence.
    pub message: String,
}

impl Finding {
    /// A finding about a whole file or folder.
    pub fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { file: file.into(), line: None, message: message.into() }
    }

    /// A finding at a byte offset of `text`, the file's content.
    pub fn at(file: impl Into<String>, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.as_bytes().iter().take(offset);
        let newlines = before.filter(|&&byte| byte == b'\n').count();
        let line = u32::try_from(newlines + 1).ok();
        Finding { file: file.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_becomes_a_line() {
        let finding = Finding::at("agents.toml", "a\nb\nc", 4, "no such skill");
        assert_eq!(finding.to_string(), "agents.toml:3: no such skill");
    }
}
