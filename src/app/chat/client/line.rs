//! What the user types.

use alloc::borrow::ToOwned;

use super::{Client, Event, Place};
use crate::{
    app::chat::{
        command::{Line, Verb, parse},
        frame::{Frame, Kind, Listing},
        names::{check_nick, folded},
    },
    time::Instant,
};

/// Rooms that a client asks for at the same time.
const ROOMS_WANTED_MAX: usize = 64;

impl Client {
    /// Does what a line says: see [`parse`]. What only the program can do comes back as
    /// [`Event::Do`], wrong use as [`Event::Usage`].
    pub fn handle_line(&mut self, now: Instant, line: &str) {
        match parse(line) {
            Line::Empty => {}
            Line::Text(text) => self.say_or_tell(now, Kind::Text, self.place.clone(), text),
            Line::Usage(verb) => self.events.push_back(Event::Usage(verb)),
            Line::Unknown(name) => {
                self.events.push_back(Event::UnknownCommand(name.to_owned()));
            }
            Line::Command(verb, first, second) => self.command(now, verb, first, second),
        }
    }

    fn say_or_tell(&mut self, now: Instant, kind: Kind, place: Place, text: &str) {
        if let Err(error) = self.say(now, kind, place, text) {
            self.events.push_back(Event::NotTaken(error));
        }
    }

    fn command(&mut self, now: Instant, verb: Verb, first: &str, second: &str) {
        let room = |client: &Self| match &client.place {
            Place::Room(room) if first.is_empty() => Some(room.clone()),
            _ if first.is_empty() => None,
            _ => Some(first.to_owned()),
        };
        match verb {
            Verb::Nick => self.send(&Frame::Rename(first)),
            Verb::Users => self.send(&Frame::List(Listing::Users)),
            Verb::Rooms => self.send(&Frame::List(Listing::Rooms)),
            Verb::Members => match room(self) {
                Some(room) => self.send(&Frame::List(Listing::Members(&room))),
                None => self.events.push_back(Event::Usage(verb)),
            },
            Verb::Create | Verb::Join => {
                self.send(&Frame::Enter { create: verb == Verb::Create, room: first });
                if self.wanted.len() < ROOMS_WANTED_MAX && check_nick(first).is_ok() {
                    self.wanted.insert(first.to_owned());
                }
                // Lines that follow are meant for it; where it cannot be entered, they are refused.
                let known = self.rooms.iter().find(|room| folded(room) == folded(first));
                let room = known.map_or(first, |room| room).to_owned();
                self.go_to(Place::Room(room));
            }
            Verb::Leave => match room(self) {
                Some(room) => self.send(&Frame::Leave(&room)),
                // Out of a talk with one user.
                None => self.go_to(Place::Room(super::LOBBY.to_owned())),
            },
            Verb::Kick => {
                let Place::Room(room) = self.place.clone() else {
                    return self.events.push_back(Event::Usage(verb));
                };
                self.send(&Frame::Kick { room: &room, nick: first });
            }
            Verb::All => self.say_or_tell(now, Kind::Text, Place::Everyone, first),
            Verb::Msg if second.is_empty() => self.go_to(Place::User(first.to_owned())),
            Verb::Msg => {
                self.say_or_tell(now, Kind::Text, Place::User(first.to_owned()), second);
            }
            Verb::Poke => {
                self.say_or_tell(now, Kind::Poke, Place::User(first.to_owned()), "");
                self.go_to(Place::User(first.to_owned()));
            }
            Verb::Me => self.say_or_tell(now, Kind::Action, self.place.clone(), first),
            Verb::Ping => self.send_ping(now, true),
            Verb::Help => self.events.push_back(Event::Help),
            Verb::Quit => self.quit(),
            Verb::File | Verb::Accept | Verb::Decline | Verb::Cancel | Verb::Stats | Verb::Link => {
                let (first, second) = (first.to_owned(), second.to_owned());
                self.events.push_back(Event::Do { verb, first, second });
            }
        }
    }
}
