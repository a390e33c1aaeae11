//! How a decision is told to people and written for machines.

use base::CallKey;

use crate::decision::Decision;

impl Decision {
    /// Whether the call was presented, kept waiting, offered something, or lost to another.
    pub fn concerns(&self, call: CallKey) -> bool {
        self.call == Some(call) || self.heads.iter().any(|head| head.call == call)
    }
}
