//! Differential privacy through the real programs: what leaves, what it costs, and what is refused.

use fedaudit_agent::home::Home;
use fedaudit_agent::outbox::{Kind, Outbox, Outgoing};
use fedaudit_agent::site::Site;
use fedaudit_core::codec;
use fedaudit_core::disclosure::ReleaseText;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::privacy::cost;
use fedaudit_tests::absent::import;
use fedaudit_tests::evidence::{Evidence, judge, verifier};
use fedaudit_tests::intake::{self, Desk, LOANS_PLAN};
use fedaudit_tests::world::{World, copy, name, restore};
use fedaudit_tests::{Said, python, run as program};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SITE: &str = "dept-a";
const SITES: [&str; 3] = [SITE, "dept-b", "dept-c"];
const JANUARY: &str = "1973-01-01T00:00:00Z/1973-02-01T00:00:00Z";
const LAPLACE: &str =
    "[disclosure.privacy]\nmechanism = \"discrete_laplace\"\nepsilon = \"1\"\nevents_per_subject = 1\n";
const GAUSSIAN: &str = "[disclosure.privacy]\nmechanism = \"discrete_gaussian\"\nepsilon = \"1\"\ndelta = \"0.000001\"\nevents_per_subject = 1\n";
const BUDGET: &str = "epsilon = \"4\"\ndelta = \"0\"\nperiod_days = 365\n";

fn private(plan: &str, table: &str) -> String {
    assert!(plan.contains("k = 5\n"));
    plan.replacen("k = 5\n", &format!("k = 5\n{table}"), 1)
}

fn budget(home: &Path, table: &str) {
    let path = home.join("config.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    let kept = text.split("\n[privacy]\n").next().unwrap_or_default();
    std::fs::write(&path, format!("{}\n[privacy]\n{table}", kept.trim_end())).expect("writes");
}

fn data(world: &World, site: &str) -> PathBuf {
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| of.as_str() == site).expect("data");
    file.clone()
}

/// A site with its data and a budget, which accepted the plan.
fn join(world: &World, site: &str, accept: &[&str]) {
    world.federation.enrol(&name(site), 5).expect("enrols");
    budget(&world.site(site), BUDGET);
    let plan = world.plan();
    let args: Vec<&str> = ["plan", "accept", plan.as_str()].into_iter().chain(accept.iter().copied()).collect();
    world.agent(site, &args).good();
    import(world, site, &data(world, site));
}

fn released(home: &Path) -> Vec<(Outgoing, ReleaseText)> {
    let all = Outbox::open(home).expect("opens").releases().expect("reads");
    let all = all.into_iter().filter(|of| of.kind == Kind::Release);
    all.map(|of| (of.clone(), codec::from_json(&of.artifact).expect("a release"))).collect()
}

fn status(world: &World, site: &str) -> Value {
    let said = world.agent(site, &["status", "--json"]).good().out;
    serde_json::from_str::<Value>(&said).expect("JSON")["privacy"].clone()
}

