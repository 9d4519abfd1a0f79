//! Bundles of a real federation, altered by whoever may hold them: nothing passes, and the check that says so is the
//! one whose matter it is.

use fedaudit_core::bundle::{Bundle, pack, unpack};
use fedaudit_core::codec;
use fedaudit_core::ids::Digest;
use fedaudit_core::report::Report;
use fedaudit_core::verify::claimed_subject;
use fedaudit_tests::evidence::{Evidence, Verdict, judge, verifier};
use fedaudit_tests::forge::payload;
use fedaudit_tests::run;
use std::io::{Cursor, Write as _};
use std::sync::LazyLock;
use zip::write::SimpleFileOptions;

const SITES: [&str; 4] = ["dept-a", "dept-b", "dept-c", "dept-f"];
/// Nobody requires it.
const OPTIONAL: &str = "dept-f";

static EVIDENCE: LazyLock<Evidence> = LazyLock::new(|| Evidence::make("admissions", &SITES));
/// Another federation, which took the same name.
static NAMESAKE: LazyLock<Evidence> = LazyLock::new(|| Evidence::make("admissions", &SITES[..2]));
/// With an amendment, an abstention and a waiver in it.
static AMENDED: LazyLock<Evidence> = LazyLock::new(fedaudit_tests::absent::evidence);
static OTHER: LazyLock<Evidence> = LazyLock::new(|| Evidence::make("elsewhere", &SITES[2..]));

fn report(bundle: &Bundle) -> Report {
    codec::from_json(&bundle.report_json).expect("a report")
}

/// The site that signed an entry of the plan's log; none for the report.
fn site_of(entry: &[u8]) -> Option<String> {
    let site = &payload(entry)["predicate"]["claim"]["release"]["site"];
    site.as_str().map(str::to_owned)
}

#[test]
fn the_bundle_as_it_is_is_verified() {
    let verdict = judge(&AMENDED.bytes, &AMENDED.trust);
    assert_eq!((verdict.code, verdict.first()), (0, None), "{verdict:#?}");
    assert!(verdict.first_line.contains("2 of 4 sites (1 abstained, 1 waived)"), "{verdict:#?}");
    let verdict = judge(&EVIDENCE.bytes, &EVIDENCE.trust);
    assert_eq!((verdict.code, verdict.first()), (0, None), "{verdict:#?}");
    let names: Vec<_> = verdict.checks.iter().map(|check| check.check.as_str()).collect();
    for check in ["artifact", "registry-log", "report-signature", "plan-log", "release", "report-numbers"] {
        assert!(names.contains(&check), "{names:?}");
    }
    let repacked = pack(&unpack(&EVIDENCE.bytes).expect("a bundle")).expect("packs");
    assert_eq!(repacked, EVIDENCE.bytes, "unpacking and packing change nothing: only what a test alters does");
}

/// Drops, doubles and moves entries; with the old checkpoint, and then with one that the aggregator signs over them.
#[test]
fn entries_cannot_be_dropped_doubled_or_moved() {
    type Change = fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change); 4] = [
        ("last dropped", |entries| drop(entries.pop())),
        ("middle dropped", |entries| drop(entries.remove(1))),
        ("doubled", |entries| entries.insert(1, entries[0].clone())),
        ("moved", |entries| entries.swap(0, 1)),
    ];
    for (_, change) in changes {
        let found = EVIDENCE.altered(|bundle| change(&mut bundle.registry.entries));
        assert!(found.is(1, "registry-log", "registry/entries").found.contains("root"));
        EVIDENCE.altered(|bundle| change(&mut bundle.plan.entries)).is(1, "plan-log", "plan/entries");
    }
    let resigned = |change: Change| {
        EVIDENCE.altered(|bundle| {
            change(&mut bundle.plan.entries);
            EVIDENCE.sign_plan_log(bundle);
        })
    };
    // What a checkpoint signed anew does not heal: the report is gone, a site's sequence has a gap, a window two releases.
    resigned(changes[0].1).is(1, "report-logged", "report.dsse.json");
    let gap = resigned(changes[1].1);
    assert!(gap.is(1, "release", "plan/entries/").found.starts_with("sequence: "), "{gap:#?}");
    let twice = resigned(changes[2].1);
    assert!(twice.is(1, "release", "plan/entries/1").found.starts_with("window: "), "{twice:#?}");
    let registry = |change: Change| {
        EVIDENCE.altered(|bundle| {
            change(&mut bundle.registry.entries);
            EVIDENCE.sign_registry(bundle);
        })
    };
    // The first entry names the aggregator; the second is the contract, which no site can do without.
    // Whoever signed the next entry had seen one more than there is now.
    let seen = registry(changes[1].1);
    assert!(seen.is(2, "registry-entry", "registry/entries/1").found.starts_with("missing: "), "{seen:#?}");
    registry(changes[2].1).is(1, "registry-entry", "registry/entries/1");
}

