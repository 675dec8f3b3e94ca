//! `--lang`: the language of a program.

use std::env;

use clap::ValueEnum;
use rdtp::app::words::Lang;

/// A language, as it is chosen.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Language {
    /// English
    En,
    /// Portuguese
    Pt,
    /// Spanish
    Es,
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Pt => Self::Pt,
            Language::Es => Self::Es,
        }
    }
}

/// The one that was chosen, or that of the environment.
pub(super) fn chosen(language: Option<Language>) -> Lang {
    language.map_or_else(|| Lang::of_environment(|name| env::var(name).ok()), Into::into)
}
