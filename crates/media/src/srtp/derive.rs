//! Session keys from a master key (RFC 3711 §4.3.1; RFC 7714 §11 for the shorter salt). The key derivation
//! rate is 0: keys are derived once.

use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128Enc, Block};

use super::MasterKey;

/// What a session key is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    RtpKey = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// The first `N` bytes of the pseudo-random stream that belongs to `label`.
pub(super) fn derive<const N: usize>(master: &MasterKey, label: Label) -> [u8; N] {
    let cipher = Aes128Enc::new(&Array(*master.key.reveal()));
    let mut counter = [0; 16];
    for (place, byte) in counter.iter_mut().zip(master.salt.reveal()) {
        *place = *byte;
    }
    // key_id is the label, 48 bits from the right end of the salt.
    if let Some(place) = counter.get_mut(7) {
        *place ^= label as u8;
    }
    let mut out = [0; N];
    for (number, chunk) in (0..=u8::MAX).zip(out.chunks_mut(16)) {
        if let Some(last) = counter.last_mut() {
            *last = number;
        }
        let mut block: Block = Array(counter);
        cipher.encrypt_block(&mut block);
        for (place, byte) in chunk.iter_mut().zip(block) {
            *place = byte;
        }
    }
    out
}