#[test]
fn a_cut_log_with_an_old_checkpoint_lacks_the_report() {
    // The aggregator did sign these checkpoints once: signing is deterministic.
    let cut = EVIDENCE.altered(|bundle| {
        bundle.plan.entries.truncate(3);
        EVIDENCE.sign_plan_log(bundle);
    });
    cut.is(1, "report-logged", "report.dsse.json");
    // Before the last site was enrolled: a release has no known signer, or the report claims more than there is.
    let cut = EVIDENCE.altered(|bundle| {
        bundle.registry.entries.pop();
        EVIDENCE.sign_registry(bundle);
    });
    assert!(cut.is(2, "report-signature", "report.dsse.json").found.starts_with("missing: "), "{cut:#?}");
    assert!(cut.checks.iter().any(|check| check.check == "release" && check.found.starts_with("signer: ")), "{cut:#?}");
}

#[test]
fn artifacts_cannot_be_swapped_or_left_out() {
    let swapped = EVIDENCE.altered(|bundle| {
        let of = |site: &str| bundle.plan.entries.iter().find(|entry| site_of(entry).as_deref() == Some(site));
        let [a, b] = ["dept-a", "dept-b"].map(|site| claimed_subject(of(site).expect("a release")).expect("a subject"));
        let (one, two) = (bundle.plan.artifacts[&a].clone(), bundle.plan.artifacts[&b].clone());
        bundle.plan.artifacts.extend([(a, two), (b, one)]);
    });
    swapped.is(1, "artifact", "plan/artifacts/");
    let release = claimed_subject(&EVIDENCE.bundle().plan.entries[0]).expect("a subject");
    let missing = EVIDENCE.altered(|bundle| drop(bundle.plan.artifacts.remove(&release)));
    assert!(missing.is(2, "release", "plan/entries/0").found.starts_with("missing: "));
    let entry = claimed_subject(&EVIDENCE.bundle().registry.entries[1]).expect("a subject");
    let missing = EVIDENCE.altered(|bundle| drop(bundle.registry.artifacts.remove(&entry)));
    assert!(missing.is(2, "registry-entry", "registry/entries/1").found.starts_with("missing: "));
    // Another file in its place, under its own right name.
    let replaced = EVIDENCE.altered(|bundle| {
        bundle.plan.artifacts.remove(&release);
        bundle.plan.artifacts.insert(Digest::of(b"{}"), b"{}".to_vec());
    });
    replaced.is(2, "release", "plan/entries/0");
}

#[test]
fn another_federation_is_no_witness() {
    for trust in [&NAMESAKE.trust, &OTHER.trust] {
        judge(&EVIDENCE.bytes, trust).is(2, "registry-checkpoint", "registry/checkpoint");
    }
    // Its log key under our name: the registry's checkpoint is by a key that our trust does not name.
    let mut trust: serde_json::Value = serde_json::from_slice(&EVIDENCE.trust).expect("JSON");
    let other: serde_json::Value = serde_json::from_slice(&NAMESAKE.trust).expect("JSON");
    trust["governance"] = other["governance"].clone();
    judge(&EVIDENCE.bytes, trust.to_string().as_bytes()).is(2, "registry-entry", "registry/entries/0");
    for foreign in [&*NAMESAKE, &*OTHER] {
        EVIDENCE.altered(|bundle| bundle.plan = foreign.bundle().plan).is(2, "plan-checkpoint", "plan/checkpoint");
        EVIDENCE.altered(|bundle| bundle.registry = foreign.bundle().registry).is(2, "registry-checkpoint", "");
        let report = EVIDENCE.altered(|bundle| {
            let foreign = foreign.bundle();
            bundle.report_json = foreign.report_json;
            bundle.report_html = foreign.report_html;
            bundle.report_envelope = foreign.report_envelope;
        });
        assert!(report.is(2, "report-signature", "report.dsse.json").found.starts_with("signer: "));
    }
}

/// The report with one figure changed: a site released a window more than it did.
fn untrue(bundle: &Bundle) -> Report {
    let mut report = report(bundle);
    report.sites[0].events += 1;
    report
}

