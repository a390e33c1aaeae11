//! The customer directory in memory: who calls is known at once, whatever the database does, and a flood of
//! calls can be sorted by value before anything is spent on them.
//!
//! ```text
//! database ── revision grew? (each second) ──▶ read page by page ──▶ Rows ◀── find ── signalling thread
//! ```
//!
//! A change is seen within about a second. A directory that is larger than the limit is kept in part, the most
//! valuable tiers first; for the rest [`Directory::find`] says that the database must be asked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use base::Pii;
use call::directory::Customer;

use crate::db::Store;
use crate::error::StoreError;

/// How often the revision is asked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Customers read at a time.
const PAGE: u32 = 1000;
/// A directory that changes all the time may take this share of the database's time to read.
const SHARE_OF_TIME: u32 = 10;

/// What is known about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A customer.
    Customer(Customer),
    /// No customer has it.
    Nobody,
    /// Not known here: the database must be asked.
    Ask,
}

/// One customer. Words that many customers share are kept once.
#[derive(Debug)]
struct Row {
    name: Box<str>,
    tier: Arc<str>,
    language: Arc<str>,
    senior: bool,
    managers: [Option<Arc<str>>; 2],
}

#[derive(Debug, Default)]
struct Rows {
    by_number: HashMap<Box<str>, Row>,
    /// Whether every customer is here.
    whole: bool,
}

/// The directory as last read. Cheap to clone; clones are the same directory.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<ArcSwap<Rows>>);

impl Directory {
    /// Who has this number (canonical)?
    pub fn find(&self, number: &str) -> Found {
        let rows = self.0.load();
        match rows.by_number.get(number) {
            Some(row) => Found::Customer(row.customer(number)),
            None if rows.whole => Found::Nobody,
            None => Found::Ask,
        }
    }

    /// Looks at the tier of the customer with this number, if he is known here.
    pub fn tier<T>(&self, number: &str, look: impl FnOnce(&str) -> T) -> Option<T> {
        self.0.load().by_number.get(number).map(|row| look(&row.tier))
    }

    /// How many customers are here, and whether they are all there are.
    pub fn size(&self) -> (usize, bool) {
        let rows = self.0.load();
        (rows.by_number.len(), rows.whole)
    }

    /// Follows the database for ever. At most `customers_max` are kept, those of the first of `tiers` first.
    pub async fn follow(self, store: Store, customers_max: usize, tiers: Vec<String>) {
        let (mut seen, mut pause, mut failing) = (None, LOOK_EVERY, false);
        loop {
            let begun = Instant::now();
            match self.catch_up(&store, seen, customers_max, &tiers).await {
                Ok(revision) => {
                    if seen != Some(revision) {
                        let (customers, whole) = self.size();
                        tracing::info!(customers, whole, "the customer directory is in memory");
                        pause = LOOK_EVERY.max(begun.elapsed().saturating_mul(SHARE_OF_TIME));
                    }
                    (seen, failing) = (Some(revision), false);
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "the customer directory cannot be read; what is in memory stays");
                    }
                    failing = true;
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads the directory again if its revision is not `seen`. Returns the revision that is here now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what was here stays.
    pub async fn catch_up(
        &self,
        store: &Store,
        seen: Option<i64>,
        customers_max: usize,
        tiers: &[String],
    ) -> Result<i64, StoreError> {
        // Before the rows: what changes while they are read is seen as a later revision.
        let revision = store.directory_revision().await?;
        if seen != Some(revision) {
            self.0.store(Arc::new(read(store, customers_max, tiers).await?));
        }
        Ok(revision)
    }
}

async fn read(store: &Store, customers_max: usize, tiers: &[String]) -> Result<Rows, StoreError> {
    let count = usize::try_from(store.customers_count().await?).unwrap_or(usize::MAX);
    let mut reading = Reading { rows: Rows::default(), words: HashSet::new(), customers_max };
    if count <= customers_max {
        reading.rows.by_number.reserve(count);
        reading.rows.whole = reading.pages(store, None).await?;
    } else {
        for tier in tiers {
            if !reading.pages(store, Some(tier)).await? {
                break;
            }
        }
    }
    Ok(reading.rows)
}

/// A directory that is being read.
struct Reading {
    rows: Rows,
    words: HashSet<Arc<str>>,
    customers_max: usize,
}

impl Reading {
    /// Reads all customers, or those of one tier. `false`: the limit was reached.
    async fn pages(&mut self, store: &Store, tier: Option<&str>) -> Result<bool, StoreError> {
        let mut after: Option<String> = None;
        loop {
            let page = store.customers_of(tier, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(true) };
            after = Some(last.number.reveal().clone());
            for customer in page {
                if self.rows.by_number.len() >= self.customers_max {
                    return Ok(false);
                }
                self.add(customer);
            }
        }
    }

    fn add(&mut self, customer: Customer) {
        let row = Row {
            name: customer.name.reveal().as_str().into(),
            tier: self.word(&customer.tier),
            language: self.word(&customer.language),
            senior: customer.senior,
            managers: [customer.manager_a, customer.manager_b]
                .map(|number| number.map(|number| self.word(&number))),
        };
        self.rows.by_number.insert(customer.number.reveal().as_str().into(), row);
    }

    fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return Arc::clone(known);
        }
        let new: Arc<str> = word.into();
        self.words.insert(Arc::clone(&new));
        new
    }
}

impl Row {
    fn customer(&self, number: &str) -> Customer {
        let [manager_a, manager_b] =
            [0, 1].map(|index: usize| self.managers.get(index)?.as_deref().map(str::to_owned));
        Customer {
            number: Pii::new(number.to_owned()),
            name: Pii::new(self.name.to_string()),
            tier: self.tier.to_string(),
            language: self.language.to_string(),
            senior: self.senior,
            manager_a,
            manager_b,
        }
    }
}
