//! The demonstration: agents who register, answer and hang up, callers who listen, press keys, wait and
//! talk, all with real SIP (written and read by `rsip`) and real RTP, and an account of what they saw.
//!
//! Each person is one task, and his behaviour is written down as he would tell it: see [`caller`], [`agent`].

mod agent;
mod caller;
pub(crate) mod http;
pub(crate) mod message;
pub(crate) mod people;
mod phone;
mod sdp;
mod table;
mod tally;
mod voice;
mod wire;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};

use agent::Desk;
use caller::Trunk;
use http::Api;
use people::{Agent, Directory};
use table::{Counters, Table};
use tally::Tally;
use wire::Wire;

/// Who plays, against which switch.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds in which calls begin; then those under way have a few more.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Calls at a time.
    #[arg(long, default_value_t = 40)]
    callers: usize,
    /// Agents, the first of the file.
    #[arg(long, default_value_t = 12)]
    agents: usize,
    /// The sample directory that the switch has imported.
    #[arg(long)]
    customers: PathBuf,
    /// The switch's agents.
    #[arg(long, default_value = "config/hotline/agents.toml")]
    agents_file: PathBuf,
    /// The agents' SIP domain.
    #[arg(long, default_value = "hotline.example")]
    domain: String,
    /// The switch's SIP address.
    #[arg(long, default_value = "127.0.0.1:5060")]
    switch: SocketAddr,
    /// Address of the carrier's trunk, where callers call from.
    #[arg(long, default_value = "127.0.0.2")]
    trunk: IpAddr,
    /// Address of the agents' telephones.
    #[arg(long, default_value = "127.0.0.1")]
    desk: IpAddr,
    /// The trunk's gateway: answers the switch's OPTIONS there.
    #[arg(long)]
    gateway: Option<SocketAddr>,
    /// The switch's API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    api: String,
    /// A token of the API with scope `write`.
    #[arg(long, default_value = "demo-token")]
    token: String,
    /// Be the carrier's back end there, too.
    #[arg(long)]
    hooks: Option<SocketAddr>,
    /// The same seed draws the same people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Calls under way when the time is over may go on for so long.
const GRACE: Duration = Duration::from_secs(6);
const PROGRESS: Duration = Duration::from_secs(5);
/// Call records reach the database a moment after the calls.
const RECORDS: Duration = Duration::from_secs(2);

/// Plays, prints, and says whether the switch did what it is for.
pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    LocalSet::new().run_until(play(options)).await
}

async fn play(options: &Options) -> Result<(), Box<dyn Error>> {
    let directory = Rc::new(Directory::read(&options.customers)?);
    let mut agents = people::agents(&options.agents_file)?;
    agents.truncate(options.agents);
    let (api, tally) = (Api::new(&options.api, &options.token), Tally::default());
    if let Some(hooks) = options.hooks {
        tokio::task::spawn_local(http::back_end(hooks));
    }
    if let Some(gateway) = options.gateway {
        tokio::task::spawn_local(be_gateway(Wire::at(gateway)?));
    }
    let before = Counters::read(&api).await?;
    let from_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let start = Instant::now();
    let last_call = start + Duration::from_secs(options.seconds);
    let end = last_call + GRACE;
    let desk = Desk {
        address: options.desk,
        switch: options.switch,
        domain: options.domain.clone(),
        api: api.clone(),
        tally: tally.clone(),
        seed: options.seed,
        end: end + Duration::from_millis(500),
    };
    let mut people = JoinSet::new();
    seat(&desk, &agents, &mut people).await?;
    println!("{} agents registered and ready, {} lines of callers.", agents.len(), options.callers);
    let trunk = Trunk {
        address: options.trunk,
        switch: options.switch,
        directory,
        tally: tally.clone(),
        seed: options.seed,
        last_call,
        end,
    };
    for index in 0..options.callers {
        people.spawn_local(caller::place(trunk.clone(), index));
    }
    progress(&api, &tally, &before, start, end).await?;
    let counters = Counters::read(&api).await?.since(&before);
    while let Some(done) = people.join_next().await {
        done??;
    }
    sleep_until(Instant::now() + RECORDS).await;
    let table = Table::read(&api, &counters, from_ms).await?;
    println!("\n{table}");
    account(&tally)
}

