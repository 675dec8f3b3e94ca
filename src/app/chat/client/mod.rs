//! The client: one user's side, from the lines that are typed to what is to be shown.
//!
//! It keeps what was said until it has arrived, connects again by itself when a connection is lost,
//! and shows nothing twice. On a carrier of datagrams nothing is repeated, since that is what the
//! carrier is there to show: a message that nobody confirms is reported so.

mod inbox;
mod line;
mod outbox;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

use super::{
    bucket::{Bucket, Rate},
    command::Verb,
    frame::{Bye, FileEnd, Frame, Frames, Kind, Parting, Reason, Target, VERSION},
    server::{LOBBY, Wire},
};
use crate::time::Instant;
use outbox::Message;
pub use outbox::SayError;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The nickname it asks for.
    pub nick: String,
    /// What the server knows it by. Draw it by chance, once for each user.
    pub secret: [u8; 16],
    /// What its carrier does.
    pub wire: Wire,
    /// How often the server is asked whether it is there.
    pub ping_every: Duration,
    /// After so long without a word the connection is given up.
    pub silence_max: Duration,
    /// Messages that wait to be confirmed; more are not taken.
    pub messages_max: usize,
    /// Bytes of those.
    pub messages_bytes_max: usize,
    /// On a carrier of datagrams: when a message counts as lost.
    pub confirm_within: Duration,
    /// After a server has started again: how long those it does not know yet may take to come.
    pub return_within: Duration,
    /// Bytes of a file that may be on their way to this client.
    pub file_window_bytes: u64,
}

impl ClientConfig {
    /// The usual behaviour.
    pub fn new(nick: &str, secret: [u8; 16], wire: Wire) -> Self {
        Self {
            nick: nick.into(),
            secret,
            wire,
            ping_every: Duration::from_secs(5),
            silence_max: Duration::from_secs(15),
            messages_max: 1_024,
            messages_bytes_max: 4 << 20,
            confirm_within: Duration::from_secs(2),
            return_within: Duration::from_secs(15),
            file_window_bytes: 256 * 1024,
        }
    }
}

/// Where messages go, or come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Everybody on the server.
    Everyone,
    /// A room.
    Room(String),
    /// One user; in a message that arrives, its sender.
    User(String),
}

impl Place {
    fn target(&self) -> Target<'_> {
        match self {
            Self::Everyone => Target::Everyone,
            Self::Room(room) => Target::Room(room),
            Self::User(nick) => Target::User(nick),
        }
    }
}

