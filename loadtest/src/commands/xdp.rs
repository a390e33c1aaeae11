//! `usher-load xdp`: the relay in the kernel beside a bare redirect and beside our own user space.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use base::LegKey;
use clap::{Args, ValueEnum};
use media::{Command, Event};
use usher_load::results::{Page, Spread, Table};
use usher_load::xdp::net::{Net, Place, SWITCH};
use usher_load::xdp::programs::{AtSwitch, Sink, Telephones};
use usher_load::xdp::speaker::Speaker;
use worker::net::{pin_to, raise_file_limit, thread_cpu_time};
use worker::{OffloadConfig, Pool, PoolConfig};

use crate::commands::relay::pcma;
use crate::process::{named, threads_ns};
use crate::subject::rtpengine::Rtpengine;

/// First port of the switch's legs, and of the telephones (which have other addresses): a leg has the same number
/// on both sides, so that what is redirected as it is, is counted too.
pub(crate) const PORTS: u16 = 10_000;
/// Calls that are added at once while the kernel takes them over.
const STEP: u32 = 500;

/// Options of the command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Bridged calls, one load after the other.
    #[arg(long, value_delimiter = ',', default_value = "200,1000")]
    calls: Vec<u32>,
    /// What is measured, in this order, in every round.
    #[arg(long, value_delimiter = ',', default_value = "nothing,bare,kernel,af-xdp,sockets,rtpengine")]
    subjects: Vec<Subject>,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds measured.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// As fast as it goes instead of 50 packets a second and leg.
    #[arg(long)]
    flat_out: bool,
    /// Processor of the switch's thread.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Processor of the generator; all that happens in the kernel to its frames happens there.
    #[arg(long, default_value_t = 0)]
    generator_cpu: usize,
    /// Folder and name for a page of results.
    #[arg(long)]
    page: Option<std::path::PathBuf>,
}

/// What stands between carrier and agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// A program that drops: what the generator costs.
    Nothing,
    /// A program that looks up and redirects.
    Bare,
    /// Usher, calls in the kernel.
    Kernel,
    /// Usher, user space, heard by sockets and sent past them.
    AfXdp,
    /// Usher, user space.
    Sockets,
    /// Sipwise rtpengine, user space, one thread.
    Rtpengine,
}

impl Subject {
    const fn title(self) -> &'static str {
        match self {
            Subject::Nothing => "nothing (generator and wire)",
            Subject::Bare => "bare look-up and redirect",
            Subject::Kernel => "Usher, in the kernel",
            Subject::AfXdp => "Usher, user space, sent by AF_XDP",
            Subject::Sockets => "Usher, user space, sockets",
            Subject::Rtpengine => "rtpengine 10.5, user space",
        }
    }
}

/// Processor time by the clocks of who used it. What else runs on the machine is in none of them; what the
/// kernel does to a frame is in that of the thread that it interrupts, which is nearly always the generator.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    /// The generator's thread, and the kernel's threads for packets (`ksoftirqd`) on all processors.
    wire_ns: u64,
    /// The media thread, or rtpengine.
    subject_ns: u64,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Processor time per packet of generator and kernel, and of the subject's own threads, ns.
    wire_ns: f64,
    subject_ns: f64,
    /// Packets a second.
    rate: f64,
    /// Share of the packets that did not arrive.
    lost: f64,
    doubled: u64,
    /// Calls that were in the kernel at the end.
    carried: u64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    pin_to(options.generator_cpu)?;
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let mut page = Page::new("xdp", "The relay in the kernel", &format!("usher-load {command}"));
    for &calls in &options.calls {
        let all = in_turn(&options.subjects, options.rounds, |subject, round| {
            let one = measure(options, subject, calls)?;
            println!("{calls} calls, round {round}: {:33} {}", subject.title(), one.line());
            Ok(one)
        })?;
        page.heading(&format!("{calls} calls"));
        page.block(EXPLANATION);
        page.block(table(&options.subjects, &all));
    }
    show(&page, options.page.as_deref())
}

