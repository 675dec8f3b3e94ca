//! Uploads and exchanges between two hosts in virtual time.

use std::{collections::BTreeMap, time::Duration};

use rdtp::{
    link::Profile,
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::NodeId,
    transport::{
        cc::Algorithm,
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        stats::Stats,
        stream::StreamEvent,
    },
    wire::transport::{ConnectionId, StreamId},
};

/// Uploads without end over `flows` connections, or one exchange of `request` and `answer` bytes.
pub(crate) struct Load {
    pub(crate) client: NodeId,
    pub(crate) server: NodeId,
    request: u64,
    answer: u64,
    to_send: BTreeMap<(NodeId, ConnectionId), u64>,
    streams: BTreeMap<ConnectionId, StreamId>,
    pub(crate) received: BTreeMap<(NodeId, ConnectionId), u64>,
    pub(crate) done_at: Option<Instant>,
}

impl Load {
    pub(crate) fn new(
        config: HostConfig,
        network: &str,
        seed: u64,
        flows: u32,
        bytes: (u64, u64),
    ) -> (World<Host>, Self) {
        let profile: Profile = network.parse().expect("a network");
        Self::over(config, &profile, seed, flows, bytes)
    }

    pub(crate) fn over(
        config: HostConfig,
        profile: &Profile,
        seed: u64,
        flows: u32,
        (request, answer): (u64, u64),
    ) -> (World<Host>, Self) {
        let seed = Seed::new(seed);
        let host = |n: u8| {
            let seed = seed.split("host").index(n.into());
            Host::new(config, Secret::new([n; 16]), seed).expect("a good config")
        };
        let mut world = World::new();
        let (client, server) = (world.add(host(1)), world.add(host(2)));
        world.connect(client, server, profile, seed);
        let mut load = Self {
            client,
            server,
            request,
            answer,
            to_send: BTreeMap::new(),
            streams: BTreeMap::new(),
            received: BTreeMap::new(),
            done_at: None,
        };
        for _ in 0..flows {
            load.open(&mut world);
        }
        (world, load)
    }

    /// Opens another connection.
    pub(crate) fn open(&mut self, world: &mut World<Host>) {
        let now = world.now();
        let host = world.endpoint_mut(self.client);
        let id = host.open(now, World::address(1));
        let connection = host.get_mut(id).expect("just opened");
        let stream = connection.open_stream(0).expect("the first stream");
        self.streams.insert(id, stream);
        self.to_send.insert((self.client, id), self.request);
        self.feed(self.client, id, stream, connection);
    }

    /// Writes as much as there is room for, and the end.
    fn feed(
        &mut self,
        node: NodeId,
        id: ConnectionId,
        stream: StreamId,
        connection: &mut Connection,
    ) {
        const BLOCK: [u8; 1 << 14] = [7; 1 << 14];
        let Some(left) = self.to_send.get_mut(&(node, id)) else { return };
        while *left > 0 {
            let len = usize::try_from(*left).unwrap_or(BLOCK.len()).min(BLOCK.len());
            match connection.write(stream, &BLOCK[..len]) {
                Ok(taken) => *left -= taken as u64,
                Err(_) => return,
            }
        }
        connection.finish(stream).ok();
    }

    fn take(&mut self, now: Instant, node: NodeId, id: ConnectionId, connection: &mut Connection) {
        let stream = if node == self.client { self.streams[&id] } else { StreamId(0) };
        let received = self.received.entry((node, id)).or_default();
        while let Ok(bytes) = connection.peek(stream) {
            let len = bytes.len();
            if len == 0 {
                break;
            }
            connection.consume(now, stream, len);
            *received += len as u64;
        }
        let received = *received;
        if node == self.server && received == self.request && self.answer > 0 {
            self.to_send.entry((node, id)).or_insert(self.answer);
            self.feed(node, id, stream, connection);
        }
        let complete = if self.answer > 0 {
            node == self.client && received == self.answer
        } else {
            node == self.server && received == self.request
        };
        if complete {
            self.done_at.get_or_insert(now);
        }
    }

    /// Bytes that have arrived at the server, for each connection.
    pub(crate) fn arrived(&self) -> Vec<u64> {
        let at_server = self.received.iter().filter(|((node, _), _)| *node == self.server);
        at_server.map(|(_, &bytes)| bytes).collect()
    }

    pub(crate) fn stats(&self, world: &World<Host>) -> Stats {
        let host = world.endpoint(self.client);
        host.connections().next().map(|(_, connection)| connection.stats()).unwrap_or_default()
    }
}

impl Application<Host> for Load {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        let Some(connection) = host.get_mut(id) else { return };
        match event {
            Event::Stream(StreamEvent::Readable(_)) => self.take(now, node, id, connection),
            Event::Stream(StreamEvent::Writable(stream)) => self.feed(node, id, stream, connection),
            Event::Closed(reason) => println!("a connection ended: {reason}"),
            _ => {}
        }
    }
}

pub(crate) fn config(algorithm: Algorithm, packet_bytes: usize) -> HostConfig {
    let mut config = HostConfig::default();
    config.connection.congestion = algorithm;
    config.connection.packet_bytes = packet_bytes;
    config.connection.packet_bytes_max = packet_bytes;
    config
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const ENDLESS: (u64, u64) = (u64::MAX, 0);

/// Goodput in bit/s of uploads for `time`, of all flows together, and how the first one fared.
pub(crate) fn goodput(
    config: HostConfig,
    network: &str,
    seed: u64,
    time: Duration,
) -> (f64, Stats) {
    goodput_over(config, &network.parse().expect("a network"), seed, time)
}

pub(crate) fn goodput_over(
    config: HostConfig,
    network: &Profile,
    seed: u64,
    time: Duration,
) -> (f64, Stats) {
    let (mut world, mut load) = Load::over(config, network, seed, 1, ENDLESS);
    world.run(Instant::ZERO + time, &mut (), &mut load);
    let bytes: u64 = load.arrived().iter().sum();
    (bytes as f64 * 8.0 / time.as_secs_f64(), load.stats(&world))
}

/// The share of a full packet that is the application's.
pub(crate) fn payload(packet_bytes: usize) -> f64 {
    // A data packet's header and a stream frame's far from the beginning.
    (packet_bytes as f64 - 25.0) / packet_bytes as f64
}
