//! Attacks on a site's releases by somebody who has all that ever left, each through the real programs: refused, or what it
//! asks for is not shown. `docs/disclosure.md` works them out, and lists those that are tested elsewhere.

#[path = "attacks/site.rs"]
mod site;
#[path = "attacks/together.rs"]
mod together;

use serde_json::{Value, json};
use site::{Group, PLAN, SITE, Site, WINDOW, block, blocks, folds, full};

/// Women and men north and south, enough of everything.
fn many() -> Vec<Group> {
    let group = |sex, region, decision, label| Group { sex, region, decision, label, count: 12, ..Group::default() };
    let mut groups = Vec::new();
    for sex in ["female", "male"] {
        for region in ["north", "south"] {
            for decision in ["grant", "deny"] {
                groups.extend([Some("repaid"), Some("default"), None].map(|label| group(sex, region, decision, label)));
            }
        }
    }
    groups
}

/// Some more like one of them.
fn more(sex: &'static str, region: &'static str, count: usize) -> Group {
    Group { sex, region, count, ..Group::default() }
}

#[test]
fn a_row_left_out_and_released_again() {
    let mut site = Site::open();
    let rows = site.events("a", &many());
    site.take(&rows);
    let release = site.released("credits", PLAN);
    // The journal keeps the row, whatever is handed over later: all that is new is how much of it was known.
    site.take(&rows[1..]);
    assert_eq!(site.amend("credits"), "");
    site.run();
    let again: Value = serde_json::from_slice(&site.artifact("credits").expect("it left")).expect("JSON");
    assert_eq!((&again["strata"], &again["events"]), (&release["strata"], &release["events"]));
    assert_eq!(again["intake"], json!({ "duplicate": rows.len() - 1 }));
}

#[test]
fn a_row_twice() {
    let mut site = Site::open();
    let rows = site.events("a", &many());
    site.take(&rows);
    site.released("credits", PLAN);
    assert_eq!(site.take(&rows[..1])["duplicates"], json!(1), "the same event is there");
    // Under another id it is an event more: that one would be told by subtraction.
    site.take(&site.events("b", &[more("female", "north", 1)]));
    let said = site.amend("credits");
    assert!(said.contains("1 events come in") && said.contains("nothing was signed"), "{said}");
}

#[test]
fn run_again_after_few_came_in() {
    let mut site = Site::open();
    site.take(&site.events("a", &many()));
    site.released("credits", PLAN);
    site.take(&site.events("b", &[more("male", "south", 4)]));
    assert!(site.amend("credits").contains("4 events come in"));
    site.take(&site.events("c", &[more("male", "south", 6)]));
    let said = site.amend("credits");
    assert!(said.is_empty(), "ten may be told: {said}");
}

