//! What a verdict means, in the words of the document that comes with the program.

use std::sync::LazyLock;

/// The document.
pub const DOCUMENT: &str = include_str!("../../docs/what-a-verdict-means.md");
/// The heading of what no verdict establishes.
const LIST: &str = "## What no verdict establishes\n";
/// The document's main sentence.
pub const MAIN: &str = "a signature shows who said it, not that it is true";

/// What no verdict establishes: the list of the document, a sentence each.
pub static DOES_NOT_ESTABLISH: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let section = DOCUMENT.split_once(LIST).map_or("", |(_, after)| after.split("\n## ").next().unwrap_or_default());
    section.lines().filter_map(|line| line.strip_prefix("- ")).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_program_says() {
        assert!(DOES_NOT_ESTABLISH.len() >= 10, "{DOES_NOT_ESTABLISH:?}");
        for sentence in DOES_NOT_ESTABLISH.iter() {
            assert!(
                sentence.starts_with("That ") && sentence.ends_with('.'),
                "a whole sentence, on one line: {sentence}"
            );
        }
        assert!(DOES_NOT_ESTABLISH[0].contains(MAIN));
        assert!(DOCUMENT.to_lowercase().contains(&format!("**{MAIN}.**")));
    }
}
