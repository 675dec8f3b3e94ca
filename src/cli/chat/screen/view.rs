//! What the terminal interface shows, and what keys do to it: no terminal in here.
//!
//! ```text
//! Rooms            | #lobby
//! #lobby           | ana: hello
//! bob 2            | bob: good evening
//! Here 2           |
//! ana              |
//! bob              |
//! report.bin -> bob: 45 % of 3,000,000 bytes
//! rdt | sent 12, lost 1, resent 1, rtt 40.00 ms, waiting 1
//! loss=20%: F2 worse, F3 better | Ctrl-N, Ctrl-P places | PgUp, PgDn | Ctrl-C ends
//! #lobby> _
//! ```

use core::fmt::Write as _;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};
use rdtp::app::chat::{Lang, Place, plain};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{
    super::files::Progress,
    input::Input,
    keys::Key,
    talk::{Row, Talk, Tone},
};

/// Transfers that are shown at the same time.
const TRANSFERS_MAX: usize = 3;
/// Columns of rooms and members, and those below which they are left out.
const SIDE_COLUMNS: u16 = 18;
const WIDE_COLUMNS: u16 = 60;
/// Rows below which the keys are not explained.
const TALL_ROWS: u16 = 16;
/// Rows that a key scrolls.
const SCROLL_ROWS: usize = 10;

/// Networks from good to bad, for the keys that change it.
const LEVELS: [&str; 6] =
    ["perfect", "loss=5%", "loss=10%", "loss=20%", "loss=20%,delay=100ms", "loss=50%"];

/// What a key asks the program for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A line was typed.
    Line(String),
    /// Lines go there from now on.
    Place(Place),
    /// Another network.
    Network(String),
    /// The end.
    Quit,
}

/// The link at work.
#[derive(Clone, Debug, Default)]
pub(super) struct Strip {
    /// What is below.
    pub(super) over: String,
    /// Counts, in words.
    pub(super) counts: String,
    /// Messages that are not confirmed.
    pub(super) waiting: usize,
    pub(super) online: bool,
}

#[derive(Debug)]
pub(super) struct View {
    lang: Lang,
    pub(super) talk: Talk,
    input: Input,
    pub(super) strip: Strip,
    pub(super) transfers: Vec<Progress>,
    /// The network of now; none where there is none to be made worse.
    network: Option<String>,
}

impl View {
    pub(super) fn new(lang: Lang, place: Place, network: Option<String>) -> Self {
        Self {
            lang,
            talk: Talk::new(lang, place),
            input: Input::default(),
            strip: Strip::default(),
            transfers: Vec::new(),
            network,
        }
    }

    /// The network is this one now.
    pub(super) fn set_network(&mut self, network: String) {
        self.network = Some(network);
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: Key) -> Option<Wish> {
        match key {
            Key::Control('c' | 'd') => Some(Wish::Quit),
            Key::Control('n') => Some(Wish::Place(self.talk.beside(true))),
            Key::Control('p') => Some(Wish::Place(self.talk.beside(false))),
            Key::Function(2) => self.level(1),
            Key::Function(3) => self.level(-1),
            Key::PageUp => {
                self.talk.scroll_back(SCROLL_ROWS);
                None
            }
            Key::PageDown => {
                self.talk.scroll_on(SCROLL_ROWS);
                None
            }
            Key::Tab => {
                self.input.complete(&self.talk.names());
                None
            }
            key => {
                let line = self.input.key(key)?;
                self.talk.scroll_on(usize::MAX);
                Some(Wish::Line(line))
            }
        }
    }

    /// A worse network or a better one. One of the user's own is left for a better one to the perfect,
    /// for a worse one to the first that is bad.
    fn level(&self, step: isize) -> Option<Wish> {
        let now = self.network.as_ref()?;
        let at = LEVELS.iter().position(|level| level == now);
        let next = match at {
            Some(at) => at.saturating_add_signed(step).min(LEVELS.len() - 1),
            None => usize::from(step > 0),
        };
        Some(Wish::Network(LEVELS[next].to_owned()))
    }

