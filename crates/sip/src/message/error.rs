//! What can be wrong with a message, whose fault it is, and what to answer.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{HeaderName, Method};

/// Whose fault an error is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The bytes are not what the grammar allows.
    Malformed,
    /// Well-formed, but against the protocol's rules or our limits.
    PeerMisbehaved,
    /// Legal, but nothing we do.
    Unsupported,
    /// Our own code asked for something impossible.
    ApiMisuse,
}

/// What is wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// Nothing but line ends: a keep-alive (RFC 5626 §3.5.1), not a message.
    Empty,
    /// The start line is neither a Request-Line nor a Status-Line.
    StartLine,
    /// A SIP version other than 2.0.
    Version,
    /// The Request-URI is malformed or carries headers (RFC 3261 §19.1.1).
    RequestUri,
    /// The Request-URI is longer than [`Limits::uri_bytes_max`](super::Limits::uri_bytes_max).
    RequestUriTooLong,
    /// A header line without a name, a colon, or with a name that is no token.
    HeaderLine,
    /// A carriage return that ends no line: two readers would see two different messages.
    BareCr,
    /// The empty line after the headers is missing: the message may have been cut.
    Unterminated,
    /// `Content-Length` is no number.
    ContentLength,
    /// The body is shorter than `Content-Length` says.
    Truncated,
    /// A header that every message must have is missing (RFC 3261 §8.1.1).
    Missing(HeaderName),
    /// A header that may stand once stands several times.
    Repeated(HeaderName),
    /// A header's value does not follow its grammar.
    Header(HeaderName),
    /// The method of `CSeq` is not that of the request (RFC 3261 §8.1.1.5).
    CSeqMethod,
    /// The message, its head or one header is longer than [`Limits`](super::Limits) allow.
    TooLarge,
    /// More header fields than [`Limits::headers_max`](super::Limits::headers_max).
    TooManyHeaders,
}

impl Defect {
    /// The status that a request with this defect is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Defect::Version => 505,
            Defect::RequestUriTooLong => 414,
            Defect::TooLarge | Defect::TooManyHeaders => 413,
            _ => 400,
        }
    }

    /// Whose fault it is.
    pub const fn fault(self) -> Fault {
        match self {
            Defect::Version => Fault::Unsupported,
            Defect::RequestUriTooLong | Defect::TooLarge | Defect::TooManyHeaders => Fault::PeerMisbehaved,
            _ => Fault::Malformed,
        }
    }

    /// A reason phrase that tells the peer's engineer what to look at (RFC 3261 §21.4.1). It
    /// repeats nothing of what was received.
    pub const fn reason(self) -> &'static str {
        match self {
            Defect::Version => "Version Not Supported",
            Defect::RequestUriTooLong => "Request-URI Too Long",
            Defect::TooLarge | Defect::TooManyHeaders => "Request Entity Too Large",
            Defect::Empty | Defect::StartLine => "Bad Request-Line",
            Defect::RequestUri => "Bad Request-URI",
            Defect::HeaderLine => "Bad Header Line",
            Defect::BareCr => "Bare CR",
            Defect::Unterminated => "No Empty Line After Headers",
            Defect::ContentLength => "Bad Content-Length",
            Defect::Truncated => "Body Shorter Than Content-Length",
            Defect::Missing(_) => "Missing Mandatory Header",
            Defect::Repeated(_) => "Repeated Header",
            Defect::Header(_) => "Bad Header Value",
            Defect::CSeqMethod => "CSeq Method Mismatch",
        }
    }
}

impl core::fmt::Display for Defect {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Defect::Missing(name) | Defect::Repeated(name) | Defect::Header(name) => {
                write!(f, "{}: {name}", self.reason())
            }
            _ => f.write_str(self.reason()),
        }
    }
}

/// Why bytes are not a message we accept.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// The first defect found.
    pub defect: Defect,
    /// Enough of the request to answer it; `None` for responses, for ACK (RFC 3261 §17.1.1.3: never
    /// answered), and where no `Via` could be found.
    pub answer: Option<Box<Answerable>>,
}

impl ParseError {
    /// The status to answer with, if it can be answered.
    pub const fn status(&self) -> u16 {
        self.defect.status()
    }
}

impl core::fmt::Display for ParseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.defect.fmt(f)
    }
}

impl core::error::Error for ParseError {}

/// The raw header values that a response repeats (RFC 3261 §8.2.6.2). Headers that the request
/// lacks are left out of the answer.
#[derive(Clone)]
pub struct Answerable {
    /// The request's method, where it could be read.
    pub method: Option<Method>,
    /// Every `Via` field value, topmost first; at least one.
    pub vias: SmallVec<[Bytes; 2]>,
    /// `From`.
    pub from: Option<Bytes>,
    /// `To`.
    pub to: Option<Bytes>,
    /// `Call-ID`.
    pub call_id: Option<Bytes>,
    /// `CSeq`.
    pub cseq: Option<Bytes>,
}

impl core::fmt::Debug for Answerable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Answerable").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A typed view was asked of a header that does not follow its grammar or is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadHeader(pub HeaderName);

impl From<BadHeader> for Defect {
    fn from(BadHeader(name): BadHeader) -> Self {
        Defect::Header(name)
    }
}

impl core::fmt::Display for BadHeader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "malformed {}", self.0)
    }
}

impl core::error::Error for BadHeader {}