/// Measures every subject once a round, A B A B; the rounds of each.
pub(crate) fn in_turn<S: Copy, M>(
    subjects: &[S],
    rounds: u32,
    mut measure: impl FnMut(S, u32) -> Result<M, Box<dyn Error>>,
) -> Result<Vec<Vec<M>>, Box<dyn Error>> {
    let mut all: Vec<Vec<M>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for (&subject, measured) in subjects.iter().zip(&mut all) {
            measured.push(measure(subject, round)?);
        }
    }
    Ok(all)
}

/// Prints a page, and saves it if there is a folder for it.
pub(crate) fn show(page: &Page, folder: Option<&Path>) -> Result<(), Box<dyn Error>> {
    println!("\n{}", page.text());
    if let Some(folder) = folder {
        println!("{}", page.save(folder)?.display());
    }
    Ok(())
}

impl Measured {
    fn ns(&self) -> f64 {
        self.wire_ns + self.subject_ns
    }

    fn line(&self) -> String {
        format!(
            "{:6.0} + {:5.0} ns/packet, {:8.0} packets/s, lost {:.4} %, doubled {}, {} calls in the kernel",
            self.wire_ns,
            self.subject_ns,
            self.rate,
            self.lost * 100.0,
            self.doubled,
            self.carried
        )
    }
}

/// What the columns of the table are.
const EXPLANATION: &str = "\
    Frames are made, carried over veth and counted by programs in the kernel, all of it in the generator's thread or in \
    `ksoftirqd`: \"generator and kernel\" is the time of those per packet, what the kernel does for the subject included. \
    \"Subject's threads\" is the media thread or rtpengine, by their own clocks. \"Nothing\" drops each frame where it \
    arrives at the switch: it is what the generator and half of the wire cost, so that \"less nothing\" is a packet's \
    whole price from the switch's card to the listener's. \"Bare\" looks the packet up and redirects it as it is: the \
    least that a relay in the kernel can do. Ratios are of \"less nothing\", round by round. Median (smallest - largest).";

fn table(subjects: &[Subject], all: &[Vec<Measured>]) -> Table {
    let mut table = Table::new([
        "",
        "generator and kernel, ns/packet",
        "subject's threads, ns/packet",
        "both less \"nothing\", ns/packet",
        "× bare",
        "× Usher in the kernel",
        "packets/s",
        "lost",
    ]);
    let values = |of: Subject| -> Vec<f64> {
        let found = subjects.iter().position(|subject| *subject == of).and_then(|at| all.get(at));
        found.map(|measured| measured.iter().map(Measured::ns).collect()).unwrap_or_default()
    };
    let nothing = values(Subject::Nothing);
    let net = |of: Subject| -> Vec<f64> {
        values(of).iter().zip(&nothing).map(|(one, nothing)| one - nothing).collect()
    };
    let cell = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| format!("{spread:.0}"));
    for (&subject, measured) in subjects.iter().zip(all) {
        let ratio = Spread::ratio(&net(subject), &net(Subject::Bare)).filter(|_| subject != Subject::Nothing);
        let beside_kernel =
            Spread::ratio(&net(subject), &net(Subject::Kernel)).filter(|_| subject != Subject::Nothing);
        table.row([
            subject.title().to_owned(),
            cell(Spread::of(measured.iter().map(|one| one.wire_ns))),
            cell(Spread::of(measured.iter().map(|one| one.subject_ns))),
            if subject == Subject::Nothing { String::new() } else { cell(Spread::of(net(subject))) },
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            beside_kernel.map_or_else(String::new, |ratio| format!("{ratio:.1}")),
            cell(Spread::of(measured.iter().map(|one| one.rate))),
            Spread::of(measured.iter().map(|one| one.lost * 100.0))
                .map_or_else(String::new, |lost| format!("{lost:.3} %")),
        ]);
    }
    table
}

