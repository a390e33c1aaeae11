//! Decisions are kept and told in words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Outcome, PolicyKind, WayOut};
use base::{AgentKey, CallKey, Duration};
use common::{TIERS, house, play};

const SCRIPT: &str = "0 call 31 ordinary
     5 call 32 gold
     6 ready 1
     -> present 32 to 1
     7 answers 1 32
     8 call 33 gold
     9 ready 2
     -> present 33 to 2";

#[test]
fn a_person_reads_who_won_and_why_the_others_lost() {
    let mut config = house(2);
    config.policy = PolicyKind::Debt3;
    let world = play(config, SCRIPT);
    let name = |agent: AgentKey| ["", "Ann", "Bo"].get(agent.index()).map(|&name| name.to_owned()).unwrap();
    let told: Vec<String> = world
        .engine
        .explain(CallKey(31))
        .map(|decision| {
            let mut told = format!("{} because {}", decision.outcome.told(name), decision.trigger.because());
            for head in &decision.heads {
                let mark = if head.chosen { "->" } else { "  " };
                told.push_str(&format!("\n{mark} {}: {}", TIERS[head.tier.index()], head.rank));
            }
            told
        })
        .collect();
    assert_eq!(
        told,
        [
            "presented to Ann because an agent became free
-> gold: band floor, owed +0.8 to floor, +0.9 to target
   ordinary: band floor, owed +0.2 to floor, +0.8 to target",
            "presented to Bo because an agent became free
-> gold: band floor, owed +0.5 to floor, +0.9 to target
   ordinary: band floor, owed +0.2 to floor, +0.8 to target",
        ]
    );
}

#[test]
fn a_person_reads_the_way_out_in_words() {
    let way = WayOut {
        callback: true,
        self_service: true,
        pressing: true,
        plainly: false,
        expected: Some(Duration::from_secs(95)),
    };
    assert_eq!(
        Outcome::WayOut(way).told(|_| String::new()),
        "offered a callback or self-service, pressingly: the line is full, expected wait 95 s"
    );
    let climbs = Outcome::Level { from: 1, to: 2, wait: Some(Duration::from_secs(70)) };
    assert_eq!(
        climbs.told(|_| String::new()),
        "overload of the queue climbs from level 1 to 2, about to wait 70 s"
    );
}

#[test]
fn the_memory_of_decisions_is_bounded() {
    let mut config = house(1);
    config.limits.decisions_max = 1;
    let world = play(
        config,
        "0 ready 1\n0 call 1 gold\n-> present 1 to 1\n1 declines 1 1 rejected\n11 -> present 1 to 1",
    );
    let numbers: Vec<u64> = world.engine.decisions().map(|decision| decision.number).collect();
    assert_eq!(numbers, [2]);
    assert_eq!(world.engine.explain(CallKey(1)).count(), 1);
}
