//! Floor 0: what people write. Reads TOML tables key by key and collects *every* mistake with its line,
//! instead of stopping at the first; names the nearest known word beside an unknown one.
//!
//! Flows, the configuration and simulated scenarios are read with the same [`Section`].

mod findings;
mod nearest;
mod section;
mod value;

pub use findings::{Findings, Source};
pub use nearest::nearest;
pub use section::{Section, parse, parse_with_broken, part_around};
pub use value::{FromToml, Parsed};
