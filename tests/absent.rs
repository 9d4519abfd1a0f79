//! Releases that are not there, or not the last word: by real programs, with the verifier's first line and exit code.

use fedaudit_agent::outbox::Outbox;
use fedaudit_core::fault::Blame;
use fedaudit_core::key::PublicKey;
use fedaudit_core::parcel::{self, Content};
use fedaudit_core::report::Use;
use fedaudit_link::protocol::Request;
use fedaudit_tests::absent::{self, JANUARY, MARCH, abstain, amend, import, late, waive};
use fedaudit_tests::client::{Client, hello, key};
use fedaudit_tests::evidence::{Evidence, judge};
use fedaudit_tests::forge::{Forger, Signed, envelope, payload};
use fedaudit_tests::world::World;
use serde_json::{Value, json};

#[track_caller]
fn verified(evidence: &Evidence, code: i32, first_line: &str) {
    let verdict = judge(&evidence.bytes, &evidence.trust);
    // The data are of 1973, the plan is of today; small counts are hidden.
    let said = verdict.first_line.split("; retrospective: ").next();
    assert_eq!((verdict.code, said), (code, Some(first_line)), "{verdict:#?}");
}

#[test]
fn a_missing_site_is_undecidable_until_it_abstains_or_is_waived() {
    let world = World::new(&["dept-a", "dept-b", "dept-c", "dept-f"]);
    world.ship("dept-a");
    world.enrol("dept-b");
    builds(&world, Some("1 of 3 required sites: a verifier will call it undecidable; missing: dept-b, dept-c"));
    verified(&Evidence::of(&world), 2, "undecidable: admissions-1973 v1, 1 of 3 sites (2 missing)");
    abstain(&world, "dept-b", "all");
    verified(&Evidence::of(&world), 2, "undecidable: admissions-1973 v1, 1 of 3 sites (2 missing)");
    world.agent("dept-b", &["run", "--once"]).good();
    builds(&world, Some("2 of 3 required sites: a verifier will call it undecidable; missing: dept-c"));
    let evidence = Evidence::of(&world);
    verified(&evidence, 2, "undecidable: admissions-1973 v1, 1 of 3 sites (1 abstained, 1 missing)");
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert!(verdict.is(2, "required-sites", "dept-c").found.starts_with("0; none for 1973-01-01"));
    waive(&world, "dept-c").good();
    builds(&world, None);
    let evidence = Evidence::of(&world);
    verified(&evidence, 0, "verified: admissions-1973 v1, 1 of 3 sites (1 abstained, 1 waived)");
    let report = evidence.figures();
    assert_eq!((report.abstentions.len(), report.waivers.len(), report.waivers[0].windows.len()), (6, 1, 6));
    assert_eq!((report.sites[1].abstained.len(), report.sites[2].waived.len()), (6, 6));
    let page = String::from_utf8(evidence.bundle().report_html).expect("text");
    assert!(
        page.contains("the records burnt")
            && page.contains("it closed down")
            && page.contains("(1 abstained, 1 waived)")
    );
    // Once is enough: nothing is signed again.
    let logs = world.logs();
    abstain(&world, "dept-b", "all");
    world.agent("dept-b", &["run", "--once"]).good();
    assert!(waive(&world, "dept-c").good().out.contains("0 windows waived"));
    assert_eq!(world.logs(), logs);
    left_out(&evidence);
}

/// What building the report says of required sites that are missing.
#[track_caller]
fn builds(world: &World, missing: Option<&str>) {
    let out = world.scratch("built").to_string_lossy().into_owned();
    let said = world.aggregator(&["report", "build", world.plan().as_str(), "--out", &out]).good();
    assert_eq!(said.out.lines().find(|line| line.contains("required sites")), missing, "{said:?}");
}

/// An abstention that is taken from the bundle is missed, whoever signs the log again.
fn left_out(evidence: &Evidence) {
    let without = |keep: fn(usize) -> bool, signed: bool| {
        evidence.altered(|bundle| {
            let mut abstained = 0;
            bundle.plan.entries.retain(|entry| {
                let abstention = !payload(entry)["predicate"]["claim"]["abstention"].is_null();
                abstained += usize::from(abstention);
                !abstention || keep(abstained)
            });
            if signed {
                evidence.sign_plan_log(bundle);
            }
        })
    };
    without(|nth| nth != 1, false).is(1, "plan-log", "plan/entries");
    assert!(without(|nth| nth != 1, true).is(1, "abstention", "plan/entries/").found.starts_with("sequence: "));
    // The last of them: the report says more than the log, and stands at another place of it.
    without(|nth| nth != 6, true).is(1, "report-logged", "report.dsse.json");
}

