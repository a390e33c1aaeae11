//! Three namespaces: a carrier's, the switch's and the agents' network.

use std::error::Error;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The switch's media address.
pub const SWITCH: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
/// The carrier's telephones: they have the even legs.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 2);
/// The agents' telephones: they have the odd legs.
pub const AGENTS: Ipv4Addr = Ipv4Addr::new(10, 98, 1, 2);

/// An interface of each side's that no frame passes.
pub const SPARE: &str = "spare0";

/// One end of a wire between the switch and a side.
#[derive(Clone, Debug)]
pub struct End {
    /// The interface's name.
    pub name: &'static str,
    /// Its MAC address.
    pub mac: [u8; 6],
}

/// The namespaces; they go when this is dropped.
#[derive(Debug)]
pub struct Net {
    names: [String; 3],
}

/// Which namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Even legs.
    Carrier,
    /// Odd legs.
    Agents,
    /// Between the two.
    Switch,
}

impl Place {
    /// This side's interface in its own namespace and the switch's towards it.
    pub const fn ends(self) -> [End; 2] {
        let (theirs, ours, number) = match self {
            Place::Carrier | Place::Switch => ("carrier0", "to-carrier", 1),
            Place::Agents => ("agents0", "to-agents", 2),
        };
        [End { name: theirs, mac: [2, 0, 0, 0, number, 2] }, End { name: ours, mac: [2, 0, 0, 0, number, 1] }]
    }

    /// The address of this side's telephones.
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Place::Carrier => CARRIER,
            Place::Agents => AGENTS,
            Place::Switch => SWITCH,
        }
    }
}

impl Net {
    /// Makes them. Needs root.
    ///
    /// # Errors
    /// What `ip` or `ethtool` says.
    pub fn new() -> Result<Net, Box<dyn Error>> {
        let name = |place: &str| format!("usher-load-{}-{place}", std::process::id());
        let net = Net { names: ["carrier", "agents", "switch"].map(name) };
        for name in &net.names {
            run("ip", &["netns", "add", name])?;
        }
        for side in [Place::Carrier, Place::Agents] {
            net.join(side)?;
        }
        Ok(net)
    }

    fn join(&self, side: Place) -> Result<(), Box<dyn Error>> {
        let ([theirs, ours], switch) = (side.ends(), self.name(Place::Switch));
        let there = self.name(side);
        let pair = ["link", "add", theirs.name, "address", &mac(theirs.mac), "netns", there, "type", "veth"];
        let peer = ["peer", "name", ours.name, "address", &mac(ours.mac), "netns", switch];
        run("ip", &[&pair[..], &peer].concat())?;
        let [a, b, c, _] = side.address().octets();
        let ip = |place: &str, words: &str| {
            run("ip", &[&["-n", place][..], &words.split(' ').collect::<Vec<_>>()].concat())
        };
        ip(switch, &format!("address add {a}.{b}.{c}.1/24 dev {}", ours.name))?;
        ip(there, &format!("address add {}/24 dev {}", side.address(), theirs.name))?;
        ip(switch, &format!("link set {} up", ours.name))?;
        ip(there, &format!("link set {} up", theirs.name))?;
        ip(switch, "link set lo up")?;
        ip(
            switch,
            &format!("neighbour add {} lladdr {} dev {}", side.address(), mac(theirs.mac), ours.name),
        )?;
        ip(there, &format!("link add {SPARE} type veth peer name {SPARE}-peer"))?;
        // A veth takes frames from a program only if its other end has NAPI.
        for (place, end) in [(side, theirs), (Place::Switch, ours)] {
            let _here = self.enter(place)?;
            run("ethtool", &["-K", end.name, "gro", "on"])?;
        }
        Ok(())
    }

    fn name(&self, place: Place) -> &str {
        let [carrier, agents, switch] = &self.names;
        match place {
            Place::Carrier => carrier,
            Place::Agents => agents,
            Place::Switch => switch,
        }
    }

    /// Moves the thread there, until the answer is dropped. Threads and processes started meanwhile stay there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn enter(&self, place: Place) -> Result<Here, Box<dyn Error>> {
        let home = File::open("/proc/thread-self/ns/net")?;
        let there = File::open(format!("/run/netns/{}", self.name(place)))?;
        move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(Here(home))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            // Already gone is as good.
            let _ = run("ip", &["netns", "delete", name]);
        }
    }
}

/// The thread is in a namespace until this is dropped.
#[derive(Debug)]
pub struct Here(File);

impl Drop for Here {
    fn drop(&mut self) {
        // The home is still there: this holds it.
        let _ = move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network));
    }
}

fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn run(program: &str, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), why.trim()).into())
}
