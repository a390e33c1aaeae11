//! A received request with what every handler needs of it.

use core::net::IpAddr;

use base::Instant;
use bytes::Bytes;

use super::Flow;
use crate::message::header::Via;
use crate::message::{HeaderName, Host, List, Message, Method};
use crate::transaction::Layer;
use crate::transaction::template::{decimal, hex};

/// One request of a peer.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) message: &'a Message,
    pub(crate) method: &'a Method,
    /// How it came.
    pub(crate) flow: Flow,
    /// How its responses go.
    pub(crate) reply: Flow,
    /// Its transaction.
    pub(crate) id: u64,
    /// The INVITE transaction that an ACK or CANCEL is about.
    pub(crate) invite_id: u64,
    /// When it came.
    pub(crate) at: Instant,
    /// Our tag, once it is known to be of a dialog of ours or of a user who proved himself: then a refusal
    /// is kept for its repetitions.
    pub(crate) tag: Option<u64>,
}

impl<'a> Request<'a> {
    /// `None` for a message that is no request.
    pub(crate) fn new(layer: &Layer, at: Instant, message: &'a Message, flow: Flow) -> Option<Self> {
        let method = message.method()?;
        let via = message.via_top().ok()?;
        let id = |method: &[u8]| transaction_id(layer, message, &via, method, flow.remote.ip());
        let invite_id = id(b"INVITE");
        let own_id =
            if matches!(method, Method::Invite | Method::Ack) { invite_id } else { id(method.as_bytes()) };
        let reply = reply_flow(&via, flow);
        Some(Request { message, method, flow, reply, id: own_id, invite_id, at, tag: None })
    }

    pub(crate) fn source(&self) -> IpAddr {
        self.flow.remote.ip()
    }

    /// What merged requests share (RFC 3261 §8.2.2.2).
    pub(crate) fn merged(&self, layer: &Layer) -> u64 {
        let m = self.message;
        layer.keyed(("merged", m.from_tag(), m.call_id(), m.cseq_number(), self.method.as_bytes()))
    }

    /// The lines every response repeats (RFC 3261 §8.2.6.2), with our tag in To if it has none.
    pub(crate) fn head(&self, tag: u64) -> Bytes {
        let message = self.message;
        let mut out = Vec::with_capacity(512);
        for (index, via) in message.headers(HeaderName::Via).enumerate() {
            if index > 0 {
                line(&mut out, b"Via", via);
                continue;
            }
            for (index, hop) in List::new(via).enumerate() {
                match Via::parse(hop) {
                    Ok(parsed) if index == 0 => self.top_via(&mut out, &parsed),
                    _ => line(&mut out, b"Via", hop),
                }
            }
        }
        line(&mut out, b"From", message.header(HeaderName::From).unwrap_or_default());
        out.extend_from_slice(b"To: ");
        out.extend_from_slice(message.header(HeaderName::To).unwrap_or_default());
        if message.to_tag().is_none() {
            out.extend_from_slice(b";tag=");
            hex(&mut out, tag);
        }
        out.extend_from_slice(b"\r\n");
        line(&mut out, b"Call-ID", message.call_id());
        line(&mut out, b"CSeq", message.header(HeaderName::CSeq).unwrap_or_default());
        if matches!(self.method, Method::Invite) {
            for route in message.headers(HeaderName::RecordRoute) {
                line(&mut out, b"Record-Route", route);
            }
        }
        out.into()
    }

    /// The topmost Via with `received` and `rport` filled in (RFC 3261 §18.2.1, RFC 3581 §4).
    fn top_via(&self, out: &mut Vec<u8>, via: &Via<'_>) {
        use std::io::Write as _;
        let remote = self.flow.remote;
        let raw = via.as_bytes();
        if via.host.ip() == Some(remote.ip()) && !via.wants_rport() {
            return line(out, b"Via", raw);
        }
        let prefix = raw.len().saturating_sub(via.params.as_bytes().len());
        out.extend_from_slice(b"Via: ");
        out.extend_from_slice(raw.get(..prefix).unwrap_or(raw).trim_ascii_end());
        for param in via.params.iter() {
            if [&b"received"[..], b"rport"].iter().any(|name| param.name.eq_ignore_ascii_case(name)) {
                continue;
            }
            out.push(b';');
            out.extend_from_slice(param.name);
            if let Some(value) = param.value {
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
        // Writing to a Vec cannot fail.
        let _ = write!(out, ";received={}", remote.ip());
        if via.wants_rport() {
            out.extend_from_slice(b";rport=");
            decimal(out, u64::from(remote.port()));
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// RFC 3261 §17.2.3: branch, sent-by and method; and the source's address, so that no stranger who
/// sees or guesses a branch can stand in another's way. Without the magic cookie: what RFC 2543 gives.
fn transaction_id(layer: &Layer, message: &Message, via: &Via<'_>, method: &[u8], source: IpAddr) -> u64 {
    let text = via.as_bytes();
    let sent_by =
        text.get(..text.len().saturating_sub(via.params.as_bytes().len())).unwrap_or(text).trim_ascii_end();
    if via.has_magic_cookie() {
        return layer.keyed((via.branch(), sent_by, method, source));
    }
    let to_tag = match method {
        b"INVITE" | b"ACK" | b"CANCEL" => None,
        _ => message.to_tag(),
    };
    let uri = message.uri_bytes();
    layer.keyed((
        uri,
        message.from_tag(),
        to_tag,
        message.call_id(),
        message.cseq_number(),
        text,
        method,
        source,
    ))
}

/// Where responses go (RFC 3261 §18.2.2, RFC 3581 §4). A sent-by address that is not where the
/// datagram came from is an address behind a translator: the answer goes back to the source.
fn reply_flow(via: &Via<'_>, flow: Flow) -> Flow {
    if flow.protocol.is_reliable() || via.wants_rport() {
        return flow;
    }
    match via.host {
        Host::Ip(ip) if ip != flow.remote.ip() => flow,
        _ => Flow { remote: (flow.remote.ip(), via.port.unwrap_or(5060)).into(), ..flow },
    }
}
