//! A chat that is sent everything but what it expects, a million times: names, messages, sizes,
//! half frames, damaged ones, floods, slow readers, strangers. All of it by chance, the same each time.
//!
//! Two honest users chat through all of it. Nothing panics, nothing they say is lost or shown twice,
//! nothing that reaches their screens steers a terminal, and the memory of the server stays within what
//! its limits add up to.
//!
//! `HOSTILE_ROUNDS=10000000 cargo test --release --test hostile_chat` goes on for longer. A test binary
//! of its own, since `allocation-counter` sets the allocator of the whole process.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use core::{net::SocketAddr, time::Duration};
use std::env;

use allocation_counter::measure;
use rdtp::{
    app::{
        chat::{
            Bye, Client, ClientConfig, Event, FileEnd, Frame, Frames, Kind, LOBBY, Lane, Lang,
            Listing, NAME_CHARS_MAX, PeerId, Place, Rate, Reason, Server, ServerEvent,
            ServerLimits, Target, Wire, check_nick, frame::FRAME_BYTES_MAX, frame::TEXT_BYTES_MAX,
            frame::VERSION, is_plain, look, plain,
        },
        file::check_name,
    },
    rng::{Rng, Seed},
    time::Instant,
};

/// Inputs for each of the three tests, a million in all, unless `HOSTILE_ROUNDS` says otherwise.
const ROUNDS: u64 = 340_000;
/// The honest say something after so many inputs.
const SAYS_EVERY: u64 = 2_000;
/// What the whole arena may hold at most; the server's limits below add up to less.
const BYTES_MAX: u64 = 16 << 20;

fn rounds() -> u64 {
    env::var("HOSTILE_ROUNDS").ok().map_or(ROUNDS, |text| text.parse().unwrap())
}

/// Letters that somebody would choose who means no good.
const LETTERS: &[char] = &[
    '\u{0}',
    '\u{7}',
    '\u{8}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{9d}',
    '\u{ad}',
    '\u{200b}',
    '\u{200d}',
    '\u{202e}',
    '\u{2066}',
    '\u{2028}',
    '\u{feff}',
    '\u{fe0f}',
    '\u{e0041}',
    '\u{301}',
    'а',
    'ο',
    'ﬁ',
    'İ',
    '世',
    '🦀',
    '/',
    '.',
    '%',
    ' ',
    '=',
];

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap()
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[below(rng, from.len())]
}

/// A text, mostly short, sometimes as long as may be.
fn text(rng: &mut Rng) -> String {
    let len = match rng.below(1_000) {
        0 => below(rng, 40_000),
        1..100 => below(rng, 300),
        _ => below(rng, 12),
    };
    let letter = |rng: &mut Rng| match rng.below(3) {
        0 => LETTERS[below(rng, LETTERS.len())],
        1 => char::from(b'a' + u8::try_from(rng.below(26)).unwrap()),
        _ => char::from_u32(u32::try_from(rng.below(0x11_0000)).unwrap()).unwrap_or('\u{fffd}'),
    };
    let mut text: String = (0..len).map(|_| letter(rng)).collect();
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

/// A name: of somebody who is here, of something that is no name, or anything.
fn name(rng: &mut Rng) -> String {
    let known = ["ana", "bob", "Ana", "аna", "lobby", "den", "..", "../x", "a b", "evil", "/etc/x"];
    match rng.below(4) {
        0 => text(rng),
        1 => format!("{}{}", pick(rng, &known), rng.below(50)),
        _ => pick(rng, &known).to_owned(),
    }
}

fn number(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => u64::MAX - rng.below(3),
        1 => rng.next_u64(),
        _ => rng.below(40),
    }
}

/// Kinds of frames that a server lets pass, those of a client, and all.
const TAME: u64 = 18;
const ALL: u64 = 24;

