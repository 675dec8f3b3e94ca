//! Two hosts and a wire of 10 ms that a test can cut, by hand.

use core::{net::SocketAddr, time::Duration};
use std::collections::VecDeque;

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, Offer, RecvMeta, Transmit},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        lifecycle::CloseReason,
        stream::ReadError,
    },
    wire::transport::{ConnectionId, StreamId},
};

pub(crate) const DELAY: Duration = Duration::from_millis(10);

pub(crate) fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(node).unwrap()], 7))
}

pub(crate) fn host(config: HostConfig, n: u8) -> Host {
    Host::new(config, Secret::new([n; 16]), Seed::new(n.into())).unwrap()
}

pub(crate) fn host_config(connection: Config) -> HostConfig {
    HostConfig { connection, ..HostConfig::default() }
}

/// Datagrams that a host gave together.
pub(crate) struct Message {
    pub(crate) transmit: Transmit,
    /// Whether they were sent from where they lie.
    pub(crate) is_lent: bool,
    pub(crate) datagrams: Vec<Vec<u8>>,
}

impl Message {
    /// The length of each datagram but the last.
    pub(crate) fn stride(&self) -> usize {
        self.transmit.segment_size.unwrap_or(self.transmit.size)
    }
}

/// All that a host has to send, as a driver gets it that sends from where it lies.
pub(crate) fn messages(host: &mut Host, now: Instant) -> Vec<Message> {
    let mut space = vec![0; 65_507];
    let (mut messages, mut nth) = (Vec::new(), 0);
    loop {
        let mut batch = Batch::new(&mut space);
        let Some(offer) = host.poll_offer(now, &mut batch) else { break };
        let (Offer::Lent(transmit) | Offer::Written(transmit)) = offer;
        let is_lent = matches!(offer, Offer::Lent(_));
        let mut message = Message { transmit, is_lent, datagrams: Vec::new() };
        if is_lent {
            let stride = message.stride();
            host.lent(nth, &mut |piece| {
                message.datagrams.extend(piece.chunks(stride).map(<[u8]>::to_vec));
            });
            nth += 1;
        } else {
            message.datagrams.extend(batch.segments().map(<[u8]>::to_vec));
        }
        messages.push(message);
    }
    host.take_back();
    messages
}

pub(crate) struct Wire {
    pub(crate) hosts: [Host; 2],
    pub(crate) now: Instant,
    flying: VecDeque<(Instant, usize, Vec<u8>)>,
    /// Datagrams from this node are lost.
    pub(crate) cut: [bool; 2],
    pub(crate) events: [Vec<HostEvent>; 2],
    /// Datagrams and bytes that each node sent, lost ones included.
    pub(crate) sent: [(u64, u64); 2],
    /// The last datagram of each node.
    pub(crate) last: [Vec<u8>; 2],
}

impl Wire {
    pub(crate) fn new(client: HostConfig, server: HostConfig) -> Self {
        Self {
            hosts: [host(client, 1), host(server, 2)],
            now: Instant::ZERO,
            flying: VecDeque::new(),
            cut: [false; 2],
            events: [Vec::new(), Vec::new()],
            sent: [(0, 0); 2],
            last: [Vec::new(), Vec::new()],
        }
    }

    pub(crate) fn open(&mut self) -> ConnectionId {
        self.hosts[0].open(self.now, address(1))
    }

    /// Opens a connection and runs until both sides know; returns both IDs.
    pub(crate) fn connected(config: Config) -> (Self, [ConnectionId; 2]) {
        let mut wire = Self::new(host_config(config), host_config(config));
        let id = wire.open();
        wire.pass(Duration::from_millis(100));
        let peer = wire.hosts[1].connections().next().unwrap().0;
        assert!(wire.heard(1, Event::Connected) && wire.heard(0, Event::Connected));
        (wire, [id, peer])
    }

    pub(crate) fn at(&mut self, node: usize, id: ConnectionId) -> &mut Connection {
        self.hosts[node].get_mut(id).unwrap()
    }

    pub(crate) fn heard(&self, node: usize, event: Event) -> bool {
        self.events[node].iter().any(|heard| heard.event == event)
    }

    pub(crate) fn closed(&self, node: usize) -> Option<CloseReason> {
        self.events[node].iter().find_map(|heard| match heard.event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }

    /// Reads what is there of a stream, and how it goes on.
    pub(crate) fn read(
        &mut self,
        node: usize,
        id: ConnectionId,
        stream: StreamId,
    ) -> (Vec<u8>, ReadError) {
        let now = self.now;
        let connection = self.at(node, id);
        let (mut all, mut out) = (Vec::new(), [0; 4096]);
        loop {
            match connection.read(now, stream, &mut out) {
                Ok(len) => all.extend_from_slice(&out[..len]),
                Err(error) => return (all, error),
            }
        }
    }

    /// Hands a datagram over as if it came from the other node.
    pub(crate) fn inject(&mut self, to: usize, datagram: &[u8]) {
        let meta = RecvMeta::from(address(1 - to));
        let _ = self.hosts[to].handle_datagram(self.now, meta, datagram);
        self.settle();
    }

    fn settle(&mut self) {
        let mut space = vec![0; 65_536];
        for node in 0..2 {
            loop {
                let mut batch = Batch::new(&mut space);
                let Some(transmit) = self.hosts[node].poll_transmit(self.now, &mut batch) else {
                    break;
                };
                for datagram in batch.segments() {
                    self.sent[node].0 += 1;
                    self.sent[node].1 += datagram.len() as u64;
                    self.last[node] = datagram.to_vec();
                    if !self.cut[node] && transmit.destination == address(1 - node) {
                        let arrival = (self.now + DELAY, 1 - node, datagram.to_vec());
                        self.flying.push_back(arrival);
                    }
                }
            }
            while let Some(event) = self.hosts[node].poll_event() {
                self.events[node].push(event);
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut turns = 0;
        loop {
            self.settle();
            let timers = self.hosts.iter().filter_map(Endpoint::poll_timeout);
            let arrival = self.flying.front().map(|(at, ..)| *at);
            let Some(next) = timers.chain(arrival).min().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            turns = if next > self.now { 0 } else { turns + 1 };
            assert!(turns < 1000, "a timer spins at {}", self.now);
            self.now = self.now.max(next);
            while let Some((_, to, datagram)) = self.flying.pop_front_if(|(at, ..)| *at <= self.now)
            {
                let meta = RecvMeta::from(address(1 - to));
                let _ = self.hosts[to].handle_datagram(self.now, meta, &datagram);
            }
            for host in &mut self.hosts {
                host.handle_timeout(self.now);
            }
        }
    }
}
