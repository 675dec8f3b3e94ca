//! A terminal for tests: what a program has drawn, letter by letter. It knows the few sequences that
//! the interface needs and fails on every other, so that a test notices when something else gets out.

/// A cell; the second half of a wide letter is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cell(String);

/// What is on it.
#[derive(Debug)]
pub(crate) struct Screen {
    cells: Vec<Vec<Cell>>,
    row: usize,
    column: usize,
    /// What has come and is not a whole letter or sequence yet.
    bytes: Vec<u8>,
    /// The modes that are switched on, by their numbers.
    pub(crate) modes: Vec<u16>,
    /// What it was told and does not know.
    pub(crate) unknown: Vec<String>,
}

impl Screen {
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        let mut screen = Self {
            cells: Vec::new(),
            row: 0,
            column: 0,
            bytes: Vec::new(),
            modes: Vec::new(),
            unknown: Vec::new(),
        };
        screen.resize(rows, columns);
        screen
    }

    /// Another size. What was shown stays, as far as there is space.
    pub(crate) fn resize(&mut self, rows: usize, columns: usize) {
        self.cells.resize(rows, Vec::new());
        for row in &mut self.cells {
            row.resize(columns, blank());
        }
    }

    pub(crate) fn rows(&self) -> Vec<String> {
        let text = |row: &Vec<Cell>| row.iter().map(|cell| cell.0.as_str()).collect::<String>();
        self.cells.iter().map(|row| text(row).trim_end().to_owned()).collect()
    }

    pub(crate) fn process(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        while let Some(len) = self.step() {
            self.bytes.drain(..len);
        }
    }

    /// Acts on the first letter or sequence; how many bytes it had.
    fn step(&mut self) -> Option<usize> {
        match *self.bytes.first()? {
            0x1b => self.sequence(),
            b'\r' => {
                self.column = 0;
                Some(1)
            }
            b'\n' => {
                self.row = (self.row + 1).min(self.cells.len() - 1);
                Some(1)
            }
            byte if byte < 0x20 || byte == 0x7f => {
                self.unknown.push(format!("{byte:#x}"));
                Some(1)
            }
            byte => {
                let len = match byte {
                    0xc0..=0xdf => 2,
                    0xe0..=0xef => 3,
                    0xf0..=0xf7 => 4,
                    _ => 1,
                };
                let letter = String::from_utf8_lossy(self.bytes.get(..len)?).into_owned();
                self.put(&letter);
                Some(len)
            }
        }
    }

    fn put(&mut self, letter: &str) {
        let width = match letter.chars().next().map_or(0, u32::from) {
            0x300..=0x36f => 0,
            0x1100..=0x115f
            | 0x2e80..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xff00..=0xff60
            | 0x1f300..=0x1faff => 2,
            0x80..=0x9f => return self.unknown.push(letter.escape_unicode().to_string()),
            _ => 1,
        };
        let Some(row) = self.cells.get_mut(self.row) else { return };
        if width == 0 {
            let before = self.column.checked_sub(1).and_then(|at| row.get_mut(at));
            return before.into_iter().for_each(|cell| cell.0.push_str(letter));
        }
        for at in 0..width {
            if let Some(cell) = row.get_mut(self.column + at) {
                *cell = if at == 0 { Cell(letter.to_owned()) } else { Cell::default() };
            }
        }
        self.column += width;
    }

    fn sequence(&mut self) -> Option<usize> {
        if *self.bytes.get(1)? != b'[' {
            self.unknown.push(format!("escape {:#x}", self.bytes[1]));
            return Some(2);
        }
        let end = 2 + self.bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte))?;
        let text = String::from_utf8_lossy(&self.bytes[2..end]).into_owned();
        let private = text.strip_prefix('?');
        let numbers: Vec<usize> =
            private.unwrap_or(&text).split(';').map(|n| n.parse().unwrap_or(0)).collect();
        match (char::from(self.bytes[end]), private.is_some()) {
            ('H', false) => {
                let at = |index: usize| numbers.get(index).copied().unwrap_or(1).max(1) - 1;
                (self.row, self.column) = (at(0), at(1));
            }
            ('J', false) if numbers == [2] => {
                self.cells.iter_mut().flatten().for_each(|cell| *cell = blank());
            }
            // Colours.
            ('m', false) => {}
            (set @ ('h' | 'l'), true) => {
                let mode = u16::try_from(numbers[0]).expect("a mode");
                self.modes.retain(|known| *known != mode);
                if set == 'h' {
                    self.modes.push(mode);
                }
            }
            (last, _) => self.unknown.push(format!("escape [ {text} {last}")),
        }
        Some(end + 1)
    }
}

fn blank() -> Cell {
    Cell(" ".to_owned())
}

/// The terminal of the tests is one.
#[test]
fn letters_stand_where_they_are_put() {
    let mut screen = Screen::new(2, 6);
    screen.process("\u{1b}[2J\u{1b}[2;2Hab\u{1b}[31m世\u{1b}[0mé".as_bytes());
    assert_eq!(screen.rows(), ["", " ab世é"]);
    screen.process(b"\x1b[?1049h\x1b]0;x\x07");
    assert_eq!(screen.modes, [1049]);
    assert_eq!(screen.unknown.len(), 2);
}
