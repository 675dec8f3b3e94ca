//! Unit tests of the server.

use core::net::SocketAddr;

use super::*;
use crate::app::chat::{
    Client, ClientConfig, Event, FileEnd, Kind, Parting, Place, Target, frame::Listing,
};
use alloc::{borrow::ToOwned, format, string::ToString, vec};

#[path = "flood_tests.rs"]
mod flood;
#[path = "forged_tests.rs"]
mod forged;

fn second(n: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(n)
}

fn peer(n: u8) -> PeerId {
    PeerId::from(SocketAddr::from(([10, 0, 0, n], 1)))
}

/// A server and clients who hear each other at once.
struct Net {
    server: Server,
    clients: Vec<(PeerId, Client, Vec<Event>)>,
    now: Instant,
}

impl Net {
    fn new(limits: ServerLimits, nicks: &[&str]) -> Self {
        let server = Server::new(limits, [9; 16]);
        let mut net = Self { server, clients: Vec::new(), now: second(1) };
        for nick in nicks {
            net.join(nick);
        }
        net
    }

    fn join(&mut self, nick: &str) -> usize {
        let n = u8::try_from(self.clients.len()).unwrap();
        let mut client = Client::new(ClientConfig::new(nick, [n + 1; 16], Wire::Stream));
        assert!(client.poll_connect(self.now));
        client.connected(self.now);
        self.server.connected(self.now, peer(n));
        self.clients.push((peer(n), client, Vec::new()));
        self.run();
        usize::from(n)
    }

