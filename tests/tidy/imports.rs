//! Who may look into whom: the layer table of ARCHITECTURE.md, held against `use` lines and paths.

use core::ops::Range;

use crate::{
    Finding,
    scan::{Source, closing, find_word, is_word},
};

/// The rooms of each layer, L0 first.
const LAYERS: [&[&str]; 6] = [
    &["time", "rng", "seq", "ecn", "quantity", "channel", "sys"],
    &["wire", "buf"],
    &["endpoint", "batch", "trace", "hub"],
    &["classic", "transport", "link", "app"],
    &["sim", "check", "capture", "net"],
    &["harness", "manual", "main", "cli"],
];

/// Importer and imported that may stand on one layer above L2, each for a reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The lab session runs the book's machines over messages.
    ("app", "classic"),
];

pub(crate) fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The room that a file of src belongs to; `None` for the crate's root.
pub(crate) fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then_some(room)
}

pub(crate) fn check(source: &Source<'_>) -> Vec<Finding> {
    let Some(from) = room(source.path) else { return Vec::new() };
    let Some(from_layer) = layer(from) else {
        return vec![Finding::new(source.path, 1, format!("`{from}` is in no layer"))];
    };
    let mut findings = Vec::new();
    for (at, path) in references(&source.code) {
        if source.is_test(at) {
            continue;
        }
        let module = module(source, at);
        let Some(to) = target(&module, &path) else { continue };
        let fault = match layer(&to) {
            _ if to == from || EXCEPTIONS.contains(&(from, &to)) => continue,
            None => format!("`{}` names no room of the layer table", path.join("::")),
            Some(layer) if layer > from_layer => {
                format!("`{from}` (L{from_layer}) looks up into `{to}` (L{layer})")
            }
            Some(layer) if layer == from_layer && matches!(layer, 3 | 4) => {
                format!("`{from}` looks into its neighbour `{to}` (both L{layer})")
            }
            Some(_) => continue,
        };
        findings.push(Finding::new(source.path, source.line(at), fault));
    }
    findings
}

/// The module that the code at `at` stands in, from the crate's root.
fn module(source: &Source<'_>, at: usize) -> Vec<String> {
    let inside = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = inside.split('/').map(String::from).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    for start in find_word(&source.code, "mod").take_while(|&start| start < at) {
        let head = &source.code[start..];
        let Some(open) = head.find(['{', ';']).filter(|&open| head[open..].starts_with('{')) else {
            continue;
        };
        if closing(&source.code, start + open) > at {
            module.push(head["mod".len()..open].trim().to_owned());
        }
    }
    module
}

/// The room that `path`, written in `module`, leads to; `None` outside this crate or when relative.
fn target(module: &[String], path: &[String]) -> Option<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (depth, rest) = match path[0].as_str() {
        "crate" | "rdtp" => (0, &path[1..]),
        "super" => (module.len().saturating_sub(supers), &path[supers..]),
        _ => return None,
    };
    module[..depth].iter().chain(rest).next().cloned()
}

/// Every path of this crate that the code names: in `use` lines and inline.
fn references(code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut uses: Vec<Range<usize>> = Vec::new();
    for start in find_word(code, "use") {
        let rest = &code[start + "use".len()..];
        if rest.trim_start().starts_with('<') {
            continue; // `impl Trait + use<'a>`
        }
        let length = rest.find(';').unwrap_or(rest.len());
        let mut paths = Vec::new();
        expand(&rest[..length], &[], &mut paths);
        found.extend(paths.into_iter().map(|path| (start, path)));
        uses.push(start..start + "use".len() + length);
    }
    for root in ["crate", "super", "rdtp"] {
        for at in find_word(code, root) {
            let inner = code[..at].ends_with("::") || uses.iter().any(|range| range.contains(&at));
            if !inner && code[at + root.len()..].starts_with("::") {
                found.push((at, inline_path(&code[at..])));
            }
        }
    }
    found
}

/// Writes out a tree such as `crate::{a, b::{c, d as e}}` as its paths.
fn expand(tree: &str, prefix: &[String], out: &mut Vec<Vec<String>>) {
    let tree = tree.trim().trim_start_matches("::");
    if let Some(open) = tree.find('{') {
        let mut prefix = prefix.to_vec();
        prefix.extend(segments(&tree[..open]));
        let inner = &tree[open + 1..closing(tree, open) - 1];
        split_branches(inner).for_each(|branch| expand(branch, &prefix, out));
    } else if !tree.is_empty() {
        let path = tree.split_whitespace().next().unwrap_or_default();
        out.push(prefix.iter().cloned().chain(segments(path)).collect());
    }
}

fn segments(path: &str) -> impl Iterator<Item = String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(String::from)
}

/// The parts between the commas that are in no braces.
fn split_branches(inner: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    inner.split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn inline_path(code: &str) -> Vec<String> {
    let end = code.bytes().position(|byte| !is_word(byte) && byte != b':').unwrap_or(code.len());
    segments(&code[..end]).collect()
}
