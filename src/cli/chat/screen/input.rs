//! The line that is being typed: editing, history, completion.

use rdtp::app::chat::{COMMANDS, frame::TEXT_BYTES_MAX, is_plain};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::keys::Key;

/// Lines that were typed and can be had back.
const HISTORY_MAX: usize = 200;
/// Letters of a line; more could not be sent.
const INPUT_CHARS_MAX: usize = TEXT_BYTES_MAX;

/// What a word may become.
#[derive(Clone, Debug)]
struct Completion {
    /// Where the word begins.
    start: usize,
    found: Vec<String>,
    /// The next of these.
    next: usize,
}

/// A line, and those before it.
#[derive(Debug, Default)]
pub(super) struct Input {
    text: Vec<char>,
    /// Letters before the cursor.
    cursor: usize,
    history: Vec<String>,
    /// How far back in the history.
    back: usize,
    /// What was being typed before the history was asked.
    draft: Vec<char>,
    completion: Option<Completion>,
}

impl Input {
    /// Acts on a key that edits; a line that is finished comes back.
    pub(super) fn key(&mut self, key: Key) -> Option<String> {
        self.completion = None;
        match key {
            Key::Char(c) => self.insert(c),
            Key::Enter => return self.enter(),
            Key::Control('u') => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::Control('k') => self.text.truncate(self.cursor),
            Key::Control('w') => self.erase_word(),
            Key::Home | Key::Control('a') => self.cursor = 0,
            Key::End | Key::Control('e') => self.cursor = self.text.len(),
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Up => self.recall(self.back + 1),
            Key::Down => self.recall(self.back.saturating_sub(1)),
            _ => {}
        }
        None
    }

    fn insert(&mut self, c: char) {
        // What would not be seen is not typed either.
        if self.text.len() < INPUT_CHARS_MAX && is_plain(c.encode_utf8(&mut [0; 4])) {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    fn enter(&mut self) -> Option<String> {
        let line: String = self.text.drain(..).collect();
        (self.cursor, self.back) = (0, 0);
        if line.is_empty() {
            return None;
        }
        if self.history.last() != Some(&line) {
            self.history.push(line.clone());
        }
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        Some(line)
    }

    fn erase_word(&mut self) {
        let before = &self.text[..self.cursor];
        let end = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |at| at + 1);
        let start = before[..end].iter().rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1);
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    /// The line of so many lines ago; none ago is what was being typed.
    fn recall(&mut self, back: usize) {
        let back = back.min(self.history.len());
        if back == self.back {
            return;
        }
        if self.back == 0 {
            self.draft = core::mem::take(&mut self.text);
        }
        self.text = match back {
            0 => core::mem::take(&mut self.draft),
            _ => self.history[self.history.len() - back].chars().collect(),
        };
        self.back = back;
        self.cursor = self.text.len();
    }

    /// Completes the word before the cursor, a command or one of these names. Once more: the next
    /// that fits.
    pub(super) fn complete(&mut self, names: &[String]) {
        let Some(mut completion) = self.completion.take().or_else(|| self.fitting(names)) else {
            return;
        };
        let word = &completion.found[completion.next % completion.found.len()];
        completion.next += 1;
        let letters: Vec<char> = word.chars().collect();
        let end = completion.start + letters.len();
        self.text.splice(completion.start..self.cursor, letters);
        self.cursor = end;
        self.completion = Some(completion);
    }

    fn fitting(&self, names: &[String]) -> Option<Completion> {
        let before = &self.text[..self.cursor];
        let start = before.iter().rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1);
        let word: String = before[start..].iter().collect::<String>().to_lowercase();
        let found: Vec<String> = match (start, word.strip_prefix('/')) {
            (0, Some(command)) => {
                let all = COMMANDS.iter().flat_map(|row| row.names);
                all.filter(|name| name.starts_with(command))
                    .map(|name| format!("/{name} "))
                    .collect()
            }
            _ if word.is_empty() => return None,
            _ => {
                let end = if start == 0 { ": " } else { " " };
                let fits = |name: &&String| name.to_lowercase().starts_with(&word);
                names.iter().filter(fits).map(|name| format!("{name}{end}")).collect()
            }
        };
        (!found.is_empty()).then_some(Completion { start, found, next: 0 })
    }

    /// As much of the line as so many columns hold with the cursor in it, and the cursor's column.
    pub(super) fn window(&self, columns: usize) -> (String, usize) {
        let mut start = self.cursor;
        let mut used = 0;
        // A column is left for the cursor behind the last letter.
        while let Some(c) = start.checked_sub(1).map(|at| self.text[at]) {
            let width = c.width().unwrap_or(0);
            if used + width >= columns {
                break;
            }
            used += width;
            start -= 1;
        }
        let before: String = self.text[start..self.cursor].iter().collect();
        let column = before.width();
        (self.text[start..].iter().collect(), column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(input: &mut Input, text: &str) {
        for c in text.chars() {
            assert_eq!(input.key(Key::Char(c)), None);
        }
    }

    fn text(input: &Input) -> String {
        input.text.iter().collect()
    }

    #[test]
    fn keys_edit() {
        let mut input = Input::default();
        write(&mut input, "one two  ");
        input.key(Key::Control('w'));
        assert_eq!(text(&input), "one ");
        input.key(Key::Home);
        input.key(Key::Delete);
        write(&mut input, "O");
        input.key(Key::End);
        input.key(Key::Backspace);
        assert_eq!(text(&input), "One");
        input.key(Key::Left);
        input.key(Key::Control('k'));
        assert_eq!(text(&input), "On");
        input.key(Key::Control('u'));
        assert_eq!(text(&input), "");
        assert_eq!(input.key(Key::Enter), None);
        write(&mut input, "\u{202e}\u{200b}x");
        assert_eq!(text(&input), "x");
    }

    #[test]
    fn the_history_goes_back_and_forth_and_keeps_what_was_typed() {
        let mut input = Input::default();
        for line in ["one", "two", "two"] {
            write(&mut input, line);
            assert_eq!(input.key(Key::Enter), Some(line.to_owned()));
        }
        write(&mut input, "dra");
        for (key, expected) in [
            (Key::Up, "two"),
            (Key::Up, "one"),
            (Key::Up, "one"),
            (Key::Down, "two"),
            (Key::Down, "dra"),
            (Key::Down, "dra"),
        ] {
            input.key(key);
            assert_eq!(text(&input), expected);
        }
    }

    #[test]
    fn words_are_completed_one_after_the_other() {
        let names = ["ana", "Anton", "bob", "den"].map(String::from);
        let mut input = Input::default();
        write(&mut input, "an");
        for expected in ["ana: ", "Anton: ", "ana: "] {
            input.complete(&names);
            assert_eq!(text(&input), expected);
        }
        input.key(Key::Control('u'));
        write(&mut input, "/roo");
        input.complete(&names);
        assert_eq!(text(&input), "/rooms ");
        input.complete(&names);
        assert_eq!(text(&input), "/roomlist ");
        write(&mut input, "d");
        input.complete(&names);
        assert_eq!(text(&input), "/roomlist den ");
        input.complete(&[]);
        input.key(Key::Control('u'));
        input.complete(&names);
        assert_eq!(text(&input), "");
    }

    #[test]
    fn the_cursor_is_always_in_sight() {
        let mut input = Input::default();
        write(&mut input, &"世".repeat(50));
        for columns in 0..20 {
            let (_, column) = input.window(columns);
            assert!(column < columns.max(1), "{column} of {columns}");
        }
        input.key(Key::Home);
        assert_eq!(input.window(10).1, 0);
    }
}
