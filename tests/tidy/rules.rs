//! The rules. Each reads the tree and says what breaks it.

use crate::lex::is;
use crate::{File, Tree, Violation};

/// Lines of a Rust file, tests included: what one can read in a sitting.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function, from `fn` to the closing brace, tests included.
const FUNCTION_LINES_MAX: usize = 70;

const CORE: &str = "common/core/src/";

/// Clock, randomness, IO and threads: what starts with one of these does not belong into the core. Scoped threads may: they
/// are gone, and their results in place, when the function that started them returns.
const CORE_BANS: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "thread", "spawn"],
    &["std", "thread", "sleep"],
    &["std", "thread", "current"],
    &["std", "thread", "Builder"],
    &["std", "thread", "available_parallelism"],
    &["std", "thread", "self"],
    &["std", "thread", "*"],
    &["std", "process"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["std", "time", "self"],
    &["std", "time", "*"],
    &["rand"],
    &["tokio"],
    &["rusqlite"],
];
/// The same through a name imported before, or through another crate.
const CORE_BANNED_CALLS: &[&[&str]] = &[
    &["SystemTime", "now"],
    &["Instant", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["TimeZone", "system"],
    &["std", "time"],
];
const CORE_BANNED_MACROS: &[&str] = &["println", "eprintln", "print", "eprint"];

/// What a package may not depend on, in any section.
const NEVER_DEPENDS: &[(&str, &[&str])] = &[
    ("agent", &["fedaudit-aggregator"]),
    ("aggregator", &["fedaudit-agent"]),
    ("common/link", &["fedaudit-agent", "fedaudit-aggregator", "fedaudit-verify"]),
    ("common/home", &["fedaudit-link", "fedaudit-agent", "fedaudit-aggregator", "fedaudit-verify"]),
    ("common/core", &["fedaudit-home", "fedaudit-link", "fedaudit-agent", "fedaudit-aggregator", "fedaudit-verify"]),
];
/// What a package may not depend on outside its tests.
const PRODUCT_NEVER_DEPENDS: &[(&str, &[&str])] = &[("common/core", &["tokio", "quinn", "rusqlite", "rand", "clap"])];
/// All that the regulator's tool is made of, outside its tests.
const VERIFIER_DEPENDS: &[&str] = &[
    "fedaudit-core",
    "clap",
    "serde",
    "serde_json",
    // For `witness`, the one command that listens and keeps something.
    "fedaudit-home",
    "ed25519-dalek",
    "http-body-util",
    "hyper",
    "hyper-util",
    "tokio",
];

/// Files and functions stay small.
pub fn sizes(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (file, rust) in tree.rust() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            let what = format!("{lines} lines, at most {FILE_LINES_MAX}: move one idea into its own module");
            found.push(file.violation(FILE_LINES_MAX + 1, "file size", what));
        }
        for function in rust.functions().iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let (name, lines) = (&function.name, function.lines);
            let what = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}: name its steps as functions");
            found.push(file.violation(function.line, "function size", what));
        }
    }
    found
}

/// In the core, a module uses only what stands before it in the list of `lib.rs`.
pub fn core_order(tree: &Tree) -> Vec<Violation> {
    let rule = "import order";
    let Some(root) = tree.files.iter().find(|file| file.path == format!("{CORE}lib.rs")) else {
        return vec![Violation::new(CORE, 1, rule, "no lib.rs: the rule has lost its list of modules")];
    };
    let tokens = &root.rust.as_ref().expect("lib.rs is Rust").tokens;
    let modules: Vec<&str> = (0..tokens.len())
        .filter(|&at| is(tokens, at, "mod") && is(tokens, at + 2, ";"))
        .map(|at| tokens[at + 1].text.as_str())
        .collect();
    let mut found = Vec::new();
    for (file, rust) in tree.rust().filter(|(file, _)| file.path != root.path) {
        let Some(place) = file.path.strip_prefix(CORE) else { continue };
        let parts: Vec<&str> = place.trim_end_matches(".rs").split('/').filter(|&part| part != "mod").collect();
        let Some(own) = modules.iter().position(|&module| module == parts[0]) else {
            let what = format!("module `{}` is not in lib.rs: declare it at its place in the order", parts[0]);
            found.push(file.violation(1, rule, what));
            continue;
        };
        for path in rust.paths().iter().filter(|path| !file.is_test(path.line)) {
            let Some(used) = core_module(&path.segments, parts.len()) else { continue };
            let what = match modules.iter().position(|&module| module == used) {
                Some(other) if other <= own => continue,
                Some(_) => {
                    format!("`{}` uses `{used}`, which stands after it in lib.rs: turn the edge round", parts[0])
                }
                None => format!("`{used}` is not a module of lib.rs: name the module that the item lives in"),
            };
            found.push(file.violation(path.line, rule, what));
        }
    }
    found
}

