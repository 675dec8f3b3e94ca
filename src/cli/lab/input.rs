//! `rdtp lab input`: writes the list.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use rdtp::app::lab::input::{self, COUNT_MAX, FILE_NAME};
use serde_json::json;

use super::{
    super::{Failure, Outcome, lang, network, refuse},
    Language, ask, tell,
};

/// Write the list to send: N consecutive identifiers, the first random in 1..1000, then -1.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// How many identifiers; asked for when not given
    #[arg(value_name = "N")]
    count: Option<usize>,
    /// Where to write them, one a line
    #[arg(long, default_value = FILE_NAME)]
    out: PathBuf,
    /// The seed of the first identifier; random when not given
    #[arg(long)]
    seed: Option<u64>,
    /// Language; by default that of the locale
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Outcome {
    let lang = lang::chosen(options.lang);
    let read = |text: &str| match text.parse() {
        Ok(count) if (1..=COUNT_MAX).contains(&count) => Ok(count),
        _ => Err(lang.not_a_count(text)),
    };
    let count = match options.count {
        Some(count) => Some(read(&count.to_string()).unwrap_or_else(|reason| refuse(reason))),
        None if options.json => refuse("with --json nobody is asked: say how many"),
        None => ask(lang.how_many(), read)?,
    };
    let Some(count) = count else { return Err(Failure(lang.no_count().to_owned())) };
    let seed = network::seed_or_new(options.seed);
    let Some(list) = input::generate(seed, count) else {
        return Err(Failure(lang.not_a_count(&count.to_string())));
    };
    let path = options.out.display().to_string();
    fs::write(&options.out, input::format(&list))
        .map_err(|error| Failure(format!("{path}: {error}")))?;
    tell(
        options.json,
        || lang.wrote(&path, count, list[0], seed),
        || json!({ "event": "wrote", "file": path, "numbers": list, "seed": seed.to_string() }),
    )?;
    Ok(ExitCode::SUCCESS)
}