/// A frame of one of the first kinds, as a client or as a server would never say it.
fn frame(rng: &mut Rng, kinds: u64) -> Vec<u8> {
    let (name, other, said, n) = (name(rng), name(rng), text(rng), number(rng));
    let transfer = u32::try_from(n & 0xffff_ffff).unwrap();
    let bytes = said.as_bytes();
    let target = match rng.below(3) {
        0 => Target::Everyone,
        1 => Target::Room(&name),
        _ => Target::User(&name),
    };
    let kind = [Kind::Text, Kind::Action, Kind::Poke][below(rng, 3)];
    let [epoch, origin] = [number(rng), number(rng)];
    match rng.below(kinds) {
        0..6 => Frame::Say { number: n, kind, target, text: &said },
        19 => {
            let secret = [u8::try_from(rng.below(256)).unwrap(); 16];
            Frame::Hello { version: VERSION, secret, cookie: [0; 8], epoch, nick: &name }
        }
        7 => Frame::Rename(&name),
        8 => Frame::List([Listing::Users, Listing::Rooms, Listing::Members(&name)][below(rng, 3)]),
        9 => Frame::Enter { create: rng.below(2) == 0, room: &name },
        10 => Frame::Leave(&name),
        11 => Frame::Kick { room: &name, nick: &other },
        12 => Frame::Ping(n),
        13 => Frame::Offer { transfer, nick: &name, name: &other, size: epoch },
        14 => Frame::Answer { transfer, wanted: rng.below(2) == 0 },
        15 => Frame::Credit { transfer, bytes: epoch },
        16 => Frame::File { transfer, message: bytes },
        17 => Frame::FileEnd { transfer, why: FileEnd::Cancelled },
        18 => Frame::Got(n),
        6 => Frame::List(Listing::Users),
        20 => Frame::Said { origin, number: n, kind, target, from: &other, text: &said },
        21 => Frame::Listed { what: Listing::Rooms, names: &said, more: transfer },
        22 => Frame::Entered { room: &name, nick: &other },
        _ => Frame::Refused { number: n, reason: Reason::TooFast, detail: &said },
    }
    .encode()
}

/// A frame with its length before it; one of so many has a wrong one, is there in part, or damaged.
fn piece(rng: &mut Rng, kinds: u64, of: u64) -> Vec<u8> {
    let frame = frame(rng, kinds);
    if rng.below(of) > 0 {
        return [&Frames::prefix(frame.len())[..], &frame].concat();
    }
    let len = match rng.below(6) {
        0 => below(rng, 1 << 32),
        1 => FRAME_BYTES_MAX + below(rng, 2),
        _ => frame.len(),
    };
    let mut bytes = [&Frames::prefix(len)[..], &frame].concat();
    match rng.below(3) {
        0 => bytes.truncate(1 + below(rng, bytes.len())),
        1 => {
            let at = below(rng, bytes.len());
            bytes[at] ^= 1 << rng.below(8);
        }
        _ => {}
    }
    bytes
}

/// A user who means well, and what their screen showed.
struct Honest {
    client: Client,
    id: PeerId,
    /// What the other said.
    heard: Vec<String>,
}

impl Honest {
    fn new(nick: &str, port: u16, server: &mut Server, now: Instant) -> Self {
        let mut secret = *b"an honest secret";
        secret[15] = u8::try_from(port).unwrap();
        let client = Client::new(ClientConfig::new(nick, secret, Wire::Stream));
        let id = PeerId::from(SocketAddr::from(([10, 0, 0, 1], port)));
        let mut honest = Self { client, id, heard: Vec::new() };
        assert!(honest.client.poll_connect(now));
        honest.client.connected(now);
        server.connected(now, id);
        honest.talk(server, now);
        assert!(honest.client.is_online());
        honest
    }

    /// Everything that it and the server have to say to each other.
    fn talk(&mut self, server: &mut Server, now: Instant) {
        let framed = |frame: &[u8]| [&Frames::prefix(frame.len())[..], frame].concat();
        loop {
            let mut moved = false;
            while let Some(frame) = self.client.poll_talk() {
                server.handle_bytes(now, self.id, Lane::Talk, &framed(&frame));
                moved = true;
            }
            while let Some(frame) = server.poll_talk(self.id) {
                self.client.handle_bytes(now, Lane::Talk, &framed(&frame));
                moved = true;
            }
            while let Some(frame) = server.poll_bulk(self.id) {
                self.client.handle_bytes(now, Lane::Bulk, &framed(&frame));
            }
            while let Some(event) = self.client.poll_event() {
                self.see(&event, now);
            }
            if !moved {
                return;
            }
        }
    }

