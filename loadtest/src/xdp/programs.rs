//! The programs of `xdp/bench.bpf.c`, loaded in a namespace.

#![expect(unsafe_code, reason = "the maps' layouts are declared to be plain bytes")]

use std::error::Error;
use std::net::Ipv4Addr;

use aya::maps::xdp::{DevMap, DevMapHash};
use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::xdp::{Xdp, XdpMode};
use aya::programs::{SchedClassifier, TcAttachType, TestRun, TestRunAttrs, TestRunOptions, tc};
use aya::{Ebpf, EbpfLoader, Pod, include_bytes_aligned};
use worker::net::interface_index;

use super::net::{End, Place, SPARE, SWITCH};

static OBJECT: &[u8] = include_bytes_aligned!("../../xdp/bench.bpf.o");

/// Bytes of a packet's voice.
const PAYLOAD: usize = 160;
/// Ethernet, IPv4, UDP, RTP.
const HEADERS: usize = 14 + 20 + 8 + 12;

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Side {
    ethernet: [u8; 14],
    zero: u16,
    ip: [u8; 20],
    sum: u32,
    next: u32,
    first: u32,
    legs: u32,
    sequence: u32,
    timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Ports {
    from: [u8; 2],
    to: [u8; 2],
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct BareKey {
    address: [u8; 4],
    port: [u8; 2],
    zero: u16,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct BareWay {
    ifindex: u32,
    to: [u8; 6],
    from: [u8; 6],
}

/// What a leg's telephone heard.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Ear {
    /// Packets.
    pub packets: u32,
    next: u32,
    /// Sequence numbers that were passed over.
    pub missing: u32,
    /// Packets that came twice or too late.
    pub doubled: u32,
}

// SAFETY: `repr(C)` of integers and byte arrays that leave no padding.
unsafe impl Pod for Side {}
// SAFETY: as above.
unsafe impl Pod for Ports {}
// SAFETY: as above.
unsafe impl Pod for BareKey {}
// SAFETY: as above.
unsafe impl Pod for BareWay {}
// SAFETY: as above.
unsafe impl Pod for Ear {}

fn load(legs: u32, ports_from: u16) -> Result<Ebpf, Box<dyn Error>> {
    let ports_from = u32::from(ports_from);
    let mut loader = EbpfLoader::new();
    loader.override_global("PORTS_FROM", &ports_from, true);
    for map in ["ports", "ways", "ears"] {
        loader.map_max_entries(map, legs.max(1));
    }
    Ok(loader.load(OBJECT)?)
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp, Box<dyn Error>> {
    let program: &mut Xdp = ebpf.program_mut(name).ok_or("a program is missing")?.try_into()?;
    program.load()?;
    Ok(program)
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map, Box<dyn Error>> {
    Ok(ebpf.take_map(name).ok_or("a map is missing")?)
}

/// One side's telephones: they speak when told to, and count what they hear.
pub struct Telephones {
    ebpf: Ebpf,
    side: Array<MapData, Side>,
    ports: Array<MapData, Ports>,
    ears: Array<MapData, Ear>,
    frame: Vec<u8>,
    legs: u32,
}

/// How the telephones' side takes what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// As a network card takes it from a program.
    Frames,
    /// As a network card takes it from the stack.
    Sockets,
}

impl Telephones {
    /// At `place`, in which the thread is; at most `legs` legs (of both sides), whose ports are `ports_from` and every
    /// second one after it.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn new(place: Place, legs: u32, ports_from: u16, sink: Sink) -> Result<Telephones, Box<dyn Error>> {
        let mut ebpf = load(legs, ports_from)?;
        let [theirs, ours] = place.ends();
        match sink {
            Sink::Frames => {
                xdp(&mut ebpf, "sink_xdp")?.attach(theirs.name, XdpMode::Driver)?;
            }
            Sink::Sockets => {
                tc::qdisc_add_clsact(theirs.name)?;
                let program: &mut SchedClassifier =
                    ebpf.program_mut("sink_tc").ok_or("a program is missing")?.try_into()?;
                program.load()?;
                program.attach(theirs.name, TcAttachType::Ingress)?;
            }
        }
        // A program that is attached nowhere is patched into the kernel's dispatcher for every run.
        xdp(&mut ebpf, "generate")?.attach(SPARE, XdpMode::Driver)?;
        DevMap::try_from(take(&mut ebpf, "wire")?)?.set(0, interface_index(theirs.name)?, None, 0)?;
        let mut side = Array::try_from(take(&mut ebpf, "side")?)?;
        side.set(0, Side::new(place, &theirs, &ours), 0)?;
        let mut ears: Array<MapData, Ear> = Array::try_from(take(&mut ebpf, "ears")?)?;
        for leg in 0..legs {
            ears.set(leg, Ear { next: 1 << 16, ..Ear::default() }, 0)?;
        }
        let ports = Array::try_from(take(&mut ebpf, "ports")?)?;
        let mut frame = vec![0; HEADERS];
        frame.resize(HEADERS + PAYLOAD, 0xd5);
        Ok(Telephones { ebpf, side, ports, ears, frame, legs })
    }

    /// Leg `leg` speaks from port `from` to the switch's port `to`.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn connect(&mut self, leg: u32, from: u16, to: u16) -> Result<(), Box<dyn Error>> {
        Ok(self.ports.set(leg, Ports { from: from.to_be_bytes(), to: to.to_be_bytes() }, 0)?)
    }

    /// From now on the legs below `legs` speak.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn set_legs(&mut self, legs: u32) -> Result<(), Box<dyn Error>> {
        let side = self.side.get(&0, 0)?;
        Ok(self.side.set(0, Side { legs: legs.min(self.legs), ..side }, 0)?)
    }

    /// Speaks `packets` packets, one leg after the other.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn speak(&mut self, packets: u32) -> Result<(), Box<dyn Error>> {
        if packets == 0 {
            return Ok(());
        }
        let program: &mut Xdp =
            self.ebpf.program_mut("generate").ok_or("a program is missing")?.try_into()?;
        program.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            repeat: packets,
            attrs: TestRunAttrs::new().xdp_live_frames(64),
            ..TestRunOptions::new()
        })?;
        Ok(())
    }

    /// What all legs heard so far.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn heard(&self) -> Result<Heard, Box<dyn Error>> {
        let mut heard = Heard::default();
        for leg in 0..self.legs {
            let ear = self.ears.get(&leg, 0)?;
            heard.packets += u64::from(ear.packets);
            heard.missing += u64::from(ear.missing);
            heard.doubled += u64::from(ear.doubled);
        }
        Ok(heard)
    }
}

