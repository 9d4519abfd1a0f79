//! The bodies that model servers exchange, as rows of values: KServe's v1 protocol (`instances`, `predictions`), the open
//! inference protocol (v2: `inputs`, `outputs`) and Seldon's (`data`).

use super::limits::{EVENTS_PER_REQUEST, TERM_CHARS};
use super::scalar::{Pairs, Scalar};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A value of JSON. Bodies are bounded, and depth by the parser.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Scalar(Scalar<'a>),
    List(Vec<Json<'a>>),
    Object(Vec<(String, Json<'a>)>),
}

/// An instance: values in their order, or by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row<'a> {
    Ordered(Vec<Scalar<'a>>),
    Named(Vec<(String, Scalar<'a>)>),
}

/// A body that is JSON but none of the protocols'.
pub(super) type Strange = String;

/// What a body of any protocol may have. Other keys (parameters, metadata) do not matter.
#[derive(Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow, default)]
    instances: Option<Json<'a>>,
    #[serde(borrow, default)]
    predictions: Option<Json<'a>>,
    #[serde(borrow, default)]
    inputs: Option<Vec<Tensor<'a>>>,
    #[serde(borrow, default)]
    outputs: Option<Vec<Tensor<'a>>>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    /// Of the open inference protocol.
    #[serde(default)]
    pub model_version: Option<String>,
    /// Of Seldon's feedback.
    #[serde(borrow, default)]
    pub truth: Option<Box<Body<'a>>>,
    #[serde(borrow, default)]
    pub response: Option<Box<Body<'a>>>,
    #[serde(default)]
    pub meta: Option<Meta>,
}

/// Seldon's metadata.
#[derive(Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub puid: Option<String>,
}

#[derive(Deserialize)]
struct Tensor<'a> {
    name: String,
    #[serde(default)]
    shape: Vec<u64>,
    #[serde(borrow)]
    data: Json<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(default)]
    names: Vec<String>,
    #[serde(borrow, default)]
    ndarray: Option<Json<'a>>,
    #[serde(borrow, default)]
    tensor: Option<Dense<'a>>,
}

#[derive(Deserialize)]
struct Dense<'a> {
    shape: Vec<u64>,
    #[serde(borrow)]
    values: Json<'a>,
}

impl<'a> Body<'a> {
    /// The instances of a request; `features` is how many values one has.
    pub fn asked(self, features: usize) -> Result<Vec<Row<'a>>, Strange> {
        match (self.instances, self.inputs, self.data) {
            (Some(Json::List(list)), None, None) => list.into_iter().map(row).collect(),
            (None, Some(tensors), None) => rows_of_tensors(tensors),
            (None, None, Some(data)) => data.rows(features),
            _ => Err("neither `instances` nor `inputs` nor `data` with instances in it".to_owned()),
        }
    }

    /// The answers of a response, an entry for each instance.
    pub fn answered(self) -> Result<Vec<Row<'a>>, Strange> {
        match (self.predictions, self.outputs, self.data) {
            (Some(Json::List(list)), None, None) => list.into_iter().map(row).collect(),
            (None, Some(tensors), None) => rows_of_tensors(tensors),
            (None, None, Some(data)) => data.rows(0),
            _ => Err("neither `predictions` nor `outputs` nor `data` with answers in it".to_owned()),
        }
    }
}

impl<'a> Data<'a> {
    fn rows(self, features: usize) -> Result<Vec<Row<'a>>, Strange> {
        let rows = match (self.ndarray, self.tensor) {
            // A flat list as long as an instance is one instance.
            (Some(Json::List(list)), None)
                if list.len() > 1
                    && list.len() == features.max(self.names.len())
                    && list.iter().all(Json::is_scalar) =>
            {
                vec![row(Json::List(list))?]
            }
            (Some(Json::List(list)), None) => list.into_iter().map(row).collect::<Result<_, _>>()?,
            (None, Some(Dense { shape, values })) => {
                cut(flat(values)?, &shape)?.into_iter().map(Row::Ordered).collect()
            }
            _ => return Err("`data` without `ndarray` or `tensor`".to_owned()),
        };
        if rows.len() > EVENTS_PER_REQUEST || self.names.iter().any(|name| name.len() > TERM_CHARS) {
            return Err(format!("at most {EVENTS_PER_REQUEST} instances, and names of {TERM_CHARS} bytes"));
        }
        let named = |row| match row {
            Row::Ordered(values) if values.len() == self.names.len() => {
                Row::Named(self.names.iter().cloned().zip(values).collect())
            }
            other => other,
        };
        Ok(rows.into_iter().map(named).collect())
    }
}

