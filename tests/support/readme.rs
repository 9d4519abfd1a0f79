//! The README as commands, each with what it prints there.

/// The commands of a section of the README and the lines that they print there, `...` for lines that are left out.
///
/// # Panics
/// There is no such section.
pub fn commands(section: &str) -> Vec<(String, Vec<String>)> {
    let readme = include_str!("../../README.md");
    let section = readme.split("\n## ").find(|text| text.starts_with(section)).expect("a section");
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut continues = false;
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((command, _))) if continues => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, printed))) => printed.push(line.trim_end().to_owned()),
            (None, None) => {}
        }
        continues = line.ends_with('\\');
    }
    commands
}

/// A line as it is each time: without digests, seconds and sizes.
pub fn same_each_time(line: &str) -> String {
    let measured = ["bytes)", " s in all", "verified in"].iter().any(|unit| line.contains(unit));
    let word = |word: &str| {
        let hex = |part: &str| [16, 64].contains(&part.len()) && part.bytes().all(|c| c.is_ascii_hexdigit());
        let digest = word.split('/').any(|part| hex(part.trim_matches(['(', ')', ','])));
        let number = measured && word.trim_start_matches('(').starts_with(|c: char| c.is_ascii_digit());
        if digest || number { "*".to_owned() } else { word.to_owned() }
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Holds what a command printed against what the README shows.
///
/// # Panics
/// It shows a line that was not printed.
#[track_caller]
pub fn check(shown: &[String], printed: &str) {
    let printed: Vec<_> = printed.lines().map(same_each_time).collect();
    for line in shown.iter().filter(|line| !line.is_empty() && line.trim() != "...") {
        assert!(printed.contains(&same_each_time(line)), "the README shows `{line}`; printed is {printed:#?}");
    }
}
