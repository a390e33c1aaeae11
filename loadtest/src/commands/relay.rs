//! `relay`: the legs of the rig, relayed by nothing but system calls or by the switch's media thread.
//!
//! Speaks with whoever started it: prints `ready` when its sockets are open, then for each line it reads
//! prints one line of JSON with what it used so far, and ends when its input ends.

use std::error::Error;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use base::LegKey;
use media::sdp::Negotiated;
use media::{Codec, Command, Event, Prompt};
use serde::{Deserialize, Serialize};
use usher_load::null_relay::{Calls, NullRelay};
use usher_load::null_sender::NullSender;
use usher_load::rig::Rig;
use usher_load::rtp::resident_bytes;
use worker::net::{pin_to, process_cpu_time, raise_file_limit};
use worker::{Pool, PoolConfig};

/// What relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Two connected sockets per call and nothing else, by epoll.
    NullEpoll,
    /// Two connected sockets per call and nothing else, by io_uring.
    NullUring,
    /// The switch's media thread, legs bridged, by epoll.
    BridgeEpoll,
    /// The switch's media thread, legs bridged, by io_uring.
    BridgeUring,
    /// The switch's media thread, music to every leg, by epoll.
    PromptEpoll,
    /// The switch's media thread, music to every leg, by io_uring.
    PromptUring,
    /// A packet to every leg each 20 ms and nothing else, one system call each.
    SendMmsg,
    /// A packet to every leg each 20 ms and nothing else, by io_uring.
    SendUring,
}

/// What a kind of relay does with what it hears.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Passes it on, without logic.
    Pass,
    Bridge,
    Prompt,
    /// Only sends, without logic.
    Send,
}

impl Kind {
    const fn task(self) -> Task {
        match self {
            Kind::NullEpoll | Kind::NullUring => Task::Pass,
            Kind::SendMmsg | Kind::SendUring => Task::Send,
            Kind::BridgeEpoll | Kind::BridgeUring => Task::Bridge,
            Kind::PromptEpoll | Kind::PromptUring => Task::Prompt,
        }
    }

    /// Whether its legs hear prompts.
    pub(crate) const fn plays(self) -> bool {
        matches!(self.task(), Task::Prompt | Task::Send)
    }

    const fn is_uring(self) -> bool {
        matches!(self, Kind::NullUring | Kind::BridgeUring | Kind::PromptUring | Kind::SendUring)
    }
}

/// Which relay, how.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What relays.
    #[arg(long, value_enum, default_value_t = Kind::BridgeUring)]
    pub(crate) kind: Kind,
    #[command(flatten)]
    rig: Rig,
    /// Microseconds between two wake-ups; 0 wakes for each packet.
    #[arg(long, default_value_t = 1000)]
    coalesce_us: u32,
    /// Processor to stay on.
    #[arg(long)]
    cpu: Option<usize>,
    /// Let strangers reach the sockets even when the peer is known.
    #[arg(long)]
    unconnected: bool,
}

/// What a relay has used and moved since its start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Used {
    /// Processor time of the whole process.
    pub(crate) cpu_us: u64,
    /// Datagrams received.
    pub(crate) packets_in: u64,
    /// Datagrams sent.
    pub(crate) packets_out: u64,
    /// Wake-ups.
    pub(crate) rounds: u64,
    /// Wake-ups over 1 ms late.
    pub(crate) rounds_late: u64,
    /// Resident memory.
    pub(crate) resident_bytes: u64,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    if let Some(cpu) = options.cpu {
        pin_to(cpu)?;
    }
    match options.kind.task() {
        Task::Pass | Task::Send => run_null(options),
        Task::Bridge | Task::Prompt => run_pool(options),
    }
}

