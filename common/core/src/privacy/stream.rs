//! The bytes that noise is drawn from: the same for the same data, plan, window and key, and unknown without the key.

use crate::ids::Digest;
use crate::time::Window;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// HMAC-SHA-256 under the site's noise key over `fedaudit noise 1`, a line feed, the raw digest, the plan's digest, and the
/// window's start and end (nanoseconds, i64, big-endian).
pub fn seed(key: &[u8; 32], raw: &Digest, plan: &Digest, window: &Window) -> [u8; 32] {
    let [start, end] = [window.start.0, window.end.0].map(i64::to_be_bytes);
    mac(key, &[b"fedaudit noise 1\n", &raw.0, &plan.0, &start, &end])
}

/// What the ledger calls a noise key: SHA-256 of `fedaudit noise key`, a line feed, and the key.
pub fn key_id(key: &[u8; 32]) -> Digest {
    Digest(Sha256::new().chain_update(b"fedaudit noise key\n").chain_update(key).finalize().into())
}

/// HMAC-SHA-256 under a seed of the counters 0, 1, 2, ... (u64, big-endian), one after the other.
pub struct Stream {
    seed: [u8; 32],
    next: u64,
    block: [u8; 32],
    /// Bytes of the block that are used up.
    used: usize,
}

impl Stream {
    /// Begins at the first byte.
    pub fn new(seed: [u8; 32]) -> Stream {
        Stream { seed, next: 0, block: [0; 32], used: 32 }
    }

    /// Fills `bytes` with the next ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                self.block = mac(&self.seed, &[&self.next.to_be_bytes()]);
                (self.next, self.used) = (self.next + 1, 0);
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length fits; 32 bytes are one block.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().into()
}