/// The module at the crate's root that a path leads into, seen from a module `depth` below the root.
fn core_module(path: &[String], depth: usize) -> Option<&str> {
    let up = path.iter().take_while(|segment| *segment == "super").count();
    let start = match path.first()?.as_str() {
        "crate" | "fedaudit_core" => 1,
        _ if up >= depth => up,
        _ => return None,
    };
    path.get(start).map(String::as_str)
}

/// The core has no clock, no randomness and no IO.
pub fn core_purity(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut push = |file: &File, line, name: &str| {
        let what = format!("`{name}` in the core: take what it yields as an argument, or move the caller out");
        found.push(file.violation(line, "pure core", what));
    };
    for (file, rust) in tree.rust().filter(|(file, _)| file.path.starts_with(CORE)) {
        for path in rust.paths().iter().filter(|path| !file.is_test(path.line) && path.segments.len() > 1) {
            let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
            let banned = CORE_BANS.iter().any(|ban| segments.starts_with(ban))
                || CORE_BANNED_CALLS.iter().any(|ban| segments.ends_with(ban));
            if banned {
                push(file, path.line, &segments.join("::"));
            }
        }
        for pair in rust.tokens.windows(2).filter(|pair| pair[1].text == "!" && !file.is_test(pair[0].line)) {
            if CORE_BANNED_MACROS.contains(&pair[0].text.as_str()) {
                push(file, pair[0].line, &format!("{}!", pair[0].text));
            }
        }
    }
    found
}

/// Who may depend on whom.
pub fn dependencies(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.manifests() {
        let package = file.path.trim_end_matches("/Cargo.toml");
        let banned_by = |list: &[(&str, &[&str])], name: &str| {
            list.iter().any(|(owner, bans)| *owner == package && bans.contains(&name))
        };
        for Dependency { line, name, product } in depends(&file.text) {
            let wrong = banned_by(NEVER_DEPENDS, &name)
                || product && banned_by(PRODUCT_NEVER_DEPENDS, &name)
                || product && package == "verifier" && !VERIFIER_DEPENDS.contains(&name.as_str());
            if wrong {
                let what = format!("{package} must not depend on `{name}`: move what it needs, or do without");
                found.push(file.violation(line, "dependencies", what));
            }
        }
    }
    found
}

/// One line of a manifest that names a dependency.
struct Dependency {
    line: usize,
    name: String,
    /// Part of what ships, not only of its tests.
    product: bool,
}

/// What a manifest depends on: names as written, and the package behind a renamed one.
fn depends(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        let mut names = Vec::new();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            names.extend(section.split_once("dependencies.").map(|(_, name)| name));
        } else if section.ends_with("dependencies") {
            names.extend(line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty() && !name.starts_with('#')));
        }
        if section.contains("dependencies") {
            let package = line.split_once("package").and_then(|(_, rest)| rest.trim_start().strip_prefix('='));
            names.extend(package.and_then(|rest| rest.split('"').nth(1)));
        }
        let product = !section.contains("dev-dependencies");
        let named = names.iter().map(|name| name.trim_matches(['"', '\'']).to_owned());
        found.extend(named.map(|name| Dependency { line: number + 1, name, product }));
    }
    found
}

/// Every package takes the workspace's lints.
pub fn lints(tree: &Tree) -> Vec<Violation> {
    let inherits = |file: &&File| {
        let lines: Vec<&str> = file.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut pairs = lines.windows(2);
        pairs.any(|pair| pair == ["[lints]", "workspace = true"]) || lines.contains(&"[workspace]")
    };
    let what = "the package does not inherit the lints: add `[lints]` with `workspace = true`";
    tree.manifests().filter(|file| !inherits(file)).map(|file| file.violation(1, "lints", what)).collect()
}

/// Test vectors are JSON.
pub fn vectors(tree: &Tree) -> Vec<Violation> {
    let vectors = tree.files.iter().filter(|f| f.path.starts_with("schemas/vectors/") && f.path.ends_with(".json"));
    let parse = |file: &File| serde_json::from_str::<serde_json::Value>(&file.text).err();
    let refused = vectors.filter_map(|file| Some((file, parse(file)?)));
    let violation = |(file, error): (&File, serde_json::Error)| {
        let what = format!("not JSON ({error}): a vector of broken bytes holds them as base64");
        file.violation(error.line(), "vectors", what)
    };
    refused.map(violation).collect()
}
