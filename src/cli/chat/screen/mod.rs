//! The terminal interface: a view on a terminal, a session below it.

mod input;
mod keys;
mod talk;
mod terminal;
mod view;

use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{collections::VecDeque, io, sync::Arc};

use ratatui::{Terminal, backend::TermionBackend};
use rdtp::{
    app::chat::{Event, Line, Verb, parse},
    time::Instant,
};
use rustix::fd::AsFd as _;
use signal_hook::{consts::SIGWINCH, flag};

use super::join::{Ended, Joined, LAST_WORDS, describe};
use crate::cli::{Failure, carrier, stop::Stop};
use keys::Keys;
use terminal::Raw;
use view::{Strip, View, Wish};

/// How often counts are looked at when nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often it is drawn at most, when nobody types: twenty-five times a second.
const DRAW_EVERY: Duration = Duration::from_millis(40);
/// Lines that wait for a connection.
const PENDING_MAX: usize = 64;

/// Runs a session on the whole terminal, and leaves the terminal as it was.
pub(super) fn run(
    joined: &mut Joined,
    over: &str,
    network: Option<String>,
) -> Result<Ended, Failure> {
    let stop = Stop::on_signals()?;
    let raw = Raw::take()?;
    let mut screen = Screen::new(joined, over, network)?;
    let ended = screen.talk(joined, &stop);
    let last = core::mem::take(&mut screen.last);
    drop((screen, raw));
    let ended = ended?;
    for line in last {
        say!("{line}");
    }
    if ended == Ended::Well {
        last_words(joined, &stop)?;
    }
    Ok(ended)
}

struct Screen {
    terminal: Terminal<TermionBackend<io::Stdout>>,
    view: View,
    keys: Keys,
    /// The terminal has another size.
    resized: Arc<AtomicBool>,
    drawn_at: Option<Instant>,
    /// Lines that were typed without a connection, and can only be done with one.
    pending: VecDeque<String>,
    /// Words that should be read after the screen has gone.
    last: Vec<String>,
}

impl Screen {
    fn new(joined: &mut Joined, over: &str, network: Option<String>) -> io::Result<Self> {
        // A change of size interrupts the wait.
        let resized = Arc::new(AtomicBool::new(false));
        flag::register(SIGWINCH, Arc::clone(&resized))?;
        let session = &mut joined.session;
        let mut view = View::new(session.lang, session.client.place().clone(), network);
        over.clone_into(&mut view.strip.over);
        view.talk.say(session.lang.keys().to_owned());
        session.seen = Some(Vec::new());
        Ok(Self {
            terminal: Terminal::new(TermionBackend::new(io::stdout()))?,
            view,
            keys: Keys::default(),
            resized,
            drawn_at: None,
            pending: VecDeque::new(),
            last: Vec::new(),
        })
    }

    /// Until the user, the server or the system wants an end.
    fn talk(&mut self, joined: &mut Joined, stop: &Stop) -> Result<Ended, Failure> {
        let clock = joined.session.clock;
        let (mut ready, mut typed) = (Vec::new(), false);
        let stdin = io::stdin();
        loop {
            self.take_pending(joined);
            joined.flush();
            joined.session.events();
            self.show(joined);
            joined.flush();
            if joined.refused && !joined.session.met {
                return Ok(Ended::Refused);
            }
            if stop.is_asked() || joined.session.client.is_over() {
                return Ok(Ended::Well);
            }
            let now = clock.now();
            let resized = self.resized.swap(false, Ordering::Relaxed);
            let due = self.drawn_at.map_or(now, |at| at + DRAW_EVERY);
            let look = if typed || resized || now >= due {
                self.draw(joined)?;
                self.drawn_at = Some(now);
                now + LOOK_EVERY
            } else {
                due
            };
            let wake = joined.deadline().into_iter().chain([look]).min();
            typed =
                carrier::wait(&[&*joined.carrier], Some(stdin.as_fd()), wake, &clock, &mut ready)?;
            joined.step(&ready[0])?;
            if typed && !self.read(joined)? {
                return Ok(Ended::Well);
            }
        }
    }

