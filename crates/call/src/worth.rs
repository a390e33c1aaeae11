//! What a call is worth before anything is spent on it: asked only when not all can be begun in time.

use base::TierKey;
use sip::Flow;
use sip::glimpse::{Glimpse, Parties};

use crate::backlog::Worth;
use crate::core::Core;
use crate::numbers::Destination;
use crate::switch::Switch;

impl Switch {
    /// How much it matters that `message`, which came by `flow`, is served now. `tier` is what the directory
    /// says about a canonical number. A claim that costs nothing to make is not believed: who is no registered
    /// phone and no trunk is a stranger here, whatever he dials.
    pub fn worth(&self, flow: &Flow, message: &[u8], tier: impl FnOnce(&str) -> Option<TierKey>) -> Worth {
        let core = &self.core;
        if core.sip.is_phone(flow.remote) {
            return match Glimpse::of(message) {
                Glimpse::Call if is_for_help(core, message) => Worth::Emergency,
                _ => Worth::Agent,
            };
        }
        if Glimpse::of(message) == Glimpse::Registration {
            return Worth::Agent;
        }
        let Some(trunk) = core.sip.trunk_from(flow.remote.ip()) else { return Worth::Stranger };
        let parties = Parties::of(message);
        let trusted = core.settings.sip.trunks.iter().any(|t| t.key == trunk && t.trusted_identity);
        let shown = parties.asserted.filter(|_| trusted).unwrap_or(parties.from);
        let number = core.settings.trunk(trunk).and_then(|trunk| trunk.inbound.apply(&shown));
        number.and_then(|number| tier(&number)).map_or(Worth::Stranger, Worth::Customer)
    }

    /// The key of the tier with this name.
    pub fn tier_named(&self, name: &str) -> Option<TierKey> {
        self.core.settings.tier_by_name(name)
    }
}

fn is_for_help(core: &Core, message: &[u8]) -> bool {
    matches!(core.plan.from_agent(&Parties::of(message).to), Destination::Emergency(_))
}
