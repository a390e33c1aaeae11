//! What people do, whatever the weather: keys, hanging up, hold, referrals, codes, registrations.

use std::net::SocketAddr;

use base::{Duration, Instant};

use crate::fault::Fault;
use crate::house::phone_address;
use crate::phone::{LineId, LineState, Manner, Phone};
use crate::world::{Handle, World};

/// One of `count`, drawn.
fn one_of(world: &mut World, count: usize) -> usize {
    usize::try_from(world.draw(u64::try_from(count.max(1)).unwrap_or(1))).unwrap_or(0)
}

/// Somebody does something.
pub fn anything(world: &mut World, agents: usize, open: &[Handle]) {
    let agent = one_of(world, agents);
    let address = phone_address(agent);
    match world.draw(16) {
        0 | 1 => {
            let legs: Vec<_> = world.voices.legs.keys().copied().collect();
            let at = one_of(world, legs.len());
            let key = char::from(b'0' + u8::try_from(world.draw(10)).unwrap_or(0));
            if let Some(leg) = legs.get(at) {
                world.press_on(*leg, key);
            }
        }
        2..=4 => {
            let at = one_of(world, open.len());
            if let Some(handle) = open.get(at) {
                hang_up(world, *handle);
            }
        }
        5 => set_manner(world, agent),
        6 | 7 => {
            if let Some(handle) = world.agent_line(agent) {
                hang_up(world, handle);
            }
        }
        8 => talk_action(world, address, |phone, now, line| phone.reoffer(now, line, "sendonly")),
        9 => talk_action(world, address, |phone, now, line| phone.reoffer(now, line, "sendrecv")),
        10 => {
            let target = ["1001", "800", "801", "13900000000", "nobody"];
            let number = target.get(one_of(world, 5)).copied().unwrap_or("800");
            talk_action(world, address, |phone, now, line| phone.refer(now, line, number));
        }
        11 => {
            let codes = ["*10", "*115", "*12", "1002", "13900000001", "110"];
            let code = codes.get(one_of(world, 6)).copied().unwrap_or("*10");
            world.agent_calls(agent, code);
        }
        12 => world.agent_ready(agent),
        13 | 14 => consult(world, agent),
        _ => world.with_phone(address, |phone, now| phone.register(now, 3_600)),
    }
}

fn hang_up(world: &mut World, handle: Handle) {
    if world.line(handle).is_some_and(|state| !matches!(state, LineState::Over(_))) {
        world.faults.insert(Fault::HangsUp);
    }
    world.hang_up(handle);
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

/// An agent who talks holds, calls somebody else, and a moment later joins the two, or does not.
fn consult(world: &mut World, agent: usize) {
    let address = phone_address(agent);
    let up = |world: &World| {
        let lines = world.phones.get(&address).map(|phone| phone.lines.iter().enumerate());
        let live = lines.into_iter().flatten().filter(|(_, line)| !line.is_over());
        live.map(|(id, line)| (id, line.state)).collect::<Vec<_>>()
    };
    if !up(world).iter().any(|(_, state)| *state == LineState::Up) {
        return;
    }
    talk_action(world, address, |phone, now, line| phone.reoffer(now, line, "sendonly"));
    let whom = ["1001", "1002", "13900000000"];
    let whom = whom.get(one_of(world, 3)).copied().unwrap_or("1001");
    world.agent_calls(agent, whom);
    let pause = world.draw(8_000);
    world.run(Duration::from_millis(pause));
    let lines = up(world);
    if let [(first, _), .., (last, _)] = lines[..] {
        world.faults.insert(Fault::Consultation);
        world.with_phone(address, |phone, now| phone.refer_replacing(now, first, last));
    }
}

/// Does something with the newest line that is up.
fn talk_action(world: &mut World, address: SocketAddr, act: impl FnOnce(&mut Phone, Instant, LineId)) {
    let up = world
        .phones
        .get(&address)
        .and_then(|phone| phone.lines.iter().rposition(|l| l.state == LineState::Up));
    if let Some(line) = up {
        world.faults.insert(Fault::Meddling);
        world.with_phone(address, |phone, now| act(phone, now, line));
    }
}
