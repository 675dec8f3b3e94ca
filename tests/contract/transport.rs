//! Hosts of the production transport under the contract: messages with a length in front, on the
//! first stream of a connection.

use core::time::Duration;
use std::collections::VecDeque;

use rdtp::{
    batch::Batch,
    channel::Channel,
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::{Connection, Event},
        cookie::Secret,
        host::{CookiePolicy, EarlyData, Host, HostConfig, HostEvent},
        stream::{StreamEvent, StreamLimits},
    },
    wire::transport::{ConnectionId, StreamId},
};

use super::{ADDRESSES, App, Case, Heard, PEERS};

/// The smallest that is allowed.
const WINDOW_BYTES: u64 = 14_720;
const STREAM: StreamId = StreamId::new(0, false);
/// Events of one connection that can wait at once: it begins, a stream begins, can be read, written,
/// has ended, was stopped, and the end.
const EVENTS: usize = 8;

/// A host and its application, which talks on one stream of one connection.
pub(crate) struct Talker {
    host: Host,
    id: Option<ConnectionId>,
    /// The application was told that there is something to read.
    readable: bool,
    unparsed: Vec<u8>,
    inbox: VecDeque<Vec<u8>>,
}

impl Talker {
    fn new(config: HostConfig, node: u8) -> Self {
        let host = Host::new(config, Secret::new([node; 16]), Seed::new(node.into())).unwrap();
        Self { host, id: None, readable: false, unparsed: Vec::new(), inbox: VecDeque::new() }
    }

    fn connection(&mut self) -> Option<&mut Connection> {
        self.host.get_mut(self.id?)
    }

    fn read(&mut self, now: Instant) {
        if !core::mem::take(&mut self.readable) {
            return;
        }
        let mut out = [0; 1000];
        while let Some(Ok(len)) = self.connection().map(|c| c.read(now, STREAM, &mut out)) {
            self.unparsed.extend_from_slice(&out[..len]);
        }
        while let Some((&len, rest)) = self.unparsed.split_first() {
            let Some(message) = rest.get(..len.into()) else { return };
            self.inbox.push_back(message.to_vec());
            self.unparsed.drain(..=usize::from(len));
        }
    }
}

impl Endpoint for Talker {
    type Event = Heard;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.host.handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.read(now);
        self.host.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.read(now);
        self.host.poll_transmit(now, batch)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        let ready = self.readable || !self.inbox.is_empty();
        if ready { Some(Instant::ZERO) } else { self.host.poll_timeout() }
    }
    fn poll_event(&mut self) -> Option<Heard> {
        if let Some(message) = self.inbox.pop_front() {
            return Some(Heard { text: "a message".into(), delivered: Some(message) });
        }
        let HostEvent { id, event } = self.host.poll_event()?;
        let ours = |host: &Host| host.get(id).is_some_and(|c| c.peer() == ADDRESSES[0]);
        if let (None, Event::Stream(StreamEvent::Opened(STREAM))) = (self.id, event)
            && ours(&self.host)
        {
            self.id = Some(id);
        }
        if self.id == Some(id) && event == Event::Stream(StreamEvent::Readable(STREAM)) {
            self.readable = true;
        }
        Some(Heard { text: format!("{id:?}: {event:?}"), delivered: None })
    }
}

impl App for Talker {
    fn offer(&mut self, _: Instant, message: &[u8]) -> bool {
        let Some(connection) = self.connection() else { return false };
        let room = connection.streams().send_half(STREAM).map_or(0, |half| half.buffer().room());
        if room <= message.len() as u64 {
            return false;
        }
        let framed = [&[u8::try_from(message.len()).unwrap()], message].concat();
        connection.write(STREAM, &framed).is_ok()
    }
    fn hear(event: Heard) -> Heard {
        event
    }
}

/// Two hosts, one connection, the smallest windows.
pub(crate) fn case(cookies: CookiePolicy) -> Case {
    let streams = StreamLimits {
        peer_streams_max: 1,
        stream_window_bytes: WINDOW_BYTES,
        stream_window_bytes_max: WINDOW_BYTES,
        window_bytes: WINDOW_BYTES,
        window_bytes_max: WINDOW_BYTES,
        gaps_max: 16,
        send_buffer_bytes: 1200,
    };
    // Schedules let hours pass between two calls.
    let connection = Config {
        idle_timeout: Duration::ZERO,
        open_timeout: Duration::from_hours(1000),
        streams,
        repair_percent: 100,
        ..Config::default()
    };
    let early_data = EarlyData::Anyone;
    let config = HostConfig {
        connection,
        connections_max: PEERS,
        cookies,
        early_data,
        ..HostConfig::default()
    };
    let ends = move || {
        let mut client = Talker::new(config, 1);
        let id = client.host.open(Instant::ZERO, ADDRESSES[1]);
        client.id = Some(id);
        assert_eq!(client.connection().unwrap().open_stream(0), Ok(STREAM));
        (client, Talker::new(config, 2))
    };
    let mut case = Case::new(format!("transport, {cookies:?}"), Some(Channel::HOSTILE), ends);
    case.merges = true;
    // What strangers' connections hold, and the messages of a window that was read at once, of which
    // one in forty is empty and the mean has 20 bytes.
    case.holds_max =
        PEERS * EVENTS + config.answers_max + usize::try_from(WINDOW_BYTES / 10).unwrap();
    case
}
