//! `cargo run -p sim -- --seed 7 [--seeds 100] [--calls 40] [--agents 5] [--storm] [--tell]`: lives days at the
//! hotline and says what they were; a day in which anything breaks ends with the seed to live it again.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

use std::process::ExitCode;

use sim::{Weather, story};

fn main() -> ExitCode {
    let (mut seed, mut seeds, mut calls, mut agents, mut weather) = (1, 1, 40, 5, Weather::FINE);
    let mut tell = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--storm" {
            weather = Weather::STORM;
            continue;
        }
        if word == "--tell" {
            tell = true;
            continue;
        }
        let Some(value) = words.next().and_then(|value| value.parse::<u64>().ok()) else {
            eprintln!("usage: sim [--seed N] [--seeds N] [--calls N] [--agents N] [--storm] [--tell]");
            return ExitCode::from(64);
        };
        let small = usize::try_from(value).unwrap_or(usize::MAX);
        match word.as_str() {
            "--seed" => seed = value,
            "--seeds" => seeds = value,
            "--calls" => calls = small,
            "--agents" => agents = small,
            _ => {
                eprintln!("unknown option {word}");
                return ExitCode::from(64);
            }
        }
    }
    for seed in seed..seed.saturating_add(seeds) {
        eprintln!("seed {seed}");
        let summary = story::live(seed, calls, agents, weather);
        println!("seed {seed}: {} calls, {} steps, {:?}", summary.calls, summary.steps, summary.outcomes);
        for story in summary.stories.iter().filter(|_| tell) {
            println!("  {story}");
        }
    }
    ExitCode::SUCCESS
}
