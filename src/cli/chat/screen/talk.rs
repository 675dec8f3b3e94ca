//! What was said, where, and who is there.

use std::collections::{BTreeMap, BTreeSet};

use rdtp::app::chat::{Event, Kind, LOBBY, Lang, Place, folded, plain};
use unicode_width::UnicodeWidthChar as _;

/// Lines that are kept of each place.
const LINES_MAX: usize = 2_000;
/// Places that are kept: rooms, private talks.
const PLACES_MAX: usize = 64;
/// Members that are known by name; others are counted.
const MEMBERS_MAX: usize = 2_000;

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// The program's.
    Notice,
    Own,
    Other,
}

/// A line, as it may be shown.
#[derive(Clone, Debug)]
struct Said {
    tone: Tone,
    /// Bytes of the name at the beginning.
    head: usize,
    text: String,
}

/// A row of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) tone: Tone,
    pub(super) head: usize,
    pub(super) text: String,
}

/// One place and what was said there.
#[derive(Clone, Debug, Default)]
struct Pane {
    lines: Vec<Said>,
    unread: usize,
}

/// Who is in a room, as far as the server told.
#[derive(Clone, Debug, Default)]
struct Members {
    names: Vec<String>,
    more: usize,
}

#[derive(Debug)]
pub(super) struct Talk {
    lang: Lang,
    nick: String,
    place: Place,
    panes: BTreeMap<Place, Pane>,
    members: BTreeMap<String, Members>,
    /// Rooms whose members were asked for by the program and not by the user.
    asked: BTreeSet<String>,
    /// Rows that are scrolled back.
    scroll: usize,
    /// Columns of a row when it was last drawn.
    columns: usize,
}

impl Talk {
    pub(super) fn new(lang: Lang, place: Place) -> Self {
        Self {
            lang,
            nick: String::new(),
            panes: BTreeMap::from([(place.clone(), Pane::default())]),
            place,
            members: BTreeMap::new(),
            asked: BTreeSet::new(),
            scroll: 0,
            columns: 80,
        }
    }

