//! The parser: one pass over the lines, then the few headers every message must have.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::header::{CSeq, NameAddr, Via};
use super::lex::{self, Cursor, List};
use super::{
    Answerable, Core, Defect, Entry, FIELDS_INLINE, HeaderName, Limits, Line, Message, Method, ParseError,
    Span, Uri,
};

type Entries = SmallVec<[Entry; FIELDS_INLINE]>;

/// The lines of a head, indexed as far as they could be read.
pub(super) struct Index {
    start_line: Span,
    entries: Entries,
    /// Some value goes over several lines (RFC 3261 §7.3.1).
    folded: bool,
    /// Where the body begins.
    body_at: usize,
    /// The first defect found.
    defect: Option<Defect>,
}

pub(super) fn message(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    if bytes.len() > limits.message_bytes_max.min(Limits::BYTES_MAX) {
        return Err(ParseError { defect: Defect::TooLarge, answer: None });
    }
    let index = Index::new(&bytes, limits);
    let bytes = if index.folded { unfold(&bytes, &index.entries) } else { bytes };
    match assemble(&bytes, &index, limits) {
        Ok((line, core, body)) => Ok(Message { bytes, line, entries: index.entries, core, body }),
        Err(defect) => Err(refuse(&bytes, &index, defect)),
    }
}

/// The bytes of the message whose head `head` is: `None` if it has no `Content-Length`.
pub(super) fn framed_len(head: &[u8], limits: &Limits) -> Result<Option<usize>, Defect> {
    let index = Index::new(head, limits);
    if let Some(defect) = index.defect {
        return Err(defect);
    }
    let length = content_length(head, &index.entries)?;
    length.map(|length| index.body_at.checked_add(length).ok_or(Defect::ContentLength)).transpose()
}

fn assemble(bytes: &Bytes, index: &Index, limits: &Limits) -> Result<(Line, Core, Bytes), Defect> {
    if let Some(defect) = index.defect {
        return Err(defect);
    }
    let line = start_line(bytes, index.start_line, limits)?;
    let rest = bytes.len().saturating_sub(index.body_at);
    let body_len = content_length(bytes, &index.entries)?.unwrap_or(rest);
    if body_len > rest {
        return Err(Defect::Truncated);
    }
    let core = core(bytes, &index.entries, &line)?;
    let body = match index.body_at.checked_add(body_len) {
        Some(end) if body_len > 0 && end <= bytes.len() => bytes.slice(index.body_at..end),
        _ => Bytes::new(),
    };
    Ok((line, core, body))
}

impl Index {
    fn new(bytes: &[u8], limits: &Limits) -> Index {
        // Empty lines before the start line are let pass (RFC 3261 §7.5).
        let at = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let mut lines = Lines { bytes, at, bare_cr: false };
        let mut index = Index {
            start_line: Span::default(),
            entries: SmallVec::new(),
            folded: false,
            body_at: bytes.len(),
            defect: None,
        };
        match lines.next() {
            Some(line) => index.start_line = line,
            None if at == bytes.len() => index.note(Defect::Empty),
            None => index.note(Defect::Unterminated),
        }
        loop {
            let Some(line) = lines.next() else {
                index.note(Defect::Unterminated);
                break;
            };
            if line.start == line.end {
                index.body_at = lines.at;
                break;
            }
            if index.entries.len() >= limits.headers_max {
                index.note(Defect::TooManyHeaders);
                break;
            }
            if let Err(defect) = index.line(bytes, line) {
                index.note(defect);
            }
        }
        if lines.bare_cr {
            index.note(Defect::BareCr);
        }
        let too_long = |entry: &Entry| entry.value.of(bytes).len() > limits.header_bytes_max;
        if index.body_at.min(lines.at) > limits.head_bytes_max || index.entries.iter().any(too_long) {
            index.note(Defect::TooLarge);
        }
        index
    }

    fn note(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }

    /// Adds one header line, or the continuation of the one before.
    #[inline]
    fn line(&mut self, bytes: &[u8], span: Span) -> Result<(), Defect> {
        let line = span.of(bytes);
        if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            let last = self.entries.last_mut().ok_or(Defect::HeaderLine)?;
            let more = span_in(bytes, lex::trim(line));
            if more.start != more.end {
                self.folded = true;
                let start = if last.value.start == last.value.end { more.start } else { last.value.start };
                last.value = Span { start, end: more.end };
            }
            return Ok(());
        }
        // "Name : value" is legal (RFC 3261 §7.3.1) and must not hide a header from us.
        let mut cursor = Cursor::new(line);
        let name = cursor.token().ok_or(Defect::HeaderLine)?;
        cursor.skip_ws();
        if !cursor.eat(b':') {
            return Err(Defect::HeaderLine);
        }
        let value = lex::trim(cursor.rest);
        let id = HeaderName::from_bytes(name);
        self.entries.push(Entry { id, name: span_in(bytes, name), value: span_in(bytes, value) });
        Ok(())
    }
}