    /// Draws everything.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let transfers = self.transfers.len().min(TRANSFERS_MAX);
        let area = frame.area();
        // Where there is little space, the line that is typed goes first, then what was said.
        let rows = |wanted: u16, needed: u16| if area.height > needed { wanted } else { 0 };
        let input = rows(1, 0);
        let strip = rows(if area.height < TALL_ROWS { 1 } else { 2 }, 2);
        let files = rows(u16::try_from(transfers).unwrap_or_default(), 6);
        let [main, files, strip, input] = Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(files),
            Constraint::Length(strip),
            Constraint::Length(input),
        ])
        .areas(area);
        let side = if main.width < WIDE_COLUMNS { 0 } else { SIDE_COLUMNS };
        let [side, talk] =
            Layout::horizontal([Constraint::Length(side), Constraint::Fill(1)]).areas(main);
        self.draw_talk(frame, talk, side.width > 0);
        self.draw_side(frame, side);
        self.draw_transfers(frame, files);
        self.draw_strip(frame, strip);
        self.draw_input(frame, input);
    }

    fn title(&self, place: &Place) -> String {
        match place {
            Place::Everyone => self.lang.everybody().to_owned(),
            Place::Room(room) => format!("#{}", plain(room)),
            Place::User(nick) => plain(nick),
        }
    }

    fn draw_side(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.width == 0 {
            return;
        }
        let block = Block::new().borders(Borders::RIGHT).border_style(Style::new().dim());
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let places: Vec<_> = self.talk.places().collect();
        let (here, more) = self.talk.here();
        // Each list has what it needs, or half.
        let wanted = u16::try_from(places.len() + 1).unwrap_or(u16::MAX);
        let other = u16::try_from(here.len() + 1 + usize::from(more > 0)).unwrap_or(u16::MAX);
        let half = inner.height / 2;
        let rows = wanted.min(half.max(inner.height.saturating_sub(other)));
        let [top, bottom] =
            Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(inner);
        let lines = places.iter().map(|&(place, unread, current)| {
            let name = self.title(place);
            let unread_style = Style::new().fg(Color::Yellow).bold();
            let style = if current { Style::new().bold().reversed() } else { Style::new() };
            let mut line = Line::from(Span::styled(name, style));
            if unread > 0 {
                line.push_span(Span::styled(format!(" {unread}"), unread_style));
            }
            line
        });
        let current = places.iter().position(|&(.., current)| current).unwrap_or(0);
        let title = format!("{} {}", self.lang.rooms(), places.len());
        list(frame, top, title, lines.collect(), current, 0);
        let title = format!("{} {}", self.lang.here(), here.len() + more);
        let lines = here.iter().map(|name| Line::from(plain(name))).collect();
        list(frame, bottom, title, lines, 0, more);
    }

    fn draw_talk(&mut self, frame: &mut Frame<'_>, area: Rect, with_side: bool) {
        if area.is_empty() {
            return;
        }
        let [head, body] =
            Layout::vertical([Constraint::Length(u16::from(area.height > 2)), Constraint::Fill(1)])
                .areas(area);
        let body =
            if with_side { Rect { x: body.x + 1, width: body.width - 1, ..body } } else { body };
        let rows = self.talk.rows(usize::from(body.width), usize::from(body.height));
        let lines: Vec<Line<'_>> = rows.into_iter().map(line).collect();
        frame.render_widget(Paragraph::new(lines), body);
        let mut title = format!(" {}", self.title(self.talk.place()));
        let elsewhere: usize = self.talk.places().map(|(_, unread, _)| unread).sum();
        if !with_side && elsewhere > 0 {
            let _ = write!(title, " (+{elsewhere} Ctrl-N)");
        }
        if self.talk.scrolled() > 0 {
            let newer = self.lang.more_below();
            let _ = write!(title, "  -- {newer}: PgDn --");
        }
        frame.render_widget(Paragraph::new(title).style(Style::new().bold().underlined()), head);
    }

    /// A row for each, of which the part that has moved is marked.
    fn draw_transfers(&self, frame: &mut Frame<'_>, area: Rect) {
        for (row, transfer) in area.rows().zip(&self.transfers) {
            let whole = u64::from(row.width);
            let done = match transfer.size {
                0 => whole,
                size => transfer.moved.saturating_mul(whole) / size,
            };
            let done = u16::try_from(done.min(whole)).unwrap_or(row.width);
            frame.render_widget(Paragraph::new(format!(" {transfer}")), row);
            frame.buffer_mut().set_style(Rect { width: done, ..row }, Style::new().reversed());
        }
    }

    fn draw_strip(&self, frame: &mut Frame<'_>, area: Rect) {
        let Strip { over, counts, waiting, online } = &self.strip;
        let mut left = format!(" {over} | {counts}");
        if !online {
            let off = self.lang.no_connection();
            left = format!(" {over} | {off}");
        }
        if *waiting > 0 {
            let waits = self.lang.waiting();
            let _ = write!(left, ", {waits} {waiting}");
        }
        let network = self.network.as_deref().unwrap_or_default();
        let (left, keys) = if area.height > 1 {
            (left, Some(self.keys(network)))
        } else if network.is_empty() {
            (left, None)
        } else {
            // Counts have what the network leaves.
            let gap = usize::from(area.width).saturating_sub(network.width() + 1);
            (format!("{}{network} ", fill(&left, gap)), None)
        };
        let [counts, below] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        let style = if *online { Style::new().reversed() } else { Style::new().reversed().bold() };
        let left = fill(&left, usize::from(area.width));
        frame.render_widget(Paragraph::new(left).style(style), counts);
        if let Some(keys) = keys {
            frame.render_widget(Paragraph::new(fill(&keys, usize::from(area.width))), below);
        }
    }

    /// The network, and what keys do.
    fn keys(&self, network: &str) -> String {
        let others = self.lang.keys_always();
        if network.is_empty() {
            return format!(" {others}");
        }
        let worse = self.lang.keys_of_network();
        format!(" {network}: {worse} | {others}")
    }

    fn draw_input(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.is_empty() {
            return;
        }
        let columns = usize::from(area.width);
        // The prompt leaves the line half of the row.
        let prompt = cut(&format!("{}> ", self.title(self.talk.place())), columns / 2);
        let before = prompt.width();
        let (text, column) = self.input.window(columns.saturating_sub(before));
        let line = Line::from(vec![Span::styled(prompt, Style::new().bold()), Span::raw(text)]);
        frame.render_widget(Paragraph::new(line), area);
        let x = u16::try_from(before + column).unwrap_or(u16::MAX);
        frame.set_cursor_position((area.x + x.min(area.width - 1), area.y));
    }
}

