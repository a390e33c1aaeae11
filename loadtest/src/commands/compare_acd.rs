//! `compare-acd`: how soon a free agent gets the next caller who waits, how soon a caller gets a free agent, and what
//! a distributed call costs. No distributor that Debian has can be put beside: they come as figures measured elsewhere.
//! In the same minutes, on the same processor, as the floor: one datagram answered by one datagram.

use std::error::Error;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use usher_load::results::{Chart, Group, Page, Scale, Series, Spread, Table};
use worker::net::pin_to;

use crate::calls::{Calls, Manner, Sides, Times};
use crate::server::Stand;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    stand: Stand,
    /// Agents.
    #[arg(long, default_value_t = 50)]
    agents: usize,
    /// Callers who wait besides those who talk.
    #[arg(long, default_value_t = 250)]
    waiting: usize,
    /// How long agents let it ring, in milliseconds.
    #[arg(long, default_value_t = 20)]
    ring_ms: u64,
    /// How long a talk is, in milliseconds.
    #[arg(long, default_value_t = 200)]
    hold_ms: u64,
    /// Calls in each measurement.
    #[arg(long, default_value_t = 2000)]
    calls: u64,
    /// Calls per second where agents are free.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: u64,
}

/// A distributor measured on the same kind of machine on another day: medians in milliseconds, cost in microseconds.
struct Other {
    name: &'static str,
    idle_ms: f64,
    ring_ms: f64,
    cpu_us: Spread,
}

const ELSEWHERE: [Other; 2] = [
    Other {
        name: "Asterisk app_queue",
        idle_ms: 231.0,
        ring_ms: 2.0,
        cpu_us: Spread { median: 5750.0, low: 5300.0, high: 6200.0 },
    },
    Other {
        name: "FreeSWITCH mod_callcenter",
        idle_ms: 2336.0,
        ring_ms: 70.0,
        cpu_us: Spread { median: 84_000.0, low: 40_000.0, high: 128_000.0 },
    },
];

/// What one round showed.
#[derive(Debug)]
struct Round {
    /// From a datagram to its answer.
    datagram_us: Times,
    /// A free agent's wait for the next caller while callers wait.
    idle_us: Times,
    /// From INVITE to the agent's INVITE while agents are free.
    ring_us: Times,
    /// Processor time per call while callers wait.
    cpu_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    pin_to(options.stand.cpu)?;
    let mut rounds = Vec::new();
    for number in 0..options.rounds {
        let datagram_us = datagrams(options)?;
        let (idle_us, ring_us, cpu_us) = distribute(options, number)?;
        let round = Round { datagram_us, idle_us, ring_us, cpu_us };
        println!("{round:?}");
        rounds.push(round);
    }
    let path = page(options, &rounds).save(&options.stand.out)?;
    println!("saved to {}", path.display());
    Ok(())
}

/// One datagram answered by one datagram, by a thread that does nothing else.
fn datagrams(options: &Options) -> Result<Times, Box<dyn Error>> {
    let (server, client) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    }
    client.connect(server.local_addr()?)?;
    let over = Arc::new(AtomicBool::new(false));
    let (over_too, cpu) = (Arc::clone(&over), options.stand.server_cpu);
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        pin_to(cpu)?;
        let mut buffer = [0; 2048];
        while !over_too.load(Ordering::Relaxed) {
            if let Ok((size, from)) = server.recv_from(&mut buffer) {
                server.send_to(buffer.get(..size).unwrap_or_default(), from)?;
            }
        }
        Ok(())
    });
    let mut times = Histogram::new(3)?;
    let message = [b'x'; 800];
    for _ in 0..options.calls {
        let sent = Instant::now();
        client.send(&message)?;
        client.recv(&mut [0; 2048])?;
        times.record(u64::try_from(sent.elapsed().as_micros())?)?;
        std::thread::sleep(Duration::from_millis(1));
    }
    over.store(true, Ordering::Relaxed);
    echo.join().map_err(|_| "the thread that answers has died")??;
    Ok(Times::of(&times))
}

