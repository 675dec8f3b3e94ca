//! Datagrams that arrive together take a short way. It must do what the ordinary one does: two hosts
//! with the same secrets get the same datagrams, one in trains and the other one by one, and are the
//! same in every field after each train.

use core::time::Duration;
use std::collections::VecDeque;

use rdtp::{
    batch::Batch,
    ecn::Ecn,
    endpoint::{Disposition, Endpoint, RecvMeta, Train},
    rng::{Rng, Seed},
    time::Instant,
    transport::{
        cc::Algorithm,
        config::Config,
        connection::Event,
        host::{Host, HostEvent},
        stream::StreamEvent,
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::wire::{Message, address, host, host_config, messages};

const DELAY: Duration = Duration::from_millis(3);
/// Packets wait for each other so long, as they do where a driver is slow.
const STEP: Duration = Duration::from_millis(1);
/// Steps of each run.
const STEPS: usize = 250;

/// Datagrams on their way that will arrive together.
struct Flight {
    at: Instant,
    source: usize,
    ecn: Ecn,
    bytes: Vec<u8>,
    stride: usize,
}

/// What a reader was offered, and how much of it it took.
type Offered = Vec<(ConnectionId, StreamId, Vec<u8>, usize)>;

struct World {
    seed: u64,
    chance: Rng,
    now: Instant,
    sender: Host,
    /// The same twice: for trains, and for datagrams one by one.
    twins: [Host; 2],
    to_twins: VecDeque<Flight>,
    to_sender: VecDeque<(Instant, Vec<u8>)>,
    /// How many of a thousand datagrams are damaged, how many come twice; and a third of those lost.
    faults: u64,
    /// Whether datagrams come from elsewhere now and then.
    moves: bool,
    /// How much readers take at most, where not all.
    appetite: u64,
    /// Streams that the sender may write to, and those that the other side has heard of.
    streams: Vec<(ConnectionId, StreamId)>,
    heard: Vec<(ConnectionId, StreamId)>,
    /// Datagrams that were handed over, and how many of them in trains of several.
    arrived: (usize, usize),
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Seed::new(seed).rng();
        let mut pick = |values: [u64; 4]| values[usize::try_from(chance.below(4)).unwrap()];
        let packet_bytes = usize::try_from(pick([1200, 1472, 1472, 9000])).unwrap();
        let mut config =
            Config { packet_bytes, packet_bytes_max: packet_bytes, ..Config::default() };
        config.ecn = pick([0, 0, 1, 1]) == 1;
        // A window that is wide and not paced makes long trains.
        config.congestion = Algorithm::Fixed(150_000);
        config.datagram_bytes_max = 500;
        config.repair_percent = if pick([0, 0, 0, 1]) == 1 { 10 } else { 0 };
        config.streams = config.streams.with_windows(pick([20_000, 200_000, 200_000, 1 << 20]));
        let faults = pick([0, 1, 3, 10]);
        let moves = pick([0, 0, 0, 1]) == 1;
        let appetite = pick([u64::MAX, u64::MAX, 3000, 10]);
        let config = host_config(config);
        let mut hosts = [(); 2].map(|()| host(config, 2));
        let mut sender = host(config, 1);
        if chance.below(2) == 0 {
            sender.open(Instant::ZERO, address(1));
        } else {
            for twin in &mut hosts {
                twin.open(Instant::ZERO, address(0));
            }
        }
        Self {
            seed,
            chance,
            now: Instant::ZERO,
            sender,
            twins: hosts,
            to_twins: VecDeque::new(),
            to_sender: VecDeque::new(),
            faults,
            moves,
            appetite,
            streams: Vec::new(),
            heard: Vec::new(),
            arrived: (0, 0),
        }
    }

    /// Whether something happens that happens so many times of a thousand.
    fn happens(&mut self, often: u64) -> bool {
        self.chance.below(1000) < often
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap()
    }

    /// The applications: they write, end streams, and send datagrams, as chance has it.
    fn write(&mut self) {
        let first = self.sender.connections().next().map(|(id, _)| id);
        if let Some(id) = first {
            if self.streams.is_empty() || self.happens(20) {
                let opened = self.sender.get_mut(id).unwrap().open_stream(0);
                self.streams.extend(opened.ok().map(|stream| (id, stream)));
            }
            if self.happens(100) {
                let _ = self.sender.get_mut(id).unwrap().send_datagram(&[3; 400]);
            }
        }
        for (id, stream) in self.streams.clone() {
            let (len, ends) = (self.below(60_000), self.happens(10));
            let Some(connection) = self.sender.get_mut(id) else { continue };
            let _ = connection.write(stream, &vec![7; len]);
            if ends {
                let _ = connection.finish(stream);
            }
        }
        // Now and then the other side has something to say as well.
        if self.happens(100) {
            for twin in &mut self.twins {
                for &(id, stream) in &self.heard {
                    let Some(connection) = twin.get_mut(id) else { continue };
                    let _ = connection.write(stream, &[9; 3000]);
                }
            }
        }
    }

    /// What the sender has goes on its way in the messages it makes of it, of which some datagrams are
    /// lost, come twice, or are damaged.
    fn send(&mut self) {
        for message in messages(&mut self.sender, self.now) {
            let stride = message.stride();
            let Message { transmit, datagrams, .. } = message;
            let source = if self.moves && self.happens(10) { 2 } else { 0 };
            let ecn =
                if transmit.ecn == Ecn::Ect0 && self.happens(100) { Ecn::Ce } else { transmit.ecn };
            let mut bytes = Vec::new();
            for datagram in &datagrams {
                if self.happens(3 * self.faults) {
                    continue;
                }
                let copies = if self.happens(self.faults) { 2 } else { 1 };
                for _ in 0..copies {
                    // Only the last may be shorter.
                    if bytes.len() % stride != 0 {
                        break;
                    }
                    bytes.extend_from_slice(datagram);
                    if self.happens(self.faults) {
                        let place = self.below(bytes.len());
                        bytes[place] ^= 4;
                    }
                }
            }
            if bytes.is_empty() {
                continue;
            }
            let late = if self.happens(50) { DELAY * 2 } else { Duration::ZERO };
            let at = self.now + DELAY + late;
            self.to_twins.push_back(Flight { at, source, ecn, bytes, stride });
        }
        let mut space = vec![0; 65_507];
        let answers = self.twins.each_mut().map(|twin| {
            let mut all = Vec::new();
            loop {
                let mut batch = Batch::new(&mut space);
                let Some(transmit) = twin.poll_transmit(self.now, &mut batch) else { break };
                all.extend(batch.segments().map(|datagram| (transmit, datagram.to_vec())));
            }
            all
        });
        assert_eq!(answers[0], answers[1], "seed {}", self.seed);
        let [answers, _] = answers;
        for (transmit, datagram) in answers {
            if transmit.destination == address(0) && !self.happens(20) {
                self.to_sender.push_back((self.now + DELAY, datagram));
            }
        }
    }

    fn arrive(&mut self) {
        while let Some((_, datagram)) = self.to_sender.pop_front_if(|(at, _)| *at <= self.now) {
            let meta = RecvMeta::from(address(1));
            let _ = self.sender.handle_datagram(self.now, meta, &datagram);
        }
        for _ in 0..self.to_twins.len() {
            let Some(flight) = self.to_twins.pop_front() else { break };
            if flight.at > self.now {
                self.to_twins.push_back(flight);
            } else {
                self.take(&flight);
            }
        }
    }

    fn take(&mut self, flight: &Flight) {
        let meta = RecvMeta { ecn: flight.ecn, ..RecvMeta::from(address(flight.source)) };
        let appetites = Seed::new(self.chance.next_u64());
        let train = Train::new(&flight.bytes, flight.stride);
        let (now, appetite) = (self.now, self.appetite);
        let [(mut dice, mut seen), (mut dice_too, mut seen_too)] =
            [(); 2].map(|()| (appetites.rng(), Offered::new()));
        let reader = |dice: &mut Rng, seen: &mut Offered, id, stream, bytes: &[u8]| {
            let most = if dice.below(10) > 0 { u64::MAX } else { dice.below(appetite) };
            let len = bytes.len().min(usize::try_from(most.min(appetite)).unwrap_or(usize::MAX));
            seen.push((id, stream, bytes.to_vec(), len));
            len
        };
        let (mut outcomes, mut outcomes_too) = (Vec::new(), Vec::new());
        let mut rest = Some(train);
        while let Some(train) = rest {
            let (taken, what) =
                self.twins[0].handle_train_for(now, meta, train, &mut |id, stream, bytes| {
                    reader(&mut dice, &mut seen, id, stream, bytes)
                });
            assert!(taken == 1 || what == Disposition::Accepted, "seed {}", self.seed);
            outcomes.extend((0..taken).map(|_| what));
            self.arrived.0 += taken;
            self.arrived.1 += if taken > 1 { taken } else { 0 };
            rest = train.after(taken);
        }
        for datagram in train.datagrams() {
            let what =
                self.twins[1].handle_datagram_for(now, meta, datagram, &mut |id, stream, bytes| {
                    reader(&mut dice_too, &mut seen_too, id, stream, bytes)
                });
            outcomes_too.push(what);
        }
        assert_eq!(outcomes, outcomes_too, "seed {}", self.seed);
        assert!(seen == seen_too, "seed {}: other bytes", self.seed);
        self.compare();
    }

    fn compare(&self) {
        let [one, two] = self.twins.each_ref().map(|twin| format!("{twin:?}"));
        let other = one.split(", ").zip(two.split(", ")).find(|(one, two)| one != two);
        assert!(other.is_none(), "seed {}: {other:?}", self.seed);
    }

    /// Whoever waits reads.
    fn hear(&mut self) {
        while self.sender.poll_event().is_some() {}
        let reads = self.happens(800);
        let now = self.now;
        let heard = self.twins.each_mut().map(|twin| {
            let mut heard = Vec::new();
            while let Some(event) = twin.poll_event() {
                heard.push(event);
                let HostEvent { id, event: Event::Stream(StreamEvent::Readable(stream)) } = event
                else {
                    continue;
                };
                let Some(connection) = twin.get_mut(id).filter(|_| reads) else { continue };
                while connection.read(now, stream, &mut [0; 5000]).is_ok() {}
            }
            heard
        });
        assert_eq!(heard[0], heard[1], "seed {}", self.seed);
        for HostEvent { id, event } in &heard[0] {
            if let Event::Stream(StreamEvent::Opened(stream)) = *event {
                self.heard.push((*id, stream));
            }
        }
    }

    fn run(mut self) -> (usize, usize) {
        for _ in 0..STEPS {
            self.write();
            self.send();
            self.hear();
            let timers =
                [&self.sender, &self.twins[0]].into_iter().filter_map(Endpoint::poll_timeout);
            let arrivals = self.to_twins.iter().map(|flight| flight.at);
            let answers = self.to_sender.iter().map(|&(at, _)| at);
            let Some(next) = timers.chain(arrivals).chain(answers).min() else { break };
            self.now = next.max(self.now + STEP);
            self.arrive();
            self.sender.handle_timeout(self.now);
            self.twins.iter_mut().for_each(|twin| twin.handle_timeout(self.now));
        }
        self.compare();
        self.arrived
    }
}

#[test]
fn a_train_does_what_its_datagrams_do_one_by_one() {
    let runs = (0..30).map(|seed| World::new(seed).run());
    let (all, together) = runs.fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    println!("{together} of {all} datagrams went the short way");
    assert!(together > all / 20, "{together} of {all} went the short way");
}