#[test]
fn a_changed_figure_is_refuted_whoever_signs_it() {
    let claim = EVIDENCE.claim();
    let changed = |bundle: &mut Bundle| {
        bundle.report_json = codec::to_json(&untrue(bundle)).expect("encodes");
        bundle.report_html = fedaudit_core::render::html(&report(bundle)).into_bytes();
    };
    EVIDENCE.altered(changed).is(1, "report-signature", "report.dsse.json");
    let unknown = EVIDENCE.altered(|bundle| {
        changed(bundle);
        EVIDENCE.sign_report(bundle, claim.clone(), &OTHER.attest);
    });
    assert!(unknown.is(2, "report-signature", "report.dsse.json").found.starts_with("signer: "));
    // The log's key is the aggregator's too, but not for this.
    let misused = EVIDENCE.altered(|bundle| {
        changed(bundle);
        EVIDENCE.sign_report(bundle, claim.clone(), &EVIDENCE.log);
    });
    misused.is(2, "report-signature", "report.dsse.json");
    let unlogged = EVIDENCE.altered(|bundle| {
        changed(bundle);
        EVIDENCE.sign_report(bundle, claim.clone(), &EVIDENCE.attest);
    });
    unlogged.is(1, "report-logged", "report.dsse.json");
    assert!(unlogged.checks.iter().any(|check| check.check == "report-numbers" && check.outcome == "fail"));
    let logged = EVIDENCE.altered(|bundle| EVIDENCE.forge_report(bundle, &untrue(bundle), claim.clone()));
    logged.is(1, "report-numbers", "report.json/sites/0/events");
}

#[test]
fn counts_that_no_log_can_hold_are_refuted_like_others() {
    let edits: [fn(&mut Report); 3] = [
        |report| report.sites.iter_mut().for_each(|site| site.windows_released = u64::MAX),
        |report| report.sites[0].abstained = [report.windows.clone(), report.windows.clone()].concat(),
        |report| report.sites.clear(),
    ];
    for edit in edits {
        let verdict = EVIDENCE.altered(|bundle| {
            let mut report = report(bundle);
            edit(&mut report);
            EVIDENCE.forge_report(bundle, &report, EVIDENCE.claim());
        });
        verdict.is(1, "report-numbers", "report.json/sites");
        assert!(verdict.first_line.contains("4 of 4 sites"), "what the log says, not the report: {verdict:#?}");
    }
}

#[test]
fn a_changed_page_is_refuted_whoever_signs_it() {
    let verdict = EVIDENCE.altered(|bundle| {
        EVIDENCE.forge_report(bundle, &report(bundle), EVIDENCE.claim());
        let old = bundle.report_envelope.clone();
        bundle.report_html.extend_from_slice(b"<!-- fair -->");
        EVIDENCE.sign_report(bundle, EVIDENCE.claim(), &EVIDENCE.attest);
        let entry = bundle.plan.entries.iter_mut().find(|entry| **entry == old).expect("the report is logged");
        entry.clone_from(&bundle.report_envelope);
        EVIDENCE.sign_plan_log(bundle);
    });
    verdict.is(1, "report-page", "report.html");
}

#[test]
fn forging_changes_only_what_is_forged() {
    // The control of the forgeries below: with nothing false in it, a report forged like them is verified.
    let verdict = EVIDENCE.altered(|bundle| {
        let report = EVIDENCE.report(bundle, &EVIDENCE.claim(), &EVIDENCE.releases(bundle));
        EVIDENCE.forge_report(bundle, &report, EVIDENCE.claim());
    });
    assert_eq!((verdict.code, verdict.first()), (0, None), "{verdict:#?}");
}

/// The aggregator signs all that it likes with its own keys; the releases are the sites'.
#[test]
fn a_release_left_out_of_the_report_is_refuted() {
    let without = |bundle: &Bundle, site: &str| {
        let releases = EVIDENCE.releases(bundle).into_iter();
        releases.filter(|(_, release)| release.claim().site.as_str() != site).collect::<Vec<_>>()
    };
    for site in ["dept-a", OPTIONAL] {
        let silent = EVIDENCE.altered(|bundle| {
            let report = EVIDENCE.report(bundle, &EVIDENCE.claim(), &without(bundle, site));
            EVIDENCE.forge_report(bundle, &report, EVIDENCE.claim());
        });
        silent.is(1, "report-numbers", "report.json/");
    }
    // Logged before the report, but above the size that the report admits to.
    let late = EVIDENCE.altered(|bundle| {
        bundle.plan.entries.sort_by_key(|entry| site_of(entry).map_or(2, |site| u8::from(site == OPTIONAL)));
        let mut claim = EVIDENCE.claim();
        let releases = without(bundle, OPTIONAL);
        claim.log_size = releases.len() as u64;
        let report = EVIDENCE.report(bundle, &claim, &releases);
        EVIDENCE.forge_report(bundle, &report, claim);
    });
    late.is(1, "report-logged", "report.dsse.json");
    // As of a roster in which the site is not yet.
    let early = EVIDENCE.altered(|bundle| {
        let mut claim = EVIDENCE.claim();
        claim.registry_size -= 1;
        let mut report = report(bundle);
        report.registry.size -= 1;
        EVIDENCE.forge_report(bundle, &report, claim);
    });
    assert!(early.is(1, "report-numbers", "report.json").found.starts_with("roster: "), "{early:#?}");
}

