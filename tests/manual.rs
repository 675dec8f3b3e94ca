//! The guide shows nothing that was written down by hand: every output, picture and piece of code in
//! it is made anew here and compared. `UPDATE=1 cargo test --test manual` writes them.
//!
//! A chapter marks them so, each followed by a block that is replaced:
//!
//! - `<!-- run: rdtp ... -->`: the output of a command, as typed; `| grep WORDS`, `| head -N` and
//!   `| tail -N` behind it shorten the output;
//! - `<!-- code: FILE | FIRST | LAST -->`: the lines of a source file from the first that contains
//!   FIRST to the next that contains LAST, or is LAST if that is a brace; with `{}` for LAST, to the
//!   brace that closes the first line;
//! - `<!-- svg: rdtp ... -->`: a picture that the command prints, or writes to `FIGURE`.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/program.rs"]
mod program;

use std::{env, fs, path::PathBuf};

use program::{Directory, rdtp};
use rdtp::manual::CHAPTERS;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The words of a command line; single quotes keep words together.
fn words(command: &str) -> Vec<String> {
    let quoted = command.split('\'').enumerate();
    quoted
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(String::from).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// What a command of a chapter prints, without the seconds that a search took.
fn output(command: &str) -> String {
    let mut stages = command.split('|').map(str::trim);
    let words = words(stages.next().unwrap());
    let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(arguments[0], "rdtp", "{command}");
    let done = rdtp(&arguments[1..]).finish();
    assert!(matches!(done.code, Some(0 | 1)), "{command}: {}", done.stderr);
    let mut lines: Vec<String> = done.stdout.lines().map(timeless).collect();
    for stage in stages {
        match stage.split_once(' ') {
            Some(("grep", words)) => lines.retain(|line| line.contains(words.trim_matches('\''))),
            Some(("head", count)) => lines.truncate(count.trim_matches('-').parse().unwrap()),
            Some(("tail", count)) => {
                let count: usize = count.trim_matches('-').parse().unwrap();
                lines.drain(..lines.len().saturating_sub(count));
            }
            _ => panic!("{command}: grep, head and tail only"),
        }
    }
    assert!(lines.iter().any(|line| !line.is_empty()), "{command}: no output");
    lines.join("\n")
}

/// "1901 states, 11961 transitions, 0.04 s: ..." without the time.
fn timeless(line: &str) -> String {
    let line = line.trim_end();
    let Some((before, after)) = line.split_once(" transitions, ") else { return line.to_owned() };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    format!("{before} transitions{}", rest.trim_start_matches(" s"))
}

/// The lines of a source file from the first with `first` to the next with `last`, moved left.
fn code(file: &str, first: &str, last: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| line.contains(first));
    let start = start.unwrap_or_else(|| panic!("{file} has no line with {first}"));
    // A brace ends a block only when it stands alone.
    let closing = format!("{}}}", " ".repeat(lines[start].len() - lines[start].trim_start().len()));
    let ends = |line: &&str| match last {
        "{}" => *line == closing,
        "}" => line.trim() == last,
        last => line.contains(last),
    };
    let count = lines[start..].iter().position(ends);
    let count = count.unwrap_or_else(|| panic!("{file} has no {last} after {first}"));
    let taken = &lines[start..=start + count];
    let blank = |line: &&&str| !line.trim().is_empty();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let margin = taken.iter().filter(blank).map(indent).min().unwrap_or(0);
    let moved: Vec<&str> = taken.iter().map(|line| line.get(margin..).unwrap_or("")).collect();
    moved.join("\n")
}

/// A picture as it may stand in a page: its styles concern nothing else there, and it shrinks to the
/// width of the page.
fn picture(command: &str) -> String {
    let directory = Directory::new("manual");
    let file = directory.path("figure.svg");
    let to = file.to_str().unwrap();
    let words = words(command);
    let arguments: Vec<&str> =
        words.iter().map(|word| if word == "FIGURE" { to } else { word }).collect();
    let done = rdtp(&arguments[1..]).finish();
    assert!(matches!(done.code, Some(0 | 1)), "{command}: {}", done.stderr);
    let written = arguments.contains(&to);
    let svg = if written { fs::read_to_string(&file).unwrap() } else { done.stdout };
    assert!(svg.starts_with("<svg"), "{command}: {svg}");
    let mut blocks = svg.split("<style>\n");
    let head = blocks.next().unwrap();
    let mut svg =
        head.replacen("<svg ", "<svg class=\"rdtp\" style=\"max-width:100%;height:auto\" ", 1);
    let rule = |line: &str| {
        let selectors = line.starts_with(['.', 't']);
        let scoped = line.replace(",.", ",.rdtp .");
        if selectors { format!(".rdtp {scoped}\n") } else { format!("{line}\n") }
    };
    for block in blocks {
        let (style, body) = block.split_once("</style>").unwrap();
        let style: String = style.lines().map(rule).collect();
        svg.extend(["<style>\n", &style, "</style>", body]);
    }
    // A blank line would end the picture in Markdown.
    let lines: Vec<&str> = svg.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.join("\n") + "\n"
}