#[test]
fn a_small_level_called_unknown() {
    let mut site = Site::open();
    let mut groups = many();
    groups.push(more("divers", "north", 3));
    let rows = site.events("a", &groups);
    site.take(&rows);
    let release = site.released("credits", PLAN);
    assert_eq!(block(&release, &["sex"], &["divers"]), json!({ "folded": 0 }), "three are few");
    // The next version of the contract has no `divers`: what is missing from its total would be the three.
    site.contract(2, r#"categories = ["female", "male"]"#);
    let rows: Vec<Value> = rows.into_iter().filter(|row| row["attributes"]["sex"] != "divers").collect();
    site.take(&rows);
    let (release, said) = site.asked("recoded", PLAN);
    assert_eq!(release, None);
    assert!(said.contains("under version 1 of contract credits"), "{said}");
}

#[test]
fn a_small_count_next_to_its_total() {
    let mut site = Site::open();
    let mut groups = many();
    groups.push(more("divers", "north", 3));
    site.take(&site.events("a", &groups));
    let release = site.released("credits", PLAN);
    assert_eq!(release["events"], json!(24 * 12 + 3));
    // The three are shown with the women, or with the men, and with nobody alone.
    let hidden = blocks(&release, &["sex"]).iter().filter(|block| **block == json!({ "folded": 0 })).count();
    assert_eq!((hidden, folds(&release, &["sex"]).len()), (2, 1));
}

#[test]
fn a_count_times_a_mean() {
    let mut site = Site::open();
    site.take(&site.events("a", &[Group { latency_ms: Some(40), ..more("female", "north", 4) }]));
    let release = site.released("credits", PLAN);
    // Of four events, everybody knows that there are four, and nothing of what they took.
    assert_eq!(release["events"], json!(4));
    assert_eq!(release["operations"]["latency_us"], json!("suppressed"));
    assert!(blocks(&release, &["sex"]).iter().all(|block| *block == json!("withheld") || is_empty(block)));
}

#[test]
fn all_scores_of_a_sum_but_one() {
    let mut site = Site::open();
    // An attacker knows eleven of twelve women of the north who were granted a credit and repaid it, all of score 0.75.
    let mut rows = site.events("a", &many());
    let last = rows.iter_mut().find(|row| row["decision"] == "grant" && row["label"] == "repaid").expect("one");
    last["score"] = json!(0.7469);
    site.take(&rows);
    let plan =
        PLAN.replace("k = 10", "k = 10\nmoment_step = \"0.01\"").replace("[windows]", "min_coverage = 0.5\n[windows]");
    let release = site.released("credits", &plan);
    let step = 42_949_673_u128;
    let sums = |release: &Value, slice: usize, group: usize| -> Vec<u128> {
        let scores = &release["strata"][0]["slices"][slice]["groups"][group]["scores"]["value"];
        let bins =
            scores["histogram"].as_array().expect("labels").iter().flat_map(|bins| bins.as_array().expect("bins"));
        bins.map(|bin| bin[2].as_str().expect("a sum").parse().expect("a number")).collect()
    };
    let known = [0, 1, 2, 3].iter().flat_map(|slice| sums(&release, *slice, 0)).collect::<Vec<_>>();
    assert!(!known.is_empty() && known.iter().all(|sum| sum % step == 0), "{known:?}");
    // Exact, the twelve would have 8.9969, and the last one 0.7469. The release says 9.00, as it would of twelve alike.
    assert!(sums(&release, 3, 0).contains(&(900 * step)), "{:?}", sums(&release, 3, 0));
    let shown = site.desk.world.agent(SITE, &["release", "show", WINDOW, "--plan", "credits", "--json"]).good().out;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(sums(&shown["release"], 3, 0), sums(&release, 3, 0), "the desk shows what left");
    site.desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();

    let report = site.reported("credits");
    assert_eq!(report["disclosure"]["moment_step"], json!("0.01"));
    let group = &report["scopes"][0]["slices"][0]["groups"][0];
    // 96 of 192 labelled events have 0.25, one 0.7469, the others 0.75.
    let mean = &group["pooled"]["scores"]["mean_score"]["estimate"];
    let exact = (48.0 * 0.25 + 47.0 * 0.75 + 0.7469) / 96.0;
    let brier = &group["pooled"]["scores"]["brier"]["estimate"];
    let exact_brier = (24.0 * (0.0625 + 0.5625) + 23.0 * 0.0625 + 24.0 * 0.5625 + 0.2531 * 0.2531) / 96.0;
    for (figure, exact) in [(mean, exact), (brier, exact_brier)] {
        let end = |of: &str| figure["bounds"][of].as_f64().expect("a bound");
        assert!(
            end("lower") < exact && exact < end("upper") && end("upper") - end("lower") < 0.01,
            "{exact}: {figure}"
        );
        assert_ne!(figure["value"].as_f64(), Some(exact), "the point is that of the rounded sums");
    }
    assert_eq!(group["calibration"]["slope"], json!({ "not_estimable": "rounded_sums" }));
}

#[test]
fn a_small_bin_of_scores() {
    let mut site = Site::open();
    let mut groups = many();
    // All of them granted and repaid; three with a score of their own.
    groups.push(Group { label: Some("repaid"), score: 0.76, ..more("female", "north", 3) });
    site.take(&site.events("a", &groups));
    let release = site.released("credits", PLAN);
    let slices = release["strata"][0]["slices"].as_array().expect("slices");
    let histograms = slices.iter().flat_map(|slice| slice["groups"].as_array().expect("groups"));
    let mut seen = 0;
    for bin in histograms.filter_map(|group| group["scores"]["value"]["histogram"].as_array()).flatten() {
        for bin in bin.as_array().expect("bins") {
            assert!(bin[1].as_u64().expect("a count") >= 10, "{release}");
            seen += 1;
        }
    }
    assert!(seen > 0, "coarser bins are shown: {release}");
}

#[test]
fn a_histogram_cut_at_the_threshold() {
    let mut site = Site::open();
    let mut groups = many();
    // Three women of the south more were denied without a label: the histogram's bins below one half would count them.
    groups.retain(|of| (of.sex, of.decision, of.label) != ("female", "deny", None));
    groups.push(Group { decision: "deny", score: 0.2, ..more("female", "south", 3) });
    site.take(&site.events("a", &groups));
    let release = site.released("credits", PLAN);
    for slice in release["strata"][0]["slices"].as_array().expect("slices") {
        let groups = slice["groups"].as_array().expect("groups");
        let is_full = groups.iter().all(|group| full(&group["counts"]).is_some());
        let is_shown = groups.iter().any(|group| group["scores"].get("value").is_some());
        assert!(is_full || !is_shown, "{slice}");
    }
    let women = block(&release, &["sex"], &["female"]);
    assert!(full(&women).is_none(), "{women}");
}

#[test]
fn a_group_that_is_never_selected() {
    // All women were denied, with and without a label.
    let mut groups = many();
    groups.iter_mut().filter(|of| of.sex == "female").for_each(|of| of.decision = "deny");
    let shown = |plan: &str| {
        let mut site = Site::open();
        site.take(&site.events("a", &groups));
        let release = site.released("credits", plan);
        let said = site.desk.world.agent(SITE, &["release", "show", WINDOW, "--plan", "credits"]).good().out;
        (site, release, said)
    };
    // By default that is what an audit is to find.
    let (_, release, said) = shown(PLAN);
    let women = block(&release, &["sex"], &["female"]);
    assert_eq!(women, json!({ "full": [[48, 48, 48], [0, 0, 0], [0, 0, 0]] }));
    assert!(said.contains("k = 10\n") && !said.contains("from 0 to k - 1"), "{said}");
    // A plan that hides zeros shows none of any group but of what nobody at all has, no decision, and the desk says so.
    let (site, release, said) = shown(&PLAN.replace("k = 10", "k = 10\nhide_zeros = true"));
    let attributes: [&[&str]; 3] = [&["sex"], &["region"], &["sex", "region"]];
    let told = attributes.map(|of| [blocks(&release, of), folds(&release, of)].concat()).concat();
    for of in &told {
        let cells = full(of).is_some_and(|cells| cells[..2].iter().flatten().any(|count| *count == 0));
        let totals = [0, 1].iter().any(|decision| of["margins"]["decisions"][decision] == json!(0));
        assert!(!cells && !totals && of["n"] != json!(0), "{of}");
    }
    assert!(said.contains("k = 10, zeros hidden\n"), "{said}");
    assert!(said.contains("it has a number from 0 to k - 1") && !said.contains("from 1 to k - 1"), "{said}");
    site.reported("credits");
}

#[test]
fn intersections_against_their_totals() {
    let mut site = Site::open();
    let mut groups = many();
    groups.retain(|of| (of.sex, of.region) != ("female", "south"));
    groups.push(more("female", "south", 4));
    site.take(&site.events("a", &groups));
    let release = site.released("credits", PLAN);
    let is_full = |attributes: &[&str], group: &[&str]| full(&block(&release, attributes, group)).is_some();
    assert!(!is_full(&["sex", "region"], &["female", "south"]), "four women of the south");
    // Wherever a total is shown in full, no part of it is the only one hidden.
    for sex in ["female", "male"] {
        let hidden = ["north", "south"].iter().filter(|region| !is_full(&["sex", "region"], &[sex, *region])).count();
        assert!(!is_full(&["sex"], &[sex]) || hidden != 1, "{release}");
    }
    for region in ["north", "south"] {
        let hidden = ["female", "male"].iter().filter(|sex| !is_full(&["sex", "region"], &[*sex, region])).count();
        assert!(!is_full(&["region"], &[region]) || hidden != 1, "{release}");
    }
}

#[test]
fn a_week_less_its_days() {
    let mut site = Site::open();
    let rows =
        [many(), vec![Group { day: 1, ..more("female", "north", 30) }, Group { day: 2, ..more("male", "south", 3) }]];
    site.take(&site.events("a", &rows.concat()));
    site.ask("daily", &PLAN.replace("2026-05-05T00:00:00Z\"", "2026-05-07T00:00:00Z\"\nevery = \"day\""));
    let (release, said) = site.asked("together", &PLAN.replace("2026-05-05", "2026-05-07"));
    assert_eq!(release, None);
    assert!(said.contains("not released") && said.contains("daily"), "{said}");
}

#[test]
fn two_plans_with_almost_equal_slices() {
    let mut site = Site::open();
    let late = Group { hour: 23, ..more("female", "north", 3) };
    site.take(&site.events("a", &[many(), vec![late]].concat()));
    site.released("credits", PLAN);
    // The same but for the last hour of the day, in which there were three.
    let (release, said) = site.asked("almost", &PLAN.replace("2026-05-05T00:00:00Z", "2026-05-04T23:00:00Z"));
    assert_eq!(release, None);
    assert!(said.contains("3 events that only the other counts"), "{said}");
    // Other slices of the same events may leave.
    let slices = PLAN.split("[[slice]]").next().expect("a plan").to_owned()
        + "[[slice]]\nattributes = [\"region\"]\nreference = [\"north\"]\n";
    let (release, said) = site.asked("regions", &slices);
    assert!(release.is_some(), "{said}");
}

#[test]
fn labels_of_two_maturities() {
    let mut site = Site::open();
    let late = Group { label: Some("repaid"), labelled_on: 8, ..more("female", "north", 3) };
    site.take(&site.events("a", &[many(), vec![late]].concat()));
    site.released("credits", PLAN);
    // Three labels came between the two deadlines.
    let (release, said) = site.asked("mature", &PLAN.replace("release_after_hours = 24", "release_after_hours = 240"));
    assert_eq!(release, None);
    assert!(said.contains("3 events that only"), "{said}");
}

#[test]
fn an_older_copy_of_the_home_released_again() {
    let mut site = Site::open();
    site.take(&site.events("a", &many()));
    let copy = site.copy();
    site.released("credits", PLAN);
    // With one row more it would sign the window a second time.
    site.restore(&copy);
    let said = site.desk.world.agent(site::SITE, &["run", "--once"]);
    assert!(said.code != Some(0) && said.err.contains("this home is older than what it signed"), "{said:?}");
    assert_eq!(site.received("credits"), [""; 0], "nothing has left of this state");
}

#[test]
fn a_backup_restored_and_released_again() {
    let mut site = Site::open();
    site.take(&site.events("a", &many()));
    site.released("credits", PLAN);
    let backup = site.desk.world.scratch("backup");
    site.desk.world.agent(site::SITE, &["backup", &backup.to_string_lossy()]).good();
    let before = site.artifact("credits");
    site.restore(&backup);
    site.run();
    assert_eq!(site.artifact("credits"), before, "the same bytes, and nothing else");
    assert_eq!(site.received("credits"), [WINDOW]);
}

#[test]
fn the_document_has_them_all() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("reads");
    let document = read("../docs/disclosure.md");
    let own = read("attacks.rs") + &read("attacks/together.rs");
    let tests: Vec<&str> = own.split("#[test]\nfn ").skip(1).filter_map(|text| text.split('(').next()).collect();
    assert!(tests.len() > 18, "{tests:?}");
    for name in tests.iter().filter(|name| **name != "the_document_has_them_all") {
        assert!(document.contains(&format!("`{name}`")), "docs/disclosure.md lacks {name}");
    }
}

fn is_empty(block: &Value) -> bool {
    full(block).is_some_and(|cells| cells.iter().flatten().all(|count| *count == 0))
}
