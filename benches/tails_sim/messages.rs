//! Small messages at a steady pace.

use std::time::Duration;

use rdtp::{
    link::Profile,
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::NodeId,
    transport::{
        connection::Event,
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        stream::StreamEvent,
    },
    wire::transport::{ConnectionId, StreamId},
};

use super::{
    exchange, lossy,
    table::{Times, head, line},
};

const MESSAGE_BYTES: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);
const MESSAGES: usize = 1000;
/// Messages before the first that counts: the connection is made, the round trip known.
const WARM_UP: usize = 50;

struct Chat {
    server: NodeId,
    ordered: bool,
    sent_at: Vec<Instant>,
    /// Bytes of the one stream that were read, or of each.
    read: Vec<usize>,
    delays_ms: Vec<f64>,
}

impl Chat {
    fn delivered(&mut self, now: Instant, index: usize) {
        if index >= WARM_UP {
            let delay = now - self.sent_at[index];
            self.delays_ms.push(delay.as_secs_f64() * 1e3);
        }
    }
}

impl Application<Host> for Chat {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event: Event::Stream(StreamEvent::Readable(stream)) } = event else {
            return;
        };
        if node != self.server {
            return;
        }
        let Some(connection) = host.get_mut(id) else { return };
        let mut out = [0; 4096];
        let of = usize::try_from(stream.index()).unwrap_or(0);
        self.read.resize(self.read.len().max(of + 1), 0);
        let before = self.read[of] / MESSAGE_BYTES;
        while let Ok(len) = connection.read(now, stream, &mut out) {
            self.read[of] += len;
        }
        connection.finish(stream).ok();
        let after = self.read[of] / MESSAGE_BYTES;
        let first = if self.ordered { 0 } else { of };
        (before..after).for_each(|index| self.delivered(now, first + index));
    }
}

fn send(host: &mut Host, id: ConnectionId, one: Option<StreamId>) {
    let connection = host.get_mut(id).expect("alive");
    let stream = one.unwrap_or_else(|| connection.open_stream(0).expect("enough streams"));
    let taken = connection.write(stream, &[7; MESSAGE_BYTES]);
    assert_eq!(taken, Ok(MESSAGE_BYTES), "there is room");
    if one.is_none() {
        connection.finish(stream).expect("open");
    }
}

/// Delays from writing to reading, of all messages of some seeds.
fn delays(config: HostConfig, network: &str, seeds: u64, ordered: bool) -> Times {
    let mut all = Vec::new();
    for seed in 0..seeds {
        let seed = Seed::new(seed);
        let host = |n: u8| {
            Host::new(config, Secret::new([n; 16]), seed.split("host").index(n.into()))
                .expect("a good config")
        };
        let mut world = World::new();
        let (client, server) = (world.add(host(1)), world.add(host(2)));
        world.connect(client, server, &network.parse::<Profile>().expect("a network"), seed);
        let mut chat = Chat { server, ordered, sent_at: vec![], read: vec![], delays_ms: vec![] };
        let id = world.endpoint_mut(client).open(Instant::ZERO, World::address(1));
        let connection = world.endpoint_mut(client).get_mut(id).expect("just opened");
        let one = ordered.then(|| connection.open_stream(0).expect("the first stream"));
        // The connection is there before the first message: a second stream needs its limits.
        let ready = Instant::ZERO + Duration::from_secs(5);
        world.run(ready, &mut (), &mut chat);
        let mut at = ready;
        for _ in 0..MESSAGES {
            world.run(at, &mut (), &mut chat);
            world.pass(at);
            chat.sent_at.push(at);
            send(world.endpoint_mut(client), id, one);
            at += PAUSE;
        }
        world.run(at + Duration::from_mins(1), &mut (), &mut chat);
        assert_eq!(chat.delays_ms.len(), MESSAGES - WARM_UP, "all arrived");
        all.extend(chat.delays_ms);
    }
    Times::new(all)
}

/// 100 bytes every 20 ms at 5 % loss.
pub(crate) fn all() {
    const SEEDS: u64 = 20;
    head("100 B every 20 ms, loss 5%");
    for (what, ordered) in [("one stream", true), ("a stream each", false)] {
        for (repair, with, target) in [(0, "off", 100.0), (100, "on", 60.0)] {
            let delays = delays(exchange::config(repair), &lossy(5), SEEDS, ordered);
            let kernel = "p99 302, BBR 126 (KCP 116, quinn 135)";
            line(&format!("{what}, repair {with}"), &delays, kernel, &[(99.0, target)]);
        }
    }
    println!();
}
