//! Two hosts and a network between them.

use core::time::Duration;

use rdtp::{
    link::Profile,
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::{NodeId, Observer},
    transport::{
        connection::Event,
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        lifecycle::CloseReason,
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::byte;

/// One upload: the opener sends `bytes` on one stream and finishes it; the acceptor reads them,
/// compares them, and answers with `answer` bytes on the same stream.
pub(crate) struct Upload {
    pub(crate) bytes: u64,
    pub(crate) answer: u64,
    pub(crate) client: NodeId,
    pub(crate) id: ConnectionId,
    pub(crate) stream: StreamId,
    written: u64,
    answered: u64,
    pub(crate) received: u64,
    pub(crate) returned: u64,
    pub(crate) delivered_at: Option<Instant>,
    pub(crate) done_at: Option<Instant>,
    pub(crate) closed: Vec<(NodeId, CloseReason)>,
    pub(crate) connected_at: Option<Instant>,
}

/// A world with a client and a server, and a connection about to be opened.
pub(crate) fn pair(
    config: HostConfig,
    network: &str,
    seed: u64,
) -> (World<Host>, NodeId, ConnectionId) {
    let seed = Seed::new(seed);
    let host =
        |n| Host::new(config, Secret::new([n; 16]), seed.split("host").index(n.into())).unwrap();
    let mut world = World::new();
    let client = world.add(host(1));
    let server = world.add(host(2));
    world.connect(client, server, &network.parse::<Profile>().unwrap(), seed);
    let id = world.endpoint_mut(client).open(Instant::ZERO, World::address(1));
    (world, client, id)
}

/// Such a world, and an upload about to begin.
pub(crate) fn upload(
    config: HostConfig,
    network: &str,
    seed: u64,
    bytes: u64,
    answer: u64,
) -> (World<Host>, Upload) {
    let (mut world, client, id) = pair(config, network, seed);
    let connection = world.endpoint_mut(client).get_mut(id).unwrap();
    let stream = connection.open_stream(0).unwrap();
    let mut upload = Upload {
        bytes,
        answer,
        client,
        id,
        stream,
        written: 0,
        answered: 0,
        received: 0,
        returned: 0,
        delivered_at: None,
        done_at: None,
        closed: Vec::new(),
        connected_at: None,
    };
    upload.feed(world.endpoint_mut(client));
    (world, upload)
}

impl Upload {
    /// The client sends so many bytes over another connection.
    pub(crate) fn again(&mut self, world: &mut World<Host>, bytes: u64) {
        let now = world.now();
        let host = world.endpoint_mut(self.client);
        self.id = host.open(now, World::address(1));
        self.stream = host.get_mut(self.id).unwrap().open_stream(0).unwrap();
        (self.bytes, self.answer) = (bytes, 0);
        (self.written, self.answered, self.received, self.returned) = (0, 0, 0, 0);
        (self.delivered_at, self.done_at, self.connected_at) = (None, None, None);
        self.feed(host);
    }

    /// Writes as much as there is room for.
    fn feed(&mut self, host: &mut Host) {
        let Some(connection) = host.get_mut(self.id) else { return };
        while self.written < self.bytes {
            let len = (self.bytes - self.written).min(4096);
            let data: Vec<u8> = (0..len).map(|i| byte(self.written + i)).collect();
            match connection.write(self.stream, &data) {
                Ok(taken) => self.written += taken as u64,
                Err(_) => return,
            }
            if self.written == self.bytes {
                connection.finish(self.stream).unwrap();
            }
        }
        if self.bytes == 0 && self.written == 0 {
            connection.finish(self.stream).ok();
        }
    }

    fn serve(&mut self, now: Instant, host: &mut Host, id: ConnectionId, stream: StreamId) {
        let Some(connection) = host.get_mut(id) else { return };
        let mut out = [0; 8192];
        loop {
            match connection.read(now, stream, &mut out) {
                Ok(len) => {
                    for got in &out[..len] {
                        assert_eq!(*got, byte(self.received), "byte {}", self.received);
                        self.received += 1;
                    }
                }
                Err(ReadError::Finished) => {
                    assert_eq!(self.received, self.bytes);
                    self.delivered_at.get_or_insert(now);
                    break;
                }
                Err(_) => return,
            }
        }
        while self.answered < self.answer {
            let len = (self.answer - self.answered).min(4096);
            let data: Vec<u8> = (0..len).map(|i| byte(self.answered + i)).collect();
            match connection.write(stream, &data) {
                Ok(taken) => self.answered += taken as u64,
                Err(_) => return,
            }
        }
        connection.finish(stream).ok();
    }

    fn take_answer(&mut self, now: Instant, host: &mut Host) {
        let Some(connection) = host.get_mut(self.id) else { return };
        let mut out = [0; 8192];
        loop {
            match connection.read(now, self.stream, &mut out) {
                Ok(len) => {
                    for got in &out[..len] {
                        assert_eq!(*got, byte(self.returned));
                        self.returned += 1;
                    }
                }
                Err(ReadError::Finished) => {
                    assert_eq!(self.returned, self.answer);
                    self.done_at.get_or_insert(now);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// Runs until both directions are done, or `limit` has passed.
    pub(crate) fn run(&mut self, world: &mut World<Host>, limit: Duration) {
        self.watch(world, limit, &mut ());
    }

    /// The same, seen by somebody.
    pub(crate) fn watch(
        &mut self,
        world: &mut World<Host>,
        limit: Duration,
        observer: &mut impl Observer,
    ) {
        let end = Instant::ZERO + limit;
        world.step(Instant::ZERO, observer, self);
        while self.done_at.is_none() && world.step(end, observer, self) {}
    }
}

impl Application<Host> for Upload {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        match event {
            Event::Connected if node == self.client => {
                self.connected_at.get_or_insert(now);
                self.feed(host);
            }
            Event::Stream(StreamEvent::Writable(_)) if node == self.client => self.feed(host),
            Event::Stream(StreamEvent::Readable(_)) if node == self.client => {
                self.take_answer(now, host);
            }
            Event::Stream(
                StreamEvent::Readable(stream)
                | StreamEvent::Writable(stream)
                | StreamEvent::Opened(stream),
            ) => self.serve(now, host, id, stream),
            Event::Closed(reason) => self.closed.push((node, reason)),
            _ => {}
        }
    }
}
