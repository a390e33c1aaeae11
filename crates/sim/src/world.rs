//! The simulated world: the switch, its distributor, phones, a carrier, a network and a clock that
//! jumps to whatever comes next. After every step the invariants are checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{CallKey, Duration, Instant, LegKey, Pii, Rng, Seed, UnixMillis, WallClock};
use bytes::Bytes;
use call::directory::Customer;
use call::message::{Callback, Recording};
use call::record::CallRecord;
use call::view::Notice;
use call::{Input, Local, Output, Settings};
use sip::{Flow, Protocol};

use crate::house::{self, CARRIER, CARRIER_B, SWITCH};
use crate::net::{Net, Packet, Weather};
use crate::phone::{LineId, LineState, Phone};
use crate::voices::Voices;

/// How the directory behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directory {
    /// Answers at once.
    Prompt,
    /// Never answers.
    Silent,
}

/// How the back end behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackEnd {
    /// Answers with values.
    Answers,
    /// Fails.
    Fails,
}

/// A line of a phone: the phone's address and the line's number.
pub type Handle = (SocketAddr, LineId);

/// The world.
pub struct World {
    /// Now.
    pub now: Instant,
    /// The switch and its distributor.
    pub local: Local,
    /// The network.
    pub net: Net,
    /// Phones and carriers by address.
    pub phones: BTreeMap<SocketAddr, Phone>,
    /// The media workers.
    pub voices: Voices,
    /// Customers by number.
    pub customers: BTreeMap<String, Customer>,
    /// How the directory behaves.
    pub directory: Directory,
    /// How the back end behaves.
    pub back_end: BackEnd,
    /// Call records in the order they were written.
    pub records: Vec<CallRecord>,
    /// Callbacks promised.
    pub callbacks: Vec<Callback>,
    /// Messages that callers left.
    pub recordings: Vec<Recording>,
    /// The event stream.
    pub notices: Vec<Notice>,
    /// Whether the switch said that it is drained.
    pub drained: bool,
    /// Steps taken.
    pub steps: u64,
    rng: Rng,
}

impl World {
    /// A world with this many agents, whose phones are not registered yet.
    ///
    /// # Panics
    /// When the hotline's own flows are wrong: nothing can be simulated then.
    pub fn new(seed: u64, agents: usize) -> World {
        let settings = house::settings(agents);
        #[expect(clippy::panic, reason = "a world without flows is of no use to its test")]
        let settings =
            settings.unwrap_or_else(|findings| panic!("the hotline's flows are wrong: {findings:?}"));
        World::with(seed, settings, agents)
    }

    /// A world for these settings.
    pub fn with(seed: u64, settings: Settings, agents: usize) -> World {
        let mut rng = Rng::new(Seed([seed, 0x5eed]));
        let wall = WallClock { epoch: UnixMillis(1_795_300_000_000) };
        let local = Local::new(settings, rng.next_seed(), CallKey::first(wall.epoch.0), wall);
        let mut phones = BTreeMap::new();
        for agent in 0..agents {
            let (number, address) = (house::agent_number(agent), house::phone_address(agent));
            let secret = format!("secret-{number}");
            phones.insert(address, Phone::new(&number, address, SWITCH, Some(&secret), rng.fork()));
        }
        for address in [CARRIER, CARRIER_B] {
            phones.insert(address, Phone::new("carrier", address, SWITCH, None, rng.fork()));
        }
        let net = Net::new(Weather::FINE, rng.fork());
        World {
            now: Instant::ZERO,
            local,
            net,
            phones,
            voices: Voices::default(),
            customers: BTreeMap::new(),
            directory: Directory::Prompt,
            back_end: BackEnd::Answers,
            records: Vec::new(),
            callbacks: Vec::new(),
            recordings: Vec::new(),
            notices: Vec::new(),
            drained: false,
            steps: 0,
            rng,
        }
    }

    /// Adds a customer to the directory.
    pub fn know(&mut self, number: &str, tier: &str, language: &str, senior: bool) {
        let customer = Customer {
            number: Pii::new(number.to_owned()),
            name: Pii::new(format!("Customer {number}")),
            tier: tier.to_owned(),
            language: language.to_owned(),
            senior,
            manager_a: None,
            manager_b: None,
        };
        self.customers.insert(number.to_owned(), customer);
    }

    /// Registers the first `count` agents' phones and makes the agents ready.
    pub fn agents_ready(&mut self, count: usize) {
        for agent in 0..count {
            self.with_phone(house::phone_address(agent), |phone, now| phone.register(now, 3_600));
        }
        self.run(Duration::from_secs(1));
        for agent in 0..count {
            self.agent_ready(agent);
        }
    }

