//! Reports that do not name what a site logged, found by the site's agent: by real programs, with the verifier's lines.

use ed25519_dalek::SigningKey;
use fedaudit_agent::drive;
use fedaudit_agent::outbox::{Outbox, Outgoing};
use fedaudit_agent::ship::{Shipper, Step};
use fedaudit_agent::site::Site;
use fedaudit_aggregator::centre::Centre;
use fedaudit_aggregator::checked::Checked;
use fedaudit_aggregator::home::Home;
use fedaudit_aggregator::intake::Book;
use fedaudit_core::codec;
use fedaudit_core::dispute::{Dispute, DisputeText, FORMAT, What, attest_dispute};
use fedaudit_core::envelope::{Attestation, Head, ReportClaim};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_core::render;
use fedaudit_core::report::{self, Input, METHOD, Report, Use};
use fedaudit_core::time::Time;
use fedaudit_core::verify::VerifiedRelease;
use fedaudit_link::home::{load_key, now};
use fedaudit_link::protocol::{Request, Response, Submission};
use fedaudit_tests::client::{Client, hello};
use fedaudit_tests::evidence::{Evidence, judge};
use fedaudit_tests::world::{World, copy, name, restore};
use rusqlite::Connection;
use serde_json::Value;

fn world() -> World {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    world.ship("dept-a");
    world.ship("dept-b");
    world
}

/// Logs a report by the aggregator's own keys which is not what follows from its log.
fn forged(world: &World, keep: impl Fn(&VerifiedRelease) -> bool, edit: impl Fn(&mut Report)) -> (u64, Attestation) {
    let mut centre = Centre::open(Home::open(&world.home()).expect("a home")).expect("a centre");
    let lock = centre.lock().expect("the lock");
    let (digest, _, published) = centre.registry().plan_named(&world.plan()).expect("is published");
    let windows = published.plan.windows_before(now());
    let log = centre.plan(&digest).expect("has a log");
    let releases: Vec<_> = log.releases.iter().filter(|(_, release)| keep(release)).cloned().collect();
    let log_size = log.log.size();
    let input = Input {
        registry: centre.registry(),
        plan: digest,
        windows: &windows,
        log_size,
        releases: &releases,
        abstentions: &log.abstentions,
        disputes: &log.disputes,
        reports: &log.reports,
    };
    let mut report = report::compile(&input).expect("compiles");
    edit(&mut report);
    let (number, supersedes) = log.state.next_report(&windows);
    let registry_size = centre.registry().size();
    let method = METHOD.to_owned();
    let claim = ReportClaim { plan: digest, windows, log_size, registry_size, method, number, supersedes };
    let head = Head {
        federation: report.federation.clone(),
        issued_at: Time(0),
        seen: centre.registry().seen(),
        replaces: None,
    };
    let (json, html) = (codec::to_json(&report).expect("encodes"), render::html(&report).into_bytes());
    let key = centre.home.key(KeyUse::Attest).expect("a key");
    let attestation = report::attest(json, html, claim, head, &key).expect("signs");
    let checked = Checked::report(&attestation.envelope, centre.registry()).expect("passes");
    let index = centre.stage(Book::Plan(digest), &attestation, checked).expect("is next");
    centre.commit(&lock).expect("appends");
    (index, attestation)
}

/// What the site's agent found of each report.
fn found(world: &World, site: &str) -> Vec<String> {
    let said = world.agent(site, &["report", "list", "--json"]).good();
    let rows: Value = serde_json::from_str(&said.out).expect("JSON");
    rows.as_array().expect("rows").iter().map(|row| row["found"].as_str().expect("text").to_owned()).collect()
}

fn documents(evidence: &Evidence) -> usize {
    evidence.bundle().plan.entries.len()
}

#[test]
fn honest_reports_are_numbered_and_found_complete() {
    let world = world();
    let first = Evidence::of(&world);
    let second = Evidence::of(&world);
    let envelope = Digest::of(&first.bundle().report_envelope);
    assert_eq!((first.claim().number, first.claim().supersedes), (0, None));
    assert_eq!((second.claim().number, second.claim().supersedes), (1, Some(envelope)));
    for site in ["dept-a", "dept-b"] {
        assert!(world.agent(site, &["run", "--once"]).good().out.contains("all 6 releases received"));
        assert_eq!(found(&world, site), ["complete: 6 of 6 documents of this site"; 2]);
    }
    assert_eq!(documents(&Evidence::of(&world)), documents(&second) + 1, "nobody disputes");
    let listed = world.aggregator(&["report", "list"]).good().out;
    let numbered = format!("\tnumber 1, supersedes {}\n", envelope.short());
    assert!(listed.contains("\tnumber 0\n") && listed.contains(&numbered), "{listed}");
    let verdict = judge(&second.bytes, &second.trust);
    assert_eq!(verdict.code, 0, "{verdict:#?}");
    let line = verdict.checks.iter().find(|check| check.check == "report-number").expect("a line");
    assert_eq!(line.found, format!("number 1 over its windows; it supersedes {}", envelope.short()));
    assert!(!verdict.checks.iter().any(|check| check.check.starts_with("dispute")), "{verdict:#?}");
}

