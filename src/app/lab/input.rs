//! The file `entrada`: the numbers to send, one a line (S2-03).

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::LAST;
use crate::rng::Seed;

/// The name of the file in the exercise.
pub const FILE_NAME: &str = "entrada";

/// The largest first identifier; the smallest is 1.
pub const FIRST_MAX: i32 = 1000;

/// The most numbers of one list, the last one aside.
pub const COUNT_MAX: usize = 50_000;

/// `count` consecutive numbers, the first random in `1..=1000`, and -1 at the end. `None` when
/// `count` is not in `1..=`[`COUNT_MAX`].
///
/// ```
/// use rdtp::{app::lab::input, rng::Seed};
///
/// let list = input::generate(Seed::new(1), 3).unwrap();
/// assert_eq!(list.len(), 4);
/// assert_eq!(list[3], -1);
/// assert_eq!(input::parse(&input::format(&list)), Ok(list));
/// ```
pub fn generate(seed: Seed, count: usize) -> Option<Vec<i32>> {
    if !(1..=COUNT_MAX).contains(&count) {
        return None;
    }
    let first = seed.split("lab/input").rng().between(1, u64::from(FIRST_MAX.cast_unsigned()));
    let first = i32::try_from(first).ok()?;
    Some((first..).take(count).chain([LAST]).collect())
}

/// The list as the file has it.
pub fn format(list: &[i32]) -> String {
    use fmt::Write;
    let mut text = String::new();
    for value in list {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{value}");
    }
    text
}

/// Why a text is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputError {
    /// This line (counted from 1) is no positive integer, and not -1 either.
    NotAnIdentifier(usize),
    /// This line follows the -1 that ends the list.
    AfterLast(usize),
    /// The last line is not -1.
    NoLast,
    /// There are more than [`COUNT_MAX`] numbers.
    TooMany,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnIdentifier(line) => {
                write!(f, "line {line} is no positive integer below 2147483648")
            }
            Self::AfterLast(line) => write!(f, "line {line} follows the -1 that ends the list"),
            Self::NoLast => f.write_str("the last line must be -1"),
            Self::TooMany => write!(f, "there are more than {COUNT_MAX} numbers"),
        }
    }
}

impl core::error::Error for InputError {}

/// Reads the file: a positive integer a line, the last line -1. Empty lines are skipped.
pub fn parse(text: &str) -> Result<Vec<i32>, InputError> {
    let mut list = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if list.last() == Some(&LAST) {
            return Err(InputError::AfterLast(number));
        }
        match line.parse() {
            Ok(value) if value > 0 || value == LAST => list.push(value),
            _ => return Err(InputError::NotAnIdentifier(number)),
        }
        if list.len() > COUNT_MAX + 1 {
            return Err(InputError::TooMany);
        }
    }
    if list.last() == Some(&LAST) { Ok(list) } else { Err(InputError::NoLast) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// S2-02, S2-03: first identifier in 1..=1000, consecutive, one a line, last line -1.
    #[test]
    fn s2_03_entrada() {
        let mut firsts = Vec::new();
        for seed in 0..2000 {
            let list = generate(Seed::new(seed), 5).unwrap();
            assert!((1..=1000).contains(&list[0]));
            assert!(list[..5].windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert_eq!((list.len(), list[5]), (6, -1));
            firsts.push(list[0]);
        }
        firsts.sort_unstable();
        firsts.dedup();
        assert!(firsts.len() > 800, "first identifiers are random: {} of them", firsts.len());
        assert_eq!(format(&[537, 538, -1]), "537\n538\n-1\n");
        assert_eq!(FILE_NAME, "entrada");
        assert_eq!(generate(Seed::new(1), 0), None);
        assert_eq!(generate(Seed::new(1), COUNT_MAX + 1), None);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(parse("7\r\n8\r\n\r\n-1\r\n"), Ok(vec![7, 8, -1]));
        assert_eq!(parse("7\n8\n"), Err(InputError::NoLast));
        assert_eq!(parse(""), Err(InputError::NoLast));
        assert_eq!(parse("7\n0\n-1"), Err(InputError::NotAnIdentifier(2)));
        assert_eq!(parse("7\n-2\n-1"), Err(InputError::NotAnIdentifier(2)));
        assert_eq!(parse("7\n2147483648\n-1"), Err(InputError::NotAnIdentifier(2)));
        assert_eq!(parse("7\nx"), Err(InputError::NotAnIdentifier(2)));
        assert_eq!(parse("-1\n7\n"), Err(InputError::AfterLast(2)));
        assert_eq!(parse(&"1\n".repeat(COUNT_MAX + 2)), Err(InputError::TooMany));
    }
}
