//! What goes into the endpoint and what comes out of it.

use core::net::SocketAddr;

use base::LegKey;
use bytes::Bytes;

use super::event::Event;

/// What carries a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Datagrams: we retransmit.
    #[default]
    Udp,
    /// A stream: it retransmits.
    Tcp,
}

impl Protocol {
    /// Whether the transport itself repeats what is lost (RFC 3261 §17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Protocol::Udp)
    }

    /// As it stands in Via.
    pub const fn as_via(self) -> &'static str {
        match self {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
        }
    }

    /// As it stands in the `transport` parameter of a URI.
    pub const fn as_param(self) -> &'static str {
        match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
        }
    }
}

/// The way a message came, and the way its answer goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Protocol.
    pub protocol: Protocol,
    /// Our address: the listener's.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Which stream; 0 for datagrams.
    pub connection: u64,
}

/// A resolved next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Protocol.
    pub protocol: Protocol,
    /// Address.
    pub remote: SocketAddr,
}

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// One datagram, or one whole message cut from a stream by [`crate::Framer`].
    Received {
        /// How it came.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// The same, at a moment when there is no room for anything new: what belongs to a transaction or a
    /// dialog is served as ever, what would begin one gets 503 with Retry-After and leaves no trace.
    Crowded {
        /// How it came.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// A stream ended: what waits on it fails.
    Closed {
        /// The stream.
        flow: Flow,
    },
    /// ICMP error or refused connect: what waits for `flow.remote` fails (RFC 3261 §17.1.4).
    SendFailed {
        /// Where sending failed. `connection` is 0 if none was made.
        flow: Flow,
    },
    /// The answer to [`Output::Resolve`], best first ([`crate::resolve::order`]); empty: failed.
    Resolved {
        /// The query.
        query: u64,
        /// Its targets.
        targets: Vec<Target>,
    },
}

/// What the driver must do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// Protocol.
        protocol: Protocol,
        /// From this listener; `None`: any of the protocol and the address family.
        local: Option<SocketAddr>,
        /// To.
        remote: SocketAddr,
        /// On this stream; 0: open one to `remote` or reuse one.
        connection: u64,
        /// The message (or four bytes that keep an address translator's door open).
        bytes: Bytes,
    },
    /// Find the targets of a name (RFC 3263), then [`Input::Resolved`].
    Resolve {
        /// The query.
        query: u64,
        /// Host name, never an address.
        host: String,
        /// Port, if the URI has one: then no SRV.
        port: Option<u16>,
        /// Protocol, if the URI has one: then no NAPTR.
        protocol: Option<Protocol>,
    },
    /// Something the owner must know.
    Event(Event),
}

/// A timer of a transaction, by the letter of RFC 3261 §17 and RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Letter {
    /// INVITE retransmission, client, unreliable transport.
    A,
    /// INVITE times out, client.
    B,
    /// INVITE rings too long.
    C,
    /// Absorbs repeated final responses to INVITE, client.
    D,
    /// Request retransmission, client.
    E,
    /// Request times out, client.
    F,
    /// Response retransmission to INVITE, server.
    G,
    /// ACK never came, server.
    H,
    /// Absorbs repeated ACK, server.
    I,
    /// Absorbs repeated requests, server.
    J,
    /// Absorbs repeated responses, client.
    K,
    /// Absorbs repeated INVITE after 2xx, server (RFC 6026).
    L,
    /// Takes 2xx of other branches, client (RFC 6026).
    M,
    /// 100 is due, server: the 200 ms of RFC 3261 §17.2.1, which have no letter.
    Trying,
}

impl Letter {
    /// Whether its end forgets something and does nothing else: then it may be late.
    pub(crate) const fn only_forgets(self) -> bool {
        matches!(self, Letter::D | Letter::I | Letter::J | Letter::K | Letter::L | Letter::M)
    }
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A client transaction's.
    Client {
        /// The letter.
        letter: Letter,
        /// The transaction.
        transaction: u64,
    },
    /// A server transaction's.
    Server {
        /// The letter.
        letter: Letter,
        /// The transaction.
        transaction: u64,
    },
    /// A leg's.
    Leg {
        /// What it is for.
        what: LegTimer,
        /// The leg.
        leg: LegKey,
    },
    /// A contact expires.
    Binding(u64),
    /// Keep-alives to contacts behind address translators.
    Keepalive,
    /// OPTIONS to a trunk.
    Options(base::TrunkKey),
    /// Forgetting of quiet sources.
    Sweep,
}

/// What a leg's deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LegTimer {
    /// Repeats our 2xx until its ACK (RFC 3261 §13.3.1.4).
    Repeat2xx,
    /// The ACK for our 2xx never came.
    NoAck,
    /// Repeats a reliable provisional response (RFC 3262 §3).
    RepeatProvisional,
    /// The PRACK never came.
    NoPrack,
    /// The owner never answered the INVITE, or an INVITE of ours rings too long.
    Unanswered,
    /// Keeps a waiting INVITE alive (RFC 3261 §13.3.1.1).
    StillTrying,
    /// We refresh the session (RFC 4028 §7.2).
    Refresh,
    /// The session expires (RFC 4028 §10).
    SessionExpires,
    /// A re-INVITE or UPDATE is tried again after 491 (RFC 3261 §14.1).
    ReofferAgain,
    /// The owner never answered a re-INVITE or UPDATE.
    ReofferUnanswered,
    /// The end of a refer's subscription (RFC 3515 §2.4.7).
    ReferExpires,
    /// The peer never answered our BYE or CANCEL.
    Linger,
}

impl LegTimer {
    /// Every timer a leg may have.
    pub const ALL: [LegTimer; 12] = [
        LegTimer::Repeat2xx,
        LegTimer::NoAck,
        LegTimer::RepeatProvisional,
        LegTimer::NoPrack,
        LegTimer::Unanswered,
        LegTimer::StillTrying,
        LegTimer::Refresh,
        LegTimer::SessionExpires,
        LegTimer::ReofferAgain,
        LegTimer::ReofferUnanswered,
        LegTimer::ReferExpires,
        LegTimer::Linger,
    ];
}
