//! SIP messages as bytes: for what no proper telephone sends, and for questions of one message.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::SOON;
use crate::site::Site;

/// SDP that offers PCMA to nobody in particular.
pub const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// A request that is written line by line.
#[derive(Clone, Debug)]
pub struct Request {
    /// INVITE…
    pub method: &'static str,
    /// User of the Request-URI and To.
    pub to: String,
    /// User of From.
    pub from: String,
    /// Host of the Request-URI and To.
    pub domain: String,
    /// Host of From.
    pub home: String,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// CSeq number.
    pub cseq: u32,
    /// Further header lines.
    pub headers: Vec<String>,
    /// Body; SDP if there is any.
    pub body: String,
    call: u32,
}

impl Request {
    /// `method` to `to`.
    pub fn new(site: &Site, method: &'static str, to: &str) -> Request {
        static CALLS: AtomicU32 = AtomicU32::new(1);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let body = if method == "INVITE" { SDP.to_owned() } else { String::new() };
        Request {
            method,
            to: to.to_owned(),
            from: "13800000001".to_owned(),
            domain: site.switch().ip().to_string(),
            home: "carrier.example".to_owned(),
            max_forwards: 70,
            cseq: 1,
            headers: Vec::new(),
            body,
            call,
        }
    }

    /// Its text, sent from `local`.
    pub fn text(&self, local: &str) -> String {
        let Request { method, to, from, domain, home, max_forwards, cseq, call, body, .. } = self;
        let uri = if *method == "REGISTER" { domain.clone() } else { format!("{to}@{domain}") };
        let mut text = format!(
            "{method} sip:{uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{call}-{cseq}\r\n\
             Max-Forwards: {max_forwards}\r\nFrom: <sip:{from}@{home}>;tag=raw{call}\r\nTo: <sip:{to}@{domain}>\r\n\
             Call-ID: raw-{call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{from}@{local}>\r\n"
        );
        for header in &self.headers {
            text += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            text += "Content-Type: application/sdp\r\n";
        }
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer(pub String);

impl Answer {
    /// Its status code.
    pub fn code(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The value of its first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

/// A UDP socket that speaks SIP by hand.
pub struct Raw {
    socket: UdpSocket,
    site_switch: std::net::SocketAddrV4,
}

impl Raw {
    /// At `ip`, any port.
    pub fn bind(site: &Site, ip: Ipv4Addr) -> Raw {
        let _here = crate::place::enter(ip);
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Raw { socket, site_switch: site.switch() }
    }

    /// Its address.
    pub fn local(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }

    /// Sends bytes to the switch.
    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.site_switch).unwrap();
    }

    /// A request within the dialog that `invite` began and `ok` answered.
    pub fn within(
        &self,
        invite: &Request,
        ok: &Answer,
        method: &str,
        cseq: u32,
        extra: &[&str],
        body: &str,
    ) -> String {
        let local = self.local();
        let contact =
            ok.header("Contact").and_then(|value| value.split(['<', '>']).nth(1)).expect("a Contact");
        let original = invite.text(&local);
        let line = |name: &str| {
            let line = original.lines().find(|line| line.starts_with(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let mut text = format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{}-{method}-{cseq}\r\n\
             Max-Forwards: 70\r\n{}\r\nTo: {}\r\n{}\r\nCSeq: {cseq} {method}\r\nContact: <sip:carrier@{local}>\r\n",
            invite.call,
            line("From:"),
            ok.header("To").unwrap_or_default(),
            line("Call-ID:"),
        );
        for header in extra {
            text += &format!("{header}\r\n");
        }
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// The next answer within `limit`.
    pub fn receive(&self, limit: Duration) -> Option<Answer> {
        let deadline = Instant::now() + limit;
        let mut buffer = [0; 65_536];
        while Instant::now() < deadline {
            if let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
                return Some(Answer(String::from_utf8_lossy(&buffer[..length]).into_owned()));
            }
        }
        None
    }

    /// Sends bytes and waits for the final answer.
    pub fn ask_bytes(&self, bytes: &[u8]) -> Answer {
        self.send(bytes);
        loop {
            let answer = self.receive(SOON).expect("an answer");
            if answer.code() >= 200 {
                return answer;
            }
        }
    }

    /// Sends a request, waits for its final answer, and acknowledges that if it is a refused INVITE.
    pub fn ask(&self, request: &Request) -> Answer {
        let answer = self.ask_bytes(request.text(&self.local()).as_bytes());
        if request.method == "INVITE" && answer.code() >= 300 {
            let invite = request.text(&self.local());
            let ack = invite
                .split("\r\n")
                .filter(|line| !line.starts_with("Content-") && !line.starts_with("Contact"));
            let ack: Vec<String> = ack
                .take_while(|line| !line.is_empty())
                .map(|line| match (line.strip_prefix("INVITE "), line.starts_with("To:")) {
                    (Some(rest), _) => format!("ACK {rest}"),
                    (None, true) => format!("To: {}", answer.header("To").unwrap_or_default()),
                    (None, false) => line.replace(" INVITE", " ACK"),
                })
                .collect();
            self.send(format!("{}\r\nContent-Length: 0\r\n\r\n", ack.join("\r\n")).as_bytes());
        }
        answer
    }
}
