//! Enough of Rust's grammar to measure functions and to find paths: comments, literals, tokens, items under test.

/// A word (identifier, keyword or number), `::`, or one punctuation character.
pub struct Token {
    pub line: usize,
    pub text: String,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// A function with a body; `lines` runs from `fn` to the closing brace.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// `a::b::c`, with the groups of `use` written out.
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
}

/// One Rust file, read.
pub struct Rust {
    pub tokens: Vec<Token>,
    /// By line, from 1: does the line stand inside an item that only tests see?
    pub test_lines: Vec<bool>,
    /// Names of the modules that only tests see and that are other files.
    pub test_modules: Vec<String>,
}

impl Rust {
    pub fn read(source: &str) -> Self {
        let tokens = tokens(&blank(source));
        let mut test_lines = vec![false; source.lines().count() + 2];
        let mut test_modules = Vec::new();
        for at in 0..tokens.len() {
            let inner = is(&tokens, at + 1, "!");
            let open = at + 1 + usize::from(inner);
            if !is(&tokens, at, "#") || !is(&tokens, open, "[") {
                continue;
            }
            let close = matching(&tokens, open);
            if !only_for_tests(&tokens[open + 1..close]) {
                continue;
            }
            let (first, last) =
                if inner { (0, test_lines.len() - 1) } else { (tokens[at].line, item_end(&tokens, close + 1)) };
            test_lines[first..=last].fill(true);
            test_modules.extend(declared(&tokens, close + 1, last));
        }
        Self { tokens, test_lines, test_modules }
    }

    pub fn functions(&self) -> Vec<Function> {
        let tokens = &self.tokens;
        let named =
            |at: usize| is(tokens, at, "fn") && tokens.get(at + 1).is_some_and(|t| t.is_word() || t.text == "$");
        let measure = |at: usize| {
            let close = matching(tokens, body(tokens, at + 2)?);
            let (name, line) = (tokens[at + 1].text.clone(), tokens[at].line);
            Some(Function { name, line, lines: tokens[close].line - line + 1 })
        };
        (0..tokens.len()).filter(|&at| named(at)).filter_map(measure).collect()
    }

    pub fn paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let inside = is(&self.tokens, at.wrapping_sub(1), "::")
                && self.tokens.get(at.wrapping_sub(2)).is_some_and(|before| before.is_word() || before.text == ">");
            at = if self.tokens[at].is_word() && !inside {
                path(&self.tokens, at, Vec::new(), &mut found)
            } else {
                at + 1
            };
        }
        found
    }
}

pub fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