#[test]
fn counts_leave_with_noise_until_the_budget_is_spent() {
    let world = World::with_plan(&SITES, |plan| private(&plan, LAPLACE));
    world.federation.enrol(&name(SITE), 5).expect("enrols");
    let plan = world.plan();
    let accept = ["plan", "accept", plan.as_str()];
    world.agent(SITE, &accept).fault("operator", &["no budget for that", "config.toml, [privacy]"]);
    budget(&world.site(SITE), "epsilon = \"0.5\"\nperiod_days = 365\n");
    world
        .agent(SITE, &accept)
        .fault("operator", &["one release costs epsilon 1; this site's budget for a period is 0.5"]);
    budget(&world.site(SITE), BUDGET);
    world.agent(SITE, &accept).good();
    import(&world, SITE, &data(&world, SITE));
    let said = world.agent(SITE, &["run", "--once"]).good().err;
    assert!(
        said.contains("epsilon 4: epsilon 4 is spent by 4 releases, it would be epsilon 5 with this one"),
        "{said}"
    );

    // Six windows at epsilon 1 each: four are released, of two everybody learns that the budget is spent.
    let left = released(&world.site(SITE));
    assert_eq!(left.len(), 4);
    let exact = exact_events(&world, SITE);
    for (of, text) in &left {
        let numbers = text.strata.iter().flat_map(|stratum| &stratum.slices).flat_map(|slice| &slice.groups);
        let counts: Vec<i64> = numbers.flat_map(|group| *group.counts.noisy().expect("noise")).flatten().collect();
        assert_eq!(counts.len(), 9 * (1 + 4), "the whole, and two genders with other and unknown");
        assert!(counts.iter().any(|count| *count < 0), "counts of nobody have noise: {counts:?}");
        let written = String::from_utf8(of.artifact.clone()).expect("text");
        for word in ["full", "folds", "scores", "quality", "operations", "intake", "subjects"] {
            assert!(!written.replace("\"tier\": \"full\"", "").contains(word), "{word}: {written}");
        }
    }
    // Two slices: scale 2, so that one of 9 counts of the whole is off by 1 at least, and the sum by less than 60.
    let off: Vec<i64> = left.iter().zip(&exact).map(|((_, text), exact)| text.events as i64 - exact).collect();
    assert!(off.iter().any(|off| *off != 0) && off.iter().all(|off| off.abs() < 60), "{off:?}");

    let spent = status(&world, SITE);
    assert_eq!(spent["periods"][0]["spent"], "4", "{spent}");
    assert_eq!((&spent["periods"][0]["left"], &spent["periods"][0]["releases"]), (&json!("0"), &json!(4)));
    let again = world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(released(&world.site(SITE)).len(), 4, "{again:?}");
    let said = world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    assert_eq!(said.matches("noise: fresh from the key, as in the ledger").count(), 4, "{said}");
    let amend = ["release", "amend", plan.as_str(), "--window", JANUARY, "--reason", "late labels"];
    world.agent(SITE, &amend).fault("operator", &["was released with noise: such a window is released once"]);

    // More epsilon, and the windows that were kept back leave once they are asked for again.
    budget(&world.site(SITE), &BUDGET.replace("\"4\"", "\"6\""));
    world.agent(SITE, &["plan", "withdraw", plan.as_str(), "--window", "all"]).good();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(released(&world.site(SITE)).len(), 6);
    assert_eq!(status(&world, SITE)["periods"][0]["spent"], "6");
}

/// Events of a site's file by month.
fn exact_events(world: &World, site: &str) -> Vec<i64> {
    let text = std::fs::read_to_string(data(world, site)).expect("reads");
    let months = (1..=6).map(|month| text.matches(&format!(",1973-0{month}-")).count());
    months.map(|count| i64::try_from(count).expect("few")).collect()
}

#[test]
fn a_report_is_made_of_noisy_counts_and_verified() {
    let world = World::with_plan(&SITES, |plan| {
        private(&plan, LAPLACE).replace("every = \"month\"\n", "").replace("epsilon = \"1\"", "epsilon = \"4\"")
    });
    for site in [SITE, "dept-b"] {
        join(&world, site, &[]);
        world.agent(site, &["run", "--once"]).good();
    }
    let evidence = Evidence::of(&world);
    let report = evidence.figures();
    let private = report.private.as_ref().expect("noise");
    assert!(report.scopes.is_empty() && report.weighted.is_empty() && report.operations.is_none());
    let slice = &private.scopes[0].slices[1];
    assert_eq!((slice.attributes.join(" "), slice.releases, slice.sites.len()), ("gender".to_owned(), 2, 2));
    // Bickel, Hammel and O'Connell 1975: departments A and B, 108 women and 825 men, 25 women and 560 men.
    let group = |name: &str| slice.groups.iter().find(|group| group.group == [name]).expect("a group");
    let (women, men) = (group("Female"), group("Male"));
    let within = |figure: &fedaudit_core::report::Figure, truth: f64| {
        let fedaudit_core::report::Figure::Estimate(of) = figure else { panic!("{figure:?}") };
        let interval = of.interval.expect("an interval");
        assert!(interval.lower - 0.05 * truth.abs() <= truth && truth <= interval.upper + 0.05 * truth.abs(), "{of:?}");
    };
    within(&women.events, 133.0);
    within(&men.events, 1_385.0);
    within(&women.selection_rate, (89.0 + 17.0) / 133.0);
    within(&men.selection_rate, (512.0 + 353.0) / 1_385.0);
    within(&women.differences.as_ref().expect("compared").selection_rate, 106.0 / 133.0 - 865.0 / 1_385.0);
    assert!(men.differences.is_none() && women.outcomes.is_none(), "the reference, and no label");
    let nobody = group("unknown");
    assert!(!nobody.compared && nobody.selection_rate.value().is_none(), "{nobody:?}");

    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!(verdict.code, 0, "{verdict:?}");
    let page = String::from_utf8(evidence.bundle().report_html).expect("text");
    assert!(page.contains("Figures with noise") && page.contains("counts with noise add up to"));
    assert!(!page.contains("public by acceptance of the plan"));
}

