//! What the terminal interface shows, and what keys do to it: no terminal in here.

use std::collections::BTreeMap;

use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Borders, Gauge, List, ListItem, Paragraph},
};
use rdtp::app::chat::{COMMANDS, Event, Lang, Place};
use unicode_width::UnicodeWidthChar as _;

use super::files::Progress;

/// Lines that are kept of each place.
const LINES_MAX: usize = 2_000;
/// Places that are kept: rooms, private talks.
const PLACES_MAX: usize = 64;
/// Lines that were typed and can be had back.
const HISTORY_MAX: usize = 200;
/// Transfers that are shown at the same time.
const TRANSFERS_MAX: usize = 3;

/// Networks from good to bad, for the keys that change it.
pub(super) const LEVELS: [&str; 6] =
    ["perfect", "loss=5%", "loss=10%", "loss=20%", "loss=20%,delay=100ms±50ms", "loss=50%"];

/// What a key asks the program for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A line was typed.
    Line(String),
    /// Lines go there from now on.
    Place(Place),
    /// Another network, by its number in [`LEVELS`].
    Level(usize),
    /// The end.
    Quit,
}

/// One place and what was said there.
#[derive(Clone, Debug, Default)]
struct Said {
    lines: Vec<String>,
    unread: usize,
}

#[derive(Debug)]
pub(super) struct View {
    lang: Lang,
    pub(super) place: Place,
    places: BTreeMap<Place, Said>,
    members: BTreeMap<String, Vec<String>>,
    /// Rooms whose members were asked for by this program, not by the user.
    pub(super) asked: Vec<String>,
    input: Vec<char>,
    cursor: usize,
    history: Vec<String>,
    /// How far back in the history.
    back: usize,
    /// Rows that are scrolled back.
    scroll: usize,
    completion: Option<(usize, Vec<String>, usize)>,
    pub(super) strip: String,
    pub(super) level: usize,
    pub(super) transfers: Vec<Progress>,
    pub(super) nick: String,
}

impl View {
    pub(super) fn new(lang: Lang, place: Place) -> Self {
        let places = BTreeMap::from([(place.clone(), Said::default())]);
        Self {
            lang,
            place,
            places,
            members: BTreeMap::new(),
            asked: Vec::new(),
            input: Vec::new(),
            cursor: 0,
            history: Vec::new(),
            back: 0,
            scroll: 0,
            completion: None,
            strip: String::new(),
            level: 0,
            transfers: Vec::new(),
            nick: String::new(),
        }
    }