    fn see(&mut self, event: &Event, now: Instant) {
        for line in Lang::En.lines(event) {
            assert!(is_plain(&line), "{line:?} reaches a terminal");
        }
        match event {
            Event::Said { from, place: Place::Room(room), text, .. }
                if room == LOBBY
                    && text.starts_with("honest ")
                    && (from == "ana" || from == "bob") =>
            {
                self.heard.push(text.clone());
            }
            Event::Offered { transfer, name, .. } => {
                assert!(check_name(name).is_ok(), "{name:?} could leave the directory");
                self.client.answer(*transfer, false);
            }
            Event::Lost | Event::Bye(_) | Event::Ended => panic!("{event:?} at {now:?}"),
            _ => {}
        }
    }
}

/// One who does not mean well.
struct Attacker {
    id: PeerId,
    online: bool,
    /// It never reads.
    sleeps: bool,
    /// It says what a server never lets pass.
    wild: bool,
}

/// A server between all of them.
struct Arena {
    server: Server,
    honest: [Honest; 2],
    attackers: Vec<Attacker>,
    now: Instant,
    /// What was seen, so that the test shows that it happened.
    held: u64,
    dropped: Vec<Bye>,
}

const PEERS_MAX: usize = 24;

impl Arena {
    fn new() -> Self {
        let limits = ServerLimits {
            peers_max: PEERS_MAX,
            rooms_max: 64,
            held_bytes_max: 100_000,
            queue_bytes_max: 200_000,
            messages: Rate { per_second: 50, burst: 100 },
            ..ServerLimits::default()
        };
        let now = Instant::ZERO + Duration::from_secs(1);
        let mut server = Server::new(limits, [9; 16]);
        let honest =
            [("ana", 1), ("bob", 2)].map(|(nick, port)| Honest::new(nick, port, &mut server, now));
        // Each from elsewhere: at one address they would slow each other down.
        let attacker = |n: u8| Attacker {
            id: PeerId::from(SocketAddr::from(([10, 0, 1, n], 1))),
            online: false,
            sleeps: n.is_multiple_of(3),
            wild: n.is_multiple_of(2),
        };
        let attackers = (0..30).map(attacker).collect();
        Self { server, honest, attackers, now, held: 0, dropped: Vec::new() }
    }

    /// One input, of any kind.
    fn attack(&mut self, rng: &mut Rng) {
        let at = below(rng, self.attackers.len());
        let attacker = &mut self.attackers[at];
        let (id, now) = (attacker.id, self.now);
        let (kinds, of) = if attacker.wild { (ALL, 10) } else { (TAME, 100_000) };
        match rng.below(40) {
            0 if attacker.wild => {
                self.server.disconnected(now, id);
                attacker.online = false;
            }
            1 => self.server.handle_datagram(now, id, &frame(rng, ALL)),
            // A stranger in somebody's name, with anything but a frame.
            2 => {
                let bytes: Vec<u8> = text(rng).bytes().chain([0xff]).collect();
                self.server.handle_datagram(now, id, &bytes);
            }
            _ if !attacker.online => {
                self.server.connected(now, id);
                attacker.online = true;
                let (secret, nick) = ([u8::try_from(at).unwrap() + 100; 16], format!("evil-{at}"));
                let (version, cookie) = (VERSION, [0; 8]);
                let hello = Frame::Hello { version, secret, cookie, epoch: 0, nick: &nick };
                let hello = hello.encode();
                let hello = [&Frames::prefix(hello.len())[..], &hello].concat();
                self.server.handle_bytes(now, id, Lane::Talk, &hello);
            }
            // A flood: the same thing as often as it fits.
            3 => {
                let piece = piece(rng, kinds, of);
                let flood = piece.repeat(1 + 20_000 / piece.len());
                self.server.handle_bytes(now, id, Lane::Talk, &flood);
            }
            4 => self.server.handle_bytes(now, id, Lane::Bulk, &piece(rng, kinds, of)),
            _ => self.server.handle_bytes(now, id, Lane::Talk, &piece(rng, kinds, of)),
        }
    }