    fn line(&mut self, who: usize, line: &str) {
        self.clients[who].1.handle_line(self.now, line);
        self.run();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now);
        for (_, client, _) in &mut self.clients {
            client.handle_timeout(self.now);
        }
        self.run();
    }

    /// Everything that is to be said is said.
    fn run(&mut self) {
        loop {
            let mut moved = false;
            for (id, client, events) in &mut self.clients {
                while let Some(frame) = client.poll_talk() {
                    self.server.handle_bytes(self.now, *id, Lane::Talk, &framed(&frame));
                    moved = true;
                }
                while let Some(frame) = client.poll_bulk() {
                    self.server.handle_bytes(self.now, *id, Lane::Bulk, &framed(&frame));
                    moved = true;
                }
                while let Some(frame) = self.server.poll_talk(*id) {
                    client.handle_bytes(self.now, Lane::Talk, &framed(&frame));
                    moved = true;
                }
                while let Some(frame) = self.server.poll_bulk(*id) {
                    client.handle_bytes(self.now, Lane::Bulk, &framed(&frame));
                    moved = true;
                }
                while let Some(event) = client.poll_event() {
                    events.push(event);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn heard(&mut self, who: usize) -> Vec<Event> {
        core::mem::take(&mut self.clients[who].2)
    }

    fn forget(&mut self) {
        for (_, _, events) in &mut self.clients {
            events.clear();
        }
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&Frames::prefix(frame.len())[..], frame].concat()
}

fn said(from: &str, place: Place, text: &str) -> Event {
    Event::Said { from: from.to_owned(), place, kind: Kind::Text, text: text.to_owned() }
}

fn room(name: &str) -> Place {
    Place::Room(name.to_owned())
}

#[test]
fn everybody_else_hears_what_is_said() {
    let mut net = Net::new(ServerLimits::default(), &["12", "34", "56"]);
    net.forget();
    net.line(0, "hello");
    net.line(0, "/S to all");
    for who in [1, 2] {
        let expected = [said("12", room("lobby"), "hello"), said("12", Place::Everyone, "to all")];
        assert_eq!(net.heard(who), expected);
    }
    assert_eq!(net.heard(0), [], "nothing is confirmed before it is known to have arrived");
    net.wait(Duration::from_millis(20));
    let delivered = [1, 2].map(|number| Event::Delivered { number, to: 2 });
    assert_eq!(net.heard(0), delivered);
    assert_eq!(net.clients[0].1.unconfirmed(), 0);
}

#[test]
fn a_private_message_goes_to_one() {
    let mut net = Net::new(ServerLimits::default(), &["12", "34", "56"]);
    net.forget();
    net.line(0, "/MSG 34 oi!");
    assert_eq!(net.heard(1), [said("12", Place::User("12".into()), "oi!")]);
    assert_eq!(net.heard(2), []);
    net.line(0, "/msg nobody oi!");
    let (text, detail) = ("oi!".to_string(), "nobody".to_string());
    assert_eq!(net.heard(0), [Event::NotSent { text, reason: Reason::NoSuchUser, detail }]);
    net.line(0, "/poke 34");
    net.line(0, "still there?");
    let poke = Event::Said {
        from: "12".into(),
        place: Place::User("12".into()),
        kind: Kind::Poke,
        text: String::new(),
    };
    let next = said("12", Place::User("12".into()), "still there?");
    assert_eq!(net.heard(1), [poke, next], "a poke opens a private talk");
}

#[test]
fn names_are_unique_and_so_is_how_they_look() {
    let mut net = Net::new(ServerLimits::default(), &["Alice", "bob"]);
    net.forget();
    for taken in ["alice", "AIice", "\u{410}lice"] {
        net.line(1, &format!("/nick {taken}"));
        let heard = net.heard(1);
        let expected =
            if taken.starts_with('\u{410}') { Reason::BadName } else { Reason::NickTaken };
        assert_eq!(heard, [Event::Refused { reason: expected, detail: taken.into() }]);
    }
    net.line(1, "/nick BOB");
    let renamed = Event::Renamed { old: "bob".into(), new: "BOB".into(), me: true };
    assert_eq!(net.heard(1), [renamed], "one's own name in other letters is free");
    assert_eq!(net.heard(0), [Event::Renamed { old: "bob".into(), new: "BOB".into(), me: false }]);
    // Who comes with a taken name gets a number.
    let third = net.join("alice");
    assert_eq!(net.clients[third].1.nick(), "alice2");
    net.line(third, "/list");
    let names = ["Alice", "BOB", "alice2"].map(String::from).to_vec();
    assert_eq!(net.heard(third).pop(), Some(Event::Users { names, more: 0 }));
}

#[test]
fn rooms_are_made_entered_left_and_cleared_by_their_creator() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b", "c"]);
    net.line(0, "/create games");
    net.line(1, "$roomjoin games");
    net.line(2, "/join games");
    net.forget();
    net.line(0, "who plays?");
    assert_eq!(net.heard(1), [said("a", room("games"), "who plays?")]);
    net.line(1, "/create GAMES");
    let detail = "GAMES".to_string();
    assert_eq!(net.heard(1), [Event::Refused { reason: Reason::RoomExists, detail }]);
    net.line(1, "/join games");
    net.line(1, "$kick a");
    let detail = "games".to_string();
    let refused = Event::Refused { reason: Reason::NotCreator, detail };
    assert_eq!(net.heard(1).pop(), Some(refused));
    net.forget();
    net.line(0, "/kick b");
    let left = |nick: &str, me| Event::Left {
        room: "games".into(),
        nick: nick.into(),
        why: Parting::Kicked,
        me,
    };
    assert_eq!(net.heard(1), [left("b", true), Event::TalkingTo(room("lobby"))]);
    assert_eq!(net.heard(2), [left("b", false)]);
    net.line(0, "$roomlist");
    let rooms = vec![("games".to_string(), 2), ("lobby".to_string(), 3)];
    assert_eq!(net.heard(0).pop(), Some(Event::Rooms { rooms, more: 0 }));
    net.line(0, "/kick");
    assert_eq!(net.heard(2), [left("c", true), Event::TalkingTo(room("lobby"))]);
    net.line(0, "/leave");
    net.line(0, "/rooms");
    let rooms = vec![("lobby".to_string(), 3)];
    assert_eq!(
        net.heard(0).pop(),
        Some(Event::Rooms { rooms, more: 0 }),
        "an empty room is no more"
    );
    net.line(2, "/members");
    let names = ["a", "b", "c"].map(String::from).to_vec();
    assert_eq!(net.heard(2).pop(), Some(Event::Members { room: "lobby".into(), names, more: 0 }));
}

#[test]
fn our_own_client_keeps_to_the_limit_and_loses_nothing() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b"]);
    net.forget();
    for n in 0..100 {
        net.line(0, &n.to_string());
    }
    for _ in 0..300 {
        net.wait(Duration::from_millis(100));
    }
    let heard: Vec<_> = net.heard(1).into_iter().collect();
    let expected: Vec<_> = (0..100).map(|n| said("a", room("lobby"), &n.to_string())).collect();
    assert_eq!(heard, expected);
    assert!(net.heard(0).iter().all(|event| matches!(event, Event::Delivered { .. })));
}

/// What is refused for coming too fast comes again, and the order stays.
#[test]
fn whoever_is_too_fast_is_slowed_down_and_keeps_the_order() {
    let limits = ServerLimits { messages: Rate { per_second: 10, burst: 4 }, ..Default::default() };
    let mut net = Net::new(limits, &["a", "b"]);
    net.forget();
    for n in 0..40 {
        net.clients[0].1.handle_line(net.now, &n.to_string());
    }
    for step in 0..400 {
        net.now += Duration::from_millis(20);
        for (_, client, _) in &mut net.clients {
            client.handle_timeout(net.now);
        }
        // For a second at a time nothing gets through: then all of it comes at once.
        if step % 50 == 49 {
            net.wait(Duration::ZERO);
        }
    }
    for _ in 0..100 {
        net.wait(Duration::from_millis(100));
    }
    let expected: Vec<_> = (0..40).map(|n| said("a", room("lobby"), &n.to_string())).collect();
    assert_eq!(net.heard(1), expected);
    let refused = core::iter::from_fn(|| net.server.poll_event());
    let refused = refused.filter(|event| matches!(event, ServerEvent::Refused { .. })).count();
    assert!(refused > 0, "nobody was too fast");
    assert_eq!(net.clients[0].1.unconfirmed(), 0);
}

#[test]
fn who_does_not_read_is_told_and_dropped() {
    let limits = ServerLimits { queue_bytes_max: 20_000, ..ServerLimits::default() };
    let mut net = Net::new(limits, &["talker", "sleeper"]);
    let text = "x".repeat(5_000);
    for number in 1..10 {
        let target = Target::Everyone;
        let say = Frame::Say { number, kind: Kind::Text, target, text: &text };
        net.server.handle_bytes(net.now, peer(0), Lane::Talk, &framed(&say.encode()));
    }
    net.forget();
    let frames: Vec<_> = core::iter::from_fn(|| net.server.poll_talk(peer(1))).collect();
    assert_eq!(frames.len(), 1, "what waited is thrown away");
    assert_eq!(Frame::decode(&frames[0]), Ok(Frame::Bye(Bye::Slow)));
    assert_eq!(net.server.poll_closed(), Some(peer(1)));
    assert_eq!(net.server.users(), 1);
}

#[test]
fn silence_ends_a_connection_and_later_a_user() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b"]);
    net.forget();
    // Only the first still answers.
    net.clients.truncate(1);
    for _ in 0..130 {
        net.wait(Duration::from_secs(1));
    }
    let left =
        Event::Left { room: "lobby".into(), nick: "b".into(), why: Parting::Lost, me: false };
    assert_eq!(net.heard(0), [left], "after the lease and the time to come back");
    // A connection without a name is not kept for long.
    net.server.connected(net.now, peer(9));
    net.wait(Duration::from_secs(10));
    assert!(
        net.server
            .poll_talk(peer(9))
            .is_some_and(|frame| { Frame::decode(&frame) == Ok(Frame::Bye(Bye::Silent)) })
    );
}