/// Cuts bytes into lines that end with CRLF or LF.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    bare_cr: bool,
}

impl Iterator for Lines<'_> {
    type Item = Span;

    /// The next line without its end; `None` if no line end follows.
    #[inline]
    fn next(&mut self) -> Option<Span> {
        let start = self.at;
        let mut from = start;
        loop {
            let end = memchr::memchr2(b'\r', b'\n', self.bytes.get(from..)?)?.checked_add(from)?;
            let next = end.checked_add(1)?;
            self.at = match (self.bytes.get(end), self.bytes.get(next)) {
                (Some(b'\n'), _) => next,
                (_, Some(b'\n')) => next.checked_add(1)?,
                _ => {
                    self.bare_cr = true;
                    from = next;
                    continue;
                }
            };
            return Some(Span { start: u16::try_from(start).ok()?, end: u16::try_from(end).ok()? });
        }
    }
}

/// Where `part`, a piece of `bytes`, lies. A piece of something else gives an empty span.
#[inline]
fn span_in(bytes: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
    let end = start.wrapping_add(part.len());
    match (u16::try_from(start), u16::try_from(end)) {
        (Ok(start), Ok(end)) if usize::from(end) <= bytes.len() => Span { start, end },
        _ => Span::default(),
    }
}

/// A copy with the line ends inside values replaced by as many spaces: a fold means one space
/// (RFC 3261 §7.3.1), and every position stays. Folds are rare; everyone else pays nothing.
#[cold]
fn unfold(bytes: &[u8], entries: &[Entry]) -> Bytes {
    let mut copy = BytesMut::from(bytes);
    for entry in entries {
        let range = usize::from(entry.value.start)..usize::from(entry.value.end);
        for byte in copy.get_mut(range).unwrap_or_default() {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
    copy.freeze()
}

/// `Method SP Request-URI SP SIP/2.0` or `SIP/2.0 SP code SP reason`, with single spaces.
fn start_line(bytes: &[u8], span: Span, limits: &Limits) -> Result<Line, Defect> {
    let line = span.of(bytes);
    let (first, rest) = lex::split_once(line, b' ');
    let rest = rest.ok_or(Defect::StartLine)?;
    if first.get(..4).is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"SIP/")) {
        version(first)?;
        // The space after the code is let be missing when there is no reason.
        let (code, reason) = lex::split_once(rest, b' ');
        let code = lex::decimal(code).filter(|_| code.len() == 3).and_then(|code| u16::try_from(code).ok());
        let code = code.filter(|code| (100..700).contains(code)).ok_or(Defect::StartLine)?;
        let reason = reason.unwrap_or_default();
        // Any text but control characters (RFC 3261 §25.1): it is shown to people.
        if reason.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(Defect::StartLine);
        }
        return Ok(Line::Response { code, reason: span_in(bytes, reason) });
    }
    let method = Method::from_bytes(first).ok_or(Defect::StartLine)?;
    let (uri, protocol) = lex::split_once(rest, b' ');
    if uri.len() > limits.uri_bytes_max {
        return Err(Defect::RequestUriTooLong);
    }
    version(protocol.ok_or(Defect::StartLine)?)?;
    let parsed = Uri::parse(uri).map_err(|_| Defect::RequestUri)?;
    if parsed.headers().is_some() {
        return Err(Defect::RequestUri);
    }
    Ok(Line::Request { method, uri: span_in(bytes, uri) })
}

/// `SIP/2.0`, without case (RFC 3261 §7.1). Another number is a version we do not speak.
fn version(text: &[u8]) -> Result<(), Defect> {
    if text.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let (name, number) = lex::split_once(text, b'/');
    let (major, minor) = lex::split_once(number.unwrap_or_default(), b'.');
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let versioned = name.eq_ignore_ascii_case(b"SIP") && digits(major) && minor.is_some_and(digits);
    Err(if versioned { Defect::Version } else { Defect::StartLine })
}

/// `Content-Length`: once, digits only, no more than a message can hold. Everything else could
/// make two readers cut the stream at different places.
fn content_length(bytes: &[u8], entries: &[Entry]) -> Result<Option<usize>, Defect> {
    let mut values = entries.iter().filter(|entry| entry.id == HeaderName::ContentLength);
    let Some(entry) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Defect::Repeated(HeaderName::ContentLength));
    }
    let value = entry.value.of(bytes);
    if !value.iter().all(u8::is_ascii_digit) || value.is_empty() {
        return Err(Defect::ContentLength);
    }
    let length = lex::decimal(value).and_then(|length| usize::try_from(length).ok());
    Ok(Some(length.ok_or(Defect::ContentLength)?))
}

