//! `usher explain` for people and the record for machines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Names, PolicyKind};
use base::{AgentKey, CallKey, QueueKey, TierKey};
use common::{TIERS, house, play};

struct Book;

impl Names for Book {
    fn agent(&self, key: AgentKey) -> Option<&str> {
        ["", "Ann", "Bo"].get(key.index()).copied()
    }
    fn queue(&self, key: QueueKey) -> Option<&str> {
        ["service"].get(key.index()).copied()
    }
    fn tier(&self, key: TierKey) -> Option<&str> {
        TIERS.get(key.index()).copied()
    }
}

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
    let told: Vec<String> =
        world.engine.explain(CallKey(31)).map(|decision| decision.told(&Book).to_string()).collect();
    assert_eq!(
        told,
        [
            "#1 at 6.000000s: call c20 (gold, service) rings at Ann after 1.0 s
    because the agent became free; calls by debt3, agents by fewest-other-skills, 1 free
    -> gold c20, waited 1.0 s: band floor, owed +0.75 of the floor, +0.95 of the target
       ordinary c1f, waited 6.0 s: band floor, owed +0.20 of the floor, +0.80 of the target",
            "#2 at 9.000000s: call c21 (gold, service) rings at Bo after 1.0 s
    because the agent became free; calls by debt3, agents by fewest-other-skills, 1 free
    -> gold c21, waited 1.0 s: band floor, owed +0.50 of the floor, +0.90 of the target
       ordinary c1f, waited 9.0 s: band floor, owed +0.20 of the floor, +0.80 of the target",
        ]
    );
}

#[test]
fn a_machine_reads_the_same() {
    let world = play(house(2), SCRIPT);
    let json = world.engine.decisions().next().unwrap().to_json();
    assert_eq!(
        json,
        concat!(
            r#"{"number":1,"at_s":6,"call":"c20","tier":"t1","queue":"q0","waited_s":1,"outcome":"presented","agent":"a1","#,
            r#""trigger":"agent-free","policy":"strict","choice":"fewest-other-skills","idle":1,"heads":["#,
            r#"{"call":"c20","tier":"t1","waited_s":1,"chosen":true,"rank":"plain"},"#,
            r#"{"call":"c1f","tier":"t3","waited_s":6,"chosen":false,"rank":"plain"}],"others":[]}"#
        )
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
