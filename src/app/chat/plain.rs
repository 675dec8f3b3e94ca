//! Text that a terminal can show without being moved by it.

use alloc::string::String;
use core::fmt::Write as _;

/// The most marks that may stand on one letter; more are left out.
pub const MARKS_MAX: usize = 4;

/// `text` as it may be shown: on one line, with nothing in it that steers a terminal, turns the
/// direction of writing or cannot be seen.
///
/// Control characters (C0, DEL, C1: with them every escape sequence, OSC 8 and OSC 52 too), line and
/// paragraph separators, bidi controls, zero-width and tag characters are written out, such as
/// `\x1b` or `\u{202e}`, so that the reader sees that somebody tried. A tab becomes a space. Variation
/// selectors, which ordinary text contains, and marks beyond [`MARKS_MAX`] on a letter are left out.
///
/// ```
/// use rdtp::app::chat::plain;
///
/// assert_eq!(plain("olá, 世界"), "olá, 世界");
/// assert_eq!(plain("\u{1b}]52;c;aGk=\u{7}"), "\\x1b]52;c;aGk=\\x07");
/// assert_eq!(plain("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
/// ```
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        if is_mark(c) {
            marks += 1;
            if marks > MARKS_MAX {
                continue;
            }
        } else {
            marks = 0;
        }
        match c {
            '\t' => out.push(' '),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            _ if is_selector(c) => {}
            _ if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            _ if is_unseen(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

/// Whether `text` is shown as it is.
pub fn is_plain(text: &str) -> bool {
    plain(text) == text
}

/// Characters that steer, that turn the direction of writing, or that nobody sees.
pub(in crate::app) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00AD}'
                | '\u{034F}'
                | '\u{061C}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFFB}'
                | '\u{1BCA0}'..='\u{1BCA3}'
                | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0000}'..='\u{E00FF}'
                | '\u{E01F0}'..='\u{E0FFF}'
        )
}

/// Variation selectors: invisible, harmless, and part of many emoji.
const fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Marks that stand on the letter before.
const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{0300}'..='\u{036F}'
            | '\u{0483}'..='\u{0489}'
            | '\u{0591}'..='\u{05BD}'
            | '\u{0610}'..='\u{061A}'
            | '\u{064B}'..='\u{065F}'
            | '\u{0E31}'
            | '\u{0E34}'..='\u{0E3A}'
            | '\u{0E47}'..='\u{0E4E}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{302A}'..='\u{302F}'
            | '\u{FE20}'..='\u{FE2F}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_trick() {
        for (text, shown) in [
            ("a\tb", "a b"),
            ("two\nlines\r", "two\\nlines\\r"),
            ("\u{1b}[2J", "\\x1b[2J"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("bell\u{7}", "bell\\x07"),
            ("del\u{7f}", "del\\x7f"),
            ("\u{1b}]8;;https://example.org\u{1b}\\", "\\x1b]8;;https://example.org\\x1b\\"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("heart \u{2764}\u{fe0f}", "heart \u{2764}"),
            ("Olá!", "Olá!"),
        ] {
            assert_eq!(plain(text), shown);
        }
        let tower = "a".to_string() + &"\u{301}".repeat(50) + "b";
        assert_eq!(plain(&tower).chars().filter(|&c| c == '\u{301}').count(), MARKS_MAX);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_plain_and_showing_it_again_changes_nothing(text in any::<String>()) {
            let shown = plain(&text);
            prop_assert!(!shown.chars().any(|c| is_unseen(c) || is_selector(c)));
            prop_assert!(is_plain(&shown));
        }
    }
}
