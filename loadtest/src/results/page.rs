//! A page of results: Markdown, with its charts beside it.

use std::fmt::{Display, Write};
use std::io;
use std::path::{Path, PathBuf};

use super::chart::Chart;
use super::machine::Machine;

/// A page that is being put together.
#[derive(Clone, Debug)]
pub struct Page {
    name: String,
    text: String,
    charts: Vec<(String, String)>,
}

impl Page {
    /// A page called `title`, to be saved as `name.md`. Says by which command it came about, and on
    /// which machine.
    pub fn new(name: &str, title: &str, command: &str) -> Page {
        let text = format!("# {title}\n\n```sh\n{command}\n```\n\nMachine: {}.\n", Machine::this());
        Page { name: name.to_owned(), text, charts: Vec::new() }
    }

    /// Adds a heading.
    pub fn heading(&mut self, heading: &str) {
        self.add(format_args!("\n## {heading}\n"));
    }

    /// Adds a paragraph, a list or a [`super::Table`].
    pub fn block(&mut self, block: impl Display) {
        self.add(format_args!("\n{}\n", block.to_string().trim_end()));
    }

    /// Adds a chart, kept in `NAME-suffix.svg`.
    pub fn chart(&mut self, suffix: &str, chart: &Chart) {
        let file = format!("{}-{suffix}.svg", self.name);
        self.add(format_args!("\n![{}]({file})\n", chart.title));
        self.charts.push((file, chart.to_string()));
    }

    /// The Markdown so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes the page and its charts into `folder`; where the page is.
    pub fn save(&self, folder: &Path) -> io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        for (file, svg) in &self.charts {
            std::fs::write(folder.join(file), svg)?;
        }
        let path = folder.join(format!("{}.md", self.name));
        std::fs::write(&path, &self.text)?;
        Ok(path)
    }

    fn add(&mut self, part: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(part);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Group, Scale, Series, Spread};
    use super::*;

    #[test]
    fn a_page_is_saved_with_its_charts() {
        let mut page = Page::new("compare-nothing", "Nothing compared", "make compare-nothing");
        page.heading("One");
        page.block("Two.");
        let series = vec![Series::here("null")];
        let groups = vec![Group::new("200 calls", [Some(Spread::exactly(1.0))])];
        page.chart(
            "cpu",
            &Chart {
                title: "Cost".into(),
                unit: "µs".into(),
                series,
                groups,
                limit: None,
                scale: Scale::Linear,
            },
        );
        let folder = std::env::temp_dir().join(format!("usher-load-page-{}", std::process::id()));
        let path = page.save(&folder).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.starts_with("# Nothing compared\n\n```sh\nmake compare-nothing\n```\n\nMachine: "));
        assert!(text.ends_with("\n## One\n\nTwo.\n\n![Cost](compare-nothing-cpu.svg)\n"), "{text}");
        let svg = std::fs::read_to_string(folder.join("compare-nothing-cpu.svg")).unwrap();
        assert!(svg.starts_with("<svg"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
