//! Flows that have the same port at different addresses, and places that come and go.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::offload::directory::CHAIN_MAX;
use crate::offload::places::{self, REST};

/// Bridges whose legs all have ports 20000 and 20002, each at addresses of its own. The rig is turned to one of them.
struct Street {
    rig: Rig,
    pairs: Vec<Pair>,
    sequence: u16,
}

/// Our addresses of bridge `n`, and its peers'. Of three that follow each other, one is IPv6.
fn house(n: usize) -> ([SocketAddr; 2], [SocketAddr; 2]) {
    let addresses = if n % 3 == 2 {
        [
            format!("[2001:db8::{n}]:20000"),
            format!("[fd00::{n}]:20002"),
            format!("[2001:db8:a::{n}]:4000"),
            format!("[2001:db8:b::{n}]:5000"),
        ]
    } else {
        [
            format!("203.0.113.{n}:20000"),
            format!("10.0.0.{n}:20002"),
            format!("192.0.2.{n}:4000"),
            format!("198.51.100.{n}:5000"),
        ]
    };
    let [a, b, c, d] = addresses.map(|text| address(&text));
    ([a, b], [c, d])
}

impl Street {
    fn new(bridges: usize, calls_max: u32, workers: usize) -> Option<Street> {
        let epoch = OsInstant::now() - std::time::Duration::from_secs(100);
        let offload = load(calls_max, workers, epoch)?;
        let table = offload.table(0).unwrap();
        let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
        let local = address("203.0.113.1:20000").ip();
        let mut slot = |n: usize| {
            let leg = LegKey(n as u64);
            relay.handle(Instant::ZERO, Command::AddLeg { leg, port: 20_000, local });
            relay.slot(leg).unwrap()
        };
        let pairs: Vec<Pair> = (0..bridges).map(|n| [slot(2 * n), slot(2 * n + 1)]).collect();
        let (ours, peers) = house(0);
        let rig = Rig { offload, table, pair: pairs[0], ours, peers, epoch };
        Some(Street { rig, pairs, sequence: 1000 })
    }

    fn turn_to(&mut self, n: usize) -> &mut Rig {
        self.rig.pair = self.pairs[n];
        (self.rig.ours, self.rig.peers) = house(n);
        &mut self.rig
    }

    fn begin(&mut self, n: usize) -> bool {
        self.turn_to(n).begin()
    }

    fn end(&mut self, n: usize) {
        let rig = self.turn_to(n);
        rig.table.end(rig.now(), rig.pair);
    }

    /// Whether voice of bridge `n` is carried, both ways, and to nobody else.
    fn carries(&mut self, n: usize) -> bool {
        self.sequence += 1;
        let sequence = self.sequence;
        let rig = self.turn_to(n);
        let shown = rig.frame(0, sequence).bytes();
        rig.run(&shown);
        let [back, there] = [1, 0].map(|side| {
            let frame = rig.frame(side, sequence + 1);
            let (decided, out) = rig.run(&frame.bytes());
            assert!(decided == PASS || (decided, out) == (TX, rig.expected(side, &frame).bytes()), "{n}");
            decided
        });
        self.sequence += 1;
        assert_eq!(back, there, "{n}");
        there == TX
    }

    fn carried(&mut self, of: std::ops::Range<usize>) -> Vec<usize> {
        of.filter(|&n| self.carries(n)).collect()
    }
}

#[test]
fn one_port_at_several_addresses_is_several_legs() {
    let Some(mut street) = Street::new(6, 6, 1) else { return };
    assert_eq!(street.carried(0..6), []);
    for n in 0..6 {
        assert!(street.begin(n));
        assert_eq!(street.carried(0..6), (0..=n).collect::<Vec<_>>());
    }
    // The other address of an IPv6 flow is zero, and so may a packet's be.
    street.turn_to(2);
    let zero: [SocketAddr; 2] = [address("0.0.0.0:20000"), address("0.0.0.0:4000")];
    (street.rig.ours[0], street.rig.peers[0]) = (zero[0], zero[1]);
    let frame = street.rig.frame(0, 2000).bytes();
    street.rig.passes("from nobody to nobody", &frame);
}

/// The newest is the first of a chain.
#[test]
fn the_first_the_middle_and_the_last_of_a_chain_go_alone() {
    let Some(mut street) = Street::new(4, 4, 1) else { return };
    for gone in 0..4 {
        assert!((0..4).all(|n| street.begin(n)));
        assert_eq!(street.carried(0..4), [0, 1, 2, 3]);
        street.end(gone);
        let left: Vec<usize> = (0..4).filter(|&n| n != gone).collect();
        assert_eq!(street.carried(0..4), left);
        assert!(street.begin(gone));
        assert_eq!(street.carried(0..4), [0, 1, 2, 3]);
        (0..4).for_each(|n| street.end(n));
        assert_eq!(street.carried(0..4), []);
    }
}

