//! Results for people: a page of Markdown with tables, and charts as SVG beside it.
//!
//! A comparison collects [`Spread`]s (median and extremes of several rounds), puts them into a [`Table`]
//! and a [`Chart`], and saves a [`Page`] that says on which machine and by which command they came about.

mod chart;
mod machine;
mod page;
mod spread;
mod table;

pub use chart::{Chart, Group, Scale, Series};
pub use machine::Machine;
pub use page::Page;
pub use spread::Spread;
pub use table::Table;
