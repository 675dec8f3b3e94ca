//! `rdtp manual`: the guide in the terminal.

use std::process::ExitCode;

use clap::{Args, error::ErrorKind};
use rdtp::manual::CHAPTERS;

/// Read the guide: from rdt 1.0 to selective repeat, each chapter one fault
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Number of the chapter; without one, the table of contents
    chapter: Option<usize>,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    let Some(number) = options.chapter else {
        for (number, chapter) in (1..).zip(CHAPTERS) {
            say!("{number:>2}. {}", chapter.title);
        }
        say!("\nrdtp manual 1 prints the first; pipe it into a pager: rdtp manual 1 | less");
        return ExitCode::SUCCESS;
    };
    let Some(chapter) = number.checked_sub(1).and_then(|at| CHAPTERS.get(at)) else {
        let what = format!("there is no chapter {number}, only 1 to {}\n", CHAPTERS.len());
        clap::Error::raw(ErrorKind::ValueValidation, what).exit()
    };
    say!("{number}. {}", chapter.text());
    ExitCode::SUCCESS
}