    /// Takes what happened, and where lines go since.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Welcome { nick, .. } => self.nick.clone_from(nick),
            Event::Said { from, place, kind, text } => {
                return self.said(event, from, place, *kind, text);
            }
            Event::Members { room, names, more } => {
                if self.members.contains_key(room) || self.members.len() < PLACES_MAX {
                    let (names, more) = (names.clone(), usize::try_from(*more).unwrap_or(0));
                    self.members.insert(room.clone(), Members { names, more });
                }
                if self.asked.remove(room) {
                    return;
                }
            }
            Event::Entered { room, nick, me } => {
                self.entered(room, nick);
                if *me {
                    self.open(&Place::Room(room.clone()));
                }
                return self.notice(&Place::Room(room.clone()), event);
            }
            Event::Left { room, nick, me, .. } => return self.left(event, room, nick, *me),
            Event::Renamed { old, new, me } => self.renamed(old, new, *me),
            Event::TalkingTo(place) => {
                self.go(place);
                return;
            }
            _ => {}
        }
        self.notice(&self.place.clone(), event);
    }

    fn said(&mut self, event: &Event, from: &str, place: &Place, kind: Kind, text: &str) {
        let tone = if folded(from) == folded(&self.nick) { Tone::Own } else { Tone::Other };
        let place = self.known(place);
        if !self.open(&place) {
            // What goes to everybody is shown where the user is, and says so; so is what has no place.
            for text in self.lang.lines(event) {
                self.push(&self.place.clone(), Said { tone, head: 0, text });
            }
            return;
        }
        let head = if kind == Kind::Text { plain(from).len() + 1 } else { 0 };
        let text = self.lang.said(from, kind, text);
        self.push(&place, Said { tone, head, text });
    }

    fn entered(&mut self, room: &str, nick: &str) {
        if !self.members.contains_key(room) && self.members.len() >= PLACES_MAX {
            return;
        }
        let members = self.members.entry(room.to_owned()).or_default();
        if members.names.iter().any(|name| name == nick) {
            return;
        }
        if members.names.len() < MEMBERS_MAX {
            members.names.push(nick.to_owned());
        } else {
            members.more += 1;
        }
    }

    fn left(&mut self, event: &Event, room: &str, nick: &str, me: bool) {
        let place = Place::Room(room.to_owned());
        if !me {
            if let Some(members) = self.members.get_mut(room) {
                members.names.retain(|name| name != nick);
            }
            return self.notice(&place, event);
        }
        self.members.remove(room);
        self.panes.remove(&place);
        if self.place == place {
            self.go(&Place::Room(LOBBY.to_owned()));
        }
        self.notice(&self.place.clone(), event);
    }

    fn renamed(&mut self, old: &str, new: &str, me: bool) {
        for members in self.members.values_mut() {
            for name in members.names.iter_mut().filter(|name| *name == old) {
                new.clone_into(name);
            }
        }
        if me {
            new.clone_into(&mut self.nick);
        }
        let (before, after) = (Place::User(old.to_owned()), Place::User(new.to_owned()));
        if let Some(pane) = self.panes.remove(&before) {
            self.panes.insert(after.clone(), pane);
        }
        if self.place == before {
            self.place = after;
        }
    }

    fn notice(&mut self, place: &Place, event: &Event) {
        let place = if self.open(place) { place.clone() } else { self.place.clone() };
        for text in self.lang.lines(event) {
            self.push(&place, Said { tone: Tone::Notice, head: 0, text });
        }
    }

    /// A line of the program, where the user is.
    pub(super) fn say(&mut self, text: String) {
        self.push(&self.place.clone(), Said { tone: Tone::Notice, head: 0, text });
    }

    /// The members of this room are asked for, and the user has not done so.
    pub(super) fn asking(&mut self, room: &str) {
        self.asked.insert(room.to_owned());
    }

    /// The name under which this place is open already, or the place itself: a user may write names in
    /// capitals.
    fn known(&self, place: &Place) -> Place {
        let same = |known: &&Place| match (known, place) {
            (Place::Room(a), Place::Room(b)) | (Place::User(a), Place::User(b)) => {
                folded(a) == folded(b)
            }
            _ => false,
        };
        self.panes.keys().find(same).unwrap_or(place).clone()
    }

    /// Makes room for what is said in a place; false when there is none.
    fn open(&mut self, place: &Place) -> bool {
        if self.panes.contains_key(place) {
            return true;
        }
        let room = *place != Place::Everyone && self.panes.len() < PLACES_MAX;
        if room {
            self.panes.insert(place.clone(), Pane::default());
        }
        room
    }

    /// Lines go there from now on.
    fn go(&mut self, place: &Place) {
        let place = self.known(place);
        if self.open(&place) {
            self.scroll = 0;
            self.place = place;
        }
    }

    fn push(&mut self, place: &Place, said: Said) {
        let here = *place == self.place;
        if here && self.scroll > 0 {
            // What is being read stays where it is.
            self.scroll += wrap(&said.text, self.columns).len();
        }
        let Some(pane) = self.panes.get_mut(place) else { return };
        pane.unread += usize::from(!here && said.tone != Tone::Notice);
        pane.lines.push(said);
        if pane.lines.len() > LINES_MAX {
            pane.lines.remove(0);
        }
    }

    /// Rows further back, or less far.
    pub(super) fn scroll_back(&mut self, rows: usize) {
        self.scroll = self.scroll.saturating_add(rows);
    }

    pub(super) fn scroll_on(&mut self, rows: usize) {
        self.scroll = self.scroll.saturating_sub(rows);
    }

    pub(super) fn scrolled(&self) -> usize {
        self.scroll
    }

    /// The rows to be shown in so much space, the newest last. They count as read.
    pub(super) fn rows(&mut self, columns: usize, height: usize) -> Vec<Row> {
        self.columns = columns.max(1);
        let Some(pane) = self.panes.get_mut(&self.place) else { return Vec::new() };
        pane.unread = 0;
        let mut rows = Vec::new();
        // From the end, and only as far as is seen.
        for said in pane.lines.iter().rev() {
            if rows.len() >= height.saturating_add(self.scroll) {
                break;
            }
            let pieces = wrap(&said.text, self.columns);
            let last = pieces.len() - 1;
            for (at, text) in pieces.into_iter().rev().enumerate() {
                let head = if at == last { said.head.min(text.len()) } else { 0 };
                rows.push(Row { tone: said.tone, head, text });
            }
        }
        self.scroll = self.scroll.min(rows.len().saturating_sub(height));
        rows.drain(..self.scroll);
        rows.truncate(height);
        rows.reverse();
        rows
    }

    /// Places with what is unread in each, and where the user is.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Place, usize, bool)> {
        self.panes.iter().map(|(place, pane)| (place, pane.unread, *place == self.place))
    }

    /// The next place of the list, or the one before.
    pub(super) fn beside(&self, forward: bool) -> Place {
        let step = if forward { 1 } else { self.panes.len().saturating_sub(1) };
        let at = self.panes.keys().position(|place| *place == self.place).unwrap_or(0);
        let next = self.panes.keys().cycle().nth(at + step);
        next.unwrap_or(&self.place).clone()
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Who is where the user is, and how many more.
    pub(super) fn here(&self) -> (Vec<&str>, usize) {
        match &self.place {
            Place::Room(room) => self.members.get(room).map_or((Vec::new(), 0), |members| {
                (members.names.iter().map(String::as_str).collect(), members.more)
            }),
            Place::User(nick) => (vec![nick, &self.nick], 0),
            Place::Everyone => (Vec::new(), 0),
        }
    }

    /// Names that may be meant by a word: users and rooms.
    pub(super) fn names(&self) -> Vec<String> {
        let users = self.members.values().flat_map(|members| &members.names).cloned();
        let places = self.panes.keys().filter_map(|place| match place {
            Place::Room(name) | Place::User(name) => Some(name.clone()),
            Place::Everyone => None,
        });
        let names: BTreeSet<String> = users.chain(places).map(|name| plain(&name)).collect();
        names.into_iter().collect()
    }
}