    /// Gives the view what the session has to tell.
    fn show(&mut self, joined: &mut Joined) {
        let session = &mut joined.session;
        for event in session.seen.replace(Vec::new()).unwrap_or_default() {
            match &event {
                Event::Entered { room, me: true, .. } => self.ask(joined, room),
                Event::Welcome { again: true, .. } => {
                    let rooms: Vec<String> =
                        joined.session.client.rooms().map(ToOwned::to_owned).collect();
                    for room in &rooms {
                        self.ask(joined, room);
                    }
                }
                Event::Bye(_) | Event::Refused { .. } | Event::Ended => {
                    self.last = joined.session.lang.lines(&event);
                }
                _ => {}
            }
            self.view.talk.event(&event);
        }
        if let Some(network) = joined.session.network.take() {
            self.view.set_network(network);
        }
        for line in joined.session.lines.drain(..) {
            self.view.talk.say(line);
        }
    }

    /// Asks who is in a room, for the list beside the talk.
    fn ask(&mut self, joined: &mut Joined, room: &str) {
        self.view.talk.asking(room);
        let session = &mut joined.session;
        session.client.handle_line(session.clock.now(), &format!("/members {room}"));
    }

    fn draw(&mut self, joined: &Joined) -> io::Result<()> {
        let client = &joined.session.client;
        self.view.strip = Strip {
            over: core::mem::take(&mut self.view.strip.over),
            counts: describe(joined.session.lang, joined.carrier.traffic(), client.rtt()),
            waiting: client.unconfirmed() + self.pending.len(),
            online: client.is_online(),
        };
        self.view.transfers = joined.session.files.progress();
        self.terminal.draw(|frame| self.view.draw(frame)).map(drop)
    }

    /// Reads keys; false when the user wants an end, or the terminal has gone.
    fn read(&mut self, joined: &mut Joined) -> io::Result<bool> {
        let mut buffer = [0; 4_096];
        match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(0) | Err(rustix::io::Errno::IO) => return Ok(false),
            Ok(len) => self.keys.push(&buffer[..len]),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(key) = self.keys.next_key() {
            match self.view.key(key) {
                Some(Wish::Line(line)) if is_quit(&line) => return Ok(false),
                Some(Wish::Line(line)) => self.line(joined, line),
                Some(Wish::Place(place)) => joined.session.client.talk_to(place),
                Some(Wish::Network(network)) => joined.session.link = network.parse().ok(),
                Some(Wish::Quit) => return Ok(false),
                None => {}
            }
        }
        Ok(true)
    }

    /// Does what a line says; at once, unless it needs a connection and there is none.
    fn line(&mut self, joined: &mut Joined, line: String) {
        let local = matches!(
            parse(&line),
            Line::Empty
                | Line::Usage(_)
                | Line::Unknown(_)
                | Line::Command(Verb::Help | Verb::Link | Verb::Stats, ..)
        );
        let waits = !joined.session.client.is_online() || !self.pending.is_empty();
        if local || !waits {
            joined.session.line(&line);
        } else if self.pending.len() < PENDING_MAX {
            self.pending.push_back(line);
        }
    }

    fn take_pending(&mut self, joined: &mut Joined) {
        while joined.session.client.is_online() {
            let Some(line) = self.pending.pop_front() else { break };
            joined.session.line(&line);
        }
    }
}

/// Whether a line ends it all. Nobody waits for an answer of the server, which may never come.
fn is_quit(line: &str) -> bool {
    matches!(parse(line), Line::Command(Verb::Quit, ..))
}

/// Says goodbye, and gives what was said a moment to leave.
fn last_words(joined: &mut Joined, stop: &Stop) -> Result<(), Failure> {
    let clock = joined.session.clock;
    let until = clock.now() + LAST_WORDS;
    joined.session.client.quit();
    let mut ready = Vec::new();
    while clock.now() < until {
        joined.flush();
        if !joined.carrier.has_work() || stop.is_asked() {
            break;
        }
        let wake = joined.deadline().map_or(until, |at| at.min(until));
        carrier::wait(&[&*joined.carrier], None, Some(wake), &clock, &mut ready)?;
        joined.step(&ready[0])?;
    }
    Ok(())
}