    /// Takes what happened.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Said { place, .. } => {
                for line in self.lang.lines(event) {
                    self.push(&place.clone(), line);
                }
                return;
            }
            Event::Members { room, names, .. } => {
                self.members.insert(room.clone(), names.clone());
                if let Some(at) = self.asked.iter().position(|asked| asked == room) {
                    self.asked.remove(at);
                    return;
                }
            }
            Event::Entered { room, nick, me } => {
                let members = self.members.entry(room.clone()).or_default();
                members.retain(|name| name != nick);
                members.push(nick.clone());
                if *me {
                    self.open(&Place::Room(room.clone()));
                    self.asked.push(room.clone());
                }
                return self.notice(&Place::Room(room.clone()), event);
            }
            Event::Left { room, nick, me, .. } => {
                if *me {
                    self.members.remove(room);
                    self.notice(&self.place.clone(), event);
                    self.places.remove(&Place::Room(room.clone()));
                    return;
                }
                if let Some(members) = self.members.get_mut(room) {
                    members.retain(|name| name != nick);
                }
                return self.notice(&Place::Room(room.clone()), event);
            }
            Event::Renamed { old, new, .. } => {
                for name in self.members.values_mut().flatten().filter(|name| *name == old) {
                    name.clone_from(new);
                }
            }
            Event::TalkingTo(place) => {
                self.open(place);
                self.place = place.clone();
                self.scroll = 0;
                return;
            }
            _ => {}
        }
        self.notice(&self.place.clone(), event);
    }

    fn notice(&mut self, place: &Place, event: &Event) {
        for line in self.lang.lines(event) {
            self.push(place, line);
        }
    }

    /// A line of the program itself, where the user is.
    pub(super) fn say(&mut self, line: String) {
        self.push(&self.place.clone(), line);
    }

    fn open(&mut self, place: &Place) {
        if self.places.len() < PLACES_MAX {
            self.places.entry(place.clone()).or_default();
        }
    }

    fn push(&mut self, place: &Place, line: String) {
        self.open(place);
        let here = *place == self.place;
        // Where there is no place for it, it is shown where the user is.
        let to = if self.places.contains_key(place) { place } else { &self.place };
        let Some(said) = self.places.get_mut(to) else { return };
        said.lines.push(line);
        if said.lines.len() > LINES_MAX {
            said.lines.remove(0);
        }
        said.unread += usize::from(!here);
        if here && self.scroll > 0 {
            self.scroll += 1;
        }
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if key.code != KeyCode::Tab {
            self.completion = None;
        }
        match key.code {
            KeyCode::Char('c' | 'd') if control => return Some(Wish::Quit),
            KeyCode::Char('n') if control => return self.step_place(1),
            KeyCode::Char('p') if control => return self.step_place(-1),
            KeyCode::Char('u') if control => {
                self.input.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('w') if control => self.erase_word(),
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.input.len(),
            KeyCode::Char(c) if !control => {
                self.input.insert(self.cursor, c);
                self.cursor += 1;
            }
            KeyCode::Enter => return self.enter(),
            KeyCode::Tab => self.complete(),
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.input.remove(self.cursor);
            }
            KeyCode::Delete if self.cursor < self.input.len() => {
                self.input.remove(self.cursor);
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.input.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.input.len(),
            KeyCode::Up => self.recall(1),
            KeyCode::Down => self.recall(-1),
            KeyCode::PageUp => self.scroll += 10,
            KeyCode::PageDown => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::F(2) => return self.to_level(self.level + 1),
            KeyCode::F(3) => return self.to_level(self.level.saturating_sub(1)),
            _ => {}
        }
        None
    }

    fn to_level(&mut self, level: usize) -> Option<Wish> {
        self.level = level.min(LEVELS.len() - 1);
        Some(Wish::Level(self.level))
    }

    fn enter(&mut self) -> Option<Wish> {
        let line: String = self.input.drain(..).collect();
        (self.cursor, self.back, self.scroll) = (0, 0, 0);
        if line.is_empty() {
            return None;
        }
        if self.history.last() != Some(&line) {
            self.history.push(line.clone());
        }
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        Some(Wish::Line(line))
    }

    fn erase_word(&mut self) {
        while self.cursor > 0 && self.input[self.cursor - 1].is_whitespace() {
            self.cursor -= 1;
            self.input.remove(self.cursor);
        }
        while self.cursor > 0 && !self.input[self.cursor - 1].is_whitespace() {
            self.cursor -= 1;
            self.input.remove(self.cursor);
        }
    }

    /// An earlier line, or a later one.
    fn recall(&mut self, step: isize) {
        let back = self.back.saturating_add_signed(step).min(self.history.len());
        self.back = back;
        let line = if back == 0 { "" } else { &self.history[self.history.len() - back] };
        self.input = line.chars().collect();
        self.cursor = self.input.len();
    }

    /// The next place of the list, or the one before.
    fn step_place(&mut self, step: isize) -> Option<Wish> {
        let places: Vec<&Place> = self.places.keys().collect();
        let at = places.iter().position(|place| **place == self.place)?;
        let count = isize::try_from(places.len()).ok()?;
        let next = (isize::try_from(at).ok()? + step).rem_euclid(count);
        Some(Wish::Place((*places.get(usize::try_from(next).ok()?)?).clone()))
    }

    /// Completes the word before the cursor: a command, a name, a room. Again: the next that fits.
    fn complete(&mut self) {
        if self.completion.is_none() {
            let before: String = self.input[..self.cursor].iter().collect();
            let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            let word = &before[start..];
            let first = start == 0;
            let mut found: Vec<String> = Vec::new();
            if let (true, Some(command)) = (first, word.strip_prefix('/')) {
                let names = COMMANDS.iter().flat_map(|row| row.names);
                let fits = names.filter(|name| name.starts_with(&command.to_lowercase()));
                found.extend(fits.map(|name| format!("/{name} ")));
            } else if !word.is_empty() {
                let fits = |name: &&String| name.to_lowercase().starts_with(&word.to_lowercase());
                let mut names: Vec<String> =
                    self.members.values().flatten().filter(fits).cloned().collect();
                names.extend(self.members.keys().filter(fits).cloned());
                names.sort();
                names.dedup();
                let end = if first { ": " } else { " " };
                found.extend(names.into_iter().map(|name| name + end));
            }
            if found.is_empty() {
                return;
            }
            self.completion = Some((before[..start].chars().count(), found, 0));
        }
        let Some((start, found, at)) = &mut self.completion else { return };
        let word: Vec<char> = found[*at % found.len()].chars().collect();
        *at += 1;
        let (start, end) = (*start, *start + word.len());
        self.input.splice(start..self.cursor, word);
        self.cursor = end;
    }

    /// Draws everything.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let transfers = self.transfers.len().min(TRANSFERS_MAX);
        let rows = Layout::vertical([
            Constraint::Min(3),
            Constraint::Length(u16::try_from(transfers).unwrap_or_default()),
            Constraint::Length(1),
            Constraint::Length(1),
        ]);
        let [main, files, strip, input] = rows.areas(frame.area());
        let wide = main.width >= 60;
        let side = |width| Constraint::Length(if wide { width } else { 0 });
        let [places, talk, members] =
            Layout::horizontal([side(16), Constraint::Min(10), side(16)]).areas(main);
        if let Some(said) = self.places.get_mut(&self.place) {
            said.unread = 0;
        }
        if wide {
            self.draw_places(frame, places);
            self.draw_members(frame, members);
        }
        self.draw_talk(frame, talk);
        self.draw_transfers(frame, files);
        let keys = format!(" F2/F3 {}", LEVELS[self.level]);
        let text = format!(" {} |{keys}", self.strip);
        frame.render_widget(Paragraph::new(text).reversed(), strip);
        self.draw_input(frame, input);
    }

    fn title(&self, place: &Place) -> String {
        match place {
            Place::Everyone => self.lang.pick("everybody", "todos", "todos").to_owned(),
            Place::Room(room) => format!("#{room}"),
            Place::User(nick) => nick.clone(),
        }
    }

    fn draw_places(&self, frame: &mut Frame<'_>, area: Rect) {
        let items = self.places.iter().map(|(place, said)| {
            let unread = if said.unread > 0 { format!(" {}", said.unread) } else { String::new() };
            let item = ListItem::new(format!("{}{unread}", self.title(place)));
            let here = *place == self.place;
            item.style(Style::new().add_modifier(if here { Modifier::BOLD } else { Modifier::DIM }))
        });
        let title = self.lang.pick("Rooms", "Salas", "Salas");
        frame.render_widget(
            List::new(items).block(Block::new().borders(Borders::ALL).title(title)),
            area,
        );
    }

    fn draw_members(&self, frame: &mut Frame<'_>, area: Rect) {
        let here = match &self.place {
            Place::Room(room) => self.members.get(room).cloned().unwrap_or_default(),
            Place::User(nick) => vec![nick.clone(), self.nick.clone()],
            Place::Everyone => Vec::new(),
        };
        let title = format!("{} {}", self.lang.pick("Here", "Aqui", "Aquí"), here.len());
        let items = here.into_iter().map(ListItem::new);
        frame.render_widget(
            List::new(items).block(Block::new().borders(Borders::ALL).title(title)),
            area,
        );
    }

    fn draw_talk(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let width = usize::from(area.width.saturating_sub(2)).max(1);
        let height = usize::from(area.height.saturating_sub(2));
        let lines = self.places.get(&self.place).map_or(&[][..], |said| &said.lines);
        let rows: Vec<String> = lines.iter().flat_map(|line| wrap(line, width)).collect();
        self.scroll = self.scroll.min(rows.len().saturating_sub(height));
        let end = rows.len() - self.scroll;
        let shown = rows[end.saturating_sub(height)..end].iter();
        let shown: Vec<Line<'_>> = shown.map(|row| Line::from(row.as_str())).collect();
        let mut title = self.title(&self.place);
        if self.scroll > 0 {
            title += &format!(" (-{})", self.scroll);
        }
        let block = Block::new().borders(Borders::ALL).title(title);
        frame.render_widget(Paragraph::new(shown).block(block), area);
    }

    fn draw_transfers(&self, frame: &mut Frame<'_>, area: Rect) {
        for (row, transfer) in area.rows().zip(&self.transfers) {
            let percent = transfer.moved.saturating_mul(100).checked_div(transfer.size);
            let percent = u16::try_from(percent.unwrap_or(100).min(100)).unwrap_or(100);
            let gauge = Gauge::default().percent(percent).label(transfer.to_string());
            frame.render_widget(gauge, row);
        }
    }

    fn draw_input(&self, frame: &mut Frame<'_>, area: Rect) {
        let prompt = format!("{}> ", self.title(&self.place));
        let before: usize = prompt.chars().map(|c| c.width().unwrap_or(0)).sum();
        let room = usize::from(area.width).saturating_sub(before + 1);
        // So much of the line is shown that the cursor is in it.
        let mut start = self.cursor;
        let mut used = 0;
        while start > 0 {
            let width = self.input[start - 1].width().unwrap_or(0);
            if used + width > room {
                break;
            }
            used += width;
            start -= 1;
        }
        let text: String = self.input[start..].iter().collect();
        let line = Line::from(vec![Span::raw(prompt).bold(), Span::raw(text)]);
        frame.render_widget(Paragraph::new(line), area);
        let x = u16::try_from(before + used).unwrap_or(u16::MAX);
        frame.set_cursor_position((area.x + x.min(area.width.saturating_sub(1)), area.y));
    }
}