#[test]
fn a_site_may_change_its_mind_and_not_the_past() {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    world.ship("dept-a");
    let plan = world.plan().to_string();
    let abstained = ["plan", "abstain", &plan, "--window", JANUARY, "--reason", "too late"];
    world.agent("dept-a", &abstained).fault("operator", &[JANUARY, "has a release already"]);
    let other = ["plan", "abstain", &plan, "--window", "1973-01-01T00:00:00Z/1973-01-02T00:00:00Z", "--reason", "x"];
    world.agent("dept-a", &other).fault("operator", &["is no window of plan admissions-1973", JANUARY]);
    world.enrol("dept-b");
    abstain(&world, "dept-b", MARCH);
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| of.as_str() == "dept-b").expect("data");
    import(&world, "dept-b", file);
    world.agent("dept-b", &["run", "--once"]).good();
    verified(&Evidence::of(&world), 0, "verified: admissions-1973 v1, 1 of 2 sites (1 abstained)");
    let withdraw = ["plan", "withdraw", &plan, "--window", MARCH];
    world.agent("dept-b", &withdraw).good();
    world.agent("dept-b", &withdraw).fault("operator", &["no abstention holds"]);
    world.agent("dept-b", &["run", "--once"]).good();
    let evidence = Evidence::of(&world);
    verified(&evidence, 0, "verified: admissions-1973 v1, 2 of 2 sites");
    // Both stay visible: the release that came after all is the last of its site.
    let report = evidence.figures();
    assert_eq!(report.abstentions[0].released, report.releases.last().map(|row| row.index));
    let refused = [("dept-c", "does not require site dept-c"), ("dept-x", "does not require site dept-x")];
    for (site, what) in refused {
        waive(&world, site).fault("operator", &[what]);
    }
}

#[test]
fn a_window_that_one_site_lacks_is_undecidable() {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    world.enrol("dept-b");
    world.ship("dept-a");
    let client = Client::of_site(&world, "dept-b");
    assert!(client.ask(&hello("dept-b")).is_ok());
    let forger = Forger::new(&world, "dept-b", "dept-a");
    let mut last = None;
    for (number, nth) in [0, 1, 3, 4, 5].into_iter().enumerate() {
        let signed = forger.release(nth, last.as_ref(), |draft| draft.claim["sequence"] = json!(number));
        client.received(&signed);
        last = Some(signed);
    }
    let evidence = Evidence::of(&world);
    verified(&evidence, 2, "undecidable: admissions-1973 v1, 1 of 2 sites (1 missing)");
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!(verdict.is(2, "required-sites", "dept-b").found, format!("5; none for {MARCH}"));
    assert_eq!(evidence.figures().sites[1].missing[0].to_string(), MARCH);
    let args = ["waiver", "admissions-1973", "dept-b", "--window", MARCH, "--reason", "a strike"];
    world.aggregator(&args).good();
    verified(&Evidence::of(&world), 0, "verified: admissions-1973 v1, 1 of 2 sites (1 waived)");
}

#[test]
fn an_amendment_counts_from_the_next_report_on() {
    let world = absent::world();
    late(&world, 12);
    waive(&world, "dept-b").good();
    waive(&world, "dept-c").good();
    let before = Evidence::of(&world);
    let number: u64 =
        amend(&world, "dept-a").good().out.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    assert_eq!(number, 6, "after the six windows");
    let listed: Value =
        serde_json::from_str(&world.agent("dept-a", &["release", "list", "--json"]).good().out).expect("JSON");
    let said = |nth: usize| {
        (listed[nth]["amended_by"].clone(), listed[nth]["amends"].clone(), listed[nth]["received"].clone())
    };
    assert_eq!((said(0), said(6)), ((json!(6), Value::Null, json!(true)), (Value::Null, json!(0), json!(false))));
    world.agent("dept-a", &["run", "--once"]).good();
    // The same bytes again would tell nothing new, and are not signed.
    amend(&world, "dept-a").fault("operator", &["nothing that is released", "would change"]);
    let after = Evidence::of(&world);
    let first_line = "verified: admissions-1973 v1, 1 of 3 sites (2 waived)";
    verified(&before, 0, first_line);
    verified(&after, 0, first_line);
    let (old, new) = (before.figures(), after.figures());
    assert_eq!((old.sites[0].events, new.sites[0].events), (933 - 12, 933));
    let row = new.releases.last().expect("the amendment");
    assert_eq!((&row.used, row.amends.as_deref()), (&Use::Used, Some("a drawer was overlooked")));
    assert_eq!((old.releases[0].used.clone(), new.releases[0].used.clone()), (Use::Used, Use::AmendedBy(row.index)));
    // The older report with the log as it is now: what came after its cut changes nothing.
    let verdict = before.altered(|bundle| bundle.plan = after.bundle().plan);
    assert_eq!((verdict.code, verdict.first()), (0, None), "{verdict:#?}");
}

#[test]
fn an_amendment_that_shows_a_few_is_refused() {
    let world = absent::world();
    late(&world, 9);
    let logs = world.logs();
    amend(&world, "dept-a")
        .fault("operator", &["9 events come in", "at least k = 10", "by subtraction from release 0"]);
    world.agent("dept-a", &["run", "--once"]).good();
    assert_eq!(world.logs(), logs, "nothing was signed");
    // One at a time they would add up to the same.
    let (plan, none) = (world.plan().to_string(), "1973-01-01T00:00:00Z/1973-07-01T00:00:00Z");
    let args = ["release", "amend", &plan, "--window", none, "--reason", "x"];
    world.agent("dept-a", &args).fault("operator", &["is no window of plan"]);
    let blank = ["release", "amend", &plan, "--window", JANUARY, "--reason", " "];
    world.agent("dept-a", &blank).fault("operator", &["`reason`"]);
}

