//! Messages from end to end.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;
use rdtp::{
    sim::Application,
    time::Instant,
    trace::NodeId,
    transport::{
        config::Config,
        connection::{Connection, Event},
        host::{Host, HostConfig, HostEvent},
        message::{MessageConfig, MessageReceiver, MessageSender, RecvError, SendError},
        stream::{StreamEvent, StreamLimits, WriteError},
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::{byte, pair::pair, wire::Wire};

const WHILE: Duration = Duration::from_millis(200);

/// The nth message of a stream.
fn message(stream: StreamId, nth: usize, len: usize) -> Vec<u8> {
    let start = stream.0 << 32 | (nth as u64) << 26;
    (0..len as u64).map(|at| byte(start + at)).collect()
}

/// How the application gives messages, and how it takes them.
#[derive(Clone, Copy, Debug)]
enum Way {
    Whole,
    Parts,
    InPlace,
}

const WAYS: [Way; 3] = [Way::Whole, Way::Parts, Way::InPlace];

struct Outgoing {
    way: Way,
    sender: MessageSender,
    sizes: Vec<usize>,
    /// The next message, and which that is.
    message: Vec<u8>,
    nth: usize,
    ended: bool,
}

impl Outgoing {
    /// Sends as much as there is room for.
    fn pump(&mut self, connection: &mut Connection) -> Result<(), SendError> {
        while let Some(&len) = self.sizes.get(self.nth) {
            if self.message.len() != len || self.sender.is_idle() {
                self.message = message(self.sender.stream(), self.nth, len);
            }
            match self.way {
                Way::Whole => self.sender.send(connection, &self.message)?,
                Way::Parts | Way::InPlace => {
                    if self.sender.is_idle() || self.sender.left() == len as u64 {
                        match self.sender.begin(connection, len as u64) {
                            Err(SendError::Unfinished { left }) if left == len as u64 => {}
                            begun => begun?,
                        }
                    }
                    self.parts(connection)?;
                }
            }
            self.nth += 1;
        }
        if !core::mem::replace(&mut self.ended, true) {
            self.sender.finish(connection)?;
        }
        Ok(())
    }

    fn parts(&mut self, connection: &mut Connection) -> Result<(), SendError> {
        while self.sender.left() > 0 {
            let left = usize::try_from(self.sender.left()).unwrap();
            let rest = &self.message[self.message.len() - left..];
            if matches!(self.way, Way::Parts) {
                self.sender.write(connection, &rest[..left.min(777)])?;
            } else {
                let space = self.sender.reserve(connection)?;
                let len = space.len();
                assert!((1..=left).contains(&len));
                space.copy_from_slice(&rest[..len]);
                self.sender.commit(connection, len);
            }
        }
        Ok(())
    }
}

struct Incoming {
    way: Way,
    receiver: MessageReceiver,
    part: Vec<u8>,
    nth: usize,
    ended: bool,
}

impl Incoming {
    /// Takes as much as there is; compares every byte.
    fn pump(&mut self, now: Instant, connection: &mut Connection) -> RecvError {
        let stream = self.receiver.stream();
        loop {
            let whole = match self.take(now, connection) {
                Ok(whole) => whole,
                Err(error) => return error,
            };
            if whole {
                let got = core::mem::take(&mut self.part);
                assert!(got == message(stream, self.nth, got.len()), "{stream}, {}", self.nth);
                assert!(self.receiver.left().is_none());
                self.nth += 1;
            }
        }
    }

    fn take(&mut self, now: Instant, connection: &mut Connection) -> Result<bool, RecvError> {
        match self.way {
            Way::Whole => self.receiver.recv(now, connection, &mut self.part).map(|()| true),
            Way::Parts => {
                let announced = self.receiver.begin(now, connection)?;
                let mut out = [0; 999];
                let part = self.receiver.read(now, connection, &mut out)?;
                self.part.extend_from_slice(&out[..part.len]);
                assert_eq!(self.part.len() as u64 + part.left, announced);
                Ok(part.left == 0)
            }
            Way::InPlace => {
                let bytes = self.receiver.peek(now, connection)?;
                let len = bytes.len().min(1234);
                self.part.extend_from_slice(&bytes[..len]);
                let left = self.receiver.left();
                self.receiver.consume(now, connection, len);
                Ok(left == Some(len as u64))
            }
        }
    }
}

/// A client that sends messages on streams, and a server that takes them.
struct Mail {
    id: ConnectionId,
    outgoing: BTreeMap<StreamId, Outgoing>,
    incoming: BTreeMap<StreamId, Incoming>,
    /// Streams of the client whose other half has ended too.
    over: usize,
}

impl Mail {
    fn send(&mut self, connection: &mut Connection) {
        for outgoing in self.outgoing.values_mut().filter(|outgoing| !outgoing.ended) {
            let sent = outgoing.pump(connection);
            assert!(matches!(sent, Ok(()) | Err(SendError::Blocked)), "{sent:?}");
        }
    }
}

impl Application<Host> for Mail {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        assert!(!matches!(event, Event::Closed(_)), "{event:?}");
        let Some(connection) = host.get_mut(id) else { return };
        if node == NodeId(0) {
            self.send(connection);
            if let Event::Stream(StreamEvent::Readable(stream)) = event {
                assert!(connection.peek(stream).is_err());
                self.over += 1;
            }
        } else if let Event::Stream(StreamEvent::Readable(stream)) = event {
            let incoming = self.incoming.entry(stream).or_insert_with(|| Incoming {
                way: WAYS[usize::try_from(stream.index() / 3 % 3).unwrap()],
                receiver: MessageReceiver::new(stream, MessageConfig::default()),
                part: Vec::new(),
                nth: 0,
                ended: false,
            });
            match incoming.pump(now, connection) {
                RecvError::Blocked => {}
                RecvError::Finished => {
                    incoming.ended = true;
                    connection.finish(stream).unwrap();
                }
                error => panic!("{stream}: {error}"),
            }
        }
    }
}

/// Sends each list on a stream of its own, and runs until the server has all.
fn deliver(lists: &[Vec<usize>], streams: StreamLimits, network: &str, seed: u64) -> Instant {
    let connection = Config { streams, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let (mut world, client, id) = pair(config, network, seed);
    let mut mail = Mail { id, outgoing: BTreeMap::new(), incoming: BTreeMap::new(), over: 0 };
    let mut unsent = lists.iter().enumerate();
    let end = Instant::ZERO + Duration::from_mins(10);
    loop {
        let connection = world.endpoint_mut(client).get_mut(mail.id).unwrap();
        while let Some((at, sizes)) = unsent.clone().next()
            && let Ok(stream) = connection.open_stream(0)
        {
            unsent.next();
            let sender = MessageSender::new(stream);
            let (way, sizes) = (WAYS[at % 3], sizes.clone());
            mail.outgoing.insert(
                stream,
                Outgoing { way, sender, sizes, message: Vec::new(), nth: 0, ended: false },
            );
        }
        mail.send(connection);
        if mail.over == lists.len() || !world.step(end, &mut (), &mut mail) {
            break;
        }
    }
    for (sizes, incoming) in lists.iter().zip(mail.incoming.values()) {
        assert!(incoming.ended && incoming.nth == sizes.len(), "{}", incoming.receiver.stream());
    }
    assert_eq!((mail.over, mail.incoming.len()), (lists.len(), lists.len()));
    let now = world.now();
    world.run(now + Duration::from_secs(5), &mut (), &mut mail);
    for node in [NodeId(0), NodeId(1)] {
        let (_, connection) = world.endpoint(node).connections().next().unwrap();
        assert!(connection.streams().is_empty(), "{node:?} remembers streams");
    }
    now
}

/// Small windows and a small buffer: each of the larger messages crosses them many times.
fn small() -> StreamLimits {
    StreamLimits {
        stream_window_bytes: 20_000,
        stream_window_bytes_max: 60_000,
        window_bytes: 40_000,
        window_bytes_max: 120_000,
        send_buffer_bytes: 9_000,
        ..Config::default().streams
    }
}

#[test]
fn messages_of_every_size_arrive_whole_and_in_order() {
    let list = vec![0, 1, 63, 64, 0, 1200, 16_383, 16_384, 0, 200_000, 5];
    let lists = vec![list; 9];
    deliver(&lists, small(), "loss=3%,delay=5ms±2ms,rate=100mbit", 3);
}

/// Larger than every window and buffer, with the windows of the default.
#[test]
fn messages_of_many_megabytes_cross_the_windows() {
    let lists = [vec![12_000_000, 3], vec![7_000_000], vec![1 << 24, 0]];
    deliver(&lists, Config::default().streams, "loss=1%,delay=5ms,rate=1gbit,queue=1MiB", 4);
}

/// Hundreds of independent messages: streams come and go.
#[test]
fn a_message_on_a_stream_of_its_own_leaves_nothing_behind() {
    let lists: Vec<Vec<usize>> = (0..400).map(|n| vec![n * 37 % 5000]).collect();
    deliver(&lists, Config::default().streams, "loss=5%,delay=10ms,rate=100mbit", 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_messages_over_any_network(
        lists in prop::collection::vec(prop::collection::vec(0..40_000_usize, 0..5), 1..7),
        loss in 0..20_u32,
        seed in 0..1_000_u64,
    ) {
        deliver(&lists, small(), &format!("loss={loss}%,delay=4ms±3ms,rate=50mbit"), seed);
    }
}

/// The packet of the first message is lost; the second does not wait for it.
#[test]
fn a_lost_message_does_not_delay_an_independent_one() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let [mut first, mut second] =
        [0, 0].map(|priority| MessageSender::new(wire.at(0, id).open_stream(priority).unwrap()));
    wire.cut[0] = true;
    first.send(wire.at(0, id), b"first").unwrap();
    wire.pass(Duration::from_millis(1));
    wire.cut[0] = false;
    second.send(wire.at(0, id), b"second").unwrap();
    wire.pass(Duration::from_millis(11));
    let take = |wire: &mut Wire, stream| {
        let now = wire.now;
        let mut receiver = MessageReceiver::new(stream, MessageConfig::default());
        let mut message = Vec::new();
        receiver.recv(now, wire.at(1, peer), &mut message).map(|()| message)
    };
    assert_eq!(take(&mut wire, second.stream()), Ok(b"second".to_vec()));
    assert_eq!(take(&mut wire, first.stream()), Err(RecvError::Unknown), "nothing of it is here");
    wire.pass(WHILE);
    assert_eq!(take(&mut wire, first.stream()), Ok(b"first".to_vec()));
}

/// A length costs nothing, and a length beyond the limit ends the stream with the receiver's code.
#[test]
fn what_is_only_announced_takes_no_memory() {
    let config = MessageConfig { message_bytes_max: 1 << 40, refusal_code: 77 };
    for (len, refused) in [(1_u64 << 40, false), ((1 << 40) + 1, true)] {
        let (mut wire, [id, peer]) = Wire::connected(Config::default());
        let stream = wire.at(0, id).open_stream(0).unwrap();
        let mut sender = MessageSender::new(stream);
        sender.begin(wire.at(0, id), len).unwrap();
        assert_eq!(sender.write(wire.at(0, id), &[9; 300]), Ok(300));
        wire.pass(WHILE);
        let now = wire.now;
        let (mut receiver, mut message) = (MessageReceiver::new(stream, config), Vec::new());
        let got = receiver.recv(now, wire.at(1, peer), &mut message);
        assert!(message.capacity() <= 600, "{} bytes", message.capacity());
        wire.pass(WHILE);
        let stopped = wire.heard(0, Event::Stream(StreamEvent::Stopped(stream, 77)));
        if refused {
            let error = RecvError::TooLarge { announced: len, bytes_max: 1 << 40 };
            assert_eq!((got, message.len(), stopped), (Err(error), 0, true));
            let told = SendError::Stream(WriteError::Stopped(77));
            assert_eq!(sender.write(wire.at(0, id), &[9; 300]), Err(told));
            assert_eq!(receiver.begin(now, wire.at(1, peer)), Err(error), "for good");
        } else {
            assert_eq!((got, message.len(), stopped), (Err(RecvError::Blocked), 300, false));
            assert_eq!(receiver.left(), Some(len - 300));
        }
    }
}

#[test]
fn a_stream_that_ends_within_a_message_says_so() {
    for (bytes, end, error) in [
        (&[5, 1, 2][..], true, RecvError::Truncated { got: 2, announced: Some(5) }),
        (&[0x40], true, RecvError::Truncated { got: 0, announced: None }),
        (&[0x40, 1], false, RecvError::Malformed),
        (&[1, 9], true, RecvError::Finished),
        (&[1, 9], false, RecvError::Reset(4)),
    ] {
        let (mut wire, [id, peer]) = Wire::connected(Config::default());
        let stream = wire.at(0, id).open_stream(0).unwrap();
        wire.at(0, id).write(stream, bytes).unwrap();
        if end {
            wire.at(0, id).finish(stream).unwrap();
        }
        wire.pass(WHILE);
        let now = wire.now;
        let mut receiver = MessageReceiver::new(stream, MessageConfig::default());
        let mut message = Vec::new();
        if bytes[0] == 1 {
            assert_eq!(receiver.recv(now, wire.at(1, peer), &mut message), Ok(()));
        }
        if error == RecvError::Reset(4) {
            wire.at(0, id).reset(stream, 4).unwrap();
            wire.pass(WHILE);
        }
        for _ in 0..3 {
            assert_eq!(receiver.recv(now, wire.at(1, peer), &mut message), Err(error));
        }
    }
}

/// Nothing that the application does wrong breaks the framing, and each mistake has its name.
#[test]
fn mistakes_of_the_sender_have_names_and_change_nothing() {
    let config = Config {
        streams: StreamLimits { send_buffer_bytes: 1200, ..small() },
        ..Config::default()
    };
    let (mut wire, [id, peer]) = Wire::connected(config);
    let stream = wire.at(0, id).open_stream(0).unwrap();
    let mut sender = MessageSender::new(stream);
    let connection = wire.at(0, id);
    assert_eq!(sender.begin(connection, 1 << 62), Err(SendError::TooLarge));
    assert_eq!(sender.write(connection, b"x"), Err(SendError::Excess { left: 0 }));
    assert_eq!(sender.reserve(connection).err(), Some(SendError::Excess { left: 0 }));
    sender.begin(connection, 3).unwrap();
    assert_eq!(sender.write(connection, b"four"), Err(SendError::Excess { left: 3 }));
    assert_eq!(sender.begin(connection, 3), Err(SendError::Unfinished { left: 3 }));
    assert_eq!(sender.finish(connection), Err(SendError::Unfinished { left: 3 }));
    assert_eq!(sender.reserve(connection).map(|space| space.len()), Ok(3));
    sender.reserve(connection).unwrap().copy_from_slice(b"abc");
    sender.commit(connection, 99);
    // A message larger than the room that is left: part of it goes, the rest waits.
    assert_eq!(sender.send(connection, &[7; 5000]), Err(SendError::Blocked));
    assert_eq!((sender.left(), sender.is_idle()), (5000 - (1200 - 4 - 2), false));
    assert_eq!(sender.finish(connection), Err(SendError::Unfinished { left: sender.left() }));
    let (mut receiver, mut got) =
        (MessageReceiver::new(stream, MessageConfig::default()), Vec::new());
    let mut message = Vec::new();
    for _ in 0..20 {
        wire.pass(WHILE);
        let now = wire.now;
        while receiver.recv(now, wire.at(1, peer), &mut message).is_ok() {
            got.push(core::mem::take(&mut message));
        }
        if !sender.is_idle() {
            let sent = sender.send(wire.at(0, id), &[7; 5000]);
            assert!(matches!(sent, Ok(()) | Err(SendError::Blocked)), "{sent:?}");
        }
    }
    assert_eq!(got, [b"abc".to_vec(), vec![7; 5000]]);
    // The length of a message waits for room too: a message of no bytes is whole when it is in.
    let fill = wire.at(0, id).streams().send_half(stream).unwrap().buffer().room() - 1;
    sender.begin(wire.at(0, id), fill).unwrap();
    let fill = vec![0; usize::try_from(fill).unwrap()];
    assert_eq!(sender.write(wire.at(0, id), &fill), Ok(fill.len() - 1));
    assert_eq!(sender.write(wire.at(0, id), &fill[..1]), Err(SendError::Blocked));
    wire.pass(WHILE);
    assert_eq!(sender.write(wire.at(0, id), &fill[..1]), Ok(1));
    assert_eq!(sender.finish(wire.at(0, id)), Ok(()));
}