/// What relays during a measurement.
enum Relay {
    Program(#[expect(dead_code, reason = "held as long as it is measured")] AtSwitch),
    Pool(Box<Pool>),
    Rtpengine(Box<Rtpengine>),
}

impl Relay {
    /// What was used so far; `soft` are the kernel's threads for packets. To be asked by the generator's thread.
    fn clocks(&self, soft: &[u32]) -> Result<Clocks, Box<dyn Error>> {
        let subject_ns = match self {
            Relay::Program(_) => Some(0),
            Relay::Pool(_) => threads_ns(std::process::id(), "media-"),
            Relay::Rtpengine(engine) => threads_ns(engine.pid(), ""),
        };
        let soft_ns: u64 = soft.iter().filter_map(|pid| threads_ns(*pid, "")).sum();
        let wire_ns = u64::try_from(thread_cpu_time().as_nanos())? + soft_ns;
        Ok(Clocks { wire_ns, subject_ns: subject_ns.ok_or("the subject is gone")? })
    }
}

fn measure(options: &Options, subject: Subject, calls: u32) -> Result<Measured, Box<dyn Error>> {
    let net = Net::new()?;
    let legs = calls * 2;
    let by_sockets = matches!(subject, Subject::AfXdp | Subject::Sockets | Subject::Rtpengine);
    let sink = if by_sockets { Sink::Sockets } else { Sink::Frames };
    let mut sides = Vec::new();
    for place in [Place::Carrier, Place::Agents] {
        let _there = net.enter(place)?;
        sides.push(Telephones::new(place, legs, PORTS, sink)?);
    }
    for leg in 0..legs {
        for side in &mut sides {
            side.connect(leg, port(PORTS, leg), port(PORTS, leg))?;
        }
    }
    let relay = {
        let _there = net.enter(Place::Switch)?;
        match subject {
            Subject::Nothing => Relay::Program(AtSwitch::nothing()?),
            Subject::Bare => Relay::Program(AtSwitch::bare(legs, |leg| port(PORTS, leg))?),
            Subject::Kernel | Subject::AfXdp | Subject::Sockets => {
                Relay::Pool(Box::new(pool(options, subject, calls)?))
            }
            Subject::Rtpengine => Relay::Rtpengine(Box::new(rtpengine(options, calls, &mut sides)?)),
        }
    };
    let mut speaker = Speaker::new(sides);
    warm_up(&mut speaker, &relay, subject, calls)?;
    let soft = named("ksoftirqd/");
    speaker.speak_for(Duration::from_millis(300), false)?;
    let (before, clocks, start) = (speaker.heard()?, relay.clocks(&soft)?, Instant::now());
    let spoken = speaker.speak_for(Duration::from_secs(options.seconds), options.flat_out)?;
    // What is under way in user space arrives within a tick or two.
    let (wall, then) = (start.elapsed(), relay.clocks(&soft)?);
    std::thread::sleep(Duration::from_millis(50));
    let heard = speaker.heard()?;
    let carried = match &relay {
        Relay::Pool(pool) => pool.total().offloaded,
        Relay::Program(_) | Relay::Rtpengine(_) => 0,
    };
    let arrived = heard.packets - before.packets;
    let lost = if subject == Subject::Nothing { 0 } else { spoken.saturating_sub(arrived) };
    #[expect(clippy::cast_precision_loss, reason = "counts of packets are small")]
    let measured = {
        let per_packet = |now: u64, before: u64| now.saturating_sub(before) as f64 / spoken as f64;
        Measured {
            wire_ns: per_packet(then.wire_ns, clocks.wire_ns),
            subject_ns: per_packet(then.subject_ns, clocks.subject_ns),
            rate: spoken as f64 / wall.as_secs_f64(),
            lost: lost as f64 / spoken as f64,
            doubled: heard.doubled - before.doubled,
            carried,
        }
    };
    Ok(measured)
}

pub(crate) const fn port(first: u16, leg: u32) -> u16 {
    first + (leg as u16) * 2
}

/// Until every call is where it is to be measured.
fn warm_up(speaker: &mut Speaker, relay: &Relay, subject: Subject, calls: u32) -> Result<(), Box<dyn Error>> {
    let Relay::Pool(pool) = relay else {
        speaker.set_legs(calls * 2)?;
        // rtpengine learns its peers in the first seconds.
        let time = if subject == Subject::Rtpengine { 4_000 } else { 200 };
        speaker.speak_for(Duration::from_millis(time), false)?;
        return Ok(());
    };
    let mut up = 0;
    while up < calls {
        let more = STEP.min(calls - up);
        for call in up..up + more {
            add_call(pool, call);
        }
        up += more;
        speaker.set_legs(up * 2)?;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            speaker.speak_for(Duration::from_millis(100), false)?;
            let mut failed = std::iter::from_fn(|| pool.try_recv());
            if let Some(Event::BindFailed { leg, why }) =
                failed.find(|event| matches!(event, Event::BindFailed { .. }))
            {
                return Err(format!("leg {leg}: {why:?}").into());
            }
            let total = pool.total();
            let there = match subject {
                Subject::Kernel => total.offloaded == u64::from(up),
                Subject::AfXdp => total.legs == u64::from(up) * 2 && total.packets_af_xdp > 0,
                _ => total.legs == u64::from(up) * 2 && total.rtp_out > 0,
            };
            if there {
                break;
            }
            if Instant::now() > deadline {
                return Err(
                    format!("{up} calls, {} in the kernel after 20 s: {total:?}", total.offloaded).into()
                );
            }
        }
    }
    speaker.speak_for(Duration::from_millis(500), false)?;
    Ok(())
}

