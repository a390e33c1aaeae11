//! Who calls: the customer directory's row as the switch needs it.

use base::Pii;
use serde::{Deserialize, Serialize};

/// One customer. Names, not keys: tiers and agents may be renumbered by a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Number as normalised by the trunk's rules, the directory's key.
    pub number: Pii<String>,
    /// Name for the agent's screen.
    pub name: Pii<String>,
    /// Name of the tier.
    pub tier: String,
    /// `zh`, `en`, …: which voice speaks to him.
    pub language: String,
    /// 65 or over: to a person without a menu.
    pub senior: bool,
    /// Agent number of account manager A.
    pub manager_a: Option<String>,
    /// Agent number of the stand-in B.
    pub manager_b: Option<String>,
}

/// The answer to a one-key survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyAnswer {
    /// The key pressed, 0-9.
    pub score: u8,
}
