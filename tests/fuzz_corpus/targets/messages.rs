//! Messages: any bytes as a stream, however they are cut, are the same messages and the same end;
//! and a sender whose room comes and goes, with mistakes of its application between, is read back
//! as what it was given.

use core::time::Duration;
use std::collections::VecDeque;

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::Connection,
        cookie::Secret,
        host::{Host, HostConfig},
        message::{Decoder, MessageConfig, MessageReceiver, MessageSender, RecvError, SendError},
        stream::StreamLimits,
    },
    wire::transport::{ConnectionId, dissect},
};

use super::Bytes;

const OPS_MAX: usize = 200;

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (limit, cut) = (1 << bytes.below(64), 1 + bytes.below(30));
    assert_eq!(decode(limit, bytes.0.chunks(cut)), decode(limit, [bytes.0]));
    // Whatever comes can be taken apart for people.
    let dissection = dissect(data);
    assert_eq!(dissection.fields.last().map_or(0, |field| field.at.end), data.len());
    assert!(dissection.to_string().len() + dissection.summary().len() < 100 * (data.len() + 2));
    Story::new().live(Bytes(data));
}

/// The messages of a stream, and how it ends.
fn decode<'a>(
    limit: u64,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Vec<u8>, RecvError) {
    let (mut decoder, mut whole, mut part) = (Decoder::new(limit), Vec::new(), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.take_length(piece) {
                Ok(taken) => piece = &piece[taken..],
                Err(error) => return (whole, part, error),
            }
            let Some(left) = decoder.left() else { break };
            assert!(decoder.announced().is_some_and(|len| left <= len && len <= limit));
            let len = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if len == 0 && left > 0 {
                break;
            }
            part.extend_from_slice(&piece[..len]);
            piece = &piece[len..];
            decoder.advance(len as u64);
            if decoder.left().is_none() {
                whole.push(core::mem::take(&mut part));
            }
        }
    }
    (whole, part, decoder.finish())
}

/// Two hosts, a stream between them with little room, and what the receiver should hear.
struct Story {
    hosts: [Host; 2],
    id: ConnectionId,
    now: Instant,
    sender: MessageSender,
    receiver: MessageReceiver,
    /// What was given to the sender and not heard yet, without the borders.
    expected: Vec<u8>,
    lens: VecDeque<u64>,
    /// A length that waits for room.
    begun: Option<u64>,
    message: Vec<u8>,
}

impl Story {
    fn new() -> Self {
        let small = StreamLimits { send_buffer_bytes: 1200, ..Config::default().streams };
        let connection = Config { streams: small, ..Config::default() };
        let config = HostConfig { connection, ..HostConfig::default() };
        let host = |n: u8| Host::new(config, Secret::new([n; 16]), Seed::new(n.into()));
        let mut hosts = [1, 2].map(|n| host(n).expect("a good configuration"));
        let id = hosts[0].open(Instant::ZERO, ([10, 0, 0, 1], 7).into());
        let connection = hosts[0].get_mut(id).expect("just opened");
        let stream = connection.open_stream(0).expect("the first stream");
        Self {
            hosts,
            id,
            now: Instant::ZERO,
            sender: MessageSender::new(stream),
            receiver: MessageReceiver::new(stream, MessageConfig::default()),
            expected: Vec::new(),
            lens: VecDeque::new(),
            begun: None,
            message: Vec::new(),
        }
    }

    fn live(mut self, mut bytes: Bytes<'_>) {
        for _ in 0..OPS_MAX {
            if bytes.is_empty() {
                break;
            }
            let what = bytes.byte();
            match what % 4 {
                0 => self.carry(),
                // Not so much that silence ends the connection.
                1 => self.now += Duration::from_millis(bytes.number() % 100),
                2 => self.hear(),
                _ => self.give(what, &mut bytes),
            }
        }
        for _ in 0..40 {
            self.carry();
            self.hear();
            self.now += Duration::from_millis(40);
        }
        assert!(self.expected.is_empty(), "{} bytes are missing", self.expected.len());
    }

    /// Begins a message, or goes on with one.
    fn give(&mut self, what: u8, bytes: &mut Bytes<'_>) {
        let (len, fill) = (bytes.below(3000), bytes.byte());
        let Some(connection) = self.hosts[0].get_mut(self.id) else { return };
        // A length of which a part is out cannot be taken back.
        let announced = self.begun.take().unwrap_or(len as u64);
        match self.sender.begin(connection, announced) {
            Ok(()) => self.lens.push_back(announced),
            Err(SendError::Unfinished { .. }) => {}
            Err(_) => {
                self.begun = Some(announced);
                return;
            }
        }
        // Too many bytes, now and then: none of them are taken.
        let left = usize::try_from(self.sender.left()).unwrap_or(usize::MAX);
        let data = vec![fill; if what & 8 == 0 { len.min(left) } else { len }];
        let taken = match what & 4 {
            0 => self.sender.write(connection, &data).unwrap_or(0),
            _ => reserve(&mut self.sender, connection, &data),
        };
        self.expected.extend(&data[..taken]);
    }

    /// Everything that the hosts have to say reaches the other one.
    fn carry(&mut self) {
        let mut space = [0; 2048];
        for _ in 0..8 {
            for from in 0..2 {
                self.hosts[from].handle_timeout(self.now);
                loop {
                    let mut batch = Batch::new(&mut space);
                    if self.hosts[from].poll_transmit(self.now, &mut batch).is_none() {
                        break;
                    }
                    let source = ([10, 0, 0, u8::from(from == 1)], 7);
                    for datagram in batch.segments() {
                        let meta = RecvMeta::from(core::net::SocketAddr::from(source));
                        let _ = self.hosts[1 - from].handle_datagram(self.now, meta, datagram);
                    }
                }
                while self.hosts[from].poll_event().is_some() {}
            }
        }
    }

    fn hear(&mut self) {
        let Some((peer, _)) = self.hosts[1].connections().next() else { return };
        let Some(connection) = self.hosts[1].get_mut(peer) else { return };
        loop {
            let before = self.message.len();
            let heard = self.receiver.recv(self.now, connection, &mut self.message);
            let new = &self.message[before..];
            assert_eq!(new, self.expected.drain(..new.len()).as_slice());
            match heard {
                Ok(()) => {
                    assert_eq!(Some(self.message.len() as u64), self.lens.pop_front());
                    self.message.clear();
                }
                Err(RecvError::Blocked | RecvError::Unknown) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn reserve(sender: &mut MessageSender, connection: &mut Connection, data: &[u8]) -> usize {
    let Ok(space) = sender.reserve(connection) else { return 0 };
    let len = space.len().min(data.len());
    space[..len].copy_from_slice(&data[..len]);
    sender.commit(connection, len);
    len
}
