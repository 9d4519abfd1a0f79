//! The ZIP file around the evidence, the files beside it, and exit codes.

use super::*;

fn files_of(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP file");
    let read = |at: usize| {
        let mut file = archive.by_index(at).expect("a file");
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut content).expect("reads");
        (file.name().expect("a name").into_owned(), content)
    };
    (0..EVIDENCE_FILES.len()).map(read).collect()
}

static EVIDENCE_FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let archive = zip::ZipArchive::new(Cursor::new(&EVIDENCE.bytes[..])).expect("a ZIP file");
    archive.file_names().map(|name| name.expect("a name").into_owned()).collect()
});

fn zip_of(files: &[(String, Vec<u8>)], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(path.as_str(), options).expect("starts");
        zip.write_all(bytes).expect("writes");
    }
    zip.set_comment("made anew").expect("a short comment");
    zip.finish().expect("ends").into_inner()
}

/// The bundle with one file more.
fn with(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut files = files_of(&EVIDENCE.bytes);
    files.push((path.to_owned(), bytes.to_vec()));
    zip_of(&files, SimpleFileOptions::default())
}

#[track_caller]
fn malformed(bytes: &[u8], found: &str) {
    let verdict: Verdict = judge(bytes, &EVIDENCE.trust);
    let check = verdict.is(3, "bundle", "bundle.zip");
    assert!(check.found.contains(found), "{found}: {verdict:#?}");
}

#[test]
fn zip_tricks_are_malformed() {
    let renamed = |from: &str, to: &str| {
        let mut bytes = with(from, b"{}");
        while let Some(at) = bytes.windows(from.len()).position(|window| window == from.as_bytes()) {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
        bytes
    };
    malformed(&renamed("report.jsox", "report.json"), "twice");
    malformed(&renamed("plan/checkpoinx", "plan/checkpoint"), "twice");
    malformed(&renamed("keys/governance-1.pex", "keys/governance-1.pem"), "twice");
    for path in ["../report.json", "plan/../report.json", "/etc/fedaudit.json", "C:\\report.json", "a//b", "./a"] {
        malformed(&with(path, b"{}"), "");
    }
    for path in ["plan/entries/007.dsse.json", "plan/entries/x.dsse.json", "plan/artifacts/x.json"] {
        malformed(&with(path, b"{}"), path);
    }
    // A gap: an entry far behind the last.
    malformed(&with("plan/entries/999.dsse.json", b"{}"), "none");
    let capital = claimed_subject(&EVIDENCE.bundle().plan.entries[0]).expect("a subject").to_string().to_uppercase();
    malformed(&with(&format!("plan/artifacts/{capital}.json"), b"{}"), "plan/artifacts/");
}

#[test]
fn what_is_no_bundle_is_malformed() {
    malformed(b"", "");
    malformed(b"{}\n", "");
    malformed(&zip_of(&[], SimpleFileOptions::default()), "none");
    for cut in [1, 22, 200, EVIDENCE.bytes.len() / 2, EVIDENCE.bytes.len() - 10] {
        malformed(&EVIDENCE.bytes[..EVIDENCE.bytes.len() - cut], "");
    }
    for missing in ["report.json", "report.html", "report.dsse.json", "registry/checkpoint", "plan/policy"] {
        let mut files = files_of(&EVIDENCE.bytes);
        files.retain(|(path, _)| path != missing);
        malformed(&zip_of(&files, SimpleFileOptions::default()), "none");
    }
    // A flipped bit of the container itself, in the bytes that are compressed.
    let mut rotten = EVIDENCE.bytes.clone();
    rotten[200] ^= 4;
    malformed(&rotten, "");
}

#[test]
fn what_is_not_evidence_may_change_and_is_listed() {
    let mut files = files_of(&EVIDENCE.bytes);
    for (path, bytes) in &mut files {
        if path.starts_with("keys/") || path.starts_with("tables/") {
            bytes.extend_from_slice(b"changed");
        }
    }
    files.push(("READ ME.txt".to_owned(), b"all is well".to_vec()));
    files.push(("plan/notes".to_owned(), b"all is well".to_vec()));
    files.reverse();
    let time = zip::DateTime::from_date_and_time(2021, 2, 3, 4, 5, 6).expect("a time");
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let options = SimpleFileOptions::default().compression_method(method).last_modified_time(time);
        let verdict = judge(&zip_of(&files, options.unix_permissions(0o600)), &EVIDENCE.trust);
        assert_eq!((verdict.code, verdict.first()), (0, None), "{verdict:#?}");
        let listed = |path: &str| verdict.not_evidence.iter().any(|known| known == path);
        assert!(listed("READ ME.txt") && listed("plan/notes") && listed("keys/governance-1.pem"), "{verdict:#?}");
        assert!(listed("zip metadata") && listed("tables/counts.csv") && !listed("report.json"), "{verdict:#?}");
        let evidence = ["report", "registry/", "plan/entries", "plan/artifacts", "plan/checkpoint", "plan/policy"];
        assert!(!verdict.not_evidence.iter().any(|path| evidence.iter().any(|start| path.starts_with(start))));
    }
}

