//! Every placement of up to two faults in the first 24 datagrams of a connection.

use core::time::Duration;
use std::thread;

use rdtp::{
    channel::{Channel, Overtake},
    check::{Oracle, Sweep},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::Event,
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
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

fn make() -> ([Host; 2], Exchange) {
    let config = Config { idle_timeout: Duration::from_secs(20), ..Config::default() };
    let config = HostConfig { connection: config, ..HostConfig::default() };
    let host = |n: u8| Host::new(config, Secret::new([n; 16]), Seed::new(n.into())).unwrap();
    let mut nodes = [host(1), host(2)];
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

fn sweep(channel: Channel, faults: usize) -> u64 {
    let sweep = Sweep {
        datagrams: DATAGRAMS,
        faults,
        deadline: Duration::from_mins(5),
        ..Sweep::over(channel)
    };
    let report = sweep.run_with(|| Ok::<_, ()>(make())).unwrap();
    if let Some((placement, failure)) = report.failure {
        panic!("{placement:?}: {failure}");
    }
    report.runs
}

/// All pairs of kinds, two kinds a run, so that both cores have something to do; what is run twice
/// that way is counted once.
#[test]
fn every_two_faults_in_the_first_24_datagrams() {
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
        let threads = halves.map(|channel| scope.spawn(move || sweep(channel, 2)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // None, one of 24 of 2 kinds, two of 24 of 2 kinds each.
    let each = 1 + 24 * 2 + 24 * 23 / 2 * 4;
    assert_eq!(runs, [each; 6]);
}
