//! Values of JSON, borrowed from the body where they can be.

use fedaudit_core::contract::FeatureValue;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

/// A string, or an integer or truth value as it is written: how senders write a class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Word<'a>(Cow<'a, str>);

/// A label: a class, or a true value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A class, or an integer.
    Word(Word<'a>),
    /// A number with point or exponent.
    Number(f64),
}

/// A value of a feature.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// `null`: the feature is missing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number written without point and exponent.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(Cow<'a, str>),
}

/// An object's keys and values, in its order; a key may still stand twice.
#[derive(Debug)]
pub(crate) struct Pairs<'a, T>(pub Vec<(Text<'a>, T)>);

impl Text<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Word<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar<'_> {
    /// The same as a feature's value.
    pub fn value(&self) -> FeatureValue<'_> {
        match self {
            Scalar::Null => FeatureValue::Missing,
            Scalar::Boolean(value) => FeatureValue::Bool(*value),
            Scalar::Integer(value) => FeatureValue::Integer(*value),
            Scalar::Number(value) => FeatureValue::Number(*value),
            Scalar::Text(text) => FeatureValue::Text(text),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(TextVisitor).map(Text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WordVisitor).map(Word)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let integer = |value: i64| Word(Cow::Owned(value.to_string()));
        Ok(Value::Word(match Scalar::deserialize(d)? {
            Scalar::Number(value) => return Ok(Value::Number(value)),
            Scalar::Integer(value) => integer(value),
            Scalar::Boolean(value) => Word(Cow::Borrowed(if value { "true" } else { "false" })),
            Scalar::Text(text) => Word(text),
            Scalar::Null => return Err(D::Error::custom("null is no label; leave it out until it is known")),
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ScalarVisitor)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(PairsVisitor(PhantomData)).map(Pairs)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string, an integer, true or false")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string, a number, true, false or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Scalar::Number(value as f64), Scalar::Integer))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }
}

struct PairsVisitor<'a, T>(PhantomData<(&'a (), T)>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<'a, T> {
    type Value = Vec<(Text<'a>, T)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(8);
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