/// What a client tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has let us in, under this name.
    Welcome {
        /// Our name.
        nick: String,
        /// Whether we were here before.
        again: bool,
    },
    /// The connection is lost; we try again.
    Lost,
    /// The server ends the connection.
    Bye(Bye),
    /// It is over for good.
    Ended,
    /// Somebody said something.
    Said {
        /// Who.
        from: String,
        /// Where: to answer, say it there.
        place: Place,
        /// What it is.
        kind: Kind,
        /// What; as it was sent, so show it with [`plain`](fn@super::plain).
        text: String,
    },
    /// A message of ours has arrived everywhere.
    Delivered {
        /// Which of ours.
        number: u64,
        /// At how many users; 0 when it had before.
        to: u32,
    },
    /// A message of ours was sent and nobody confirms it.
    Unconfirmed {
        /// Its text.
        text: String,
    },
    /// A message of ours was refused.
    NotSent {
        /// Its text.
        text: String,
        /// Why.
        reason: Reason,
        /// What it was about.
        detail: String,
    },
    /// Something else was refused.
    Refused {
        /// Why.
        reason: Reason,
        /// What it was about.
        detail: String,
    },
    /// Who is here.
    Users {
        /// Names, and how many there are beside them.
        names: Vec<String>,
        /// How many more.
        more: u32,
    },
    /// Which rooms there are, with the number of members.
    Rooms {
        /// Names and numbers.
        rooms: Vec<(String, u32)>,
        /// How many more.
        more: u32,
    },
    /// Who is in a room.
    Members {
        /// Which.
        room: String,
        /// Names.
        names: Vec<String>,
        /// How many more.
        more: u32,
    },
    /// Somebody is now in a room.
    Entered {
        /// Which.
        room: String,
        /// Who.
        nick: String,
        /// Whether it is us.
        me: bool,
    },
    /// Somebody is no longer in a room.
    Left {
        /// Which.
        room: String,
        /// Who.
        nick: String,
        /// Why.
        why: Parting,
        /// Whether it is us.
        me: bool,
    },
    /// Somebody is called something else now.
    Renamed {
        /// The old name.
        old: String,
        /// The new one.
        new: String,
        /// Whether it is us.
        me: bool,
    },
    /// From now on lines go there.
    TalkingTo(Place),
    /// The round trip that was asked for.
    Pong(Duration),
    /// Somebody offers a file.
    Offered {
        /// Which transfer.
        transfer: u32,
        /// Who.
        from: String,
        /// The file's name, which has been checked.
        name: String,
        /// Its size in bytes.
        size: u64,
    },
    /// Our file is wanted, or not.
    Answered {
        /// Which transfer.
        transfer: u32,
        /// Whether it is.
        wanted: bool,
    },
    /// A message of a transfer.
    File {
        /// Which.
        transfer: u32,
        /// The message, for [`FileReceiver`](crate::app::file::FileReceiver) or
        /// [`FileSender`](crate::app::file::FileSender).
        message: Vec<u8>,
    },
    /// A transfer is over before its end.
    FileEnded {
        /// Which.
        transfer: u32,
        /// Why.
        why: FileEnd,
    },
    /// Show how a command is used.
    Usage(Verb),
    /// There is no such command.
    UnknownCommand(String),
    /// Show all commands.
    Help,
    /// What the program has to do, since the session has no disk and no network: the command and
    /// what followed it.
    Do {
        /// Which command.
        verb: Verb,
        /// Its first word.
        first: String,
        /// The rest.
        second: String,
    },
    /// A line was not taken.
    NotTaken(SayError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Without a connection; the next is tried at this time.
    Offline(Instant),
    /// The driver is connecting.
    Connecting,
    /// Hello is said; on a carrier of datagrams it is said again at this time.
    Greeting(Instant),
    Online,
    Ended,
}

/// Messages that are remembered so as not to be shown twice.
const SEEN_MAX: usize = 8_192;
/// Rooms that a server can say we are in, more than any of ours lets anybody into.
const ROOMS_MAX: usize = 64;
/// Transfers at the same time; what is offered beyond is declined.
const TRANSFERS_MAX: usize = 64;
/// While so many frames wait to be sent, a server that asks gets no answer.
const ANSWERS_MAX: usize = 1_024;
/// Confirmations are held back for so long, or until so many are due.
const GOT_AFTER: Duration = Duration::from_millis(20);
const GOT_EVERY: u64 = 16;
/// How often hello is said again on a carrier of datagrams.
const HELLO_EVERY: Duration = Duration::from_millis(500);
/// Without an answer to hello for so long, the connection is given up.
const HELLO_MAX: Duration = Duration::from_secs(10);
/// The first pause before connecting again, and the longest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(4);

/// One transfer that the client takes part in.
#[derive(Clone, Copy, Debug)]
struct Ours {
    /// Whether the file is ours.
    sending: bool,
    /// Bytes of messages that may be sent, and were sent or received.
    granted: u64,
    moved: u64,
}

