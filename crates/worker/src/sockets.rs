//! The sockets of one thread's legs, and the way out for packets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use base::{LegKey, Seed, SeededMap};
use media::relay::BindFailure;
use media::{Channel, Sink, Slot};

use crate::counters::Counters;
use crate::net::{PacketIo, Sent, Socket, SocketOptions, Tally, Token, Woken};
use crate::offload::Transmit;

/// One leg and what is known of its sockets.
struct Leg {
    key: LegKey,
    slot: Slot,
    local: SocketAddr,
    /// Whom the kernel lets through to the RTP socket, once he is certain.
    connected: Option<SocketAddr>,
    /// Whether what is sent to him may pass the socket by.
    watched: bool,
    rtcp: Rtcp,
}

/// Where a leg's RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rtcp {
    /// Through the RTP port.
    Muxed,
    /// Through a port of its own, which is opened when there is voice or something to report: many a call
    /// ends before, and a socket is the dearest thing about a leg.
    Due,
    /// Through a port of its own.
    Open,
    /// Nowhere: the port could not be had. The call can do without it.
    Refused,
}

/// The legs by slot, and the way to their sockets.
pub(crate) struct Sockets {
    io: Box<dyn PacketIo>,
    /// The way past the sockets, where there is one.
    transmit: Option<Transmit>,
    legs: Vec<Option<Leg>>,
    by_key: SeededMap<LegKey, usize>,
    options: SocketOptions,
    counters: Arc<Counters>,
}

/// The token of one socket of a leg.
const fn token(index: usize, channel: Channel) -> Token {
    let low = match channel {
        Channel::Rtp => 0,
        Channel::Rtcp => 1,
    };
    Token((index as u64) << 1 | low)
}

/// What [`token`] was made of.
const fn untoken(token: Token) -> (usize, Channel) {
    ((token.0 >> 1) as usize, if token.0 & 1 == 0 { Channel::Rtp } else { Channel::Rtcp })
}

/// Tokens that so many legs may have.
pub(crate) const fn tokens_max(legs_max: usize) -> usize {
    legs_max.saturating_mul(2)
}

impl Sockets {
    pub(crate) fn new(
        io: Box<dyn PacketIo>,
        transmit: Option<Transmit>,
        options: SocketOptions,
        seed: Seed,
        counters: Arc<Counters>,
    ) -> Self {
        Sockets { io, transmit, legs: Vec::new(), by_key: SeededMap::with_hasher(seed), options, counters }
    }

    /// Sends what was pushed and sleeps until `until`, whatever arrives.
    pub(crate) fn rest(&mut self, until: Instant) {
        self.transmit.iter_mut().for_each(Transmit::flush);
        self.io.rest(until);
    }

    /// Sends what was pushed and waits until something arrives, as [`PacketIo::wait`] does.
    pub(crate) fn wait(&mut self, until: Option<Instant>) -> io::Result<Woken> {
        self.transmit.iter_mut().for_each(Transmit::flush);
        self.io.wait(until)
    }

    /// Closes everything; what another thread can go on with.
    pub(crate) fn end(mut self) -> Option<Transmit> {
        self.remove_all();
        self.transmit
    }

    /// The way packets come and go.
    pub(crate) fn io(&mut self) -> &mut dyn PacketIo {
        &mut *self.io
    }

    /// Binds the RTP socket of a leg that is about to be added.
    pub(crate) fn bind(&self, local: IpAddr, port: u16) -> Result<Socket, BindFailure> {
        Socket::bind(SocketAddr::new(local, port), &self.options).map_err(|_| BindFailure::Port)
    }

    /// Keeps the socket of a leg that was added at `slot`, and listens to it.
    pub(crate) fn insert(
        &mut self,
        key: LegKey,
        slot: Slot,
        local: SocketAddr,
        rtp: Socket,
    ) -> io::Result<()> {
        let index = slot.index();
        self.io.add(token(index, Channel::Rtp), rtp)?;
        if self.legs.len() <= index {
            self.legs.resize_with(index.saturating_add(1), || None);
        }
        if let Some(place) = self.legs.get_mut(index) {
            *place = Some(Leg { key, slot, local, connected: None, watched: false, rtcp: Rtcp::Muxed });
            self.by_key.insert(key, index);
        }
        Ok(())
    }