/// A title and lines below it, moved so that one of them is seen; what is not seen is counted.
fn list(
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    mut lines: Vec<Line<'_>>,
    seen: usize,
    more: usize,
) {
    let room = usize::from(area.height.saturating_sub(1));
    let skipped = (seen + 1).saturating_sub(room.saturating_sub(1).max(1));
    let skipped = if lines.len() > room { skipped.min(lines.len()) } else { 0 };
    lines.drain(..skipped);
    let hidden = if lines.len() + usize::from(more > 0) > room {
        let kept = room.saturating_sub(1).min(lines.len());
        let hidden = lines.len() - kept;
        lines.truncate(kept);
        hidden
    } else {
        0
    };
    if hidden + more > 0 {
        lines.push(Line::from(format!("+{}", hidden + more)));
    }
    lines.insert(0, Line::styled(title, Style::new().bold().underlined()));
    frame.render_widget(Paragraph::new(lines), area);
}

/// A row in the colours of whose it is.
fn line(row: Row) -> Line<'static> {
    let style = match row.tone {
        Tone::Notice => return Line::styled(row.text, Style::new().dim()),
        Tone::Own => Style::new().fg(Color::Cyan).bold(),
        Tone::Other => Style::new().fg(Color::Green).bold(),
    };
    // The name's end is a border of letters: it was made from them.
    let (head, rest) = row.text.split_at_checked(row.head).unwrap_or(("", &row.text));
    Line::from(vec![Span::styled(head.to_owned(), style), Span::raw(rest.to_owned())])
}

