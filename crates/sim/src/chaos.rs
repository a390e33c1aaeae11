//! Bad days: each draws which faults it has and how often they strike; when it ends everything heals,
//! in random order.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use base::Duration;
use call::Input;

use crate::fault::Fault;
use crate::house::{self, CARRIER, CARRIER_B, phone_address};
use crate::net::Weather;
use crate::phone::{LineState, Manner};
use crate::story::everybody;
use crate::world::{BackEnd, Directory, World};

/// A bad day.
#[derive(Debug)]
pub struct Chaos {
    agents: usize,
    /// The classes of this day; the others do not strike.
    classes: Vec<Fault>,
    /// Hosts cut off now.
    cut: Vec<IpAddr>,
    /// Phones that are away now.
    away: Vec<SocketAddr>,
    /// Reloads so far.
    reloads: u32,
}

/// One of these strikes when its day comes.
const STRIKING: &[Fault] = &[
    Fault::SlowPhone,
    Fault::SilentPhone,
    Fault::Forked,
    Fault::LateAnswer,
    Fault::DoubleAnswer,
    Fault::VanishRinging,
    Fault::VanishTalking,
    Fault::VanishIdle,
    Fault::NewContact,
    Fault::Loss,
    Fault::TrunkCut,
    Fault::AgentsCut,
    Fault::DirectorySlow,
    Fault::DirectoryDead,
    Fault::HookSlow,
    Fault::HookDead,
    Fault::StoreSlow,
    Fault::RtpLost,
    Fault::WorkerDies,
    Fault::PortTaken,
    Fault::Reload,
    Fault::Leap,
    Fault::Panic,
];

impl Chaos {
    /// Draws the day's classes: about a third of all.
    pub fn new(world: &mut World, agents: usize) -> Chaos {
        let classes = STRIKING.iter().copied().filter(|_| world.draw(3) == 0).collect();
        Chaos { agents, classes, cut: Vec::new(), away: Vec::new(), reloads: 0 }
    }

    /// Perhaps something fails now, perhaps something heals.
    pub fn strike(&mut self, world: &mut World) {
        if world.draw(4) == 0 {
            self.heal_one(world);
        }
        let at = pick(world, self.classes.len());
        let Some(&fault) = self.classes.get(at) else { return };
        match fault {
            Fault::SlowPhone
            | Fault::SilentPhone
            | Fault::Forked
            | Fault::LateAnswer
            | Fault::DoubleAnswer => {
                self.spoil_phone(world, fault);
            }
            Fault::VanishRinging => self.vanish(world, Some(LineState::Ringing)),
            Fault::VanishTalking | Fault::RtpLost => self.vanish(world, Some(LineState::Up)),
            Fault::VanishIdle => self.vanish(world, None),
            Fault::NewContact => self.move_phone(world),
            Fault::Loss => world.net.weather = weather(world),
            Fault::TrunkCut => self.cut(world, fault, [CARRIER.ip(), CARRIER_B.ip()].to_vec()),
            Fault::AgentsCut => {
                let hosts = (0..self.agents).filter(|_| world.draw(2) == 0).map(|a| phone_address(a).ip());
                let hosts = hosts.collect();
                self.cut(world, fault, hosts);
            }
            Fault::WorkerDies => {
                let worker = pick(world, 2);
                world.kill_worker(worker);
            }
            Fault::PortTaken => {
                let port = 30_000 + u16::try_from(world.draw(60)).unwrap_or(0) * 2;
                world.voices.broken_ports.push(port);
            }
            Fault::Reload => self.reload(world),
            Fault::Leap => {
                let ms = 500 + world.draw(40_000);
                world.stand_still(Duration::from_millis(ms));
            }
            Fault::Panic => panic_somewhere(world),
            _ => slow_services(world, fault),
        }
    }

    fn spoil_phone(&self, world: &mut World, fault: Fault) {
        let everybody = everybody(self.agents);
        let at = pick(world, everybody.len());
        let Some(&address) = everybody.get(at) else { return };
        let ms = world.draw(3_000);
        let branches = 1 + u8::try_from(world.draw(2)).unwrap_or(0);
        let undo = world.draw(4) == 0;
        world.with_phone(address, |phone, _| match fault {
            _ if undo => {
                (phone.habits, phone.manner) = (<_>::default(), Manner::Answer(Duration::from_secs(3)))
            }
            Fault::SlowPhone => phone.habits.pause = Duration::from_millis(ms),
            Fault::SilentPhone => phone.manner = Manner::Silent,
            Fault::Forked => {
                phone.habits.branches = branches;
                phone.manner = Manner::Answer(Duration::from_millis(ms));
            }
            Fault::LateAnswer => phone.manner = Manner::AnswerLate(Duration::from_millis(ms * 10)),
            _ => {
                phone.habits.doubles = true;
                phone.manner = Manner::Answer(Duration::from_millis(ms));
            }
        });
    }

