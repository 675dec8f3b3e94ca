//! A request and its answer over a connection of their own.

use std::{collections::BTreeMap, time::Duration};

use rdtp::{
    link::Profile,
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::NodeId,
    transport::{
        config::Config,
        connection::{Connection, Event},
        cookie::Secret,
        host::{EarlyData, Host, HostConfig, HostEvent},
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

use super::{
    ROUND_MS, lossy,
    table::{Times, head, line},
};

/// UDP payload of a packet that fills an Ethernet frame.
const FULL_PACKET: usize = 1472;
const KB: u64 = 1000;

/// What leaves and what comes back.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) request: u64,
    pub(crate) answer: u64,
}

/// Whether the peer was talked to before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Fresh,
    Remembered,
}

struct Talk {
    load: Load,
    client: NodeId,
    id: ConnectionId,
    stream: StreamId,
    asked: u64,
    /// What the server has read of each connection, and what it has left to say.
    served: BTreeMap<ConnectionId, (u64, u64)>,
    returned: u64,
    done_at: Option<Instant>,
    ended: bool,
}

impl Talk {
    fn write(left: &mut u64, stream: StreamId, connection: &mut Connection) {
        const BLOCK: [u8; 1 << 14] = [7; 1 << 14];
        while *left > 0 {
            let len = usize::try_from(*left).unwrap_or(BLOCK.len()).min(BLOCK.len());
            match connection.write(stream, &BLOCK[..len]) {
                Ok(taken) => *left -= taken as u64,
                Err(_) => return,
            }
        }
        connection.finish(stream).ok();
    }

    /// Opens a connection and asks.
    fn ask(&mut self, world: &mut World<Host>, load: Load) {
        let now = world.now();
        let host = world.endpoint_mut(self.client);
        self.id = host.open(now, World::address(1));
        let connection = host.get_mut(self.id).expect("just opened");
        self.stream = connection.open_stream(0).expect("the first stream");
        (self.load, self.asked, self.returned, self.done_at) = (load, load.request, 0, None);
        self.served.clear();
        Self::write(&mut self.asked, self.stream, connection);
    }

    fn serve(&mut self, now: Instant, id: ConnectionId, stream: StreamId, host: &mut Host) {
        let Some(connection) = host.get_mut(id) else { return };
        let (heard, left) = self.served.entry(id).or_insert((0, self.load.answer));
        let mut out = [0; 1 << 14];
        loop {
            match connection.read(now, stream, &mut out) {
                Ok(len) => *heard += len as u64,
                Err(ReadError::Finished) => break,
                Err(_) => return,
            }
        }
        assert_eq!(*heard, self.load.request, "once, and all of it");
        if self.load.answer == 0 {
            self.done_at.get_or_insert(now);
        }
        Self::write(left, stream, connection);
    }

    fn take(&mut self, now: Instant, connection: &mut Connection) {
        let mut out = [0; 1 << 14];
        while let Ok(len) = connection.read(now, self.stream, &mut out) {
            self.returned += len as u64;
        }
        if self.load.answer > 0 && self.returned == self.load.answer {
            self.done_at.get_or_insert(now);
        }
    }
}

impl Application<Host> for Talk {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        match event {
            Event::Stream(StreamEvent::Readable(stream) | StreamEvent::Writable(stream))
                if node != self.client =>
            {
                self.serve(now, id, stream, host);
            }
            Event::Stream(StreamEvent::Readable(_)) if id == self.id => {
                if let Some(connection) = host.get_mut(id) {
                    self.take(now, connection);
                }
            }
            Event::Stream(StreamEvent::Writable(stream)) if id == self.id => {
                if let Some(connection) = host.get_mut(id) {
                    Self::write(&mut self.asked, stream, connection);
                }
            }
            Event::Closed(_) if id == self.id => self.ended = true,
            _ => {}
        }
    }
}

/// How hosts are configured here: as they come, but for packets that fill a frame, a window to begin
/// with, and so many bytes of repair for a hundred others.
pub(crate) fn config(repair_percent: u32) -> HostConfig {
    let mut config = HostConfig { early_data: EarlyData::WithTicket, ..HostConfig::default() };
    config.connection.repair_percent = repair_percent;
    config.connection.packet_bytes = FULL_PACKET;
    config.connection.start_window_bytes = Config::PACED_START_BYTES;
    config
}

