//! RTP (RFC 3550 §5).