#[test]
fn a_report_with_another_number_is_refuted() {
    let world = world();
    Evidence::of(&world);
    let evidence = Evidence::of(&world);
    let with = |edit: fn(&mut ReportClaim)| {
        evidence.altered(|bundle| {
            let mut claim = evidence.claim();
            edit(&mut claim);
            evidence.forge_report(bundle, &evidence.figures(), claim);
        })
    };
    with(|claim| claim.number = 2).is(1, "report-number", "plan/entries/");
    with(|claim| claim.number = 0).is(1, "report-number", "plan/entries/");
    with(|claim| claim.supersedes = None).is(1, "report-number", "plan/entries/");
}

#[test]
fn a_release_that_a_report_drops_is_disputed() {
    let world = world();
    let dropped =
        |release: &VerifiedRelease| release.claim().site.as_str() == "dept-a" && release.claim().sequence == 2;
    let (index, report) = forged(&world, |release| !dropped(release), |_| {});
    let said = world.agent("dept-a", &["run", "--once"]).good();
    assert!(said.out.contains("all 7 documents received"), "{said:?}");
    let [window] = &found(&world, "dept-a")[..] else { panic!("one report") };
    let told =
        "disputed: 1 of 6 documents of this site; the release of 1973-03-01T00:00:00Z/1973-04-01T00:00:00Z is missing";
    assert_eq!(window, told);
    assert_eq!(found(&world, "dept-b"), ["complete: 6 of 6 documents of this site"]);
    assert!(world.aggregator(&["report", "list"]).good().out.contains("\tdisputed by dept-a\n"));
    // Once: neither the agent nor the report that comes next makes another of it.
    world.agent("dept-a", &["run", "--once"]).good();
    let evidence = Evidence::of(&world);
    assert_eq!(documents(&evidence) as u64, index + 3, "the report, one dispute, the next report");
    let row = &evidence.figures().disputes[..];
    assert_eq!((row.len(), row[0].site.as_str(), row[0].what, row[0].superseded), (1, "dept-a", What::Missing, true));
    assert_eq!(row[0].report, Digest::of(&report.envelope));
    assert!(String::from_utf8(evidence.bundle().report_html).expect("text").contains("Disputes in the plan"));
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!(verdict.code, 0, "{verdict:#?}");
    assert!(verdict.first_line.contains("; an earlier report disputed by 1 site"), "{}", verdict.first_line);
    let line = verdict.checks.iter().find(|check| check.check == "dispute-before").expect("a line");
    assert_eq!((line.subject.as_str(), line.outcome.as_str()), ("dept-a", "pass"));
    assert!(line.found.ends_with("the log bears it out: that report is refuted, this one is another"), "{line:?}");
    // The report that was disputed, in a bundle that reaches beyond it.
    let refuted = evidence.altered(|bundle| {
        bundle.plan.entries.truncate(index as usize + 2);
        bundle.report_envelope = report.envelope.clone();
        [bundle.report_json, bundle.report_html] = [report.artifacts[0].clone(), report.artifacts[1].clone()];
        evidence.sign_plan_log(bundle);
    });
    assert_eq!(refuted.is(1, "dispute", "dept-a").outcome, "fail");
    assert!(refuted.first_line.contains("; disputed by 1 site"), "{}", refuted.first_line);
    // Without the file of the earlier report nobody can tell, and this one is as good as before.
    let without = evidence.altered(|bundle| {
        bundle.plan.artifacts.remove(&Digest::of(&report.artifacts[0]));
    });
    let line = without.checks.iter().find(|check| check.check == "dispute-before").expect("a line");
    assert!(without.code == 0 && line.found.ends_with("that report is not in this bundle"), "{without:#?}");
}

#[test]
fn a_release_that_is_named_as_another_or_not_used_is_disputed() {
    let world = world();
    let edit = |report: &mut Report| {
        let mut own: Vec<_> = report.releases.iter_mut().filter(|row| row.site.as_str() == "dept-a").collect();
        own[0].artifact = Digest([0; 32]);
        own[1].used = Use::OtherWindow;
    };
    forged(&world, |_| true, edit);
    world.agent("dept-a", &["run", "--once"]).good();
    let evidence = Evidence::of(&world);
    let what: Vec<_> = evidence.figures().disputes.iter().map(|row| row.what).collect();
    assert_eq!(what, [What::Altered, What::Unused]);
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!(verdict.code, 0, "{verdict:#?}");
    assert_eq!(verdict.checks.iter().filter(|check| check.check == "dispute-before").count(), 2);
    assert!(verdict.first_line.contains("; an earlier report disputed by 1 site"), "{}", verdict.first_line);
}