#[test]
fn whoever_comes_back_finds_what_was_said() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b"]);
    net.line(1, "/join den");
    net.line(0, "/join den");
    net.forget();
    net.server.disconnected(net.now, peer(1));
    net.clients[1].1.disconnected(net.now);
    let (_, mut client, mut events) = net.clients.pop().unwrap();
    net.line(0, "in the room");
    net.line(0, "/msg b in private");
    net.wait(Duration::from_secs(1));
    let first = [Event::Delivered { number: 1, to: 0 }];
    assert_eq!(net.heard(0), first, "the private message waits");
    events.clear();
    assert!(client.poll_connect(net.now));
    client.connected(net.now);
    net.server.connected(net.now, peer(7));
    net.clients.push((peer(7), client, events));
    net.run();
    let heard = net.heard(1);
    assert_eq!(heard[0], Event::Lost);
    assert_eq!(heard[1], Event::Welcome { nick: "b".into(), again: true });
    assert_eq!(heard[2], said("a", room("den"), "in the room"));
    assert_eq!(heard[3], said("a", Place::User("a".into()), "in private"));
    net.wait(Duration::from_millis(20));
    assert_eq!(net.heard(0), [Event::Delivered { number: 2, to: 1 }]);
}

#[test]
fn a_stop_is_told_to_everybody() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b"]);
    net.forget();
    net.server.stop();
    assert!(!net.server.is_quiet());
    net.run();
    assert!(net.server.is_quiet());
    for who in [0, 1] {
        assert_eq!(net.heard(who)[0], Event::Bye(Bye::Stopping));
    }
}

