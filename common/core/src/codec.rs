//! Strict encodings: postcard on the wire and in the journal, JSON for what is published, TOML for what people write.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::ops::Deref;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A value that has no encoding; a fault of this program.
    #[error("cannot be encoded: {0}")]
    Encode(String),
    /// Bytes that do not decode.
    #[error("malformed: {0}")]
    Decode(String),
    /// Bytes left over after the value.
    #[error("malformed: {0} bytes after the end")]
    Trailing(usize),
    /// Bytes that decode, but are not what encoding the value gives.
    #[error("malformed: not the canonical encoding of its value")]
    NotCanonical,
}

/// Encodes with postcard.
///
/// # Errors
/// A value that postcard cannot hold.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_stdvec(value).map_err(|e| CodecError::Encode(e.to_string()))
}

/// [`encode`], to the end of `bytes`.
///
/// # Errors
/// As [`encode`]; `bytes` may then have grown.
pub fn encode_onto<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<(), CodecError> {
    postcard::serialize_with_flavor(value, Onto(bytes)).map_err(|e| CodecError::Encode(e.to_string()))
}

/// Where postcard writes: the end of a vector that holds other things already.
struct Onto<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Onto<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Decodes postcard that this program encoded and that something else pins: trailing bytes are refused, but whether the
/// bytes are those that [`encode`] gives is not asked again.
///
/// # Errors
/// Bytes that do not decode, or too many.
pub fn decode_own<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    // Not `take_from_bytes`: it moves the value, and records are large.
    let failed = |error: postcard::Error| CodecError::Decode(error.to_string());
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let value = T::deserialize(&mut deserializer).map_err(failed)?;
    match deserializer.finalize().map_err(failed)?.len() {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}

/// Decodes postcard strictly: no trailing bytes, and the bytes are those that [`encode`] gives.
///
/// # Errors
/// Anything else; postcard itself would accept over-long varints and ignore a remainder.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(|e| CodecError::Decode(e.to_string()))?;
    if !rest.is_empty() {
        return Err(CodecError::Trailing(rest.len()));
    }
    if encode(&value)? != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// JSON for a published artifact: two spaces of indent, a line feed at the end.
///
/// # Errors
/// A value that JSON cannot hold.
pub fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| CodecError::Encode(e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads JSON into a typed document. Types refuse unknown and duplicate keys (`deny_unknown_fields`, no maps).
///
/// # Errors
/// Malformed JSON, with line and column.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    serde_json::from_slice(bytes).map_err(|e| CodecError::Decode(e.to_string()))
}

/// Rules of a document that its types alone do not hold.
pub trait Rules {
    /// Checks them all.
    ///
    /// # Errors
    /// The first rule broken: which key, what it holds, what would be right.
    fn check(&self) -> Result<(), String>;
}

/// A document that keeps its [`Rules`]: the only ways in, [`Valid::new`] and deserialisation, check them.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid<T>(T);

impl<T: Rules> Valid<T> {
    /// Takes a document that keeps its rules.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn new(document: T) -> Result<Self, String> {
        document.check().map(|()| Valid(document))
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Valid<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de, T: Rules + Deserialize<'de>> Deserialize<'de> for Valid<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Valid::new(T::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// Integers that may pass 2^53 travel in JSON as decimal strings: `#[serde(with = "codec::decimal")]`.
pub mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes decimal digits.
    pub fn serialize<S: Serializer>(value: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    /// Reads decimal digits, without sign, spaces or leading zeros.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        let text = String::deserialize(d)?;
        let value: u128 = text.parse().map_err(|_| D::Error::custom("not a decimal integer"))?;
        if value.to_string() == text { Ok(value) } else { Err(D::Error::custom("not a plain decimal integer")) }
    }
}

/// Counts by name, as a JSON object: those of 0 are left out, and no name stands twice. `#[serde(with = "codec::counts")]`.
pub mod counts {
    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;
    use std::fmt;
    use std::marker::PhantomData;

    /// Writes the counts, in the order of their kinds.
    pub fn serialize<K: Serialize, S: Serializer>(counts: &BTreeMap<K, u64>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(counts)
    }

    /// Reads counts above 0, each kind once.
    pub fn deserialize<'de, K: Deserialize<'de> + Ord, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<K, u64>, D::Error> {
        d.deserialize_map(Counts(PhantomData))
    }

    struct Counts<K>(PhantomData<K>);

    impl<'de, K: Deserialize<'de> + Ord> Visitor<'de> for Counts<K> {
        type Value = BTreeMap<K, u64>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("counts by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut counts = BTreeMap::new();
            while let Some((kind, count)) = map.next_entry::<K, u64>()? {
                if count == 0 {
                    return Err(A::Error::custom("a count of 0 is left out"));
                }
                if counts.insert(kind, count).is_some() {
                    return Err(A::Error::custom("a count stands twice"));
                }
            }
            Ok(counts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn postcard_is_strict() {
        assert_eq!(decode::<u32>(&[5]), Ok(5));
        assert_eq!(decode::<u32>(&[5, 0]), Err(CodecError::Trailing(1)));
        assert_eq!(decode::<u32>(&[0x85, 0x00]), Err(CodecError::NotCanonical));
        assert!(matches!(decode::<u32>(&[0x85]), Err(CodecError::Decode(_))));
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[serde(with = "decimal")]
        a: u128,
    }

    #[test]
    fn json_is_strict() {
        assert_eq!(from_json::<Pair>(br#"{"a":"340282366920938463463374607431768211455"}"#), Ok(Pair { a: u128::MAX }));
        for bad in [
            r#"{"a":"1","a":"1"}"#,
            r#"{"a":"1","b":1}"#,
            r#"{"a":1}"#,
            r#"{"a":"01"}"#,
            r#"{"a":"+1"}"#,
            r#"{"a":"1"} x"#,
        ] {
            assert!(from_json::<Pair>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(x: (u64, Option<i64>, Vec<u8>, String)) {
            prop_assert_eq!(decode::<(u64, Option<i64>, Vec<u8>, String)>(&encode(&x).expect("plain values encode")), Ok(x));
        }

        #[test]
        fn what_decodes_is_canonical(bytes: Vec<u8>) {
            if let Ok(x) = decode::<(u64, Option<i64>, Vec<u8>)>(&bytes) {
                prop_assert_eq!(encode(&x).expect("plain values encode"), bytes);
            }
        }
    }
}
