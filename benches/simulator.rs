//! How many datagrams a second the simulator moves on one core, in a transfer that loses and repairs
//! some. Prints, beside what criterion prints, a line `simulator: N datagrams/s`.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rdtp::{
    classic::{Config, Spec, Timeout},
    sim::{Transfer, Verdict},
};

/// Messages of one transfer, and their length in bytes.
const MESSAGES: usize = 20_000;
const BYTES: usize = 64;

fn transfer() -> Transfer {
    let profile = "loss=5%,delay=10ms".parse().expect("a profile");
    let timeout = Timeout::Fixed(Duration::from_millis(40));
    Transfer::new(vec![vec![7; BYTES]; MESSAGES])
        .over(profile)
        .config(Config { timeout, ..Config::default() })
        .seed(1)
}

/// Datagrams of one run.
fn run(transfer: &Transfer, spec: Spec) -> u64 {
    let report = transfer.run(spec, &mut ()).expect("the default codec carries every protocol");
    assert_eq!(report.verdict, Verdict::Intact);
    report.datagrams
}

/// The best of a few runs, for the one line that says it all.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn datagrams_a_second(transfer: &Transfer, specs: &[Spec]) -> u128 {
    let measure = || {
        let start = Instant::now();
        let datagrams: u64 = specs.iter().map(|&spec| run(transfer, spec)).sum();
        u128::from(datagrams) * 1_000_000_000 / start.elapsed().as_nanos().max(1)
    };
    (0..10).map(|_| measure()).max().unwrap_or_default()
}

fn simulator(c: &mut Criterion) {
    let transfer = transfer();
    let specs: Vec<Spec> =
        ["rdt3.0", "sr"].iter().map(|name| name.parse().expect("a protocol of the book")).collect();
    let mut group = c.benchmark_group("simulator");
    group.sample_size(10);
    for spec in &specs {
        group.throughput(Throughput::Elements(run(&transfer, *spec)));
        group.bench_function(spec.to_string(), |b| b.iter(|| run(&transfer, *spec)));
    }
    group.finish();
    println!("simulator: {} datagrams/s", datagrams_a_second(&transfer, &specs));
}

criterion_group!(benches, simulator);
criterion_main!(benches);
