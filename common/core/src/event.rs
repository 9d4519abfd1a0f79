//! Events and outcomes as integer codes, and the records that a journal holds.
//!
//! A record is 16 random bytes (so that neighbours' hashes in a proof cannot be guessed), the format version, and the
//! postcard of a [`Record`]. What identifies a person or an event never enters one.

mod ledger;
pub mod log_linear;
mod record;
mod tier;

pub use ledger::{LedgerEntry, Reason, Why};
pub use record::{
    FULL_TIER, Outcome, Output, Prediction, RECORD_FORMAT, Record, SALT_BYTES, Tally, TallyKind, decode_own_record,
    decode_record, encode_record,
};
pub use tier::{IntakeCounts, Tier};

use crate::contract::{Attribute, ContractText, Score, Task};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Code of an absent decision.
pub const ABSENT: u8 = u8::MAX;
/// The quantised score of the contract's maximum.
pub const SCORE_ONE: u64 = 1 << 32;

/// The token that stands for an id in the journal: of an event under its salt, of a subject under its key.
pub fn token(secret: &[u8; 16], id: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::new().chain_update(secret).chain_update(id).finalize().into();
    let mut token = [0; 16];
    token.copy_from_slice(&digest[..16]);
    token
}

/// HMAC-SHA256 of the SHA-256 of features in canonical form, under the event's salt and the subject's key (16 zero
/// bytes without subject): without both, no guess at the features can be tested.
pub fn feature_hmac(salt: &[u8; 16], subject_key: Option<&[u8; 16]>, canonical: &[u8; 32]) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(salt);
    key[16..].copy_from_slice(subject_key.unwrap_or(&[0; 16]));
    // An HMAC takes a key of any length (RFC 2104).
    Hmac::<Sha256>::new_from_slice(&key)
        .map_or([0; 32], |mac| mac.chain_update(canonical).finalize().into_bytes().into())
}

/// Code of a decision's text: its place in the contract, or [`ABSENT`] when blank.
///
/// # Errors
/// A text that the contract does not list.
pub fn decision_code(contract: &ContractText, text: &str) -> Result<u8, String> {
    let code = place_of("decision", &contract.decision.values, text)?;
    // Classes are limited to 20.
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(ABSENT))
}

/// The decision that a score comes to where the contract says from which score on, else [`ABSENT`]. It is taken on
/// quantised numbers, as the journal holds them.
pub fn decision_at(contract: &ContractText, score_q: u64) -> u8 {
    let threshold = contract.score.as_ref().zip(contract.decision.threshold);
    match threshold.and_then(|(score, threshold)| quantise(score, threshold).ok()) {
        Some(threshold) => u8::from(score_q >= threshold),
        None => ABSENT,
    }
}

/// Code of a label's text: its place in the contract, or in a regression the true value, quantised; none when blank.
///
/// # Errors
/// A text that the contract does not list, a value outside its range, or any label where the contract has none.
pub fn label_code(contract: &ContractText, text: &str) -> Result<Option<u64>, String> {
    match (&contract.label, &contract.score) {
        _ if text.is_empty() => Ok(None),
        (None, _) => Err(format!("label \"{}\": the contract has no [label]", text.escape_debug())),
        (Some(_), Some(_)) if contract.task == Task::Regression => {
            let value = text.parse().map_err(|_| format!("label \"{}\" is not a number", text.escape_debug()))?;
            value_code(contract, value).map(Some)
        }
        (Some(label), _) => Ok(place_of("label", &label.values, text)?.map(|code| code as u64)),
    }
}

/// Code of a true value of a regression.
///
/// # Errors
/// A value outside the contract's range.
pub fn value_code(contract: &ContractText, value: f64) -> Result<u64, String> {
    let range = contract.score.as_ref().ok_or("a true value: the contract has no [score]")?;
    quantise(range, value).map_err(|error| error.replacen("score", "label", 1))
}

fn place_of(what: &str, values: &[String], text: &str) -> Result<Option<usize>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let place = values.iter().position(|value| value == text);
    place.map(Some).ok_or_else(|| {
        let known: Vec<_> = values.iter().map(|value| format!("\"{value}\"")).collect();
        format!("{what} \"{}\"; the contract lists {}", text.escape_debug(), known.join(", "))
    })
}

/// How codes of decisions and labels are told apart in two, as all figures of two decisions and two labels see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// The codes are 0 and 1.
    Binary,
    /// The place of the class that is 1; of how many.
    Class(u8, u8),
    /// Labels are values: from this quantised one on they are 1. Decisions are 0 and 1.
    Value(u64),
}