#[test]
fn strangers_get_short_answers_and_leave_nothing_behind() {
    let mut server = Server::new(ServerLimits::default(), [3; 16]);
    let hello = |cookie| Frame::Hello { version: 1, secret: [1; 16], cookie, epoch: 0, nick: "a" };
    let answer = |server: &mut Server| {
        let (_, bytes) = server.poll_stray()?;
        Some(bytes)
    };
    server.handle_datagram(second(1), peer(1), &Frame::Ping(7).encode());
    let pong = Frame::Pong { token: 7, known: false }.encode();
    assert_eq!(answer(&mut server).as_deref(), Some(&pong[..]));
    server.handle_datagram(second(1), peer(1), &Frame::List(Listing::Users).encode());
    assert_eq!(answer(&mut server).as_deref(), Some(&Frame::Bye(Bye::Unknown).encode()[..]));
    for quiet in [Frame::Bye(Bye::Quit), Frame::Pong { token: 1, known: true }] {
        server.handle_datagram(second(1), peer(1), &quiet.encode());
        assert_eq!(answer(&mut server), None, "answers are not answered");
    }
    server.handle_datagram(second(1), peer(1), &hello([0; 8]).encode());
    assert_eq!(server.peers.len(), 0, "nothing is kept of an address that nobody has proved");
    let challenge = answer(&mut server).unwrap();
    let Ok(Frame::Challenge(cookie)) = Frame::decode(&challenge) else { panic!("{challenge:?}") };
    // A cookie is for one address, and not for ever.
    server.handle_datagram(second(1), peer(2), &hello(cookie).encode());
    server.handle_datagram(second(200), peer(1), &hello(cookie).encode());
    assert_eq!(server.peers.len(), 0);
    while answer(&mut server).is_some() {}
    server.handle_datagram(second(2), peer(1), &hello(cookie).encode());
    assert_eq!(server.users(), 1);
    for _ in 0..1_000 {
        server.handle_datagram(second(2), peer(3), &Frame::Ping(7).encode());
    }
    assert_eq!(server.strays.len(), 64, "answers to strangers are limited");
}