    /// Makes an agent ready, as his desktop would.
    pub fn agent_ready(&mut self, agent: usize) {
        let change = call::admin::AgentChange::Ready;
        let _ = self
            .local
            .admin(self.now, call::admin::Admin::Agent { number: house::agent_number(agent), change });
        self.drive();
    }

    /// A caller dials a number through the carrier.
    pub fn call(&mut self, from: &str, number: &str) -> Handle {
        self.call_from(CARRIER, from, number)
    }

    /// A phone dials.
    pub fn call_from(&mut self, address: SocketAddr, from: &str, number: &str) -> Handle {
        let line = self.with_phone(address, |phone, now| phone.call(now, number, from));
        (address, line)
    }

    /// An agent dials.
    pub fn agent_calls(&mut self, agent: usize, number: &str) -> Handle {
        self.call_from(house::phone_address(agent), &house::agent_number(agent), number)
    }

    /// Lets a phone do something now.
    ///
    /// # Panics
    /// When there is no phone at the address.
    pub fn with_phone<R>(&mut self, address: SocketAddr, act: impl FnOnce(&mut Phone, Instant) -> R) -> R {
        #[expect(clippy::expect_used, reason = "a script that names a phone which is not there is wrong")]
        let phone = self.phones.get_mut(&address).expect("a phone at the address");
        let done = act(phone, self.now);
        let out = phone.take_out();
        for bytes in out {
            self.net.send(self.now, Packet { from: address, to: SWITCH, bytes });
        }
        done
    }

    /// The state of a line.
    pub fn line(&self, (address, line): Handle) -> Option<LineState> {
        Some(self.phones.get(&address)?.lines.get(line)?.state)
    }

    /// The last line of an agent's phone.
    pub fn agent_line(&self, agent: usize) -> Option<Handle> {
        let address = house::phone_address(agent);
        let lines = self.phones.get(&address)?.lines.len();
        Some((address, lines.checked_sub(1)?))
    }

    /// Hangs up a line.
    pub fn hang_up(&mut self, (address, line): Handle) {
        self.with_phone(address, |phone, now| phone.hang_up(now, line));
    }

    /// Presses a key, heard as RFC 4733 on the caller's leg of the newest call.
    pub fn press(&mut self, key: char) {
        let leg = self.voices.legs.keys().next_back().copied();
        if let Some(leg) = leg {
            self.press_on(leg, key);
        }
    }

    /// Presses a key on a leg.
    pub fn press_on(&mut self, leg: LegKey, key: char) {
        let byte = u8::try_from(key).unwrap_or(b'0');
        if let Some(digit) = media::Digit::from_byte(byte) {
            self.tell(Input::Media(media::Event::Digit { leg, digit, duration_ms: 120 }));
        }
    }

    /// Tells the switch something.
    pub fn tell(&mut self, input: Input) {
        self.local.handle(self.now, input);
        self.drive();
    }

