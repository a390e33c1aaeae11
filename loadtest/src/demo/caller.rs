//! A caller of the carrier's trunk: listens, presses keys, waits as long as he can bear it, talks, scores.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::message::Identity;
use super::people::{Caller, Directory, Wish, between, chance};
use super::phone::{Event, Phone};
use super::tally::Tally;

/// A caller's tone.
const HERTZ: u32 = 600;
/// What is longer than any prompt here: then the call is given up.
const AT_MOST: Duration = Duration::from_secs(45);

/// Where callers call from and to, and until when.
#[derive(Clone)]
pub(super) struct Trunk {
    pub(super) address: IpAddr,
    pub(super) switch: SocketAddr,
    pub(super) directory: Rc<Directory>,
    pub(super) tally: Tally,
    pub(super) seed: u64,
    /// No call begins after this.
    pub(super) last_call: Instant,
    /// Everybody hangs up.
    pub(super) end: Instant,
}

/// Caller after caller at place `index`.
pub(super) async fn place(trunk: Trunk, index: usize) -> io::Result<()> {
    let mut rng = chance(trunk.seed, 1, index);
    sleep(between(&mut rng, 0.0, 8.0)).await;
    while Instant::now() < trunk.last_call {
        let caller = Caller::draw(&trunk.directory, &mut rng);
        let identity = Identity { user: caller.number.clone(), host: trunk.switch.to_string(), secret: None };
        let mut phone = Phone::new(trunk.address, trunk.switch, identity, rng.fork())?;
        call(&trunk, &mut phone, &caller).await?;
        sleep_until((Instant::now() + caller.pause).min(trunk.last_call)).await;
    }
    Ok(())
}

async fn call(trunk: &Trunk, phone: &mut Phone, caller: &Caller) -> io::Result<()> {
    let tally = &trunk.tally;
    tally.with(|counts| {
        counts.calls += 1;
        counts.live += 1;
    });
    phone.dial(caller.dialled, tally.voice(), HERTZ)?;
    let connected = match phone.next(trunk.end).await? {
        Event::Answered => true,
        Event::Refused(code) => {
            tally.with(|counts| *counts.refused.entry(code).or_default() += 1);
            false
        }
        _ => false,
    };
    if connected {
        tally.with(|counts| counts.connected += 1);
        let ended = converse(trunk, phone, caller).await?;
        let left = if ended { phone.leave() } else { phone.hang_up().await? };
        tally.caller_left(left, true);
    } else {
        phone.hang_up().await?;
    }
    tally.with(|counts| counts.live -= 1);
    Ok(())
}

/// Whether the switch ended the call.
async fn converse(trunk: &Trunk, phone: &mut Phone, caller: &Caller) -> io::Result<bool> {
    if listen(trunk, phone, caller.listens).await? == Event::Ended {
        return Ok(true);
    }
    // Each key or group of keys, and how long to listen after it.
    let script: &[(&str, u64)] = match (caller.wish, caller.dialled) {
        (Wish::Person, _) | (Wish::Complaint, "10001") => &[("0", 0)],
        (Wish::Complaint, _) => &[("3", 0)],
        (Wish::Balance, "10001") => &[("1", 2), ("1", 9)],
        (Wish::Balance, _) => &[("1", 2), ("1", 9), ("0", 0)],
        (Wish::Order, _) => &[("2", 3), ("202611#", 4), ("1", 9)],
    };
    for (keys, then_s) in script {
        press(trunk, phone, keys);
        if listen(trunk, phone, Duration::from_secs(*then_s)).await? == Event::Ended {
            return Ok(true);
        }
    }
    if script.last().is_some_and(|(_, then_s)| *then_s > 0) {
        return Ok(false);
    }
    wait(trunk, phone, caller).await
}

async fn wait(trunk: &Trunk, phone: &mut Phone, caller: &Caller) -> io::Result<bool> {
    let person = [Event::PersonStarts, Event::Ended];
    let patience = if caller.callback { caller.patience / 2 } else { caller.patience };
    match until(trunk, phone, &person, patience).await? {
        Event::PersonStarts => return talk(trunk, phone, caller).await,
        Event::Ended => return Ok(true),
        _ => {}
    }
    if caller.callback {
        // "Press 1 for a callback", then 1 again: to the number you call from.
        press(trunk, phone, "1");
        match until(trunk, phone, &person, Duration::from_secs(4)).await? {
            Event::PersonStarts => return talk(trunk, phone, caller).await,
            Event::Ended => return Ok(true),
            _ => press(trunk, phone, "1"),
        }
        match until(trunk, phone, &person, Duration::from_secs(15)).await? {
            Event::PersonStarts => return talk(trunk, phone, caller).await,
            Event::Ended => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

async fn talk(trunk: &Trunk, phone: &mut Phone, caller: &Caller) -> io::Result<bool> {
    trunk.tally.with(|counts| counts.talking += 1);
    let left = until(trunk, phone, &[Event::PersonEnds, Event::Ended], caller.talk_max).await?;
    trunk.tally.with(|counts| counts.talking -= 1);
    if left != Event::PersonEnds {
        return Ok(left == Event::Ended);
    }
    // The agent hung up first: the survey.
    let Some(score) = caller.score else { return Ok(false) };
    if listen(trunk, phone, Duration::from_millis(1500)).await? == Event::Ended {
        return Ok(true);
    }
    press(trunk, phone, &score.to_string());
    trunk.tally.with(|counts| counts.surveys += 1);
    Ok(until(trunk, phone, &[Event::Ended], AT_MOST).await? == Event::Ended)
}

fn press(trunk: &Trunk, phone: &mut Phone, keys: &str) {
    phone.press(keys);
    let count = u64::try_from(keys.len()).unwrap_or(0);
    trunk.tally.with(|counts| counts.keys += count);
}

async fn listen(trunk: &Trunk, phone: &mut Phone, time: Duration) -> io::Result<Event> {
    until(trunk, phone, &[Event::Ended], time).await
}

async fn until(trunk: &Trunk, phone: &mut Phone, wanted: &[Event], time: Duration) -> io::Result<Event> {
    phone.wait_for(wanted, (Instant::now() + time).min(trunk.end)).await
}
