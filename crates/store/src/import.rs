//! `customers import`: a CSV file becomes the directory, or every mistake in it is named.

use core::fmt;
use std::collections::BTreeMap;
use std::io::Read;

use base::{Finding, Pii};
use call::directory::Customer;
use csv::{ByteRecord, ReaderBuilder};

use crate::db::Store;
use crate::error::StoreError;

/// The columns, in any order; the managers' may be missing.
const COLUMNS: [&str; 7] = ["number", "name", "tier", "language", "senior", "manager_a", "manager_b"];
/// Columns that must be there.
const REQUIRED: usize = 5;
/// Most characters of a name.
const NAME_CHARS_MAX: usize = 200;
/// Mistakes that are described; more are only counted.
const FINDINGS_MAX: usize = 200;
/// Most rows of one file.
const ROWS_MAX: usize = 5_000_000;
/// Longest row, in bytes.
const ROW_BYTES_MAX: usize = 64 << 10;

/// What a row is held against.
pub struct ImportRules<'a> {
    /// The file, as the person named it: the findings begin with it.
    pub file: &'a str,
    /// Names of the configured tiers.
    pub tiers: &'a [String],
    /// Languages of the configured voices.
    pub languages: &'a [String],
    /// Numbers of the configured agents.
    pub agents: &'a [String],
    /// Brings a number to the form that callers' numbers are looked up by, or refuses it.
    pub normalise: &'a dyn Fn(&str) -> Option<String>,
}

/// A file as read: what is good and what is not.
#[derive(Debug)]
pub struct Parsed {
    /// The good rows.
    pub customers: Vec<Customer>,
    /// What is wrong, by line and column; at most 200, the last may say how many more.
    pub findings: Vec<Finding>,
    /// How many rows are bad.
    pub bad_rows: usize,
    /// The file as a whole cannot be used (no header, not readable to its end): not even its good rows.
    pub unusable: bool,
}

/// What an import did.
#[derive(Debug)]
pub struct ImportReport {
    /// Customers added or replaced.
    pub imported: usize,
    /// Rows left out.
    pub skipped: usize,
    /// Why, by line and column.
    pub findings: Vec<Finding>,
}

/// Why nothing was imported.
#[derive(Debug)]
pub enum ImportError {
    /// Rows are bad and were not to be skipped, or the file as a whole is.
    Findings(Vec<Finding>),
    /// The database did not take the rows; it has none of them.
    Store(StoreError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Findings(findings) => write!(f, "{} mistakes in the file", findings.len()),
            ImportError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

/// Imports a CSV file with the header `number,name,tier,language,senior,manager_a,manager_b`. If a row is
/// bad nothing is imported, unless `skip_bad`. Reads in the calling thread.
///
/// # Errors
/// [`ImportError`].
pub async fn import_csv(
    store: &Store,
    reader: impl Read,
    rules: &ImportRules<'_>,
    skip_bad: bool,
) -> Result<ImportReport, ImportError> {
    let parsed = parse_csv(reader, rules);
    if parsed.unusable || (parsed.bad_rows > 0 && !skip_bad) {
        return Err(ImportError::Findings(parsed.findings));
    }
    store.put_customers(&parsed.customers).await.map_err(ImportError::Store)?;
    Ok(ImportReport { imported: parsed.customers.len(), skipped: parsed.bad_rows, findings: parsed.findings })
}

/// Reads and checks a CSV file, see [`import_csv`].
pub fn parse_csv(reader: impl Read, rules: &ImportRules<'_>) -> Parsed {
    Importer {
        rules,
        customers: Vec::new(),
        findings: Vec::new(),
        unlisted: 0,
        bad_rows: 0,
        seen: BTreeMap::new(),
    }
    .run(reader)
}

struct Importer<'a> {
    rules: &'a ImportRules<'a>,
    customers: Vec<Customer>,
    findings: Vec<Finding>,
    unlisted: usize,
    bad_rows: usize,
    /// Number -> line, to name the first of two.
    seen: BTreeMap<String, u64>,
}

/// One row and where its columns are.
struct Row<'a> {
    line: u64,
    record: &'a ByteRecord,
    places: &'a [Option<usize>; COLUMNS.len()],
}