/// Cuts a line into rows of at most so many columns, at blanks where there are any.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut row, mut used, mut blank) = (String::new(), 0, None);
    for c in line.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns > width && !row.is_empty() {
            // At the last blank, unless that would leave half of the row empty.
            let rest = match blank {
                Some(at) if 2 * at > row.len() => row.split_off(at),
                _ => String::new(),
            };
            rows.push(core::mem::take(&mut row));
            row = rest;
            used = row.chars().map(|c| c.width().unwrap_or(0)).sum();
            blank = None;
        }
        row.push(c);
        used += columns;
        if c == ' ' {
            blank = Some(row.len());
        }
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};
    use rdtp::app::chat::Kind;

    fn view() -> View {
        let mut view = View::new(Lang::En, Place::Room("lobby".into()));
        for nick in ["ana", "bob"] {
            let (room, nick) = ("lobby".to_owned(), nick.to_owned());
            view.event(&Event::Entered { room, nick, me: false });
        }
        view
    }

    fn press(view: &mut View, code: KeyCode) -> Option<Wish> {
        view.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn write(view: &mut View, text: &str) {
        for c in text.chars() {
            assert_eq!(press(view, KeyCode::Char(c)), None);
        }
    }

    fn screen(view: &mut View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(row).collect()
    }

    #[test]
    fn eighty_columns_hold_everything() {
        let mut view = view();
        let place = Place::Room("lobby".into());
        let (from, text) = ("ana".to_owned(), "olá, 世界".to_owned());
        view.event(&Event::Said { from, place, kind: Kind::Text, text });
        view.strip = "sr: sent 9, lost 1, resent 1, rtt 40.00 ms".to_owned();
        write(&mut view, "hello");
        let screen = screen(&mut view, 80, 24);
        assert!(screen[0].contains("Rooms") && screen[0].contains("#lobby"));
        assert!(screen[0].contains("Here 2"), "{}", screen[0]);
        assert!(screen.iter().any(|row| row.contains("[#lobby] ana: olá, 世")), "{screen:#?}");
        assert!(screen[22].contains("sent 9, lost 1") && screen[22].contains("F2/F3 perfect"));
        assert!(screen[23].starts_with("#lobby> hello"));
    }

    #[test]
    fn a_small_terminal_shows_the_talk_and_nothing_panics() {
        let mut view = view();
        for n in 0..50 {
            view.say(format!("line {n} {}", "x".repeat(100)));
        }
        write(&mut view, &"世".repeat(60));
        for (width, height) in [(80, 24), (40, 10), (10, 5), (3, 3), (1, 1), (200, 60)] {
            let _ = screen(&mut view, width, height);
        }
        assert!(screen(&mut view, 40, 10)[0].contains("#lobby"));
    }

    #[test]
    fn keys_edit_recall_and_complete() {
        let mut view = view();
        write(&mut view, "an");
        press(&mut view, KeyCode::Tab);
        write(&mut view, "hi");
        assert_eq!(press(&mut view, KeyCode::Enter), Some(Wish::Line("ana: hi".into())));
        write(&mut view, "/roo");
        press(&mut view, KeyCode::Tab);
        assert_eq!(press(&mut view, KeyCode::Enter), Some(Wish::Line("/rooms ".into())));
        press(&mut view, KeyCode::Up);
        press(&mut view, KeyCode::Up);
        press(&mut view, KeyCode::Backspace);
        assert_eq!(press(&mut view, KeyCode::Enter), Some(Wish::Line("ana: h".into())));
        write(&mut view, "one two");
        view.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(press(&mut view, KeyCode::Enter), Some(Wish::Line("one ".into())));
        assert_eq!(press(&mut view, KeyCode::F(2)), Some(Wish::Level(1)));
        assert_eq!(press(&mut view, KeyCode::F(3)), Some(Wish::Level(0)));
    }

    #[test]
    fn scrolling_back_keeps_its_place() {
        let mut view = view();
        for n in 0..100 {
            view.say(format!("line {n}."));
        }
        assert!(screen(&mut view, 80, 24).iter().any(|row| row.contains("line 99.")));
        press(&mut view, KeyCode::PageUp);
        let before = screen(&mut view, 80, 24);
        assert!(!before.iter().any(|row| row.contains("line 99.")));
        view.say("one more".to_owned());
        let after = screen(&mut view, 80, 24);
        assert_eq!(before[1..20], after[1..20]);
    }

    #[test]
    fn what_is_said_elsewhere_is_counted() {
        let mut view = view();
        let place = Place::User("bob".into());
        let (from, text) = ("bob".to_owned(), "psst".to_owned());
        view.event(&Event::Said { from, place: place.clone(), kind: Kind::Text, text });
        assert!(screen(&mut view, 80, 24).iter().any(|row| row.contains("bob 1")));
        let next = view.key(KeyEvent::new(KeyCode::Char('n'), KeyModifiers::CONTROL));
        assert_eq!(next, Some(Wish::Place(place.clone())));
        view.event(&Event::TalkingTo(place));
        let shown = screen(&mut view, 80, 24);
        assert!(shown.iter().any(|row| row.contains("[private] bob: psst")), "{shown:#?}");
    }

    #[test]
    fn rows_are_cut_by_columns() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("世界世界", 5), ["世界", "世界"]);
        assert_eq!(wrap("", 5), [""]);
        for width in 1..10 {
            let text = "a b 世界 cdefghijklmnop é";
            assert_eq!(wrap(text, width).concat(), text);
        }
    }
}
