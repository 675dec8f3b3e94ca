//! Every placement of up to two faults in the first 24 datagrams of a connection.

use core::time::Duration;
use std::thread;

use rdtp::{
    batch::Batch,
    channel::{Channel, Overtake},
    check::{Oracle, Sweep},
    endpoint::{Endpoint as _, RecvMeta},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::Event,
        cookie::Secret,
        host::{EarlyData, Host, HostConfig, HostEvent},
        lifecycle::CloseReason,
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{CloseCode, ConnectionId, StreamId},
};

use crate::byte;

/// Bytes each way: some packets, so that the first 24 datagrams see the handshake, data both ways,
/// acknowledgements and the end.
const UP: u64 = 5000;
const DOWN: u64 = 4000;
const DATAGRAMS: usize = 24;

/// The client sends and finishes; the server answers and finishes; the client closes when it has
/// heard all and all was heard.
#[derive(Debug)]
struct Exchange {
    heard: [Vec<Event>; 2],
    ids: [Option<ConnectionId>; 2],
    got: [u64; 2],
    ended: [bool; 2],
    finished: [bool; 2],
    closed: [Option<CloseReason>; 2],
    answered: bool,
    closing: bool,
    fault: Option<String>,
}

const STREAM: StreamId = StreamId::new(0, false);