/// The time of an exchange in milliseconds.
fn time(network: &str, seed: u64, load: Load, (peer, repair): (Peer, u32)) -> f64 {
    let seed = Seed::new(seed);
    let host = |n: u8| {
        Host::new(config(repair), Secret::new([n; 16]), seed.split("host").index(n.into()))
            .expect("a good config")
    };
    let mut world = World::new();
    let (client, server) = (world.add(host(1)), world.add(host(2)));
    world.connect(client, server, &network.parse::<Profile>().expect("a network"), seed);
    let mut talk = Talk {
        load,
        client,
        id: ConnectionId(0),
        stream: StreamId(0),
        asked: 0,
        served: BTreeMap::new(),
        returned: 0,
        done_at: None,
        ended: false,
    };
    let mut begin = Instant::ZERO;
    if peer == Peer::Remembered {
        // An earlier connection, which ends well.
        talk.ask(&mut world, Load { request: 200 * KB, answer: 200 * KB });
        let end = begin + Duration::from_secs(100);
        while talk.done_at.is_none() && world.step(end, &mut (), &mut talk) {}
        begin = world.now() + Duration::from_secs(10);
        let id = talk.id;
        let now = world.now();
        world.endpoint_mut(client).get_mut(id).expect("alive").close(now, 0, b"");
        world.run(begin, &mut (), &mut talk);
        world.pass(begin);
    }
    talk.ask(&mut world, load);
    let end = begin + Duration::from_secs(100);
    while talk.done_at.is_none() && world.step(end, &mut (), &mut talk) {}
    talk.done_at.map_or(f64::INFINITY, |at| (at - begin).as_secs_f64() * 1e3)
}

fn times(network: &str, seeds: u64, load: Load, how: (Peer, u32)) -> Times {
    Times::new((0..seeds).map(|seed| time(network, seed, load, how)).collect())
}

/// 1 kB there and 1 kB back.
pub(crate) fn small() {
    const SEEDS: u64 = 4000;
    // CUBIC's; the kernel's BBR is within a tenth.
    const KERNEL: [(u32, &str, f64); 4] = [
        (0, "101 / 104 / 108", f64::INFINITY),
        (1, "101 / 103 / 1125", 3.0),
        (5, "101 / 1122 / 2151", 4.0),
        (10, "101 / 1386 / 3559", 6.0),
    ];
    head("1 kB exchange");
    let load = Load { request: KB, answer: KB };
    for (loss, kernel, rounds) in KERNEL {
        let fresh = times(&lossy(loss), SEEDS, load, (Peer::Fresh, 0));
        let target = [(99.0, rounds * ROUND_MS)];
        let targets = if loss == 0 { &[][..] } else { &target };
        line(&format!("fresh peer, loss {loss}%"), &fresh, kernel, targets);
    }
    for (loss, _, rounds) in KERNEL {
        let known = times(&lossy(loss), SEEDS, load, (Peer::Remembered, 0));
        let targets = [(50.0, 1.05 * ROUND_MS), (99.0, rounds * ROUND_MS)];
        let targets = if loss == 0 { &targets[..1] } else { &targets };
        line(&format!("0-RTT, loss {loss}%"), &known, "", targets);
    }
    println!();
}

/// 100 kB, there or back.
pub(crate) fn flows() {
    const SEEDS: u64 = 1000;
    const REPAIR: u32 = 10;
    let up = Load { request: 100 * KB, answer: 0 };
    let down = Load { request: 100, answer: 100 * KB };
    head("100 kB to the server, until it has all");
    let row = |what: &str, loss: u32, load, how, kernel: &str, targets: &[(f64, f64)]| {
        let times = times(&lossy(loss), SEEDS, load, how);
        line(&format!("{what}, loss {loss}%"), &times, kernel, targets);
    };
    let fresh = [(50.0, 130.0), (95.0, 155.0)];
    let at_five = [(99.0, 500.0)];
    let beside = "181 (quinn with BBR 103)";
    row("fresh peer", 0, up, (Peer::Fresh, 0), beside, &[(50.0, 105.0)]);
    row("0-RTT", 0, up, (Peer::Remembered, 0), "", &[(50.0, 55.0)]);
    for (repair, with) in [(0, ""), (REPAIR, ", repair 10%")] {
        let named = |what: &str| format!("{what}{with}");
        row(&named("fresh peer"), 2, up, (Peer::Fresh, repair), "(best 142 / 158)", &fresh);
        row(&named("fresh peer"), 5, up, (Peer::Fresh, repair), "", &at_five);
        row(&named("0-RTT"), 2, up, (Peer::Remembered, repair), "", &fresh);
        row(&named("0-RTT"), 5, up, (Peer::Remembered, repair), "", &at_five);
    }
    // Before an address is proved three bytes may be sent for one, so 108 is the floor, and 58 with a
    // ticket: round trips, and 8 ms on the line.
    head("100 kB from the server, asked for with 100 B");
    row("fresh peer", 0, down, (Peer::Fresh, 0), "206 / 211 / 243", &[]);
    row("0-RTT", 0, down, (Peer::Remembered, 0), "", &[]);
    for (repair, with) in [(0, ""), (REPAIR, ", repair 10%")] {
        let named = |what: &str| format!("{what}{with}");
        row(&named("fresh peer"), 2, down, (Peer::Fresh, repair), "BBR 261 / 1264", &[]);
        row(&named("fresh peer"), 5, down, (Peer::Fresh, repair), "405 / 1740 / 4064", &at_five);
        row(&named("0-RTT"), 2, down, (Peer::Remembered, repair), "", &[]);
        row(&named("0-RTT"), 5, down, (Peer::Remembered, repair), "", &at_five);
    }
    println!();
}
