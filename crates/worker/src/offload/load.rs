//! Loading the program and attaching it, or saying in plain words why not.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant as OsInstant;

use aya::maps::xdp::DevMapHash;
use aya::maps::{Map, MapData};
use aya::programs::ProgramError;
use aya::programs::xdp::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};

use super::OffloadConfig;
use super::directory::Directory;
use super::places::{self, Places};
use super::table::{Maps, Table};
use super::transmit::{NoTransmit, Transmit};
use crate::net;

/// The program as clang made it of `bpf/relay.bpf.c`.
pub(super) static OBJECT: &[u8] = include_bytes_aligned!("../../bpf/relay.bpf.o");

/// The program in the kernel, attached to the interfaces until this is dropped.
pub struct Offload {
    ebpf: Ebpf,
    directory: Arc<Directory>,
    /// Of one thread.
    calls_max: u32,
    workers: u32,
    traffic_class: u8,
    /// What it is attached to: names and numbers.
    interfaces: Vec<(String, u32)>,
}

impl fmt::Debug for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offload({} calls)", self.calls_max.saturating_mul(self.workers))
    }
}

/// Why bridges stay in user space.
#[derive(Debug)]
pub enum Unavailable {
    /// The configuration names no interface.
    NoInterface,
    /// The process may not load programs.
    Rights,
    /// The kernel has no such thing, or an older one.
    Kernel(String),
    /// An interface of that name is not there.
    Missing {
        /// Its name.
        interface: String,
    },
    /// The driver does not run programs.
    Driver {
        /// The interface's name.
        interface: String,
    },
    /// Another program is attached.
    Taken {
        /// The interface's name.
        interface: String,
    },
    /// The card takes VLAN tags off before a program sees them.
    Vlan {
        /// The interface's name.
        interface: String,
    },
    /// The interface refuses otherwise.
    Interface {
        /// Its name.
        interface: String,
        /// What the kernel says.
        why: String,
    },
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::NoInterface => write!(f, "media.offload_interfaces names no interface"),
            Unavailable::Rights => {
                write!(f, "the process needs the capabilities CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON")
            }
            Unavailable::Kernel(why) => write!(f, "the kernel does not take the program: {why}"),
            Unavailable::Missing { interface } => write!(f, "there is no interface {interface}"),
            Unavailable::Driver { interface } => {
                write!(f, "the driver of {interface} does not run XDP programs itself")
            }
            Unavailable::Taken { interface } => {
                write!(f, "{interface} already has an XDP program of somebody else")
            }
            Unavailable::Vlan { interface } => write!(
                f,
                "{interface} carries VLANs and takes their tags off too early: `ethtool -K {interface} rxvlan off`"
            ),
            Unavailable::Interface { interface, why } => write!(f, "{interface}: {why}"),
        }
    }
}

impl Error for Unavailable {}

impl Offload {
    /// Loads the program and attaches it to every interface of `config`, or to none. `epoch` is the
    /// relays' instant zero, `dscp` what packets are marked with.
    pub fn start(
        config: &OffloadConfig,
        workers: usize,
        epoch: OsInstant,
        dscp: u8,
    ) -> Result<Self, Unavailable> {
        if config.interfaces.is_empty() {
            return Err(Unavailable::NoInterface);
        }
        let mut offload = Self::load(config, workers, epoch, dscp)?;
        for interface in &config.interfaces {
            offload.attach(interface)?;
        }
        Ok(offload)
    }

    /// The program, not attached.
    pub(super) fn load(
        config: &OffloadConfig,
        workers: usize,
        epoch: OsInstant,
        dscp: u8,
    ) -> Result<Self, Unavailable> {
        let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        // Every thread has as many places.
        let calls_max = config.calls_max.clamp(1, 1 << 24).div_ceil(workers);
        let flows_max = first_place(workers, calls_max);
        let epoch_ns = net::monotonic_ns(epoch);
        let mut ebpf = EbpfLoader::new()
            .override_global("EPOCH_NS", &epoch_ns, true)
            .map_max_entries("flows", flows_max)
            .map_max_entries("streams", flows_max)
            .map_max_entries("counts", flows_max)
            .load(OBJECT)
            .map_err(|error| of_kernel(&error))?;
        program(&mut ebpf)?.load().map_err(|error| of_kernel(&error))?;
        let directory = Directory::map(map(&ebpf, "by_port")?, map(&ebpf, "flows")?, flows_max as usize);
        let directory = Arc::new(directory.map_err(|error| of_kernel(&error))?);
        let traffic_class = (dscp & 0x3f) << 2;
        Ok(Offload { ebpf, directory, calls_max, workers, traffic_class, interfaces: Vec::new() })
    }

