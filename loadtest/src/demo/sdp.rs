//! Just enough SDP for a telephone that speaks G.711 A-law and RFC 4733 digits.

use std::net::{IpAddr, SocketAddr};

/// Payload type of the digits that we send and ask for.
pub(super) const DIGITS: u8 = 101;

/// The telephone's session: an offer, and as well the answer to any offer with A-law in it.
pub(super) fn session(here: SocketAddr, id: u64, version: u32) -> String {
    let (address, port) = (here.ip(), here.port());
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- {id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 {DIGITS}\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:{DIGITS} telephone-event/8000\r\n\
         a=fmtp:{DIGITS} 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Where the other side wants to hear us, and by which payload type it takes digits.
pub(super) fn remote(sdp: &str) -> Option<(SocketAddr, Option<u8>)> {
    let (mut address, mut port, mut digits) = (None::<IpAddr>, None::<u16>, None);
    for line in sdp.lines().map(str::trim_end) {
        if let Some(connection) = line.strip_prefix("c=IN ") {
            address = connection.split(' ').nth(1)?.parse().ok();
        } else if let Some(audio) = line.strip_prefix("m=audio ") {
            port = audio.split(' ').next()?.parse().ok();
        } else if let Some(map) = line.strip_prefix("a=rtpmap:") {
            let (payload_type, name) = map.split_once(' ')?;
            if name.to_ascii_lowercase().starts_with("telephone-event/8000") {
                digits = payload_type.parse().ok();
            }
        }
    }
    Some((SocketAddr::new(address?, port.filter(|&port| port != 0)?), digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_telephone_says_the_other_understands() {
        let here: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(remote(&session(here, 1, 1)), Some((here, Some(DIGITS))));
        assert_eq!(remote("v=0\r\nm=audio 0 RTP/AVP 8\r\nc=IN IP4 127.0.0.1\r\n"), None);
    }
}
