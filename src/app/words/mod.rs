//! Everything that the programs say to their users, in three languages, in one place.

mod chat;
mod lab;
mod monitor;
mod program;

use alloc::{format, string::String};
use core::{fmt::Write as _, time::Duration};

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Portuguese.
    Pt,
    /// Spanish.
    Es,
}

impl Lang {
    /// The language of a locale such as `pt_BR.UTF-8`; English when it is another.
    ///
    /// ```
    /// use rdtp::app::words::Lang;
    ///
    /// assert_eq!(Lang::of_locale("pt_BR.UTF-8"), Lang::Pt);
    /// assert_eq!(Lang::of_locale("C"), Lang::En);
    /// ```
    pub fn of_locale(locale: &str) -> Self {
        match locale.get(..2) {
            Some("pt") => Self::Pt,
            Some("es") => Self::Es,
            _ => Self::En,
        }
    }

    /// The language of an environment: what POSIX asks of `LC_ALL`, `LC_MESSAGES` and `LANG`, in this
    /// order, of which those that are empty do not count.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
        Self::of_locale(&locale.unwrap_or_default())
    }

    /// The one of three that is in this language.
    const fn pick<'a>(self, en: &'a str, pt: &'a str, es: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Pt => pt,
            Self::Es => es,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::En => 0,
            Self::Pt => 1,
            Self::Es => 2,
        }
    }
}

/// Milliseconds with two decimals, wherever a latency is shown (C21), without floating point.
pub fn millis(time: Duration) -> String {
    let hundredths = (time.as_nanos() + 5_000) / 10_000;
    format!("{}.{:02} ms", hundredths / 100, hundredths % 100)
}

/// A time in the two largest units that it has: "3 min 20 s".
pub fn lasted(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 {
        let tenths = (time.as_millis() + 50) / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let largest = units.iter().position(|(_, scale)| seconds >= *scale).unwrap_or(0);
    let (mut text, mut rest) = (String::new(), seconds);
    for (unit, scale) in units.iter().skip(largest).take(2) {
        let (count, gap) = (rest / scale, if text.is_empty() { "" } else { " " });
        rest %= scale;
        if count > 0 {
            let _ = write!(text, "{gap}{count} {unit}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn the_environment_chooses_the_language() {
        let of = |set: &'static [(&str, &str)]| {
            Lang::of_environment(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("LANG", "pt_BR.UTF-8")]), Lang::Pt);
        assert_eq!(of(&[("LANG", "pt_BR.UTF-8"), ("LC_ALL", "es_CO")]), Lang::Es);
        assert_eq!(of(&[("LC_ALL", ""), ("LC_MESSAGES", "pt"), ("LANG", "es")]), Lang::Pt);
        assert_eq!([of(&[]), of(&[("LANG", "C")]), of(&[("LANG", "eo")])], [Lang::En; 3]);
    }

    #[test]
    fn times_have_two_decimals() {
        assert_eq!(millis(Duration::from_nanos(7_091_234)), "7.09 ms");
        assert_eq!(millis(Duration::from_micros(15_640)), "15.64 ms");
        assert_eq!(millis(Duration::ZERO), "0.00 ms");
    }

    #[test]
    fn times_in_their_largest_units() {
        for (millis, text) in [
            (0, "0.0 s"),
            (1_250, "1.3 s"),
            (9_000, "9.0 s"),
            (59_000, "59 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (3_600_000, "1 h"),
            (7_325_000, "2 h 2 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(lasted(Duration::from_millis(millis)), text);
        }
    }
}