/// The agent over any home.
fn agent(home: &Path, args: &[&str]) -> Said {
    let home = [OsString::from("--home"), home.into()];
    program("fedaudit-agent", &home.into_iter().chain(args.iter().map(OsString::from)).collect::<Vec<_>>())
}

#[test]
fn the_same_counts_leave_with_the_same_noise_after_a_restore() {
    let world = World::with_plan(&SITES, |plan| private(&plan, GAUSSIAN));
    world.federation.enrol(&name(SITE), 5).expect("enrols");
    budget(&world.site(SITE), BUDGET);
    let plan = world.plan();
    let accept = ["plan", "accept", plan.as_str(), "--review"];
    world.agent(SITE, &accept).fault("operator", &["Gaussian noise needs a delta above 0"]);
    budget(&world.site(SITE), &BUDGET.replace("\"0\"", "\"0.00001\""));
    world.agent(SITE, &accept).good();
    import(&world, SITE, &data(&world, SITE));
    world.agent(SITE, &["run", "--once"]).good();

    let (home, backup) = (world.site(SITE), world.scratch("backup"));
    world.agent(SITE, &["backup", &backup.display().to_string()]).good();
    assert!(home.join("noise.key").exists() && !backup.join("noise.key").exists(), "the key is in no backup");
    let mode = std::fs::metadata(home.join("noise.key")).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let restored = world.scratch("restored");
    copy(&backup, &restored);
    for folder in [&restored, &restored.join("keys")] {
        for entry in std::fs::read_dir(folder).expect("lists").flatten().filter(|entry| entry.path().is_file()) {
            std::fs::set_permissions(entry.path(), PermissionsExt::from_mode(0o600)).expect("sets");
        }
    }
    agent(&restored, &["release", "show", JANUARY]).fault("site", &["noise.key is missing"]);
    std::fs::copy(home.join("keys/note.key"), restored.join("noise.key")).expect("copies");
    agent(&restored, &["release", "show", JANUARY]).fault("site", &["not the key that this site's ledger names"]);
    std::fs::copy(home.join("noise.key"), restored.join("noise.key")).expect("copies");
    // As if it had reached the aggregator, which knows of nothing later.
    std::fs::copy(home.join("fence.json"), restored.join("fence.json")).expect("copies");

    let shown = agent(&home, &["release", "show", JANUARY]).good().out;
    assert!(shown.contains("as counts with noise add up; no exact number leaves"), "{shown}");
    let digest = |home: &Path| {
        let said = agent(home, &["release", "show", JANUARY, "--json"]).good().out;
        let of: Value = serde_json::from_str(&said).expect("JSON");
        of["digest"].as_str().expect("a digest").to_owned()
    };
    let draft = digest(&home);
    for home in [&home, &restored] {
        assert_eq!(digest(home), draft);
        agent(home, &["release", "approve", &draft, "--by", "steward-one"]).good();
    }
    let [one, other] = [&home, &restored].map(|home| released(home).remove(0).0.artifact);
    assert_eq!(one, other);
    // Without the key the ledger still says which noise it was.
    std::fs::remove_file(restored.join("noise.key")).expect("removes");
    let said = agent(&restored, &["journal", "reproduce", "all"]).good().out;
    assert!(said.contains("as in the ledger; the key is not here"), "{said}");
    // What was not approved was not paid for.
    let spent = status(&world, SITE);
    assert_eq!(spent["periods"][0]["releases"], 1, "{spent}");
    let epsilon: f64 = spent["periods"][0]["spent"].as_str().expect("a decimal").parse().expect("a number");
    // rho = 1 / (2 sigma^2) of two slices, at a tenth of the plan's delta: less than epsilon 1.
    assert!(epsilon > 0.85 && epsilon < 1.0, "{epsilon}");
}