#[test]
fn a_restored_home_is_given_back_what_it_disputed() {
    let world = world();
    let older = world.scratch("older");
    copy(&world.site("dept-a"), &older);
    // As a backup, which holds no fence.
    std::fs::remove_file(older.join("fence.json")).expect("removes");
    let own = |release: &VerifiedRelease| release.claim().site.as_str() == "dept-a";
    let dropped = |release: &VerifiedRelease| own(release) && release.claim().sequence == 2;
    forged(&world, |release| !dropped(release), |_| {});
    world.agent("dept-a", &["run", "--once"]).good();
    let logs = world.logs();
    restore(&older, &world.site("dept-a"));
    let said = world.agent("dept-a", &["run", "--once"]).good();
    assert!(said.out.contains("all 7 documents received"), "{said:?}");
    assert_eq!(world.logs(), logs, "the report is compared again, and nothing is signed again");
    assert_eq!(found(&world, "dept-a").len(), 1);
    world.agent("dept-a", &["journal", "verify"]).good();
    // The next number is one that was never used.
    forged(&world, |release| !dropped(release), |_| {});
    let said = world.agent("dept-a", &["run", "--once"]).good();
    assert!(said.out.contains("all 8 documents received"), "{said:?}");
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out, "", "nothing is held against it");
}

/// Takes the steps of a site's link until it waits, or cannot go on; the faults.
fn steps(site: &mut Site, shipper: &mut Shipper, client: &Client) -> Vec<Fault> {
    let mut faults = Vec::new();
    loop {
        match drive::next(site, shipper, now()).expect("reads") {
            Step::Connect => shipper.up(),
            Step::Wait(_) | Step::Halt(_) => return faults,
            step => {
                let ask = drive::ask(site, shipper, step).expect("asks").expect("something to send");
                let response = client.frame(&ask.frame).expect("an answer");
                faults.extend(drive::hear(site, shipper, &ask, response, now(), 0.0).err());
            }
        }
    }
}

#[test]
fn a_report_that_could_not_be_compared_is_not_passed_over() {
    let world = world();
    let dropped =
        |release: &VerifiedRelease| release.claim().site.as_str() == "dept-a" && release.claim().sequence == 2;
    forged(&world, |release| !dropped(release), |_| {});
    Evidence::of(&world);
    let mut site = Site::open(fedaudit_agent::home::Home::open(&world.site("dept-a")).expect("a home")).expect("opens");
    let (mut shipper, client) = (drive::shipper(&site).expect("a shipper"), Client::of_site(&world, "dept-a"));
    let disk = Connection::open(world.site("dept-a").join("outbox.sqlite")).expect("opens");
    let fails = "CREATE TRIGGER fails BEFORE INSERT ON release BEGIN SELECT RAISE(FAIL, 'the disk fails'); END";
    disk.execute_batch(fails).expect("a trigger");
    let faults = steps(&mut site, &mut shipper, &client);
    assert!(faults.len() == 1 && faults[0].what.contains("the disk fails"), "{faults:?}");
    assert_eq!(site.outbox.compared().expect("reads"), [], "the report behind it waits");
    disk.execute_batch("DROP TRIGGER fails").expect("drops");
    drop(site);
    world.agent("dept-a", &["run", "--once"]).good();
    assert_eq!(found(&world, "dept-a").iter().filter(|found| found.starts_with("disputed: 1 of 6")).count(), 1);
}

#[test]
fn a_dispute_whose_key_was_lost_is_signed_anew() {
    let world = world();
    let dropped =
        |release: &VerifiedRelease| release.claim().site.as_str() == "dept-a" && release.claim().sequence == 2;
    forged(&world, |release| !dropped(release), |_| {});
    // This reads the reports, and sends nothing.
    world.agent("dept-a", &["plan", "list"]).good();
    assert!(world.agent("dept-a", &["outbox", "list"]).good().out.contains("\t6\tready\t"));
    for usage in ["attest", "note", "transport"] {
        std::fs::remove_file(world.site("dept-a").join(format!("keys/{usage}.key"))).expect("removes");
    }
    let token = world.aggregator(&["site", "add", "dept-a"]).good().out;
    world.agent("dept-a", &["join", token.trim(), "--new-keys"]).good();
    world.aggregator(&["site", "approve", "dept-a"]).good();
    let said = world.agent("dept-a", &["run", "--once"]).good();
    assert!(said.err.contains("its report is compared anew"), "{said:?}");
    assert!(said.out.contains("all 7 documents received"), "{said:?}");
    assert!(world.aggregator(&["report", "list"]).good().out.contains("\tdisputed by dept-a\n"));
    assert_eq!(found(&world, "dept-a").len(), 1);
    world.agent("dept-a", &["journal", "verify"]).good();
}

