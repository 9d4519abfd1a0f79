//! A site whose releases are attacked, and what it was made to say.

use fedaudit_tests::intake::{self, Desk};
use fedaudit_tests::{figures, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub use fedaudit_tests::intake::SITE;

const CONTRACT: &str = r#"
contract = "credits"
version = 1
title = "Credits to persons"
task = "binary"
model = "credit-scorer"

[decision]
values = ["deny", "grant"]
favourable = "grant"
threshold = 0.5

[label]
values = ["default", "repaid"]
positive = "repaid"

[score]
min = 0.0
max = 1.0
bins = 80

[[attribute]]
name = "sex"
categories = ["female", "male", "divers"]

[[attribute]]
name = "region"
categories = ["north", "south"]
"#;

/// What is asked of a day.
pub const PLAN: &str = r#"
plan = "credits"
version = 1
title = "Are women and men granted credits alike?"
contract = "credits"
model_versions = ["v1"]
required_sites = ["dept-a"]
[windows]
start = "2026-05-04T00:00:00Z"
end = "2026-05-05T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 10
[[slice]]
attributes = ["sex"]
reference = ["male"]
[[slice]]
attributes = ["region"]
reference = ["north"]
[[slice]]
attributes = ["sex", "region"]
reference = ["male", "north"]
"#;

/// Its window.
pub const WINDOW: &str = "2026-05-04T00:00:00Z/2026-05-05T00:00:00Z";

/// Events that are alike.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub sex: &'static str,
    pub region: &'static str,
    pub decision: &'static str,
    pub label: Option<&'static str>,
    /// Day of May on which the label came, the day of the event if 0.
    pub labelled_on: usize,
    pub score: f64,
    /// Days after the first.
    pub day: usize,
    pub hour: usize,
    pub latency_ms: Option<u64>,
    pub count: usize,
}

impl Default for Group {
    fn default() -> Group {
        Group {
            sex: "female",
            region: "north",
            decision: "grant",
            label: None,
            labelled_on: 0,
            score: 0.75,
            day: 0,
            hour: 10,
            latency_ms: None,
            count: 1,
        }
    }
}

/// The site, and the aggregator that asks it.
pub struct Site {
    pub desk: Desk,
}

