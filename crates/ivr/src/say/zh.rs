//! To be spoken.

use super::{Piece, Saying};

pub(super) fn speak(_saying: Saying<'_>) -> Vec<Piece> {
    Vec::new()
}

pub(super) fn pieces() -> Vec<Piece> {
    Vec::new()
}
