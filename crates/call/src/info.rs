//! Keys in INFO bodies, in the two forms that phones use.

use media::Digit;

/// The key of an INFO: `application/dtmf-relay` (`Signal=5`) or `application/dtmf` (`5`).
pub(crate) fn digit(content_type: &str, body: &[u8]) -> Option<Digit> {
    let text = match content_type {
        "application/dtmf-relay" => body.split(|&byte| byte == b'\n').find_map(signal)?,
        "application/dtmf" => body,
        _ => return None,
    };
    match text.trim_ascii() {
        b"10" => Digit::from_byte(b'*'),
        b"11" => Digit::from_byte(b'#'),
        [key] => Digit::from_byte(*key),
        _ => None,
    }
}

fn signal(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().position(|&byte| byte == b'=')?;
    let (name, value) = line.split_at_checked(at)?;
    name.trim_ascii().eq_ignore_ascii_case(b"signal").then_some(value.get(1..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_nothing_else() {
        let key = |content_type, body: &[u8]| digit(content_type, body).map(Digit::byte);
        assert_eq!(key("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n"), Some(b'5'));
        assert_eq!(key("application/dtmf-relay", b"Duration=160\nsignal = #\n"), Some(b'#'));
        assert_eq!(key("application/dtmf-relay", b"Signal=11\r\n"), Some(b'#'));
        assert_eq!(key("application/dtmf", b" * \r\n"), Some(b'*'));
        assert_eq!(key("application/dtmf", b"12"), None);
        assert_eq!(key("application/dtmf-relay", b"Signal="), None);
        assert_eq!(key("text/plain", b"5"), None);
    }
}
