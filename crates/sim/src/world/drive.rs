//! Time passes: whatever is due next happens, the switch is told, what it wants is done.

use std::net::SocketAddr;

use base::{Duration, Instant, Pii};
use bytes::Bytes;
use call::message::{Input, Output};
use sip::{Flow, Protocol};

use super::{BackEnd, Directory, Later, World};
use crate::fault::Fault;
use crate::house::SWITCH;
use crate::net::Packet;
use crate::phone::Phone;
use crate::text::Text;

impl World {
    pub(super) fn next(&self) -> Option<Instant> {
        let phones = self.phones.values().filter_map(Phone::next);
        let switch = self.local.poll_timeout().map(|(at, _)| at);
        let switch = match self.standstill.until {
            Some(until) => Some(until),
            None => switch.into_iter().chain(self.later.keys().map(|(at, _)| *at).next()).min(),
        };
        phones.chain(switch).chain(self.net.next()).chain(self.voices.next()).min()
    }

    pub(super) fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.steps += 1;
        self.wake_up();
        if self.standstill.until.is_none() && self.local.poll_timeout().is_some_and(|(at, _)| at <= self.now)
        {
            self.local.handle_timeout(self.now);
            self.drive();
        }
        if let Some(packet) = self.net.arrive(self.now) {
            self.deliver(packet);
        }
        self.voices.wake(self.now);
        self.drive();
        self.tell_later();
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

    /// The standstill is over: everything that came meanwhile is there at once.
    fn wake_up(&mut self) {
        if self.standstill.until.is_none_or(|until| until > self.now) {
            return;
        }
        self.standstill.until = None;
        for packet in core::mem::take(&mut self.standstill.held) {
            self.deliver(packet);
        }
        self.drive();
    }

    fn tell_later(&mut self) {
        while self.standstill.until.is_none()
            && let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= self.now)
        {
            match entry.remove() {
                Later::Input(input) => self.tell(*input),
                Later::Record(record) => self.records.push(*record),
            }
        }
    }

    /// Keeps something for a random time of at most `within`.
    fn keep(&mut self, within: Duration, what: Later) {
        let within_ns = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        let at = self.now + Duration::from_nanos(self.rng.below(within_ns.max(1)));
        self.keep_until(at, what);
    }

    pub(super) fn keep_until(&mut self, at: Instant, what: Later) {
        self.later_count += 1;
        self.later.insert((at, self.later_count), what);
    }

    fn deliver(&mut self, packet: Packet) {
        if packet.to != SWITCH {
            return self.deliver_to_phone(&packet);
        }
        if self.standstill.until.is_some() {
            return self.standstill.held.push(packet);
        }
        if let Some(text) = Text::read(&packet.bytes) {
            self.trace.say(self.now, || format!("  arrived: {}", text.start));
            self.oracles.wire.reached_switch(self.now, packet.from, &text);
        }
        let flow = Flow { protocol: Protocol::Udp, local: SWITCH, remote: packet.from, connection: 0 };
        let input = sip::Input::Received { flow, bytes: Bytes::from(packet.bytes) };
        self.local.handle(self.now, Input::Sip(input));
        self.drive();
    }

    fn deliver_to_phone(&mut self, packet: &Packet) {
        // A phone that has moved is still reached by its old door.
        let at_host = || self.phones.keys().find(|address| address.ip() == packet.to.ip()).copied();
        let exact = self.phones.contains_key(&packet.to).then_some(packet.to);
        let Some(address) = exact.or_else(at_host) else { return };
        if self.phones.get(&address).is_some_and(|phone| !phone.away)
            && let Some(text) = Text::read(&packet.bytes)
        {
            self.oracles.wire.reached_phone(&text);
        }
        self.with_phone(address, |phone, now| phone.receive(now, &packet.bytes));
    }

    /// Carries out what the switch asks for, until it asks for nothing more.
    pub(super) fn drive(&mut self) {
        if self.standstill.until.is_some() {
            return;
        }
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
            Output::Sip(sip::Output::Send { remote, bytes, .. }) => self.send(remote, bytes.to_vec()),
            Output::Sip(sip::Output::Resolve { query, host, port, .. }) => {
                let address = host.parse().map(|ip| SocketAddr::new(ip, port.unwrap_or(5060)));
                let targets = address
                    .map(|remote| sip::Target { protocol: Protocol::Udp, remote })
                    .into_iter()
                    .collect();
                self.local.handle(self.now, Input::Sip(sip::Input::Resolved { query, targets }));
            }
            Output::Media { worker, command } => self.voices.obey(self.now, worker, command),
            Output::Lookup { call, number } => {
                let found = self.customers.get(number.reveal()).cloned().map(Box::new);
                self.look_up(Input::Customer { call, found });
            }
            Output::Hook { call, token, .. } => self.ask_back_end(call, token),
            Output::Record(record) if self.store_delay.is_zero() => self.records.push(*record),
            Output::Record(record) => {
                self.faults.insert(Fault::StoreSlow);
                self.keep(self.store_delay, Later::Record(record));
            }
            Output::Callback(callback) => self.callbacks.push(*callback),
            Output::CallbackChanged(change) => self.callback_changes.push(change),
            Output::Recording(recording) => self.recordings.push(*recording),
            Output::Notice(notice) => {
                self.trace.notice(self.now, &notice);
                self.oracles.queue.hear(&notice);
                self.notices.push(notice);
            }
            Output::Drained => self.drained = true,
            Output::GivenUp => self.given_up = true,
            Output::MayCall(callback) => {
                let open = !self.taken_back.contains(&callback);
                self.local.handle(self.now, Input::MayCall { callback, open });
            }
            Output::Sip(_) | Output::Acd(_) | Output::Contacts(_) => {}
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.trace.packet(self.now, &self.phones, SWITCH, to, &bytes);
        if let Some(text) = Text::read(&bytes) {
            self.oracles.wire.sent_by_switch(self.now, to, &text);
        }
        self.net.send(self.now, Packet { from: SWITCH, to, bytes });
    }

    fn look_up(&mut self, answer: Input) {
        match self.directory {
            Directory::Prompt => self.local.handle(self.now, answer),
            Directory::Slow(within) => {
                self.faults.insert(Fault::DirectorySlow);
                self.keep(within, Later::Input(Box::new(answer)));
            }
            Directory::Silent => {
                self.faults.insert(Fault::DirectoryDead);
            }
        }
    }

    fn ask_back_end(&mut self, call: base::CallKey, token: u64) {
        let values = Ok(vec![("balance_fen".to_owned(), Pii::new("12345".to_owned()))]);
        match self.back_end {
            BackEnd::Answers => self.local.handle(self.now, Input::HookDone { call, token, result: values }),
            BackEnd::Fails => {
                self.faults.insert(Fault::HookDead);
                let result = Err(ivr::HookFailure::Timeout);
                self.local.handle(self.now, Input::HookDone { call, token, result });
            }
            BackEnd::Slow(within) => {
                self.faults.insert(Fault::HookSlow);
                let answer = Input::HookDone { call, token, result: values };
                self.keep(within, Later::Input(Box::new(answer)));
            }
            BackEnd::Silent => {
                self.faults.insert(Fault::HookDead);
            }
        }
    }
}