    /// What the server has for others than the honest.
    fn drain(&mut self) {
        while let Some((_, held)) = self.server.poll_hold() {
            self.held += u64::from(held);
        }
        while let Some(id) = self.server.poll_ready() {
            let sleeps = self.attackers.iter().any(|one| one.id == id && one.sleeps);
            while !sleeps && self.honest.iter().all(|one| one.id != id) {
                let Some(frame) = self.server.poll_talk(id) else { break };
                assert!(Frame::decode(&frame).is_ok(), "the server says {frame:?}");
            }
            while self.server.poll_bulk(id).is_some() {}
        }
        while let Some(id) = self.server.poll_closed() {
            for attacker in self.attackers.iter_mut().filter(|one| one.id == id) {
                attacker.online = false;
            }
        }
        while let Some((_, frame)) = self.server.poll_stray() {
            assert!(frame.len() <= 10, "a long answer to a stranger");
        }
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Dropped { why, .. } = event
                && !self.dropped.contains(&why)
            {
                self.dropped.push(why);
            }
        }
        assert!(self.server.users() <= PEERS_MAX);
    }

    fn turn(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now);
        self.drain();
        for honest in &mut self.honest {
            honest.client.handle_timeout(self.now);
            honest.talk(&mut self.server, self.now);
        }
    }
}

#[test]
fn two_chat_in_peace_among_attackers() {
    let rounds = rounds();
    let mut rng = Seed::new(1).split("attackers").rng();
    let info = measure(|| {
        let mut arena = Arena::new();
        let mut said = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            arena.attack(&mut rng);
            arena.turn(Duration::from_micros(500));
            if round % SAYS_EVERY == 0 {
                let who = usize::from(round / SAYS_EVERY % 2 == 1);
                let line = format!("honest {round}");
                arena.honest[who].client.handle_line(arena.now, &line);
                said[1 - who].push(line);
            }
        }
        // Who does not read is waited for until they have been silent for too long.
        for _ in 0..200 {
            arena.turn(Duration::from_millis(500));
        }
        for (honest, said) in arena.honest.iter().zip(&said) {
            assert_eq!(honest.heard, *said, "lost, twice or out of order");
            assert_eq!(honest.client.unconfirmed(), 0);
        }
        // It was as hostile as it says.
        assert!(arena.held > 0, "nobody was too hasty");
        for why in [Bye::Malformed, Bye::Slow, Bye::Full, Bye::Flooding] {
            assert!(arena.dropped.contains(&why), "{why:?} is not among {:?}", arena.dropped);
        }
    });
    println!("{rounds} inputs; at most {} KiB at the same time", info.bytes_max / 1024);
    assert!(info.bytes_max < BYTES_MAX, "{} bytes at the same time", info.bytes_max);
}

