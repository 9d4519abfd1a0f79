//! Holds what was asked and answered against the document that the agent serves, by a validator that nobody here wrote.

use crate::{JSON, PREDICTIONS};
use fedaudit_tests::http::Answer;
use fedaudit_tests::intake::{Desk, event, post};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::Command;

/// Everything that was asked and answered.
pub struct Seen<'a> {
    desk: &'a Desk,
    exchanges: Vec<Value>,
}

impl<'a> Seen<'a> {
    pub fn new(desk: &'a Desk) -> Self {
        Seen { desk, exchanges: Vec::new() }
    }

    fn keep(&mut self, method: &str, path: &str, sent: Value, answer: &Answer) {
        let media = answer.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default();
        self.exchanges.push(json!({
            "method": method.to_lowercase(), "path": path, "sent": sent, "status": answer.status.to_string(),
            "media": media, "headers": answer.headers, "body": answer.body,
        }));
    }

    pub fn post(&mut self, path: &str, media: &str, body: &str) -> Answer {
        let answer = self.desk.post(path, media, body);
        self.keep("POST", path, json!({"media": media, "body": body}), &answer);
        answer
    }

    pub fn ask(&mut self, method: &str, path: &str) -> Answer {
        let answer = self.desk.http().ask(method, path, &[], b"").expect("an answer");
        self.keep(method, path, Value::Null, &answer);
        answer
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    /// A body that is announced as too large is refused before it is sent.
    pub fn announced(&mut self, bytes: usize) {
        let (token, bytes) = (format!("Bearer {}", self.desk.token), bytes.to_string());
        let headers = [("authorization", token.as_str()), ("content-type", JSON), ("content-length", &bytes)];
        let answer = self.desk.http().ask("POST", PREDICTIONS, &headers, b"").expect("an answer");
        assert_eq!(answer.status, 413, "{answer:?}");
        self.keep("POST", PREDICTIONS, Value::Null, &answer);
    }

    /// No token, and tokens that are nearly right.
    pub fn strangers(&mut self) {
        let body = event("e-9").to_string();
        let bare =
            self.desk.http().ask("POST", PREDICTIONS, &[("content-type", JSON)], body.as_bytes()).expect("an answer");
        assert_eq!(bare.status, 401);
        self.keep("POST", PREDICTIONS, Value::Null, &bare);
        let token = &self.desk.token;
        for wrong in [
            String::new(),
            token[1..].to_owned(),
            format!("{token}0"),
            token.replace(|c: char| c.is_ascii_digit(), "x"),
        ] {
            let answer = post(&mut self.desk.http(), &wrong, PREDICTIONS, JSON, &body).expect("an answer");
            assert_eq!(answer.status, 401, "{wrong}");
            self.keep("POST", PREDICTIONS, Value::Null, &answer);
        }
    }

    /// Both sides of a conversation at either path, and what is no message.
    pub fn conversation(&mut self) {
        let token = format!("Bearer {}", self.desk.token);
        let sides = [
            ("/v1/cloudevents", "request", r#"{"instances":[[41,"female"]]}"#, 200),
            ("/", "response", r#"{"predictions":[0.75]}"#, 200),
            ("/", "response", r#"{"predictions":[0.25]}"#, 200),
            ("/v1/cloudevents", "", "{}", 400),
        ];
        for (path, kind, body, status) in sides {
            let kind = format!("org.kubeflow.serving.inference.{kind}");
            let id = if status == 200 { "c-1" } else { "" };
            let headers = [
                ("authorization", token.as_str()),
                ("ce-specversion", "1.0"),
                ("ce-id", id),
                ("ce-source", "http://localhost:9081/"),
                ("ce-type", &kind),
                ("ce-time", "2026-05-04T10:00:00Z"),
                ("ce-inferenceservicename", "loan-scorer"),
                ("content-type", "application/json"),
            ];
            let answer = self.desk.http().ask("POST", path, &headers, body.as_bytes()).expect("an answer");
            assert_eq!(answer.status, status, "{answer:?}");
            self.keep("POST", path, Value::Null, &answer);
        }
    }

    /// Every exchange is as the document says, and these statuses were among them.
    #[track_caller]
    pub fn check(&self, statuses: &[u16]) {
        for status in statuses {
            let text = status.to_string();
            assert!(self.exchanges.iter().any(|seen| seen["status"] == text.as_str()), "no {status} was seen");
        }
        let document = self.desk.http().ask("GET", "/openapi.json", &[], b"").expect("an answer").json();
        let input = self.desk.world.scratch("exchanges.json");
        let text = json!({"document": document, "exchanges": self.exchanges, "every_key": every_key()}).to_string();
        std::fs::write(&input, text).expect("writes");
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let tools = std::env::var_os("FEDAUDIT_TOOLS").map_or_else(|| root.join(".tools"), PathBuf::from);
        let said =
            Command::new(tools.join("python/bin/python")).arg(root.join("intake/document.py")).arg(&input).output();
        let said = said.expect("tests/setup installs Python");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

/// What an event may say beside what [`event`] says; [`LOANS`](fedaudit_tests::intake::LOANS) allows it.
pub fn every_key() -> Map<String, Value> {
    let digest = "0f".repeat(32);
    let every = json!({
        "model_digest": digest, "dataset_digest": digest, "caller": "branch", "source": "gateway-1", "sequence": 7,
        "risk_tier": "high", "threshold": 0.5, "outputs": [{"class": "grant", "confidence": 0.75}],
        "features": {"age": 41, "job": "none", "owner": true, "income": null}, "explanation": "shap/17",
        "latency_ms": 12.5, "cost": 0.0004, "tokens_in": 700, "tokens_out": 30, "label": "repaid",
        "labelled_at": "2026-05-06T00:00:00Z"
    });
    every.as_object().cloned().unwrap_or_default()
}
