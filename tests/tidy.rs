//! House rules that run as a test: sizes, import edges, banned calls, and what has no place in the tree.
//!
//! `rules` and `words` hold the rules, `lex` reads Rust, and `can_fail` proves for each rule that it can.

#[path = "tidy/can_fail.rs"]
mod can_fail;
#[path = "tidy/lex.rs"]
mod lex;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/words.rs"]
mod words;

use lex::Rust;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// A rule broken at one line, and what to do.
#[derive(Debug)]
struct Violation {
    path: String,
    line: usize,
    rule: &'static str,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// A text file of the tree; `path` is relative to the workspace's root, with slashes.
struct File {
    path: String,
    text: String,
    rust: Option<Rust>,
    /// The whole file is test code.
    test: bool,
}

impl File {
    fn violation(&self, line: usize, rule: &'static str, what: impl Into<String>) -> Violation {
        Violation::new(&self.path, line, rule, what)
    }

    /// Does only test code stand on this line?
    fn is_test(&self, line: usize) -> bool {
        self.test || self.rust.as_ref().is_some_and(|rust| rust.test_lines.get(line) == Some(&true))
    }
}

/// Everything that belongs to the project.
struct Tree {
    files: Vec<File>,
}

impl Tree {
    fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files: Vec<File> = files.into_iter().map(|(path, text)| read(path, text)).collect();
        let test_modules: Vec<String> = files.iter().flat_map(test_modules).collect();
        for file in &mut files {
            let below = |module: &String| {
                file.path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            file.test |= test_modules.iter().any(below);
        }
        Self { files }
    }

    fn rust(&self) -> impl Iterator<Item = (&File, &Rust)> {
        self.files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"))
    }
}

fn read(path: String, text: String) -> File {
    let rust = path.ends_with(".rs").then(|| Rust::read(&text));
    let test = path.ends_with("/tests.rs") || path.split('/').rev().skip(1).any(|folder| folder == "tests");
    File { path, text, rust, test }
}

/// The files, without `.rs`, of the modules that a file declares for tests only.
fn test_modules(file: &File) -> Vec<String> {
    let stem = file.path.trim_end_matches(".rs");
    let (parent, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let folder = if matches!(name, "lib" | "main" | "mod") { parent } else { stem };
    let modules = file.rust.iter().flat_map(|rust| &rust.test_modules);
    modules.map(|module| format!("{folder}/{module}")).collect()
}

/// What git tracks or would track; where there is no git, everything but what tools leave behind.
fn tree() -> Tree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is a folder of the workspace");
    let mut paths = tracked(root).unwrap_or_default();
    if paths.is_empty() {
        walk(root, "", &mut paths);
    }
    paths.sort();
    // A tracked file may be gone, and one that is not text has nothing to say here.
    let text = |path: String| std::fs::read_to_string(root.join(&path)).ok().map(|text| (path, text));
    Tree::new(paths.into_iter().filter_map(text))
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let listing = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(listing.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) {
    let listing = std::fs::read_dir(root.join(folder)).expect("a folder of the workspace can be listed");
    for entry in listing {
        let entry = entry.expect("a folder of the workspace can be listed");
        let name = entry.file_name().into_string().expect("names in the workspace are UTF-8");
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        match entry.file_type().expect("a file of the workspace has a type") {
            kind if kind.is_dir() && !matches!(name.as_str(), "target" | ".git" | ".tools") => walk(root, &path, paths),
            kind if kind.is_file() => paths.push(path),
            _ => {}
        }
    }
}

fn assert_none(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "{} broken house rules:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn the_whole_tree_is_read() {
    let tree = tree();
    for path in ["Cargo.toml", "tests/tidy.rs", "tests/run", "common/core/src/lib.rs", "common/core/src/note/tests.rs"]
    {
        assert!(tree.files.iter().any(|file| file.path == path), "{path} is not among the {}", tree.files.len());
    }
    assert!(!tree.files.iter().any(|file| file.path.starts_with("target/") || file.path.contains(".tools/")));
}

#[test]
fn walking_finds_what_git_tracks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(root, "", &mut paths);
    assert!(paths.iter().any(|path| path == "tidy/lex.rs") && !paths.iter().any(|path| path.starts_with(".tools/")));
}

#[test]
fn files_and_functions_are_small() {
    assert_none(&rules::sizes(&tree()));
}

#[test]
fn core_modules_use_only_what_stands_before_them() {
    assert_none(&rules::core_order(&tree()));
}

#[test]
fn the_core_is_pure() {
    assert_none(&rules::core_purity(&tree()));
}

#[test]
fn packages_depend_on_what_they_may() {
    assert_none(&rules::dependencies(&tree()));
}

#[test]
fn packages_inherit_the_lints() {
    assert_none(&rules::lints(&tree()));
}

#[test]
fn vectors_are_json() {
    assert_none(&rules::vectors(&tree()));
}

#[test]
fn nothing_is_unfinished() {
    assert_none(&words::unfinished(&tree()));
}

#[test]
fn nothing_is_careless() {
    assert_none(&words::careless(&tree()));
}

#[test]
fn nothing_names_a_machine() {
    assert_none(&words::places(&tree()));
}
