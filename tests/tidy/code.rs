//! Rules for Rust code: sizes, forbidden words, headings, left-overs.

use crate::{
    Finding, imports,
    scan::{Source, find_word, functions},
};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions that a reader can hold in the head. Unit tests do not count for their file.
pub(crate) fn sizes(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.lines_outside_tests();
    if lines > FILE_LINES_MAX {
        let what = format!("{lines} lines outside its tests, at most {FILE_LINES_MAX}");
        findings.push(Finding::new(source.path, 1, what));
    }
    for function in functions(&source.code) {
        if function.lines > FUNCTION_LINES_MAX {
            let (name, lines) = (function.name, function.lines);
            let what = format!("`fn {name}` has {lines} lines, at most {FUNCTION_LINES_MAX}");
            findings.push(Finding::new(source.path, source.line(function.start), what));
        }
    }
    findings
}

/// Words that are welcome only in some rooms.
struct Ban {
    words: &'static [&'static str],
    allowed: fn(&Source<'_>) -> bool,
    why: &'static str,
}

const BANS: [Ban; 6] = [
    Ban {
        words: &[
            "std::time",
            "Instant::now",
            "SystemTime",
            "UNIX_EPOCH",
            "std::net",
            "UdpSocket",
            "TcpStream",
            "socket2",
            "rustix",
            "std::thread",
        ],
        allowed: |source| {
            matches!(imports::room(source.path), Some("net" | "cli" | "main"))
                || source.path.starts_with("src/sys/udp/")
        },
        why: "only net and the program see clocks, sockets and threads",
    },
    Ban {
        words: &["rand::", "thread_rng", "RandomState", "getrandom"],
        allowed: |source| matches!(imports::room(source.path), Some("rng")),
        why: "all chance comes from crate::rng",
    },
    Ban {
        words: &["HashMap", "HashSet"],
        allowed: |source| matches!(imports::room(source.path), Some("net" | "cli" | "main")),
        why: "iteration order differs between runs; use BTreeMap, BTreeSet or a sorted list",
    },
    Ban {
        words: &["f32", "f64"],
        allowed: |source| {
            let room = imports::room(source.path);
            room.and_then(imports::layer).is_none_or(|layer| layer > 3) || floats_allowed(source)
        },
        why: "decisions are made in integers; a file that only prints may say \
              `// tidy: floats allowed: <reason>`",
    },
    Ban {
        words: &["Lang::Pt", "Lang::Es", "Self::Pt", "Self::Es"],
        allowed: |source| {
            source.path.starts_with("src/app/words/") || source.path == "src/cli/lang.rs"
        },
        why: "what programs say in several languages is said in app::words",
    },
    Ban {
        words: &["unsafe"],
        allowed: |source| imports::room(source.path) == Some("sys"),
        why: "unsafe code lives in sys alone",
    },
];

/// Whether the file carries the opt-out comment with a reason of at least two words.
fn floats_allowed(source: &Source<'_>) -> bool {
    let reason = source.text.lines().find_map(|line| line.strip_prefix("// tidy: floats allowed:"));
    reason.is_some_and(|reason| reason.split_whitespace().count() >= 2)
}

/// Determinism is a property of imports: what a room cannot name it cannot use.
pub(crate) fn words(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.path.starts_with("src/") {
        return findings;
    }
    for ban in BANS.iter().filter(|ban| !(ban.allowed)(source)) {
        for word in ban.words {
            for at in find_word(&source.code, word).filter(|&at| !source.is_test(at)) {
                let what = format!("`{word}`: {}", ban.why);
                findings.push(Finding::new(source.path, source.line(at), what));
            }
        }
        for at in grouped_std_imports(source, ban.words) {
            let what = format!("import from `std`: {}", ban.why);
            findings.push(Finding::new(source.path, source.line(at), what));
        }
    }
    findings
}

/// Finds `use std::{..., net::..., ...}`, where the forbidden path is not spelled in one piece.
fn grouped_std_imports(source: &Source<'_>, words: &[&str]) -> Vec<usize> {
    let modules: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("std::")).collect();
    let code = &source.code;
    let starts = find_word(code, "use").filter(|&at| !source.is_test(at));
    let statements = starts.map(|at| (at, code[at..].split(';').next().unwrap_or_default()));
    let grouped = statements.filter(|(_, statement)| {
        let Some((_, tree)) = statement.split_once("std::{") else { return false };
        modules.iter().any(|module| find_word(tree, module).next().is_some())
    });
    grouped.map(|(at, _)| at).collect()
}

/// The first line that is no inner attribute is documentation.
pub(crate) fn heading(source: &Source<'_>) -> Vec<Finding> {
    let first = source.text.lines().find(|line| !line.starts_with("#!["));
    if first.is_some_and(|line| line.starts_with("//! ")) {
        return Vec::new();
    }
    vec![Finding::new(source.path, 1, "does not begin with `//!` and what the file is for")]
}

/// Code that stands in for code. The macros are also denied by clippy, where it is run.
pub(crate) fn leftovers(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for word in ["todo!", "unimplemented!", "dbg!", "#[ignore]"] {
        for at in find_word(&source.code, word) {
            let what = match word {
                "#[ignore]" => "a test is ignored without a reason".to_owned(),
                _ => format!("left-over `{word}`"),
            };
            findings.push(Finding::new(source.path, source.line(at), what));
        }
    }
    findings
}