/// First more callers than agents, then fewer.
fn distribute(options: &Options, round: u64) -> Result<(Times, Times, f64), Box<dyn Error>> {
    let sides = Sides::on_this_machine(5070);
    let server = options.stand.switch(&sides, options.agents)?;
    let manner = Manner {
        hold: Some(Duration::from_millis(options.hold_ms)),
        rings: Duration::from_millis(options.ring_ms),
        voices: false,
    };
    let first = round * 10 * options.calls;
    let mut calls = Calls::new(sides.clone(), manner, None)?.numbered_from(first);
    let before = server.cpu_us()?;
    calls.run_closed(options.calls, options.agents + options.waiting)?;
    let spent = server.cpu_us()?.saturating_sub(before);
    let waited = calls.counts();
    drop(calls);
    let mut calls = Calls::new(sides, manner, None)?.numbered_from(first + 5 * options.calls);
    calls.run(options.calls, options.rate)?;
    let free = calls.counts();
    if waited.completed < options.calls || free.completed < options.calls {
        return Err(format!("not every call was completed: {waited:?} {free:?}").into());
    }
    Ok((waited.idle_us, free.ring_us, spent as f64 / waited.completed as f64))
}

fn ms(rounds: &[Round], what: impl Fn(&Round) -> u64) -> Option<Spread> {
    Spread::of(rounds.iter().map(|round| what(round) as f64 / 1000.0))
}

fn page(options: &Options, rounds: &[Round]) -> Page {
    let mut page = Page::new("compare-acd", "Distributed calls", "make compare-acd");
    page.block(format!(
        "{} agents who let it ring for {} ms, talks of {} ms. \"Agent idle\": a free agent's wait for the next call while \
         {} callers wait. \"Caller rings\": from INVITE to the INVITE at the agent, {} calls/s, agents free. One processor \
         for the switch, the other for callers and agents. Median (least - most) of {} rounds of {} calls each.",
        options.agents,
        options.ring_ms,
        options.hold_ms,
        options.waiting,
        options.rate,
        rounds.len(),
        options.calls,
    ));
    let cell = |spread: Option<Spread>| spread.map(|spread| format!("{spread:.2}")).unwrap_or_default();
    let idle = ms(rounds, |round| round.idle_us.p50);
    let ring = ms(rounds, |round| round.ring_us.p50);
    let cpu = Spread::of(rounds.iter().map(|round| round.cpu_us));
    let head = [
        "distributor",
        "agent idle p50, ms",
        "p99, ms",
        "caller rings p50, ms",
        "p99, ms",
        "µs CPU per call",
    ];
    let mut table = Table::new(head);
    let floor =
        [ms(rounds, |round| round.datagram_us.p50), ms(rounds, |round| round.datagram_us.p99)].map(cell);
    let [floor_p50, floor_p99] = floor;
    table.row([
        "a datagram and its answer".to_owned(),
        floor_p50.clone(),
        floor_p99.clone(),
        floor_p50,
        floor_p99,
    ]);
    table.row([
        "Usher".to_owned(),
        cell(idle),
        cell(ms(rounds, |round| round.idle_us.p99)),
        cell(ring),
        cell(ms(rounds, |round| round.ring_us.p99)),
        cpu.map(|cpu| format!("{cpu:.0}")).unwrap_or_default(),
    ]);
    let mut series = vec![Series::here("Usher")];
    let (mut idles, mut rings, mut costs) = (vec![idle], vec![ring], vec![cpu.map(to_ms)]);
    for Other { name, idle_ms, ring_ms, cpu_us } in &ELSEWHERE {
        table.row([
            format!("{name} (measured elsewhere)"),
            format!("{idle_ms:.0}"),
            String::new(),
            format!("{ring_ms:.0}"),
            String::new(),
            format!("{:.0} - {:.0}", cpu_us.low, cpu_us.high),
        ]);
        series.push(Series::elsewhere(name));
        idles.push(Some(Spread::exactly(*idle_ms)));
        rings.push(Some(Spread::exactly(*ring_ms)));
        costs.push(Some(to_ms(*cpu_us)));
    }
    page.block(table);
    let groups = vec![
        Group::new("a free agent waits for the next call (p50)", idles),
        Group::new("a caller waits for a free agent to ring (p50)", rings),
        Group::new("processor time per distributed call", costs),
    ];
    let (title, unit) = ("Distributed calls".to_owned(), "ms, less is better".to_owned());
    page.chart("times", &Chart { title, unit, series, groups, limit: None, scale: Scale::Logarithmic });
    page
}

fn to_ms(us: Spread) -> Spread {
    Spread { median: us.median / 1000.0, low: us.low / 1000.0, high: us.high / 1000.0 }
}