/// The source with spaces in place of comments, strings and characters; lines stay where they are.
pub fn blank(source: &str) -> String {
    let source: Vec<char> = source.chars().collect();
    let mut code = String::new();
    let mut at = 0;
    while at < source.len() {
        if let Some(end) = opaque_end(&source, at) {
            code.extend(source[at..end].iter().map(|&c| if c == '\n' { c } else { ' ' }));
            at = end;
        } else {
            code.push(source[at]);
            at += 1;
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends, if one does.
fn opaque_end(source: &[char], at: usize) -> Option<usize> {
    let next = source.get(at + 1).copied();
    let find = |from: usize, wanted: char| {
        source.iter().skip(from).position(|&c| c == wanted).map_or(source.len(), |found| from + found)
    };
    match source[at] {
        '/' if next == Some('/') => Some(find(at, '\n')),
        '/' if next == Some('*') => Some(block_comment_end(source, at)),
        '"' => Some(string_end(source, at + 1)),
        'r' if starts_literal(source, at) => raw_string_end(source, at + 1),
        '\'' if next == Some('\\') => Some((find(at + 3, '\'') + 1).min(source.len())),
        '\'' if source.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn block_comment_end(source: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < source.len() {
        match source.get(at..at + 2) {
            Some(['/', '*']) => (depth, at) = (depth + 1, at + 2),
            Some(['*', '/']) if depth == 1 => return at + 2,
            Some(['*', '/']) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    source.len()
}

fn string_end(source: &[char], mut at: usize) -> usize {
    while at < source.len() && source[at] != '"' {
        at += if source[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(source.len())
}

/// Whether the `r` at `at` stands alone or after the `b` or `c` of a literal, not inside a word.
fn starts_literal(source: &[char], at: usize) -> bool {
    let in_word = |at: Option<usize>| at.is_some_and(|at| source[at].is_alphanumeric() || source[at] == '_');
    match at.checked_sub(1) {
        Some(before) if matches!(source[before], 'b' | 'c') => !in_word(before.checked_sub(1)),
        before => !in_word(before),
    }
}

fn raw_string_end(source: &[char], after_r: usize) -> Option<usize> {
    let hashes = source[after_r..].iter().take_while(|&&c| c == '#').count();
    let start = after_r + hashes;
    if source.get(start) != Some(&'"') {
        return None;
    }
    let mut end: Vec<char> = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let length = source[start + 1..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(source.len(), |length| start + 1 + length + end.len()))
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                _ => word,
            };
            tokens.push(Token { line: number + 1, text: rest[..length].to_owned() });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// The index of the bracket that closes the one at `open`; the last token where none does.
fn matching(tokens: &[Token], open: usize) -> usize {
    let opening = tokens[open].text.as_str();
    let closing = match opening {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        depth += i64::from(token.text == opening) - i64::from(token.text == closing);
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// The first `{` outside other brackets, unless a `;` or the end of the surrounding item comes first.
fn body(tokens: &[Token], mut at: usize) -> Option<usize> {
    loop {
        match tokens.get(at)?.text.as_str() {
            "{" => return Some(at),
            ";" | "}" => return None,
            "(" | "[" => at = matching(tokens, at) + 1,
            _ => at += 1,
        }
    }
}

/// The last line of the item that begins at `at`, perhaps with more attributes.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while is(tokens, at, "#") && is(tokens, at + 1, "[") {
        at = matching(tokens, at + 1) + 1;
    }
    let end = match body(tokens, at) {
        Some(open) => matching(tokens, open),
        None => (at..tokens.len()).find(|&at| is(tokens, at, ";")).unwrap_or(tokens.len() - 1),
    };
    tokens[end].line
}

/// Whether what stands in an attribute's brackets hides the item from the product: `cfg(test)`, `test`, `tokio::test`.
fn only_for_tests(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.text == word);
    match attribute.first().map(|token| token.text.as_str()) {
        Some("cfg") => has("test") && !has("not") && !has("any"),
        Some("test") => attribute.len() == 1,
        _ => is(attribute, 1, "::") && is(attribute, 2, "test"),
    }
}

/// Modules in other files that are declared from token `at` to line `last`.
fn declared(tokens: &[Token], at: usize, last: usize) -> impl Iterator<Item = String> + '_ {
    let window = tokens[at.min(tokens.len())..].windows(3).take_while(move |window| window[2].line <= last);
    window.filter(|w| w[0].text == "mod" && w[2].text == ";").map(|w| w[1].text.clone())
}

/// Reads one path from `at` on, with `segments` before it; returns where reading goes on.
fn path(tokens: &[Token], mut at: usize, mut segments: Vec<String>, found: &mut Vec<Path>) -> usize {
    let line = tokens[at].line;
    while let Some(token) = tokens.get(at) {
        if token.text == "{" && !segments.is_empty() {
            return group(tokens, at + 1, &segments, found);
        }
        if !token.is_word() && token.text != "*" {
            break;
        }
        segments.push(token.text.clone());
        at += 1;
        if !is(tokens, at, "::") {
            break;
        }
        at += 1;
    }
    found.push(Path { line, segments });
    at
}

/// Reads `a, b::c as d, {e, f}}`.
fn group(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    while at < tokens.len() && !is(tokens, at, "}") {
        at = match tokens[at].text.as_str() {
            "as" => at + 2,
            "{" => group(tokens, at + 1, prefix, found),
            "*" => path(tokens, at, prefix.to_vec(), found),
            _ if tokens[at].is_word() => path(tokens, at, prefix.to_vec(), found),
            _ => at + 1,
        };
    }
    at + 1
}
