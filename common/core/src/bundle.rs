//! `bundle.zip`: everything needed to rebuild the logs behind a report, so that leaving something out is refuted.

mod check;
mod compare;

pub(crate) use check::signer_of;
pub use check::{Asked, Check, Checker, LINES, Outcome, Verdict, check};

use crate::fault::Refusal;
use crate::ids::Digest;
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _, Write as _};
use zip::write::SimpleFileOptions;

/// A report and the evidence behind it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// `report.json`.
    pub report_json: Vec<u8>,
    /// `report.html`.
    pub report_html: Vec<u8>,
    /// `report.dsse.json`: the envelope over both.
    pub report_envelope: Vec<u8>,
    /// The registry.
    pub registry: LogPart,
    /// The plan's log.
    pub plan: LogPart,
    /// Files that help people and prove nothing, by path.
    pub not_evidence: BTreeMap<String, Vec<u8>>,
}

/// A whole log: checkpoint, entries from index 0, and the artifacts that they speak of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPart {
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// The witness policy under which the checkpoint was published.
    pub policy: Vec<u8>,
    /// Envelopes, in order.
    pub entries: Vec<Vec<u8>>,
    /// Artifacts by SHA-256.
    pub artifacts: BTreeMap<Digest, Vec<u8>>,
}

/// Packs a bundle; the same bundle always gives the same bytes.
///
/// # Errors
/// A path or size that a ZIP file cannot hold.
pub fn pack(bundle: &Bundle) -> Result<Vec<u8>, Refusal> {
    let mut files: Vec<(String, &[u8])> = vec![
        ("report.json".to_owned(), &bundle.report_json),
        ("report.html".to_owned(), &bundle.report_html),
        ("report.dsse.json".to_owned(), &bundle.report_envelope),
    ];
    for (folder, part) in [("registry", &bundle.registry), ("plan", &bundle.plan)] {
        files.push((format!("{folder}/checkpoint"), &part.checkpoint));
        files.push((format!("{folder}/policy"), &part.policy));
        let entries = part.entries.iter().enumerate();
        files.extend(entries.map(|(index, bytes)| (format!("{folder}/entries/{index}.dsse.json"), &bytes[..])));
        let artifacts = part.artifacts.iter();
        files.extend(artifacts.map(|(digest, bytes)| (format!("{folder}/artifacts/{digest}.json"), &bytes[..])));
    }
    files.extend(bundle.not_evidence.iter().map(|(path, bytes)| (path.clone(), &bytes[..])));
    let bad = |e: &dyn std::fmt::Display| Refusal::new("bundle", "files that a ZIP file can hold", e);
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(DEFLATE_LEVEL))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(path, options).map_err(|e| bad(&e))?;
        zip.write_all(bytes).map_err(|e| bad(&e))?;
    }
    Ok(zip.finish().map_err(|e| bad(&e))?.into_inner())
}

/// Two thirds of the cycles of the usual 6, for 7 % more bytes of a bundle of 500 sites.
const DEFLATE_LEVEL: i64 = 4;

/// Unpacks a bundle. Evidence is complete as to files: entries without gaps, artifacts named by their digest.
///
/// # Errors
/// `bundle`: no ZIP file, a path that stands twice or leads outside, more than a bundle may hold, a missing part.
pub fn unpack(bytes: &[u8]) -> Result<Bundle, Refusal> {
    let mut files = unzip(bytes)?;
    let mut take = |path: &str| files.remove(path).ok_or_else(|| malformed(format!("a file {path}"), "none"));
    let mut bundle = Bundle {
        report_json: take("report.json")?,
        report_html: take("report.html")?,
        report_envelope: take("report.dsse.json")?,
        ..Bundle::default()
    };
    for (folder, part) in [("registry", &mut bundle.registry), ("plan", &mut bundle.plan)] {
        part.checkpoint = take(&format!("{folder}/checkpoint"))?;
        part.policy = take(&format!("{folder}/policy"))?;
    }
    for (path, bytes) in files {
        let evidence = match path.split('/').collect::<Vec<_>>()[..] {
            ["registry", kind, name] => Some((&mut bundle.registry, kind, name)),
            ["plan", kind, name] => Some((&mut bundle.plan, kind, name)),
            _ => None,
        };
        match evidence {
            Some((part, "artifacts", name)) => {
                let digest = name.strip_suffix(".json").and_then(Digest::from_hex);
                let digest = digest.ok_or_else(|| malformed("artifacts/<sha256>.json", &path))?;
                part.artifacts.insert(digest, bytes);
            }
            Some((part, "entries", name)) => {
                // BTreeMap order is not numeric: entries are sorted below by their index.
                let index = name.strip_suffix(".dsse.json").and_then(plain_index);
                let index = index.ok_or_else(|| malformed("entries/<index>.dsse.json", &path))?;
                if part.entries.len() <= index {
                    part.entries.resize(index + 1, Vec::new());
                }
                part.entries[index] = bytes;
            }
            _ => {
                bundle.not_evidence.insert(path, bytes);
            }
        }
    }
    for (folder, part) in [("registry", &bundle.registry), ("plan", &bundle.plan)] {
        if let Some(gap) = part.entries.iter().position(Vec::is_empty) {
            return Err(malformed(format!("a file {folder}/entries/{gap}.dsse.json"), "none, or an empty one"));
        }
    }
    Ok(bundle)
}