/// The one tensor's rows; or a row of each tensor's value, by the tensors' names.
fn rows_of_tensors(mut tensors: Vec<Tensor>) -> Result<Vec<Row>, Strange> {
    if tensors.len() == 1
        && let Some(Tensor { name, shape, data }) = tensors.pop()
    {
        let rows = cut(flat(data)?, &shape)?.into_iter();
        // A single value is called what its tensor is; several have only their order.
        return Ok(rows
            .map(|row| {
                <[Scalar; 1]>::try_from(row).map_or_else(Row::Ordered, |[one]| Row::Named(vec![(name.clone(), one)]))
            })
            .collect());
    }
    if let Some(long) = tensors.iter().find(|tensor| tensor.name.len() > TERM_CHARS) {
        return Err(format!("a tensor's name of {} bytes; at most {TERM_CHARS}", long.name.len()));
    }
    let mut rows: Vec<Vec<(String, Scalar)>> = Vec::new();
    for (nth, Tensor { name, shape, data }) in tensors.into_iter().enumerate() {
        let column = cut(flat(data)?, &shape)?;
        if nth == 0 {
            rows.resize_with(column.len(), Vec::new);
        }
        if column.len() != rows.len() {
            return Err(format!("tensor `{}` has {} rows, others {}", name.escape_debug(), column.len(), rows.len()));
        }
        for (row, values) in rows.iter_mut().zip(column) {
            // What has several values under one name is told apart by their places.
            let several = values.len() > 1;
            let names = (0..).map(|at| if several { format!("{name}.{at}") } else { name.clone() });
            row.extend(names.zip(values));
        }
    }
    Ok(rows.into_iter().map(Row::Named).collect())
}

fn row(json: Json) -> Result<Row, Strange> {
    match json {
        Json::Scalar(scalar) => Ok(Row::Ordered(vec![scalar])),
        Json::Object(pairs) => {
            let mut seen = BTreeMap::new();
            for (name, value) in pairs {
                let Some(scalar) = value.into_scalar() else { continue };
                if seen.insert(name.clone(), scalar).is_some() {
                    return Err(format!("twice the key `{}`", name.escape_debug()));
                }
            }
            Ok(Row::Named(seen.into_iter().collect()))
        }
        list => flat(list).map(Row::Ordered),
    }
}

/// All values of nested lists, in their order.
fn flat(json: Json) -> Result<Vec<Scalar>, Strange> {
    let mut values = Vec::new();
    let mut rest = vec![json];
    while let Some(next) = rest.pop() {
        match next {
            Json::Scalar(scalar) => values.push(scalar),
            Json::List(list) => rest.extend(list.into_iter().rev()),
            Json::Object(_) => return Err("an object where values should stand".to_owned()),
        }
    }
    Ok(values)
}

/// Cuts values into as many rows as the first dimension says; without shape each is a row.
fn cut<'a>(values: Vec<Scalar<'a>>, shape: &[u64]) -> Result<Vec<Vec<Scalar<'a>>>, Strange> {
    let rows = shape.first().map_or(values.len(), |rows| usize::try_from(*rows).unwrap_or(usize::MAX));
    // A dimension is the sender's word; rows without a value would be memory for nothing.
    if rows > values.len() || rows > EVENTS_PER_REQUEST {
        return Err(format!("a shape of {rows} rows for {} values; at most {EVENTS_PER_REQUEST} rows", values.len()));
    }
    let width = values.len().checked_div(rows).unwrap_or(0);
    let whole = shape.iter().try_fold(1_u64, |all, of| all.checked_mul(*of));
    if whole.is_some_and(|whole| !shape.is_empty() && whole != values.len() as u64)
        || width.checked_mul(rows) != Some(values.len())
    {
        return Err(format!("{} values do not fill the shape {shape:?}", values.len()));
    }
    let mut values = values.into_iter();
    Ok((0..rows).map(|_| values.by_ref().take(width).collect()).collect())
}

impl<'a> Json<'a> {
    fn is_scalar(&self) -> bool {
        matches!(self, Json::Scalar(_))
    }

    /// The value, also of a list that holds nothing else.
    fn into_scalar(self) -> Option<Scalar<'a>> {
        match self {
            Json::Scalar(scalar) => Some(scalar),
            Json::List(mut list) if list.len() == 1 => list.pop()?.into_scalar(),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let pairs: Pairs<Json> = Pairs::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Json::Object(pairs.0.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Scalar(Scalar::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Scalar(Scalar::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Scalar(Scalar::Boolean(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Scalar(i64::try_from(value).map_or(Scalar::Number(value as f64), Scalar::Integer)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Scalar(Scalar::Integer(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Scalar(Scalar::Number(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Json::Scalar(Scalar::Null))
    }
}

#[cfg(test)]
mod tests;
