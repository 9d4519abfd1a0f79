//! Newcomers: from files as they are to a verified report, and clear words where files cannot be used.

#[path = "newcomer/files.rs"]
mod files;
#[path = "newcomer/world.rs"]
mod world;

use fedaudit_core::codec;
use fedaudit_core::report::Report;
use fedaudit_tests::{program, programs, readme, run};
use files::{PLAIN, Row, WHOLE, write};
use std::process::Command;
use world::{Newcomer, Site, documents, draft, pack, text};

#[test]
fn four_commands_of_the_readme_lead_to_a_verified_report() {
    let dir = tempfile::tempdir().expect("a folder");
    files::branches(dir.path());
    for name in ["fedaudit-agent", "fedaudit-aggregator", "fedaudit-verify", "federation"] {
        program(name);
    }
    let path = std::env::join_paths(
        [programs()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let commands = readme::commands("Your own data");
    assert_eq!(commands.len(), 4, "{commands:#?}");
    for (command, shown) in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(dir.path());
        let output = shell.env("PATH", path.as_ref().expect("a path")).env("EDITOR", "true").output().expect("starts");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        readme::check(&shown, &printed);
    }
    let report: Report =
        codec::from_json(&std::fs::read(dir.path().join("report/report.json")).expect("written")).expect("a report");
    // The same rows, counted here.
    let expected: Vec<_> = (1..=3)
        .map(|site| {
            let women: Vec<_> = files::rows(site).take(600).filter(|row| row.sex == "female").collect();
            (women.iter().filter(|row| row.approved).count() as u64, women.len() as u64)
        })
        .collect();
    let sex = report.scopes[0].slices.iter().find(|slice| slice.attributes == ["sex"]).expect("a slice");
    let women = sex.groups.iter().find(|group| group.group == ["female"]).expect("a group");
    let found: Vec<_> = women.sites.iter().map(|s| s.as_ref().map(|s| (s.selected, s.n)).expect("released")).collect();
    assert_eq!(found, expected);
    assert!(dir.path().join("report/report.html").is_file());
}

#[test]
fn an_export_of_a_spreadsheet_is_read_as_it_is() {
    let mut bytes = b"\xef\xbb\xbfEvent ID;Timestamp;Sex;Region;Risk score;Decision;Remark\r\n".to_vec();
    for row in files::rows(4).take(300) {
        let (at, score) = (row.at.to_string().replace('T', " "), row.score);
        let decision = if row.approved { "Approved" } else { "Denied" };
        let region = ["North; East", "South \"S\", West"][row.number as usize % 2].replace('"', "\"\"");
        let line = format!(
            "A-{};{at};{};\"{region}\";0,{score:03};{decision};\"a \"\"b\"\";c\r\nd {}\"\r\n",
            row.number, row.sex, row.number
        );
        bytes.extend(line.bytes());
    }
    let newcomer = Newcomer::new("main-office.csv", bytes);
    let said = draft(&newcomer.folder()).good();
    for line in ["300 rows, separated by semicolons", "all 300 rows fit the contract", "Remark"] {
        assert!(said.out.contains(line), "`{line}` is not said:\n{}", said.out);
    }
    assert_eq!(newcomer.drafted(), ["contract.toml", "map.toml", "plan.toml"]);
    let (contract, plan) = documents(&newcomer.folder());
    assert_eq!(contract.decision.values, ["Denied", "Approved"]);
    let names: Vec<_> = contract.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["Sex", "Region"]);
    assert_eq!(contract.attributes[1].categories, ["North; East", "South \"S\", West"]);
    assert_eq!(contract.score.as_ref().map(|score| (score.min, score.max)), Some((0.0, 1.0)));
    assert!(contract.label.is_none());
    assert_eq!(plan.required_sites[0].as_str(), "main-office");
    let said = newcomer.federation().good();
    assert!(said.out.contains("300 rows, 300 new events, 0 new outcomes, 0 duplicates, 0 rejected"), "{}", said.out);
    assert_eq!(newcomer.report().sites[0].events, 300);
}

