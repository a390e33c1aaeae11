//! `usher-load xdp-prompts`: prompts past the sockets (`AF_XDP`) beside prompts by sockets and a raw send loop, over the same
//! virtual cards.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::LegKey;
use clap::{Args, ValueEnum};
use media::{Command, Event};
use usher_load::null_relay::{Calls, Moved};
use usher_load::null_sender::NullSender;
use usher_load::results::{Page, Spread, Table};
use usher_load::xdp::net::{Net, Place, SWITCH};
use usher_load::xdp::programs::{Heard, Sink, Telephones};
use usher_load::xdp::speaker::Speaker;
use worker::net::{pin_to, raise_file_limit};
use worker::{OffloadConfig, Pool, PoolConfig};

use super::relay::{pcma, tone};
use super::xdp::{PORTS, in_turn, port, show};
use crate::process::{named, threads_ns};

/// How long everything may take to be there.
const SOON: Duration = Duration::from_secs(20);
/// Listeners that are added at once.
const STEP: u32 = 500;

/// Options of the command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Listeners, one load after the other.
    #[arg(long, value_delimiter = ',', default_value = "1000,2000,4000")]
    listeners: Vec<u32>,
    /// What is measured, in this order, in every round.
    #[arg(long, value_delimiter = ',', default_value = "raw,sockets,af-xdp")]
    subjects: Vec<Subject>,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds measured.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Processor of the subject.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Processor of the telephones.
    #[arg(long, default_value_t = 0)]
    generator_cpu: usize,
    /// Folder for a page of results.
    #[arg(long)]
    page: Option<PathBuf>,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// A packet to each listener in 20 ms and nothing else, by `io_uring`.
    Raw,
    /// Usher, by sockets.
    Sockets,
    /// Usher, past the sockets.
    AfXdp,
}

impl Subject {
    const fn title(self) -> &'static str {
        match self {
            Subject::Raw => "raw send loop (`io_uring`)",
            Subject::Sockets => "Usher, by sockets (`io_uring`)",
            Subject::AfXdp => "Usher, past the sockets (`AF_XDP`)",
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Processor time of the sending thread and of the kernel's threads for packets, per packet heard, ns.
    ns: f64,
    /// Share of a processor.
    busy: f64,
    /// Packets heard per listener and second.
    rate: f64,
    missing: u64,
    doubled: u64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    pin_to(options.generator_cpu)?;
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let mut page = Page::new("xdp-prompts", "Prompts past the sockets", &format!("usher-load {command}"));
    for &listeners in &options.listeners {
        let all = in_turn(&options.subjects, options.rounds, |subject, round| {
            let one = measure(options, subject, listeners)?;
            println!("{listeners} listeners, round {round}: {:36} {}", subject.title(), one.line());
            Ok(one)
        })?;
        page.heading(&format!("{listeners} listeners"));
        page.block(EXPLANATION);
        page.block(table(&options.subjects, &all));
    }
    show(&page, options.page.as_deref())
}

impl Measured {
    fn line(&self) -> String {
        let Measured { ns, busy, rate, missing, doubled } = self;
        let share = busy * 100.0;
        format!(
            "{ns:6.0} ns/packet, {share:4.1} % of a processor, {rate:.2} packets/s each, {missing} missing, \
             {doubled} doubled"
        )
    }
}

/// What the columns of the table are.
const EXPLANATION: &str = "\
    Packets leave the switch's namespace by two virtual cards and are counted and dropped at their other ends, before the \
    stack there costs anything. Time is that of the sending thread, which does all that the kernel has to do, and of \
    `ksoftirqd`. Listeners have spoken before, so that the way to them is known, and are silent while it is measured. \
    Ratios round by round. Median (smallest - largest).";

fn table(subjects: &[Subject], all: &[Vec<Measured>]) -> Table {
    let mut table = Table::new([
        "",
        "ns/packet",
        "× raw",
        "of a processor",
        "packets/s per listener",
        "missing",
        "doubled",
    ]);
    let values = |of: Subject| -> Vec<f64> {
        let found = subjects.iter().position(|subject| *subject == of).and_then(|at| all.get(at));
        found.map(|measured| measured.iter().map(|one| one.ns).collect()).unwrap_or_default()
    };
    let cell = |spread: Option<Spread>, digits: usize| {
        spread.map_or_else(String::new, |spread| format!("{spread:.digits$}"))
    };
    for (&subject, measured) in subjects.iter().zip(all) {
        let each = |of: fn(&Measured) -> f64| Spread::of(measured.iter().map(of));
        table.row([
            subject.title().to_owned(),
            cell(each(|one| one.ns), 0),
            cell(Spread::ratio(&values(subject), &values(Subject::Raw)), 2),
            cell(each(|one| one.busy * 100.0), 1) + " %",
            cell(each(|one| one.rate), 2),
            measured.iter().map(|one| one.missing).sum::<u64>().to_string(),
            measured.iter().map(|one| one.doubled).sum::<u64>().to_string(),
        ]);
    }
    table
}

/// Who sends during a measurement.
enum Sender {
    Raw { stop: Arc<AtomicBool>, thread: JoinHandle<std::io::Result<()>>, moved: Arc<Moved> },
    Pool(Box<Pool>),
}

/// The raw loop's thread.
const RAW: &str = "raw-sender";

impl Sender {
    fn cpu_ns(&self, soft: &[u32]) -> Result<u64, Box<dyn Error>> {
        let name = match self {
            Sender::Raw { .. } => RAW,
            Sender::Pool(_) => "media-",
        };
        let own = threads_ns(std::process::id(), name).filter(|used| *used > 0);
        let soft: u64 = soft.iter().filter_map(|pid| threads_ns(*pid, "")).sum();
        Ok(own.ok_or("the sender is gone")? + soft)
    }