/// As much of a text as so many columns hold.
fn cut(text: &str, columns: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).collect()
}

/// A text as so many columns: cut, or with blanks behind it.
fn fill(text: &str, columns: usize) -> String {
    let text = if text.width() > columns {
        format!("{}…", cut(text, columns.saturating_sub(1)))
    } else {
        text.to_owned()
    };
    let gap = columns.saturating_sub(text.width());
    text + &" ".repeat(gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};
    use rdtp::{
        app::chat::{Event, Kind, LOBBY},
        link::Profile,
    };

    fn lobby() -> Place {
        Place::Room(LOBBY.to_owned())
    }

    fn view() -> View {
        let mut view = View::new(Lang::En, lobby(), Some("perfect".to_owned()));
        view.talk.event(&Event::Welcome { nick: "ana".to_owned(), again: false });
        for nick in ["ana", "bob"] {
            let (room, nick) = (LOBBY.to_owned(), nick.to_owned());
            view.talk.event(&Event::Entered { room, nick, me: false });
        }
        view.strip.over = "sr".to_owned();
        view.strip.counts = "sent 9, lost 1, resent 1, rtt 40.00 ms".to_owned();
        view.strip.online = true;
        view
    }

    fn write(view: &mut View, text: &str) {
        for c in text.chars() {
            assert_eq!(view.key(Key::Char(c)), None);
        }
    }

    fn says(view: &mut View, from: &str, text: &str) {
        let (from, text) = (from.to_owned(), text.to_owned());
        view.talk.event(&Event::Said { from, place: lobby(), kind: Kind::Text, text });
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
        says(&mut view, "bob", "olá, 世界");
        let name = "report.bin".to_owned();
        let (other, sending, moved, size) = ("bob".to_owned(), true, 45, 100);
        view.transfers.push(Progress { name, other, sending, moved, size });
        view.strip.waiting = 2;
        write(&mut view, "hello");
        let screen = screen(&mut view, 80, 24);
        assert!(screen[0].starts_with("Rooms ") && screen[0].contains("│ #lobby"), "{screen:#?}");
        assert!(screen[1].starts_with("#lobby "));
        assert!(screen.iter().any(|row| row.starts_with("Here 2")), "{screen:#?}");
        // A wide letter is followed by a cell that is empty.
        assert!(screen.iter().any(|row| row.contains("│ bob: olá, 世 界")), "{screen:#?}");
        assert!(screen[20].starts_with(" report.bin -> bob: 45 % of 100 bytes"), "{screen:#?}");
        assert!(screen[21].starts_with(" sr | sent 9, lost 1, resent 1, rtt 40.00 ms, waiting 2"));
        assert!(screen[22].starts_with(" perfect: F2 worse, F3 better | Ctrl-N"));
        assert!(screen[23].starts_with("#lobby> hello"));
    }

    #[test]
    fn no_size_is_too_small_and_the_line_is_seen_in_all() {
        let mut view = view();
        for n in 0..50 {
            view.talk.say(format!("line {n} {}", "x".repeat(100)));
            let nick = format!("somebody-{n}");
            view.talk.event(&Event::Entered { room: LOBBY.to_owned(), nick, me: false });
        }
        let name = "世".repeat(100);
        let (other, sending, moved, size) = ("bob".to_owned(), false, 0, 0);
        view.transfers = vec![Progress { name, other, sending, moved, size }; 5];
        write(&mut view, &"世".repeat(60));
        for width in (0..30).chain([59, 60, 80, 200]) {
            for height in (0..12).chain([24, 60]) {
                let rows = screen(&mut view, width, height);
                if let Some(last) = rows.last().filter(|_| width >= 6) {
                    assert!(last.contains('世'), "{width}x{height}: {rows:#?}");
                }
            }
        }
        let narrow = screen(&mut view, 40, 10);
        assert!(narrow[0].starts_with(" #lobby") && narrow[9].starts_with("#lobby> "));
        assert!(narrow[8].contains("perfect"));
    }

    #[test]
    fn what_does_not_fit_the_lists_is_counted() {
        let mut view = view();
        for n in 0..30 {
            let nick = format!("user-{n:02}");
            let (from, place) = (nick.clone(), Place::User(nick.clone()));
            let (kind, text) = (Kind::Text, "psst".to_owned());
            view.talk.event(&Event::Said { from, place, kind, text });
            view.talk.event(&Event::Entered { room: LOBBY.to_owned(), nick, me: false });
        }
        let rows = screen(&mut view, 80, 24);
        assert!(rows[1].starts_with("#lobby"), "{rows:#?}");
        assert_eq!(rows.iter().filter(|row| row.starts_with('+')).count(), 2, "{rows:#?}");
        view.talk.event(&Event::TalkingTo(Place::User("user-29".to_owned())));
        let rows = screen(&mut view, 80, 24);
        let here = rows.iter().position(|row| row.starts_with("Here 2")).unwrap();
        assert!(rows[..here].iter().any(|row| row.starts_with("user-29")), "{rows:#?}");
    }

    #[test]
    fn keys_change_the_network_step_by_step() {
        for level in LEVELS {
            let _: Profile = level.parse().expect(level);
        }
        let mut view = view();
        for expected in LEVELS.iter().skip(1).chain([&LEVELS[5]]) {
            let Some(Wish::Network(network)) = view.key(Key::Function(2)) else {
                panic!("no wish")
            };
            assert_eq!(network, *expected);
            view.set_network(network);
        }
        assert_eq!(view.key(Key::Function(3)), Some(Wish::Network(LEVELS[4].to_owned())));
        view.set_network("dup=3%".to_owned());
        assert_eq!(view.key(Key::Function(3)), Some(Wish::Network("perfect".to_owned())));
        assert_eq!(view.key(Key::Function(2)), Some(Wish::Network("loss=5%".to_owned())));
        let mut tcp = View::new(Lang::En, lobby(), None);
        assert_eq!(tcp.key(Key::Function(2)), None);
    }

    #[test]
    fn keys_scroll_complete_and_change_places() {
        let mut view = view();
        for n in 0..100 {
            view.talk.say(format!("line {n}."));
        }
        assert!(screen(&mut view, 80, 24).iter().any(|row| row.contains("line 99.")));
        view.key(Key::PageUp);
        let back = screen(&mut view, 80, 24);
        assert!(!back.iter().any(|row| row.contains("line 99.")));
        assert!(back[0].contains("more below"));
        says(&mut view, "bob", "are you there?");
        assert_eq!(screen(&mut view, 80, 24)[1..20], back[1..20]);
        write(&mut view, "bo");
        view.key(Key::Tab);
        assert_eq!(view.key(Key::Enter), Some(Wish::Line("bob: ".to_owned())));
        assert!(screen(&mut view, 80, 24).iter().any(|row| row.contains("are you there?")));
        let place = Place::User("bob".to_owned());
        let (from, kind, text) = ("bob".to_owned(), Kind::Text, "psst".to_owned());
        view.talk.event(&Event::Said { from, place: place.clone(), kind, text });
        assert!(screen(&mut view, 80, 24)[2].starts_with("bob 1"));
        assert_eq!(view.key(Key::Control('n')), Some(Wish::Place(place)));
        assert_eq!(view.key(Key::Control('c')), Some(Wish::Quit));
    }

    #[test]
    fn nothing_that_others_call_themselves_steers_the_terminal() {
        let mut view = view();
        let evil = "\u{1b}[2J\u{202e}x".to_owned();
        let names = vec![evil.clone()];
        view.talk.event(&Event::Members { room: LOBBY.to_owned(), names, more: 0 });
        view.talk.event(&Event::TalkingTo(Place::User(evil.clone())));
        says(&mut view, &evil, &evil);
        for row in screen(&mut view, 80, 24) {
            assert!(!row.contains(['\u{1b}', '\u{202e}']), "{row:?}");
        }
    }
}
