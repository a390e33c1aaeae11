//! Prints messages into a reused buffer.

use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

use super::lex::{self, List};
use super::{Answerable, HeaderName, Limits, Message, Method, header::Via};

/// How much buffer is asked for at once; messages are cut from it.
const CHUNK_BYTES: usize = 16 * 1024;

/// Why a message was not printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// A value holds CR, LF or NUL: it could become a header of its own.
    ControlCharacter(HeaderName),
    /// A name given to [`Draft::named`] is no token or one of the table's; or `Content-Length`, which
    /// [`Draft::finish`] adds.
    BadName,
    /// The message would be longer than a datagram.
    TooLarge,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::ControlCharacter(name) => write!(f, "control character in {name}"),
            WriteError::BadName => f.write_str("bad header name"),
            WriteError::TooLarge => f.write_str("message too large"),
        }
    }
}

impl core::error::Error for WriteError {}

/// Prints one message after the other. The buffer of a message is reused once nobody holds its
/// [`Bytes`] any more.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
}

impl Writer {
    /// A writer that allocates when first used.
    pub fn new() -> Self {
        Writer::default()
    }

    /// Begins a request.
    pub fn request(&mut self, method: &Method, uri: &[u8]) -> Draft<'_> {
        let mut draft = self.draft();
        draft.value(HeaderName::Other, method.as_bytes());
        draft.raw(b" ");
        draft.value(HeaderName::Other, uri);
        draft.raw(b" SIP/2.0\r\n");
        draft
    }

    /// Begins a response; `code` is 100 to 699.
    pub fn response(&mut self, code: u16, reason: &[u8]) -> Draft<'_> {
        let mut draft = self.draft();
        draft.raw(b"SIP/2.0 ");
        draft.format(HeaderName::Other, format_args!("{code} "));
        draft.value(HeaderName::Other, reason);
        draft.raw(b"\r\n");
        draft
    }

    /// Begins a response to `request` with what every response repeats (RFC 3261 §8.2.6.2): all
    /// `Via` (the topmost with `received` and `rport` of `source`), `From`, `To`, `Call-ID`,
    /// `CSeq`. `to_tag` is added to a `To` that has none.
    pub fn answer(
        &mut self,
        request: &Message,
        code: u16,
        reason: &[u8],
        source: SocketAddr,
        to_tag: Option<&[u8]>,
    ) -> Draft<'_> {
        let mut draft = self.response(code, reason);
        draft.vias(request.headers(HeaderName::Via), Some(source));
        draft.copy(request, HeaderName::From);
        let to_tag = to_tag.filter(|_| request.to_tag().is_none());
        draft.to(request.header(HeaderName::To).unwrap_or_default(), to_tag);
        draft.copy(request, HeaderName::CallId).copy(request, HeaderName::CSeq);
        draft
    }

    /// As [`Writer::answer`], for a request that was refused by the parser: what it lacks is left
    /// out, and a malformed topmost `Via` is repeated as it is.
    pub fn answer_malformed(
        &mut self,
        request: &Answerable,
        code: u16,
        reason: &[u8],
        source: SocketAddr,
        to_tag: Option<&[u8]>,
    ) -> Draft<'_> {
        let mut draft = self.response(code, reason);
        draft.vias(request.vias.iter().map(|via| &**via), Some(source));
        if let Some(from) = &request.from {
            draft.received(HeaderName::From, from);
        }
        if let Some(to) = &request.to {
            let tagged = memchr::memmem::find(to, b"tag").is_some();
            draft.to(to, to_tag.filter(|_| !tagged));
        }
        for (name, value) in [(HeaderName::CallId, &request.call_id), (HeaderName::CSeq, &request.cseq)] {
            if let Some(value) = value {
                draft.received(name, value);
            }
        }
        draft
    }

    fn draft(&mut self) -> Draft<'_> {
        self.buffer.clear();
        // Takes the old memory back if no message lives in it, else allocates a chunk.
        if self.buffer.capacity() < CHUNK_BYTES / 4 {
            self.buffer.reserve(CHUNK_BYTES);
        }
        Draft { buffer: &mut self.buffer, error: None }
    }
}