#[test]
fn a_draft_names_no_person_and_no_group_of_a_few() {
    let mut lines = "id,timestamp,religion,clinician,approved\n".to_owned();
    for row in files::rows(9).take(300) {
        let religion = match row.number % 300 {
            0 => "Yazidi",
            n if n % 3 == 0 => "Bahai",
            _ => "none",
        };
        let clinician = ["Ada Quist", "Bo Ruud"][(row.score % 2) as usize];
        lines += &format!("{},{},{religion},{clinician},{}\n", row.number, row.at, u8::from(row.approved));
    }
    let newcomer = Newcomer::new("a.csv", lines);
    let said = draft(&newcomer.folder()).good();
    for line in [
        "left out of the categories, as fewer than 10 rows have them: 1 value; they count as other",
        "no usual name of an attribute, so contract.toml and plan.toml have it as a comment: CHECK",
    ] {
        assert_eq!(said.out.matches(line).count(), 1, "`{line}`:\n{}", said.out);
    }
    let (contract, plan) = documents(&newcomer.folder());
    let [religion] = &contract.attributes[..] else { panic!("{contract:?}") };
    assert_eq!(
        (religion.name.as_str(), &religion.categories[..]),
        ("religion", &["Bahai", "none"].map(String::from)[..])
    );
    assert_eq!(plan.slices.iter().map(|slice| slice.name()).collect::<Vec<_>>(), ["religion"]);
    for name in newcomer.drafted() {
        let text = std::fs::read_to_string(newcomer.folder().join(&name)).expect("written");
        assert!(!text.contains("Yazidi"), "{name}: {text}");
        for line in text.lines().filter(|line| ["clinician", "Quist"].iter().any(|word| line.contains(word))) {
            assert!(line.starts_with("# "), "{name}: {line}");
        }
    }
    newcomer.federation().good();
    let report = newcomer.report();
    let groups =
        &report.scopes[0].slices.iter().find(|slice| slice.attributes == ["religion"]).expect("a slice").groups;
    assert!(groups.iter().all(|group| group.group != ["Yazidi"]), "{groups:?}");
}

#[test]
fn a_file_with_our_names_needs_no_map() {
    let newcomer = Newcomer::new("a.csv", "");
    write(&newcomer.folder().join("sites/a.csv"), WHOLE, 5, 500, Row::whole);
    pack(&newcomer.folder().join("sites/a.csv"));
    let said = draft(&newcomer.folder()).good();
    assert_eq!(newcomer.drafted(), ["contract.toml", "plan.toml"]);
    let (contract, plan) = documents(&newcomer.folder());
    // 500 events ten minutes apart from 08:00 on the first of March 2025; the last label comes 30 days after the last.
    assert_eq!(plan.windows.start.to_string(), "2025-03-01T00:00:00Z");
    assert_eq!(plan.windows.end.to_string(), "2025-03-05T00:00:00Z");
    assert_eq!((plan.windows.every, plan.windows.release_after_hours), (None, 30 * 24));
    assert_eq!((contract.model.as_str(), plan.model_versions[0].as_str(), plan.disclosure.k), ("loans", "v1", 10));
    assert!(
        contract.label.is_some() && said.out.contains("720 hours after its end, when the last label is known"),
        "{}",
        said.out
    );
    let slices: Vec<_> = plan.slices.iter().map(|slice| slice.name()).collect();
    assert_eq!(slices, ["sex", "age_group", "sex x age_group"]);
    let said = newcomer.federation().good();
    assert!(said.out.contains("500 rows, 500 new events, 500 new outcomes"), "{}", said.out);
    // A second draft replaces nothing.
    let before = std::fs::read(newcomer.folder().join("plan.toml")).expect("written");
    std::fs::remove_file(newcomer.folder().join("contract.toml")).expect("removes");
    draft(&newcomer.folder()).fault("operator", &["plan.toml is there already"]);
    assert_eq!(newcomer.drafted(), ["plan.toml"]);
    assert_eq!(std::fs::read(newcomer.folder().join("plan.toml")).expect("kept"), before);
}

