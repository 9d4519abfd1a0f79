//! Every rule, fed with what it forbids and with what it allows.

use crate::lex::{Rust, blank};
use crate::{Tree, Violation, rules, words};

type Rule = fn(&Tree) -> Vec<Violation>;

fn broken(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let tree = Tree::new(files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())));
    rule(&tree).iter().map(|found| format!("{}:{}: {}", found.path, found.line, found.rule)).collect()
}

/// Asserts that the rule finds exactly this in a single file.
fn expect(rule: Rule, path: &str, text: &str, lines: &[usize]) {
    let found: Vec<usize> = {
        let tree = Tree::new([(path.to_owned(), text.to_owned())]);
        rule(&tree).iter().map(|found| found.line).collect()
    };
    assert_eq!(found, lines, "in {path}:\n{text}");
}

#[test]
fn literals_and_comments_are_blank() {
    let opaque = [
        r##"r#"a " { "#"##,
        r#""{ \" { \\""#,
        r#"b"{""#,
        "br\"{\\\"",
        r"'{'",
        r"'\''",
        r"b'{'",
        r"'\u{7b}'",
        "/* { /* { */ { */",
        "// {",
        "\"{\n{\"",
    ];
    for literal in opaque {
        let code = blank(&format!("f({literal}\n) x"));
        assert!(!code.contains('{') && code.ends_with("\n) x"), "{literal} -> {code}");
        assert_eq!(code.lines().count(), literal.lines().count() + 1);
    }
    for code in ["fn f<'a, 'b>(x: &'a u8) {}", "r#fn {", "bar {", "a / b {"] {
        assert_eq!(blank(code), code);
    }
}

