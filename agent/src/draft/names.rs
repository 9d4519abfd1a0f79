//! Legal names from what people call files and models.

use fedaudit_core::ids::Name;
use std::path::Path;

/// The site that a file is named for, nearest to its name; none if nothing of that can stand in a name.
pub fn site_of(file: &Path) -> Option<Name> {
    slug(&stem(file))
}

/// What a file must be called for `federation DATASET` to take it, if that is not its name.
pub fn rename_of(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_string_lossy().into_owned();
    let gzip = if name.to_lowercase().ends_with(".gz") { ".gz" } else { "" };
    let right = format!("{}.csv{gzip}", site_of(file)?);
    (right != name).then_some(right)
}

/// A file's name without `.csv`, `.csv.gz` and the like.
fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut rest = name.as_str();
    for end in ENDS {
        let at = rest.len().saturating_sub(end.len());
        if at > 0 && rest.get(at..).is_some_and(|found| found.eq_ignore_ascii_case(end)) {
            rest = rest.get(..at).unwrap_or_default();
        }
    }
    rest.to_owned()
}

/// A name nearest to `text`.
pub(super) fn slug(text: &str) -> Option<Name> {
    let mut found = String::new();
    for c in text.to_lowercase().chars().map(plain) {
        let joint = matches!(c, '-' | '.');
        if !(joint && (found.is_empty() || found.ends_with(['-', '.']))) && found.len() < NAME_BYTES {
            found.push(c);
        }
    }
    let found = found.trim_matches(['-', '.', '_']);
    Name::new(found).ok()
}

/// The letter that may stand in a name.
fn plain(c: char) -> char {
    match c {
        'a'..='z' | '0'..='9' | '_' | '.' => c,
        'ä' | 'á' | 'à' | 'â' | 'ã' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' => 'o',
        'ü' | 'ú' | 'ù' | 'û' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        _ => '-',
    }
}

/// Endings of files of rows, the outermost first.
const ENDS: [&str; 5] = [".gz", ".csv", ".tsv", ".tab", ".txt"];
/// Bytes of a name.
const NAME_BYTES: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_legal() {
        let cases = [
            ("a/dept-a.csv", "dept-a", None),
            ("dept-a.csv.gz", "dept-a", None),
            ("Dept A (new).csv", "dept-a-new", Some("dept-a-new.csv")),
            ("St. Gallen.CSV", "st.gallen", Some("st.gallen.csv")),
            ("Zürich.csv.GZ", "zurich", Some("zurich.csv.gz")),
            ("north.tsv", "north", Some("north.csv")),
            ("__x__.txt", "x", Some("x.csv")),
            ("v1.2.csv", "v1.2", None),
        ];
        for (file, site, right) in cases {
            let file = Path::new(file);
            assert_eq!(site_of(file).as_ref().map(Name::as_str), Some(site));
            assert_eq!(rename_of(file).as_deref(), right);
        }
        assert_eq!(site_of(Path::new("北京.csv")), None);
        assert_eq!(site_of(Path::new("x".repeat(99).as_str())).map(|name| name.as_str().len()), Some(63));
    }
}
