//! Messages that cross each other, drawn by a thousand seeds: whatever the order, nobody is left in a
//! call with nobody, no agent stays reserved, no port stays taken, and every call has one record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::Duration;
use sim::house::phone_address;
use sim::net::Weather;
use sim::story::{self, Day};
use sim::{Manner, World};

/// The agent picks up within the milliseconds around the withdrawal, the caller's hang-up, or both.
#[test]
fn a_200_that_crosses_our_cancel_leaves_nobody_talking() {
    for seed in 0..1_000 {
        let mut world = World::new(seed, 1);
        world.agents_ready(1);
        let around = Duration::from_millis(14_990 + seed % 20);
        world.with_phone(phone_address(0), |phone, _| {
            phone.manner = if seed % 2 == 0 { Manner::Answer(around) } else { Manner::AnswerAnyway(around) };
        });
        world.net.weather = Weather {
            delay: Duration::from_millis(1 + seed % 7),
            jitter: Duration::from_millis(seed % 11),
            ..Weather::FINE
        };
        let caller = world.call("13800138000", "10000");
        world.run(Duration::from_secs(4));
        world.press('0');
        world.run_until(Duration::from_secs(30), |w| w.agent_line(0).is_some());
        let hang_up = if seed % 3 == 0 { 14_980 + seed % 40 } else { 30_000 };
        world.run(Duration::from_millis(hang_up));
        world.hang_up(caller);
        world.rest();
        assert_eq!(world.records.len(), 1, "seed {seed}");
    }
}

fn a_hundred_days(weather: Weather) {
    for seed in 0..100 {
        let day = Day { calls: 25, weather, chaos: false, ..Day::bad(seed) };
        story::live(day).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn a_hundred_days_in_fine_weather() {
    a_hundred_days(Weather::FINE);
}

#[test]
fn a_hundred_days_in_a_storm() {
    a_hundred_days(Weather::STORM);
}

#[test]
fn the_same_seed_lives_the_same_day() {
    assert_eq!(story::live(Day::bad(42)), story::live(Day::bad(42)));
}