#[test]
fn paths_are_written_out() {
    let rust = Rust::read("use crate::{a, b::{self, c as d}, e::*};\nlet x = <T as f::G>::h(::std::i);");
    let paths: Vec<String> = rust.paths().iter().map(|path| path.segments.join("::")).collect();
    for expected in ["crate::a", "crate::b::self", "crate::b::c", "crate::e::*", "f::G", "std::i"] {
        assert!(paths.iter().any(|path| path == expected), "{expected} in {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.ends_with('d') || path == "h"), "{paths:?}");
}

#[test]
fn sizes_can_fail() {
    let function =
        |lines: usize| format!("trait T {{ fn none(&self); }}\nfn f() {{\n{}}}\n", "// {\n".repeat(lines - 2));
    expect(rules::sizes, "a.rs", &function(70), &[]);
    expect(rules::sizes, "a.rs", &function(71), &[2]);
    expect(rules::sizes, "a/tests.rs", &function(71), &[2]);
    expect(rules::sizes, "a.rs", &"//\n".repeat(400), &[]);
    expect(rules::sizes, "a.rs", &"//\n".repeat(401), &[401]);
    expect(rules::sizes, "a.md", &"//\n".repeat(401), &[]);
}

#[test]
fn core_order_can_fail() {
    let found = |path: &str, text: &str| {
        let root = ("common/core/src/lib.rs", "pub mod a;\npub mod b;\npub mod c;\n");
        broken(rules::core_order, &[root, (path, text)]).len()
    };
    let file = "common/core/src/b.rs";
    for good in [
        "use crate::a::X;",
        "use crate::{a, b};",
        "use super::a;",
        "#[cfg(test)]\nmod t { use crate::c; }",
        "//crate::c",
    ] {
        assert_eq!(found(file, good), 0, "{good}");
    }
    for bad in
        ["use crate::c::X;", "use crate::{\na,\nc::X};", "use super::c;", "fn f() { crate::c::g() }", "use crate::Q;"]
    {
        assert_eq!(found(file, bad), 1, "{bad}");
    }
    assert_eq!(found("common/core/src/b/d.rs", "use super::c;"), 0, "b::c is not c");
    assert_eq!(found("common/core/src/b/d.rs", "use super::super::c;"), 1);
    assert_eq!(found("common/core/src/b/mod.rs", "use super::c;"), 1);
    assert_eq!(found("common/core/src/b/tests.rs", "use crate::c;"), 0);
    assert_eq!(found("common/core/src/lost.rs", ""), 1, "a module that lib.rs does not name");
    assert_eq!(broken(rules::core_order, &[(file, "")]).len(), 1, "no lib.rs");
}

#[test]
fn core_purity_can_fail() {
    let file = "common/core/src/a.rs";
    let bad = "use std::fs;\nuse std::{io, net::IpAddr};\nuse std::time::{Duration, Instant};\nuse std::time;\n\
               fn f() { std::env::var(x) }\nuse rand::Rng;\njiff::Timestamp::now();\nprintln!();\nuse std::time::{self};";
    expect(rules::core_purity, file, bad, &[1, 2, 3, 4, 5, 6, 7, 9, 8]);
    expect(
        rules::core_purity,
        file,
        "use std::time::Duration;\nlet rand = 1;\n#[test]\nfn f() { std::fs::read(x); }",
        &[],
    );
    expect(rules::core_purity, "agent/src/a.rs", bad, &[]);
}

#[test]
fn test_modules_are_exempt_from_purity() {
    let parent = ("common/core/src/a/mod.rs", "#[cfg(test)]\n#[allow(x)]\nmod oracle;\nmod product;");
    let files =
        [parent, ("common/core/src/a/oracle.rs", "use std::fs;"), ("common/core/src/a/product.rs", "use std::fs;")];
    assert_eq!(broken(rules::core_purity, &files), ["common/core/src/a/product.rs:1: pure core"]);
    expect(
        rules::core_purity,
        "common/core/src/b.rs",
        "#[cfg(not(test))]\nuse std::fs;\n#[cfg(test)]\nfn f() {}",
        &[2],
    );
}

#[test]
fn dependencies_can_fail() {
    let cargo = |name: &str| format!("{name}/Cargo.toml");
    let one = "[dependencies]\nfedaudit-core.workspace = true\nfedaudit-aggregator.workspace = true\n";
    expect(rules::dependencies, &cargo("agent"), one, &[3]);
    expect(rules::dependencies, &cargo("examples"), one, &[]);
    expect(rules::dependencies, &cargo("verifier"), one, &[3]);
    let renamed = "[dev-dependencies]\nx = { path = \"y\", package = \"fedaudit-agent\" }\n";
    expect(rules::dependencies, &cargo("aggregator"), renamed, &[2]);
    expect(rules::dependencies, &cargo("agent"), "[target.'cfg(unix)'.dependencies.fedaudit-aggregator]\n", &[1]);
    let core =
        "[dependencies]\nserde = \"1\"\nrand = \"1\"\n[dev-dependencies]\nrand = \"1\"\n[features]\ntokio = []\n";
    expect(rules::dependencies, &cargo("common/core"), core, &[3]);
    let verifier = "[dependencies]\n# why\nclap = { version = \"4\", features = [\"derive\"] }\ncsv = \"1\"\n";
    expect(rules::dependencies, &cargo("verifier"), verifier, &[4]);
}

#[test]
fn lints_can_fail() {
    expect(rules::lints, "a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n", &[]);
    expect(rules::lints, "a/Cargo.toml", "[package]\nworkspace = true\n", &[1]);
    expect(rules::lints, "Cargo.toml", "[workspace]\n", &[]);
}

#[test]
fn vectors_can_fail() {
    expect(rules::vectors, "schemas/vectors/a/b.json", "{}", &[]);
    expect(rules::vectors, "schemas/vectors/a/b.json", "{\n]", &[2]);
}

#[test]
fn unfinished_can_fail() {
    let mark = concat!("// FIX", "ME");
    expect(words::unfinished, "a.md", &format!("{mark}: x\n{mark}D\n"), &[1]);
    expect(words::unfinished, "a.sh", concat!("mktemp X", "XX", "XX\n# X", "XX"), &[2]);
    expect(words::unfinished, "a.rs", "todo!()\n// todo!\ntodo()\nunimplemented!()\n\"dbg!\"; dbg!(x)", &[1, 4, 5]);
    let skipped =
        "#[ignore]\n#[ignore = \"slow\"]\n#[cfg_attr(windows, ignore)]\n#[cfg_attr(windows, x)]\nlet ignore = 1;";
    expect(words::unfinished, "a.rs", skipped, &[1, 2, 3]);
    expect(words::unfinished, "a.rs", concat!("/// ```", "ignore\n/// ```text"), &[1]);
}

#[test]
fn careless_can_fail() {
    expect(words::careless, "a.rs", "unsafe {}\n// unsafe\n#![forbid(unsafe_code)]\n\"unsafe\"", &[1]);
    let text = "x\n.unwrap()\nx.unwrap_or(1)\nmap(Option::unwrap)\n\".unwrap()\"\n#[cfg(test)]\nmod tests {\nx.unwrap()\n}\nx.unwrap()";
    expect(words::careless, "src/a.rs", text, &[2, 4, 10]);
    expect(words::careless, "src/tests.rs", text, &[]);
    expect(words::careless, "link/tests/a.rs", text, &[]);
}

#[test]
fn places_can_fail() {
    let home = concat!("/ho", "me/");
    let text = format!("see {home}x\n\"{home}y\"\nsrc{home}z\n{{}}{home}\n{}\n", concat!("=/t", "mp/x"));
    expect(words::places, "a.md", &text, &[1, 2, 5]);
    let host = concat!("https://crates", ".io/x");
    expect(words::places, "a.toml", host, &[1]);
    expect(words::places, "Cargo.lock", host, &[]);
}