#[test]
fn what_a_restored_home_takes_back_was_paid_for() {
    let world = World::with_plan(&SITES, |plan| private(&plan, LAPLACE));
    join(&world, SITE, &[]);
    let allow = |epsilon: &str| budget(&world.site(SITE), &BUDGET.replace("\"4\"", &format!("\"{epsilon}\"")));
    let plan = world.plan();
    let withdraw = ["plan", "withdraw", plan.as_str(), "--window", "all"];
    allow("2");
    world.agent(SITE, &["run", "--once"]).good();
    let backup = world.scratch("backup");
    copy(&world.site(SITE), &backup);
    std::fs::remove_file(backup.join("fence.json")).expect("removes");
    // One more, which the backup knows nothing of.
    allow("3");
    world.agent(SITE, &withdraw).good();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(released(&world.site(SITE)).len(), 3);
    restore(&backup, &world.site(SITE));
    allow("3");
    world.agent(SITE, &["run", "--once"]).good();
    let spent = status(&world, SITE);
    assert_eq!((&spent["periods"][0]["spent"], &spent["periods"][0]["releases"]), (&json!("3"), &json!(3)), "{spent}");
    world.agent(SITE, &withdraw).good();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(released(&world.site(SITE)).len(), 3, "no more than was allowed");
    let said = world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    assert_eq!((said.matches(": reproduced").count(), said.matches("its salt is lost").count()), (2, 1), "{said}");
}

#[test]
fn exact_and_noisy_counts_of_the_same_events_do_not_both_leave() {
    for first_is_private in [true, false] {
        let edit = |plan: String| if first_is_private { private(&plan, LAPLACE) } else { plan };
        let world = World::with_plan(&SITES, |plan| edit(plan.replace("every = \"month\"\n", "")));
        join(&world, SITE, &[]);
        world.agent(SITE, &["run", "--once"]).good();
        assert_eq!(released(&world.site(SITE)).len(), 1);
        let (file, text) = (world.scratch("second.toml"), plan_text(&world));
        let exact = text.replace(LAPLACE, "").replacen("admissions-1973", "admissions-again", 1);
        let second = if first_is_private { exact } else { private(&exact, LAPLACE) };
        std::fs::write(&file, second).expect("writes");
        world.aggregator(&["plan", "publish", &file.to_string_lossy()]).good();
        world.agent(SITE, &["plan", "accept", "admissions-again"]).good();
        let said = world.agent(SITE, &["run", "--once"]).good().err;
        let how = if first_is_private { "with noise" } else { "without noise" };
        assert!(said.contains(&format!("plan admissions-1973 released some of the same events {how}")), "{said}");
        assert_eq!(released(&world.site(SITE)).len(), 1, "it abstained");
    }
}

fn plan_text(world: &World) -> String {
    std::fs::read_to_string(world.scratch("admissions").join("plan.toml")).expect("reads")
}