#[test]
fn threads_share_chains() {
    let Some(mut street) = Street::new(4, 4, 2) else { return };
    let mut other = street.rig.offload.table(1).unwrap();
    assert!(street.begin(0) && street.begin(1));
    std::mem::swap(&mut street.rig.table, &mut other);
    assert!(street.begin(2) && street.begin(3));
    assert_eq!(street.carried(0..4), [0, 1, 2, 3]);
    std::mem::swap(&mut street.rig.table, &mut other);
    // Two and three were put before one, by another thread.
    street.end(1);
    assert_eq!(street.carried(0..4), [0, 2, 3]);
    let now = street.rig.now();
    other.clear(now);
    assert_eq!(street.carried(0..4), [0]);
    street.end(0);
    assert_eq!(street.carried(0..4), []);
}

#[test]
fn a_chain_has_an_end() {
    let Some(mut street) = Street::new(CHAIN_MAX + 2, 100, 1) else { return };
    assert!((0..CHAIN_MAX).all(|n| street.begin(n)));
    assert!(!street.begin(CHAIN_MAX));
    assert_eq!(street.rig.table.len(), CHAIN_MAX as u64);
    assert_eq!(street.carried(0..CHAIN_MAX + 1), (0..CHAIN_MAX).collect::<Vec<_>>(), "all are found");
    // Where only the second leg has no room, the first is not left behind: for a bridge of its port that has.
    let rig = street.turn_to(CHAIN_MAX);
    rig.ours[0].set_port(30_000);
    assert!(!rig.begin());
    assert_eq!((rig.table.len(), rig.offload.directory().chain(30_000)), (CHAIN_MAX as u64, vec![]));
    street.end(3);
    assert!(street.begin(CHAIN_MAX));
    assert!(street.carries(CHAIN_MAX) && !street.carries(3));
}

#[test]
fn places_rest_before_another_bridge_has_them() {
    let Some(mut street) = Street::new(1, 2, 1) else { return };
    let now = street.rig.now();
    for _ in 0..places::needed(2) {
        assert!(street.rig.begin_at(now));
        street.rig.table.end(now, street.pairs[0]);
    }
    assert!(!street.rig.begin_at(now), "all rest");
    assert_eq!(street.rig.table.len(), 0);
    assert!(!street.rig.begin_at(now + (REST - std::time::Duration::from_nanos(1))));
    assert!(street.rig.begin_at(now + REST));
    assert!(street.carries(0));
}

/// Who stands on a flow that is withdrawn, or on one that was before, still comes to the end of the chain.
#[test]
fn a_withdrawn_flow_leads_on() {
    let Some(mut street) = Street::new(4, 4, 1) else { return };
    assert!((0..4).all(|n| street.begin(n)));
    let chain = |street: &Street| street.rig.offload.directory().chain(20_000);
    let newest = chain(&street);
    let [d, c, b, a] = newest[..] else { panic!("{newest:?}") };
    let link = |street: &Street, place| street.rig.offload.directory().link(place);
    for (gone, left) in [(2, vec![d, b, a]), (1, vec![d, a]), (3, vec![a]), (0, vec![])] {
        street.end(gone);
        assert_eq!(chain(&street), left);
    }
    // Each where it led to when it went.
    assert_eq!([d, c, b, a].map(|place| link(&street, place)), [Some(a), Some(b), Some(a), None]);
    assert!(street.begin(1));
    assert!(![a, b, c, d].contains(&chain(&street)[0]), "they rest");
}

/// The program is never led astray by who comes and goes in the chain meanwhile: it finds the last one every time.
#[test]
fn the_program_finds_its_flow_while_others_come_and_go() {
    const CHANGES: usize = 30_000;
    const RUNS: u32 = 10_000;
    // As many places as bridges that come, so none is used twice.
    let Some(mut street) = Street::new(4, 2 * CHANGES as u32, 2) else { return };
    let mut table = street.rig.offload.table(1).unwrap();
    assert!(street.begin(0) && street.carries(0));
    let before = street.rig.table.count(street.pairs[0])[0];
    let again = street.rig.frame(0, street.sequence).bytes();
    let now = street.rig.now();
    let others = [1, 2, 3].map(|n| {
        street.turn_to(n);
        (street.pairs[n], street.rig.flows(), street.rig.ours.map(Some))
    });
    let is_over = AtomicBool::new(false);
    let program = street.rig.offload.program();
    let runs = std::thread::scope(|scope| {
        let runner = scope.spawn(|| {
            let mut runs = 0;
            while !is_over.load(Ordering::Relaxed) {
                let options = TestRunOptions { data_in: Some(&again), repeat: RUNS, ..TestRunOptions::new() };
                let result = program.test_run(options);
                assert_eq!(result.unwrap().return_value, DROP);
                runs += u64::from(RUNS);
            }
            runs
        });
        for _ in 0..CHANGES / others.len() {
            for (pair, flows, locals) in &others {
                assert!(table.begin(now, *pair, flows, *locals));
            }
            for n in [1, 0, 2] {
                table.end(now, others[n].0);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        runner.join().unwrap()
    });
    assert!(runs > 0);
    let after = street.rig.table.count(street.pairs[0])[0];
    assert_eq!(after.duplicates - before.duplicates, runs, "each run came upon it");
}
