//! Rules about words: what stands nowhere, or only in tests. The words are spelt in pieces, so that they do not stand here.

use crate::lex::{Rust, is};
use crate::{File, Tree, Violation};

/// Marks of unfinished work.
const MARKS: &[&str] = &[concat!("FIX", "ME"), concat!("X", "XX")];
const UNFINISHED_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
/// A code block in the documentation that the tests leave out.
const SKIPPED_EXAMPLE: &str = concat!("```", "ignore");

/// Folders of one machine.
const PLACES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/t", "mp/"),
];
/// Hosts that packages come from: which mirror serves a machine is its own configuration.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npmjs", ".org"),
    concat!("proxy.golang", ".org"),
];

/// Work is finished, and tests run.
pub fn unfinished(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| !is_data(&file.path)) {
        for (line, mark) in occurrences(&file.text, MARKS, |before, after| !is_word(before) && !is_word(after)) {
            found.push(file.violation(
                line,
                "unfinished",
                format!("`{mark}`: do it, or file it where work is planned"),
            ));
        }
    }
    for (file, rust) in tree.rust() {
        for pair in rust.tokens.windows(2).filter(|pair| pair[1].text == "!") {
            if UNFINISHED_MACROS.contains(&pair[0].text.as_str()) {
                let what = format!("`{}!`: write what should stand here", pair[0].text);
                found.push(file.violation(pair[0].line, "unfinished", what));
            }
        }
        found.extend(skipped_tests(file, rust));
    }
    found
}

/// `#[ignore]`, also behind `cfg_attr`, and examples that do not run.
fn skipped_tests(file: &File, rust: &Rust) -> Vec<Violation> {
    let what = "a test that is left out: make it quick, or delete it";
    let tokens = &rust.tokens;
    let attribute = |at: usize| is(tokens, at, "#") && is(tokens, at + 1, "[");
    let skips = |at: usize| {
        is(tokens, at + 2, "ignore")
            || is(tokens, at + 2, "cfg_attr")
                && tokens[at..].iter().take_while(|t| t.text != "]").any(|t| t.text == "ignore")
    };
    let tests = (0..tokens.len()).filter(|&at| attribute(at) && skips(at)).map(|at| tokens[at].line);
    let examples = occurrences(&file.text, &[SKIPPED_EXAMPLE], |_, _| true).into_iter().map(|(line, _)| line);
    tests.chain(examples).map(|line| file.violation(line, "ignored test", what)).collect()
}

/// No unsafe code; no panic without a reason outside tests.
pub fn careless(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (file, rust) in tree.rust() {
        for token in rust.tokens.iter().filter(|token| token.text == "unsafe") {
            found.push(file.violation(token.line, "safe code", "`unsafe`: there is a safe way, take it"));
        }
        let mut unwraps = Vec::new();
        for (at, token) in rust.tokens.iter().enumerate().filter(|(_, token)| token.text == "unwrap") {
            let method = at > 0 && is(&rust.tokens, at - 1, ".") && is(&rust.tokens, at + 1, "(");
            let function = at > 0 && is(&rust.tokens, at - 1, "::");
            unwraps.extend((method || function).then_some(token.line));
        }
        let what = "`unwrap`: return an error, or `expect` with the reason why it cannot fail";
        let shipped = unwraps.into_iter().filter(|&line| !file.is_test(line));
        found.extend(shipped.map(|line| file.violation(line, "no unwrap", what)));
    }
    found
}

/// Nothing in the tree knows the machine it was written on.
pub fn places(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        let absolute = |before: Option<char>, _| !is_word(before) && !before.is_some_and(|c| "./-~*})>".contains(c));
        for (line, place) in occurrences(&file.text, PLACES, absolute) {
            let what = format!("`{place}`, a place on one machine: take it as an argument, or use a relative path");
            found.push(file.violation(line, "machine path", what));
        }
        for (line, host) in occurrences(&file.text, REGISTRIES, |_, _| true) {
            let what = format!("`{host}`: leave the host to the package manager's configuration");
            found.push(file.violation(line, "registry host", what));
        }
    }
    found
}

fn is_data(path: &str) -> bool {
    [".json", ".csv", ".lock", ".svg", ".pem"].iter().any(|end| path.ends_with(end))
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Lines, from 1, on which a needle stands between characters that `fits` accepts.
fn occurrences(
    text: &str,
    needles: &[&'static str],
    fits: impl Fn(Option<char>, Option<char>) -> bool,
) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for &needle in needles {
            let around = |at: usize| (line[..at].chars().next_back(), line[at + needle.len()..].chars().next());
            let mut places = line.match_indices(needle).map(|(at, _)| around(at));
            if places.any(|(before, after)| fits(before, after)) {
                found.push((number + 1, needle));
            }
        }
    }
    found
}
