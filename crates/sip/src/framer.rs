//! Cuts a byte stream into messages.

use bytes::{Buf, Bytes, BytesMut};

use crate::message::frame::{Frame, frame};
use crate::message::{Defect, Limits};

/// What a stream holds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A whole message.
    Message(Bytes),
    /// A keep-alive (`CRLF CRLF`): answer with [`PONG`] (RFC 5626 §3.5.1).
    Ping,
}

/// The answer to a keep-alive.
pub const PONG: &[u8] = b"\r\n";

/// One stream's unread bytes. They are never more than the largest message and one read.
///
/// After an error the stream must be closed: where its next message begins cannot be known.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    resume_at: usize,
    limits: Limits,
}

impl Framer {
    /// A framer for a new stream.
    pub fn new(limits: Limits) -> Self {
        Framer { buffer: BytesMut::new(), resume_at: 0, limits }
    }

    /// Bytes from the stream. Call [`Framer::next`] until it gives nothing before the next read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun but not ended: a peer that leaves it so for long is slow or hostile.
    pub fn is_partial(&self) -> bool {
        !b"\r\n\r\n".starts_with(&self.buffer)
    }

    /// The next message or keep-alive; `None`: more bytes are needed.
    ///
    /// # Errors
    /// The stream cannot be cut any more and must be closed.
    #[expect(clippy::should_implement_trait, reason = "a stream that can fail for good is no iterator")]
    pub fn next(&mut self) -> Result<Option<Framed>, Defect> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            self.resume_at = 0;
            return Ok(Some(Framed::Ping));
        }
        if b"\r\n\r\n".starts_with(&self.buffer) {
            // Part of a keep-alive, or line ends before a message: wait.
            return Ok(None);
        }
        while self.buffer.starts_with(b"\r\n") {
            // A pong, or line ends before a start line (RFC 3261 §7.5).
            self.buffer.advance(2);
            self.resume_at = 0;
        }
        match frame(&self.buffer, self.resume_at, &self.limits)? {
            Frame::NeedHead { resume_at } => {
                self.resume_at = resume_at;
                Ok(None)
            }
            Frame::Message { bytes } if self.buffer.len() >= bytes => {
                self.resume_at = 0;
                Ok(Some(Framed::Message(self.buffer.split_to(bytes).freeze())))
            }
            Frame::Message { .. } => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_keep_alives_however_the_segments_fall() {
        let text = b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl: 5\r\n\r\nhello\r\n\r\nBYE sip:a SIP/2.0\r\nContent-Length : 0\r\n\r\n";
        for step in 1..text.len() {
            let mut framer = Framer::new(Limits::default());
            let mut seen = Vec::new();
            for part in text.chunks(step) {
                framer.push(part);
                while let Some(framed) = framer.next().unwrap() {
                    seen.push(framed);
                }
            }
            let messages: Vec<_> = seen.iter().filter(|f| matches!(f, Framed::Message(_))).collect();
            assert_eq!(messages.len(), 2, "step {step}: {seen:?}");
            assert_eq!(seen.len(), 4, "step {step}: {seen:?}");
            assert!(!framer.is_partial());
        }
    }

    #[test]
    fn what_cannot_be_cut_is_an_error() {
        let mut framer = Framer::new(Limits::default());
        framer.push(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n");
        assert_eq!(framer.next(), Err(Defect::ContentLength));
    }
}
