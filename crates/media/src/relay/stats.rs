//! What is counted: per leg for its call record, per relay for the metrics.

/// One leg, from `AddLeg` to now.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct LegStats {
    /// RTP packets accepted from the peer.
    pub packets_in: u64,
    /// Their payload bytes.
    pub octets_in: u64,
    /// RTP packets sent to the peer.
    pub packets_out: u64,
    /// Their payload bytes.
    pub octets_out: u64,
    /// Packets the peer sent that never arrived (RFC 3550 A.3; late ones are not lost).
    pub lost: u64,
    /// Packets that arrived after a later one.
    pub late: u64,
    /// Packets that arrived twice; the second was dropped.
    pub duplicate: u64,
    /// Interarrival jitter now (RFC 3550 A.8).
    pub jitter_ms: f32,
    /// The highest it was.
    pub jitter_ms_max: f32,
    /// Round trip by the peer's last receiver report.
    pub round_trip_ms: Option<f32>,
    /// Loss the peer reported about what we sent, as a share of 1, in his last report.
    pub peer_loss: Option<f32>,
    /// Packets from somebody else: dropped.
    pub strangers: u64,
    /// Packets from the peer that were no RTP/RTCP or of a payload type nobody agreed to: dropped.
    pub malformed: u64,
    /// Keys received.
    pub digits_in: u64,
    /// Keys sent.
    pub digits_out: u64,
    /// Times the peer fell silent for more than 200 ms in between.
    pub gaps: u64,
    /// Frames of 20 ms that were made up for the peer, because packets of the other side were missing. Only
    /// where the two speak different codecs.
    pub concealed: u64,
    /// Packets of the other side that came too late for that.
    pub too_late: u64,
}

/// One relay, since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Legs now.
    pub legs: u64,
    /// RTP packets accepted.
    pub packets_in: u64,
    /// RTP packets sent, of any source.
    pub packets_out: u64,
    /// RTCP packets accepted.
    pub rtcp_in: u64,
    /// RTCP packets sent.
    pub rtcp_out: u64,
    /// Dropped: from somebody else than the peer.
    pub strangers: u64,
    /// Dropped: not RTP/RTCP, or of an unknown payload type.
    pub malformed: u64,
    /// Dropped: the address was right, the SSRC was not.
    pub wrong_ssrc: u64,
    /// Dropped: SRTP whose tag does not fit its key, or plain RTP where SRTP was agreed on.
    pub forged: u64,
    /// Dropped: SRTP that came before.
    pub replayed: u64,
    /// Not sent: SRTP refused to protect it (its number or its key is used up).
    pub unprotected: u64,
    /// Dropped: no memory for the decoder that a recording needs.
    pub untranslatable: u64,
    /// Dropped: duplicates, and packets from before a source change.
    pub stale: u64,
    /// Packets for a leg that is gone.
    pub no_leg: u64,
    /// Ticks that came more than 20 ms late.
    pub late_ticks: u64,
    /// Ticks skipped because catching up would have been a burst.
    pub skipped_ticks: u64,
    /// Legs refused at the limit.
    pub legs_refused: u64,
    /// Legs not let into a mix that was full.
    pub mixes_full: u64,
    /// Commands about legs that are not there.
    pub commands_ignored: u64,
    /// Keys dropped at the limit of keys waiting to be sent, or because the peer takes none.
    pub digits_dropped: u64,
    /// Recordings begun.
    pub recordings: u64,
    /// Recordings refused at the limit of their memory.
    pub recordings_refused: u64,
    /// RTP packets that the kernel carried; they are in `packets_in` and `packets_out` too.
    pub packets_offloaded: u64,
    /// Bridges handed to the kernel so far.
    pub offloads: u64,
    /// Of them, those taken back.
    pub offloads_ended: u64,
    /// Of them, those for which the kernel had no room.
    pub offloads_refused: u64,
    /// Unimportant events dropped at the queue's limit.
    pub events_dropped: u64,
}

impl Counters {
    /// Counts a voice packet that left, or could not be protected.
    #[inline]
    pub(super) const fn sent(&mut self, was_sent: bool) {
        let count = if was_sent { &mut self.packets_out } else { &mut self.unprotected };
        *count = count.saturating_add(1);
    }
}