    /// Packets sent, and how many of them past the sockets.
    fn sent(&self) -> (u64, u64) {
        match self {
            Sender::Raw { moved, .. } => (moved.packets_out.load(Ordering::Relaxed), 0),
            Sender::Pool(pool) => (pool.total().packets_out, pool.total().packets_af_xdp),
        }
    }

    fn end(self) -> Result<(), Box<dyn Error>> {
        match self {
            Sender::Raw { stop, thread, .. } => {
                stop.store(true, Ordering::Relaxed);
                thread.join().map_err(|_| "the raw loop panicked")??;
            }
            Sender::Pool(pool) => pool.shutdown(),
        }
        Ok(())
    }
}

fn measure(options: &Options, subject: Subject, listeners: u32) -> Result<Measured, Box<dyn Error>> {
    let net = Net::new()?;
    let mut sides = Vec::new();
    for place in [Place::Carrier, Place::Agents] {
        let _there = net.enter(place)?;
        let mut side = Telephones::new(place, listeners, PORTS, Sink::Sockets)?;
        for leg in 0..listeners {
            side.connect(leg, port(PORTS, leg), port(PORTS, leg))?;
        }
        sides.push(side);
    }
    let mut speaker = Speaker::new(sides);
    let sender = {
        let _there = net.enter(Place::Switch)?;
        match subject {
            Subject::Raw => raw(options, listeners)?,
            Subject::Sockets | Subject::AfXdp => Sender::Pool(Box::new(pool(options, subject, listeners)?)),
        }
    };
    if let Sender::Pool(pool) = &sender {
        listen(pool, subject, listeners, &mut speaker)?;
    }
    let soft = named("ksoftirqd/");
    std::thread::sleep(Duration::from_millis(300));
    let look = |speaker: &Speaker| -> Result<_, Box<dyn Error>> {
        Ok((speaker.heard()?, sender.cpu_ns(&soft)?, sender.sent(), Instant::now()))
    };
    let before = look(&speaker)?;
    std::thread::sleep(Duration::from_secs(options.seconds));
    let after = look(&speaker)?;
    sender.end()?;
    let past = after.2.1 - before.2.1;
    let sent = after.2.0 - before.2.0;
    if subject == Subject::AfXdp && past * 100 < sent * 99 {
        return Err(format!("only {past} of {sent} packets passed the sockets by").into());
    }
    let (before, after) = ((before.0, before.1, before.3), (after.0, after.1, after.3));
    Ok(measured(listeners, before, after))
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets are small")]
fn measured(listeners: u32, before: (Heard, u64, Instant), after: (Heard, u64, Instant)) -> Measured {
    let wall = (after.2 - before.2).as_secs_f64();
    let packets = (after.0.packets - before.0.packets) as f64;
    let ns = (after.1 - before.1) as f64;
    Measured {
        ns: ns / packets,
        busy: ns / 1e9 / wall,
        rate: packets / wall / f64::from(listeners),
        missing: after.0.missing - before.0.missing,
        doubled: after.0.doubled - before.0.doubled,
    }
}

/// The telephone of leg `leg`.
fn telephone(leg: u32) -> SocketAddr {
    let side = if leg.is_multiple_of(2) { Place::Carrier } else { Place::Agents };
    SocketAddr::new(IpAddr::V4(side.address()), port(PORTS, leg))
}

fn raw(options: &Options, listeners: u32) -> Result<Sender, Box<dyn Error>> {
    let from = |leg| SocketAddr::new(IpAddr::V4(SWITCH), port(PORTS, leg));
    let sender = NullSender::bind((0..listeners).map(|leg| (from(leg), telephone(leg))))?;
    let (moved, stop, cpu) = (sender.moved(), Arc::new(AtomicBool::new(false)), options.cpu);
    let asked = Arc::clone(&stop);
    let body = move || {
        pin_to(cpu)?;
        sender.run(Calls::Uring, &asked)
    };
    let thread = std::thread::Builder::new().name(RAW.into()).spawn(body)?;
    Ok(Sender::Raw { stop, thread, moved })
}

fn pool(options: &Options, subject: Subject, listeners: u32) -> Result<Pool, Box<dyn Error>> {
    let interfaces = [Place::Carrier, Place::Agents].map(|side| side.ends()[1].name.to_owned()).to_vec();
    let offload = (subject == Subject::AfXdp).then_some(OffloadConfig { interfaces, calls_max: 10 });
    let config = PoolConfig {
        pin: vec![options.cpu],
        offload,
        legs_max: listeners as usize,
        commands_max: listeners as usize * 4,
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

/// Lets all listeners speak until each is known, then hear music in silence.
fn listen(
    pool: &Pool,
    subject: Subject,
    listeners: u32,
    speaker: &mut Speaker,
) -> Result<(), Box<dyn Error>> {
    // The ring has room for all commands.
    let tell = |command: Command| pool.send(0, command).is_ok();
    let (mut locked, mut up) = (0, 0);
    let deadline = Instant::now() + SOON;
    while up < listeners {
        let more = STEP.min(listeners - up);
        for leg in up..up + more {
            let (key, remote) = (LegKey(u64::from(leg)), telephone(leg));
            tell(Command::AddLeg { leg: key, port: port(PORTS, leg), local: IpAddr::V4(SWITCH) });
            let learn_from = vec![remote.ip()];
            tell(Command::SetRemote { leg: key, negotiated: pcma(remote), learn_from, timeout: None });
        }
        up += more;
        speaker.set_legs(up)?;
        while locked < up {
            speaker.speak_for(Duration::from_millis(100), false)?;
            for event in std::iter::from_fn(|| pool.try_recv()) {
                match event {
                    Event::BindFailed { leg, why } => return Err(format!("leg {leg}: {why:?}").into()),
                    Event::Locked { .. } => locked += 1,
                    _ => {}
                }
            }
            if Instant::now() > deadline {
                return Err(format!("{locked} of {up} listeners are known after {SOON:?}").into());
            }
        }
    }
    // From their last words the way is known.
    speaker.speak_for(Duration::from_millis(100), false)?;
    let music = Arc::new(tone());
    for leg in 0..listeners {
        tell(Command::Music { leg: LegKey(u64::from(leg)), music: Arc::clone(&music) });
        if leg % 50 == 49 {
            // Not all at once: they shall be spread over the frame, as callers are.
            std::thread::sleep(Duration::from_millis(7));
        }
    }
    while pool.total().packets_out < u64::from(listeners) * 10 {
        if Instant::now() > deadline + SOON {
            return Err(format!("no music after {SOON:?} ({subject:?}): {:?}", pool.total()).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
