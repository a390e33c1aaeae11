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
    rtcp: Rtcp,
}

/// Where a leg's RTCP goes.
enum Rtcp {
    /// Through the RTP port.
    Muxed,
    /// Through a port of its own, which is opened when there is voice or something to report: many a call
    /// ends before, and a socket is the dearest thing about a leg.
    Due,
    /// Through this one.
    Open(Socket),
    /// Nowhere: the port could not be had. The call can do without it.
    Refused,
}

impl Leg {
    fn socket(&self, channel: Channel) -> Option<&Socket> {
        match channel {
            Channel::Rtp => Some(&self.rtp),
            Channel::Rtcp => match &self.rtcp {
                Rtcp::Open(socket) => Some(socket),
                Rtcp::Muxed | Rtcp::Due | Rtcp::Refused => None,
            },
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
    /// Legs whose RTCP port was opened in this round and is not listened to yet.
    unwatched: Vec<usize>,
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
            unwatched: Vec::new(),
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
            *place = Some(Leg { key, slot, local, rtp, connected: None, rtcp: Rtcp::Muxed });
            self.by_key.insert(key, index);
        }
        Ok(())
    }

    /// Gives RTCP its way, and hears everyone again: new signalling may mean a new address.
    pub(crate) fn resignalled(&mut self, key: LegKey, muxed: bool) {
        let Some(&index) = self.by_key.get(&key) else { return };
        self.flush();
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return };
        if leg.connected.take().is_some() {
            // Only a closed descriptor could fail here, and this one is open.
            let _ = leg.rtp.disconnect();
        }
        match (&leg.rtcp, muxed) {
            (_, true) => leg.rtcp = Rtcp::Muxed,
            (Rtcp::Muxed, false) => leg.rtcp = Rtcp::Due,
            (Rtcp::Due | Rtcp::Open(_) | Rtcp::Refused, false) => {}
        }
    }

    /// Opens the RTCP port of the leg at `index`, if it is due.
    #[inline]
    pub(crate) fn open_rtcp(&mut self, index: usize) {
        let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { return };
        if !matches!(leg.rtcp, Rtcp::Due) {
            return;
        }
        let port = leg.local.port().saturating_add(1);
        match Socket::bind(SocketAddr::new(leg.local.ip(), port), &self.options) {
            Ok(socket) => {
                leg.rtcp = Rtcp::Open(socket);
                self.unwatched.push(index);
            }
            Err(_) => {
                leg.rtcp = Rtcp::Refused;
                self.counters.binds_failed.add(1);
            }
        }
    }

    /// Listens to the RTCP ports that were opened since the last call.
    pub(crate) fn watch(&mut self, epoll: &Epoll) {
        for index in self.unwatched.drain(..) {
            let Some(leg) = self.legs.get_mut(index).and_then(Option::as_mut) else { continue };
            let Rtcp::Open(socket) = &leg.rtcp else { continue };
            if epoll.add(socket, token(index, Channel::Rtcp)).is_err() {
                leg.rtcp = Rtcp::Refused;
                self.counters.binds_failed.add(1);
            }
        }
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
        let Some(index) = self.by_key.remove(&key) else { return false };
        self.unwatched.retain(|&other| other != index);
        self.legs.get_mut(index).and_then(Option::take).is_some()
    }

    /// Closes all sockets. The legs that had them.
    pub(crate) fn remove_all(&mut self) -> Vec<LegKey> {
        self.batch.clear();
        self.batch_of = None;
        self.unwatched.clear();
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
        if channel == Channel::Rtcp {
            self.open_rtcp(index);
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
