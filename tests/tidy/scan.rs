//! Reads Rust source just well enough: what is code and what is comment or literal, where an item
//! ends, which functions there are, and what is compiled for tests only.

use core::ops::Range;

/// A file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file, prepared for the rules.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// The text with comments and literals blanked out; offsets and lines stay the same.
    pub(crate) code: String,
    /// What is compiled for unit tests only.
    tests: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        let code = mask(&file.text);
        // `#[cfg(test)] mod tests;` moves the tests of a file into one of their own.
        let own_file = ["/tests.rs", "_tests.rs"].iter().any(|end| file.path.ends_with(end));
        let whole = file.path.starts_with("src/") && (own_file || file.path.contains("/tests/"));
        let tests = if whole { Vec::from([everything(&code)]) } else { test_regions(&code) };
        Self { path: &file.path, text: &file.text, code, tests }
    }

    pub(crate) fn line(&self, at: usize) -> usize {
        line(self.text, at)
    }

    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// Lines that are not compiled for tests only.
    pub(crate) fn lines_outside_tests(&self) -> usize {
        let in_tests: usize =
            self.tests.iter().map(|range| self.text[range.clone()].lines().count()).sum();
        self.text.lines().count() - in_tests
    }
}

/// The line, counted from 1, of the byte at `at`.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text[..at].split('\n').count()
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Where `word` occurs and is not part of a longer word.
pub(crate) fn find_word<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let starts = at == 0 || !is_word(bytes[at - 1]) || !is_word(word.as_bytes()[0]);
        let end = at + word.len();
        let ends = end == bytes.len() || !is_word(bytes[end]) || !is_word(bytes[end - 1]);
        starts && ends
    })
}

/// Blanks out comments, strings and characters. Keeps the offset and the line of everything else.
pub(crate) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (end, opaque) = token(bytes, at);
        if opaque {
            out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8(out).expect("whole comments and literals are blanked, so no character is cut")
}

/// Where the token at `at` ends, and whether it is a comment or a literal.
fn token(bytes: &[u8], at: usize) -> (usize, bool) {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => (at + length_until(rest, b"\n"), true),
        b'/' if rest.starts_with(b"/*") => (at + comment_length(rest), true),
        b'"' => (at + string_length(rest), true),
        b'\'' => match character_length(rest) {
            Some(length) => (at + length, true),
            None => (at + 1, false), // a lifetime
        },
        byte if is_word(byte) => {
            let word = rest.iter().take_while(|&&byte| is_word(byte)).count();
            let raw = matches!(&rest[..word], b"r" | b"br" | b"cr");
            match raw.then(|| raw_string_length(&rest[word..])).flatten() {
                Some(length) => (at + word + length, true),
                None => (at + word, false),
            }
        }
        _ => (at + 1, false),
    }
}

fn length_until(bytes: &[u8], end: &[u8]) -> usize {
    bytes.windows(end.len()).position(|window| window == end).unwrap_or(bytes.len())
}

/// The length of a block comment; they nest.
fn comment_length(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of the rest of a raw string after its `r`; `None` for a raw identifier.
fn raw_string_length(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes.iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(hashes + 1, b'#');
    let body = hashes + 1;
    Some((body + length_until(&bytes[body..], &end) + end.len()).min(bytes.len()))
}

/// The length of a character literal; `None` when the quote begins a lifetime.
fn character_length(bytes: &[u8]) -> Option<usize> {
    if bytes.get(1) == Some(&b'\\') {
        // Skip the escaped character, which may itself be a quote.
        return Some(3 + length_until(bytes.get(3..)?, b"'") + 1);
    }
    // One character of one to four bytes, then the closing quote.
    let width = match *bytes.get(1)? {
        0x00..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    };
    (bytes.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// Just after the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Just after the end of the item that begins at `start`, and whether it ends with a body.
fn item_end(code: &str, start: usize) -> (usize, bool) {
    let mut at = start;
    while let Some(byte) = code.as_bytes().get(at) {
        match byte {
            b'(' | b'[' => at = closing(code, at),
            b'{' => return (closing(code, at), true),
            b';' => return (at + 1, false),
            _ => at += 1,
        }
    }
    (code.len(), false)
}

fn everything(code: &str) -> Range<usize> {
    0..code.len()
}

fn test_regions(code: &str) -> Vec<Range<usize>> {
    let only_tests = |condition: &str| {
        let all = condition.starts_with("all(") && !condition.contains("not(");
        condition == "test" || all && find_word(condition, "test").next().is_some()
    };
    let mut regions = Vec::new();
    for (start, _) in code.match_indices("cfg(") {
        let inner = code[..start].ends_with("#![");
        if !inner && !code[..start].ends_with("#[") {
            continue;
        }
        let open = start + "cfg".len();
        let condition = &code[open + 1..closing(code, open) - 1];
        if !only_tests(condition.trim()) {
            continue;
        }
        if inner {
            return Vec::from([everything(code)]);
        }
        let attribute = start - "#[".len();
        // Further attributes are skipped as brackets by the search for the item's end.
        let region = attribute..item_end(code, attribute + 1).0;
        if regions.last().is_none_or(|last: &Range<usize>| last.end <= region.start) {
            regions.push(region);
        }
    }
    regions
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) start: usize,
    /// From the line of `fn` to that of the closing brace.
    pub(crate) lines: usize,
}

pub(crate) fn functions(code: &str) -> Vec<Function<'_>> {
    let with_body = |start: usize| {
        let rest = code[start + "fn".len()..].trim_start();
        let name = rest.split(|c: char| c != '_' && c != '$' && !c.is_alphanumeric()).next()?;
        let (end, body) = item_end(code, start);
        // A nameless `fn` is a type, one without a body a declaration.
        (!name.is_empty() && body).then(|| Function {
            name,
            start,
            lines: code[start..end].lines().count(),
        })
    };
    find_word(code, "fn").filter_map(with_body).collect()
}
