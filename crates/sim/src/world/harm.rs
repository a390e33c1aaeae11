//! What can be done to the world.

use std::net::{IpAddr, SocketAddr};

use base::Duration;

use super::World;
use crate::fault::Fault;

impl World {
    /// Nothing reaches these hosts and nothing comes from them.
    pub fn cut_off(&mut self, hosts: impl IntoIterator<Item = IpAddr>) {
        for host in hosts {
            self.trace.say(self.now, || format!("** {host} is cut off"));
            self.net.cut.insert(host);
        }
    }

    /// A host is reached again.
    pub fn heal(&mut self, host: IpAddr) {
        self.trace.say(self.now, || format!("** {host} is reached again"));
        self.net.cut.remove(&host);
    }

    /// A phone vanishes.
    pub fn vanish(&mut self, address: SocketAddr) {
        self.trace.say(self.now, || format!("** {address} vanishes"));
        self.with_phone(address, |phone, _| phone.vanish());
    }

    /// A phone comes back, with or without its memory.
    pub fn come_back(&mut self, address: SocketAddr, restarted: bool) {
        if !self.phones.get(&address).is_some_and(|phone| phone.away) {
            return;
        }
        self.trace.say(self.now, || format!("** {address} comes back, restarted: {restarted}"));
        self.with_phone(address, |phone, _| phone.come_back(restarted));
    }

    /// The media worker falls over and starts again: its legs are gone, as its owner is told.
    pub fn kill_worker(&mut self, worker: usize) {
        self.trace.say(self.now, || format!("** media worker {worker} falls over"));
        if self.voices.kill(worker) > 0 {
            self.faults.insert(Fault::WorkerDies);
        }
        self.drive();
    }

    /// The whole process stands still for so long: SIGSTOP, a machine that swaps, a clock that leaps.
    pub fn stand_still(&mut self, duration: Duration) {
        if self.standstill.until.is_none() {
            self.trace.say(self.now, || format!("** stands still for {duration:?}"));
            self.faults.insert(Fault::Leap);
            self.standstill.until = Some(self.now + duration);
            self.standstill.total += duration;
        }
    }

    /// The next thing that happens to the call is a bug of ours: in builds with debug assertions.
    pub fn sabotage(&mut self, call: base::CallKey, after: bool) {
        #[cfg(debug_assertions)]
        if self.local.sabotage(call, after) {
            self.trace.say(self.now, || format!("** call {call} is about to panic"));
            self.faults.insert(Fault::Panic);
        }
        #[cfg(not(debug_assertions))]
        let _ = (call, after);
    }

    /// New settings.
    pub fn reload(&mut self, settings: call::Settings) {
        self.limits = settings.limits;
        self.tell(call::Input::Reload(Box::new(settings)));
    }

    /// Everything that went wrong, wherever it was seen.
    pub fn all_faults(&self) -> std::collections::BTreeSet<Fault> {
        let phones = self.phones.values().flat_map(|phone| phone.faults.iter());
        let all = self.faults.iter().chain(&self.net.faults).chain(&self.voices.faults).chain(phones);
        all.copied().collect()
    }
}
