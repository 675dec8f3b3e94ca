//! Tests of the repository itself: who imports whom, how long things are, what the code below the
//! drivers may not even mention, and whether the documents tell the truth.
//!
//! Each rule is a function from files to findings, so that `planted.rs` can show each of them a
//! violation and see it found.

mod code;
mod imports;
mod planted;
mod scan;
mod text;

use core::fmt;
use std::{fs, path::Path};

use scan::{File, Source};

/// A rule broken at a place.
#[derive(Debug)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// All text files of the repository that are not ignored, in the order of their paths.
fn repository() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut files = Vec::new();
    walk(root, "", &ignored, &mut files);
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "no crate at {}", root.display());
    files
}

fn walk(folder: &Path, prefix: &str, ignored: &[&str], files: &mut Vec<File>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository is readable");
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{prefix}{name}");
        let skip = [".git", "target", "__pycache__"].contains(&name.as_ref());
        if skip || ignored.contains(&path.as_str()) || entry.is_symlink() {
            continue;
        }
        if entry.is_dir() {
            walk(&entry, &format!("{path}/"), ignored, files);
        } else if let Ok(text) = fs::read_to_string(&entry) {
            // What is not UTF-8 is data, not text.
            files.push(File { path, text });
        }
    }
}

/// Runs a rule on every Rust file.
fn each_source(files: &[File], rule: fn(&Source<'_>) -> Vec<Finding>) -> Vec<Finding> {
    let rust = files.iter().filter(|file| text::extension(file) == "rs");
    rust.flat_map(|file| rule(&Source::new(file))).collect()
}

#[track_caller]
fn assert_tidy(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn imports_run_downwards() {
    assert_tidy(&each_source(&repository(), imports::check));
}

#[test]
fn files_and_functions_are_short() {
    assert_tidy(&each_source(&repository(), code::sizes));
}

#[test]
fn no_clock_chance_or_socket_below_the_drivers() {
    assert_tidy(&each_source(&repository(), code::words));
}

#[test]
fn every_file_says_what_it_is() {
    assert_tidy(&each_source(&repository(), code::heading));
}

#[test]
fn nothing_is_left_over() {
    let files = repository();
    assert_tidy(&each_source(&files, code::leftovers));
    assert_tidy(&files.iter().flat_map(text::leftovers).collect::<Vec<_>>());
}

#[test]
fn no_file_names_a_machine() {
    assert_tidy(&repository().iter().flat_map(text::machines).collect::<Vec<_>>());
}

#[test]
fn links_resolve() {
    assert_tidy(&text::links(&repository()));
}

#[test]
fn documents_name_the_rust_version_of_the_manifest() {
    assert_tidy(&text::rust_version(&repository()));
}