/// A third side: no decision, no label.
pub const NEITHER: usize = 2;

impl Sides {
    /// Those of a contract.
    pub fn of(contract: &ContractText) -> Sides {
        let place = |values: &[String]| values.iter().position(|value| *value == contract.decision.favourable);
        let threshold = contract.score.as_ref().zip(contract.decision.threshold);
        match contract.task {
            Task::Binary => Sides::Binary,
            Task::Multiclass => {
                let [place, classes] = [place(&contract.decision.values).unwrap_or(0), contract.classes()];
                Sides::Class(u8::try_from(place).unwrap_or(0), u8::try_from(classes).unwrap_or(ABSENT))
            }
            // A contract that keeps its rules has both.
            Task::Regression => Sides::Value(threshold.and_then(|(of, at)| quantise(of, at).ok()).unwrap_or(0)),
        }
    }

    /// 0, 1 or [`NEITHER`]; none for a code outside the contract.
    pub fn decision(self, code: u8) -> Option<usize> {
        match self {
            _ if code == ABSENT => Some(NEITHER),
            Sides::Class(one, classes) => (code < classes).then_some(usize::from(code == one)),
            Sides::Binary | Sides::Value(_) => (code < 2).then_some(usize::from(code)),
        }
    }

    /// 0, 1 or [`NEITHER`]; none for a code outside the contract.
    pub fn label(self, code: Option<u64>) -> Option<usize> {
        match (self, code) {
            (_, None) => Some(NEITHER),
            (Sides::Binary, Some(code)) => (code < 2).then_some(usize::from(code == 1)),
            (Sides::Class(one, classes), Some(code)) => {
                (code < u64::from(classes)).then_some(usize::from(code == u64::from(one)))
            }
            (Sides::Value(from), Some(q)) => (q <= SCORE_ONE).then_some(usize::from(q >= from)),
        }
    }
}

/// Code of an attribute's text: its category, `other` when unlisted, `unknown` when blank.
pub fn attribute_code(attribute: &Attribute, text: &str) -> u16 {
    let known = attribute.categories.len();
    let code = match text {
        "" => known + 1,
        _ => attribute.categories.iter().position(|category| category == text).unwrap_or(known),
    };
    // Categories are limited to 1,000.
    u16::try_from(code).unwrap_or(u16::MAX)
}

/// A score as an integer in 0..=2^32 over the contract's range, rounded half away from zero.
///
/// # Errors
/// A score that is no number or lies outside the range.
pub fn quantise(score: &Score, value: f64) -> Result<u64, String> {
    if !(score.min..=score.max).contains(&value) {
        return Err(format!("score {value}; the contract's range is {} to {}", score.min, score.max));
    }
    let unit = (value - score.min) / (score.max - score.min);
    Ok((unit * SCORE_ONE as f64).round() as u64)
}

/// Upper edge e_i = round(i * 2^32 / bins) of the i-th of `bins` bins, counted from 1; e_0 = 0. Halving `bins` keeps every second edge.
pub fn edge(i: u64, bins: u32) -> u64 {
    // All of this fits into 64 bits for every contract; a wider division costs ten times as much.
    if i < 1 << 30 && bins < 1 << 30 {
        let bins = u64::from(bins);
        return (i * (2 * SCORE_ONE) + bins) / (2 * bins).max(1);
    }
    let (i, bins) = (u128::from(i), u128::from(bins));
    let edge = (2 * i * u128::from(SCORE_ONE) + bins) / (2 * bins).max(1);
    u64::try_from(edge).unwrap_or(u64::MAX)
}