#[test]
fn of_each_person_so_many_events_count() {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    let plan = private(LOANS_PLAN, &LAPLACE.replace("subject = 1", "subject = 2").replace("\"1\"", "\"100\""));
    desk.publish(&plan);
    let event = |n: usize| {
        json!({
            "contract": "loans", "event_id": format!("e-{n}"), "occurred_at": "2026-05-04T10:00:00Z",
            "model_version": "v1", "decision": "grant", "score": 0.75, "attributes": {"sex": "female"},
            "subject": if n < 7 { json!("anna") } else { Value::Null },
        })
    };
    let events: Vec<Value> = (0..200).map(event).collect();
    desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&events));
    desk.stop();
    budget(&desk.home(), &BUDGET.replace("\"4\"", "\"100\""));
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    // Scale 2 x 2 / 100: mostly no noise at all, so that the count is seen: 193 without a subject, two of Anna's seven.
    let (_, text) = released(&desk.home()).remove(0);
    assert!(text.events.abs_diff(195) <= 1, "{}", text.events);
    assert_eq!(status(&desk.world, SITE)["periods"][0]["left_out"], 5);
    let scale = text.noise.expect("noise").scale;
    assert_eq!((scale.numerator, scale.denominator), (1, 25));
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();

    // A contract with labels, scores and features: all that leaves is in the schemas, and verified.
    let out = desk.world.scratch("report");
    desk.world.aggregator(&["report", "build", "loans-may", "--out", &out.to_string_lossy()]).good();
    let said = verifier(&[&out.join("bundle.zip")], &out.join("trust.json"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("; counts with noise"), "{said:?}");
    let release = desk.world.scratch("release.json");
    std::fs::write(&release, &released(&desk.home()).remove(0).0.artifact).expect("writes");
    for (schema, document) in [("release", release), ("report", out.join("report.json"))] {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../schemas/{schema}.schema.json"));
        let answer = python("tests/foreign/validate_schema.py", &[&schema, &document]);
        assert!(answer.content, "{}", answer.said);
    }
    let page = std::fs::read_to_string(out.join("report.html")).expect("reads");
    assert!(page.contains("too few events beside the noise"), "nobody is of the groups other and unknown");
}

#[test]
fn a_crash_between_paying_and_signing_is_paid_once() {
    let world = World::with_plan(&SITES, |plan| private(&plan, LAPLACE).replace("every = \"month\"\n", ""));
    join(&world, SITE, &[]);
    {
        let mut site = Site::open(Home::open(&world.site(SITE)).expect("a home")).expect("opens");
        let (plan, published) = site.plan_named(&world.plan()).expect("the plan");
        let window = published.plan.all_windows()[0];
        let cost = cost(&published.plan).expect("noise");
        // Paid for with noise of counts that were other then; nothing was signed.
        let (model, noise) = ("ucb-graduate-admission".to_owned(), vec![7; 45]);
        let entry = LedgerEntry::Spent { plan, window, model, cost, left_out: 0, noise };
        site.journal.append(&[entry], &mut site.rng).expect("written");
    }
    budget(&world.site(SITE), &BUDGET.replace("\"4\"", "\"1\""));
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(released(&world.site(SITE)).len(), 1);
    let spent = status(&world, SITE);
    assert_eq!(spent["periods"].as_array().map(Vec::len), Some(1), "{spent}");
    assert_eq!((&spent["periods"][0]["spent"], &spent["periods"][0]["releases"]), (&json!("1"), &json!(1)));
    world.agent(SITE, &["journal", "reproduce", "all"]).good();
}

#[test]
fn two_plans_with_noise_share_the_budget() {
    let world = World::with_plan(&SITES, |plan| private(&plan, LAPLACE).replace("every = \"month\"\n", ""));
    join(&world, SITE, &[]);
    world.agent(SITE, &["run", "--once"]).good();
    let text = plan_text(&world);
    for (number, epsilon) in [("second", "2"), ("third", "1.5")] {
        let file = world.scratch(&format!("{number}.toml"));
        let plan =
            text.replacen("admissions-1973", number, 1).replace("epsilon = \"1\"", &format!("epsilon = \"{epsilon}\""));
        std::fs::write(&file, plan).expect("writes");
        world.aggregator(&["plan", "publish", &file.to_string_lossy()]).good();
        world.agent(SITE, &["plan", "accept", number]).good();
        // Without its key a window waits, and the site goes on.
        let (key, kept) = (world.site(SITE).join("noise.key"), world.scratch("noise.key"));
        std::fs::rename(&key, &kept).expect("moves");
        let said = world.agent(SITE, &["run", "--once"]).good();
        assert!(said.err.contains("noise.key is missing"), "{said:?}");
        assert!(!world.agent(SITE, &["release", "list"]).good().out.contains(number));
        std::fs::rename(&kept, &key).expect("moves");
        world.agent(SITE, &["run", "--once"]).good();
    }
    let listed = world.agent(SITE, &["release", "list"]).good().out;
    let kinds = |plan: &str| listed.lines().filter(|line| line.starts_with(plan)).collect::<Vec<_>>();
    assert!(kinds("second")[0].contains("release 0") && kinds("third")[0].contains("abstention 0"), "{listed}");
    assert_eq!(status(&world, SITE)["periods"][0]["spent"], "3");
}
