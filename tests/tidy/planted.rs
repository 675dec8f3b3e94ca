//! Shows every rule a violation, and something that only looks like one.

use crate::{
    Finding, code, imports,
    scan::{File, Source, functions, mask},
    text,
};

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

fn run(rule: fn(&Source<'_>) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    let file = file(path, text);
    rule(&Source::new(&file)).into_iter().map(|finding| finding.line).collect()
}

/// A function of `lines` lines.
fn long_function(lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    work();\n".repeat(lines - 2))
}

#[test]
fn the_scanner_tells_code_from_comments_and_literals() {
    for (text, code) in [
        ("a // b {", "a "),
        ("a /* b /* c */ d */ e", "a e"),
        (r#"x("{\"}") y"#, "x( ) y"),
        ("x(r#\"\"}\"#) y", "x( ) y"),
        ("br\"\\\"y", " y"),
        ("r#fn {", "r#fn {"),
        ("('{', '\\'', '\\u{7d}', b'\"') y", "( , , , b ) y"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("'é'x", " x"),
        ("for \"x\"y", "for y"),
        ("\"two\nlines\"y", " \n y"),
    ] {
        let masked = mask(text);
        assert_eq!(masked.len(), text.len(), "offsets moved in {text}");
        let mut squeezed = String::new();
        for c in masked.chars() {
            if c != ' ' || !squeezed.ends_with(' ') {
                squeezed.push(c);
            }
        }
        assert_eq!(squeezed, code, "of {text}");
    }
}

#[test]
fn the_scanner_measures_functions() {
    let text = "trait T { fn declared(&self) -> [u8; 3]; }\ntype F = fn(u8);\n\
        fn one() { \"}\" }\nfn two<T>(_: fn(T))\nwhere\n    T: Fn() -> u8,\n{\n    '}'; // }\n}\n";
    let code = mask(text);
    let found: Vec<_> = functions(&code).iter().map(|f| (f.name.to_owned(), f.lines)).collect();
    assert_eq!(found, [("one".to_owned(), 1), ("two".to_owned(), 6)]);
}

#[test]
fn an_upward_import_is_found_in_every_spelling() {
    for text in [
        "use crate::sim::World;",
        "use crate::{\n    seq::Seq, sim::{World, Run as Other},\n};",
        "pub(crate) use crate::sim as other;",
        "use super::sim::World;",
        "use super::{seq::Seq, sim::World};",
        "fn f(x: crate::sim::World) {}",
        "fn f() { super::sim::run() }",
        "mod inner { fn f() { super::super::sim::run() } }",
        "use crate::*;",
        "use crate::World;",
    ] {
        assert!(!run(imports::check, "src/wire.rs", text).is_empty(), "missed {text}");
    }
    assert_eq!(run(imports::check, "src/link/loss.rs", "\nuse super::super::sim::World;"), [2]);
    assert_eq!(run(imports::check, "src/link/mod.rs", "use super::sim::World;"), [1]);
}

#[test]
fn neighbours_above_the_contract_stay_apart() {
    for (path, text, findings) in [
        ("src/link/mod.rs", "use crate::classic::Machine;", 1),
        ("src/classic/gbn.rs", "use crate::link::Link;", 1),
        ("src/classic/gbn.rs", "use crate::app::chat;", 1),
        ("src/app/lab.rs", "use crate::link::Link;", 1),
        ("src/app/lab.rs", "use crate::classic::Machine;", 0),
        ("src/sim/mod.rs", "use crate::net::Driver;", 1),
        ("src/trace.rs", "use crate::endpoint::DropReason;", 0),
        ("src/endpoint.rs", "use crate::trace::TraceEvent;", 0),
        ("src/cli/demo.rs", "use rdtp::sim::World; use crate::cli::Outcome;", 0),
        ("src/sim/mod.rs", "use rdtp::cli::run;", 1),
        ("src/surprise.rs", "", 1),
    ] {
        assert_eq!(run(imports::check, path, text).len(), findings, "{path}: {text}");
    }
}

#[test]
fn what_is_no_import_is_left_alone() {
    for text in [
        "//! See [`crate::sim`].\n/// Or `use crate::sim::World;`.\nfn f() {}",
        "const S: &str = \"use crate::sim::World;\";",
        "#[cfg(test)]\nmod tests {\n    use crate::sim::World;\n}\n",
        "#[cfg(all(test, feature = \"net\"))]\nuse crate::sim::World;\n",
        "use super::seq::Seq; use core::fmt; use alloc::vec::Vec; use self::inner::X;",
        "fn f<'a>() -> impl Iterator + use<'a> { crate::seq::f() }",
        "pub(crate) fn f() {} pub(super) fn g() {}",
    ] {
        assert_eq!(run(imports::check, "src/wire.rs", text), [0; 0], "wrongly found in {text}");
    }
    for path in ["src/wire/tests.rs", "src/wire/lab_tests.rs", "src/wire/tests/lab.rs"] {
        assert_eq!(run(imports::check, path, "use crate::sim::World;"), [0; 0], "{path}");
    }
    assert_eq!(run(imports::check, "src/wire/contests.rs", "use crate::sim::World;"), [1]);
    let after = "#[cfg(test)]\nmod tests {}\nuse crate::sim::World;";
    assert_eq!(run(imports::check, "src/wire.rs", after), [3], "code after tests is code");
    let either = "#[cfg(any(feature = \"std\", test))]\nuse crate::sim::World;";
    assert_eq!(run(imports::check, "src/wire.rs", either), [2], "not for tests only");
}

#[test]
fn long_files_and_functions_are_found() {
    assert_eq!(run(code::sizes, "src/seq.rs", &long_function(70)), [0; 0]);
    assert_eq!(run(code::sizes, "src/seq.rs", &format!("\n{}", long_function(71))), [2]);
    assert_eq!(run(code::sizes, "benches/b.rs", &long_function(71)), [1]);
    let lines = "const X: u8 = 0;\n".repeat(600);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    use x;\n".repeat(200));
    assert_eq!(run(code::sizes, "src/seq.rs", &format!("{lines}{tests}")), [0; 0]);
    assert_eq!(run(code::sizes, "src/seq.rs", &format!("//! x\n{lines}{tests}")), [1]);
    assert_eq!(run(code::sizes, "tests/t.rs", &format!("//! x\n{lines}")), [1]);
}

#[test]
fn clocks_chance_and_sockets_are_found_below_the_drivers() {
    for text in [
        "fn f() { Instant::now(); }",
        "use std::time::Duration;",
        "use std::{fmt, time::Duration};",
        "use std::{net::SocketAddr};",
        "use std::time::SystemTime;",
        "fn f(s: std::net::UdpSocket) {}",
        "fn f() { rand::random() }",
        "use rand::Rng;",
        "fn f() { thread_rng() }",
        "use std::collections::HashMap;",
        "use std::collections::{BTreeMap, HashSet};",
        "fn f(x: f64) {}",
        "fn f() { 1 as f32; }",
        "fn f() { unsafe { g() } }",
        "// tidy: floats allowed:\nfn f(x: f64) {}",
    ] {
        assert!(!run(code::words, "src/link/loss.rs", text).is_empty(), "missed {text}");
    }
    for (path, text, fine) in [
        ("src/link/loss.rs", "use core::net::SocketAddr; fn operand::f(hf64: u8) {}", true),
        ("src/link/loss.rs", "/// Instant::now\n#[cfg(test)]\nmod tests { fn f(x: f64) {} }", true),
        ("src/link/stats.rs", "// tidy: floats allowed: prints rates\nfn f(x: f64) {}", true),
        ("src/rng.rs", "use rand::Rng;", true),
        ("src/sim/mod.rs", "use rand::Rng;", false),
        ("src/sim/mod.rs", "fn f() { Instant::now(); }", false),
        ("src/sim/report.rs", "fn f(x: f64) {}", true),
        ("src/net/clock.rs", "fn f() { std::time::Instant::now(); }", true),
        ("src/sys/gso.rs", "fn f() { unsafe { g() } }", true),
        ("src/system.rs", "fn f() { unsafe { g() } }", false),
        ("tests/udp.rs", "use std::net::UdpSocket;", true),
        ("src/app/words/chat.rs", "fn f(l: Lang) { l == Lang::Pt; }", true),
        ("src/cli/chat/join.rs", "fn f(l: Lang) { l == Lang::Pt; }", false),
    ] {
        assert_eq!(run(code::words, path, text).is_empty(), fine, "{path}: {text}");
    }
}

#[test]
fn files_without_heading_are_found() {
    assert_eq!(run(code::heading, "src/seq.rs", "use x;\n//! Late.\n"), [1]);
    assert_eq!(run(code::heading, "src/seq.rs", ""), [1]);
    assert_eq!(run(code::heading, "fuzz/f.rs", "#![no_main]\n//! What it fuzzes.\n"), [0; 0]);
}

#[test]
fn left_overs_are_found() {
    for text in ["fn f() { todo!() }", "#[ignore]\nfn f() {}", "fn f() { dbg!(1) }"] {
        assert_eq!(run(code::leftovers, "tests/t.rs", text), [1], "{text}");
    }
    assert_eq!(run(code::leftovers, "src/a.rs", "#[ignore = \"slow\"]\n// todo!\n"), [0; 0]);
    let mark = concat!("// FIX", "ME later\n");
    assert_eq!(text::leftovers(&file("src/a.rs", mark)).len(), 1);
    assert_eq!(text::leftovers(&file("src/a.rs", concat!("PREFIX", "MEN\n"))).len(), 0);
    assert_eq!(text::leftovers(&file("a.md", "one \ntwo\t\nthree\n")).len(), 2);
    assert_eq!(text::leftovers(&file(".ci/run", "one \n")).len(), 1);
    assert_eq!(text::leftovers(&file("tests/golden.txt", "one \n")).len(), 0);
    assert_eq!(text::leftovers(&file("a.md", "no newline")).len(), 1);
}

#[test]
fn paths_of_one_machine_are_found() {
    for text in [
        concat!("see /wo", "rk/x"),
        concat!("\"/ro", "ot/x\""),
        concat!("cd /tmp", "/bash_jobs"),
        concat!("index = \"http:/", "/mirror.internal/x\""),
        concat!("http:/", "/registry/x"),
        concat!("http:/", "/10.0.0.1:80/"),
    ] {
        assert_eq!(text::machines(&file("a.md", text)).len(), 1, "{text}");
    }
    for text in ["net/work/x", "https://www.rfc-editor.org/rfc/rfc6298", "http://127.0.0.1:80"] {
        assert_eq!(text::machines(&file("a.md", text)).len(), 0, "{text}");
    }
    let lock = "source = \"registry+https://example.org/index\"\n";
    assert_eq!(text::machines(&file("Cargo.lock", lock)).len(), 1);
}

#[test]
fn dead_links_are_found() {
    let read = |text: &str| {
        let files =
            [file("docs/a.md", text), file("README.md", "# A b: c\n"), file("src/x.rs", "")];
        text::links(&files).len()
    };
    for text in [
        "[x](nothing.md)",
        "[x](README.md)",
        "[x](../../out.md)",
        "[x]: nothing.md",
        "[x](../README.md#nowhere)",
        "two [x](../README.md) and [y](gone.md)",
    ] {
        assert_eq!(read(text), 1, "{text}");
    }
    for text in [
        "[x](../README.md)",
        "[x](../README.md#a-b-c)",
        "[x](../src)",
        "[x](../src/x.rs)",
        "[x](https://example.org)",
        "`[x](nothing.md)`",
        "```\n[x](nothing.md)\n```",
        "# Here\n[x](#here)",
    ] {
        assert_eq!(read(text), 0, "{text}");
    }
}

#[test]
fn a_wrong_rust_version_is_found() {
    let check = |manifest: &str, readme: &str| {
        text::rust_version(&[file("Cargo.toml", manifest), file("README.md", readme)]).len()
    };
    assert_eq!(check("rust-version = \"1.95\"\n", "Needs Rust 1.95."), 0);
    assert_eq!(check("rust-version = \"1.95\"\n", "Needs Rust 1.90."), 1);
    assert_eq!(check("rust-version = \"1.95\"\n", "Tested with Rust 2024 idioms, rustc 1.9"), 1);
    assert_eq!(check("edition = \"2024\"\n", ""), 1);
}