/// The client; see the [module](super) for an example.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    state: State,
    nick: String,
    epoch: u64,
    cookie: [u8; 8],
    rooms: BTreeSet<String>,
    /// Rooms that it has asked to enter, and is not known to be in.
    wanted: BTreeSet<String>,
    place: Place,
    talk_in: Frames,
    bulk_in: Frames,
    talk: VecDeque<Arc<[u8]>>,
    bulk: VecDeque<Arc<[u8]>>,
    /// Messages that are not confirmed, in order.
    messages: VecDeque<Message>,
    messages_bytes: usize,
    numbers: u64,
    pace: Bucket,
    /// No message leaves before.
    hold_until: Instant,
    got: u64,
    got_told: u64,
    got_at: Option<Instant>,
    seen: BTreeSet<(u64, u64)>,
    seen_order: VecDeque<(u64, u64)>,
    heard_at: Instant,
    ping_at: Instant,
    pings: BTreeMap<u64, (Instant, bool)>,
    tokens: u64,
    rtt: Option<Duration>,
    connected_at: Instant,
    restarted_at: Option<Instant>,
    failures: u32,
    transfers: BTreeMap<u32, Ours>,
    transfers_made: u32,
    events: VecDeque<Event>,
}

impl Client {
    /// A client that wants to connect.
    pub fn new(config: ClientConfig) -> Self {
        let nick = config.nick.clone();
        Self {
            config,
            state: State::Offline(Instant::ZERO),
            nick,
            epoch: 0,
            cookie: [0; 8],
            rooms: BTreeSet::new(),
            wanted: BTreeSet::new(),
            place: Place::Room(LOBBY.into()),
            talk_in: Frames::default(),
            bulk_in: Frames::default(),
            talk: VecDeque::new(),
            bulk: VecDeque::new(),
            messages: VecDeque::new(),
            messages_bytes: 0,
            numbers: 0,
            pace: Bucket::new(Rate { per_second: 5, burst: 1 }),
            hold_until: Instant::ZERO,
            got: 0,
            got_told: 0,
            got_at: None,
            seen: BTreeSet::new(),
            seen_order: VecDeque::new(),
            heard_at: Instant::ZERO,
            ping_at: Instant::ZERO,
            pings: BTreeMap::new(),
            tokens: 0,
            rtt: None,
            connected_at: Instant::ZERO,
            restarted_at: None,
            failures: 0,
            transfers: BTreeMap::new(),
            transfers_made: 0,
            events: VecDeque::new(),
        }
    }

    /// Whether the driver should connect now; then it has to say [`connected`](Self::connected) or
    /// [`disconnected`](Self::disconnected).
    pub fn poll_connect(&mut self, now: Instant) -> bool {
        match self.state {
            State::Offline(at) if at <= now => {
                self.state = State::Connecting;
                true
            }
            _ => false,
        }
    }

    /// Asks for this name from now on, unless there is one: before it is connected for the first
    /// time.
    pub fn call_me(&mut self, nick: &str) {
        if self.nick.is_empty() {
            self.nick = nick.into();
        }
    }

    /// There is a connection, on which nothing was said yet.
    pub fn connected(&mut self, now: Instant) {
        if self.state == State::Ended {
            return;
        }
        (self.talk_in, self.bulk_in) = (Frames::default(), Frames::default());
        self.talk.clear();
        self.bulk.clear();
        (self.got, self.got_told, self.got_at) = (0, 0, None);
        self.pings.clear();
        self.heard_at = now;
        self.connected_at = now;
        self.hello(now);
    }

    fn hello(&mut self, now: Instant) {
        self.state = State::Greeting(now + HELLO_EVERY);
        let frame = Frame::Hello {
            version: VERSION,
            secret: self.config.secret,
            cookie: self.cookie,
            epoch: self.epoch,
            nick: &self.nick,
        };
        let frame = frame.encode();
        self.talk.push_back(frame.into());
    }