    /// A phone with a line in this state vanishes; without a wish, any.
    fn vanish(&mut self, world: &mut World, state: Option<LineState>) {
        let fits = |phone: &crate::Phone| {
            !phone.away && state.is_none_or(|state| phone.lines.iter().any(|line| line.state == state))
        };
        let fitting: Vec<_> = world.phones.iter().filter(|(_, p)| fits(p)).map(|(a, _)| *a).collect();
        let at = pick(world, fitting.len());
        if let Some(&address) = fitting.get(at) {
            world.vanish(address);
            self.away.push(address);
        }
    }

    /// A phone's address translator gives it another port, in a call or not; it says so by re-INVITE
    /// and by REGISTER.
    fn move_phone(&self, world: &mut World) {
        let everybody = everybody(self.agents);
        let at = pick(world, everybody.len());
        let Some(&address) = everybody.get(at) else { return };
        let port = 5_062 + u16::try_from(world.draw(200)).unwrap_or(0) * 2;
        world.trace.say(world.now, || format!("** {address} moves to port {port}"));
        world.with_phone(address, |phone, now| {
            phone.move_to(port);
            if let Some(line) = phone.lines.iter().rposition(|line| line.state == LineState::Up) {
                phone.reoffer(now, line, "sendrecv");
            }
            if phone.password.is_some() {
                phone.register(now, 3_600);
            }
        });
    }

    fn cut(&mut self, world: &mut World, fault: Fault, hosts: Vec<IpAddr>) {
        if hosts.is_empty() {
            return;
        }
        world.faults.insert(fault);
        world.cut_off(hosts.iter().copied());
        self.cut.extend(hosts);
    }

    /// One cut host or absent phone, drawn, is there again.
    fn heal_one(&mut self, world: &mut World) {
        let at = pick(world, self.cut.len() + self.away.len());
        if at < self.cut.len() {
            let host = self.cut.swap_remove(at);
            return world.heal(host);
        }
        let at = at - self.cut.len();
        if at < self.away.len() {
            let address = self.away.swap_remove(at);
            let restarted = world.draw(2) == 0;
            world.come_back(address, restarted);
            if address != CARRIER && address != CARRIER_B {
                world.with_phone(address, |phone, now| phone.register(now, 3_600));
            }
        }
    }

    /// SIGHUP: other settings, some of them about what is going on now.
    fn reload(&mut self, world: &mut World) {
        self.reloads += 1;
        let variant = world.draw(u64::from(house::VARIANTS));
        let settings = house::variant(self.agents, variant);
        if let Ok(settings) = settings {
            world.trace.say(world.now, || format!("** reload: variant {variant}"));
            world.faults.insert(Fault::Reload);
            world.reload(settings);
        }
    }

    /// The day is over: perhaps the switch drains in the middle of it; then everything heals in random
    /// order.
    pub fn end(mut self, world: &mut World) {
        if world.draw(4) == 0 {
            let after = Duration::from_secs(world.draw(60));
            world.trace.say(world.now, || format!("** drains within {after:?}"));
            world.faults.insert(Fault::Drain);
            let deadline = world.now + after;
            world.tell(Input::Drain { deadline });
            world.call("13800000001", "10000");
            let pause = world.draw(60_000);
            world.run(Duration::from_millis(pause));
        }
        while !self.cut.is_empty() || !self.away.is_empty() {
            self.heal_one(world);
            let pause = world.draw(4_000);
            world.run(Duration::from_millis(pause));
        }
        let everybody: BTreeSet<_> = world.phones.keys().copied().collect();
        for address in everybody {
            world.with_phone(address, |phone, _| phone.habits = <_>::default());
        }
        (world.directory, world.back_end) = (Directory::Prompt, BackEnd::Answers);
    }
}

/// An index below `count`, drawn; 0 if there is none.
fn pick(world: &mut World, count: usize) -> usize {
    usize::try_from(world.draw(u64::try_from(count.max(1)).unwrap_or(1))).unwrap_or(0)
}

fn weather(world: &mut World) -> Weather {
    let percent = |world: &mut World, below: u32| {
        f64::from(u32::try_from(world.draw(u64::from(below))).unwrap_or(0)) / 100.0
    };
    Weather {
        delay: Duration::from_millis(1 + world.draw(150)),
        jitter: Duration::from_millis(world.draw(400)),
        loss: percent(world, 25),
        doubled: percent(world, 15),
    }
}

fn slow_services(world: &mut World, fault: Fault) {
    let ms = 50 + world.draw(1_500);
    match fault {
        Fault::DirectorySlow => world.directory = Directory::Slow(Duration::from_millis(ms)),
        Fault::DirectoryDead => world.directory = Directory::Silent,
        Fault::HookSlow => world.back_end = BackEnd::Slow(Duration::from_millis(ms * 4)),
        Fault::HookDead if ms.is_multiple_of(2) => world.back_end = BackEnd::Silent,
        Fault::HookDead => world.back_end = BackEnd::Fails,
        _ => world.store_delay = Duration::from_millis(ms * 10),
    }
}

/// The next thing that happens to one of the calls is a bug of ours.
fn panic_somewhere(world: &mut World) {
    let calls: Vec<_> = world.local.snapshot(world.now).calls.iter().map(|call| call.key).collect();
    let at = pick(world, calls.len());
    if let Some(&call) = calls.get(at) {
        let after = world.draw(2) == 0;
        world.sabotage(call, after);
    }
}
