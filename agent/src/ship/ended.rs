//! A transport key that has ended: another one took its place, or none did.

use super::{Shipper, State};
use fedaudit_core::key::PublicKey;
use fedaudit_core::time::Time;

impl Shipper {
    /// Whether the aggregator answered last that this site's transport key has ended: it was revoked or replaced.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The keys of this site's checkpoints, as the registry has them by now; whether they are others than before.
    pub fn learn(&mut self, note_keys: Vec<PublicKey>) -> bool {
        let new = self.is_read() && note_keys.iter().any(|key| !self.note_keys.contains(key));
        if self.is_read() {
            self.note_keys = note_keys;
        }
        new
    }

    /// Whether the connection is made with the next transport key.
    pub fn set_other(&mut self, other: bool) {
        self.other = other;
    }

    /// Whether to connect with the next transport key.
    pub fn is_other(&self) -> bool {
        self.other
    }

    /// The present transport key has ended: the next one may be the one that holds, for an answer may have been lost.
    pub fn try_other(&mut self) {
        self.other = true;
        self.state = State::Down { until: Time(i64::MIN) };
    }
}