#[test]
fn a_release_left_out_of_the_log_too_leaves_the_question_open() {
    let forged = |keep: fn(usize, &str) -> bool| {
        EVIDENCE.altered(|bundle| {
            let entries = bundle.plan.entries.iter().enumerate();
            let kept = entries.filter(|(at, entry)| site_of(entry).is_none_or(|site| keep(*at, &site)));
            bundle.plan.entries = kept.map(|(_, entry)| entry.clone()).collect();
            let mut claim = EVIDENCE.claim();
            claim.log_size = bundle.plan.entries.len() as u64 - 1;
            let report = match EVIDENCE.releases(bundle) {
                releases if releases.len() < 4 => report(bundle),
                releases => EVIDENCE.report(bundle, &claim, &releases),
            };
            EVIDENCE.forge_report(bundle, &report, claim);
        })
    };
    // A required site: its releases are missing. It holds receipts that this log does not keep.
    forged(|_, site| site != "dept-b").is(2, "required-sites", "dept-b");
    // The first of a site's releases: the others say that something stood before them.
    assert!(forged(|at, _| at != 0).is(1, "release", "plan/entries/").found.starts_with("sequence: "));
}

/// The aggregator keeps a site's amendment, abstention or governance's waiver to itself, and signs all that it likes.
#[test]
fn what_replaces_a_release_cannot_be_left_out() {
    let forged = |without: &str| {
        AMENDED.altered(|bundle| {
            let claim = |entry: &[u8]| payload(entry)["predicate"]["claim"].clone();
            match without {
                "amendment" => bundle.plan.entries.retain(|entry| claim(entry)["release"]["amends"].is_null()),
                _ => bundle.plan.entries.retain(|entry| claim(entry)[without].is_null()),
            }
            bundle.registry.entries.retain(|entry| claim(entry)[without].is_null());
            AMENDED.sign_registry(bundle);
            let mut claim = AMENDED.claim();
            claim.log_size = bundle.plan.entries.len() as u64 - 1;
            claim.registry_size = bundle.registry.entries.len() as u64;
            // In sequence they follow from each other; where they do not, no report follows from them.
            let report = match without {
                "abstention" => report(bundle),
                _ => AMENDED.report(bundle, &claim, &AMENDED.releases(bundle)),
            };
            AMENDED.forge_report(bundle, &report, claim);
        })
    };
    // The last that the site said: its receipt is what tells.
    assert_eq!(
        forged("amendment").code,
        0,
        "a log that was cut before it was told of cannot be told from one that was not"
    );
    assert!(forged("abstention").is(1, "release", "plan/entries/").found.starts_with("sequence: "));
    forged("waiver").is(2, "required-sites", "dept-c");
    // The figures of the release that was replaced.
    let old = AMENDED.altered(|bundle| {
        let mut releases = AMENDED.releases(bundle);
        releases.retain(|(_, release)| release.claim().amends.is_none());
        let report = AMENDED.report(bundle, &AMENDED.claim(), &releases);
        AMENDED.forge_report(bundle, &report, AMENDED.claim());
    });
    old.is(1, "report-numbers", "report.json/");
}

#[test]
fn an_unknown_method_or_more_registry_than_there_is_cannot_be_told() {
    let with = |edit: fn(&mut fedaudit_core::envelope::ReportClaim)| {
        EVIDENCE.altered(|bundle| {
            let mut claim = EVIDENCE.claim();
            edit(&mut claim);
            EVIDENCE.forge_report(bundle, &report(bundle), claim);
        })
    };
    with(|claim| claim.method = "99".to_owned()).is(2, "report-method", "report.dsse.json");
    with(|claim| claim.registry_size += 1).is(1, "report-claim", "report.dsse.json");
    with(|claim| claim.log_size += 1).is(1, "report-logged", "report.dsse.json");
    with(|claim| claim.windows.swap(0, 1)).is(1, "report-numbers", "report.json");
    with(|claim| claim.windows.clear()).is(1, "report-numbers", "report.json");
}

#[path = "tamper/bits.rs"]
mod bits;
#[path = "tamper/collected.rs"]
mod collected;
#[path = "tamper/container.rs"]
mod container;
#[path = "tamper/figures.rs"]
mod figures;
#[path = "tamper/tool.rs"]
mod tool;
