//! Bytes to [`Session`]. Strict about what we would repeat or act on (`m=`, `c=`), deaf to the rest.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

use super::{ATTRIBUTES_MAX, Attribute, BYTES_MAX, FORMATS_MAX, MEDIA_MAX, Media, Origin, SdpError, Session};

/// Parses a session description. Lines may end in CRLF, LF or CR; empty ones are passed over.
pub fn parse(bytes: &[u8]) -> Result<Session, SdpError> {
    if bytes.len() > BYTES_MAX {
        return Err(SdpError::TooLarge);
    }
    let mut session = Session {
        origin: Origin {
            session_id: "0".to_owned(),
            version: "0".to_owned(),
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        },
        connection: None,
        attributes: Vec::new(),
        media: Vec::new(),
    };
    let mut number = 0u32;
    let mut first = true;
    for line in lines(bytes) {
        number = number.saturating_add(1);
        if line.is_empty() {
            continue;
        }
        let malformed = SdpError::Malformed { line: number };
        let (kind, value) = match line {
            [kind @ b'a'..=b'z', b'=', value @ ..] if !value.contains(&0) => (*kind, value),
            _ => return Err(malformed),
        };
        // v= opens every description (RFC 8866 §5), and there is only one version.
        if first && (kind != b'v' || value.trim_ascii() != b"0") {
            return Err(malformed);
        }
        first = false;
        take(&mut session, kind, value, number)?;
    }
    if first { Err(SdpError::Malformed { line: 1 }) } else { Ok(session) }
}

/// The lines, whatever ends them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b'\n').flat_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.split(|&byte| byte == b'\r')
    })
}

/// One `kind=value` line into the session.
fn take(session: &mut Session, kind: u8, value: &[u8], line: u32) -> Result<(), SdpError> {
    let malformed = SdpError::Malformed { line };
    match kind {
        b'o' if session.media.is_empty() => {
            session.origin = origin(value).ok_or(malformed)?;
        }
        b'c' => {
            let address = connection(value, line)?;
            match session.media.last_mut() {
                // More than one c= of a medium are layers (RFC 8866 §5.7): the first is the base.
                Some(media) => _ = media.connection.get_or_insert(address),
                None => session.connection = Some(address),
            }
        }
        b'm' => {
            if session.media.len() >= MEDIA_MAX {
                return Err(SdpError::TooLarge);
            }
            session.media.push(media(value, line)?);
        }
        b'a' => {
            let attributes = match session.media.last_mut() {
                Some(media) => &mut media.attributes,
                None => &mut session.attributes,
            };
            if attributes.len() >= ATTRIBUTES_MAX {
                return Err(SdpError::TooLarge);
            }
            // A nameless attribute means nothing: as if it were unknown.
            attributes.extend(attribute(value));
        }
        _ => {}
    }
    Ok(())
}

/// A token of our caution: visible ASCII. What we repeat must not be able to hurt whoever reads it.
fn token(word: &[u8]) -> Option<String> {
    let visible = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
    let text = core::str::from_utf8(word).ok()?;
    visible.then(|| text.to_owned())
}

/// A decimal number, digits only, that fits.
pub(super) fn decimal<T: FromStr>(word: &[u8]) -> Option<T> {
    let digits = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(word).ok()?;
    if digits { text.parse().ok() } else { None }
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// `o=<username> <sess-id> <sess-version> IN IP4 <address>`.
fn origin(value: &[u8]) -> Option<Origin> {
    // From the right: some put blanks into the user name.
    let all: Vec<&[u8]> = words(value).take(32).collect();
    let [.., session_id, version, net, _family, address] = all.as_slice() else { return None };
    if *net != b"IN" {
        return None;
    }
    let address = core::str::from_utf8(address).ok().and_then(|text| text.parse().ok());
    Some(Origin {
        session_id: token(session_id)?,
        version: token(version)?,
        address: address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    })
}

/// `IN IP4 <address>[/ttl[/count]]`: the address. A host name is legal, and unsupported.
fn connection(value: &[u8], line: u32) -> Result<IpAddr, SdpError> {
    let mut words = words(value);
    let (net, family, address) = match (words.next(), words.next(), words.next()) {
        (Some(net), Some(family), Some(address)) => (net, family, address),
        _ => return Err(SdpError::Malformed { line }),
    };
    if net != b"IN" {
        return Err(SdpError::Unsupported { line });
    }
    host(family, address).ok_or(SdpError::Unsupported { line })
}

/// An address of `IP4` or `IP6` that is of that family.
pub(super) fn host(family: &[u8], address: &[u8]) -> Option<IpAddr> {
    let address = address.split(|&byte| byte == b'/').next()?;
    let address: IpAddr = core::str::from_utf8(address).ok()?.parse().ok()?;
    match family {
        b"IP4" => address.is_ipv4().then_some(address),
        b"IP6" => address.is_ipv6().then_some(address),
        _ => None,
    }
}

/// `<media> <port>[/<count>] <proto> <fmt> …`.
fn media(value: &[u8], line: u32) -> Result<Media, SdpError> {
    let malformed = SdpError::Malformed { line };
    let mut words = words(value);
    let kind = words.next().and_then(token).ok_or(malformed)?;
    let port = words.next().and_then(|word| word.split(|&byte| byte == b'/').next());
    let port = port.and_then(decimal::<u16>).ok_or(malformed)?;
    let protocol = words.next().and_then(token).ok_or(malformed)?;
    let mut formats = Vec::new();
    for word in words {
        if formats.len() >= FORMATS_MAX {
            return Err(SdpError::TooLarge);
        }
        formats.push(token(word).ok_or(malformed)?);
    }
    if formats.is_empty() {
        return Err(malformed);
    }
    Ok(Media { kind, port, protocol, formats, connection: None, attributes: Vec::new() })
}

/// `<name>[:<value>]`; `None` without a name.
fn attribute(value: &[u8]) -> Option<Attribute> {
    let mut halves = value.splitn(2, |&byte| byte == b':');
    let name = token(halves.next()?.trim_ascii())?;
    let value = halves.next().map(|value| String::from_utf8_lossy(value.trim_ascii()).into_owned());
    Some(Attribute { name, value })
}
