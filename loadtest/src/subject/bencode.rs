//! Bencoding, the notation of rtpengine's `ng` control protocol: numbers, strings, lists, dictionaries.

use std::collections::BTreeMap;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    Text(Vec<u8>),
    List(Vec<Value>),
    /// Written in the order of its keys, as the notation wants it.
    Dictionary(BTreeMap<Vec<u8>, Value>),
}

/// Values within values: deeper is nobody's answer.
const DEPTH_MAX: u32 = 16;

impl Value {
    pub(super) fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    pub(super) fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Value::Dictionary(entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    }

    /// The text under `key`, if this is a dictionary and has it.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        match self {
            Value::Dictionary(entries) => match entries.get(key.as_bytes())? {
                Value::Text(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Number(number) => out.extend(format!("i{number}e").bytes()),
            Value::Text(text) => write_text(text, out),
            Value::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| value.write(out));
                out.push(b'e');
            }
            Value::Dictionary(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    write_text(key, out);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }

    /// The value that `bytes` is.
    pub(super) fn read(bytes: &[u8]) -> Option<Value> {
        let mut rest = bytes;
        let value = read(&mut rest, DEPTH_MAX)?;
        rest.is_empty().then_some(value)
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("{}:", text.len()).bytes());
    out.extend(text);
}

fn read(rest: &mut &[u8], depth: u32) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    match rest.first()? {
        b'i' => {
            skip(rest);
            Some(Value::Number(number(rest, b'e')?))
        }
        b'l' => {
            skip(rest);
            let mut values = Vec::new();
            while rest.first()? != &b'e' {
                values.push(read(rest, depth)?);
            }
            skip(rest);
            Some(Value::List(values))
        }
        b'd' => {
            skip(rest);
            let mut entries = BTreeMap::new();
            while rest.first()? != &b'e' {
                let key = text(rest)?;
                entries.insert(key, read(rest, depth)?);
            }
            skip(rest);
            Some(Value::Dictionary(entries))
        }
        _ => text(rest).map(Value::Text),
    }
}

fn skip(rest: &mut &[u8]) {
    *rest = rest.get(1..).unwrap_or_default();
}

fn number(rest: &mut &[u8], end: u8) -> Option<i64> {
    let length = rest.iter().position(|byte| *byte == end)?;
    let (digits, after) = rest.split_at_checked(length)?;
    *rest = after;
    skip(rest);
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn text(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(number(rest, b':')?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let flags = Value::List(vec![Value::text("a"), Value::Number(-7)]);
        let value = Value::dictionary([("sdp", Value::text("v=0\r\n")), ("flags", flags)]);
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        assert_eq!(bytes, b"d5:flagsl1:ai-7ee3:sdp5:v=0\r\ne");
        assert_eq!(Value::read(&bytes).unwrap(), value);
        assert_eq!(value.get("sdp"), Some(&b"v=0\r\n"[..]));
        assert_eq!((value.get("flags"), value.get("other")), (None, None));
    }

    #[test]
    fn what_is_broken_is_refused() {
        for bytes in [&b""[..], b"d", b"d1:a", b"5:abc", b"i12", b"ixe", b"-1:", b"1:ab", b"l1:a"] {
            assert_eq!(Value::read(bytes), None, "{bytes:?}");
        }
        assert_eq!(Value::read(&[b'l'; 100_000]), None);
    }
}
