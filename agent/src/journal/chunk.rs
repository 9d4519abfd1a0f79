//! Several records in one row of a table: each behind its length (u16, big-endian), as in the entry bundles of C2SP
//! tlog-tiles. A row for each record would cost more than the record.

/// Bytes after which a chunk is written and another begun.
pub(super) const CHUNK_BYTES: usize = 16 << 10;
/// Bytes of a record's length.
pub(super) const LENGTH_BYTES: usize = 2;
/// Positions in a log are below 2^44, so that a log's id and a position make one integer key.
pub(super) const POSITION_BITS: u32 = 44;

/// The row's key of the chunk that begins with `position` of log or contract `id`.
pub(super) fn key(id: i64, position: u64) -> i64 {
    let last = (1 << POSITION_BITS) - 1;
    (id << POSITION_BITS) | i64::try_from(position).unwrap_or(last).min(last)
}

/// The position in a row's key.
pub(super) fn position_of(key: i64) -> u64 {
    u64::try_from(key & ((1 << POSITION_BITS) - 1)).unwrap_or(0)
}

/// Appends what `write` appends, behind its length; the range that it takes up.
///
/// # Errors
/// What `write` fails with, or more than 65,535 bytes; `bytes` is as before.
pub(super) fn push<E: From<TooLong>>(
    bytes: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<std::ops::Range<usize>, E> {
    let before = bytes.len();
    bytes.extend([0; 2]);
    let written = write(bytes).and_then(|()| {
        let length = u16::try_from(bytes.len() - before - 2).map_err(|_| E::from(TooLong))?;
        Ok(length.to_be_bytes())
    });
    match written {
        Ok(length) => {
            bytes[before..before + 2].copy_from_slice(&length);
            Ok(before + 2..bytes.len())
        }
        Err(error) => {
            bytes.truncate(before);
            Err(error)
        }
    }
}

/// More than a length can say.
#[derive(Debug)]
pub(super) struct TooLong;

/// The records of a chunk, in order; none where it is cut short.
pub(super) fn each(bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest.filter(|bytes| !bytes.is_empty())?;
        let split = bytes.split_first_chunk::<2>();
        let split = split.and_then(|(length, after)| after.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        rest = split.map(|(_, after)| after);
        Some(split.map(|(record, _)| record))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_back_and_a_cut_is_seen(records: Vec<Vec<u8>>, cut in 1..40_usize) {
            let mut bytes = Vec::new();
            for record in &records {
                let range = push::<TooLong>(&mut bytes, |bytes| { bytes.extend(record); Ok(()) }).expect("short");
                prop_assert_eq!(&bytes[range], &record[..]);
            }
            let read: Option<Vec<_>> = each(&bytes).map(|record| record.map(<[u8]>::to_vec)).collect();
            prop_assert_eq!(read, Some(records));
            bytes.truncate(bytes.len().saturating_sub(cut));
            // A cut between two records is what positions tell.
            prop_assert!(each(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn keys_hold_both() {
        assert_eq!(position_of(key(7, 123_456_789)), 123_456_789);
        assert!(key(1, u64::MAX) < key(2, 0));
        assert!(
            push::<TooLong>(&mut Vec::new(), |bytes| {
                bytes.extend([0; 65_536]);
                Ok(())
            })
            .is_err()
        );
        assert_eq!(each(&[0]).collect::<Vec<_>>(), [None]);
        assert_eq!(each(&[0, 2, 9]).collect::<Vec<_>>(), [None]);
    }
}