/// A message being printed. The first error is kept and told by [`Draft::finish`].
#[derive(Debug)]
pub struct Draft<'a> {
    buffer: &'a mut BytesMut,
    error: Option<WriteError>,
}

impl Draft<'_> {
    /// Adds a header with a value of our own.
    pub fn header(&mut self, name: HeaderName, value: impl AsRef<[u8]>) -> &mut Self {
        self.name(name);
        self.value(name, value.as_ref());
        self.raw(b"\r\n");
        self
    }

    /// Adds a header whose value is formatted in place: `header_fmt(name, format_args!("{a} {b}"))`.
    pub fn header_fmt(&mut self, name: HeaderName, value: fmt::Arguments<'_>) -> &mut Self {
        self.name(name);
        self.format(name, value);
        self.raw(b"\r\n");
        self
    }

    /// Adds a header that is not in the table.
    pub fn named(&mut self, name: &[u8], value: impl AsRef<[u8]>) -> &mut Self {
        // A name of the table here would go round the checks made for it.
        if !lex::is_token(name) || HeaderName::from_bytes(name) != HeaderName::Other {
            self.error.get_or_insert(WriteError::BadName);
        }
        self.raw(name);
        self.raw(b": ");
        self.value(HeaderName::Other, value.as_ref());
        self.raw(b"\r\n");
        self
    }

    /// Adds every field of header `name` of a received message, as received.
    pub fn copy(&mut self, from: &Message, name: HeaderName) -> &mut Self {
        for value in from.headers(name) {
            self.received(name, value);
        }
        self
    }

    /// Adds every field of a received message but `except` (and `Content-Length`), in order, with
    /// unknown headers too.
    pub fn copy_all(&mut self, from: &Message, except: &[HeaderName]) -> &mut Self {
        for field in from.fields().filter(|field| !except.contains(&field.name)) {
            if field.name == HeaderName::ContentLength {
                continue;
            }
            if field.name == HeaderName::Other {
                self.raw(field.name_bytes);
                self.raw(b": ");
                self.echo(HeaderName::Other, field.value);
                self.raw(b"\r\n");
            } else {
                self.received(field.name, field.value);
            }
        }
        self
    }

    /// Adds `Content-Length` and the body.
    ///
    /// # Errors
    /// [`WriteError`]: nothing is sent rather than something else than was meant.
    pub fn finish(&mut self, body: &[u8]) -> Result<Bytes, WriteError> {
        let written = write!(self.buffer, "Content-Length: {}\r\n\r\n", body.len());
        if written.is_err() || body.len() > Limits::BYTES_MAX {
            self.error.get_or_insert(WriteError::TooLarge);
        }
        self.raw(body);
        if self.buffer.len() > Limits::BYTES_MAX {
            self.error.get_or_insert(WriteError::TooLarge);
        }
        let message = self.buffer.split();
        match self.error {
            Some(error) => Err(error),
            None => Ok(message.freeze()),
        }
    }

    /// As [`Draft::finish`] with a body of type `content_type`.
    ///
    /// # Errors
    /// As [`Draft::finish`].
    pub fn finish_with(&mut self, content_type: &str, body: &[u8]) -> Result<Bytes, WriteError> {
        self.header(HeaderName::ContentType, content_type);
        self.finish(body)
    }

    /// Adds `Via` values; the first with `received` and `rport` if `source` is given.
    fn vias<'b>(&mut self, values: impl Iterator<Item = &'b [u8]>, source: Option<SocketAddr>) {
        for (index, value) in values.enumerate() {
            self.name(HeaderName::Via);
            let top = if index == 0 { List::new(value).next() } else { None };
            match (top.map(Via::parse), source) {
                (Some(Ok(via)), Some(source)) => {
                    self.via_received(&via, source);
                    let rest = List::new(value).skip(1);
                    for via in rest {
                        self.raw(b", ");
                        self.echo(HeaderName::Via, via);
                    }
                }
                _ => self.echo(HeaderName::Via, value),
            }
            self.raw(b"\r\n");
        }
    }

    /// RFC 3261 §18.2.1: `received` if `sent-by` is not the source's address (RFC 3581 §4: always
    /// with `rport`). What a client put there itself is not believed.
    fn via_received(&mut self, via: &Via<'_>, source: SocketAddr) {
        let name = HeaderName::Via;
        let ip = source.ip().to_canonical();
        if !via.wants_rport() && via.params.get(b"received").is_none() && via.host.ip() == Some(ip) {
            return self.echo(name, via.as_bytes());
        }
        self.raw(b"SIP/2.0/");
        self.echo(name, via.transport);
        self.format(name, format_args!(" {}", via.host));
        if let Some(port) = via.port {
            self.format(name, format_args!(":{port}"));
        }
        for param in via.params.iter() {
            if param.name.eq_ignore_ascii_case(b"received") {
                continue;
            }
            self.raw(b";");
            self.echo(name, param.name);
            if param.name.eq_ignore_ascii_case(b"rport") {
                self.format(name, format_args!("={}", source.port()));
            } else if let Some(value) = param.value {
                self.raw(b"=");
                self.echo(name, value);
            }
        }
        if via.wants_rport() || via.host.ip() != Some(ip) {
            match ip {
                IpAddr::V4(ip) => self.format(name, format_args!(";received={ip}")),
                IpAddr::V6(ip) => self.format(name, format_args!(";received=[{ip}]")),
            }
        }
    }

    fn to(&mut self, value: &[u8], tag: Option<&[u8]>) {
        self.name(HeaderName::To);
        // A lone ";" at the end would become two.
        self.echo(HeaderName::To, lex::trim_end(value.strip_suffix(b";").unwrap_or(value)));
        if let Some(tag) = tag {
            self.raw(b";tag=");
            self.value(HeaderName::To, tag);
        }
        self.raw(b"\r\n");
    }

    fn received(&mut self, name: HeaderName, value: &[u8]) {
        self.name(name);
        self.echo(name, value);
        self.raw(b"\r\n");
    }

    fn name(&mut self, name: HeaderName) {
        // `Content-Length` is added by `finish`, once.
        if matches!(name, HeaderName::Other | HeaderName::ContentLength) {
            self.error.get_or_insert(WriteError::BadName);
        }
        self.raw(name.as_str().as_bytes());
        self.raw(b": ");
    }

    /// A value of our own making, perhaps with a peer's text in it: no CR, LF, NUL.
    fn value(&mut self, name: HeaderName, value: &[u8]) {
        if memchr::memchr3(b'\r', b'\n', 0, value).is_some() {
            self.error.get_or_insert(WriteError::ControlCharacter(name));
        }
        self.raw(value);
    }

    /// A value as received: NUL may stand in a quoted pair (RFC 4475 §3.1.1.2).
    fn echo(&mut self, name: HeaderName, value: &[u8]) {
        if memchr::memchr2(b'\r', b'\n', value).is_some() {
            self.error.get_or_insert(WriteError::ControlCharacter(name));
        }
        self.raw(value);
    }

    fn format(&mut self, name: HeaderName, value: fmt::Arguments<'_>) {
        let start = self.buffer.len();
        let written = self.buffer.write_fmt(value);
        let added = self.buffer.get(start..).unwrap_or_default();
        if written.is_err() || memchr::memchr3(b'\r', b'\n', 0, added).is_some() {
            self.error.get_or_insert(WriteError::ControlCharacter(name));
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        // What is too large already is refused at the end; until then it need not grow.
        if self.buffer.len() <= Limits::BYTES_MAX {
            self.buffer.put_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
