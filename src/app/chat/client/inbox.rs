//! What arrives at the client.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::{
    Client, Event, GOT_AFTER, GOT_EVERY, Ours, Place, ROOMS_MAX, SEEN_MAX, State, TRANSFERS_MAX,
};
use crate::{
    app::{
        chat::{
            bucket::{Bucket, Rate},
            frame::{Bye, Frame, Kind, Listing, Reason, Target},
            names::folded,
            server::{LOBBY, Lane, Wire},
        },
        file::check_name,
    },
    time::Instant,
};

impl Client {
    /// Takes bytes that arrived on the connection.
    pub fn handle_bytes(&mut self, now: Instant, lane: Lane, bytes: &[u8]) {
        let of = |client: &mut Self| match lane {
            Lane::Talk => core::mem::take(&mut client.talk_in),
            Lane::Bulk => core::mem::take(&mut client.bulk_in),
        };
        let mut frames = of(self);
        frames.push(bytes);
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => self.handle_frame(now, frame),
                Ok(None) => break,
                // The server speaks nonsense: another connection may do better.
                Err(_) => return self.disconnected(now),
            }
        }
        match lane {
            Lane::Talk => self.talk_in = frames,
            Lane::Bulk => self.bulk_in = frames,
        }
        self.flush(now);
    }

    /// Takes a datagram from the server.
    pub fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) {
        self.handle_frame(now, bytes);
        self.flush(now);
    }

    fn handle_frame(&mut self, now: Instant, bytes: &[u8]) {
        // A newer server may say things that we do not know.
        let Ok(frame) = Frame::decode(bytes) else { return };
        if matches!(self.state, State::Offline(_) | State::Connecting | State::Ended) {
            return;
        }
        self.heard_at = now;
        match frame {
            Frame::Challenge(cookie) if self.state != State::Online => {
                self.cookie = cookie;
                self.hello(now);
            }
            Frame::Welcome { epoch, accepted, rate, burst, nick, .. } => {
                self.welcome(now, epoch, accepted, Rate { per_second: rate, burst }, nick);
            }
            Frame::Bye(why) => self.bye(now, why),
            Frame::Ping(token) => self.reply(&Frame::Pong { token, known: true }),
            Frame::Pong { token, known } => self.pong(now, token, known),
            Frame::Refused { number: 0, reason, detail } => self.refused(now, reason, detail),
            Frame::Refused { number, reason, detail } => {
                self.not_sent(now, number, reason, detail);
            }
            Frame::Delivered { number, to } => self.delivered(now, number, to),
            Frame::Said { origin, number, kind, target, from, text } => {
                self.said(now, (origin, number), kind, target, from, text);
            }
            Frame::Listed { what, names, more } => self.listed(what, names, more),
            Frame::Entered { .. } | Frame::Left { .. } | Frame::Renamed { .. } => {
                self.presence(frame);
            }
            _ => self.handle_file(frame),
        }
    }

    fn welcome(&mut self, now: Instant, epoch: u64, accepted: u64, rate: Rate, nick: &str) {
        if self.state == State::Online {
            return;
        }
        let again = self.epoch != 0;
        let restarted = again && self.epoch != epoch;
        self.epoch = epoch;
        self.state = State::Online;
        self.failures = 0;
        nick.clone_into(&mut self.nick);
        self.ping_at = now + self.config.ping_every;
        // Half of what the server takes at once, since what was sent apart may arrive together.
        let burst = (rate.burst / 2).max(1);
        self.pace = Bucket::new(Rate { per_second: rate.per_second, burst });
        // Numbers go on where the server believes them to be.
        self.numbers = self.numbers.max(accepted);
        self.hold_until = now;
        self.events.push_back(Event::Welcome { nick: self.nick.clone(), again });
        if restarted {
            self.restarted_at = Some(now);
            self.wanted.extend(self.rooms.iter().cloned());
        }
        for room in self.wanted.clone().iter().filter(|room| *room != LOBBY) {
            self.send(&Frame::Enter { create: false, room });
        }
        if self.config.wire == Wire::Datagram {
            // What was sent on the old connection was sent once, and that is what this is about.
            self.messages.retain(|message| message.sent_at.is_none());
            self.messages_bytes = self.messages.iter().map(|message| message.text.len()).sum();
        }
        self.flush(now);
    }

    fn bye(&mut self, now: Instant, why: Bye) {
        match why {
            Bye::Quit | Bye::Replaced | Bye::Version => {
                if why != Bye::Quit {
                    self.events.push_back(Event::Bye(why));
                }
                self.state = State::Ended;
                self.events.push_back(Event::Ended);
            }
            // Not yet known is what everybody is at first.
            Bye::Unknown if self.state != State::Online => {}
            _ => {
                if why != Bye::Unknown {
                    self.events.push_back(Event::Bye(why));
                }
                self.disconnected(now);
            }
        }
    }

    fn pong(&mut self, now: Instant, token: u64, known: bool) {
        let Some((sent_at, asked)) = self.pings.remove(&token) else { return };
        let rtt = now - sent_at;
        self.rtt = Some(rtt);
        if asked {
            self.events.push_back(Event::Pong(rtt));
        }
        if !known && self.state == State::Online {
            // The server has forgotten us.
            self.disconnected(now);
        }
    }

    fn refused(&mut self, now: Instant, reason: Reason, detail: &str) {
        let detail = detail.to_owned();
        // It may have been a room that was not to be had.
        self.wanted.remove(&detail);
        if matches!(self.state, State::Greeting(_)) && reason == Reason::NickTaken {
            // We cannot be called so: with a number behind it, perhaps.
            let digits = self.nick.len() - self.nick.trim_end_matches(char::is_numeric).len();
            let (base, number) = self.nick.split_at(self.nick.len() - digits);
            let number = number.parse::<u32>().unwrap_or(1).wrapping_add(1);
            let base: String = base.chars().take(18).collect();
            self.nick = alloc::format!("{base}{number}");
            self.events.push_back(Event::Refused { reason, detail });
            return self.hello(now);
        }
        self.events.push_back(Event::Refused { reason, detail });
        if matches!(self.state, State::Greeting(_)) {
            self.state = State::Ended;
            self.events.push_back(Event::Ended);
        }
    }

    fn said(
        &mut self,
        now: Instant,
        name: (u64, u64),
        kind: Kind,
        target: Target<'_>,
        from: &str,
        text: &str,
    ) {
        if self.config.wire == Wire::Stream {
            self.got += 1;
            if self.got - self.got_told >= GOT_EVERY {
                self.tell_got(now);
            } else {
                self.got_at = self.got_at.or(Some(now + GOT_AFTER));
            }
        }
        if !self.seen.insert(name) {
            return;
        }
        self.seen_order.push_back(name);
        if self.seen_order.len() > SEEN_MAX
            && let Some(old) = self.seen_order.pop_front()
        {
            self.seen.remove(&old);
        }
        let place = match target {
            Target::Everyone => Place::Everyone,
            Target::Room(room) => Place::Room(room.to_owned()),
            Target::User(_) => Place::User(from.to_owned()),
        };
        let (from, text) = (from.to_owned(), text.to_owned());
        self.events.push_back(Event::Said { from, place, kind, text });
    }

    fn listed(&mut self, what: Listing<'_>, names: &str, more: u32) {
        let split = || names.split(' ').filter(|name| !name.is_empty());
        let all = || -> Vec<String> { split().map(ToOwned::to_owned).collect() };
        self.events.push_back(match what {
            Listing::Users => Event::Users { names: all(), more },
            Listing::Members(room) => Event::Members { room: room.to_owned(), names: all(), more },
            Listing::Rooms => {
                let room = |item: &str| {
                    let (name, members) = item.split_once('=')?;
                    Some((name.to_owned(), members.parse().ok()?))
                };
                Event::Rooms { rooms: split().filter_map(room).collect(), more }
            }
        });
    }

    fn presence(&mut self, frame: Frame<'_>) {
        let is_me = |nick: &str| folded(nick) == folded(&self.nick);
        match frame {
            Frame::Entered { room, nick } => {
                let (room, nick, me) = (room.to_owned(), nick.to_owned(), is_me(nick));
                if me {
                    self.wanted.retain(|wanted| folded(wanted) != folded(&room));
                    let new = self.rooms.len() < ROOMS_MAX && self.rooms.insert(room.clone());
                    // One goes where one has asked to go; the lobby and the rooms of before come
                    // by themselves.
                    if !new {
                        return;
                    }
                }
                self.events.push_back(Event::Entered { room, nick, me });
            }
            Frame::Left { room, nick, why } => {
                let (room, nick, me) = (room.to_owned(), nick.to_owned(), is_me(nick));
                if me {
                    self.rooms.remove(&room);
                }
                let away = me && self.place == Place::Room(room.clone());
                self.events.push_back(Event::Left { room, nick, why, me });
                if away {
                    self.go_to(Place::Room(LOBBY.to_owned()));
                }
            }
            Frame::Renamed { old, new } => {
                let me = is_me(old);
                if me {
                    new.clone_into(&mut self.nick);
                }
                if self.place == Place::User(old.to_owned()) {
                    self.place = Place::User(new.to_owned());
                }
                let (old, new) = (old.to_owned(), new.to_owned());
                self.events.push_back(Event::Renamed { old, new, me });
            }
            _ => {}
        }
    }

    /// From now on lines go there.
    pub(super) fn go_to(&mut self, place: Place) {
        if self.place != place {
            self.place = place.clone();
            self.events.push_back(Event::TalkingTo(place));
        }
    }

    fn handle_file(&mut self, frame: Frame<'_>) {
        match frame {
            Frame::Offer { transfer, nick, name, size } => {
                // The server checks names too, but it is not the server's disk.
                let full = self.transfers.len() >= TRANSFERS_MAX;
                if full || check_name(name).is_err() || self.transfers.contains_key(&transfer) {
                    return self.reply(&Frame::Answer { transfer, wanted: false });
                }
                self.transfers.insert(transfer, Ours { sending: false, granted: 0, moved: 0 });
                let (from, name) = (nick.to_owned(), name.to_owned());
                self.events.push_back(Event::Offered { transfer, from, name, size });
            }
            Frame::Answer { transfer, wanted }
                if self.transfers.get(&transfer).is_some_and(|ours| ours.sending) =>
            {
                if !wanted {
                    self.transfers.remove(&transfer);
                }
                self.events.push_back(Event::Answered { transfer, wanted });
            }
            Frame::Credit { transfer, bytes } => {
                if let Some(ours) = self.transfers.get_mut(&transfer).filter(|ours| ours.sending) {
                    ours.granted = ours.granted.max(bytes);
                }
            }
            Frame::File { transfer, message } if self.transfers.contains_key(&transfer) => {
                self.grant(transfer, message.len());
                let message = message.to_vec();
                self.events.push_back(Event::File { transfer, message });
            }
            Frame::FileEnd { transfer, why } if self.transfers.remove(&transfer).is_some() => {
                self.events.push_back(Event::FileEnded { transfer, why });
            }
            _ => {}
        }
    }
}
