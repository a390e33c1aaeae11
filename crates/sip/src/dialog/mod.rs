//! A dialog: what two user agents share (RFC 3261 §12).

use base::LegKey;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::endpoint::{Flow, Protocol};
use crate::message::{HeaderName, Host, Message, Method, Uri};
use crate::transaction::template::hex;
use crate::transaction::{Layer, Template};
use crate::ua::print::Lines;

/// Routes that are remembered; a longer set is `PeerMisbehaved`.
pub(crate) const ROUTES_MAX: usize = 16;

/// One dialog, early or confirmed. All bytes are copies: none keeps a datagram alive.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: Bytes,
    pub(crate) local_tag: u64,
    /// Empty before the peer has answered, and for RFC 2543 peers.
    pub(crate) remote_tag: Bytes,
    /// Our From (or To) value, with our tag.
    pub(crate) local: Bytes,
    /// Its To (or From) value, with its tag.
    pub(crate) remote: Bytes,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    /// The remote target (RFC 3261 §12.2.1.1).
    pub(crate) target: Bytes,
    pub(crate) routes: SmallVec<[Bytes; 1]>,
    /// The way of our requests.
    pub(crate) flow: Flow,
    /// Requests go to where the peer's messages come from, whatever its Contact says.
    pub(crate) symmetric: bool,
    /// We began it: the Call-ID is ours (RFC 3261 §14.1 asks).
    pub(crate) is_ours: bool,
}

/// The peer's message cannot make a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoDialog;

impl Dialog {
    /// The server side's (RFC 3261 §12.1.1).
    pub(crate) fn incoming(
        layer: &Layer,
        message: &Message,
        flow: Flow,
        local_tag: u64,
        symmetric: bool,
    ) -> Result<Self, NoDialog> {
        let to = message.header(HeaderName::To).ok_or(NoDialog)?;
        let mut local = to.to_vec();
        local.extend_from_slice(b";tag=");
        hex(&mut local, local_tag);
        let routes = record_routes(message, false)?;
        let mut dialog = Dialog {
            call_id: Bytes::copy_from_slice(message.call_id()),
            local_tag,
            remote_tag: Bytes::copy_from_slice(message.from_tag().unwrap_or_default()),
            local: local.into(),
            remote: Bytes::copy_from_slice(message.header(HeaderName::From).ok_or(NoDialog)?),
            local_cseq: 0,
            remote_cseq: Some(message.cseq_number()),
            target: contact(message).ok_or(NoDialog)?,
            routes,
            flow,
            symmetric,
            is_ours: false,
        };
        dialog.find_way(layer, flow);
        Ok(dialog)
    }

    /// The client side's from a response (RFC 3261 §12.1.2); `self` is what we began with.
    pub(crate) fn answered(
        &self,
        layer: &Layer,
        message: &Message,
        flow: Flow,
        cseq: u32,
    ) -> Result<Self, NoDialog> {
        let mut dialog = Dialog {
            remote_tag: Bytes::copy_from_slice(message.to_tag().unwrap_or_default()),
            remote: Bytes::copy_from_slice(message.header(HeaderName::To).ok_or(NoDialog)?),
            target: contact(message).unwrap_or_else(|| self.target.clone()),
            routes: record_routes(message, true)?,
            local_cseq: self.local_cseq.max(cseq),
            ..self.clone()
        };
        dialog.find_way(layer, flow);
        Ok(dialog)
    }

