//! `cargo run -p sim -- --seed 7`: lives days at the hotline on which everything fails that can, and says
//! PASSED, or the seed and what led to the fault. See `--help`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

use std::process::ExitCode;

use sim::story::{self, Day};
use sim::{Coverage, Weather};

const HELP: &str = "\
usage: sim [OPTIONS]
  --seed N      first seed (1)
  --seeds N     so many days, each with the next seed (1)
  --seconds S   days until S seconds are over, however many that are
  --calls N     calls of a day (16)
  --agents N    agents (4)
  --calm        nothing fails but what people do
  --storm       as calm, in a network that loses, doubles and reorders
  --tell        print every call, step by step
exit code: 0 passed, 1 failed, 64 usage";

struct Wish {
    day: Day,
    seeds: u64,
    seconds: Option<u64>,
    tell: bool,
}

/// The wish on the command line; `Err`: what cannot be understood.
fn read(mut words: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut wish = Wish { day: Day::bad(1), seeds: 1, seconds: None, tell: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--calm" => wish.day.chaos = false,
            "--storm" => (wish.day.chaos, wish.day.weather) = (false, Weather::STORM),
            "--tell" => wish.tell = true,
            "--seed" | "--seeds" | "--seconds" | "--calls" | "--agents" => {
                let value = words.next().and_then(|value| value.parse::<u64>().ok());
                let value = value.ok_or_else(|| format!("{word} wants a number"))?;
                let small = usize::try_from(value).unwrap_or(usize::MAX);
                match word.as_str() {
                    "--seed" => wish.day.seed = value,
                    "--seeds" => wish.seeds = value,
                    "--seconds" => wish.seconds = Some(value),
                    "--calls" => wish.day.calls = small,
                    _ => wish.day.agents = small,
                }
            }
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(wish)
}

fn main() -> ExitCode {
    let wish = match read(std::env::args().skip(1)) {
        Ok(wish) => wish,
        Err(error) => {
            eprintln!("{error}\n{HELP}");
            return ExitCode::from(64);
        }
    };
    // What panicked is told with the story, once.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = stopwatch();
    let (mut coverage, mut days, mut calls, mut steps) = (Coverage::default(), 0u64, 0usize, 0u64);
    for seed in wish.day.seed.. {
        let more = match wish.seconds {
            Some(seconds) => begun.elapsed().as_secs() < seconds,
            None => days < wish.seeds,
        };
        if !more {
            break;
        }
        match story::live(Day { seed, ..wish.day }) {
            Ok(summary) => {
                (days, calls, steps) = (days + 1, calls + summary.calls, steps + summary.steps);
                coverage.add(&summary.faults);
                if wish.tell {
                    println!("seed {seed}: {:?}", summary.outcomes);
                    summary.stories.iter().for_each(|story| println!("  {story}"));
                }
            }
            Err(failure) => {
                println!("{failure}");
                println!("again: cargo run -p sim -- --seed {seed}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{coverage}");
    println!("PASSED: {days} days from seed {}, {calls} calls, {steps} steps", wish.day.seed);
    ExitCode::SUCCESS
}

/// The one clock in this crate: how long a soak has lasted. No day ever sees it.
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the length of a soak is told in seconds"
)]
fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}