    /// Runs for a while.
    pub fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.step(at);
        }
        self.now = until;
    }

    /// Runs until `done`, for at most `limit`; whether it came true.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let until = self.now + limit;
        while !done(self) {
            match self.next().filter(|at| *at <= until) {
                Some(at) => self.step(at),
                None => {
                    self.now = until;
                    return done(self);
                }
            }
        }
        true
    }

    fn next(&self) -> Option<Instant> {
        let phones = self.phones.values().filter_map(Phone::next);
        let switch = self.local.poll_timeout().map(|(at, _)| at);
        phones.chain(switch).chain(self.net.next()).chain(self.voices.next()).min()
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.steps += 1;
        if self.local.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.local.handle_timeout(self.now);
            self.drive();
        }
        if let Some(packet) = self.net.arrive(self.now) {
            self.deliver(packet);
        }
        self.voices.wake(self.now);
        self.drive();
        let due: Vec<SocketAddr> = self
            .phones
            .iter()
            .filter(|(_, p)| p.next().is_some_and(|at| at <= self.now))
            .map(|(a, _)| *a)
            .collect();
        for address in due {
            self.with_phone(address, |phone, now| phone.wake(now));
        }
        self.check();
    }

    fn deliver(&mut self, packet: Packet) {
        if packet.to != SWITCH {
            if self.phones.contains_key(&packet.to) {
                self.with_phone(packet.to, |phone, now| phone.receive(now, &packet.bytes));
            }
            return;
        }
        let flow = Flow { protocol: Protocol::Udp, local: SWITCH, remote: packet.from, connection: 0 };
        let input = sip::Input::Received { flow, bytes: Bytes::from(packet.bytes) };
        self.local.handle(self.now, Input::Sip(input));
        self.drive();
    }

    /// Carries out what the switch asks for, until it asks for nothing more.
    fn drive(&mut self) {
        loop {
            while let Some(output) = self.local.poll_output() {
                self.carry_out(output);
            }
            let events = core::mem::take(&mut self.voices.events);
            if events.is_empty() {
                break;
            }
            for event in events {
                self.local.handle(self.now, Input::Media(event));
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Sip(sip::Output::Send { remote, bytes, .. }) => {
                self.net.send(self.now, Packet { from: SWITCH, to: remote, bytes: bytes.to_vec() });
            }
            Output::Sip(sip::Output::Resolve { query, host, port, .. }) => {
                let address = host.parse().map(|ip| SocketAddr::new(ip, port.unwrap_or(5060)));
                let targets = address
                    .map(|remote| sip::Target { protocol: Protocol::Udp, remote })
                    .into_iter()
                    .collect();
                self.local.handle(self.now, Input::Sip(sip::Input::Resolved { query, targets }));
            }
            Output::Media { worker, command } => self.voices.obey(self.now, worker, command),
            Output::Lookup { call, number } if self.directory == Directory::Prompt => {
                let found = self.customers.get(number.reveal()).cloned().map(Box::new);
                self.local.handle(self.now, Input::Customer { call, found });
            }
            Output::Hook { call, token, .. } => {
                let result = match self.back_end {
                    BackEnd::Answers => Ok(vec![("balance_fen".to_owned(), Pii::new("12345".to_owned()))]),
                    BackEnd::Fails => Err(ivr::HookFailure::Timeout),
                };
                self.local.handle(self.now, Input::HookDone { call, token, result });
            }
            Output::Record(record) => self.records.push(*record),
            Output::Callback(callback) => self.callbacks.push(*callback),
            Output::Recording(recording) => self.recordings.push(*recording),
            Output::Notice(notice) => self.notices.push(notice),
            Output::Drained => self.drained = true,
            Output::Lookup { .. } | Output::Sip(_) | Output::Acd(_) | Output::AskWait(_) => {}
        }
    }

    /// Checks what must hold at every instant.
    ///
    /// # Panics
    /// When it does not: the run is worthless from here on.
    #[expect(clippy::panic, reason = "an oracle's only way to speak")]
    pub fn check(&self) {
        if let Err(violation) = self.local.switch().check_invariants() {
            panic!("{} after {} steps: {violation:?}", self.now, self.steps);
        }
        if let Err(violation) = self.local.engine().check_invariants() {
            panic!("{} after {} steps: {violation:?}", self.now, self.steps);
        }
        assert!(self.voices.nonsense.is_empty(), "{}: {:?}", self.now, self.voices.nonsense);
    }

    /// After the last call: waits until nothing more can be on its way, then looks for anything left.
    ///
    /// # Panics
    /// When something is left: a call, a leg, a port, an agent who is reserved, a line that is up.
    pub fn rest(&mut self) {
        self.run(Duration::from_secs(120));
        let left = self.local.switch().remains();
        assert_eq!(left, call::Remains::default(), "left over at {}", self.now);
        assert!(self.voices.legs.is_empty(), "media legs left: {:?}", self.voices.legs);
        for phone in self.phones.values() {
            let open = phone.lines.iter().find(|line| !matches!(line.state, LineState::Over(_)));
            assert!(open.is_none(), "{} has a line that nobody ended: {open:?}", phone.user);
        }
        for agent in self.local.engine().agents() {
            let stuck =
                matches!(agent.state, acd::AgentState::Reserved { .. } | acd::AgentState::Talking { .. });
            assert!(!stuck, "{agent:?} is stuck");
        }
        let keys: std::collections::BTreeSet<_> = self.records.iter().map(|record| record.key).collect();
        assert_eq!(keys.len(), self.records.len(), "a call has two records");
    }

    /// The words of a record's steps.
    pub fn story(record: &CallRecord) -> Vec<String> {
        let step = |step: &call::record::Step| {
            if step.detail.is_empty() {
                step.what.word().to_owned()
            } else {
                format!("{} {}", step.what.word(), step.detail)
            }
        };
        record.steps.iter().map(step).collect()
    }

    /// A random number below `bound`, from the world's seed.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }
}
