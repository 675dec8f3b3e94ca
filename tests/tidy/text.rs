//! Rules for all text files: left-over marks, machine paths, links, the version of Rust.

use crate::{
    Finding,
    scan::{File, find_word, line},
};

/// Marks of unfinished work. Spelled in halves, since this file is held to the rule too.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Where the paths of one machine begin.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/tmp", "/bash"),
    concat!("/tmp", "/wt/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn extension(file: &File) -> &str {
    file.path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, end)| end)
}

pub(crate) fn leftovers(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mark in MARKS {
        for at in find_word(&file.text, mark) {
            let what = format!("left-over {mark}: finish it or file an issue");
            findings.push(Finding::new(&file.path, line(&file.text, at), what));
        }
    }
    // Expected output in data files may well end in blanks.
    let script = file.path.starts_with(".ci/");
    if script || ["rs", "md", "toml", "py", "sh", "yml"].contains(&extension(file)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(&file.path, number, "trailing whitespace"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            findings.push(Finding::new(&file.path, 1, "no newline at the end of the file"));
        }
    }
    findings
}

/// The repository works on every machine, so it names none.
pub(crate) fn machines(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for start in MACHINE_PATHS {
        for (at, _) in file.text.match_indices(start) {
            let before = file.text[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && !"._-/~$}".contains(c)) {
                let what = format!("a path of one machine: {start}...");
                findings.push(Finding::new(&file.path, line(&file.text, at), what));
            }
        }
    }
    if file.path.ends_with("Cargo.lock") {
        for (number, line) in (1..).zip(file.text.lines()) {
            let source = line.strip_prefix("source = ").map(|source| source.trim_matches('"'));
            if source.is_some_and(|source| source != CRATES_IO) {
                findings.push(Finding::new(&file.path, number, "a package not from crates.io"));
            }
        }
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        if private_hosts(line) {
            findings.push(Finding::new(&file.path, number, "a URL of a private host"));
        }
    }
    findings
}

/// Whether the line has a URL that only one network can resolve.
fn private_hosts(line: &str) -> bool {
    let hosts = line
        .split("://")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && !".-".contains(c)).next());
    let mut hosts = hosts.filter(|host| !host.is_empty());
    hosts.any(|host| {
        let loopback = host == "localhost" || host.starts_with("127.");
        let private =
            [".internal", ".local", ".lan", ".corp"].iter().any(|end| host.ends_with(end))
                || ["10.", "192.168."].iter().any(|start| host.starts_with(start));
        private || !host.contains('.') && !loopback
    })
}

/// The text with fenced blocks and inline code blanked, line by line.
fn prose(markdown: &str) -> Vec<String> {
    let mut fenced = false;
    let mut out = Vec::new();
    for line in markdown.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        let outside = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        out.push(if fenced || fence { String::new() } else { outside });
    }
    out
}

/// The targets of `[text](target)` and `[label]: target` in a line of prose.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let label = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    inline.chain(label.map(|(_, target)| target.trim())).collect()
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(file: &File, wanted: &str) -> bool {
    let lines = file.text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| anchor(line.trim_start_matches('#'))).any(|found| found == wanted)
}

/// `target`, seen from the file at `base`, as a path from the root; `None` when it leaves it.
fn resolve(base: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Links between documents lead somewhere.
pub(crate) fn links(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| extension(file) == "md") {
        for (number, line) in (1..).zip(prose(&file.text)) {
            for link in targets(&line).into_iter().filter(|link| !elsewhere(link)) {
                if let Err(fault) = follow(files, file, link) {
                    findings.push(Finding::new(&file.path, number, format!("{fault}: {link}")));
                }
            }
        }
    }
    findings
}

fn elsewhere(link: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme))
}

fn follow(files: &[File], from: &File, link: &str) -> Result<(), &'static str> {
    let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
    let path =
        if target.is_empty() { Some(from.path.clone()) } else { resolve(&from.path, target) };
    let path = path.ok_or("link out of the repository")?;
    let folder = format!("{path}/");
    if path.is_empty() || files.iter().any(|file| file.path.starts_with(&folder)) {
        return Ok(());
    }
    let found = files.iter().find(|file| file.path == path).ok_or("link to nothing")?;
    let anchored = fragment.is_empty() || extension(found) != "md" || has_anchor(found, fragment);
    anchored.then_some(()).ok_or("link to no heading")
}

/// "Rust 1.x" in a document means what Cargo.toml says.
pub(crate) fn rust_version(files: &[File]) -> Vec<Finding> {
    let manifest = files.iter().find(|file| file.path == "Cargo.toml");
    let declared = manifest.and_then(|file| {
        let mut lines = file.text.lines();
        lines.find_map(|line| line.strip_prefix("rust-version = "))
    });
    let Some(declared) = declared.map(|version| version.trim_matches('"')) else {
        return vec![Finding::new("Cargo.toml", 1, "no rust-version")];
    };
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| extension(file) == "md") {
        for (number, line) in (1..).zip(file.text.lines()) {
            for said in versions(line).filter(|said| *said != declared) {
                let what = format!("says Rust {said}, Cargo.toml says {declared}");
                findings.push(Finding::new(&file.path, number, what));
            }
        }
    }
    findings
}

/// The version numbers that follow a name of the compiler.
fn versions(line: &str) -> impl Iterator<Item = &str> {
    ["Rust ", "rustc ", "MSRV "].into_iter().flat_map(|name| line.split(name).skip(1)).filter_map(
        |rest| {
            let number = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
            let number = number.trim_end_matches('.');
            number.contains('.').then_some(number)
        },
    )
}
