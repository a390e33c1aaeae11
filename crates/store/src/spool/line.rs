//! One item as one line: eight hexadecimal digits of CRC-32, a space, JSON, a line feed.

use super::Item;

/// CRC-32 (IEEE 802.3, reflected), one byte per step.
const TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    })
}

/// Appends `item` as a line to `out`.
pub(crate) fn append(item: &Item, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"00000000 ");
    item.to_json(out);
    let sum = format!("{:08x}", crc32(out.get(start + 9..).unwrap_or_default()));
    if let Some(place) = out.get_mut(start..start + 8) {
        place.copy_from_slice(sum.as_bytes());
    }
    out.push(b'\n');
}

/// The item of a line (without its line feed), `None` if the line is torn or spoilt.
pub(crate) fn parse(line: &[u8]) -> Option<Item> {
    let (sum, rest) = line.split_at_checked(8)?;
    let json = rest.strip_prefix(b" ")?;
    let sum = u32::from_str_radix(core::str::from_utf8(sum).ok()?, 16).ok()?;
    if sum != crc32(json) {
        return None;
    }
    Item::from_json(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{call_record, callback};
    use crate::spool::Note;

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_line_comes_back_and_a_spoilt_one_does_not() {
        let items: [Item; 2] = [call_record(7).into(), Note::Promise(callback(7)).into()];
        for item in items {
            let mut line = Vec::new();
            append(&item, &mut line);
            assert_eq!(line.pop(), Some(b'\n'));
            assert_eq!(parse(&line), Some(item));
            for at in 0..line.len() {
                let mut spoilt = line.clone();
                spoilt[at] ^= 1;
                assert_eq!(parse(&spoilt), None, "byte {at}");
                assert_eq!(parse(&line[..at]), None, "cut at {at}");
            }
        }
    }
}
