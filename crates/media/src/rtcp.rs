//! RTCP: sender and receiver reports, the CNAME, BYE (RFC 3550 §6). The rest is passed over.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use base::Instant;

/// Sender report.
const SR: u8 = 200;
/// Receiver report.
const RR: u8 = 201;
/// Source description.
const SDES: u8 = 202;
/// Goodbye.
const BYE: u8 = 203;

/// Bytes of a CNAME that we make (RFC 7022 §4.2: 96 bits or more, as text).
pub const CNAME_BYTES: usize = 16;
/// Bytes that [`write`] can produce: SR with one block, SDES with one CNAME.
pub const REPORT_BYTES_MAX: usize = 28 + 24 + 8 + 2 + CNAME_BYTES + 2;

/// The bytes are no compound RTCP packet (RFC 3550 A.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// What a sender says about itself (RFC 3550 §6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderInfo {
    /// Its clock, 32.32 fixed-point seconds.
    pub ntp: u64,
    /// The same moment in its stream's timestamp.
    pub timestamp: u32,
    /// RTP packets it sent.
    pub packets: u32,
    /// Payload bytes it sent.
    pub octets: u32,
}

/// What a receiver says about one stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Share of packets lost since the last report, of 256.
    pub fraction_lost: u8,
    /// Packets lost since the start; 24 bits, negative with duplicates.
    pub lost: i32,
    /// Highest sequence number received, with its cycles.
    pub sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's clock; 0 = none yet.
    pub last_sr: u32,
    /// Time since then in 1/65536 s.
    pub delay: u32,
}

/// One thing found in a compound packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// A sender's own numbers.
    Sender {
        /// Who.
        ssrc: u32,
        /// Which.
        info: SenderInfo,
    },
    /// What `from` hears of a stream.
    Block {
        /// Who.
        from: u32,
        /// What.
        block: ReportBlock,
    },
    /// The stream ends.
    Bye {
        /// Which.
        ssrc: u32,
    },
}

/// A cursor over big-endian numbers that never leaves its bytes.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u32(&mut self) -> Result<u32, Malformed> {
        let (head, tail) = self.0.split_first_chunk::<4>().ok_or(Malformed)?;
        self.0 = tail;
        Ok(u32::from_be_bytes(*head))
    }

    fn block(&mut self) -> Result<ReportBlock, Malformed> {
        let (ssrc, loss) = (self.u32()?, self.u32()?);
        let [fraction_lost, ..] = loss.to_be_bytes();
        // Sign-extends the 24 bits.
        let lost = (loss << 8).cast_signed() >> 8;
        let (sequence, jitter, last_sr, delay) = (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
        Ok(ReportBlock { ssrc, fraction_lost, lost, sequence, jitter, last_sr, delay })
    }
}

/// Reads a compound packet. The SSRC of the sender, who must come first with a report (RFC 3550 §6.1).
/// `found` may have been called with some items when the rest turns out malformed.
pub fn read(packet: &[u8], mut found: impl FnMut(Item)) -> Result<u32, Malformed> {
    let mut rest = packet;
    let mut sender = None;
    while !rest.is_empty() {
        let ([flags, kind, l0, l1], _) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
        let words = usize::from(u16::from_be_bytes([*l0, *l1]));
        let bytes = words.checked_add(1).and_then(|w| w.checked_mul(4)).ok_or(Malformed)?;
        let (one, tail) = rest.split_at_checked(bytes).ok_or(Malformed)?;
        let mut body = Reader(one.get(4..).ok_or(Malformed)?);
        let count = flags & 0x1F;
        if flags >> 6 != 2 || (sender.is_none() && !matches!(*kind, SR | RR)) {
            return Err(Malformed);
        }
        match *kind {
            SR | RR => {
                let ssrc = body.u32()?;
                sender.get_or_insert(ssrc);
                if *kind == SR {
                    let (high, low) = (body.u32()?, body.u32()?);
                    let ntp = (u64::from(high) << 32) | u64::from(low);
                    let (timestamp, packets, octets) = (body.u32()?, body.u32()?, body.u32()?);
                    found(Item::Sender { ssrc, info: SenderInfo { ntp, timestamp, packets, octets } });
                }
                for _ in 0..count {
                    found(Item::Block { from: ssrc, block: body.block()? });
                }
            }
            BYE => {
                for _ in 0..count {
                    found(Item::Bye { ssrc: body.u32()? });
                }
            }
            // SDES, APP, feedback: nothing in them is for us.
            _ => {}
        }
        rest = tail;
    }
    sender.ok_or(Malformed)
}

/// A report of ours on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    bytes: [u8; REPORT_BYTES_MAX],
    len: usize,
}

impl Report {
    /// The compound packet.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
            self.len = end;
        }
    }

    fn header(&mut self, count: u8, kind: u8, words_after_header: u16) {
        let [l0, l1] = words_after_header.to_be_bytes();
        self.put(&[0x80 | (count & 0x1F), kind, l0, l1]);
    }

    fn u32(&mut self, number: u32) {
        self.put(&number.to_be_bytes());
    }
}

/// A compound packet: SR if we sent since the last one, else RR; what we hear; who we are.
pub fn write(
    ssrc: u32,
    sender: Option<&SenderInfo>,
    block: Option<&ReportBlock>,
    cname: &[u8; CNAME_BYTES],
) -> Report {
    let mut out = Report { bytes: [0; REPORT_BYTES_MAX], len: 0 };
    let (kind, own_words) = if sender.is_some() { (SR, 6) } else { (RR, 1) };
    let (count, block_words) = if block.is_some() { (1, 6) } else { (0, 0) };
    out.header(count, kind, u16::saturating_add(own_words, block_words));
    out.u32(ssrc);
    if let Some(info) = sender {
        out.put(&info.ntp.to_be_bytes());
        out.u32(info.timestamp);
        out.u32(info.packets);
        out.u32(info.octets);
    }
    if let Some(block) = block {
        out.u32(block.ssrc);
        let loss = (block.lost.clamp(-0x80_0000, 0x7F_FFFF).cast_unsigned() & 0xFF_FFFF)
            | (u32::from(block.fraction_lost) << 24);
        out.u32(loss);
        out.u32(block.sequence);
        out.u32(block.jitter);
        out.u32(block.last_sr);
        out.u32(block.delay);
    }
    // One chunk: SSRC, item CNAME (1), its length, the name, then a null item up to the next word.
    out.header(1, SDES, 1 + 5);
    out.u32(ssrc);
    out.put(&[1, CNAME_BYTES as u8]);
    out.put(cname);
    out.put(&[0, 0]);
    out
}

/// Our clock as 32.32 fixed-point seconds. Time since the start is allowed where no wall clock is at
/// hand (RFC 3550 §6.4.1); round trips come out the same.
pub fn ntp(now: Instant) -> u64 {
    let wide = (u128::from(now.as_nanos()) << 32) / 1_000_000_000;
    u64::try_from(wide).unwrap_or(u64::MAX)
}

/// The middle 32 bits of a clock: what `last_sr` carries.
pub const fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Round trip in milliseconds by a block about our own stream (RFC 3550 §6.4.1), if it can be one.
pub fn round_trip_ms(now: Instant, block: &ReportBlock) -> Option<f32> {
    if block.last_sr == 0 {
        return None;
    }
    let units = ntp_middle(ntp(now)).wrapping_sub(block.last_sr).wrapping_sub(block.delay);
    // More than a minute, or negative: clocks that do not agree, or a peer that invents.
    (units < 60 * 65_536).then_some(units as f32 * 1_000.0 / 65_536.0)
}

#[cfg(test)]
mod tests;