impl Site {
    pub fn open() -> Site {
        let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
        desk.stop();
        let site = Site { desk };
        site.contract(1, r#"categories = ["female", "male", "divers"]"#);
        site
    }

    /// Publishes a version of the contract with other categories of sex.
    pub fn contract(&self, version: u32, categories: &str) {
        let text = CONTRACT.replace("version = 1", &format!("version = {version}"));
        let text = text.replace(r#"categories = ["female", "male", "divers"]"#, categories);
        let file = self.desk.world.scratch("credits.toml");
        std::fs::write(&file, text).expect("writes");
        self.desk.world.aggregator(&["contract", "publish", &file.to_string_lossy()]).good();
        self.desk.world.agent(SITE, &["plan", "list"]).good();
    }

    /// Rows with ids of their own.
    pub fn events(&self, prefix: &str, groups: &[Group]) -> Vec<Value> {
        let mut rows = Vec::new();
        for (at, of) in groups.iter().enumerate() {
            for n in 0..of.count {
                let day = 4 + of.day;
                let mut row = json!({
                    "contract": "credits", "event_id": format!("{prefix}-{at}-{n}"), "model_version": "v1",
                    "occurred_at": format!("2026-05-{day:02}T{:02}:00:00Z", of.hour), "decision": of.decision,
                    "score": if of.decision == "grant" { of.score } else { of.score.min(0.25) },
                    "attributes": { "sex": of.sex, "region": of.region },
                });
                if let Some(label) = of.label {
                    let on = if of.labelled_on == 0 { day } else { of.labelled_on };
                    row["label"] = json!(label);
                    row["labelled_at"] = json!(format!("2026-05-{on:02}T23:30:00Z"));
                }
                if let Some(latency_ms) = of.latency_ms {
                    row["latency_ms"] = json!(latency_ms);
                }
                rows.push(row);
            }
        }
        rows
    }

    /// Hands them over; the answer.
    #[track_caller]
    pub fn take(&mut self, rows: &[Value]) -> Value {
        self.desk.start();
        let answer = self.desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(rows)).json();
        self.desk.stop();
        assert_eq!(answer["rejected"].as_array().map_or(0, Vec::len), 0, "{answer}");
        answer
    }

    /// Publishes and accepts the plan under another name.
    pub fn ask(&self, name: &str, plan: &str) {
        self.desk.publish(&plan.replace("plan = \"credits\"", &format!("plan = \"{name}\"")));
        self.desk.world.agent(SITE, &["plan", "accept", name]).good();
    }

    /// Asks, and what was released of the plan's last window, and what the site's log says.
    pub fn asked(&self, name: &str, plan: &str) -> (Option<Value>, String) {
        self.ask(name, plan);
        let said = self.run();
        let left = self.artifact(name).map(|bytes| serde_json::from_slice(&bytes).expect("JSON"));
        (left, said)
    }

    /// The same, of a plan that is to be answered.
    #[track_caller]
    pub fn released(&self, name: &str, plan: &str) -> Value {
        let (release, said) = self.asked(name, plan);
        release.unwrap_or_else(|| panic!("{said}"))
    }

    /// Closes and ships what is due; what the site's log says.
    pub fn run(&self) -> String {
        self.desk.world.agent(SITE, &["run", "--once"]).err
    }

    /// Amends the release of the window; what is wrong with that.
    pub fn amend(&self, plan: &str) -> String {
        let args = ["release", "amend", plan, "--window", WINDOW, "--reason", "late rows"];
        let said = self.desk.world.agent(SITE, &args);
        if said.code == Some(0) { String::new() } else { said.err }
    }

    /// The `release.json` of a plan as the aggregator has it.
    pub fn artifact(&self, plan: &str) -> Option<Vec<u8>> {
        let window = self.received(plan).pop()?;
        let shown = self.desk.world.agent(SITE, &["release", "show", &window, "--plan", plan, "--json"]).good().out;
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        Some(shown["release"].to_string().into_bytes())
    }

    /// The windows of a plan of whose releases the aggregator gave a receipt.
    pub fn received(&self, plan: &str) -> Vec<String> {
        self.of_kind(plan, "release")
    }

    /// Those that it was told are not answered.
    pub fn abstained(&self, plan: &str) -> Vec<String> {
        self.of_kind(plan, "abstention")
    }

    fn of_kind(&self, plan: &str, kind: &str) -> Vec<String> {
        let listed = self.desk.world.agent(SITE, &["release", "list", "--json"]).good().out;
        let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
        let ours = listed.iter().filter(|of| of["plan"] == plan && of["state"] == "received" && of["kind"] == kind);
        let time = |of: &Value, key: &str| of["window"][key].as_str().expect("a time").to_owned();
        ours.map(|of| format!("{}/{}", time(of, "start"), time(of, "end"))).collect()
    }

    /// The plan's `report.json`, which the verifier accepts.
    pub fn reported(&self, plan: &str) -> Value {
        let out = self.desk.world.scratch("report");
        self.desk.world.aggregator(&["report", "build", plan, "--out", &out.to_string_lossy()]).good();
        let [bundle, trust] = ["bundle.zip", "trust.json"].map(|name| out.join(name).to_string_lossy().into_owned());
        run("fedaudit-verify", &[bundle.as_str(), "--trust", &trust]).good();
        figures::json(&out.join("report.json"))
    }

    /// All files of the home as they are.
    pub fn copy(&self) -> PathBuf {
        let to = self.desk.world.scratch("copy");
        copy(&self.desk.home(), &to);
        to
    }

    /// Puts a copy, or a backup, in the place of the home.
    pub fn restore(&mut self, from: &Path) {
        let home = self.desk.home();
        std::fs::rename(&home, self.desk.world.scratch("lost")).expect("moves");
        copy(from, &home);
    }
}

fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp is there");
    assert!(done.success());
}

fn slice<'a>(release: &'a Value, attributes: &[&str]) -> &'a Value {
    let slices = release["strata"][0]["slices"].as_array().expect("slices");
    slices.iter().find(|slice| slice["attributes"] == json!(attributes)).expect("a slice of the plan")
}

/// The blocks of a slice's groups.
pub fn blocks(release: &Value, attributes: &[&str]) -> Vec<Value> {
    let groups = slice(release, attributes)["groups"].as_array().expect("groups");
    groups.iter().map(|group| group["counts"].clone()).collect()
}

/// The block of one group.
pub fn block(release: &Value, attributes: &[&str], group: &[&str]) -> Value {
    let groups = slice(release, attributes)["groups"].as_array().expect("groups");
    groups.iter().find(|of| of["group"] == json!(group)).expect("a group")["counts"].clone()
}

/// The folds of a slice.
pub fn folds(release: &Value, attributes: &[&str]) -> Vec<Value> {
    slice(release, attributes)["folds"].as_array().cloned().unwrap_or_default()
}

/// All cells of a block, where they are shown.
pub fn full(block: &Value) -> Option<Vec<Vec<u64>>> {
    serde_json::from_value(block.get("full")?.clone()).ok()
}
