//! Where a message ends in a byte stream. The same reading of the head as the message parser's, so
//! the two can never disagree about a message's boundary.

use super::{Defect, Limits, parse};

/// What the front of a stream's buffer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A part of a head: read more. Give `resume_at` to the next call.
    NeedHead {
        /// Bytes that need not be looked at again.
        resume_at: usize,
    },
    /// A whole message of `bytes` bytes, or, if the buffer is shorter, the beginning of one.
    Message {
        /// Its length from the front of the buffer.
        bytes: usize,
    },
}

/// Finds where the message at the front of `buffer` ends. The owner has removed the line ends that
/// stand between messages (RFC 3261 §7.5, RFC 5626 keep-alives). `resume_at` is 0 for a new message.
///
/// # Errors
/// The stream cannot be cut any more and must be closed: a malformed head, no `Content-Length`
/// (mandatory on streams, RFC 3261 §18.3), or a limit.
pub fn frame(buffer: &[u8], resume_at: usize, limits: &Limits) -> Result<Frame, Defect> {
    let Some(head_bytes) = head_end(buffer, resume_at) else {
        if buffer.len() > limits.head_bytes_max {
            return Err(Defect::TooLarge);
        }
        // An end of line may be cut in two: look at the last three bytes again.
        return Ok(Frame::NeedHead { resume_at: buffer.len().saturating_sub(3) });
    };
    let head = buffer.get(..head_bytes).unwrap_or(buffer);
    let bytes = parse::framed_len(head, limits)?.ok_or(Defect::ContentLength)?;
    if bytes > limits.message_bytes_max.min(Limits::BYTES_MAX) {
        return Err(Defect::TooLarge);
    }
    Ok(Frame::Message { bytes })
}

/// The position after the empty line that ends a head.
fn head_end(buffer: &[u8], resume_at: usize) -> Option<usize> {
    let from = buffer.get(resume_at..)?;
    memchr::memchr_iter(b'\n', from).find_map(|at| {
        let next = resume_at.checked_add(at)?.checked_add(1)?;
        match (buffer.get(next), buffer.get(next.checked_add(1)?)) {
            (Some(b'\n'), _) => next.checked_add(1),
            (Some(b'\r'), Some(b'\n')) => next.checked_add(2),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        message_bytes_max: 1000,
        head_bytes_max: 200,
        headers_max: 8,
        header_bytes_max: 100,
        uri_bytes_max: 100,
    };

    #[test]
    fn a_message_is_cut_the_same_wherever_the_segments_end() {
        let text = b"OPTIONS sip:a SIP/2.0\r\nX: y\r\nl :  5\r\n\r\nhelloOPTIONS";
        for resume_at in 0..=text.len() - 12 {
            let part = &text[..resume_at];
            match frame(part, 0, &LIMITS).unwrap() {
                Frame::NeedHead { resume_at } => {
                    let whole = frame(text, resume_at, &LIMITS);
                    assert_eq!(whole, Ok(Frame::Message { bytes: text.len() - 7 }));
                }
                Frame::Message { bytes } => assert_eq!(bytes, text.len() - 7),
            }
        }
    }

    #[test]
    fn lf_only_heads_and_folded_lengths() {
        assert_eq!(frame(b"A b SIP/2.0\nl:\n 2\n\nhi", 0, &LIMITS), Ok(Frame::Message { bytes: 21 }));
    }

    #[test]
    fn what_cannot_be_cut_closes_the_stream() {
        let cases: [(&[u8], Defect); 6] = [
            (b"A b SIP/2.0\r\nX: y\r\n\r\n", Defect::ContentLength),
            (b"A b SIP/2.0\r\nl: -1\r\n\r\n", Defect::ContentLength),
            (b"A b SIP/2.0\r\nl: 18446744073709551615\r\n\r\n", Defect::ContentLength),
            (b"A b SIP/2.0\r\nl: 4294967295\r\n\r\n", Defect::TooLarge),
            (
                b"A b SIP/2.0\r\nl: 1\r\nContent-Length : 1\r\n\r\n",
                Defect::Repeated(super::super::HeaderName::ContentLength),
            ),
            (&[b'a'; 201], Defect::TooLarge),
        ];
        for (text, defect) in cases {
            assert_eq!(frame(text, 0, &LIMITS), Err(defect), "{}", text.escape_ascii());
        }
    }
}