/// A file of the guide with everything that is generated in it made anew; pictures are files of their
/// own.
fn generated(file: &str, text: &str, pictures: &mut Vec<(PathBuf, String)>) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let mark = line.strip_prefix("//! <!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some((kind, what)) = mark.and_then(|mark| mark.split_once(": ")) else { continue };
        if kind == "svg" {
            let include = lines.peek().unwrap_or(&"");
            let name = include.split('"').nth(1).unwrap_or_else(|| panic!("{file}: {what}"));
            pictures.push((root().join("src/manual").join(name), picture(what)));
            continue;
        }
        let block = match kind {
            "run" => format!("$ {what}\n{}", output(what)),
            "code" => {
                let parts: Vec<&str> = what.split(" | ").collect();
                let [source, first, last] = parts[..] else { panic!("{file}: {what}") };
                code(source, first, last)
            }
            _ => panic!("{file}: {kind} is no mark"),
        };
        let fence = lines.next().unwrap_or("");
        assert_eq!(fence, "//! ```text", "{file}: after {what}");
        assert!(lines.by_ref().any(|line| line == "//! ```"), "{file}: {what} has no end");
        out.push_str("//! ```text\n");
        for line in block.trim_end().lines() {
            out.push_str(format!("//! {line}").trim_end());
            out.push('\n');
        }
        out.push_str("//! ```\n");
    }
    out
}

#[test]
fn what_the_guide_shows_is_what_the_program_does() {
    let update = env::var_os("UPDATE").is_some();
    let mut stale = Vec::new();
    let mut compare = |path: PathBuf, expected: String| {
        if fs::read_to_string(&path).ok().as_deref() == Some(&expected) {
            return;
        }
        if update {
            fs::write(path, expected).unwrap();
        } else {
            stale.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    };
    for chapter in CHAPTERS {
        let path = root().join(format!("src/manual/{}.rs", chapter.name));
        let text = fs::read_to_string(&path).unwrap();
        let mut pictures = Vec::new();
        let expected = generated(chapter.name, &text, &mut pictures);
        compare(path, expected);
        for (path, svg) in pictures {
            compare(path, svg);
        }
    }
    assert!(stale.is_empty(), "stale: {stale:?}; UPDATE=1 cargo test --test manual writes them");
}

#[test]
fn every_chapter_has_its_parts_and_no_figure_is_left_over() {
    let mut included = Vec::new();
    for chapter in CHAPTERS {
        let text = fs::read_to_string(root().join(format!("src/manual/{}.rs", chapter.name)));
        let text = text.unwrap();
        let parts: &[&str] = if chapter.name.contains("what_next") {
            &["<summary>"]
        } else {
            &["<!-- run: rdtp ", "<!-- code: src/", "# Exercise", "<summary>", "# Try it"]
        };
        for part in parts {
            assert!(text.contains(part), "{}: {part}", chapter.name);
        }
        let includes = text.split("include_str!(\"figures/").skip(1);
        included.extend(includes.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    let mut files: Vec<String> = fs::read_dir(root().join("src/manual/figures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    included.sort();
    assert_eq!(files, included);
}

#[test]
fn the_terminal_gets_the_same_chapters_as_plain_text() {
    let contents = rdtp(&["manual"]).finish();
    assert!(contents.success, "{}", contents.stderr);
    for (number, chapter) in (1..).zip(CHAPTERS) {
        assert!(contents.stdout.contains(chapter.title), "{}", chapter.title);
        let done = rdtp(&["manual", &format!("{number}")]).finish();
        assert!(done.success, "{}", done.stderr);
        assert!(done.stdout.starts_with(&format!("{number}. {}", chapter.title)));
        for mark in ["<!--", "//!", "](crate::", "<details>", "#![doc"] {
            assert!(!done.stdout.contains(mark), "{number}: {mark}");
        }
    }
    let none = rdtp(&["manual", "99"]).finish();
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("1 to "), "{}", none.stderr);
}

#[test]
fn a_stale_block_a_wrong_mark_and_a_missing_line_are_found() {
    let stale = "//! <!-- run: rdtp check rdt1.0 | grep holds -->\n//! ```text\n//! old\n//! ```\n";
    let fresh = generated("", stale, &mut Vec::new());
    assert!(
        fresh.contains("//! $ rdtp check rdt1.0 | grep holds\n//! holds\n//! ```\n"),
        "{fresh}"
    );
    assert_eq!(generated("", &fresh, &mut Vec::new()), fresh);
    let panics = |work: fn() -> String| std::panic::catch_unwind(work).is_err();
    assert!(panics(|| generated("", "//! <!-- ran: rdtp -->\n", &mut Vec::new())));
    assert!(panics(|| code("src/lib.rs", "no such line", "}")));
    assert_eq!(timeless("9 states, 10 transitions, 0.00 s: all"), "9 states, 10 transitions: all");
}
