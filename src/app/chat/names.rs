//! Nicknames and names of rooms: which are allowed, and which look alike.

use alloc::string::String;
use core::fmt;

/// The longest nickname or name of a room, in characters.
pub const NAME_CHARS_MAX: usize = 24;

/// Why a nickname, or the name of a room, is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NickError {
    /// Nothing there.
    Empty,
    /// Longer than [`NAME_CHARS_MAX`] characters.
    Long,
    /// A character that is no letter, no digit and none of `-`, `_` and `.`, or a letter of an
    /// alphabet that is not known here.
    Character(char),
    /// Letters of two alphabets that look alike, such as Latin and Cyrillic.
    Mixed,
}

impl fmt::Display for NickError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name needs at least one character"),
            Self::Long => write!(f, "a name has at most {NAME_CHARS_MAX} characters"),
            Self::Character(c) => {
                write!(f, "{:?} cannot be in a name: letters, digits, - _ . can", *c)
            }
            Self::Mixed => f.write_str("a name cannot mix alphabets that look alike"),
        }
    }
}

impl core::error::Error for NickError {}

/// The name, if a user or a room may be called so.
///
/// ```
/// use rdtp::app::chat::{NickError, check_nick};
///
/// assert_eq!(check_nick("José_12"), Ok("José_12"));
/// assert_eq!(check_nick("two words"), Err(NickError::Character(' ')));
/// assert_eq!(check_nick("p\u{430}ypal"), Err(NickError::Mixed));
/// ```
pub fn check_nick(name: &str) -> Result<&str, NickError> {
    if name.is_empty() {
        return Err(NickError::Empty);
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(NickError::Long);
    }
    let mut alphabets = [false; 3];
    for c in name.chars() {
        match alphabet(c) {
            None => return Err(NickError::Character(c)),
            Some(Alphabet::Latin) => alphabets[0] = true,
            Some(Alphabet::Greek) => alphabets[1] = true,
            Some(Alphabet::Cyrillic) => alphabets[2] = true,
            Some(Alphabet::Other) => {}
        }
    }
    if alphabets.into_iter().filter(|&seen| seen).count() > 1 {
        return Err(NickError::Mixed);
    }
    Ok(name)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Latin,
    Greek,
    Cyrillic,
    /// Digits, signs, and scripts without look-alikes in the three above.
    Other,
}

/// A list of what is allowed, since a list of what is not is never complete.
fn alphabet(c: char) -> Option<Alphabet> {
    Some(match c {
        // ASCII, then Latin-1 and Latin Extended-A and -B without signs and letters like clicks.
        'a'..='z'
        | 'A'..='Z'
        | '\u{C0}'..='\u{D6}'
        | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{1BF}'
        | '\u{1CD}'..='\u{24F}'
        | '\u{1E00}'..='\u{1EFF}' => Alphabet::Latin,
        '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}' if c.is_alphabetic() => Alphabet::Greek,
        '\u{400}'..='\u{481}' | '\u{48A}'..='\u{52F}' => Alphabet::Cyrillic,
        // Devanagari to Sinhala, Thai.
        '\u{900}'..='\u{DFF}' | '\u{E01}'..='\u{E4E}' if c.is_alphanumeric() => Alphabet::Other,
        // Signs; Armenian, Hebrew, Arabic letters, Georgian, Kana, Han, Hangul.
        '0'..='9'
        | '-'
        | '_'
        | '.'
        | '\u{531}'..='\u{556}'
        | '\u{561}'..='\u{587}'
        | '\u{5D0}'..='\u{5EA}'
        | '\u{620}'..='\u{64A}'
        | '\u{671}'..='\u{6D3}'
        | '\u{10D0}'..='\u{10FA}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7A3}' => Alphabet::Other,
        _ => return None,
    })
}

/// The name without upper case: two names that fold to the same are the same name.
pub fn folded(name: &str) -> String {
    // The final sigma is the other one at the end of a word.
    name.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// What the name looks like: two names with the same look cannot be told apart on a screen. The
/// idea is the skeleton of Unicode TS 39, for the alphabets that names may have.
///
/// ```
/// use rdtp::app::chat::look;
///
/// assert_eq!(look("AIice"), look("Alice"));
/// assert_eq!(look("\u{440}\u{430}\u{443}"), look("pay"));
/// assert_ne!(look("ali"), look("all"));
/// ```
pub fn look(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            'm' => out.push_str("rn"),
            'w' => out.push_str("vv"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            _ => out.push(look_alike(c)),
        }
    }
    out
}