/// A dispute by dept-a about a document of it, for its own agent to sign or not.
struct Disputed {
    head: Head,
    key: SigningKey,
    text: DisputeText,
    sequence: u64,
    previous: Digest,
}

impl Disputed {
    fn submission(&self, edit: impl FnOnce(&mut DisputeText)) -> Request {
        let mut text = self.text.clone();
        edit(&mut text);
        let dispute = Dispute::new(text).expect("a dispute");
        let signed =
            attest_dispute(&dispute, self.head.clone(), self.sequence, Some(self.previous), &self.key).expect("signs");
        let [artifact] = &signed.artifacts[..] else { panic!("one artifact") };
        let (envelope, artifact) = (signed.envelope, artifact.clone());
        Request::Submit(Box::new(Submission { envelope, artifact, journal: Vec::new(), plan_seen: 0 }))
    }
}

#[test]
fn a_dispute_without_ground_is_logged_and_said_to_be_one() {
    let world = world();
    let evidence = Evidence::of(&world);
    let own = Outbox::open(&world.site("dept-a")).expect("opens").releases().expect("reads");
    let other = Outbox::open(&world.site("dept-b")).expect("opens").releases().expect("reads");
    let of = |one: &Outgoing| DisputeText {
        format: FORMAT,
        site: name("dept-a"),
        plan: one.plan,
        report: Digest::of(&evidence.bundle().report_envelope),
        release: Digest::of(&one.envelope),
        window: one.window,
        what: What::Missing,
        receipt: one.answer.clone().expect("a receipt"),
    };
    let key = load_key(&world.site("dept-a").join("keys/attest.key")).expect("a key");
    let mut disputed =
        Disputed { head: evidence.head(), key, text: of(&own[0]), sequence: 6, previous: Digest::of(&own[5].envelope) };
    let client = Client::of_site(&world, "dept-a");
    assert!(client.ask(&hello("dept-a")).is_ok());
    let refused = |request: &Request| match client.ask(request) {
        Ok(Response::Refused(refused)) => refused.refusal.check,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&disputed.submission(|text| text.report = Digest([1; 32]))), "dispute");
    assert_eq!(refused(&disputed.submission(|text| *text = of(&other[0]))), "dispute");
    assert_eq!(refused(&disputed.submission(|text| text.receipt = of(&own[1]).receipt)), "dispute");
    assert_eq!(refused(&disputed.submission(|text| text.receipt = "none".to_owned())), "dispute");
    // Signed by the log key, but of no log that there is yet; or with a line that another key may explain one day.
    let mut proof = LogProof::parse(&own[0].answer.clone().expect("a receipt")).expect("a proof");
    let mut receipt = Checkpoint::claimed(&proof.checkpoint).expect("a checkpoint");
    let stranger = receipt.sign(&SigningKey::from_bytes(&[9; 32])).expect("signs");
    proof.checkpoint += stranger.rsplit_once("\n\n").expect("a line").1;
    assert_eq!(refused(&disputed.submission(|text| text.receipt = proof.to_text())), "dispute");
    receipt.size = 1000;
    proof.checkpoint = receipt.sign(&evidence.log).expect("signs");
    assert_eq!(refused(&disputed.submission(|text| text.receipt = proof.to_text())), "dispute");
    let good = disputed.submission(|_| {});
    assert!(matches!(client.ask(&good), Ok(Response::Receipt(_))));
    let Request::Submit(sent) = &good else { panic!("a submission") };
    (disputed.sequence, disputed.previous) = (7, Digest::of(&sent.envelope));
    assert_eq!(refused(&disputed.submission(|text| text.what = What::Unused)), "dispute");
    let evidence = Evidence::of(&world);
    let verdict = judge(&evidence.bytes, &evidence.trust);
    let line = verdict.checks.iter().find(|check| check.check == "dispute-before").expect("a line");
    assert_eq!((verdict.code, line.outcome.as_str()), (0, "pass"));
    assert!(line.found.ends_with("the log does not bear it out: the report names it as it is logged"), "{line:?}");
    // In its place, one that no aggregator would have logged.
    (disputed.sequence, disputed.previous) = (6, Digest::of(&own[5].envelope));
    let Request::Submit(stray) = disputed.submission(|text| text.report = Digest([1; 32])) else { panic!("one") };
    let verdict = evidence.altered(|bundle| {
        let at = bundle.plan.entries.iter().position(|entry| *entry == sent.envelope).expect("is logged");
        bundle.plan.entries[at] = stray.envelope.clone();
        bundle.plan.artifacts.insert(Digest::of(&stray.artifact), stray.artifact.clone());
        evidence.sign_plan_log(bundle);
    });
    verdict.is(1, "dispute-entry", "plan/entries/");
}