    /// There is no connection any more, or none could be made.
    pub fn disconnected(&mut self, now: Instant) {
        if matches!(self.state, State::Ended | State::Offline(_)) {
            return;
        }
        if self.state == State::Online {
            self.events.push_back(Event::Lost);
        }
        self.talk.clear();
        self.bulk.clear();
        for transfer in core::mem::take(&mut self.transfers).into_keys() {
            self.events.push_back(Event::FileEnded { transfer, why: FileEnd::Gone });
        }
        for message in &mut self.messages {
            message.sent_at = None;
        }
        let pause = RETRY_MAX.min(RETRY_MIN * 2_u32.saturating_pow(self.failures.min(8)));
        self.failures += 1;
        // Not everybody at the same moment: spread over half of the pause by who one is.
        let spread = u32::from(self.config.secret[0]);
        self.state = State::Offline(now + pause / 2 + pause / 2 * spread / 255);
    }

    /// Ends: the server is told. No connection is made again.
    pub fn quit(&mut self) {
        if self.state == State::Online {
            self.send(&Frame::Quit(self.config.secret));
        } else {
            self.state = State::Ended;
            self.events.push_back(Event::Ended);
        }
    }

    /// Acts on every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Greeting(again_at) => {
                if now >= self.connected_at + HELLO_MAX {
                    return self.disconnected(now);
                }
                if now >= again_at {
                    match self.config.wire {
                        Wire::Datagram => self.hello(now),
                        Wire::Stream => self.state = State::Greeting(now + HELLO_EVERY),
                    }
                }
            }
            State::Online => {
                if now >= self.heard_at + self.config.silence_max {
                    return self.disconnected(now);
                }
                if now >= self.ping_at {
                    self.ping_at = now + self.config.ping_every;
                    self.send_ping(now, false);
                }
                if self.got_at.is_some_and(|at| at <= now) {
                    self.tell_got(now);
                }
                self.give_up(now);
            }
            State::Offline(_) | State::Connecting | State::Ended => {}
        }
        self.flush(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), or
    /// [`poll_connect`](Self::poll_connect), if nothing arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Offline(at) => Some(at),
            State::Greeting(again_at) => Some(again_at.min(self.connected_at + HELLO_MAX)),
            State::Online => {
                let at = self.ping_at.min(self.heard_at + self.config.silence_max);
                let at = self.got_at.map_or(at, |got| got.min(at));
                Some(self.message_due().map_or(at, |due| due.min(at)))
            }
            State::Connecting | State::Ended => None,
        }
    }

    /// The next frame of talk to be sent.
    pub fn poll_talk(&mut self) -> Option<Arc<[u8]>> {
        self.talk.pop_front()
    }

    /// The next frame with contents of a file to be sent.
    pub fn poll_bulk(&mut self) -> Option<Arc<[u8]>> {
        self.bulk.pop_front()
    }

    /// The next thing that the user should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether contents of files wait to be sent.
    pub fn has_bulk(&self) -> bool {
        !self.bulk.is_empty()
    }

    /// Whether frames wait to be sent.
    pub fn has_output(&self) -> bool {
        !self.talk.is_empty() || !self.bulk.is_empty()
    }

    /// Whether it talks to the server.
    pub fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// Whether it is over for good.
    pub fn is_over(&self) -> bool {
        self.state == State::Ended
    }

    /// Our name.
    pub fn nick(&self) -> &str {
        &self.nick
    }

    /// Where lines go.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Lines go there from now on; the user is told.
    pub fn talk_to(&mut self, place: Place) {
        self.go_to(place);
    }

    /// The rooms we are in.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().map(String::as_str)
    }

    /// Messages that are not confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.messages.len()
    }

    /// The last round trip to the server that was measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    fn send(&mut self, frame: &Frame<'_>) {
        self.talk.push_back(frame.encode().into());
    }

    fn send_ping(&mut self, now: Instant, asked: bool) {
        self.tokens += 1;
        self.pings.insert(self.tokens, (now, asked));
        while self.pings.len() > 64 {
            self.pings.pop_first();
        }
        self.send(&Frame::Ping(self.tokens));
    }
}
