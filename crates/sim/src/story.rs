//! A random day at the hotline, in any weather: callers come, choose, wait, give up, talk; agents
//! answer, let it ring, refuse, hang up, hold, refer, lose their phones. What must hold is checked at
//! every step and at the end.

use std::collections::BTreeMap;

use base::Duration;

use crate::house::phone_address;
use crate::net::Weather;
use crate::phone::{LineState, Manner};
use crate::world::{Handle, World};

/// What a day was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls placed by callers and agents.
    pub calls: usize,
    /// Records by outcome.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Steps of the world.
    pub steps: u64,
    /// Every call, step by step, one line each.
    pub stories: Vec<String>,
}

/// Lives a day of `calls` calls with `agents` agents.
///
/// # Panics
/// When anything that must hold does not.
pub fn live(seed: u64, calls: usize, agents: usize, weather: Weather) -> Summary {
    let mut world = World::new(seed, agents);
    for (number, tier) in [("13800000001", "diamond"), ("13800000002", "gold"), ("13800000003", "silver")] {
        world.know(number, tier, "en", number.ends_with('3'));
    }
    world.agents_ready(agents);
    world.net.weather = weather;
    let mut open: Vec<Handle> = Vec::new();
    for _ in 0..calls {
        let caller = format!("1380000000{}", world.draw(6));
        let number = if world.draw(8) == 0 { "10001" } else { "10000" };
        open.push(world.call(&caller, number));
        if world.draw(4) > 0 {
            let pause = 800 + world.draw(6_000);
            world.run(Duration::from_millis(pause));
            world.press('0');
        }
        for _ in 0..world.draw(6) {
            let pause = world.draw(9_000);
            world.run(Duration::from_millis(pause));
            mischief(&mut world, agents, &open);
        }
    }
    for handle in open {
        world.hang_up(handle);
        let pause = world.draw(500);
        world.run(Duration::from_millis(pause));
    }
    world.net.weather = Weather::FINE;
    end_agents(&mut world, agents);
    world.rest();
    let mut summary = Summary { calls, steps: world.steps, ..Summary::default() };
    for record in &world.records {
        *summary.outcomes.entry(record.outcome.word()).or_default() += 1;
        let steps = World::story(record).join(", ");
        summary.stories.push(format!("{} {} {steps}", record.key, record.outcome));
    }
    summary
}

fn end_agents(world: &mut World, agents: usize) {
    world.run(Duration::from_secs(40));
    for agent in 0..agents {
        let address = phone_address(agent);
        let lines = world.phones.get(&address).map_or(0, |phone| phone.lines.len());
        for line in 0..lines {
            world.hang_up((address, line));
        }
    }
    let carriers = [crate::house::CARRIER, crate::house::CARRIER_B];
    for address in carriers {
        let lines = world.phones.get(&address).map_or(0, |phone| phone.lines.len());
        for line in 0..lines {
            world.hang_up((address, line));
        }
    }
}

/// Somebody does something.
fn mischief(world: &mut World, agents: usize, open: &[Handle]) {
    let agent = usize::try_from(world.draw(u64::try_from(agents).unwrap_or(1))).unwrap_or(0);
    let address = phone_address(agent);
    match world.draw(14) {
        0 | 1 => {
            let legs: Vec<_> = world.voices.legs.keys().copied().collect();
            let at = usize::try_from(world.draw(u64::try_from(legs.len().max(1)).unwrap_or(1))).unwrap_or(0);
            let key = char::from(b'0' + u8::try_from(world.draw(10)).unwrap_or(0));
            if let Some(leg) = legs.get(at) {
                world.press_on(*leg, key);
            }
        }
        2..=4 => {
            let at = usize::try_from(world.draw(u64::try_from(open.len()).unwrap_or(1))).unwrap_or(0);
            if let Some(handle) = open.get(at) {
                world.hang_up(*handle);
            }
        }
        5 => set_manner(world, agent),
        6 | 7 => {
            if let Some(handle) = world.agent_line(agent) {
                world.hang_up(handle);
            }
        }
        8 => talk_action(world, agent, |phone, now, line| phone.reoffer(now, line, "sendonly")),
        9 => talk_action(world, agent, |phone, now, line| phone.reoffer(now, line, "sendrecv")),
        10 => {
            let target = ["1001", "800", "801", "13900000000", "nobody"];
            let at = usize::try_from(world.draw(5)).unwrap_or(0);
            let number = target.get(at).copied().unwrap_or("800");
            talk_action(world, agent, |phone, now, line| phone.refer(now, line, number));
        }
        11 => {
            let codes = ["*10", "*115", "*12", "1002", "13900000001", "110"];
            let at = usize::try_from(world.draw(6)).unwrap_or(0);
            world.agent_calls(agent, codes.get(at).copied().unwrap_or("*10"));
        }
        12 => world.agent_ready(agent),
        _ => world.with_phone(address, |phone, now| phone.register(now, 3_600)),
    }
}

fn set_manner(world: &mut World, agent: usize) {
    let manner = match world.draw(6) {
        0 => Manner::Ring,
        1 => Manner::Refuse(486),
        2 => Manner::Refuse(603),
        3 => Manner::AnswerAnyway(Duration::from_secs(15)),
        _ => Manner::Answer(Duration::from_millis(world.draw(16_000))),
    };
    world.with_phone(phone_address(agent), |phone, _| phone.manner = manner);
}

fn talk_action(world: &mut World, agent: usize, act: impl FnOnce(&mut crate::Phone, base::Instant, usize)) {
    let address = phone_address(agent);
    let up = world
        .phones
        .get(&address)
        .and_then(|phone| phone.lines.iter().rposition(|l| l.state == LineState::Up));
    if let Some(line) = up {
        world.with_phone(address, |phone, now| act(phone, now, line));
    }
}
