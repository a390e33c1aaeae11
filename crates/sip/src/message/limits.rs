//! How large a message may be. Beyond a limit the message is refused with the status of
//! [`Defect::status`](super::Defect::status), never cut.

/// Limits of the parser and of the stream framer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole message; at most 65,535, which is also the largest datagram. Beyond: 413.
    pub message_bytes_max: usize,
    /// Bytes of the start line and all header fields together. Beyond: 413.
    pub head_bytes_max: usize,
    /// Number of header fields. Beyond: 413.
    pub headers_max: usize,
    /// Bytes of one header field's value. Beyond: 413.
    pub header_bytes_max: usize,
    /// Bytes of the Request-URI. Beyond: 414.
    pub uri_bytes_max: usize,
}

impl Limits {
    /// What a field's position is stored in: no message can be longer.
    pub(crate) const BYTES_MAX: usize = u16::MAX as usize;
}

impl Default for Limits {
    /// Far above what carriers and phones send (an INVITE through five proxies has some 60 fields
    /// and 6 kB), far below what would cost a millisecond.
    fn default() -> Self {
        Limits {
            message_bytes_max: Self::BYTES_MAX,
            head_bytes_max: 24 * 1024,
            headers_max: 128,
            header_bytes_max: 8 * 1024,
            uri_bytes_max: 1024,
        }
    }
}