#[test]
fn the_worst_exit_code_counts_and_usage_is_4() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    };
    let refuted = EVIDENCE.altered(|bundle| bundle.report_json.push(b' '));
    assert_eq!(refuted.code, 1);
    let mut bundle = EVIDENCE.bundle();
    bundle.report_json.push(b' ');
    let good = file("good.zip", &EVIDENCE.bytes);
    let refuted = file("refuted.zip", &pack(&bundle).expect("packs"));
    let open = file("open.zip", &OTHER.bytes);
    let broken = file("broken.zip", b"PK");
    let (trust, missing) = (file("trust.json", &EVIDENCE.trust), dir.path().join("missing.zip"));
    let cases: [(&[&std::path::PathBuf], i32); 8] = [
        (&[&good, &good], 0),
        (&[&good, &open], 2),
        (&[&open, &refuted, &good], 1),
        (&[&refuted, &open], 1),
        (&[&broken, &refuted, &open], 3),
        (&[&good, &open, &refuted, &broken], 3),
        (&[&good, &missing], 4),
        (&[&missing, &broken, &refuted], 4),
    ];
    for (bundles, code) in cases {
        let bundles: Vec<_> = bundles.iter().map(|path| path.as_path()).collect();
        let said = verifier(&bundles, &trust);
        assert_eq!(said.code, Some(code), "{bundles:?}: {said:#?}");
    }
    // What can be read is judged, and what cannot is named in its place.
    let said = verifier(&[&missing, &good, &refuted], &trust).fault("input", &["missing.zip"]);
    let rows: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let codes: Vec<_> = rows.as_array().expect("rows").iter().map(|row| row["exit_code"].as_u64()).collect();
    assert_eq!(codes, [Some(4), Some(0), Some(1)], "{said:#?}");
    assert_eq!((&rows[0]["fault"]["blame"], rows[0].get("verdict")), (&"input".into(), None), "{said:#?}");
    assert!(rows[0]["fault"]["what"].as_str().is_some_and(|what| what.contains("missing.zip")), "{said:#?}");
    let paths = [&missing, &good, &trust].map(|path| path.to_str().expect("text"));
    let said = run("fedaudit-verify", &[paths[0], paths[1], "--trust", paths[2]]).fault("input", &["missing.zip"]);
    assert!(said.out.starts_with("verified: "), "{said:#?}");
    verifier(&[&good], &dir.path().join("no-trust.json")).fault("input", &["no-trust.json"]);
    let no_trust = file("list.json", b"[]");
    verifier(&[&good], &no_trust).fault("input", &["list.json", "no trust file"]);
    let said = run("fedaudit-verify", &[paths[2], "--trust", paths[2]]);
    let named = said
        .out
        .lines()
        .nth(1)
        .is_some_and(|line| line.starts_with("  malformed   bundle") && line.ends_with(paths[2]));
    assert!(said.code == Some(3) && named && !said.out.contains("bundle.zip"), "{said:#?}");
    for usage in [&["--frobnicate"][..], &[], &[good.to_str().expect("text")]] {
        let said = run("fedaudit-verify", usage);
        assert_eq!((said.code, said.out.as_str()), (Some(4), ""), "{said:#?}");
        assert!(said.err.contains("Usage"), "{said:#?}");
    }
    assert_eq!(run("fedaudit-verify", &["--help"]).code, Some(0));
}
