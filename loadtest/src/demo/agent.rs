//! An agent: registers, is ready, answers after a few rings, talks, hangs up, and is ready again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::http::Api;
use super::message::Identity;
use super::people::{Agent, Service, chance};
use super::phone::{Event, Phone};
use super::tally::Tally;

/// An agent's tone.
const HERTZ: u32 = 800;
const REGISTERED_S: u32 = 120;
/// After so long an agent who hears nobody was not connected to anybody.
const NOBODY: Duration = Duration::from_secs(15);

/// Where agents sit, and until when.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) address: IpAddr,
    pub(super) switch: SocketAddr,
    pub(super) domain: String,
    pub(super) api: Api,
    pub(super) tally: Tally,
    pub(super) seed: u64,
    pub(super) end: Instant,
}

/// A registered telephone, ready or not.
///
/// # Errors
/// A sentence about who could not register, or be ready.
pub(super) async fn log_in(desk: &Desk, agent: &Agent, index: usize) -> Result<Phone, String> {
    let named = |error: io::Error| format!("agent {}: {error}", agent.number);
    let identity = Identity {
        user: agent.number.clone(),
        host: desk.domain.clone(),
        secret: Some(agent.secret.clone()),
    };
    let rng = chance(desk.seed, 2, index);
    let mut phone = Phone::new(desk.address, desk.switch, identity, rng).map_err(named)?;
    phone.register(REGISTERED_S);
    match phone.next(Instant::now() + Duration::from_secs(20)).await.map_err(named)? {
        Event::Registered => {}
        other => return Err(format!("agent {} could not register: {other:?}", agent.number)),
    }
    // Half of them by the API of a desktop program, half by the code that people dial.
    if index.is_multiple_of(2) {
        desk.api.agent(&agent.number, r#"{"state":"ready"}"#).await?;
    } else {
        dial_code(&mut phone, desk, "*10").await.map_err(named)?;
    }
    Ok(phone)
}

/// Dials a code and listens to its confirmation.
async fn dial_code(phone: &mut Phone, desk: &Desk, code: &str) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(8);
    phone.dial(code, desk.tally.voice(), HERTZ)?;
    match phone.next(until).await? {
        Event::Answered => {}
        Event::Refused(code) => {
            desk.tally.with(|counts| *counts.refused.entry(code).or_default() += 1);
            phone.leave();
            return Ok(());
        }
        _ => {
            phone.hang_up().await?;
            return Ok(());
        }
    }
    if phone.wait_for(&[Event::Ended], until).await? == Event::Ended {
        phone.leave();
    } else {
        phone.hang_up().await?;
    }
    Ok(())
}

/// Works until the end, then leaves the desk.
pub(super) async fn work(desk: Desk, agent: Agent, mut phone: Phone, index: usize) -> io::Result<()> {
    let mut rng = chance(desk.seed, 3, index);
    let mut renew = Instant::now() + Duration::from_secs(u64::from(REGISTERED_S) / 2);
    while Instant::now() < desk.end {
        match phone.next(desk.end.min(renew)).await? {
            Event::Rings => {
                let service = Service::draw(&mut rng);
                serve(&desk, &mut phone, service).await?;
                if let Some(after) = service.wrap_up.filter(|_| Instant::now() < desk.end) {
                    sleep(after).await;
                    // Refused if the wrap-up is over already: nothing lost.
                    let _ = desk.api.agent(&agent.number, r#"{"state":"end-wrap-up"}"#).await;
                }
            }
            Event::Due if Instant::now() >= renew && Instant::now() < desk.end => {
                phone.register(REGISTERED_S);
                renew += Duration::from_secs(u64::from(REGISTERED_S) / 2);
            }
            _ => {}
        }
    }
    let _ = desk.api.agent(&agent.number, r#"{"state":"logout"}"#).await;
    phone.register(0);
    phone.wait_for(&[Event::Registered], Instant::now() + Duration::from_secs(2)).await?;
    Ok(())
}

async fn serve(desk: &Desk, phone: &mut Phone, service: Service) -> io::Result<()> {
    desk.tally.with(|counts| counts.rung += 1);
    let gone = [Event::Stops, Event::Ended];
    if phone.wait_for(&gone, Instant::now() + service.rings).await? != Event::Due {
        phone.leave();
        return Ok(());
    }
    phone.pick_up(desk.tally.voice(), HERTZ)?;
    let up = Instant::now();
    if phone.wait_for(&[Event::Answered, Event::Ended], up + NOBODY).await? != Event::Answered {
        phone.leave();
        return Ok(());
    }
    desk.tally.with(|counts| counts.picked_up += 1);
    let heard = phone.wait_for(&[Event::PersonStarts, Event::Ended], (up + NOBODY).min(desk.end)).await?;
    let mut ended = heard == Event::Ended;
    if heard == Event::PersonStarts {
        let most = if service.hangs_up { service.talk } else { Duration::from_secs(60) };
        let until = (Instant::now() + most).min(desk.end);
        ended = phone.wait_for(&[Event::Ended], until).await? == Event::Ended;
    }
    let left = if ended { phone.leave() } else { phone.hang_up().await? };
    desk.tally.agent_left(left, !ended && up.elapsed() > Duration::from_secs(6));
    Ok(())
}
