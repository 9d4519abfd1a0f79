//! CloudEvents 1.0 over HTTP, as inference loggers send them, in binary and in structured mode.
//!
//! What is assumed of KServe and Seldon, with its sources, stands in `schemas/intake.md`.

use super::contracts::{Contracts, Known};
use super::convert;
use super::pair::{Half, Said};
use super::served::Body;
use super::writer::Item;
use crate::journal::LabelRow;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Time;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// What the logger's address says beside the path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// `contract=NAME`.
    pub contract: Option<String>,
    /// `model_version=TEXT`, where the protocol has none.
    pub model_version: Option<String>,
    /// `risk_tier=TEXT`: of all requests that come to this address, so that they can be sampled.
    pub risk_tier: Option<String>,
}

impl Asked {
    /// Reads the query of an address; other keys do not matter.
    pub fn of_query(query: &str) -> Self {
        let mut asked = Asked::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = unescape(value.as_bytes()).ok().filter(|value| !value.is_empty());
            match key {
                "contract" => asked.contract = value,
                "model_version" => asked.model_version = value,
                "risk_tier" => asked.risk_tier = value,
                _ => {}
            }
        }
        asked
    }
}

/// Attributes of a message that matter here.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Attributes {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: Option<String>,
    /// Seldon's id of the conversation: each message has an id of its own.
    requestid: Option<String>,
    modelid: Option<String>,
    inferenceservicename: Option<String>,
    endpoint: Option<String>,
}

/// The data of a message in structured mode.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

/// What a message comes to.
#[derive(Debug)]
pub(super) enum Taken {
    /// What to journal under a contract.
    Items(Arc<Known>, Vec<Item>),
    /// A message of another kind than requests, responses and feedback.
    Other(String),
}

/// Reads a message.
///
/// # Errors
/// It is no CloudEvent, or no contract can be found for it.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    asked: &Asked,
    contracts: &Contracts,
    now: Time,
) -> Result<Taken, String> {
    let media = headers.get("content-type").map(|value| value.to_str().unwrap_or_default()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/cloudevents+json" {
        // In two steps, for what is flattened cannot borrow.
        let attributes: Attributes = serde_json::from_slice(body).map_err(|e| format!("structured mode: {e}"))?;
        let Data { data, data_base64 } = serde_json::from_slice(body).map_err(|e| format!("structured mode: {e}"))?;
        let data = match (data, data_base64) {
            (Some(data), None) => inner(data)?,
            (None, Some(text)) => Cow::Owned(STANDARD.decode(text).map_err(|e| format!("data_base64: {e}"))?),
            _ => return Err("structured mode: neither `data` nor `data_base64`, or both".to_owned()),
        };
        return attributes.take(&data, asked, contracts, now);
    }
    if media.starts_with("application/cloudevents") {
        return Err(format!("content type `{media}`: one message at a time, application/cloudevents+json"));
    }
    of_headers(headers)?.take(body, asked, contracts, now)
}

/// Data that is a text holds what the text says: so do senders whose data are not JSON to them.
fn inner(data: &RawValue) -> Result<Cow<'_, [u8]>, String> {
    if data.get().starts_with('"') {
        let text: String = serde_json::from_str(data.get()).map_err(|error| format!("data: {error}"))?;
        return Ok(Cow::Owned(text.into_bytes()));
    }
    Ok(Cow::Borrowed(data.get().as_bytes()))
}

fn of_headers(headers: &HeaderMap) -> Result<Attributes, String> {
    let get = |name: &str| {
        let value = headers.get(format!("ce-{name}")).map(|value| unescape(value.as_bytes()));
        value
            .transpose()
            .map_err(|error| format!("ce-{name}: {error}"))
            .map(|text| text.filter(|text| !text.is_empty()))
    };
    let need = |name: &str| get(name)?.ok_or_else(|| format!("no header ce-{name}"));
    Ok(Attributes {
        specversion: need("specversion")?,
        id: need("id")?,
        source: need("source")?,
        kind: need("type")?,
        time: get("time")?,
        requestid: get("requestid")?,
        modelid: get("modelid")?,
        inferenceservicename: get("inferenceservicename")?,
        endpoint: get("endpoint")?,
    })
}

