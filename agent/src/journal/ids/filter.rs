//! A blocked Bloom filter (Putze, Sanders, Singler 2007): one cache line a lookup; about 1 in 100 absent keys passes.

use super::Key;

/// Which keys may be in a run.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// Room for so many keys.
    pub fn new(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(64 * BLOCK_WORDS).max(1);
        Filter { words: vec![0; blocks * BLOCK_WORDS] }
    }

    /// A filter from its words.
    pub fn of(words: Vec<u64>) -> Option<Self> {
        (!words.is_empty() && words.len().is_multiple_of(BLOCK_WORDS)).then_some(Filter { words })
    }

    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn add(&mut self, key: &Key) {
        let (start, bits) = self.place(key);
        for bit in bits {
            if let Some(word) = self.words.get_mut(start + bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    pub fn may_hold(&self, key: &Key) -> bool {
        let (start, bits) = self.place(key);
        bits.into_iter().all(|bit| self.words.get(start + bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0))
    }

    /// First word of the key's block, and its bits there.
    fn place(&self, key: &Key) -> (usize, [usize; PROBES]) {
        let key = u128::from_be_bytes(*key);
        let blocks = (self.words.len() / BLOCK_WORDS) as u128;
        // The block goes with the key's order, so that filling it from a sorted run walks through memory once.
        let block = ((key >> 64) * blocks) >> 64;
        let bits = std::array::from_fn(|probe| (key >> (9 * probe)) as usize & (64 * BLOCK_WORDS - 1));
        (block as usize * BLOCK_WORDS, bits)
    }
}

const BITS_PER_KEY: usize = 10;
const PROBES: usize = 6;
/// A cache line of 64 bytes.
const BLOCK_WORDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use fedaudit_core::ids::Digest;

    fn key(n: u32) -> Key {
        *Digest::of(&n.to_be_bytes()).0.first_chunk().expect("16 bytes")
    }

    #[test]
    fn what_was_added_passes_and_little_else() {
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|n| filter.add(&key(n)));
        assert!((0..10_000).all(|n| filter.may_hold(&key(n))));
        let passed = (10_000..110_000).filter(|n| filter.may_hold(&key(*n))).count();
        assert!(passed < 3_000, "{passed} of 100,000");
    }
}