/// Every agent at his telephone, ready, and at work.
async fn seat(
    desk: &Desk,
    agents: &[Agent],
    people: &mut JoinSet<std::io::Result<()>>,
) -> Result<(), Box<dyn Error>> {
    let mut arriving = JoinSet::new();
    for (index, agent) in agents.iter().cloned().enumerate() {
        let desk = desk.clone();
        arriving.spawn_local(async move {
            let phone = agent::log_in(&desk, &agent, index).await?;
            Ok::<_, String>((index, agent, phone))
        });
    }
    while let Some(arrived) = arriving.join_next().await {
        let (index, agent, phone) = arrived??;
        people.spawn_local(agent::work(desk.clone(), agent, phone, index));
    }
    Ok(())
}

/// A line every few seconds until the end.
async fn progress(
    api: &Api,
    tally: &Tally,
    before: &Counters,
    start: Instant,
    end: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut at = start;
    while at < end {
        at = (at + PROGRESS).min(end);
        sleep_until(at).await;
        let so_far = Counters::read(api).await?.since(before);
        let (live, talking) = tally.with(|counts| (counts.live, counts.talking));
        println!(
            "{:>4} s   on the line {live:>3}   waiting {:>3}   talking {talking:>3}   answered {:>4}   gave up {:>4}",
            (at - start).as_secs(),
            so_far.waiting(),
            so_far.answered(),
            so_far.abandoned(),
        );
    }
    Ok(())
}

/// The carrier's gateway is there: whatever is asked by OPTIONS gets 200.
async fn be_gateway(wire: Wire) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = wire.receive_from(&mut buffer).await {
        if let Ok(request) = rsip::Request::try_from(buffer.get(..length).unwrap_or_default()) {
            let code = if request.method == rsip::Method::Options { 200 } else { 404 };
            if request.method != rsip::Method::Ack {
                let answer = message::answer(&request, code, "gateway", None, "");
                wire.send(answer.to_string().as_bytes(), from);
            }
        }
    }
}

/// What the telephones saw, and whether it is good.
fn account(tally: &Tally) -> Result<(), Box<dyn Error>> {
    tally.with(|counts| {
        let (both, one) = (counts.both_ways(), counts.one_way());
        println!("What the telephones saw:");
        println!("  calls made         {:>8}   connected {}", counts.calls, counts.connected);
        for (code, count) in &counts.refused {
            println!("  refused with {code}   {count:>8}");
        }
        println!("  agents rung        {:>8}   picked up {}", counts.rung, counts.picked_up);
        println!("  heard both ways    {both:>8}   one way {one}, agents who heard nobody {}", counts.silent);
        println!("  keys pressed       {:>8}   surveys answered {}", counts.keys, counts.surveys);
        let lost = counts.lost;
        #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
        let share = lost as f64 * 100.0 / (counts.packets + lost).max(1) as f64;
        println!("  RTP packets heard  {:>8}   lost {lost} ({share:.3} %)", counts.packets);
        if let (Some(middle), Some(high)) = (counts.delay_ms(50), counts.delay_ms(99)) {
            println!("  mouth to ear       {middle:>6.1} ms   99 % below {high:.1} ms");
        }
        if both == 0 {
            return Err("no caller and agent heard each other".into());
        }
        if counts.deaf > 0 || counts.silent > 0 || one * 50 > both {
            return Err(format!(
                "audio was missing: {} callers heard nothing, {} agents nobody, {one} talks went one way",
                counts.deaf, counts.silent
            )
            .into());
        }
        Ok(())
    })
}