/// A header's value, in which `%41` stands for `A` (HTTP binding, 3.1.3.2).
fn unescape(value: &[u8]) -> Result<String, String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(value.len()), value);
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

impl Attributes {
    fn take(&self, data: &[u8], asked: &Asked, contracts: &Contracts, now: Time) -> Result<Taken, String> {
        if !matches!(self.specversion.as_str(), "1.0" | "0.3") {
            return Err(format!("specversion `{}`; 1.0, or MLServer's 0.3", self.specversion.escape_debug()));
        }
        let models = [&self.modelid, &self.inferenceservicename].map(Option::as_deref);
        let known = match &asked.contract {
            Some(name) => contracts.find(Some(name))?,
            None => contracts.of_model(models)?,
        };
        let at = match &self.time {
            Some(time) => Time::parse(time).map_err(|error| format!("time: {error}"))?,
            None => now,
        };
        let items = match self.kind.rsplit_once("serving.").map(|(_, kind)| kind) {
            Some("inference.request" | "inference.response" | "feedback") => self.items(known, data, asked, at),
            _ => return Ok(Taken::Other(self.kind.clone())),
        };
        let items = items.unwrap_or_else(|reason| vec![Item::Refused(at, reason)]);
        Ok(Taken::Items(Arc::clone(known), items))
    }

    /// What the message says, in codes.
    fn items(&self, known: &Known, data: &[u8], asked: &Asked, at: Time) -> Result<Vec<Item>, String> {
        let body: Body = serde_json::from_slice(data)
            .map_err(|error| format!("the data are not JSON of a model server: {error}"))?;
        let id = self.requestid.as_ref().unwrap_or(&self.id).clone();
        if self.kind.ends_with("feedback") {
            let puid = body.response.and_then(|response| response.meta?.puid).filter(|puid| !puid.is_empty());
            let truth = body.truth.ok_or("feedback without truth: a reward is no label")?;
            return labels(known, puid.unwrap_or(id), truth.answered()?, at);
        }
        let said = if self.kind.ends_with("request") {
            Said::Request(convert::asked(known, body.asked(known.contract.features.len())?)?)
        } else {
            let version = body.model_version.clone().filter(|version| !version.is_empty());
            let version = version.or_else(|| asked.model_version.clone()).unwrap_or_else(|| self.version());
            Said::Response(version, convert::answered(known, body.answered()?)?)
        };
        Ok(vec![Item::Half(id, Half { key: self.key(data), at, risk_tier: asked.risk_tier.clone(), said })])
    }

    /// What is known of the version where nobody says it.
    fn version(&self) -> String {
        let named = [&self.modelid, &self.endpoint, &self.inferenceservicename].into_iter().flatten();
        named.into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_else(|| "unknown".to_owned())
    }

    /// By this a message is known when it comes again.
    fn key(&self, data: &[u8]) -> Digest {
        let mut text = Vec::with_capacity(data.len() + 256);
        for part in [self.source.as_bytes(), self.id.as_bytes(), self.kind.as_bytes()] {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part);
        }
        text.extend(data);
        Digest::of(&text)
    }
}

/// The labels of a feedback.
fn labels(known: &Known, id: String, truth: Vec<super::served::Row>, at: Time) -> Result<Vec<Item>, String> {
    convert::check_count(&truth)?;
    let count = truth.len();
    let label = |(nth, row)| {
        let label = convert::label(known, row)?;
        Ok(Item::Label(LabelRow { event_id: super::pair::name(&id, nth, count), label, labelled_at: at, weight: 1 }))
    };
    truth.into_iter().enumerate().map(label).collect()
}
