//! Keys, from the bytes that a terminal sends for them.

/// Bytes of the longest sequence that is waited for; no key sends so many.
const SEQUENCE_BYTES_MAX: usize = 32;

const ESCAPE: u8 = 0x1b;

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// A letter with the control key.
    Control(char),
    /// A function key.
    Function(u16),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    /// One without a meaning here.
    Other,
}

/// Bytes that have arrived, cut into keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    /// Between the marks of a paste: nothing in there presses a key.
    pasting: bool,
}

impl Keys {
    /// Takes what was read at once. A terminal sends the bytes of a key together, so an escape at the
    /// end is the key of that name.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next key that is complete.
    pub(super) fn next_key(&mut self) -> Option<Key> {
        loop {
            let (len, key) = first(&self.bytes)?;
            let marks = match &self.bytes[..len] {
                b"\x1b[200~" => Some(true),
                b"\x1b[201~" => Some(false),
                _ => None,
            };
            self.bytes.drain(..len);
            match (marks, self.pasting, key) {
                (Some(begins), ..) => self.pasting = begins,
                (None, false, key) => return Some(key),
                (None, true, Key::Char(c)) => return Some(Key::Char(c)),
                // What was pasted is one line, and sent when the user says so.
                (None, true, Key::Enter | Key::Tab) => return Some(Key::Char(' ')),
                (None, true, _) => {}
            }
        }
    }
}

/// The first key, and how many bytes it has; none while it is not complete.
fn first(bytes: &[u8]) -> Option<(usize, Key)> {
    let byte = *bytes.first()?;
    Some(match byte {
        ESCAPE => return sequence(bytes),
        b'\r' | b'\n' => (1, Key::Enter),
        b'\t' => (1, Key::Tab),
        0x08 | 0x7f => (1, Key::Backspace),
        0x01..=0x1a => (1, Key::Control(char::from(byte + 0x60))),
        0x00..0x20 => (1, Key::Other),
        0x20..0x7f => (1, Key::Char(char::from(byte))),
        _ => return letter(bytes),
    })
}

/// A letter of several bytes.
fn letter(bytes: &[u8]) -> Option<(usize, Key)> {
    let len = match bytes[0] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => return Some((1, Key::Char(char::REPLACEMENT_CHARACTER))),
    };
    match core::str::from_utf8(&bytes[..len.min(bytes.len())]) {
        Ok(text) => text.chars().next().map(|c| (len, Key::Char(c))),
        // The rest has not come yet.
        Err(error) if error.error_len().is_none() && bytes.len() < len => None,
        Err(error) => {
            let len = error.error_len().unwrap_or(1);
            Some((len, Key::Char(char::REPLACEMENT_CHARACTER)))
        }
    }
}

/// A key that sends an escape and more.
fn sequence(bytes: &[u8]) -> Option<(usize, Key)> {
    Some(match bytes.get(1) {
        None | Some(&ESCAPE) => (1, Key::Other),
        Some(b'O') => (3, named(*bytes.get(2)?)),
        // The console of Linux sends ESC [ [ A for F1.
        Some(b'[') if bytes.get(2) == Some(&b'[') => {
            let byte = *bytes.get(3)?;
            (4, Key::Function(u16::from(byte.saturating_sub(b'@'))))
        }
        Some(b'[') => {
            let end = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte));
            let Some(end) = end.map(|at| at + 2) else {
                // Something else than a key: it is not waited for any longer.
                return (bytes.len() > SEQUENCE_BYTES_MAX).then_some((bytes.len(), Key::Other));
            };
            let number = bytes[2..end].iter().take_while(|byte| byte.is_ascii_digit());
            let number = number
                .fold(0_u16, |n, byte| n.saturating_mul(10).saturating_add((byte - b'0').into()));
            (end + 1, if bytes[end] == b'~' { numbered(number) } else { named(bytes[end]) })
        }
        // With the other control key: nothing that is used here.
        Some(_) => (1 + letter_len(&bytes[1..])?, Key::Other),
    })
}

fn letter_len(bytes: &[u8]) -> Option<usize> {
    first(bytes).map(|(len, _)| len)
}

/// Keys that are named by a letter at the end of their sequence.
fn named(byte: u8) -> Key {
    match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        b'P'..=b'S' => Key::Function(u16::from(byte - b'O')),
        _ => Key::Other,
    }
}

/// Keys that are named by a number.
fn numbered(number: u16) -> Key {
    match number {
        1 | 7 => Key::Home,
        3 => Key::Delete,
        4 | 8 => Key::End,
        5 => Key::PageUp,
        6 => Key::PageDown,
        11..=15 => Key::Function(number - 10),
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(pieces: &[&[u8]]) -> Vec<Key> {
        let mut keys = Keys::default();
        let mut out = Vec::new();
        for piece in pieces {
            keys.push(piece);
            out.extend(core::iter::from_fn(|| keys.next_key()));
        }
        out
    }

    #[test]
    fn terminals_of_several_makes_are_understood() {
        for (bytes, key) in [
            (&b"\x1bOQ"[..], Key::Function(2)),
            (b"\x1b[12~", Key::Function(2)),
            (b"\x1b[[B", Key::Function(2)),
            (b"\x1b[1;2R", Key::Function(3)),
            (b"\x1b[A", Key::Up),
            (b"\x1bOA", Key::Up),
            (b"\x1b[H", Key::Home),
            (b"\x1b[1~", Key::Home),
            (b"\x1b[4~", Key::End),
            (b"\x1b[3~", Key::Delete),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b"\x1b[1;5C", Key::Right),
            (b"\x03", Key::Control('c')),
            (b"\x7f", Key::Backspace),
            (b"\r", Key::Enter),
            (b"\x1bx", Key::Other),
            (b"\x1b", Key::Other),
        ] {
            assert_eq!(keys(&[bytes]), [key], "{bytes:?}");
        }
    }

    #[test]
    fn letters_and_sequences_may_come_in_pieces() {
        assert_eq!(keys(&[b"\xe4\xb8", b"\x96"]), [Key::Char('世')]);
        assert_eq!(keys(&[b"\x1b[1", b"5~x"]), [Key::Function(5), Key::Char('x')]);
        assert_eq!(keys(&[b"a\xffb"]).len(), 3);
    }

    #[test]
    fn a_paste_presses_no_keys() {
        let pasted = b"\x1b[200~/quit\r\x03two\x1b[A\x1b[201~\r";
        let text: String = keys(&[pasted])
            .into_iter()
            .map(|key| match key {
                Key::Char(c) => c,
                Key::Enter => '!',
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(text, "/quit two!");
    }

    proptest! {
        #[test]
        fn no_bytes_are_kept_for_ever(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut keys = Keys::default();
            for byte in bytes {
                keys.push(&[byte]);
                while keys.next_key().is_some() {}
                prop_assert!(keys.bytes.len() <= SEQUENCE_BYTES_MAX);
            }
        }
    }
}