#[test]
fn what_cannot_be_drafted_is_said_and_nothing_is_written() {
    let rows = |header: &str, row: &str| (0..20).fold(format!("{header}\n"), |text, n| text + &format!("e{n},{row}\n"));
    let cases: [(String, &[&str]); 11] = [
        (String::new(), &["it is empty"]),
        (format!("{WHOLE}\n"), &["no file has a row under its header"]),
        (
            rows("name,age,city", "30,Bern"),
            &[
                "event_id: no column",
                "occurred_at: no column",
                "decision: no column",
                "the files have `name`, `age`, `city`",
            ],
        ),
        (
            rows("id,date,approved", "31.12.2025,1"),
            &["occurred_at: column `date` holds no time", "line 2: `31.12.2025`", "year, month, day"],
        ),
        (rows("id,date,approved", "12/31/2025,1"), &["`12/31/2025` is not a time such as 2026-01-31T13:00:00Z"]),
        (rows("id,time,approved", "2026-01-31 13:00:00,1"), &["it names no time zone; add Z"]),
        (rows("id,time,approved", "2026-01-31,1"), &["it is a date alone"]),
        (rows("id,time,decision", "2026-01-31T13:00:00Z,perhaps"), &["the only value is `perhaps`"]),
        (
            rows("id,time,approved", "2262-04-11T23:30:00Z,1"),
            &["occurred_at:", "a.csv, line 2: `2262-04-11T23:30:00Z`", "where times end"],
        ),
        (rows("id,time,approved", "1677-09-21T01:00:00Z,1"), &["line 2: `1677-09-21T01:00:00Z`", "where times end"]),
        (rows("id,time,decision,time", "2026-01-31T13:00:00Z,1,x"), &["column `time` stands twice"]),
    ];
    for (text, expected) in cases {
        Newcomer::new("a.csv", text).refused(expected);
    }
    let latin = [b"id,time,decision\n".to_vec(), b"1,2026-01-31T13:00:00Z,n\xf6\n".to_vec()].concat();
    Newcomer::new("a.csv", latin).refused(&["no row of", "line 2: not UTF-8"]);
    let split = rows("id,time,decision,score", "2026-01-31T13:00:00Z,1,0,5");
    Newcomer::new("a.csv", split).refused(&["line 2: 5 fields; the header has 4"]);
    let three = "id,time,decision\n1,2026-01-31T13:00:00Z,a\n2,2026-01-31T13:00:00Z,b\n3,2026-01-31T13:00:00Z,c\n";
    Newcomer::new("a.csv", three).refused(&["decision: column `decision` has more than two different values"]);
    let both = Newcomer::new("a.csv", three);
    std::fs::write(both.folder().join("sites/A.csv"), three).expect("writes");
    both.refused(&["are both named for site a"]);
    let foreign = Newcomer::new("北京.csv", three);
    foreign.refused(&["names no site"]);
}

#[test]
fn a_map_tells_what_names_do_not() {
    let lines: String =
        (0..60).fold("nr,wann,ja\n".to_owned(), |lines, n| lines + &format!("{n},2025-05-01T10:00:00Z,{}\n", n % 2));
    let newcomer = Newcomer::new("a.csv", lines);
    newcomer.refused(&["event_id: no column", "the files have `nr`, `wann`, `ja`"]);
    let (folder, map) = (text(&newcomer.folder()), newcomer.folder().join("map.toml"));
    let file = text(&newcomer.folder().join("sites/a.csv"));
    let draft = || run("fedaudit-agent", &["contract", "draft", &file, "--out", &folder, "--map", &text(&map)]);
    std::fs::write(&map, "[columns]\nevent_id = \"nr\"\noccurred_at = \"wann\"\ndecision = \"ja\"\n").expect("writes");
    // The map lacks the model: the whole of it is shown, and nothing is written.
    draft().fault("input", &["model_version = \"v1\"", "event_id = \"nr\""]);
    assert_eq!(newcomer.drafted(), ["map.toml"]);
    let more = "[columns]\nevent_id = \"nr\"\noccurred_at = \"wann\"\ndecision = \"ja\"\n[constants]\nmodel_id = \"m\"\nmodel_version = \"7\"\n";
    std::fs::write(&map, more).expect("writes");
    draft().good();
    assert_eq!(newcomer.drafted(), ["contract.toml", "map.toml", "plan.toml"]);
    assert_eq!(documents(&newcomer.folder()).0.model, "m");
    newcomer.federation().good();
    assert_eq!(newcomer.report().sites[0].events, 60);
    // A file that changed since is blamed as the agent blames it, with its hint.
    let good = std::fs::read_to_string(&file).expect("reads");
    std::fs::write(&file, good.replace("Z,", ",")).expect("writes");
    let said = newcomer.federation().fault("input", &["site a", "all 60 rows were rejected and nothing was journaled"]);
    assert_eq!(said.err.matches("hint: ").count(), 1, "{}", said.err);
    std::fs::write(&map, "[column]\n").expect("writes");
    newcomer.federation().fault("input", &["map.toml", "unknown field `column`"]);
}