#[test]
fn a_client_bears_any_server() {
    let rounds = rounds();
    let mut rng = Seed::new(2).split("server").rng();
    let mut shown = 0_u64;
    let info = measure(|| {
        let mut now = Instant::ZERO + Duration::from_secs(1);
        let config = ClientConfig::new("ana", [1; 16], Wire::Stream);
        let mut client = Client::new(config);
        for _ in 0..rounds {
            // Without a connection it waits for the next.
            now += Duration::from_millis(if client.is_online() { 1 } else { 500 });
            if client.poll_connect(now) {
                client.connected(now);
            }
            if !client.is_online() || rng.below(500) == 0 {
                let (version, epoch, origin, accepted) = (VERSION, number(&mut rng), 1, 0);
                let (rate, burst) = (number(&mut rng), number(&mut rng));
                let [rate, burst] = [rate, burst].map(|n| u32::try_from(n & 0xffff).unwrap());
                let nick = &name(&mut rng);
                let welcome =
                    Frame::Welcome { version, epoch, origin, accepted, rate, burst, nick };
                let welcome = welcome.encode();
                let bytes = [&Frames::prefix(welcome.len())[..], &welcome].concat();
                client.handle_bytes(now, Lane::Talk, &bytes);
            }
            client.handle_bytes(now, Lane::Talk, &piece(&mut rng, ALL, 500));
            if rng.below(50) == 0 {
                client.handle_line(now, &text(&mut rng));
            }
            client.handle_timeout(now);
            while client.poll_talk().is_some() {}
            while let Some(event) = client.poll_event() {
                for line in Lang::Pt.lines(&event) {
                    assert!(is_plain(&line), "{line:?} reaches a terminal");
                    shown += 1;
                }
                match event {
                    Event::Offered { transfer, name, .. } => {
                        assert!(check_name(&name).is_ok());
                        client.answer(transfer, rng.below(2) == 0);
                    }
                    Event::Ended => {
                        client = Client::new(ClientConfig::new("ana", [1; 16], Wire::Stream));
                    }
                    _ => {}
                }
            }
        }
    });
    assert!(shown > rounds / 20, "only {shown} lines came of it");
    println!(
        "{rounds} inputs, {shown} lines; at most {} KiB at the same time",
        info.bytes_max / 1024
    );
    assert!(info.bytes_max < BYTES_MAX, "{} bytes at the same time", info.bytes_max);
}

/// A server that has all the time in the world, and never reads.
#[test]
fn what_a_server_can_make_a_client_hold_has_limits() {
    let info = measure(|| {
        let now = Instant::ZERO + Duration::from_secs(1);
        let mut client = Client::new(ClientConfig::new("ana", [1; 16], Wire::Stream));
        assert!(client.poll_connect(now));
        client.connected(now);
        let (version, epoch, origin, accepted, rate, burst) = (VERSION, 1, 1, 0, 5, 20);
        let nick = "ana";
        let hear = |client: &mut Client, frame: &Frame<'_>| {
            let frame = frame.encode();
            let framed = [&Frames::prefix(frame.len())[..], &frame].concat();
            client.handle_bytes(now, Lane::Talk, &framed);
            while client.poll_event().is_some() {}
        };
        hear(&mut client, &Frame::Welcome { version, epoch, origin, accepted, rate, burst, nick });
        assert!(client.is_online());
        for n in 0..100_000_u32 {
            let name = format!("name-{n}");
            hear(&mut client, &Frame::Ping(n.into()));
            hear(&mut client, &Frame::Entered { room: &name, nick: "ana" });
            hear(&mut client, &Frame::Offer { transfer: n, nick: "b", name: &name, size: 1 });
            let (number, kind, target) = (n.into(), Kind::Text, Target::Everyone);
            let said = Frame::Said { origin: 2, number, kind, target, from: "b", text: &name };
            hear(&mut client, &said);
            hear(&mut client, &Frame::Renamed { old: "ana", new: "ana" });
        }
        assert!(client.rooms().count() < 100);
    });
    assert!(info.bytes_max < 4 << 20, "{} bytes at the same time", info.bytes_max);
}

#[test]
fn names_and_texts_are_judged_alike_by_everybody() {
    let mut rng = Seed::new(3).split("names").rng();
    let (mut good, mut bad) = (0_u64, 0_u64);
    for _ in 0..rounds() {
        let name = name(&mut rng);
        match check_nick(&name) {
            Ok(nick) => {
                good += 1;
                assert!(is_plain(nick) && nick.chars().count() <= NAME_CHARS_MAX);
                assert!(!nick.contains(char::is_whitespace) && !look(nick).is_empty());
            }
            Err(_) => bad += 1,
        }
        if check_name(&name).is_ok() {
            assert!(!name.contains(['/', '\\']) && name != "..", "{name:?}");
            assert!(!plain(&name).contains('\\'), "{name:?} has letters that nobody sees");
        }
        let text = text(&mut rng);
        let shown = plain(&text);
        assert!(is_plain(&shown) && !shown.chars().any(char::is_control), "{text:?}");
    }
    assert!(good > 0 && bad > 0, "{good} good, {bad} bad");
}