impl Exchange {
    fn read(&mut self, now: Instant, at: usize, host: &mut Host) {
        let Some(connection) = self.ids[at].and_then(|id| host.get_mut(id)) else { return };
        let mut out = [0; 999];
        loop {
            match connection.read(now, STREAM, &mut out) {
                Ok(len) => {
                    for byte_got in &out[..len] {
                        if *byte_got != byte(self.got[at] + at as u64) {
                            self.fault = Some(format!("node {at}: wrong byte {}", self.got[at]));
                        }
                        self.got[at] += 1;
                    }
                }
                Err(ReadError::Finished) => {
                    self.ended[at] = true;
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn send(host: &mut Host, id: ConnectionId, from: u64, bytes: u64) {
        let Some(connection) = host.get_mut(id) else { return };
        let data: Vec<u8> = (0..bytes).map(|n| byte(n + from)).collect();
        assert_eq!(connection.write(STREAM, &data), Ok(data.len()));
        connection.finish(STREAM).unwrap();
    }
}

impl Oracle<Host> for Exchange {
    type Failure = String;

    fn act(&mut self, now: Instant, nodes: &mut [Host; 2]) {
        for (at, host) in nodes.iter_mut().enumerate() {
            for event in core::mem::take(&mut self.heard[at]) {
                match event {
                    Event::Stream(StreamEvent::Readable(STREAM)) => self.read(now, at, host),
                    Event::Stream(StreamEvent::Finished(STREAM)) => self.finished[at] = true,
                    _ => {}
                }
            }
        }
        if let (true, false, Some(id)) = (self.ended[1], self.answered, self.ids[1]) {
            self.answered = true;
            Self::send(&mut nodes[1], id, 0, DOWN);
        }
        let done = self.ended[0] && self.finished[0];
        if let (true, false, Some(id)) = (done, self.closing, self.ids[0]) {
            self.closing = true;
            nodes[0].get_mut(id).unwrap().close(now, 7, b"done");
        }
    }

    fn hear(&mut self, node: usize, HostEvent { id, event }: HostEvent) -> Result<(), String> {
        if *self.ids[node].get_or_insert(id) != id {
            return Err(format!("node {node}: a second connection: {event:?}"));
        }
        if self.closed[node].is_some() {
            return Err(format!("node {node}: {event:?} after the end"));
        }
        if let Event::Closed(reason) = event {
            self.closed[node] = Some(reason);
        }
        self.heard[node].push(event);
        self.fault.take().map_or(Ok(()), Err)
    }

    fn end(&mut self, nodes: &[Host; 2]) -> Result<(), String> {
        let left: usize = nodes.iter().map(|host| host.connections().count()).sum();
        let local = self.closed[0] == Some(CloseReason::Local(CloseCode::Application(7)));
        // The word of the end is said once: who misses it finds out by asking, or by silence.
        let peer = matches!(
            self.closed[1],
            Some(
                CloseReason::Peer(CloseCode::Application(7))
                    | CloseReason::Reset
                    | CloseReason::Idle
            )
        );
        let whole = self.got == [DOWN, UP] && self.ended == [true; 2];
        if whole && local && peer && left == 0 && self.fault.is_none() {
            Ok(())
        } else {
            Err(format!("{left} connections are left, {self:?}"))
        }
    }
}

/// How the connection begins that is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// With a stranger, as hosts are by default.
    Fresh,
    /// With a ticket, early data, and repair packets both ways.
    Remembered,
}

/// Lets the hosts talk once, so that the first has a ticket of the second.
fn meet(nodes: &mut [Host; 2]) {
    let now = Instant::ZERO;
    let id = nodes[0].open(now, Sweep::ADDRESSES[1]);
    let carry = |nodes: &mut [Host; 2]| {
        let mut space = vec![0; 2048];
        for from in [0, 1, 0, 1, 0, 1, 0, 1] {
            loop {
                let mut batch = Batch::new(&mut space);
                if nodes[from].poll_transmit(now, &mut batch).is_none() {
                    break;
                }
                for datagram in batch.segments() {
                    let meta = RecvMeta::from(Sweep::ADDRESSES[from]);
                    let _ = nodes[1 - from].handle_datagram(now, meta, datagram);
                }
            }
        }
    };
    carry(nodes);
    nodes[0].get_mut(id).unwrap().close(now, 0, b"");
    carry(nodes);
    for node in nodes.iter_mut() {
        // What is closed goes when its events are taken.
        for _ in 0..4 {
            node.handle_timeout(now + Duration::from_mins(1));
            while node.poll_event().is_some() {}
        }
        assert_eq!(node.connections().count(), 0);
    }
    assert!(nodes[0].memory_of(Sweep::ADDRESSES[1]).is_some_and(|memory| memory.ticket.is_some()));
}

fn make(start: Start) -> ([Host; 2], Exchange) {
    let mut config = Config { idle_timeout: Duration::from_secs(20), ..Config::default() };
    let mut early_data = EarlyData::Never;
    if start == Start::Remembered {
        (config.repair_percent, early_data) = (100, EarlyData::WithTicket);
    }
    let config = HostConfig { connection: config, early_data, ..HostConfig::default() };
    let host = |n: u8| Host::new(config, Secret::new([n; 16]), Seed::new(n.into())).unwrap();
    let mut nodes = [host(1), host(2)];
    if start == Start::Remembered {
        meet(&mut nodes);
    }
    let id = nodes[0].open(Instant::ZERO, Sweep::ADDRESSES[1]);
    let stream = nodes[0].get_mut(id).unwrap().open_stream(0).unwrap();
    assert_eq!(stream, STREAM);
    // What node 1 expects begins at 1, what node 0 expects at 0: directions cannot be mixed up.
    Exchange::send(&mut nodes[0], id, 1, UP);
    let exchange = Exchange {
        heard: [Vec::new(), Vec::new()],
        ids: [Some(id), None],
        got: [0; 2],
        ended: [false; 2],
        finished: [false; 2],
        closed: [None; 2],
        answered: false,
        closing: false,
        fault: None,
    };
    (nodes, exchange)
}

fn sweep(start: Start, channel: Channel, faults: usize) -> u64 {
    let sweep = Sweep {
        datagrams: DATAGRAMS,
        faults,
        deadline: Duration::from_mins(5),
        ..Sweep::over(channel)
    };
    let report = sweep.run_with(|| Ok::<_, ()>(make(start))).unwrap();
    if let Some((placement, failure)) = report.failure {
        panic!("{start:?}, {placement:?}: {failure}");
    }
    report.runs
}

#[test]
fn every_two_faults_in_the_first_24_datagrams() {
    every_two_faults(Start::Fresh);
}

#[test]
fn every_two_faults_after_a_ticket() {
    every_two_faults(Start::Remembered);
}

/// All pairs of kinds, two kinds a run, so that both cores have something to do; what is run twice
/// that way is counted once.
fn every_two_faults(start: Start) {
    let late = Overtake::Any;
    let clean = Channel::PERFECT;
    let halves = [
        // Each pair of different kinds is in one of these, each kind with itself too.
        Channel { lose: true, corrupt: true, ..clean },
        Channel { duplicate: true, overtake: late, ..clean },
        Channel { lose: true, duplicate: true, ..clean },
        Channel { corrupt: true, overtake: late, ..clean },
        Channel { lose: true, overtake: late, ..clean },
        Channel { corrupt: true, duplicate: true, ..clean },
    ];
    let runs: Vec<u64> = thread::scope(|scope| {
        let threads = halves.map(|channel| scope.spawn(move || sweep(start, channel, 2)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // None, one of 24 of 2 kinds, two of 24 of 2 kinds each.
    let each = 1 + 24 * 2 + 24 * 23 / 2 * 4;
    assert_eq!(runs, [each; 6]);
}
