//! SIP messages as test phones write and read them: plain text, nothing shared with the switch's own
//! parser, so that the two cannot agree on a mistake.

use std::fmt::Write as _;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Request line or status line.
    pub start: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Text {
    /// Reads a message; `None` if it is none.
    pub fn read(bytes: &[u8]) -> Option<Text> {
        let text = core::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let header =
            |line: &str| line.split_once(':').map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned()));
        Some(Text { start, headers: lines.filter_map(header).collect(), body: body.to_owned() })
    }

    /// The message as sent. Content-Length is set.
    pub fn write(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        out.into_bytes()
    }

    /// The first header of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every header of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Text {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a session description.
    #[must_use]
    pub fn with_sdp(mut self, sdp: Option<String>) -> Text {
        if let Some(sdp) = sdp {
            self = self.with("Content-Type", "application/sdp");
            self.body = sdp;
        }
        self
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&str> {
        (!self.start.starts_with("SIP/2.0")).then(|| self.start.split(' ').next()).flatten()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// Number and method of CSeq.
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.get("CSeq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The branch of the topmost Via.
    pub fn branch(&self) -> Option<&str> {
        parameter(self.get("Via")?, "branch")
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        parameter(self.get("To")?, "tag")
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        parameter(self.get("From")?, "tag")
    }

    /// A response to this request, with what every response copies (RFC 3261 §8.2.6.2).
    pub fn respond(&self, code: u16, tag: Option<&str>) -> Text {
        let mut answer = Text { start: format!("SIP/2.0 {code} {}", phrase(code)), ..Text::default() };
        for (name, value) in &self.headers {
            let lower = name.to_ascii_lowercase();
            if matches!(lower.as_str(), "via" | "from" | "call-id" | "cseq" | "record-route") {
                answer = answer.with(name, value);
            } else if lower == "to" {
                let tagged = tag.filter(|_| parameter(value, "tag").is_none());
                answer = answer.with(name, tagged.map_or(value.clone(), |tag| format!("{value};tag={tag}")));
            }
        }
        answer
    }
}

/// The value of a header parameter.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rsplit_once('>').map_or(value, |(_, after)| after);
    let named = |part: &'a str| part.trim().split_once('=').filter(|(n, _)| n.eq_ignore_ascii_case(name));
    after.split(';').find_map(named).map(|(_, value)| value.trim_matches('"'))
}

/// The URI between angle brackets, or the value without parameters.
pub fn uri(value: &str) -> &str {
    let inner = value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(uri, _)| uri);
    inner.unwrap_or_else(|| value.split(';').next().unwrap_or(value).trim())
}

/// The audio port of a session description.
pub fn media_port(sdp: &str) -> Option<u16> {
    let (_, rest) = sdp.split_once("m=audio ")?;
    rest.split(' ').next()?.parse().ok()
}

const fn phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        404 => "Not Found",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Response",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_and_read_back() {
        let text = Text { start: "BYE sip:a@b SIP/2.0".into(), ..Text::default() }
            .with("To", "\"A; b\" <sip:a@b;x=1>;tag=7")
            .with("CSeq", "2 BYE");
        let back = Text::read(&text.write()).unwrap();
        assert_eq!((back.method(), back.cseq(), back.to_tag()), (Some("BYE"), Some((2, "BYE")), Some("7")));
        assert_eq!(uri(back.get("to").unwrap()), "sip:a@b;x=1");
        assert_eq!(back.respond(200, Some("x")).status(), Some(200));
    }
}