fn plain_index(text: &str) -> Option<usize> {
    let index: usize = text.parse().ok()?;
    (index.to_string() == text && index < limits::BUNDLE_FILES).then_some(index)
}

fn malformed(expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Refusal {
    Refusal::new("bundle", expected, found)
}

/// The files of a ZIP archive by path.
fn unzip(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let bad = |e: &dyn std::fmt::Display| malformed("a ZIP file", e);
    // Before the reader makes room for each of them. Inside compressed bytes the signature is one in 2^32.
    if bytes.windows(4).filter(|window| *window == CENTRAL).count() > limits::BUNDLE_FILES {
        return Err(malformed(format!("at most {} files", limits::BUNDLE_FILES), "more"));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    if archive.offset() != 0 {
        return Err(malformed("a ZIP file from its first byte on", format!("{} bytes before it", archive.offset())));
    }
    check_directory(bytes, archive.central_directory_start(), archive.len())?;
    let mut files = BTreeMap::new();
    let mut left = limits::BUNDLE_BYTES;
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).map_err(|e| bad(&e))?;
        let path = file.name().map_err(|e| bad(&e))?.into_owned();
        if path.ends_with('/') && file.size() == 0 {
            continue;
        }
        let plain = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !plain || path.contains(['\\', '\0', ':']) {
            return Err(malformed("relative paths inside the bundle", path.escape_debug()));
        }
        let mut content = Vec::new();
        // One byte more than may come shows that more would come, whatever the header says.
        let most = most_bytes(&path).min(left);
        file.by_ref().take(most + 1).read_to_end(&mut content).map_err(|e| bad(&e))?;
        let length = content.len() as u64;
        if length > most {
            let shown = if most < left { path.as_str() } else { "all files" };
            return Err(malformed(format!("{} bytes at most in {shown}", most_bytes(&path)), "more"));
        }
        left -= length;
        files.insert(path, content);
    }
    Ok(files)
}

/// Bytes that a file of a bundle may have, unpacked.
fn most_bytes(path: &str) -> u64 {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["registry" | "plan", "checkpoint" | "policy"] => limits::NOTE_BYTES as u64,
        ["registry" | "plan", "entries", _] | ["report.dsse.json"] => limits::ENTRY_BYTES as u64,
        ["registry" | "plan", "artifacts", _] => limits::ARTIFACT_BYTES as u64,
        _ => limits::BUNDLE_BYTES,
    }
}

/// First bytes of a file's record in the central directory, and before the file itself (APPNOTE 4.3.12, 4.3.7).
const CENTRAL: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// Extra field that gives a file another name (APPNOTE 4.6.9).
const UNICODE_PATH: u16 = 0x7075;

/// Any program that unpacks the bundle must see what was checked here: each name once, and the same name at both places
/// where a ZIP file has it. The ZIP reader keeps one of several and says nothing, so the directory is read again here.
fn check_directory(bytes: &[u8], start: u64, read: usize) -> Result<(), Refusal> {
    let cut = || malformed("a whole central directory", "a cut one");
    let mut rest = usize::try_from(start).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let mut names = BTreeSet::new();
    let mut count = 0_usize;
    while let Some(record) = rest.strip_prefix(CENTRAL) {
        let (name, extra, comment) = (u16_at(record, 24), u16_at(record, 26), u16_at(record, 28));
        let (Some(name), Some(extra), Some(comment)) = (name, extra, comment) else { return Err(cut()) };
        let offset = record.get(38..42).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
        let (text, end) = (record.get(42..42 + name).ok_or_else(cut)?, 42 + name + extra);
        let shown = String::from_utf8_lossy(text).escape_debug().to_string();
        // Some file systems take capitals for the same letter.
        if !names.insert(text.to_ascii_lowercase()) {
            return Err(malformed("each path once", format!("{shown} twice")));
        }
        let local = offset.and_then(|offset| bytes.get(offset..)).and_then(|local| local.strip_prefix(LOCAL));
        let local_name = local.and_then(|local| local.get(26..26 + u16_at(local, 22)?));
        if local_name != Some(text) {
            return Err(malformed(format!("the name {shown} before the file too"), "another"));
        }
        if has_field(record.get(42 + name..end).ok_or_else(cut)?, UNICODE_PATH) {
            return Err(malformed(format!("one name for {shown}"), "a second in an extra field"));
        }
        count += 1;
        rest = record.get(end + comment..).unwrap_or_default();
    }
    if count == read { Ok(()) } else { Err(malformed(format!("{read} files in the directory"), count)) }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 2).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))
}