/// The headers that RFC 3261 §8.1.1 makes mandatory, once each and well-formed. (`Max-Forwards` is
/// mandatory too, but RFC 2543 peers do not send it.)
fn core(bytes: &[u8], entries: &[Entry], line: &Line) -> Result<Core, Defect> {
    let (mut via, mut from, mut to) = (None, None, None);
    let (mut call_id, mut cseq, mut max_forwards) = (None, None, None);
    for entry in entries {
        let slot = match entry.id {
            HeaderName::Via => {
                via.get_or_insert(entry.value);
                continue;
            }
            HeaderName::From => &mut from,
            HeaderName::To => &mut to,
            HeaderName::CallId => &mut call_id,
            HeaderName::CSeq => &mut cseq,
            HeaderName::MaxForwards => &mut max_forwards,
            _ => continue,
        };
        if slot.replace(entry.value).is_some() {
            return Err(Defect::Repeated(entry.id));
        }
    }
    let need = |span: Option<Span>, name| span.ok_or(Defect::Missing(name));
    let via = need(via, HeaderName::Via)?.of(bytes);
    let top = List::new(via).next().and_then(|top| Via::parse(top).ok());
    let top = top.ok_or(Defect::Header(HeaderName::Via))?;
    let from_tag = tag(bytes, need(from, HeaderName::From)?, HeaderName::From)?;
    let to_tag = tag(bytes, need(to, HeaderName::To)?, HeaderName::To)?;
    let call_id = need(call_id, HeaderName::CallId)?;
    let id = call_id.of(bytes);
    if id.is_empty() || id.iter().any(|byte| lex::is_ws(*byte)) {
        return Err(Defect::Header(HeaderName::CallId));
    }
    let cseq = CSeq::parse(need(cseq, HeaderName::CSeq)?.of(bytes))?;
    let cseq_method = match line {
        Line::Request { method, .. } if method.as_bytes() == cseq.method => None,
        Line::Request { .. } => return Err(Defect::CSeqMethod),
        Line::Response { .. } => Method::from_bytes(cseq.method),
    };
    let forwards = max_forwards.map(|span| span.of(bytes));
    if forwards.is_some_and(|value| lex::decimal(value).is_none_or(|hops| hops > 255)) {
        return Err(Defect::Header(HeaderName::MaxForwards));
    }
    let branch = top.branch().map(|branch| span_in(bytes, branch));
    Ok(Core { branch, from_tag, to_tag, call_id, cseq_number: cseq.number, cseq_method })
}

/// The tag of a `From` or `To`: absent, or a token.
fn tag(bytes: &[u8], value: Span, name: HeaderName) -> Result<Option<Span>, Defect> {
    let address = NameAddr::parse(value.of(bytes)).map_err(|_| Defect::Header(name))?;
    match address.params.get(b"tag") {
        None => Ok(None),
        Some(tag) => match tag.value {
            Some(value) if lex::is_token(value) => Ok(Some(span_in(bytes, value))),
            _ => Err(Defect::Header(name)),
        },
    }
}

/// An error, with what an answer needs where one may be sent.
#[cold]
fn refuse(bytes: &Bytes, index: &Index, defect: Defect) -> ParseError {
    let (first, _) = lex::split_once(index.start_line.of(bytes), b' ');
    // A Status-Line begins with a version, and "/" is in no method.
    let method = Method::from_bytes(first);
    let answer = answerable(bytes, &index.entries, method);
    let silent = answer.vias.is_empty() || matches!(answer.method, None | Some(Method::Ack));
    ParseError { defect, answer: (!silent).then(|| Box::new(answer)) }
}

pub(super) fn answerable(bytes: &Bytes, entries: &[Entry], method: Option<Method>) -> Answerable {
    let piece = |entry: &Entry| {
        let range = usize::from(entry.value.start)..usize::from(entry.value.end);
        // A value with a bare CR or an unresolved fold must not be repeated to anyone.
        let clean =
            bytes.get(range.clone()).is_some_and(|value| memchr::memchr2(b'\r', b'\n', value).is_none());
        if clean { bytes.slice(range) } else { Bytes::new() }
    };
    let first = |name: HeaderName| {
        let value = piece(entries.iter().find(|entry| entry.id == name)?);
        (!value.is_empty()).then_some(value)
    };
    let vias = entries.iter().filter(|entry| entry.id == HeaderName::Via).map(piece);
    Answerable {
        method,
        vias: vias.filter(|via| !via.is_empty()).collect(),
        from: first(HeaderName::From),
        to: first(HeaderName::To),
        call_id: first(HeaderName::CallId),
        cseq: first(HeaderName::CSeq),
    }
}