/// rtpengine in the switch's namespace, and the telephones told where to send.
fn rtpengine(options: &Options, calls: u32, sides: &mut [Telephones]) -> Result<Rtpengine, Box<dyn Error>> {
    let mut engine = Rtpengine::launch(IpAddr::V4(SWITCH), options.cpu)?;
    for call in 0..calls {
        let (even, odd) = (call * 2, call * 2 + 1);
        let at = |side: Place, leg: u32| SocketAddr::new(IpAddr::V4(side.address()), port(PORTS, leg));
        let remotes = engine.add_call(even as u16, [at(Place::Carrier, even), at(Place::Agents, odd)])?;
        for (leg, remote) in [even, odd].into_iter().zip(remotes) {
            for side in &mut *sides {
                side.connect(leg, port(PORTS, leg), remote.port())?;
            }
        }
    }
    Ok(engine)
}

fn pool(options: &Options, subject: Subject, calls: u32) -> Result<Pool, Box<dyn Error>> {
    let interfaces = [Place::Carrier, Place::Agents].map(|side| side.ends()[1].name.to_owned()).to_vec();
    // Where the kernel takes one call only, all others are user space's.
    let calls_max = match subject {
        Subject::Kernel => Some(calls),
        Subject::AfXdp => Some(1),
        _ => None,
    };
    let offload = calls_max.map(|calls_max| OffloadConfig { interfaces, calls_max });
    let config = PoolConfig {
        pin: vec![options.cpu],
        offload,
        legs_max: calls as usize * 2,
        commands_max: calls as usize * 8,
        ..PoolConfig::default()
    };
    let pool = Pool::start(&config, || ())?;
    if let Some(Err(why)) = pool.offload() {
        return Err(why.to_string().into());
    }
    if let Some(refusal) = pool.no_transmit().first() {
        return Err(refusal.to_string().into());
    }
    Ok(pool)
}

fn add_call(pool: &Pool, call: u32) {
    // The ring has room for all commands of all calls.
    let tell = |command: Command| pool.send(0, command).is_ok();
    let key = |leg: u32| LegKey(u64::from(leg));
    for (leg, side) in [(call * 2, Place::Carrier), (call * 2 + 1, Place::Agents)] {
        let remote = SocketAddr::new(IpAddr::V4(side.address()), port(PORTS, leg));
        let negotiated = pcma(remote);
        let learn_from = vec![remote.ip()];
        tell(Command::AddLeg { leg: key(leg), port: port(PORTS, leg), local: IpAddr::V4(SWITCH) });
        tell(Command::SetRemote { leg: key(leg), negotiated, learn_from, timeout: None });
    }
    tell(Command::Bridge { a: key(call * 2), b: key(call * 2 + 1) });
}
