//! SIP written from templates and read by looking for lines: as little processor time as possible, so that
//! what is measured is the switch. The demo and the tests read and write whole messages.

use std::fmt::Write;
use std::net::SocketAddr;

/// A message that came.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    pub(super) fn new(datagram: &'a [u8]) -> Option<Raw<'a>> {
        std::str::from_utf8(datagram).ok().filter(|text| text.contains("SIP/2.0")).map(Raw)
    }

    /// Status of a response.
    pub(super) fn status(&self) -> Option<u16> {
        self.0.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Method of a request.
    pub(super) fn method(&self) -> &'a str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// Value of the first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.0.split("\r\n").skip(1).take_while(|line| !line.is_empty());
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// URI of the Contact.
    pub(super) fn contact(&self) -> Option<&'a str> {
        let (_, rest) = self.header("Contact")?.split_once('<')?;
        Some(rest.split_once('>')?.0)
    }

    /// User part of the request's URI.
    pub(super) fn dialled(&self) -> Option<&'a str> {
        let uri = self.0.split(' ').nth(1)?.strip_prefix("sip:")?;
        Some(uri.split_once('@')?.0)
    }

    /// User part of the URI in From.
    pub(super) fn caller_number(&self) -> Option<&'a str> {
        let (_, rest) = self.header("From")?.split_once("sip:")?;
        Some(rest.split_once('@')?.0)
    }

    /// Where the SDP says that audio goes.
    pub(super) fn audio(&self) -> Option<SocketAddr> {
        let (_, sdp) = self.0.split_once("\r\n\r\n")?;
        let line = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start));
        let address = line("c=IN IP4 ")?.trim().parse().ok()?;
        Some(SocketAddr::new(address, line("m=audio ")?.split(' ').next()?.parse().ok()?))
    }

    /// Writes the answer to this request.
    pub(super) fn answer(&self, out: &mut String, status: &str, tag: &str, extra: &str, sdp: &str) {
        out.clear();
        let _ = write!(out, "SIP/2.0 {status}\r\n");
        for line in self.0.split("\r\n").skip(1).take_while(|line| !line.is_empty()) {
            if ["Via:", "From:", "Call-ID:", "CSeq:", "Record-Route:"]
                .iter()
                .any(|name| line.starts_with(name))
            {
                let _ = write!(out, "{line}\r\n");
            } else if line.starts_with("To:") {
                let tag = if line.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
                let _ = write!(out, "{line}{tag}\r\n");
            }
        }
        out.push_str(extra);
        close(out, sdp);
    }
}

/// Ends the headers and adds the body.
pub(super) fn close(out: &mut String, sdp: &str) {
    if !sdp.is_empty() {
        out.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
}

/// A session of A-law at `here`.
pub(super) fn session(here: SocketAddr, muted: bool) -> String {
    let (address, port) = (here.ip(), here.port());
    let direction = if muted { "a=inactive\r\n" } else { "" };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n\
         a=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n{direction}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_copies_what_identifies_the_request() {
        let request = "INVITE sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:139@b>;tag=1\r\n\
                       To: <sip:1@x>\r\nCall-ID: 7\r\nCSeq: 1 INVITE\r\nContact: <sip:c@d:1>\r\n\r\n";
        let raw = Raw::new(request.as_bytes()).unwrap();
        assert_eq!(
            (raw.method(), raw.caller_number(), raw.contact()),
            ("INVITE", Some("139"), Some("sip:c@d:1"))
        );
        let (mut out, here) = (String::new(), "127.0.0.1:9".parse().unwrap());
        raw.answer(&mut out, "200 OK", "t", "", &session(here, false));
        let answer = Raw::new(out.as_bytes()).unwrap();
        assert_eq!((answer.status(), answer.header("To")), (Some(200), Some("<sip:1@x>;tag=t")));
        assert_eq!(answer.audio(), Some(here));
    }
}