fn run_null(options: &Options) -> Result<(), Box<dyn Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let calls = if options.kind.is_uring() { Calls::Uring } else { Calls::Epoll };
    let asked = Arc::clone(&stop);
    let (moved, thread) = if options.kind.task() == Task::Send {
        let sender = NullSender::bind(
            options.rig.legs().map(|leg| (options.rig.relay(leg), options.rig.generator(leg))),
        )?;
        (sender.moved(), std::thread::spawn(move || sender.run(calls, &asked)))
    } else {
        let tick = Duration::from_micros(u64::from(options.coalesce_us));
        let relay = NullRelay::bind(&options.rig, tick)?;
        (relay.moved(), std::thread::spawn(move || relay.run(calls, &asked)))
    };
    let done = converse(|| Used {
        packets_in: moved.packets_in.load(Ordering::Relaxed),
        packets_out: moved.packets_out.load(Ordering::Relaxed),
        rounds: moved.rounds.load(Ordering::Relaxed),
        ..Used::default()
    });
    stop.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| "the relay's thread died")??;
    done
}

fn run_pool(options: &Options) -> Result<(), Box<dyn Error>> {
    let config = PoolConfig {
        coalesce_us: options.coalesce_us,
        io: if options.kind.is_uring() { "io_uring" } else { "epoll" }.parse()?,
        connect_locked: !options.unconnected,
        ..PoolConfig::default()
    };
    let (bell, rung) = mpsc::channel();
    let pool = Pool::start(&config, move || {
        // Nobody listens any more once the process ends.
        let _ = bell.send(());
    })?;
    add_legs(&pool, options)?;
    let legs = u64::from(options.rig.calls) * 2;
    let deadline = Instant::now() + Duration::from_secs(10);
    while pool.total().legs < legs {
        if let Some(Event::BindFailed { leg, why }) = pool.try_recv() {
            return Err(format!("leg {leg}: {why:?}").into());
        }
        if Instant::now() > deadline {
            return Err("the legs were not there after 10 s".into());
        }
        let _ = rung.recv_timeout(Duration::from_millis(10));
    }
    let done = converse(|| {
        while pool.try_recv().is_some() {}
        let total = pool.total();
        Used {
            packets_in: total.packets_in,
            packets_out: total.packets_out,
            rounds: total.rounds,
            rounds_late: total.rounds_late,
            ..Used::default()
        }
    });
    pool.shutdown();
    done
}

fn add_legs(pool: &Pool, options: &Options) -> Result<(), Box<dyn Error>> {
    let rig = &options.rig;
    let tell = |command: Command| {
        let mut command = command;
        // The ring is smaller than what comes at once here: wait for the thread to take some.
        while let Err(full) = pool.send(0, command) {
            command = *full.0;
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let music = Arc::new(tone());
    for leg in rig.legs() {
        let (local, remote, key) = (rig.relay(leg), rig.generator(leg), LegKey(u64::from(leg)));
        tell(Command::AddLeg { leg: key, port: local.port(), local: local.ip() });
        let negotiated = pcma(remote);
        tell(Command::SetRemote { leg: key, negotiated, learn_from: vec![remote.ip()], timeout: None });
        if options.kind.plays() {
            tell(Command::Music { leg: key, music: Arc::clone(&music) });
        } else if leg != Rig::other(leg) && leg % 2 == 1 {
            tell(Command::Bridge { a: LegKey(u64::from(Rig::other(leg))), b: key });
        }
    }
    Ok(())
}

/// What two sides agreed on who both speak G.711.
pub(crate) fn pcma(remote: SocketAddr) -> Negotiated {
    let plain = Negotiated::plain(remote, Codec::Pcma);
    Negotiated {
        remote_rtcp: remote,
        rtcp_mux: true,
        dtmf_payload_type: None,
        dtmf_payload_type_in: None,
        ..plain
    }
}

/// Ten seconds of a tone: long enough that two listeners are at different places.
pub(crate) fn tone() -> Prompt {
    let sample = |n: u32| (f64::from(n) * 440.0 * std::f64::consts::TAU / 8000.0).sin() * 8000.0;
    let samples: Vec<i16> = (0..80_000).map(|n| sample(n) as i16).collect();
    Prompt::from_samples_8k(&samples)
}

fn converse(mut used: impl FnMut() -> Used) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let cpu_us = u64::try_from(process_cpu_time().as_micros())?;
        let resident_bytes = resident_bytes(std::process::id()).unwrap_or(0);
        writeln!(out, "{}", serde_json::to_string(&Used { cpu_us, resident_bytes, ..used() })?)?;
        out.flush()?;
    }
    Ok(())
}
