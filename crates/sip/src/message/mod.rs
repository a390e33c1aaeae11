//! The message layer: bytes to messages and back.
//!
//! A [`Message`] is an index over one received buffer. Nothing is copied or required to be UTF-8,
//! what is unknown is kept, and typed views of headers ([`header`]) are read on demand.
//! [`Message::parse`] accepts a message only if every header that the protocol needs is there and
//! well-formed, so that `Call-ID`, tags, `CSeq` and the topmost branch are at hand without errors.
//! [`Writer`] prints requests and responses into a reused buffer.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

mod error;
pub mod frame;
pub mod header;
mod lex;
mod limits;
mod method;
pub mod multipart;
mod parse;
mod status;
pub mod uri;
mod writer;

use bytes::Bytes;
use smallvec::SmallVec;

pub use error::{Answerable, BadHeader, Defect, Fault, ParseError};
pub use header::HeaderName;
pub use lex::{List, Param, ParamIter, Params, unescape, unquote};
pub use limits::Limits;
pub use method::Method;
pub use status::reason_phrase;
pub use uri::{Host, Scheme, Uri, UriBuf};
pub use writer::{Draft, WriteError, Writer};

/// Header fields that fit without a heap allocation.
const FIELDS_INLINE: usize = 36;

/// Positions of some bytes in the buffer; [`Limits::BYTES_MAX`] makes them fit.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}

/// One header field's place.
#[derive(Clone, Copy)]
struct Entry {
    id: HeaderName,
    name: Span,
    value: Span,
}

#[derive(Clone)]
enum Line {
    Request { method: Method, uri: Span },
    Response { code: u16, reason: Span },
}

/// What every message has, found once by the parser.
#[derive(Clone)]
struct Core {
    branch: Option<Span>,
    from_tag: Option<Span>,
    to_tag: Option<Span>,
    call_id: Span,
    cseq_number: u32,
    /// Of a response; a request's `CSeq` method is its method.
    cseq_method: Option<Method>,
}

/// A SIP message: an index over one buffer.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    line: Line,
    entries: SmallVec<[Entry; FIELDS_INLINE]>,
    core: Core,
    body: Bytes,
}

/// A message's first line.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// A request.
    Request {
        /// Its method.
        method: &'a Method,
        /// The Request-URI, raw.
        uri: &'a [u8],
    },
    /// A response.
    Response {
        /// 100 to 699.
        code: u16,
        /// The reason phrase: any bytes, perhaps none.
        reason: &'a [u8],
    },
}

/// One header field as received.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// Its name in our table.
    pub name: HeaderName,
    /// Its name as written.
    pub name_bytes: &'a [u8],
    /// Its value, folds replaced by spaces, no white space at the ends.
    pub value: &'a [u8],
}

impl Message {
    /// Reads one datagram, or one whole message that [`frame`] cut from a stream.
    ///
    /// # Errors
    /// The first defect, and what is needed to answer it. Bytes after `Content-Length` are ignored
    /// (RFC 3261 §18.3).
    pub fn parse(datagram: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        parse::message(datagram, limits)
    }

    /// The first line.
    pub fn start(&self) -> Start<'_> {
        match &self.line {
            Line::Request { method, uri } => Start::Request { method, uri: uri.of(&self.bytes) },
            Line::Response { code, reason } => {
                Start::Response { code: *code, reason: reason.of(&self.bytes) }
            }
        }
    }

    /// Whether it is a request.
    pub const fn is_request(&self) -> bool {
        matches!(self.line, Line::Request { .. })
    }

    /// The method of a request.
    pub const fn method(&self) -> Option<&Method> {
        match &self.line {
            Line::Request { method, .. } => Some(method),
            Line::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, raw. [`Message::parse`] has checked it.
    pub fn uri_bytes(&self) -> Option<&[u8]> {
        match &self.line {
            Line::Request { uri, .. } => Some(uri.of(&self.bytes)),
            Line::Response { .. } => None,
        }
    }

    /// The Request-URI of a request.
    pub fn uri(&self) -> Option<Uri<'_>> {
        self.uri_bytes().map(Uri::parse_lossy)
    }

    /// The status code of a response.
    pub const fn status(&self) -> Option<u16> {
        match self.line {
            Line::Response { code, .. } => Some(code),
            Line::Request { .. } => None,
        }
    }

    /// `Call-ID`.
    pub fn call_id(&self) -> &[u8] {
        self.core.call_id.of(&self.bytes)
    }

    /// The sequence number of `CSeq`, below 2^31.
    pub const fn cseq_number(&self) -> u32 {
        self.core.cseq_number
    }

    /// The method of `CSeq`; of a request, its own method.
    pub fn cseq_method(&self) -> &Method {
        match (&self.core.cseq_method, &self.line) {
            (Some(method), _) | (None, Line::Request { method, .. }) => method,
            // The parser never leaves a response without it.
            (None, Line::Response { .. }) => &Method::Options,
        }
    }

    /// The tag of `From`; RFC 2543 peers may send none.
    pub fn from_tag(&self) -> Option<&[u8]> {
        Some(self.core.from_tag?.of(&self.bytes))
    }

    /// The tag of `To`.
    pub fn to_tag(&self) -> Option<&[u8]> {
        Some(self.core.to_tag?.of(&self.bytes))
    }

    /// The branch of the topmost `Via`.
    pub fn branch(&self) -> Option<&[u8]> {
        Some(self.core.branch?.of(&self.bytes))
    }

    /// The first value of header `name`.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.headers(name).next()
    }

    /// Every field value of header `name`, from the top. Comma lists are not split: typed views do.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> + Clone {
        self.entries.iter().filter(move |entry| entry.id == name).map(|entry| entry.value.of(&self.bytes))
    }

    /// The first value of a header that is not in our table, by name without case.
    pub fn header_named(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields().find(|field| field.name_bytes.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The only value of header `name`.
    ///
    /// # Errors
    /// [`BadHeader`] if it stands several times: a header that must be single and is not could be
    /// read one way by us and another way by who checked it before us.
    pub fn only(&self, name: HeaderName) -> Result<Option<&[u8]>, BadHeader> {
        let mut values = self.headers(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(BadHeader(name)),
        }
    }

    /// Every header field in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.entries.iter().map(|entry| Field {
            name: entry.id,
            name_bytes: entry.name.of(&self.bytes),
            value: entry.value.of(&self.bytes),
        })
    }

    /// The body: `Content-Length` bytes, or of a datagram without that header all that follows.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The received bytes (folds replaced by spaces).
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The raw values that an answer repeats, detached from this message.
    pub fn answerable(&self) -> Answerable {
        parse::answerable(&self.bytes, &self.entries, self.method().cloned())
    }
}

/// Says what it is and how large; never who calls whom.
impl core::fmt::Debug for Message {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut f = f.debug_struct("Message");
        match self.start() {
            Start::Request { method, .. } => f.field("method", method),
            Start::Response { code, .. } => f.field("code", &code),
        };
        f.field("cseq", &self.core.cseq_number).field("headers", &self.entries.len());
        f.field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}