impl Importer<'_> {
    fn run(mut self, reader: impl Read) -> Parsed {
        let mut csv = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(reader);
        let mut record = ByteRecord::new();
        let unusable = match csv.read_byte_record(&mut record) {
            Ok(true) => match self.header(&record) {
                Some(places) => self.rows(&mut csv, &places),
                None => true,
            },
            Ok(false) => {
                self.find(1, format!("the file is empty; its first line must be {}", COLUMNS.join(",")));
                true
            }
            Err(error) => self.unreadable(&error),
        };
        if self.unlisted > 0 {
            let message = format!("and {} more mistakes", self.unlisted);
            self.findings.push(Finding::new(self.rules.file, message));
        }
        Parsed { customers: self.customers, findings: self.findings, bad_rows: self.bad_rows, unusable }
    }

    /// Where each column stands.
    fn header(&mut self, header: &ByteRecord) -> Option<[Option<usize>; COLUMNS.len()]> {
        let before = self.findings.len();
        let mut places = [None; COLUMNS.len()];
        for (at, field) in header.iter().enumerate() {
            // Spreadsheets begin a file with a byte order mark.
            let name = field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field).trim_ascii();
            let known = COLUMNS.iter().zip(&mut places).find(|(column, _)| column.as_bytes() == name);
            match known {
                Some((_, place @ None)) => *place = Some(at),
                Some((column, Some(_))) => self.find(1, format!("column {column} stands twice")),
                None => {
                    let known = COLUMNS.join(", ");
                    self.find(1, format!("column {} has an unknown name; there are {known}", at + 1));
                }
            }
        }
        for (column, place) in COLUMNS.iter().zip(&places).take(REQUIRED) {
            if place.is_none() {
                self.find(1, format!("column {column} is missing"));
            }
        }
        (self.findings.len() == before).then_some(places)
    }

    /// Reads every row; whether the file turned out to be unusable.
    fn rows(&mut self, csv: &mut csv::Reader<impl Read>, places: &[Option<usize>; COLUMNS.len()]) -> bool {
        let columns = places.iter().flatten().count();
        let mut record = ByteRecord::new();
        for _ in 0..ROWS_MAX {
            match csv.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => return self.unreadable(&error),
            }
            let line = record.position().map_or(0, csv::Position::line);
            if record.as_slice().len() > ROW_BYTES_MAX {
                self.find(line, format!("the row is longer than {ROW_BYTES_MAX} bytes; is a quote open?"));
                self.bad_rows += 1;
            } else if record.len() != columns {
                self.find(line, format!("the row has {} columns, the header {columns}", record.len()));
                self.bad_rows += 1;
            } else {
                match self.customer(&Row { line, record: &record, places }) {
                    Some(customer) => self.customers.push(customer),
                    None => self.bad_rows += 1,
                }
            }
        }
        self.find(0, format!("the file has more than {ROWS_MAX} rows"));
        true
    }

    fn customer(&mut self, row: &Row<'_>) -> Option<Customer> {
        let number = self.number(row);
        let name = self.name(row);
        let tier = self.one_of(row, 2, self.rules.tiers, "tier");
        let language = self.one_of(row, 3, self.rules.languages, "language");
        let senior = self.senior(row);
        let manager_a = self.manager(row, 5);
        let manager_b = self.manager(row, 6);
        if let (Some(Some(a)), Some(Some(b))) = (&manager_a, &manager_b)
            && a == b
        {
            self.find_in(row, 6, "is the same as manager_a; a stand-in is another agent");
            return None;
        }
        Some(Customer {
            number: Pii::new(number?),
            name: Pii::new(name?),
            tier: tier?,
            language: language?,
            senior: senior?,
            manager_a: manager_a?,
            manager_b: manager_b?,
        })
    }

    /// The field of column `column`, without blanks around it; empty if the column is not there.
    fn text(&mut self, row: &Row<'_>, column: usize) -> Option<String> {
        let place = row.places.get(column).copied().flatten();
        let field = place.and_then(|place| row.record.get(place)).unwrap_or_default().trim_ascii();
        if let Ok(text) = core::str::from_utf8(field) {
            Some(text.to_owned())
        } else {
            self.find_in(row, column, "is not UTF-8");
            None
        }
    }

    fn number(&mut self, row: &Row<'_>) -> Option<String> {
        let text = self.text(row, 0)?;
        let Some(number) = (self.rules.normalise)(&text).filter(|number| !number.is_empty()) else {
            self.find_in(row, 0, "is not a telephone number");
            return None;
        };
        if let Some(&first) = self.seen.get(&number) {
            self.find_in(row, 0, &format!("is the same number as in line {first}"));
            return None;
        }
        self.seen.insert(number.clone(), row.line);
        Some(number)
    }

    fn name(&mut self, row: &Row<'_>) -> Option<String> {
        let name = self.text(row, 1)?;
        if name.chars().any(char::is_control) {
            self.find_in(row, 1, "has a control character in it");
            return None;
        }
        if name.chars().count() > NAME_CHARS_MAX {
            self.find_in(row, 1, &format!("is longer than {NAME_CHARS_MAX} characters"));
            return None;
        }
        Some(name)
    }

    fn one_of(&mut self, row: &Row<'_>, column: usize, known: &[String], what: &str) -> Option<String> {
        let text = self.text(row, column)?;
        if known.contains(&text) {
            return Some(text);
        }
        self.find_in(row, column, &format!("names no {what}; there are {}", known.join(", ")));
        None
    }

    fn senior(&mut self, row: &Row<'_>) -> Option<bool> {
        match self.text(row, 4)?.to_ascii_lowercase().as_str() {
            "yes" | "true" | "1" => Some(true),
            "no" | "false" | "0" | "" => Some(false),
            _ => {
                self.find_in(row, 4, "must be yes or no");
                None
            }
        }
    }

    fn manager(&mut self, row: &Row<'_>, column: usize) -> Option<Option<String>> {
        let number = self.text(row, column)?;
        if number.is_empty() {
            return Some(None);
        }
        if self.rules.agents.contains(&number) {
            return Some(Some(number));
        }
        self.find_in(row, column, "is no agent's number");
        None
    }

    fn unreadable(&mut self, error: &csv::Error) -> bool {
        let line = error.position().map_or(0, csv::Position::line);
        self.find(line, format!("the file cannot be read further: {error}"));
        true
    }

    /// The value is not printed: it is about a person.
    fn find_in(&mut self, row: &Row<'_>, column: usize, message: &str) {
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        self.find(row.line, format!("column {name}: {message}"));
    }

    fn find(&mut self, line: u64, message: String) {
        if self.findings.len() >= FINDINGS_MAX {
            self.unlisted += 1;
            return;
        }
        let line = u32::try_from(line).ok().filter(|&line| line > 0);
        self.findings.push(Finding { file: self.rules.file.to_owned(), line, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "number,name,tier,language,senior,manager_a,manager_b\n";

    fn parse(csv: &[u8]) -> Parsed {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
        let digits = |number: &str| {
            let good = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            good.then(|| number.trim_start_matches("86").to_owned())
        };
        let rules = ImportRules {
            file: "customers.csv",
            tiers: &words(&["diamond", "gold", "ordinary"]),
            languages: &words(&["zh", "en"]),
            agents: &words(&["1001", "1002"]),
            normalise: &digits,
        };
        parse_csv(csv, &rules)
    }

    fn findings(csv: &[u8]) -> Vec<String> {
        parse(csv).findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_rows_in_any_order_of_columns() {
        let parsed = parse(
            b"\xef\xbb\xbftier,number,name,senior,language\r\ngold,8613800000001,\"Li, Wei\",yes,zh\r\n\
              ordinary,13800000002,\xe7\x8e\x8b,,en\r\n",
        );
        assert_eq!(parsed.findings, []);
        let [li, wang] = parsed.customers.as_slice() else { panic!("two rows") };
        assert_eq!((li.number.reveal().as_str(), li.name.reveal().as_str()), ("13800000001", "Li, Wei"));
        assert_eq!((li.senior, li.manager_a.as_deref()), (true, None));
        assert_eq!((wang.name.reveal().as_str(), wang.senior), ("王", false));
    }

    #[test]
    fn every_mistake_is_named_by_line_and_column() {
        let csv = format!(
            "{HEADER}13800000001,A,gold,zh,no,1001,1002\n\
             oops,B,platinum,fr,perhaps,9999,\n\
             13800000001,C,gold,zh,no,1001,1001\n\
             13800000003,D,gold,zh\n"
        );
        let parsed = parse(csv.as_bytes());
        assert_eq!((parsed.customers.len(), parsed.bad_rows, parsed.unusable), (1, 3, false));
        assert_eq!(
            findings(csv.as_bytes()),
            [
                "customers.csv:3: column number: is not a telephone number",
                "customers.csv:3: column tier: names no tier; there are diamond, gold, ordinary",
                "customers.csv:3: column language: names no language; there are zh, en",
                "customers.csv:3: column senior: must be yes or no",
                "customers.csv:3: column manager_a: is no agent's number",
                "customers.csv:4: column number: is the same number as in line 2",
                "customers.csv:4: column manager_b: is the same as manager_a; a stand-in is another agent",
                "customers.csv:5: the row has 4 columns, the header 7",
            ]
        );
    }

    #[test]
    fn a_file_that_is_none_is_not_imported_in_part() {
        assert_eq!(
            findings(b""),
            ["customers.csv:1: the file is empty; its first line must be \
              number,name,tier,language,senior,manager_a,manager_b"]
        );
        assert!(parse(b"13800000001,A,gold,zh,no,,\n").unusable);
        assert!(parse(b"number,number,name\n").unusable);
        let latin = [HEADER.as_bytes(), b"13800000001,M\xfcller,gold,zh,no,,\n"].concat();
        assert_eq!(findings(&latin), ["customers.csv:2: column name: is not UTF-8"]);
    }

    #[test]
    fn many_mistakes_are_counted_not_listed() {
        let csv = format!("{HEADER}{}", "x,A,gold,zh,no,,\n".repeat(1000));
        let parsed = parse(csv.as_bytes());
        assert_eq!((parsed.bad_rows, parsed.findings.len()), (1000, FINDINGS_MAX + 1));
        assert_eq!(parsed.findings[FINDINGS_MAX].message, "and 800 more mistakes");
    }
}
