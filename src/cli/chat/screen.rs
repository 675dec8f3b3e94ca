//! The terminal interface: the view on a terminal, a session below it.

use core::time::Duration;
use std::io;

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event as Input, KeyEventKind},
};
use rdtp::app::chat::Event;
use rustix::fd::AsFd as _;

use super::{
    join::{Ended, Joined, describe},
    view::{LEVELS, View, Wish},
};
use crate::cli::{Failure, carrier, stop::Stop};

/// How often counts are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the last words may take to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs a session on the whole terminal, and leaves the terminal as it was.
pub(super) fn run(joined: &mut Joined, over: &str) -> Result<Ended, Failure> {
    let mut terminal = ratatui::try_init()?;
    let ended = talk(joined, over, &mut terminal);
    ratatui::restore();
    ended
}

fn talk(joined: &mut Joined, over: &str, terminal: &mut DefaultTerminal) -> Result<Ended, Failure> {
    let clock = joined.session.clock;
    let stop = Stop::on_signals()?;
    let mut view = View::new(joined.session.lang, joined.session.client.place().clone());
    joined.session.seen = Some(Vec::new());
    let (mut ready, mut leaving) = (Vec::new(), None);
    let stdin = io::stdin();
    loop {
        let now = clock.now();
        joined.flush();
        joined.session.events();
        show(joined, &mut view);
        joined.flush();
        if joined.refused && !joined.session.met {
            return Ok(Ended::Refused);
        }
        if (stop.is_asked() || joined.session.client.is_over()) && leaving.is_none() {
            joined.session.client.quit();
            joined.flush();
            leaving = Some(now + LAST_WORDS);
        }
        if let Some(until) = leaving
            && (now >= until || (joined.session.client.is_over() && !joined.carrier.has_work()))
        {
            return Ok(Ended::Well);
        }
        let counts = describe(&joined.carrier.traffic(), joined.session.client.rtt());
        view.strip = format!("{over}: {counts}");
        view.transfers = joined.session.files.progress();
        joined.session.client.nick().clone_into(&mut view.nick);
        terminal.draw(|frame| view.draw(frame))?;
        let wake = joined.deadline().into_iter().chain([now + LOOK_EVERY]).min();
        let typed =
            carrier::wait(&[&*joined.carrier], Some(stdin.as_fd()), wake, &clock, &mut ready)?;
        joined.step(&ready[0])?;
        // A change of size interrupts the wait and is an event too.
        while (typed || event::poll(Duration::ZERO)?) && event::poll(Duration::ZERO)? {
            let wish = match event::read()? {
                Input::Key(key) if key.kind != KeyEventKind::Release => view.key(key),
                _ => None,
            };
            act(joined, wish);
        }
    }
}

/// Gives the view what the session has to tell.
fn show(joined: &mut Joined, view: &mut View) {
    let session = &mut joined.session;
    let seen = session.seen.replace(Vec::new()).unwrap_or_default();
    for event in &seen {
        if let Event::Entered { room, me: true, .. } = event {
            let ask = format!("/members {room}");
            session.client.handle_line(session.clock.now(), &ask);
        }
        view.event(event);
    }
    for line in session.lines.drain(..) {
        view.say(line);
    }
    view.place = session.client.place().clone();
}

fn act(joined: &mut Joined, wish: Option<Wish>) {
    let session = &mut joined.session;
    match wish {
        Some(Wish::Line(line)) => session.line(&line),
        Some(Wish::Place(place)) => session.client.talk_to(place),
        Some(Wish::Level(level)) => session.link = LEVELS[level].parse().ok(),
        Some(Wish::Quit) => session.client.quit(),
        None => {}
    }
}
