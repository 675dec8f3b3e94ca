//! The targets of `tests/fuzz_corpus`, by name, for the programs in `fuzz_targets/`.

#[path = "../../tests/contract/play.rs"]
mod play;
#[path = "../../tests/contract/subject.rs"]
mod subject;
#[path = "../../tests/fuzz_corpus/targets/mod.rs"]
mod targets;

/// Runs the target of that name, which panics when `data` breaks a rule.
///
/// # Panics
///
/// Also when there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = targets::ALL.iter().find(|(target, _)| *target == name).expect("a target");
    target(data);
}
