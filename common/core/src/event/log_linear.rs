//! Buckets of whole numbers whose width grows with them: 128 to each power of two, so that a bucket is less than 1 % wide.

/// Buckets to a power of two.
const BITS: u32 = 7;

/// The bucket of a value.
pub fn bucket(value: u64) -> u32 {
    let octave = value.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // The first 256 values have a bucket each; below 2^64 there are 57 further octaves of 128.
    let within = u32::try_from(value >> octave).unwrap_or(u32::MAX);
    (octave << BITS) + within
}

/// Least value of a bucket; the greatest is one less than the next bucket's. None beyond the last bucket.
pub fn lower(bucket: u32) -> Option<u64> {
    let octave = (bucket >> BITS).saturating_sub(1);
    let within = u64::from(bucket - (octave << BITS));
    within.checked_mul(1_u64.checked_shl(octave)?).filter(|_| octave <= u64::BITS - 1 - BITS)
}

/// The last bucket.
pub const LAST: u32 = ((u64::BITS - 1 - BITS) << BITS) + 255;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_values_have_a_bucket_each_and_the_greatest_is_in_the_last() {
        assert!((0..256).all(|value| bucket(value) == value as u32 && lower(value as u32) == Some(value)));
        assert_eq!((bucket(u64::MAX), lower(LAST)), (LAST, Some(255 << 56)));
        assert_eq!(lower(LAST + 1), None);
        assert_eq!((bucket(1_000), bucket(1_003), bucket(1_004)), (506, 506, 507));
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket_which_is_narrow(value in any::<u64>(), shift in 0..64_u32) {
            let value = value >> shift;
            let found = bucket(value);
            let (from, next) = (lower(found).expect("a bucket"), lower(found + 1));
            prop_assert!(from <= value && next.is_none_or(|next| value < next));
            prop_assert!(next.is_none_or(|next| (next - from - 1) as f64 <= 0.01 * from as f64));
        }
    }
}