    /// Gives RTCP its way, and hears everyone again: new signalling may mean a new address.
    pub(crate) fn resignalled(&mut self, key: LegKey, muxed: bool) {
        let Some(&index) = self.by_key.get(&key) else { return };
        // What was pushed for a connected socket carries no address.
        self.io.flush();
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return };
        leg.forget(&mut self.transmit);
        if leg.connected.take().is_some()
            && let Some(rtp) = self.io.socket(token(index, Channel::Rtp))
        {
            // Only a closed descriptor could fail here, and this one is open.
            let _ = rtp.disconnect();
        }
        match (leg.rtcp, muxed) {
            (Rtcp::Open, true) => {
                leg.rtcp = Rtcp::Muxed;
                self.io.close(token(index, Channel::Rtcp));
            }
            (_, true) => leg.rtcp = Rtcp::Muxed,
            (Rtcp::Muxed, false) => leg.rtcp = Rtcp::Due,
            (Rtcp::Due | Rtcp::Open | Rtcp::Refused, false) => {}
        }
    }

    /// Opens the RTCP port of the leg at `slot`, if it is due.
    #[inline]
    pub(crate) fn open_rtcp(&mut self, slot: Slot) {
        let index = slot.index();
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return };
        if leg.rtcp != Rtcp::Due || leg.slot != slot {
            return;
        }
        let port = leg.local.port().saturating_add(1);
        let opened = Socket::bind(SocketAddr::new(leg.local.ip(), port), &self.options);
        if opened.and_then(|socket| self.io.add(token(index, Channel::Rtcp), socket)).is_ok() {
            leg.rtcp = Rtcp::Open;
        } else {
            leg.rtcp = Rtcp::Refused;
            self.counters.binds_failed.add(1);
        }
    }

    /// Lets only `remote` through to the leg's RTP socket from now on: the kernel drops strangers before
    /// they cost anything, and sending skips the route look-up.
    pub(crate) fn locked(&mut self, key: LegKey, remote: SocketAddr) {
        let Some(&index) = self.by_key.get(&key) else { return };
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(rtp) = self.io.socket(token(index, Channel::Rtp)) else { return };
        leg.connected = rtp.connect(remote).is_ok().then_some(remote);
        leg.forget(&mut self.transmit);
        if let (Some(peer), Some(transmit)) = (leg.connected, &mut self.transmit) {
            leg.watched = transmit.watch(leg.local, peer);
        }
    }

    /// Closes a leg's sockets. What it was about to send leaves first. `false` if there was no such leg.
    pub(crate) fn remove(&mut self, key: LegKey) -> bool {
        let Some(index) = self.by_key.remove(&key) else { return false };
        let mut leg = self.legs.get_mut(index).and_then(Option::take);
        leg.iter_mut().for_each(|leg| leg.forget(&mut self.transmit));
        self.io.close(token(index, Channel::Rtp));
        if leg.as_ref().is_some_and(|leg| leg.rtcp == Rtcp::Open) {
            self.io.close(token(index, Channel::Rtcp));
        }
        leg.is_some()
    }

    /// The legs that have sockets.
    pub(crate) fn keys(&self) -> Vec<LegKey> {
        let mut legs: Vec<LegKey> = self.legs.iter().flatten().map(|leg| leg.key).collect();
        legs.sort_unstable();
        legs
    }

    /// Closes all sockets. The legs that had them.
    pub(crate) fn remove_all(&mut self) -> Vec<LegKey> {
        let legs = self.keys();
        for &key in &legs {
            self.remove(key);
        }
        legs
    }

    /// How many legs have sockets.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Where a leg's voice arrives.
    pub(crate) fn local(&self, slot: Slot) -> Option<SocketAddr> {
        let leg = self.legs.get(slot.index())?.as_ref().filter(|leg| leg.slot == slot)?;
        Some(leg.local)
    }

    /// The leg behind a token, and which of its ports; `None` if it is gone.
    pub(crate) fn leg(&self, token: Token) -> Option<(LegKey, Slot, Channel)> {
        let (index, channel) = untoken(token);
        let leg = self.legs.get(index)?.as_ref()?;
        Some((leg.key, leg.slot, channel))
    }

    /// Publishes what was counted since the last call.
    pub(crate) fn count(&mut self) {
        let Tally { packets_in, bytes_in, receives, oversize, flooded, icmp, starved, sent } =
            self.io.tally();
        let counters = &self.counters;
        counters.packets_in.add(packets_in);
        counters.bytes_in.add(bytes_in);
        counters.receives.add(receives);
        counters.drops_oversize.add(oversize);
        counters.rounds_flooded.add(flooded);
        counters.buffers_exhausted.add(starved);
        counters.packets_out.add(sent.packets);
        counters.bytes_out.add(sent.bytes);
        counters.sends.add(sent.calls);
        counters.drops_blocked.add(sent.blocked);
        counters.drops_failed.add(sent.failed);
        counters.icmp_errors.add(icmp.wrapping_add(sent.icmp));
        for Sent { packets, bytes, calls, failed, .. } in self.transmit.iter_mut().flat_map(Transmit::tally) {
            counters.packets_out.add(packets);
            counters.packets_af_xdp.add(packets);
            counters.bytes_out.add(bytes);
            counters.sends.add(calls);
            counters.drops_failed.add(failed);
        }
    }
}

impl Leg {
    /// What is sent goes by socket from now on.
    fn forget(&mut self, transmit: &mut Option<Transmit>) {
        if std::mem::take(&mut self.watched)
            && let Some(transmit) = transmit
        {
            transmit.forget(self.local);
        }
    }
}

impl Sink for Sockets {
    fn send(&mut self, slot: Slot, channel: Channel, to: SocketAddr, header: &[u8], payload: &[u8]) {
        let index = slot.index();
        if channel == Channel::Rtcp {
            self.open_rtcp(slot);
        }
        let leg = self.legs.get(index).and_then(Option::as_ref).filter(|leg| leg.slot == slot);
        let Some(leg) = leg.filter(|leg| channel == Channel::Rtp || leg.rtcp == Rtcp::Open) else {
            self.counters.drops_no_socket.add(1);
            return;
        };
        let (connected, local) = (channel == Channel::Rtp && leg.connected == Some(to), leg.local);
        if connected
            && leg.watched
            && let Some(transmit) = &mut self.transmit
            && transmit.send(local, to, header, payload)
        {
            return;
        }
        let to = (!connected).then_some(to);
        if !self.io.send(token(index, channel), to, header, payload) {
            self.counters.drops_oversize.add(1);
        }
    }
}