#[test]
fn an_import_that_takes_nothing_fails_and_leaves_nothing() {
    let newcomer = Newcomer::new("a.csv", "");
    write(&newcomer.folder().join("sites/a.csv"), PLAIN, 6, 200, Row::plain);
    draft(&newcomer.folder()).good();
    let site = Site::new(&newcomer);
    let (file, map) = (newcomer.dir.path().join("file.csv"), newcomer.folder().join("map.toml"));
    let good = std::fs::read_to_string(newcomer.folder().join("sites/a.csv")).expect("written");
    for (time, why) in [
        ("31.12.2025", "write year, month, day"),
        ("12/31/2025", "write year, month, day"),
        ("2025-03-01 08:00:00", "it names no time zone; add Z for UTC"),
        ("2025-03-01", "it is a date alone"),
    ] {
        let lines = good.lines().skip(1).map(|line| {
            let mut fields: Vec<_> = line.split(',').collect();
            fields[1] = time;
            fields.join(",") + "\n"
        });
        std::fs::write(&file, format!("{PLAIN}\n{}", lines.collect::<String>())).expect("writes");
        let said = site.import(&file, Some(&map));
        let said = said.fault("input", &["all 200 rows were rejected and nothing was journaled", "line 2", why]);
        assert!(said.out.contains("200 rows, 0 new events, 0 new outcomes, 0 duplicates, 200 rejected"), "{said:?}");
        assert_eq!(site.events(), None);
    }
    // Without its map, and with a column less.
    let said = site.import(&newcomer.folder().join("sites/a.csv"), None);
    let said = said.fault("input", &["it lacks `event_id`, `occurred_at`", "it has `id`, `timestamp`", "--map MAP"]);
    assert_eq!(said.out, "");
    std::fs::write(&file, good.replace("age_group", "age")).expect("writes");
    site.import(&file, Some(&map)).fault("input", &["it lacks `age_group`; it has `id`"]);
    assert_eq!(site.events(), None);
    // Both good forms of a time, and one bad row among good ones.
    let mixed = good.replacen("T", " ", 60).replacen("Z,", "+00:00,", 30).replacen("0.", "none", 1);
    std::fs::write(&file, mixed).expect("writes");
    let said = site.import(&file, Some(&map)).good();
    assert!(said.out.contains("200 rows, 199 new events, 199 new outcomes, 0 duplicates, 1 rejected"), "{said:?}");
    assert!(said.err.contains("line 2: score") && said.err.contains("is not a number"), "{said:?}");
    let said = site.import(&newcomer.folder().join("sites/a.csv"), Some(&map)).good();
    assert!(said.out.contains("1 new events, 1 new outcomes, 199 duplicates, 0 rejected"), "{said:?}");
    assert_eq!(site.events().as_deref(), Some("200 predictions"));
}

#[test]
fn files_that_are_not_named_for_a_site_are_told_their_name() {
    let newcomer = Newcomer::new("Branch 7 (East).CSV", "");
    write(&newcomer.folder().join("sites/Branch 7 (East).CSV"), PLAIN, 7, 300, Row::plain);
    let said = draft(&newcomer.folder()).good();
    assert!(said.out.contains("rename") && said.out.contains("to branch-7-east.csv"), "{}", said.out);
    assert_eq!(documents(&newcomer.folder()).1.required_sites[0].as_str(), "branch-7-east");
    let said = newcomer.federation().fault("input", &["Branch 7 (East).CSV"]);
    assert!(said.err.contains("hint: rename it to branch-7-east.csv"), "{}", said.err);
    let sites = newcomer.folder().join("sites");
    std::fs::rename(sites.join("Branch 7 (East).CSV"), sites.join("branch-7-east.csv")).expect("renames");
    newcomer.federation().good();
}

#[test]
fn a_million_rows_are_drafted_in_little_memory() {
    let newcomer = Newcomer::new("big.csv", "");
    let file = newcomer.folder().join("sites/big.csv");
    write(&file, PLAIN, 8, 1_000_000, Row::plain);
    // Address space, in KiB: the program takes less than half of it, and a million rows as fields would not fit.
    let limited = "ulimit -v 160000; exec \"$0\" contract draft \"$1\" --out \"$2\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", limited]).arg(program("fedaudit-agent")).arg(&file).arg(newcomer.folder());
    let output = shell.output().expect("starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("all 1000000 rows fit the contract"), "{output:?}");
    // What was drafted from all of it takes all of a part.
    let (part, map) = (newcomer.dir.path().join("part.csv"), newcomer.folder().join("map.toml"));
    // Ten minutes apart, they end before today: what is dated ahead is refused.
    write(&part, PLAIN, 8, 80_000, Row::plain);
    let said = Site::new(&newcomer).import(&part, Some(&map)).good();
    let counts = "80000 rows, 80000 new events, 80000 new outcomes, 0 duplicates, 0 rejected";
    assert!(said.out.contains(counts), "{said:?}");
}