#[test]
fn a_file_goes_as_fast_as_it_is_asked_for_and_no_faster() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b"]);
    net.forget();
    let transfer = net.clients[0].1.offer("b", "a.txt", 1_000_000);
    net.run();
    let [Event::Offered { transfer: theirs, from, name, size: 1_000_000 }] = &net.heard(1)[..]
    else {
        panic!("an offer");
    };
    assert_eq!((from.as_str(), name.as_str()), ("a", "a.txt"));
    let theirs = *theirs;
    assert_eq!(net.clients[0].1.file_room(transfer), 0, "nothing before it is wanted");
    net.clients[1].1.answer(theirs, true);
    net.run();
    assert_eq!(net.heard(0), [Event::Answered { transfer, wanted: true }]);
    let window = net.clients[0].1.file_room(transfer);
    assert_eq!(window, 256 * 1024);
    let mut arrived = 0;
    for _ in 0..100 {
        let len = net.clients[0].1.file_room(transfer).min(10_000);
        net.clients[0].1.file(transfer, &vec![2; usize::try_from(len).unwrap()]);
        net.run();
        for event in net.heard(1) {
            let Event::File { message, .. } = event else { panic!("{event:?}") };
            arrived += message.len();
        }
    }
    assert_eq!(arrived, 1_000_000);
    // The receiver's verdict ends it.
    net.clients[1].1.file(theirs, &[5, 0]);
    net.run();
    assert_eq!(net.heard(0), [Event::File { transfer, message: vec![5, 0] }]);
    // More than asked for ends it too.
    let transfer = net.clients[0].1.offer("b", "b.txt", 1_000_000);
    net.run();
    let theirs = match net.heard(1)[0] {
        Event::Offered { transfer, .. } => transfer,
        ref other => panic!("{other:?}"),
    };
    net.clients[1].1.answer(theirs, true);
    net.run();
    for _ in 0..100 {
        net.clients[0].1.file(transfer, &vec![2; 60_000]);
    }
    net.run();
    let ended = net.heard(0).into_iter().filter(|e| matches!(e, Event::FileEnded { .. }));
    assert_eq!(ended.collect::<Vec<_>>(), [Event::FileEnded { transfer, why: FileEnd::Excess }]);
}

#[test]
fn files_are_refused_with_a_reason() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b"]);
    net.forget();
    for (nick, name, reason) in [
        ("nobody", "a.txt", Reason::NoSuchUser),
        ("a", "a.txt", Reason::NoSuchUser),
        ("b", "../../etc/passwd", Reason::FileName),
        ("b", "\u{1b}[2J", Reason::FileName),
    ] {
        net.clients[0].1.offer(nick, name, 1);
        net.run();
        assert!(matches!(&net.heard(0)[..],
            [Event::Refused { reason: why, .. }, Event::FileEnded { .. }] if *why == reason));
    }
    for n in 0..5 {
        net.clients[0].1.offer("b", "a.txt", n);
    }
    net.run();
    assert_eq!(net.heard(1).len(), 4, "so many at the same time");
    // Who goes ends them all.
    net.line(1, "/quit");
    let ended = net
        .heard(0)
        .into_iter()
        .filter(|event| matches!(event, Event::FileEnded { why: FileEnd::Gone, .. }));
    assert_eq!(ended.count(), 1 + 4);
}

/// A frame that a client might send.
fn any_frame<'a>(
    below: &mut impl FnMut(u64) -> u64,
    round: u64,
    name: &'a str,
    other: &'a str,
    transfer: u32,
) -> Frame<'a> {
    match below(16) {
        0 | 1 => {
            let mut secret = [0; 16];
            secret[0] = u8::try_from(below(12)).unwrap();
            Frame::Hello { version: 1, secret, cookie: [0; 8], epoch: below(2), nick: name }
        }
        2 => Frame::Rename(name),
        3 | 4 => {
            let target = [Target::Everyone, Target::Room(name), Target::User(name)];
            let target = target[usize::try_from(below(3)).unwrap()];
            Frame::Say { number: below(100), kind: Kind::Text, target, text: other }
        }
        5 => Frame::List(Listing::Members(name)),
        6 => Frame::Enter { create: below(2) == 0, room: name },
        7 => Frame::Leave(name),
        8 => Frame::Kick { room: name, nick: other },
        9 => Frame::Got(below(4)),
        10 => Frame::Offer { transfer, nick: name, name: other, size: below(1 << 40) },
        11 => Frame::Answer { transfer, wanted: below(4) > 0 },
        12 => Frame::Credit { transfer, bytes: below(1 << 40) },
        13 => Frame::File { transfer, message: &[0; 100] },
        14 => Frame::FileEnd { transfer, why: FileEnd::Cancelled },
        _ => Frame::Ping(round),
    }
}

