//! The fuzz targets without a fuzzer: every file of `fuzz/corpus` is replayed, and each target gets
//! bytes by chance, the same ones every time.
//!
//! `FUZZ_ROUNDS=100000 cargo test --test fuzz_corpus` searches longer.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "../contract/play.rs"]
mod play;
#[path = "../contract/subject.rs"]
mod subject;
mod targets;

use std::{env, fs, panic, path::Path};

use rdtp::rng::Seed;
use targets::{ALL, Target};

/// Inputs by chance for each target, unless `FUZZ_ROUNDS` says otherwise.
const ROUNDS: u64 = 300;

/// The limits of what is kept: small enough to read, to clone and to replay on every run.
const FILES_MAX: usize = 400;
const BYTES_MAX: u64 = 300 << 10;

/// Runs a target; a failure says how to come back to it.
fn live(target: Target, data: &[u8], what: &str) {
    if let Err(cause) = panic::catch_unwind(|| target(data)) {
        eprintln!("{what} fails with {} bytes: {data:?}", data.len());
        panic::resume_unwind(cause);
    }
}

#[test]
fn the_corpus_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.join("Cargo.toml").exists() {
        println!("no fuzz folder here: a package does not carry it, a clone does");
        return;
    }
    let (mut files, mut bytes) = (0, 0);
    for (name, target) in ALL {
        let folder = fuzz.join("corpus").join(name);
        let mut paths: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "no corpus in {}", folder.display());
        for path in paths {
            let data = fs::read(&path).unwrap();
            live(target, &data, &path.display().to_string());
            files += 1;
            bytes += data.len() as u64;
        }
    }
    assert!(files <= FILES_MAX && bytes <= BYTES_MAX, "{files} files, {bytes} bytes: minimise");
}

#[test]
fn bytes_by_chance() {
    let rounds = env::var("FUZZ_ROUNDS").ok().map_or(ROUNDS, |text| text.parse().unwrap());
    for (name, target) in ALL {
        let mut data = [0; 1024];
        for round in 0..rounds {
            let mut rng = Seed::new(round).split(name).rng();
            let len = usize::try_from(rng.below(data.len() as u64)).unwrap();
            rng.fill(&mut data[..len]);
            live(target, &data[..len], &format!("{name}, round {round},"));
        }
    }
}