/// The Latin letter that a letter looks like, or itself.
const fn look_alike(c: char) -> char {
    match c {
        'I' | '1' | 'Ι' | 'І' | 'Ӏ' | 'ӏ' => 'l',
        '0' | 'Ο' | 'О' => 'O',
        'ı' | 'ι' | 'і' => 'i',
        'а' | 'α' => 'a',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'с' | 'ϲ' => 'c',
        'С' | 'Ϲ' => 'C',
        'ԁ' => 'd',
        'е' | 'ҽ' => 'e',
        'Е' | 'Ε' => 'E',
        'Ԍ' => 'G',
        'һ' => 'h',
        'Н' | 'Η' => 'H',
        'ј' | 'ϳ' => 'j',
        'Ј' => 'J',
        'к' | 'κ' => 'k',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'о' | 'ο' | 'σ' => 'o',
        'р' | 'ρ' => 'p',
        'Р' | 'Ρ' => 'P',
        'ԛ' => 'q',
        'Ѕ' => 'S',
        'ѕ' => 's',
        'Т' | 'Τ' => 'T',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'Ѵ' => 'V',
        'Ԝ' => 'W',
        'х' | 'χ' => 'x',
        'Х' | 'Χ' => 'X',
        'у' | 'γ' | 'ү' => 'y',
        'У' | 'Υ' | 'Ү' => 'Y',
        'Ζ' => 'Z',
        'ö' | 'ӧ' => 'ö',
        'ё' => 'ë',
        'Ё' => 'Ë',
        'ї' => 'ï',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    #[test]
    fn each_reason() {
        use NickError as E;
        for (name, error) in [
            ("", E::Empty),
            ("a b", E::Character(' ')),
            ("a\n", E::Character('\n')),
            ("\u{1b}[2J", E::Character('\u{1b}')),
            ("a\u{200b}", E::Character('\u{200b}')),
            ("a\u{301}", E::Character('\u{301}')),
            ("a/b", E::Character('/')),
            ("a=b", E::Character('=')),
            ("\u{1d41a}", E::Character('\u{1d41a}')),
            ("ａ", E::Character('ａ')),
            ("раypal", E::Mixed),
            ("αb", E::Mixed),
        ] {
            assert_eq!(check_nick(name), Err(error), "{name:?}");
        }
        assert_eq!(check_nick(&"n".repeat(25)), Err(E::Long));
    }

    #[test]
    fn ordinary_names_pass() {
        for name in ["a", "12", "José", "Ωmega".get(..2).unwrap_or("Ω"), "Иван", "小明", "a.b-c_d"]
        {
            assert_eq!(check_nick(name), Ok(name));
        }
    }

    #[test]
    fn look_alikes_look_alike_and_others_do_not() {
        for (a, b) in [("Iain", "lain"), ("b0b", "bOb"), ("rnax", "max"), ("сор", "cop")] {
            assert_eq!(look(a), look(b), "{a} {b}");
        }
        for (a, b) in [("ali", "all"), ("jose", "josé"), ("a-b", "a_b")] {
            assert_ne!(look(a), look(b), "{a} {b}");
        }
        assert_eq!(folded("JOSÉ"), folded("josé"));
    }

    proptest! {
        /// Whatever passes can be printed, has no blank and splits no list.
        #[test]
        fn what_passes_is_harmless(name in prop_oneof![any::<String>(), "[a-zA-Zа-я0-9._ =-]{0,30}"]) {
            if check_nick(&name).is_ok() {
                prop_assert!(super::super::is_plain(&name), "{}", name);
                prop_assert!(!name.contains([' ', '=', '/', '@', ':', ',']));
                prop_assert!(name.len() <= 4 * NAME_CHARS_MAX);
                let line = format!("{name} {name}");
                prop_assert_eq!(line.split(' ').count(), 2);
            }
        }
    }
}
