//! What a site can show of its own journal, and what it can destroy: through the real program, on raw files.

use fedaudit_tests::intake::{self, Desk, LOANS, LOANS_PLAN, SITE};
use fedaudit_tests::{client, python};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Contract and plan of this site, one window of a day long past, and events of five people, three each.
fn desk() -> Desk {
    let desk = Desk::open("listen = \"127.0.0.1:0\"");
    let contract = desk.world.scratch("loans-2.toml");
    let features = "\n[[feature]]\nname = \"income\"\ntype = \"number\"\nmin = 0.0\nmax = 1e6\nedges = [2e4]\n";
    std::fs::write(&contract, LOANS.replace("version = 1", "version = 2") + features).expect("writes");
    desk.world.aggregator(&["contract", "publish", &contract.to_string_lossy()]).good();
    desk.publish(LOANS_PLAN);
    desk
}

fn import(desk: &Desk, lines: &str) {
    let file = desk.world.scratch("events.ndjson");
    std::fs::write(&file, lines).expect("writes");
    desk.world.agent(SITE, &["import", "--contract", "loans", &file.to_string_lossy()]).good();
    std::fs::remove_file(&file).expect("removes");
}

fn event(person: u32, nth: u32) -> String {
    let sex = ["female", "male"][person as usize % 2];
    let event = json!({
        "event_id": format!("loan-{person}-{nth}-of-many"), "occurred_at": format!("2026-05-04T{:02}:00:00Z", 3 * nth + person % 3),
        "model_version": "v1", "decision": if nth == 0 { "grant" } else { "deny" }, "score": f64::from(nth) / 4.0,
        "attributes": {"sex": sex}, "subject": format!("citizen-{person}-by-name"),
        "features": {"income": 1000 * person + nth}, "explanation": format!("s3://why/citizen-{person}-by-name/{nth}"),
        "label": "repaid", "labelled_at": "2026-05-05T00:00:00Z"
    });
    format!("{event}\n")
}

/// Files below a folder that hold one of the texts.
fn holding(folder: &Path, texts: &[&[u8]], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("lists").flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, texts, found);
        } else {
            let bytes = std::fs::read(&path).expect("reads");
            let holds = |text: &&[u8]| bytes.windows(text.len()).any(|window| window == *text);
            if texts.iter().any(holds) {
                found.push(path);
            }
        }
    }
}

