//! G.722 at 64 kbit/s.

use super::{Codec, FRAME_BYTES, Info};

/// G.722's row.
pub(super) const INFO: Info =
    Info { codec: Codec::G722, name: "G722", payload_type: 9, silence: &[0xFA; FRAME_BYTES] };
