//! What goes through the spool: call records, and the notes that must not be lost either.

use call::callback::{Callback, CallbackChange};
use call::record::CallRecord;
use serde::{Deserialize, Serialize};

use crate::db::Store;
use crate::error::StoreError;
use crate::recordings::RecordingRow;
use crate::stored;

/// One thing on its way to the database.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A call is over.
    Call(Box<CallRecord>),
    /// Something else to be written down.
    Note(Box<Note>),
}

/// What is written down besides call records. A note may be written twice (after a crash): the second time
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// A customer was promised a call.
    Promise(Callback),
    /// What became of a promise.
    PromiseChange(CallbackChange),
    /// A message of a caller lies on the disk.
    Recording(RecordingRow),
}

impl From<CallRecord> for Item {
    fn from(record: CallRecord) -> Self {
        Item::Call(Box::new(record))
    }
}

impl From<Note> for Item {
    fn from(note: Note) -> Self {
        Item::Note(Box::new(note))
    }
}

impl Item {
    /// Appends the item as one line of JSON, without the line's end. A call record begins with its key, a note with
    /// its kind.
    pub(crate) fn to_json(&self, out: &mut Vec<u8>) {
        match self {
            Item::Call(record) => stored::to_json(record, out),
            // Plain data into memory: there is nothing that can fail, and a cut line would fail its checksum.
            Item::Note(note) => {
                let _ = serde_json::to_writer(out, note);
            }
        }
    }

    /// The item of one line, `None` if it is not one.
    pub(crate) fn from_json(line: &[u8]) -> Option<Item> {
        if line.starts_with(b"{\"key\"") {
            return stored::from_json(line).map(Item::from);
        }
        serde_json::from_slice::<Note>(line).ok().map(Item::from)
    }
}

/// Items as they are written: records in one transaction, notes one by one in their order.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) calls: Vec<CallRecord>,
    pub(crate) notes: Vec<Note>,
}

impl Items {
    pub(crate) fn push(&mut self, item: Item) {
        match item {
            Item::Call(record) => self.calls.push(*record),
            Item::Note(note) => self.notes.push(*note),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len() + self.notes.len()
    }

    /// Each alone.
    pub(crate) fn into_each(self) -> impl Iterator<Item = Item> {
        self.calls.into_iter().map(Item::from).chain(self.notes.into_iter().map(Item::from))
    }
}

impl Store {
    /// Writes what is not written yet; returns how many were new.
    pub(crate) async fn put_items(&self, items: &Items) -> Result<u64, StoreError> {
        let mut new = if items.calls.is_empty() { 0 } else { self.put_calls(&items.calls).await? };
        for note in &items.notes {
            new += u64::from(match note {
                Note::Promise(callback) => self.put_callback(callback).await?,
                Note::PromiseChange(change) => self.change_callback(change).await?,
                Note::Recording(row) => self.put_recording(row).await?,
            });
        }
        Ok(new)
    }
}