#[test]
fn a_subject_is_erased_from_the_raw_files_and_releases_stay() {
    let mut desk = desk();
    let all: String = (0..5).flat_map(|person| (0..3).map(move |nth| event(person, nth))).collect();
    import(&desk, &all);
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.stop();
    desk.world.agent(SITE, &["run", "--once"]).good();
    let reproduced = desk.world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    assert!(reproduced.contains("reproduced") && reproduced.contains("as signed"), "{reproduced}");
    let find = |person: u32| {
        let subject = format!("citizen-{person}-by-name");
        desk.world.agent(SITE, &["journal", "find", "--subject", &subject, "--json"]).good().out
    };
    let found: Vec<serde_json::Value> = serde_json::from_str(&find(2)).expect("JSON");
    assert_eq!(
        found.iter().map(|of| of["event_id"].clone()).collect::<Vec<_>>(),
        ["loan-2-2-of-many", "loan-2-1-of-many", "loan-2-0-of-many"]
    );
    let position = found[0]["position"].to_string();
    assert_eq!(matching(&desk, "loan-2-2-of-many", r#"{"income": 2002}"#), "match");
    assert_eq!(matching(&desk, "loan-2-2-of-many", r#"{"income": 2003}"#), "no match");

    // Before: the sidecar says who it is. The write-ahead log may, too.
    let texts: [&[u8]; 2] = [b"citizen-2-by-name", b"loan-2-1-of-many"];
    let home = desk.home();
    let mut before = Vec::new();
    holding(&home, &texts, &mut before);
    assert!(
        before.iter().any(|path| path.starts_with(&home) && path.to_string_lossy().contains("sidecar")),
        "{before:?}"
    );
    let erased = desk.world.agent(SITE, &["erase", "citizen-2-by-name"]).good().out;
    assert!(erased.contains("3 events"), "{erased}");
    let mut after = Vec::new();
    holding(&home, &texts, &mut after);
    assert_eq!(after, Vec::<PathBuf>::new());
    // The others are all there, and the erased one is not found, not matched, and no longer a duplicate.
    let mut others = Vec::new();
    holding(&home, &[b"citizen-3-by-name"], &mut others);
    assert!(!others.is_empty());
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&find(2)).expect("JSON").len(), 0);
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&find(3)).expect("JSON").len(), 3);
    assert_eq!(matching(&desk, &format!("#{position}"), r#"{"income": 2002}"#), "erased");
    assert_eq!(matching(&desk, "loan-3-2-of-many", r#"{"income": 3002}"#), "match");
    let verified = desk.world.agent(SITE, &["journal", "verify"]).good().out;
    assert!(verified.contains("15 predictions") && verified.contains("3 predictions are erased"), "{verified}");
    assert!(verified.contains("2 checkpoints that left"), "{verified}");
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();
    assert!(desk.world.agent(SITE, &["erase", "citizen-2-by-name"]).good().out.contains("nothing was left"));
    import(&desk, &event(2, 1));
    let verified = desk.world.agent(SITE, &["journal", "verify"]).good().out;
    assert!(verified.contains("16 predictions"), "an event that comes again after its erasure is new: {verified}");
    import(&desk, &event(3, 1));
    assert!(desk.world.agent(SITE, &["journal", "verify"]).good().out.contains("16 predictions"));
}

fn matching(desk: &Desk, event: &str, features: &str) -> String {
    let file = desk.world.scratch("features.json");
    std::fs::write(&file, features).expect("writes");
    let said = desk
        .world
        .agent(SITE, &["journal", "match", event, "--contract", "loans", "--features", &file.to_string_lossy()]);
    said.good().out.trim().to_owned()
}

#[test]
fn a_proof_of_an_event_is_checked_by_an_outside_tool() {
    let mut desk = desk();
    let all: String = (0..900).flat_map(|person| (0..3).map(move |nth| event(person, nth))).collect();
    import(&desk, &all);
    desk.stop();
    for id in ["loan-0-0-of-many", "loan-400-1-of-many", "loan-899-2-of-many"] {
        let file = desk.world.scratch(&format!("{id}.tlog-proof"));
        desk.world
            .agent(SITE, &["journal", "prove", id, "--contract", "loans", "--out", &file.to_string_lossy()])
            .good();
        let key = desk.world.scratch("note.pub");
        let note = client::key(&desk.world, SITE, "note").verifying_key();
        let hex: String = note.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(&key, hex).expect("writes");
        let said = python("tests/at_home/check_proof.py", &[&file, &key]);
        assert!(said.content, "{}", said.said);
        // One bit of the record, and it is no proof any more.
        let text = std::fs::read_to_string(&file).expect("reads");
        let extra = text.lines().find(|line| line.starts_with("extra ")).expect("the record").to_owned();
        let other = extra.replacen(&extra[10..11], if &extra[10..11] == "A" { "B" } else { "A" }, 1);
        std::fs::write(&file, text.replacen(&extra, &other, 1)).expect("writes");
        assert!(!python("tests/at_home/check_proof.py", &[&file, &key]).content);
    }
}

#[test]
fn what_was_sampled_and_what_never_came_stands_in_the_report() {
    let mut desk = desk();
    desk.stop();
    desk.configure("listen = \"127.0.0.1:0\"\nsample = { low = 4 }");
    desk.start();
    // 400 of low risk, 100 of high; numbers 200 to 209 never come, and 300 comes last.
    let sent = (0..500_u32).filter(|n| !(200..210).contains(n) && *n != 300).chain([300]);
    let lines: Vec<_> = sent.map(numbered).collect();
    let answer = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&lines)).json();
    let (taken, sampled) = (answer["taken"].as_u64().expect("a count"), answer["sampled"].as_u64().expect("a count"));
    assert_eq!(taken + sampled, 490, "{answer}");
    // One in four of 392; six standard deviations, so that it fails once in a billion runs.
    assert!((240..350).contains(&sampled), "{sampled}");
    let again = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&lines)).json();
    assert_eq!(
        (&again["taken"], &again["duplicates"]),
        (&json!(0), &json!(490)),
        "what was left out is known: {again}"
    );
    desk.stop();
    let status = desk.world.agent(SITE, &["status"]).good().out;
    assert!(
        status.contains("source gateway of loans/2") && status.contains("10 numbers missing: 200 to 209"),
        "{status}"
    );
    assert!(
        status.contains(&format!(
            "intake of loans/2: {sampled} sampled, 490 duplicate, 1 out of order, 10 missing sequence"
        )),
        "{status}"
    );
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();

    // What comes for the window now comes late: nothing but an amendment will count it, and will say so.
    desk.start();
    let late: Vec<_> = (600..1000).map(numbered).collect();
    let answer = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&late)).json();
    let late = answer["taken"].as_u64().expect("a count") + answer["sampled"].as_u64().unwrap_or(0);
    assert_eq!(late, 400, "{answer}");
    desk.stop();
    let window = "2026-05-04T00:00:00Z/2026-05-05T00:00:00Z";
    desk.world.agent(SITE, &["release", "amend", "loans-may", "--window", window, "--reason", "late"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();

    let out = desk.world.scratch("report");
    desk.world.aggregator(&["report", "build", "loans-may", "--out", &out.to_string_lossy()]).good();
    let trust = out.join("trust.json").to_string_lossy().into_owned();
    let bundle = out.join("bundle.zip").to_string_lossy().into_owned();
    fedaudit_tests::run("fedaudit-verify", &[bundle.as_str(), "--trust", &trust]).good();
    let report = std::fs::read(out.join("report.json")).expect("reads");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    let site = &report["sites"][0];
    let more = answer["sampled"].as_u64().unwrap_or(0);
    assert_eq!(site["intake"]["sampled"], json!(sampled + more), "{site}");
    assert_eq!(site["intake"]["missing_sequence"], json!(10 + 100), "{site}");
    assert_eq!(site["intake"]["late"], json!(400), "{site}");
    assert_eq!(site["intake"]["duplicate"], json!(490), "{site}");
    // All events are of ten o'clock; the day has 13 hours more.
    assert_eq!(site["intake"]["silent_source"], json!(13), "{site}");
    let low = &site["sampled"][0];
    assert_eq!((&low["one_in"], &low["events"]["value"]), (&json!(4), &json!(392 - sampled + 320 - more)), "{site}");
}

fn numbered(n: u32) -> serde_json::Value {
    json!({
        "contract": "loans", "event_id": format!("numbered-{n}"), "occurred_at": "2026-05-04T10:00:00Z",
        "model_version": "v1", "decision": if n.is_multiple_of(3) { "grant" } else { "deny" }, "score": 0.5,
        "risk_tier": if n.is_multiple_of(5) { "high" } else { "low" }, "source": "gateway", "sequence": n,
        "attributes": {"sex": "female"}
    })
}