/// Whether extra fields hold one of this id.
fn has_field(mut fields: &[u8], id: u16) -> bool {
    while let (Some(found), Some(length)) = (u16_at(fields, 0), u16_at(fields, 2)) {
        if found == usize::from(id) {
            return true;
        }
        fields = fields.get(4 + length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let part = |n: u8| LogPart {
            checkpoint: vec![n],
            policy: vec![n, n],
            entries: (0..12).map(|i| vec![n, i]).collect(),
            artifacts: [(Digest::of(&[n]), vec![n])].into(),
        };
        Bundle {
            report_json: b"{}".to_vec(),
            report_html: b"<html>".to_vec(),
            report_envelope: b"{} ".to_vec(),
            registry: part(1),
            plan: part(2),
            not_evidence: [("keys/a.pem".to_owned(), vec![9])].into(),
        }
    }

    #[test]
    fn packing_is_deterministic_and_undone() {
        let packed = pack(&bundle()).expect("packs");
        assert_eq!(packed, pack(&bundle()).expect("packs"));
        assert_eq!(unpack(&packed), Ok(bundle()));
    }

    fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in files {
            zip.start_file(*path, SimpleFileOptions::default()).expect("starts");
            zip.write_all(bytes).expect("writes");
        }
        zip.finish().expect("ends").into_inner()
    }

    fn refused(bytes: &[u8]) -> String {
        let refusal = unpack(bytes).expect_err("malformed");
        assert_eq!(refusal.check, "bundle");
        refusal.to_string()
    }

    #[test]
    fn zip_tricks_are_malformed() {
        assert!(refused(b"no zip").contains("a ZIP file"));
        assert!(refused(&zip_of(&[("report.json", b"{}")])).contains("report.html"));
        assert!(refused(&zip_of(&[("../report.json", b"{}")])).contains("inside the bundle"));
        assert!(refused(&zip_of(&[("a\\b", b"{}")])).contains("inside the bundle"));
        let mut twice = zip_of(&[("report.json", b"{}"), ("report.jsox", b"[]")]);
        while let Some(at) = twice.windows(11).position(|w| w == b"report.jsox") {
            twice[at + 10] = b'n';
        }
        assert!(refused(&twice).contains("twice"));
        assert!(refused(&zip_of(&[("report.json", b"{}"), ("Report.json", b"[]")])).contains("twice"));
        // Another name before the file than in the directory: who unpacks as it comes sees that one.
        let mut local = zip_of(&[("report.json", b"{}")]);
        local[30] = b'R';
        assert!(refused(&local).contains("before the file too"));
        let mut before = b"x".to_vec();
        before.extend(pack(&bundle()).expect("packs"));
        assert!(refused(&before).contains("from its first byte on"));
    }

    #[test]
    fn a_second_name_in_an_extra_field_is_malformed() {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut options = zip::write::FullFileOptions::default();
        // Version 1, CRC-32 of the name that it takes the place of, the other name.
        let mut field = vec![1];
        field.extend_from_slice(&0x6f5db82d_u32.to_le_bytes());
        field.extend_from_slice(b"report.html");
        options.add_extra_field(0x7777, field, true).expect("takes it");
        zip.start_file("tables/x.csv", options).expect("starts");
        let mut bytes = zip.finish().expect("ends").into_inner();
        let mut places = Vec::new();
        places.extend(bytes.windows(2).enumerate().filter(|(_, w)| *w == [0x77, 0x77]).map(|(at, _)| at));
        assert_eq!(places.len(), 1, "in the central directory only");
        bytes[places[0]..places[0] + 2].copy_from_slice(&UNICODE_PATH.to_le_bytes());
        let error = unpack(&bytes).expect_err("malformed").to_string();
        assert!(error.contains("a second in an extra field"), "{error}");
    }

    #[test]
    fn what_swells_is_given_up_early() {
        for (path, most) in [("plan/entries/0.dsse.json", limits::ENTRY_BYTES), ("plan/policy", limits::NOTE_BYTES)] {
            let bomb = zip_of(&[(path, &vec![0; 64 << 20])]);
            assert!(bomb.len() < 100_000, "it is small before");
            assert!(refused(&bomb).contains(&format!("{most} bytes at most in {path}")));
        }
    }

    #[test]
    fn a_missing_entry_is_malformed() {
        let mut gap = bundle();
        gap.plan.entries[3].clear();
        assert!(refused(&pack(&gap).expect("packs")).contains("plan/entries/3.dsse.json"));
    }
}
