//! The Internet checksum (RFC 1071): sums of words as they lie in memory, since the byte order does not matter.

/// Sums `bytes`, four at a time, as if zeros followed. Of several pieces all but the last must have an even length.
#[inline]
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<4>();
    let words: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    last.iter_mut().zip(tail).for_each(|(place, byte)| *place = *byte);
    words.wrapping_add(u64::from(u32::from_ne_bytes(last)))
}

/// A sum in 16 bits.
#[inline]
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}