    fn attach(&mut self, interface: &str) -> Result<(), Unavailable> {
        let name = || interface.to_owned();
        let index =
            net::interface_index(interface).map_err(|_| Unavailable::Missing { interface: name() })?;
        if net::strips_vlan_tags(interface) && net::carries_vlans(interface) {
            return Err(Unavailable::Vlan { interface: name() });
        }
        let attached = program(&mut self.ebpf)?.attach_to_if_index(index, XdpMode::Driver);
        attached.map_err(|error| match os_error(&error) {
            Some(libc::EPERM) => Unavailable::Rights,
            Some(libc::EOPNOTSUPP) => Unavailable::Driver { interface: name() },
            Some(libc::EBUSY | libc::EEXIST) => Unavailable::Taken { interface: name() },
            _ => Unavailable::Interface { interface: name(), why: chain(&error) },
        })?;
        let exits = self.ebpf.map_mut("interfaces").ok_or_else(broken)?;
        let mut exits = DevMapHash::try_from(exits).map_err(|error| of_kernel(&error))?;
        exits.insert(index, index, None, 0).map_err(|error| of_kernel(&error))?;
        self.interfaces.push((name(), index));
        Ok(())
    }

    /// The table of thread `worker`; each may be asked for once.
    pub(crate) fn table(&self, worker: usize) -> Result<Table, Unavailable> {
        let worker = u32::try_from(worker).unwrap_or(u32::MAX);
        let maps = Maps {
            directory: &self.directory,
            counts: map(&self.ebpf, "counts")?,
            streams: map(&self.ebpf, "streams")?,
            length: first_place(self.workers, self.calls_max) as usize,
            traffic_class: self.traffic_class,
        };
        let places = Places::new(first_place(worker, self.calls_max), places::needed(self.calls_max));
        Table::new(&maps, places, self.calls_max).map_err(|error| of_kernel(&error))
    }

    /// The way past the sockets of thread `worker`, and where it has none; each may be asked for once.
    pub(crate) fn transmit(&self, worker: usize) -> Result<(Transmit, Vec<NoTransmit>), Unavailable> {
        let opened = Transmit::open(self.legs()?, &self.interfaces, worker, self.traffic_class);
        opened.map_err(|error| of_kernel(&error))
    }

    pub(super) fn legs(&self) -> Result<&MapData, Unavailable> {
        map(&self.ebpf, "legs")
    }

    #[cfg(test)]
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    #[cfg(test)]
    pub(super) fn program(&mut self) -> &mut Xdp {
        program(&mut self.ebpf).unwrap()
    }
}

/// The first place of thread `worker`, if each has `calls_max` bridges. The first two places are nobody's: 0 is the end
/// of a chain.
const fn first_place(worker: u32, calls_max: u32) -> u32 {
    places::needed(calls_max).saturating_mul(worker).saturating_add(1).saturating_mul(2)
}

fn map<'a>(ebpf: &'a Ebpf, name: &str) -> Result<&'a MapData, Unavailable> {
    match ebpf.map(name) {
        Some(Map::Array(data) | Map::PerCpuArray(data)) => Ok(data),
        _ => Err(broken()),
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, Unavailable> {
    let program = ebpf.program_mut("relay").ok_or_else(broken)?;
    program.try_into().map_err(|error: ProgramError| of_kernel(&error))
}

/// The object is not the one that this was built for.
fn broken() -> Unavailable {
    Unavailable::Kernel("relay.bpf.o lacks a part".to_owned())
}

fn of_kernel(error: &(dyn Error + 'static)) -> Unavailable {
    match os_error(error) {
        Some(libc::EPERM) => Unavailable::Rights,
        // The verifier's word for whatever it does not like. Without that capability it likes no difference of addresses.
        Some(libc::EACCES) if !has_perfmon() => Unavailable::Rights,
        _ => Unavailable::Kernel(chain(error)),
    }
}

/// Whether the thread has `CAP_PERFMON`, or `CAP_SYS_ADMIN`, which holds it.
fn has_perfmon() -> bool {
    const BITS: u64 = 1 << 38 | 1 << 21;
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mut effective = status.lines().filter_map(|line| line.strip_prefix("CapEff:"));
    effective.any(|set| u64::from_str_radix(set.trim(), 16).is_ok_and(|set| set & BITS != 0))
}

/// The operating system's number in an error or what caused it.
fn os_error(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
}

/// An error and its causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    // A verifier's log is long; its beginning says what it refuses.
    if let Some((end, _)) = text.char_indices().nth(300) {
        text.truncate(end);
    }
    text.replace('\n', " ")
}
