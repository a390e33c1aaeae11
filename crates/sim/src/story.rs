//! A random day at the hotline: callers come, choose, wait, give up, talk; agents answer, let it ring,
//! refuse, hang up, hold, refer; and, if the day is a bad one, everything fails that can. What must hold
//! is checked at every step and, when all has drained, at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use base::Duration;

use crate::chaos::Chaos;
use crate::fault::Fault;
use crate::house::{CARRIER, CARRIER_B, phone_address};
use crate::mischief;
use crate::net::Weather;
use crate::world::{Handle, World};

/// What kind of day.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// Everything random comes from it.
    pub seed: u64,
    /// Calls that arrive.
    pub calls: usize,
    /// Agents.
    pub agents: usize,
    /// The network, unless the chaos has its own.
    pub weather: Weather,
    /// Whether everything fails that can.
    pub chaos: bool,
    /// Whether the story is kept, for telling what led to a fault.
    pub trace: bool,
}

impl Day {
    /// A day on which everything fails that can.
    pub const fn bad(seed: u64) -> Day {
        Day { seed, calls: 16, agents: 4, weather: Weather::FINE, chaos: true, trace: false }
    }
}

/// What a day was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls placed by callers.
    pub calls: usize,
    /// Records by outcome.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Steps of the world.
    pub steps: u64,
    /// What went wrong in it.
    pub faults: BTreeSet<Fault>,
    /// Every call, step by step, one line each.
    pub stories: Vec<String>,
}

/// A day on which something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed to live it again.
    pub seed: u64,
    /// What did not hold.
    pub what: String,
    /// What led to it.
    pub trace: Vec<String>,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {} FAILED: {}", self.seed, self.what)
    }
}

/// Lives a day. One that fails is lived again, and the second time the story is kept.
///
/// # Errors
/// What did not hold.
pub fn live(day: Day) -> Result<Summary, Box<Failure>> {
    match attempt(day) {
        Err(failure) if !day.trace => attempt(Day { trace: true, ..day }).and(Err(failure)),
        other => other,
    }
}

/// A panic (an oracle's, or one of the code under test) is a failure of the day.
fn attempt(day: Day) -> Result<Summary, Box<Failure>> {
    let mut world = World::new(day.seed, day.agents);
    world.trace.on = day.trace;
    let lived = catch_unwind(AssertUnwindSafe(|| run(&mut world, day)));
    lived.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let trace = world.trace.lines().map(str::to_owned).collect();
        Box::new(Failure { seed: day.seed, what: text.to_owned(), trace })
    })
}

fn run(world: &mut World, day: Day) -> Summary {
    for (number, tier) in [("13800000001", "diamond"), ("13800000002", "gold"), ("13800000003", "silver")] {
        world.know(number, tier, "en", number.ends_with('3'));
    }
    world.agents_ready(day.agents);
    world.net.weather = day.weather;
    let mut chaos = day.chaos.then(|| Chaos::new(world, day.agents));
    let mut open: Vec<Handle> = Vec::new();
    for _ in 0..day.calls {
        let caller = format!("1380000000{}", world.draw(6));
        let number = if world.draw(8) == 0 { "10001" } else { "10000" };
        open.push(world.call(&caller, number));
        if world.draw(4) > 0 {
            let pause = 800 + world.draw(6_000);
            world.run(Duration::from_millis(pause));
            // People, or one's balance (8: self-service, 1: account, 1: balance).
            let keys = if number == "10000" && world.draw(4) > 0 { "0" } else { "811" };
            for key in keys.chars().skip(usize::from(number == "10001" && keys.len() > 1)) {
                world.press(key);
                let pause = world.draw(1_500);
                world.run(Duration::from_millis(pause));
            }
        }
        for _ in 0..world.draw(6) {
            let pause = world.draw(9_000);
            world.run(Duration::from_millis(pause));
            mischief::anything(world, day.agents, &open);
            if let Some(chaos) = &mut chaos {
                chaos.strike(world);
            }
        }
    }
    if let Some(chaos) = chaos {
        chaos.end(world);
    }
    evening(world, &open);
    summary(world, day.calls)
}

/// Everybody goes home; then nothing may be left.
fn evening(world: &mut World, open: &[Handle]) {
    for &handle in open {
        world.hang_up(handle);
        let pause = world.draw(500);
        world.run(Duration::from_millis(pause));
    }
    world.net.weather = Weather::FINE;
    // Who is still being rung may yet answer, and who was promised a call is called once agents are free.
    let mut quiet = 0;
    for _ in 0..12 {
        world.run(Duration::from_secs(40));
        let phones: Vec<_> =
            world.phones.iter().map(|(address, phone)| (*address, phone.lines.len())).collect();
        for (address, lines) in phones {
            for line in 0..lines {
                world.hang_up((address, line));
            }
        }
        quiet = if world.local.switch().calls() == 0 { quiet + 1 } else { 0 };
        if quiet == 3 {
            break;
        }
    }
    world.rest();
}

fn summary(world: &World, calls: usize) -> Summary {
    let mut summary = Summary { calls, steps: world.steps, faults: world.all_faults(), ..Summary::default() };
    for record in &world.records {
        *summary.outcomes.entry(record.outcome.word()).or_default() += 1;
        let steps = World::story(record).join(", ");
        summary.stories.push(format!("{} {} {steps}", record.key, record.outcome));
    }
    summary
}

/// Everybody who may be harmed: the agents' phones and the carriers.
pub(crate) fn everybody(agents: usize) -> Vec<std::net::SocketAddr> {
    (0..agents).map(phone_address).chain([CARRIER, CARRIER_B]).collect()
}