    /// A target refresh: re-INVITE, UPDATE or their 2xx (RFC 3261 §12.2).
    pub(crate) fn refresh(&mut self, layer: &Layer, message: &Message, flow: Flow) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
        self.find_way(layer, flow);
    }

    /// Where our requests go. `flow` is how the peer's message came.
    ///
    /// The first route or the remote target says so. If it is a name, or no address of ours reaches
    /// it, requests go back the way the peer's came: no dialog ever waits for a name server.
    fn find_way(&mut self, layer: &Layer, flow: Flow) {
        self.flow = flow;
        if self.symmetric {
            return;
        }
        let next = self.routes.first().map_or(&self.target[..], |route| route_uri(route));
        let uri = Uri::parse_lossy(next);
        let Some(Host::Ip(ip)) = uri.host() else { return };
        if ip.is_unspecified() || ip.is_multicast() {
            return;
        }
        let protocol = match uri.transport() {
            Some(t) if t.eq_ignore_ascii_case(b"tcp") => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        let remote = (ip, uri.port().unwrap_or(5060)).into();
        // A stream that is open to the right host serves, whatever its port.
        if protocol == flow.protocol
            && (remote == flow.remote || (protocol.is_reliable() && ip == flow.remote.ip()))
        {
            return;
        }
        let local = if protocol == flow.protocol && flow.local.is_ipv4() == ip.is_ipv4() {
            Some(flow.local)
        } else {
            layer.listener(protocol, ip).map(|listener| listener.local)
        };
        if let Some(local) = local {
            self.flow = Flow { protocol, local, remote, connection: 0 };
        }
    }

    /// A request inside the dialog (RFC 3261 §12.2.1.1). ACK carries its INVITE's CSeq: `cseq`.
    pub(crate) fn request(&mut self, method: Method, cseq: Option<u32>) -> Box<Template> {
        let cseq = cseq.unwrap_or_else(|| {
            self.local_cseq = self.local_cseq.wrapping_add(1) & 0x7fff_ffff;
            self.local_cseq
        });
        let mut head = Lines::new();
        let mut uri = self.target.clone();
        match self.routes.first() {
            // RFC 3261 §12.2.1.1: a strict router gets itself as the Request-URI.
            Some(first) if !Uri::parse_lossy(route_uri(first)).is_loose() => {
                uri = Bytes::copy_from_slice(route_uri(first));
                for route in self.routes.iter().skip(1) {
                    head.line("Route", route);
                }
                head.parts("Route", &[b"<", &self.target, b">"]);
            }
            _ => {
                for route in &self.routes {
                    head.line("Route", route);
                }
            }
        }
        head.line("Max-Forwards", b"70").line("From", &self.local).line("Call-ID", &self.call_id);
        let mut to = Lines::new();
        to.line("To", &self.remote);
        let contact = matches!(method, Method::Invite | Method::Update | Method::Refer | Method::Notify);
        Box::new(Template {
            method,
            uri,
            head: head.finish(),
            to: to.finish(),
            cseq,
            auth: None,
            contact,
            extra: Bytes::new(),
            content_type: "application/sdp",
            body: Bytes::new(),
        })
    }

    /// Whether a request inside a dialog belongs to this one (RFC 3261 §12.2.2).
    pub(crate) fn matches(&self, message: &Message) -> bool {
        message.call_id() == self.call_id && message.from_tag().unwrap_or_default() == self.remote_tag
    }

    /// Whether the request is in order; remembers its number. A number that came before, or is older,
    /// is out of order (RFC 3261 §12.2.2).
    pub(crate) fn in_order(&mut self, cseq: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| cseq <= last) {
            return false;
        }
        self.remote_cseq = Some(cseq);
        true
    }
}

/// The Contact's URI, if there is one we can send to.
pub(crate) fn contact(message: &Message) -> Option<Bytes> {
    let address = message.addresses(HeaderName::Contact).next()?.ok()?;
    let uri = address.uri().ok()?;
    uri.host().map(|_| Bytes::copy_from_slice(address.uri_bytes))
}

/// The route set: Record-Route in order, or reversed for the client side.
fn record_routes(message: &Message, reversed: bool) -> Result<SmallVec<[Bytes; 1]>, NoDialog> {
    let mut routes = SmallVec::new();
    for address in message.record_routes() {
        let address = address.map_err(|_| NoDialog)?;
        if routes.len() >= ROUTES_MAX {
            return Err(NoDialog);
        }
        routes.push(Bytes::copy_from_slice(address.as_bytes()));
    }
    if reversed {
        routes.reverse();
    }
    Ok(routes)
}

/// The URI of a Route value.
fn route_uri(route: &[u8]) -> &[u8] {
    crate::message::header::NameAddr::parse(route).map_or(&[], |address| address.uri_bytes)
}

/// The tag of ours that names a leg.
pub(crate) type Tag = u64;

/// Legs by the tag of ours: 64 random bits, so that no stranger finds one.
pub(crate) type ByTag = base::SeededMap<Tag, LegKey>;
