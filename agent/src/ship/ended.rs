//! A transport key that has ended: another one took its place, or none did.

use super::{Shipper, State};
use fedaudit_core::time::Time;

impl Shipper {
    /// Whether the aggregator answered last that this site's transport key has ended: it was revoked or replaced.
    pub fn is_ended(&self) -> bool {
        self.ended
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