/// Cuts a line into rows of at most so many columns, at blanks where there are any. There is at least
/// one row.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut row, mut used, mut blank) = (String::new(), 0, None);
    for c in line.chars() {
        let width = c.width().unwrap_or(0);
        if used + width > columns && !row.is_empty() {
            // At the last blank, unless that would leave half of the row empty.
            let rest = match blank {
                Some(at) if 2 * at > row.len() => row.split_off(at),
                _ => String::new(),
            };
            rows.push(core::mem::replace(&mut row, rest));
            used = row.chars().map(|c| c.width().unwrap_or(0)).sum();
            blank = None;
        }
        row.push(c);
        used += width;
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

    fn lobby() -> Place {
        Place::Room(LOBBY.to_owned())
    }

    fn said(from: &str, place: Place, text: &str) -> Event {
        Event::Said { from: from.to_owned(), place, kind: Kind::Text, text: text.to_owned() }
    }

    fn talk() -> Talk {
        let mut talk = Talk::new(Lang::En, lobby());
        talk.event(&Event::Welcome { nick: "ana".to_owned(), again: false });
        talk
    }

    fn texts(talk: &mut Talk) -> Vec<String> {
        talk.rows(60, 100).into_iter().map(|row| row.text).collect()
    }

    #[test]
    fn what_is_said_elsewhere_is_counted_and_found_there() {
        let mut talk = talk();
        talk.event(&said("bob", Place::User("bob".to_owned()), "psst"));
        talk.event(&Event::TalkingTo(lobby()));
        let bob = Place::User("bob".to_owned());
        assert!(talk.places().any(|(place, unread, here)| *place == bob && unread == 1 && !here));
        assert_eq!(talk.beside(true), bob);
        assert_eq!(talk.beside(false), bob);
        talk.event(&Event::TalkingTo(Place::User("BOB".to_owned())));
        assert_eq!(talk.place(), &bob, "names are the same in capitals");
        assert_eq!(texts(&mut talk), ["bob: psst"]);
        assert!(talk.places().all(|(_, unread, _)| unread == 0));
    }

    #[test]
    fn what_goes_to_everybody_is_shown_where_the_user_is() {
        let mut talk = talk();
        talk.event(&said("bob", Place::Everyone, "news"));
        assert!(texts(&mut talk).contains(&"[all] bob: news".to_owned()));
    }

    #[test]
    fn members_come_go_and_change_their_names() {
        let mut talk = talk();
        let room = "lobby".to_owned();
        talk.asking("lobby");
        let names = vec!["ana".to_owned(), "bob".to_owned()];
        let before = texts(&mut talk).len();
        talk.event(&Event::Members { room: room.clone(), names: names.clone(), more: 3 });
        assert_eq!(texts(&mut talk).len(), before, "the user has not asked");
        assert_eq!(talk.here(), (vec!["ana", "bob"], 3));
        let (old, new) = ("bob".to_owned(), "rob".to_owned());
        talk.event(&said("bob", Place::User("bob".to_owned()), "hi"));
        talk.event(&Event::Renamed { old, new, me: false });
        assert_eq!(talk.here().0, ["ana", "rob"]);
        assert!(talk.places().any(|(place, ..)| *place == Place::User("rob".to_owned())));
        let why = rdtp::app::chat::Parting::Left;
        let nick = "rob".to_owned();
        talk.event(&Event::Left { room: room.clone(), nick, why, me: false });
        assert_eq!(talk.here().0, ["ana"]);
        talk.event(&Event::Members { room, names, more: 0 });
        assert!(texts(&mut talk).last().unwrap().contains("ana, bob"), "the user has asked");
    }

    #[test]
    fn who_is_put_out_reads_so_in_the_lobby() {
        let mut talk = talk();
        let den = Place::Room("den".to_owned());
        let (room, nick) = ("den".to_owned(), "ana".to_owned());
        talk.event(&Event::Entered { room: room.clone(), nick: nick.clone(), me: true });
        talk.event(&Event::TalkingTo(den.clone()));
        let why = rdtp::app::chat::Parting::Kicked;
        talk.event(&Event::Left { room, nick, why, me: true });
        assert_eq!(talk.place(), &lobby());
        assert!(talk.places().all(|(place, ..)| *place != den));
        assert!(texts(&mut talk).last().unwrap().contains("put out of #den"));
    }

    #[test]
    fn neither_lines_nor_places_grow_without_end() {
        let mut talk = talk();
        for n in 0..PLACES_MAX + 10 {
            let nick = format!("user-{n}");
            talk.event(&said(&nick, Place::User(nick.clone()), "spam"));
        }
        assert_eq!(talk.panes.len(), PLACES_MAX);
        assert!(texts(&mut talk).iter().any(|text| text.contains("[private]")));
        for n in 0..LINES_MAX + 10 {
            talk.say(format!("line {n}"));
        }
        assert_eq!(talk.panes[&lobby()].lines.len(), LINES_MAX);
        for n in 0..MEMBERS_MAX + 10 {
            let (room, nick) = (format!("room-{n}"), "x".to_owned());
            talk.event(&Event::Entered { room, nick, me: false });
            let (room, nick) = (LOBBY.to_owned(), format!("user-{n}"));
            talk.event(&Event::Entered { room, nick, me: false });
        }
        assert_eq!(talk.members.len(), PLACES_MAX);
        assert_eq!((talk.here().0.len(), talk.here().1), (MEMBERS_MAX, 10));
    }

    #[test]
    fn what_is_read_stays_in_its_place() {
        let mut talk = talk();
        for n in 0..100 {
            talk.say(format!("line {n}."));
        }
        assert_eq!(talk.rows(20, 10)[9].text, "line 99.");
        talk.scroll_back(10);
        let before = talk.rows(20, 10);
        assert_eq!(before[9].text, "line 89.");
        talk.say("a line that takes more than one row".to_owned());
        assert_eq!(talk.rows(20, 10), before);
        talk.scroll_back(1_000);
        assert_eq!(talk.rows(20, 10).len(), 10);
        talk.scroll_on(usize::MAX);
        assert!(talk.rows(20, 10)[9].text.contains("row"));
    }

    #[test]
    fn rows_are_cut_by_columns() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("世界世界", 5), ["世界", "世界"]);
        assert_eq!(wrap("", 5), [""]);
        for columns in 1..10 {
            let text = "a b 世界 cdefghijklmnop é e\u{301}";
            assert_eq!(wrap(text, columns).concat(), text);
        }
    }
}
