//! Panics, which only this crate's own tests can order.

use std::net::UdpSocket;
use std::sync::mpsc::channel;
use std::time::Duration;

use base::LegKey;
use media::{Command, Event};

use crate::net::IoChoice;
use crate::net::io::BACKENDS;
use crate::ring::Order;
use crate::{Pool, PoolConfig};

/// Runs `test` with each way to the kernel that there is here.
fn for_each_io(test: impl Fn(Rig)) {
    for choice in BACKENDS.iter().map(IoChoice::Only) {
        match choice.check() {
            Ok(()) => test(Rig::new(choice)),
            Err(error) => eprintln!("not tested: {error}"),
        }
    }
}

struct Rig {
    pool: Pool,
    bell: std::sync::mpsc::Receiver<()>,
}

impl Rig {
    fn new(io: IoChoice) -> Rig {
        let (ring, bell) = channel();
        let config = PoolConfig { io, ..PoolConfig::default() };
        let pool = Pool::start(&config, move || ring.send(()).unwrap_or_default()).unwrap();
        Rig { pool, bell }
    }

    fn add(&self, leg: u64, address: &str) {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let (leg, port, local) = (LegKey(leg), address.port(), address.ip());
        self.pool.send(0, Command::AddLeg { leg, port, local }).unwrap();
    }

    fn removed(&self) -> LegKey {
        loop {
            match self.pool.try_recv() {
                Some(Event::Removed { leg, .. }) => return leg,
                Some(_) => {}
                None => self.bell.recv_timeout(Duration::from_secs(10)).unwrap(),
            }
        }
    }
}

#[test]
fn a_panic_over_one_packet_ends_one_leg() {
    for_each_io(|rig| {
        rig.add(1, "127.0.11.1:20000");
        rig.add(2, "127.0.11.1:20002");
        rig.pool.order(Order::Panic(Some(LegKey(1))));
        let phone = UdpSocket::bind("127.0.11.1:0").unwrap();
        // The packet may come before the leg is there; then another one does it.
        phone.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let ended = loop {
            phone.send_to(&[0x80; 172], "127.0.11.1:20000").unwrap();
            if let Some(Event::Removed { leg, .. }) = rig.pool.try_recv() {
                break leg;
            }
            let _ = phone.recv(&mut [0; 1]);
        };
        assert_eq!(ended, LegKey(1));
        assert!(UdpSocket::bind("127.0.11.1:20000").is_ok(), "its port is free");
        assert!(UdpSocket::bind("127.0.11.1:20002").is_err(), "the other leg lives");
        rig.pool.send(0, Command::RemoveLeg { leg: LegKey(2) }).unwrap();
        assert_eq!(rig.removed(), LegKey(2));
        assert_eq!(rig.pool.total().panics, 1);
    });
}

#[test]
fn a_thread_that_cannot_be_mended_ends_all_legs_and_another_takes_its_place() {
    for_each_io(|rig| {
        for times in 1..=2 {
            rig.add(1, "127.0.11.3:20000");
            rig.add(2, "127.0.11.3:20002");
            rig.pool.order(Order::Break);
            assert_eq!((rig.removed(), rig.removed()), (LegKey(1), LegKey(2)));
            let total = rig.pool.total();
            assert_eq!((total.panics, total.legs, total.late), (2 * times, 0, 0));
        }
        rig.add(1, "127.0.11.3:20000");
        rig.pool.send(0, Command::RemoveLeg { leg: LegKey(1) }).unwrap();
        assert_eq!(rig.removed(), LegKey(1));
    });
}

#[test]
fn a_panic_of_nobody_in_particular_ends_all_legs_and_the_thread_goes_on() {
    for_each_io(|rig| {
        rig.add(1, "127.0.11.2:20000");
        rig.add(2, "127.0.11.2:20002");
        rig.pool.order(Order::Panic(None));
        assert_eq!((rig.removed(), rig.removed()), (LegKey(1), LegKey(2)));
        assert_eq!((rig.pool.total().panics, rig.pool.total().legs), (1, 0));
        rig.add(1, "127.0.11.2:20000");
        rig.pool.send(0, Command::RemoveLeg { leg: LegKey(1) }).unwrap();
        assert_eq!(rig.removed(), LegKey(1));
    });
}
