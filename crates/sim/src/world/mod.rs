//! The simulated world: the switch, its distributor, phones, a carrier, a network and a clock that
//! jumps to whatever comes next. After every step the oracles look. Scripts are written with what is
//! here; [`drive`] lets time pass, [`check`] says what must hold, [`harm`] what can go wrong.

mod check;
mod drive;
mod harm;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use base::{CallKey, Duration, Instant, LegKey, Pii, Rng, Seed, UnixMillis, WallClock};
use call::callback::{Callback, CallbackChange};
use call::directory::Customer;
use call::message::Recording;
use call::record::CallRecord;
use call::view::Notice;
use call::{Input, Local, Settings};

use crate::fault::Fault;
use crate::house::{self, CARRIER, CARRIER_B, SWITCH};
use crate::net::{Net, Packet, Weather};
use crate::oracle::{QueueOracle, StuckOracle, WireOracle};
use crate::phone::{LineId, LineState, Phone};
use crate::trace::Trace;
use crate::voices::Voices;

/// How the directory behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directory {
    /// Answers at once.
    Prompt,
    /// Answers after at most this.
    Slow(Duration),
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
    /// Answers with values after at most this.
    Slow(Duration),
    /// Never answers.
    Silent,
}

/// What the switch will hear later.
#[derive(Debug)]
enum Later {
    Input(Box<Input>),
    Record(Box<CallRecord>),
}

/// Who watches.
#[derive(Debug, Default)]
struct Oracles {
    wire: WireOracle,
    queue: QueueOracle,
    stuck: StuckOracle,
    /// When the slow ones looked last.
    swept: Instant,
}

/// The process stands still.
#[derive(Debug, Default)]
struct Standstill {
    until: Option<Instant>,
    /// What arrives meanwhile.
    held: Vec<Packet>,
    /// How long it stood still in all.
    total: Duration,
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
    /// Callbacks that somebody took back in the store only.
    pub taken_back: BTreeSet<base::CallbackKey>,
    /// What became of them.
    pub callback_changes: Vec<CallbackChange>,
    /// Messages that callers left.
    pub recordings: Vec<Recording>,
    /// The event stream.
    pub notices: Vec<Notice>,
    /// Whether the switch said that it is drained.
    pub drained: bool,
    /// Whether it gave up: too many panics.
    pub given_up: bool,
    /// Steps taken.
    pub steps: u64,
    /// How long the store takes for a record at most.
    pub store_delay: Duration,
    /// What has gone wrong so far.
    pub faults: BTreeSet<Fault>,
    /// The story as it happens, if anybody wants it.
    pub trace: Trace,
    limits: call::settings::Limits,
    oracles: Oracles,
    standstill: Standstill,
    later: BTreeMap<(Instant, u64), Later>,
    later_count: u64,
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
        let limits = settings.limits;
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
            callback_changes: Vec::new(),
            taken_back: BTreeSet::new(),
            recordings: Vec::new(),
            notices: Vec::new(),
            drained: false,
            given_up: false,
            steps: 0,
            store_delay: Duration::ZERO,
            faults: BTreeSet::new(),
            trace: Trace::default(),
            limits,
            oracles: Oracles::default(),
            standstill: Standstill::default(),
            later: BTreeMap::new(),
            later_count: 0,
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
        if self.standstill.until.is_some() {
            return;
        }
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
        let (out, from, at) = (phone.take_out(), phone.address, self.now + phone.habits.pause);
        for bytes in out {
            self.trace.packet(at, &self.phones, from, SWITCH, &bytes);
            self.net.send(at, Packet { from, to: SWITCH, bytes });
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

    /// Tells the switch something; while it stands still, as soon as it does not.
    pub fn tell(&mut self, input: Input) {
        if let Some(until) = self.standstill.until {
            return self.keep_until(until, Later::Input(Box::new(input)));
        }
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