/// Sums over legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Packets.
    pub packets: u64,
    /// Sequence numbers that were passed over.
    pub missing: u64,
    /// Packets that came twice or too late.
    pub doubled: u64,
}

impl Side {
    fn new(place: Place, theirs: &End, ours: &End) -> Side {
        let mut ethernet = [0; 14];
        ethernet[..6].copy_from_slice(&ours.mac);
        ethernet[6..12].copy_from_slice(&theirs.mac);
        ethernet[12] = 8;
        let udp = u16::try_from(8 + 12 + PAYLOAD).unwrap_or(0);
        let (from, to) = (place.address().octets(), SWITCH.octets());
        let mut ip = [0x45, 0xb8, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        ip[2..4].copy_from_slice(&(20 + udp).to_be_bytes());
        ip[12..16].copy_from_slice(&from);
        ip[16..20].copy_from_slice(&to);
        let check = !fold(sum(&ip));
        ip[10..12].copy_from_slice(&check.to_ne_bytes());
        let length = udp.to_be_bytes();
        let datagram = [&from[..], &to, &[0, 17], &length, &length, &[0xd5; PAYLOAD]].concat();
        let first = u32::from(place == Place::Agents);
        Side {
            ethernet,
            zero: 0,
            ip,
            sum: sum(&datagram),
            next: first,
            first,
            legs: 0,
            sequence: 1,
            timestamp: 160,
        }
    }
}

/// RFC 1071, words as they lie in memory.
fn sum(bytes: &[u8]) -> u32 {
    bytes.as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_ne_bytes(*word))).sum()
}

fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(u16::MAX)
}

/// What stands at the switch instead of a relay; goes when it is dropped.
#[derive(Debug)]
pub struct AtSwitch {
    _ebpf: Ebpf,
}

impl AtSwitch {
    /// Takes all RTP and throws it away: what the generator and the way to the switch cost.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn nothing() -> Result<AtSwitch, Box<dyn Error>> {
        let mut ebpf = load(1, 0)?;
        let program = xdp(&mut ebpf, "sink_xdp")?;
        for side in [Place::Carrier, Place::Agents] {
            let [_, ours] = side.ends();
            program.attach(ours.name, XdpMode::Driver)?;
        }
        Ok(AtSwitch { _ebpf: ebpf })
    }

    /// The bare look-up and redirect, of what arrives at each leg's port `port(leg)` to the other side.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn bare(legs: u32, port: impl Fn(u32) -> u16) -> Result<AtSwitch, Box<dyn Error>> {
        let mut ebpf = load(legs, 0)?;
        let mut ways: HashMap<MapData, BareKey, BareWay> = HashMap::try_from(take(&mut ebpf, "ways")?)?;
        for leg in 0..legs {
            let listener = if leg % 2 == 0 { Place::Agents } else { Place::Carrier };
            let [theirs, ours] = listener.ends();
            let key = BareKey { address: address(SWITCH), port: port(leg).to_be_bytes(), zero: 0 };
            let way = BareWay { ifindex: interface_index(ours.name)?, to: theirs.mac, from: ours.mac };
            ways.insert(key, way, 0)?;
        }
        let mut exits = DevMapHash::try_from(take(&mut ebpf, "interfaces")?)?;
        let program = xdp(&mut ebpf, "bare")?;
        for side in [Place::Carrier, Place::Agents] {
            let [_, ours] = side.ends();
            let index = interface_index(ours.name)?;
            exits.insert(index, index, None, 0)?;
            program.attach(ours.name, XdpMode::Driver)?;
        }
        Ok(AtSwitch { _ebpf: ebpf })
    }
}

fn address(ip: Ipv4Addr) -> [u8; 4] {
    ip.octets()
}
