//! `rdtp chat simulate`: thousands of chatters in virtual time.

use std::process::ExitCode;

use clap::Args;
use rdtp::{
    quantity::Span,
    rng::Seed,
    sim::{Chat, ChatReport},
};
use serde_json::{Value, json};

/// Let thousands chat in virtual time, and see whether everybody is shown everything once
///
/// Connections break, and the server is killed and started again. The exit status is 1 when somebody was
/// shown a message twice or never, or in another order.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Users
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chatters: u32,
    /// Users in each room
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=250))]
    members: u32,
    /// Messages that each says to its room
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5))]
    messages: u32,
    /// Connections that break
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    cuts: u32,
    /// Times that the server is killed and started again
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=3))]
    restarts: u32,
    /// One-way delay
    #[arg(long, value_name = "TIME", default_value = "20ms")]
    delay: Span,
    /// First seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs, each with the next seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    runs: u64,
    /// Print an object of JSON for each run
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> ExitCode {
    for seed in options.seed..options.seed.saturating_add(options.runs) {
        let plan = Chat {
            chatters: options.chatters,
            room_members: options.members,
            messages: options.messages,
            cuts: options.cuts,
            restarts: options.restarts,
            delay: options.delay.0,
            seed: Seed::new(seed),
            ..Chat::default()
        };
        let report = plan.run();
        if options.json {
            say!("{}", object(seed, options.chatters, &report));
        } else {
            say!("seed {seed}: {} chatters, {report}", options.chatters);
        }
        if !report.is_good() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// For machines; every time says its unit.
fn object(seed: u64, chatters: u32, report: &ChatReport) -> Value {
    let [median, p99, max] = report.latency.map(|time| time.as_secs_f64() * 1e3);
    json!({
        "seed": seed,
        "chatters": chatters,
        "good": report.is_good(),
        "said": report.said,
        "confirmed": report.delivered,
        "shown": report.shown,
        "twice": report.twice,
        "missing": report.missing,
        "out_of_order": report.disordered,
        "connections_broken": report.broken,
        "pieces": report.pieces,
        "latency_median_ms": median,
        "latency_p99_ms": p99,
        "latency_max_ms": max,
        "virtual_time_s": report.time.as_secs_f64(),
    })
}
