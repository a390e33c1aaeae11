//! Who served whom last: a customer who calls again is asked for by the agent who knows his case.

use std::collections::{BTreeMap, VecDeque};

use base::{AgentKey, CustomerKey, Duration, Instant};

/// Customers remembered; the longest ago are forgotten first.
const CUSTOMERS_MAX: usize = 100_000;

/// The last agent of each customer.
#[derive(Debug, Default)]
pub(crate) struct Served {
    last: BTreeMap<CustomerKey, (AgentKey, Instant)>,
    order: VecDeque<(Instant, CustomerKey)>,
}

impl Served {
    /// The agent talked to the customer.
    pub(crate) fn note(&mut self, at: Instant, customer: CustomerKey, agent: AgentKey) {
        self.last.insert(customer, (agent, at));
        self.order.push_back((at, customer));
        while self.order.len() > CUSTOMERS_MAX {
            let Some((at, customer)) = self.order.pop_front() else { break };
            if self.last.get(&customer).is_some_and(|(_, last)| *last == at) {
                self.last.remove(&customer);
            }
        }
    }

    /// Who talked to the customer within `within`.
    pub(crate) fn last(&self, now: Instant, customer: CustomerKey, within: Duration) -> Option<AgentKey> {
        let (agent, at) = self.last.get(&customer)?;
        (!within.is_zero() && now.since(*at) <= within).then_some(*agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_agent_is_known_for_a_while() {
        let mut served = Served::default();
        let (customer, within) = (CustomerKey(7), Duration::from_secs(3_600));
        served.note(Instant::from_secs(10), customer, AgentKey(1));
        served.note(Instant::from_secs(20), customer, AgentKey(2));
        assert_eq!(served.last(Instant::from_secs(3_620), customer, within), Some(AgentKey(2)));
        assert_eq!(served.last(Instant::from_secs(3_621), customer, within), None);
        assert_eq!(served.last(Instant::from_secs(30), customer, Duration::ZERO), None);
        for n in 0..100_001 {
            served.note(Instant::from_secs(40), CustomerKey(1_000 + n), AgentKey(3));
        }
        assert_eq!(served.last(Instant::from_secs(41), customer, within), None, "forgotten for want of room");
        assert!(served.last.len() <= CUSTOMERS_MAX);
    }
}
