//! Places on a network: namespaces of the carrier, the switch and the agents, joined by veth pairs. A thread that
//! opens a socket or starts a program for an address of such a network is moved there for that moment.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where addresses are.
static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

struct Place {
    /// The first three of an address.
    octets: [u8; 3],
    /// The last one.
    last: std::ops::Range<u8>,
    namespace: String,
}

/// The switch's interface towards the carrier.
pub const CARRIER_SIDE: &str = "carrier0";
/// The switch's interface towards the agents.
pub const AGENTS_SIDE: &str = "agents0";

/// A carrier's network `.0/26`, an agents' network `.64/26`, and the switch, `.1` and `.65`, between the two.
pub struct Network {
    octets: [u8; 3],
    namespaces: [String; 3],
}

impl Network {
    /// Makes it; `None`, with the reason printed, where that is not allowed.
    pub fn new() -> Option<Network> {
        static NETWORKS: AtomicU8 = AtomicU8::new(0);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let name = |place: &str| format!("usher-{}-{number}-{place}", std::process::id());
        let namespaces = ["carrier", "switch", "agents"].map(name);
        for namespace in &namespaces {
            if let Err(why) = ip(&["netns", "add", namespace]) {
                eprintln!("skipped: no network namespaces here: {why}");
                return None;
            }
        }
        let network = Network { octets: [10, 99, number], namespaces };
        let [carrier, switch, agents] = &network.namespaces;
        network.join(carrier, "carrier0", CARRIER_SIDE, 1);
        network.join(agents, "agents0", AGENTS_SIDE, 65);
        for namespace in &network.namespaces {
            ip(&["-n", namespace, "link", "set", "lo", "up"]).unwrap();
        }
        let mut places = PLACES.lock().unwrap();
        for (last, namespace) in [(1..2, switch), (2..64, carrier), (65..66, switch), (66..128, agents)] {
            places.push(Place { octets: network.octets, last, namespace: namespace.clone() });
        }
        drop(places);
        Some(network)
    }

    /// First octets of its addresses.
    pub fn octets(&self) -> [u8; 3] {
        self.octets
    }

    /// A veth pair between the switch, whose address ends in `at`, and a namespace with all other addresses of
    /// that /26 and a route to the rest through the switch.
    fn join(&self, namespace: &str, theirs: &str, ours: &str, at: u8) {
        let switch: &str = &self.namespaces[1];
        let pair = ["link", "add", theirs, "netns", namespace, "type", "veth", "peer", "name", ours];
        ip(&[&pair[..], &["netns", switch]].concat()).unwrap();
        let [a, b, c] = self.octets;
        let address = |last: u8| format!("{a}.{b}.{c}.{last}/26");
        ip(&["-n", switch, "address", "add", &address(at), "dev", ours]).unwrap();
        let mut lines = String::new();
        for last in at + 1..at + 62 {
            lines += &format!("address add {} dev {theirs}\n", address(last));
        }
        ip_lines(namespace, &lines);
        for (namespace, interface) in [(switch, ours), (namespace, theirs)] {
            ip(&["-n", namespace, "link", "set", interface, "up"]).unwrap();
        }
        // A veth takes what a program sends only if its other end has NAPI, which GRO switches on.
        let _here = Here::of(namespace);
        let gro = Command::new("ethtool").args(["-K", theirs, "gro", "on"]).status();
        assert!(gro.unwrap().success(), "ethtool -K {theirs} gro on");
        ip(&["route", "add", "default", "via", address(at).trim_end_matches("/26")]).unwrap();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        PLACES.lock().unwrap().retain(|place| place.octets != self.octets);
        for namespace in &self.namespaces {
            // Already gone is as good.
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| error.to_string())?;
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {}: {why}", arguments.join(" "))) }
}

fn ip_lines(namespace: &str, lines: &str) {
    let file = std::env::temp_dir().join(format!("{namespace}.ip"));
    std::fs::write(&file, lines).unwrap();
    ip(&["-n", namespace, "-batch", &file.display().to_string()]).unwrap();
    std::fs::remove_file(file).unwrap();
}

/// The thread is in a namespace until this is dropped.
pub struct Here {
    home: Option<File>,
}

/// Moves the thread to where `ip` is; nowhere if that is no place of a [`Network`].
pub fn enter(address: impl Into<IpAddr>) -> Here {
    let namespace = match address.into() {
        IpAddr::V4(address) => find(address),
        IpAddr::V6(_) => None,
    };
    namespace.map_or(Here { home: None }, |namespace| Here::of(&namespace))
}

fn find(address: Ipv4Addr) -> Option<String> {
    let [a, b, c, last] = address.octets();
    let places = PLACES.lock().unwrap();
    let found = places.iter().find(|place| place.octets == [a, b, c] && place.last.contains(&last));
    found.map(|place| place.namespace.clone())
}

impl Here {
    fn of(namespace: &str) -> Here {
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        let there = File::open(format!("/run/netns/{namespace}")).unwrap();
        move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Here { home: Some(home) }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            move_into_link_name_space(home.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        }
    }
}
