//! Queues that nobody is on duty for, as scripts: who waits there leaves by the rule, however he came to wait there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Overflow, OverflowTarget};
use base::QueueKey;
use common::{house, play, s};

fn leaving_when_nobody_is_there() -> acd::Config {
    let mut config = house(2);
    let target = OverflowTarget::Queue(QueueKey(1));
    config.queues[0].overflow = Overflow { no_agents: Some((s(30), target)), ..Overflow::default() };
    config.agents[1].queues = vec![QueueKey(1)];
    config
}

/// The only agent of the queue leaves: also who asks for a skill that he never had waits no longer than the rule says.
#[test]
fn the_last_agents_leaving_starts_the_clock_of_all_who_wait() {
    play(
        leaving_when_nobody_is_there(),
        "0 ready 1
         1 call 7 gold skill=3:5
         10 logout 1
         20 login 1
         21 ready 1
         25 logout 1
         55 -> overflow 7 to queue 1 no-agents",
    );
}

#[test]
fn whose_own_agent_leaves_an_unmanned_queue_leaves_it_too() {
    play(
        leaving_when_nobody_is_there(),
        "0 ready 2
         # Agent 2 is his own, though not of this queue.
         1 call 7 gold A=2
         -> present 7 to 2
         answers 2 7
         2 call 8 gold A=2
         # Off duty after this talk: nobody is left for the other.
         50 logout 2
         -> overflow 8 to queue 1 no-agents",
    );
}
