//! The sockets of one thread's legs, and the way out for packets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{LegKey, Seed, SeededMap};
use media::relay::BindFailure;
use media::{Channel, Sink, Slot};

use crate::counters::Counters;
use crate::net::{Epoll, SendBatch, Socket, SocketOptions, Token};

/// One leg's sockets.
struct Leg {
    key: LegKey,
    slot: Slot,
    local: SocketAddr,
    rtp: Socket,
    /// Whom the kernel lets through to `rtp`, once he is certain.
    connected: Option<SocketAddr>,
    /// Open while signalling says that RTCP has a port of its own.
    rtcp: Option<Socket>,
}

impl Leg {
    fn socket(&self, channel: Channel) -> Option<&Socket> {
        match channel {
            Channel::Rtp => Some(&self.rtp),
            Channel::Rtcp => self.rtcp.as_ref(),
        }
    }
}

/// Sockets by slot. Packets of the same socket that leave in a row go in one batch.
pub(crate) struct Sockets {
    legs: Vec<Option<Leg>>,
    by_key: SeededMap<LegKey, usize>,
    options: SocketOptions,
    batch: SendBatch,
    batch_of: Option<(usize, Channel)>,
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
pub(crate) const fn untoken(token: Token) -> (usize, Channel) {
    (((token.0) >> 1) as usize, if token.0 & 1 == 0 { Channel::Rtp } else { Channel::Rtcp })
}

impl Sockets {
    pub(crate) fn new(options: SocketOptions, seed: Seed, counters: Arc<Counters>) -> Self {
        Sockets {
            legs: Vec::new(),
            by_key: SeededMap::with_hasher(seed),
            options,
            batch: SendBatch::default(),
            batch_of: None,
            counters,
        }
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
        epoll: &Epoll,
    ) -> io::Result<()> {
        let index = slot.index();
        epoll.add(&rtp, token(index, Channel::Rtp))?;
        if self.legs.len() <= index {
            self.legs.resize_with(index.saturating_add(1), || None);
        }
        if let Some(place) = self.legs.get_mut(index) {
            *place = Some(Leg { key, slot, local, rtp, connected: None, rtcp: None });
            self.by_key.insert(key, index);
        }
        Ok(())
    }

    /// Opens or closes the leg's RTCP port, and hears everyone again: new signalling may mean a new
    /// address. `false` if the RTCP port could not be bound; the call can do without it.
    pub(crate) fn resignalled(&mut self, key: LegKey, muxed: bool, epoll: &Epoll) -> bool {
        let Some(&index) = self.by_key.get(&key) else { return true };
        self.flush();
        let options = self.options;
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return true };
        if leg.connected.take().is_some() {
            // Only a closed descriptor could fail here, and this one is open.
            let _ = leg.rtp.disconnect();
        }
        if muxed {
            leg.rtcp = None;
        } else if leg.rtcp.is_none() {
            let port = leg.local.port().saturating_add(1);
            let opened = Socket::bind(SocketAddr::new(leg.local.ip(), port), &options).and_then(|rtcp| {
                epoll.add(&rtcp, token(index, Channel::Rtcp))?;
                Ok(rtcp)
            });
            leg.rtcp = opened.ok();
            return leg.rtcp.is_some();
        }
        true
    }

    /// Lets only `remote` through to the leg's RTP socket from now on: the kernel drops strangers before
    /// they cost anything, and sending skips the route look-up.
    pub(crate) fn locked(&mut self, key: LegKey, remote: SocketAddr) {
        let Some(&index) = self.by_key.get(&key) else { return };
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return };
        leg.connected = leg.rtp.connect(remote).is_ok().then_some(remote);
    }

    /// Closes a leg's sockets. What it was about to send leaves first. `false` if there was no such leg.
    pub(crate) fn remove(&mut self, key: LegKey) -> bool {
        self.flush();
        let place = self.by_key.remove(&key).and_then(|index| self.legs.get_mut(index));
        place.and_then(Option::take).is_some()
    }

    /// Closes all sockets. The legs that had them.
    pub(crate) fn remove_all(&mut self) -> Vec<LegKey> {
        self.batch.clear();
        self.batch_of = None;
        self.by_key.clear();
        let mut legs: Vec<LegKey> = self.legs.drain(..).flatten().map(|leg| leg.key).collect();
        legs.sort_unstable();
        legs
    }

    /// How many legs have sockets.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The leg and the socket behind a token; `None` if it is gone.
    pub(crate) fn get(&self, index: usize, channel: Channel) -> Option<(LegKey, Slot, &Socket)> {
        let leg = self.legs.get(index)?.as_ref()?;
        Some((leg.key, leg.slot, leg.socket(channel)?))
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        let Some((index, channel)) = self.batch_of.take() else { return };
        let leg = self.legs.get(index).and_then(Option::as_ref);
        let Some(socket) = leg.and_then(|leg| leg.socket(channel)) else {
            self.batch.clear();
            return;
        };
        let sent = self.batch.flush(socket);
        let counters = &self.counters;
        counters.packets_out.add(sent.packets);
        counters.bytes_out.add(sent.bytes);
        counters.sends.add(sent.calls);
        counters.drops_blocked.add(sent.blocked);
        counters.drops_failed.add(sent.failed);
        counters.icmp_errors.add(sent.icmp);
    }
}

impl Sink for Sockets {
    fn send(&mut self, slot: Slot, channel: Channel, to: SocketAddr, header: &[u8], payload: &[u8]) {
        let index = slot.index();
        if self.batch_of != Some((index, channel)) || self.batch.is_full() {
            self.flush();
        }
        let leg = self.legs.get(index).and_then(Option::as_ref).filter(|leg| leg.slot == slot);
        let Some(leg) = leg.filter(|leg| leg.socket(channel).is_some()) else {
            self.counters.drops_no_socket.add(1);
            return;
        };
        let to = (channel == Channel::Rtcp || leg.connected != Some(to)).then_some(to);
        if self.batch.push(to, header, payload) {
            self.batch_of = Some((index, channel));
        } else {
            self.counters.drops_oversize.add(1);
        }
    }
}