#[test]
fn an_abstention_speaks_for_its_signer_only() {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    world.ship("dept-a");
    world.enrol("dept-b");
    abstain(&world, "dept-b", MARCH);
    let outbox = Outbox::open(&world.site("dept-b")).and_then(|outbox| outbox.releases());
    let outbox = outbox.expect("an outbox");
    let good = Signed::from(&outbox[0]);
    let [a, b] = ["dept-a", "dept-b"].map(|site| Client::of_site(&world, site));
    let forged = |site: &str, usage: &str, edit: fn(&mut Value)| {
        let mut statement = payload(&good.envelope);
        edit(&mut statement["predicate"]["claim"]["abstention"]);
        let key = key(&world, site, usage);
        let keyid = PublicKey::of(&key).id();
        let envelope = envelope(statement.to_string().as_bytes(), &key, keyid);
        Signed { envelope, artifact: good.artifact.clone() }
    };
    let refused = |client: &Client, signed: &Signed, check: &str| {
        let request = Request::Submit(Box::new(signed.submission()));
        client.refused(&world, &request, Blame::Site, check).refusal.to_string()
    };
    assert!(refused(&b, &forged("dept-a", "attest", |_| {}), "signer").contains("dept-a"));
    refused(&b, &forged("dept-b", "note", |_| {}), "signer");
    refused(&a, &good, "signer");
    refused(
        &b,
        &forged("dept-b", "attest", |claim| {
            claim["window"] = json!({ "start": "1973-01-01T00:00:00Z", "end": "1973-02-01T00:00:00Z" })
        }),
        "abstention",
    );
    refused(&b, &forged("dept-b", "attest", |claim| claim["sequence"] = json!(1)), "sequence");
    let other = Signed { artifact: b"{}".to_vec(), ..good.clone() };
    refused(&b, &other, "artifact");
    assert_eq!(b.received(&good), 6);
    assert_eq!(b.received(&good), 6, "the same receipt");
    // Another one for the window contradicts it.
    let again = forged("dept-b", "attest", |claim| claim["sequence"] = json!(1));
    refused(&b, &again, "window");
}

#[test]
fn nothing_of_a_plan_leaves_after_the_steward_refused_it() {
    let world = absent::world();
    late(&world, 12);
    let plan = world.plan().to_string();
    let refuse = |site: &str| world.agent(site, &["plan", "refuse", &plan, "--reason", "a complaint"]).good();
    let accept = || world.agent("dept-a", &["plan", "accept", &plan]).good();
    let ship = || world.agent("dept-a", &["run", "--once"]).good();
    refuse("dept-a");
    let logs = world.logs();
    let said = amend(&world, "dept-a").fault("operator", &["refused plan", "a complaint"]);
    assert!(said.err.contains(&format!("plan accept {plan}")), "{said:?}");
    accept();
    amend(&world, "dept-a").good();
    // Signed, but not sent when the plan is refused: neither over the network nor by file.
    let said = refuse("dept-a");
    assert!(said.out.contains("1 that are signed are held"), "{said:?}");
    assert!(ship().out.contains("stopped: 6 of 7 releases received; 1 that are signed are held"));
    let file = world.scratch("outbox");
    let said = world.agent("dept-a", &["outbox", "export", &file.to_string_lossy()]).good();
    assert!(said.out.starts_with("0 releases and a heartbeat in ") && said.out.contains("1 held"), "{said:?}");
    let parcel = parcel::read(&std::fs::read(&file).expect("reads")).expect("a parcel");
    let Content::Outbox(outbox) = &parcel.content else { panic!("an outbox") };
    assert!(outbox.releases.is_empty(), "{said:?}");
    assert_eq!(world.logs(), logs, "nothing left");
    for command in [&["outbox", "list"][..], &["status"], &["release", "list"]] {
        for (json, held) in [(&[][..], "\theld"), (&["--json"], "\"state\":\"held\"")] {
            let said = world.agent("dept-a", &[command, json].concat()).good();
            assert_eq!(said.out.matches(held).count(), 1, "{command:?}: {said:?}");
            assert_eq!(said.out.matches("this site refused the plan: a complaint").count(), 1, "{command:?}: {said:?}");
        }
    }
    accept();
    ship();
    assert_ne!(world.logs(), logs, "it went");
    let said = world.agent("dept-a", &["outbox", "list"]).good();
    assert_eq!(said.out.matches("\treceived\t").count(), 7, "{said:?}");
    // That there will be no answer may be said of a plan that is refused.
    world.enrol("dept-b");
    refuse("dept-b");
    abstain(&world, "dept-b", MARCH);
    world.agent("dept-b", &["run", "--once"]).good();
    let said = world.agent("dept-b", &["outbox", "list"]).good();
    assert_eq!(said.out.matches("\treceived\t").count(), 1, "{said:?}");
}