/// A million frames and pieces of frames by chance: no panic, nothing without a limit.
#[test]
fn hostile_bytes_by_the_million() {
    let limits = ServerLimits { peers_max: 16, rooms_max: 8, ..ServerLimits::default() };
    let mut server = Server::new(limits, [1; 16]);
    let mut rng = crate::rng::Seed::new(7).split("hostile").rng();
    let mut below = |n: u64| rng.below(n);
    let mut now = second(1);
    let names = ["a", "b", "lobby", "x y", "\u{1b}[2J", "\u{202e}", "раypal", ""];
    for round in 0..300_000_u64 {
        now += Duration::from_micros(below(3_000));
        let id = peer(u8::try_from(below(24)).unwrap());
        let name = names[usize::try_from(below(8)).unwrap()];
        let other = names[usize::try_from(below(8)).unwrap()];
        let transfer = u32::try_from(below(8)).unwrap();
        let frame = any_frame(&mut below, round, name, other, transfer);
        let mut bytes = framed(&frame.encode());
        match below(8) {
            0 => bytes.truncate(usize::try_from(below(bytes.len() as u64)).unwrap()),
            1 => {
                let at = usize::try_from(below(bytes.len() as u64)).unwrap();
                bytes[at] ^= 1 << below(8);
            }
            _ => {}
        }
        match below(20) {
            0 => server.connected(now, id),
            1 if below(4) == 0 => server.disconnected(now, id),
            2 => server.handle_datagram(now, id, &frame.encode()),
            _ => server.handle_bytes(now, id, Lane::Talk, &bytes),
        }
        if below(3) == 0 {
            server.handle_timeout(now);
        }
        while server.poll_event().is_some() {}
        while server.poll_stray().is_some() {}
        while let Some(id) = server.poll_ready() {
            // Some read, some do not.
            while below(8) > 0
                && let Some(frame) = server.poll_talk(id)
            {
                assert!(Frame::decode(&frame).is_ok());
            }
            while server.poll_bulk(id).is_some() {}
        }
        while server.poll_closed().is_some() {}
        if round % 1_000 == 0 {
            server.check();
        }
    }
    server.check();
}

impl Server {
    /// The books agree with each other, and keep to the limits.
    fn check(&self) {
        assert!(self.peers.len() <= self.limits.peers_max + 24);
        assert!(self.rooms.len() <= self.limits.rooms_max.max(1));
        let attached = self.peers.values().filter_map(|peer| peer.user).count();
        assert_eq!(attached, self.users.values().filter(|user| user.peer.is_some()).count());
        assert_eq!(self.by_name.len(), self.users.len());
        assert_eq!(self.by_look.len(), self.users.len());
        assert_eq!(self.pending.len(), self.pending_of.len());
        let waiting: usize = self.users.values().map(|user| user.unconfirmed.len()).sum();
        assert!(self.pending.len() <= waiting, "a message that nobody will confirm");
        for (key, room) in &self.rooms {
            let with = self.users.values().filter(|user| user.rooms.contains(key)).count();
            assert_eq!(with, room.members.len(), "{key}");
            assert!(key == LOBBY || !room.members.is_empty());
        }
        for peer in self.peers.values() {
            let bytes: usize = peer.talk.iter().map(|frame| frame.len()).sum();
            assert_eq!(bytes, peer.talk_bytes);
            assert!(bytes <= self.limits.queue_bytes_max + super::super::frame::FRAME_BYTES_MAX);
        }
        let dues =
            self.peers.len() + self.users.values().filter(|user| user.peer.is_none()).count();
        assert_eq!(self.deadlines.len(), dues);
    }
}