/// The bin that holds q: e_i < q <= e_(i+1), and q = 0 in bin 0.
pub fn bin_of(q: u64, bins: u32) -> usize {
    let scaled = u128::from(q) * u128::from(bins);
    let mut bin = u64::try_from(scaled >> 32).unwrap_or(u64::MAX).min(u64::from(bins).saturating_sub(1));
    while bin > 0 && q <= edge(bin, bins) {
        bin -= 1;
    }
    while q > edge(bin + 1, bins) && bin + 1 < u64::from(bins) {
        bin += 1;
    }
    usize::try_from(bin).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use proptest::prelude::*;

    #[test]
    fn texts_become_codes() {
        let contract = crate::contract::from_toml(crate::contract::tests::ADMISSION).expect("valid");
        assert_eq!(decision_code(&contract, "1"), Ok(1));
        assert_eq!(decision_code(&contract, ""), Ok(ABSENT));
        assert_eq!([label_code(&contract, "1"), label_code(&contract, "")], [Ok(Some(1)), Ok(None)]);
        assert!(decision_code(&contract, "yes").expect_err("not listed").contains("lists \"0\", \"1\""));
        let codes: Vec<_> = ["Female", "Male", "male", ""].map(|t| attribute_code(&contract.attributes[0], t)).into();
        assert_eq!(codes, [0, 1, 2, 3]);
    }

    #[test]
    fn several_classes_and_values_have_two_sides() {
        let text = crate::contract::tests::CLASSES;
        let contract = crate::contract::from_toml(text).expect("valid");
        let sides = Sides::of(&contract);
        assert_eq!(decision_code(&contract, "ward"), Ok(1));
        assert_eq!(label_code(&contract, "intensive"), Ok(Some(2)));
        assert_eq!([0, 1, 2, ABSENT, 3].map(|code| sides.decision(code)), [Some(1), Some(0), Some(0), Some(2), None]);
        assert_eq!([Some(0), Some(2), None, Some(3)].map(|code| sides.label(code)), [Some(1), Some(0), Some(2), None]);

        let contract = crate::contract::from_toml(crate::contract::tests::VALUES).expect("valid");
        let sides = Sides::of(&contract);
        assert_eq!(label_code(&contract, "15"), Ok(Some(1 << 31)));
        assert!(
            label_code(&contract, "31").expect_err("outside").contains("label 31; the contract's range is 0 to 30")
        );
        assert!(label_code(&contract, "long").expect_err("a text").contains("label \"long\" is not a number"));
        let codes = [Some(0), Some((SCORE_ONE / 3) - 1), Some(SCORE_ONE / 3), Some(SCORE_ONE), Some(SCORE_ONE + 1)];
        assert_eq!(codes.map(|code| sides.label(code)), [Some(0), Some(0), Some(1), Some(1), None]);
        assert_eq!(decision_at(&contract, SCORE_ONE / 2), 1);
    }

    #[test]
    fn a_threshold_decides() {
        let text = crate::contract::tests::ADMISSION;
        let decide = |text: &str, q| decision_at(&crate::contract::from_toml(text).expect("valid"), q);
        assert_eq!(decide(text, SCORE_ONE), ABSENT);
        let text = text.replacen("favourable = \"1\"", "favourable = \"1\"\nthreshold = 0.5", 1);
        assert_eq!([0, (1 << 31) - 1, 1 << 31, SCORE_ONE].map(|q| decide(&text, q)), [0, 0, 1, 1]);
    }

    #[test]
    fn scores_become_integers() {
        let score = Score { min: -1.0, max: 1.0, bins: 10 };
        assert_eq!(quantise(&score, -1.0), Ok(0));
        assert_eq!(quantise(&score, 0.0), Ok(1 << 31));
        assert_eq!(quantise(&score, 1.0), Ok(SCORE_ONE));
        assert!(quantise(&score, f64::NAN).is_err() && quantise(&score, 1.01).is_err());
    }

    #[test]
    fn bins_are_right_closed() {
        for bins in [10, 1_280] {
            assert_eq!(bin_of(0, bins), 0);
            assert_eq!(bin_of(SCORE_ONE, bins), bins as usize - 1);
            for i in 1..u64::from(bins) {
                assert_eq!(bin_of(edge(i, bins), bins), i as usize - 1);
                assert_eq!(bin_of(edge(i, bins) + 1, bins), i as usize);
            }
        }
    }

    proptest! {
        #[test]
        fn halving_bins_merges_neighbours(q in 0..=SCORE_ONE, m in 1..8_u32) {
            prop_assert_eq!(bin_of(q, 10 << m) / 2, bin_of(q, 10 << (m - 1)));
        }

        #[test]
        fn records_round_trip(salt: [u8; 16], prediction: u64, label in 0..=SCORE_ONE, at: i64) {
            let record = Record::Outcome(Outcome { prediction, label, labelled_at: Time(at), weight: 1, previous: None });
            let bytes = encode_record(salt, &record).expect("encodes");
            prop_assert_eq!(decode_record(&bytes), Ok(record.clone()));
            prop_assert_eq!(decode_own_record(&bytes), Ok(record));
            let mut unknown = bytes.clone();
            unknown[16] = 9;
            prop_assert!(decode_record(&unknown).is_err());
            prop_assert!(decode_record(&bytes[..bytes.len() - 1]).is_err());
        }
    }
}
