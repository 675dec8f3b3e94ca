//! The production transport over real sockets: a client sends a long stream and a short one over a
//! lossy network, and the short one does not wait for the long one. Both hosts are driven by one
//! thread, as any event loop would drive them.
//! Run it with
//!
//! ```text
//! cargo run --example 04_streams_over_udp
//! ```

use std::{collections::BTreeMap, error::Error};

use rdtp::{
    endpoint::Endpoint,
    link::{Link, Profile},
    net::{Clock, Driver, Socket, SocketConfig, wait},
    rng::Seed,
    time::Instant,
    trace::NodeId,
    transport::{
        connection::Event,
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

const LONG: usize = 1_000_000;
const SHORT: usize = 100;
const SEED: u64 = 7;

/// The server: reads every stream to its end, then ends its own half of it.
#[derive(Default)]
struct Server {
    bytes: BTreeMap<StreamId, usize>,
    ended_at: Vec<(StreamId, Instant)>,
}

impl Server {
    fn on_event(&mut self, now: Instant, host: &mut Host, event: HostEvent) {
        let HostEvent { id, event: Event::Stream(StreamEvent::Readable(stream)) } = event else {
            return;
        };
        let Some(connection) = host.get_mut(id) else { return };
        let mut space = [0; 4096];
        loop {
            match connection.read(now, stream, &mut space) {
                Ok(len) => *self.bytes.entry(stream).or_default() += len,
                Err(ReadError::Finished) => {
                    self.ended_at.push((stream, now));
                    // Both halves are over now, and the stream is forgotten.
                    connection.finish(stream).ok();
                    return;
                }
                Err(_) => return,
            }
        }
    }
}

/// The client: writes as long as there is room.
struct Client {
    id: ConnectionId,
    left: BTreeMap<StreamId, usize>,
}

impl Client {
    fn write(&mut self, host: &mut Host) -> Result<(), Box<dyn Error>> {
        let Some(connection) = host.get_mut(self.id) else { return Ok(()) };
        for (stream, left) in &mut self.left {
            while *left > 0 {
                let Ok(taken) = connection.write(*stream, &[7; 4096][..(*left).min(4096)]) else {
                    break;
                };
                *left -= taken;
                if *left == 0 {
                    connection.finish(*stream)?;
                }
            }
        }
        Ok(())
    }

    /// The long stream is opened first, but the short one has the smaller number: it goes first.
    fn on_connected(&mut self, host: &mut Host) -> Result<(), Box<dyn Error>> {
        let connection = host.get_mut(self.id).ok_or("the connection is gone")?;
        self.left.insert(connection.open_stream(200)?, LONG);
        self.left.insert(connection.open_stream(10)?, SHORT);
        self.write(host)
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let clock = Clock::start();
    let bind = || Socket::bind(([127, 0, 0, 1], 0).into(), &SocketConfig::default());
    let (here, there) = (bind()?, bind()?);
    // A server keeps its secret over a restart; the seed should come from the system.
    let host = |n| Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()));
    let (mut opener, address) = (host(1)?, there.local_addr());
    let id = opener.open(clock.now(), address);
    let network: Profile = "loss=2%,delay=5ms".parse()?;
    let link = |config, way| Link::new(config, Seed::new(SEED).split(way));
    let (up, down) = (link(network.up, "up"), link(network.down, "down"));
    let mut sending = Driver::new(opener, here, clock).with_links(up, down, NodeId(1));
    let mut receiving = Driver::new(host(2)?, there, clock).with_node(NodeId(1));
    let (mut client, mut server) = (Client { id, left: BTreeMap::new() }, Server::default());

    while server.ended_at.len() < 2 {
        let deadline = sending.deadline().into_iter().chain(receiving.deadline()).min();
        wait(&[sending.interest(), receiving.interest()], deadline, &clock)?;
        sending.step(&mut ())?;
        receiving.step(&mut ())?;
        while let Some(HostEvent { event, .. }) = poll(&mut sending) {
            match event {
                Event::Connected => client.on_connected(sending.endpoint_mut())?,
                Event::Stream(StreamEvent::Writable(_)) => client.write(sending.endpoint_mut())?,
                Event::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        while let Some(event) = poll(&mut receiving) {
            server.on_event(clock.now(), receiving.endpoint_mut(), event);
        }
    }

    for (stream, at) in &server.ended_at {
        println!("{stream}: {} bytes after {:.0?}", server.bytes[stream], at.since_epoch());
    }
    let stats = sending.endpoint().get(id).ok_or("the connection is gone")?.stats();
    println!(
        "SRTT {:.1?}, cwnd {} bytes, {} of {} packets lost",
        stats.srtt, stats.window_bytes, stats.recovery.lost_packets, stats.recovery.sent_packets
    );
    assert_eq!(server.bytes.values().sum::<usize>(), LONG + SHORT);
    assert_eq!(server.ended_at[0].0.index(), 1, "the short one does not wait");
    Ok(())
}

fn poll(driver: &mut Driver<Host>) -> Option<HostEvent> {
    driver.endpoint_mut().poll_event()
}
