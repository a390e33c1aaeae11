//! `compare-sip`: the switch and Debian's Kamailio (a stateful proxy, no more) in turn on one processor, under
//! the same calls from the same generator on the other.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use usher_load::results::{Chart, Group, Page, Scale, Series, Spread, Table};
use worker::net::pin_to;

use crate::calls::{Calls, Manner, Sides};
use crate::server::{Server, Stand, absolute};

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    stand: Stand,
    /// The proxy.
    #[arg(long, default_value = "/usr/sbin/kamailio")]
    kamailio: PathBuf,
    /// The proxy's configuration.
    #[arg(long, default_value = "loadtest/compare/kamailio.cfg")]
    kamailio_config: PathBuf,
    /// Calls per second.
    #[arg(long, value_delimiter = ',', default_value = "300,1000,1500")]
    rates: Vec<u32>,
    /// How long at each rate, in seconds.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Rounds: in each, both run at every rate.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Measured elsewhere, on another day: median processor time per call where the machine was quiet, and the most
/// calls per second that came clean.
const ELSEWHERE: [(&str, f64, &str); 3] = [
    ("Asterisk 22.10", 3300.0, "160-180"),
    ("FreeSWITCH 1.10.12", 12_500.0, "50"),
    ("RustPBX 0.5.0-rc.1", 5900.0, "150"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Usher,
    Kamailio,
}

impl Peer {
    const ALL: [Peer; 2] = [Peer::Usher, Peer::Kamailio];

    const fn name(self) -> &'static str {
        match self {
            Peer::Usher => "Usher",
            Peer::Kamailio => "Kamailio",
        }
    }

    fn sides(self) -> Sides {
        Sides::on_this_machine(match self {
            Peer::Usher => 5070,
            Peer::Kamailio => 5072,
        })
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    peer: Peer,
    rate: u32,
    cpu_us_per_call: f64,
    completed: f64,
    answer_p50_us: f64,
    answer_p99_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    pin_to(options.stand.cpu)?;
    let mut runs = Vec::new();
    for _ in 0..options.rounds {
        for peer in Peer::ALL {
            let server = start(options, peer)?;
            for (index, &rate) in (0u64..).zip(&options.rates) {
                let run = measure(options, peer, rate, (&server, index * 1_000_000))?;
                println!("{run:?}");
                runs.push(run);
            }
        }
    }
    let path = page(options, &runs).save(&options.stand.out)?;
    println!("saved to {}", path.display());
    Ok(())
}

fn start(options: &Options, peer: Peer) -> Result<Server, Box<dyn Error>> {
    match peer {
        Peer::Usher => options.stand.switch(&peer.sides(), 300),
        Peer::Kamailio => {
            let config = absolute(&options.kamailio_config)?;
            let server = Server::start(&options.kamailio, options.stand.server_cpu, |folder, command| {
                command.args(["-DD", "-E", "-m", "256", "-M", "16", "-f"]).arg(&config);
                command.arg("-Y").arg(folder).arg("-w").arg(folder);
            })?;
            answers(peer.sides().switch)?;
            Ok(server)
        }
    }
}

/// Waits until somebody answers OPTIONS there.
fn answers(server: SocketAddr) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let here = socket.local_addr()?;
    for number in 0..100 {
        let text = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKo{number}\r\nMax-Forwards: 0\r\n\
             From: <sip:{here}>;tag=o\r\nTo: <sip:{server}>\r\nCall-ID: o{number}@load\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        // Refused until it listens.
        let _ = socket.send_to(text.as_bytes(), server);
        if socket.recv(&mut [0; 2048]).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("nobody answers at {server}").into())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn measure(
    options: &Options,
    peer: Peer,
    rate: u32,
    (server, first): (&Server, u64),
) -> Result<Run, Box<dyn Error>> {
    let manner = Manner { hold: Some(Duration::ZERO), ..Manner::default() };
    let mut calls = Calls::new(peer.sides(), manner, None)?.numbered_from(first);
    let before = server.cpu_us()?;
    calls.run(u64::from(rate * options.seconds), f64::from(rate))?;
    let after = server.cpu_us()?;
    let counts = calls.counts();
    if counts.completed == 0 {
        return Err(format!("{}: no call was completed: {counts:?}", peer.name()).into());
    }
    let (spent, completed, begun) =
        (after.saturating_sub(before) as f64, counts.completed as f64, counts.begun as f64);
    Ok(Run {
        peer,
        rate,
        cpu_us_per_call: spent / completed,
        completed: completed / begun,
        answer_p50_us: counts.answer_us.p50 as f64,
        answer_p99_us: counts.answer_us.p99 as f64,
    })
}

fn of(runs: &[Run], peer: Peer, rate: u32, what: impl Fn(&Run) -> f64) -> Option<Spread> {
    Spread::of(runs.iter().filter(|run| run.peer == peer && run.rate == rate).map(what))
}

fn page(options: &Options, runs: &[Run]) -> Page {
    let mut page = Page::new("compare-sip", "Whole calls: Usher beside Kamailio", "make compare-sip");
    page.block(
        "One processor for the server, the other for the generator; both servers in turn, the same calls: INVITE to BYE, \
         both ends. Usher is the whole switch: two dialogs, a directory look-up, two media ports opened and bridged, the \
         distributor's choice, a call record in the database. Kamailio is a stateful proxy that passes the messages on. \
         Median (least - most) of the rounds.",
    );
    let mut table =
        Table::new(["calls/s, server", "µs CPU per call", "completed, %", "200 p50, ms", "200 p99, ms"]);
    let mut groups = Vec::new();
    for &rate in &options.rates {
        for peer in Peer::ALL {
            let figures = [
                (of(runs, peer, rate, |run| run.cpu_us_per_call), 0),
                (of(runs, peer, rate, |run| run.completed * 100.0), 1),
                (of(runs, peer, rate, |run| run.answer_p50_us / 1000.0), 1),
                (of(runs, peer, rate, |run| run.answer_p99_us / 1000.0), 1),
            ];
            let cells = figures.iter().map(|(spread, digits)| {
                spread.map(|spread| format!("{spread:.digits$}")).unwrap_or_default()
            });
            table.row(core::iter::once(format!("{rate}, {}", peer.name())).chain(cells));
        }
        let cpu = |peer| of(runs, peer, rate, |run| run.cpu_us_per_call);
        groups.push(Group::new(&format!("{rate} calls/s"), Peer::ALL.map(cpu)));
    }
    page.block(table);
    page.block("Not in Debian; measured elsewhere, on the same kind of machine on another day:");
    let mut others = Table::new(["server", "µs CPU per bridged call", "clean calls/s"]);
    let mut elsewhere = vec![None; Peer::ALL.len()];
    let mut series: Vec<Series> = Peer::ALL.iter().map(|peer| Series::here(peer.name())).collect();
    for (name, us, rate) in ELSEWHERE {
        others.row([name.to_owned(), format!("{us:.0}"), rate.to_owned()]);
        series.push(Series::elsewhere(name));
        elsewhere.push(Some(Spread::exactly(us)));
    }
    page.block(others);
    groups.push(Group::new("other days", elsewhere));
    let (title, unit) = ("Processor time per whole call".to_owned(), "µs, less is better".to_owned());
    page.chart("cpu", &Chart { title, unit, series, groups, limit: None, scale: Scale::Logarithmic });
    page
}
