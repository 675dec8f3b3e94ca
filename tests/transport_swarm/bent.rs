//! Hosts that are wrong in one way each.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rdtp::{
    batch::Batch,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    rng::Seed,
    sim::swarm::transport::Body,
    time::Instant,
    transport::{
        cc::{AckSample, Algorithm, Controller},
        config::ConfigError,
        connection::Event,
        cookie::Secret,
        host::{EarlyData, Host, HostConfig, HostEvent},
        stream::ReadError,
    },
    wire::transport::{ConnectionId, Frame, Packet, Reader, StreamId, Writer, seal},
};

/// What is wrong.
pub(crate) mod vice {
    pub(crate) const NONE: u8 = 0;
    /// Gives the application a byte one place too early.
    pub(crate) const ROTATES: u8 = 1;
    /// Flips a bit of what the application reads.
    pub(crate) const FLIPS: u8 = 2;
    /// Gives the application a datagram twice.
    pub(crate) const REPEATS_DATAGRAMS: u8 = 3;
    /// Takes what was sent for acknowledged.
    pub(crate) const BOASTS: u8 = 4;
    /// Hands a packet to another connection.
    pub(crate) const CONFUSES: u8 = 5;
    /// Takes the first windows of its peer for sixteen times as large.
    pub(crate) const OVERRUNS: u8 = 6;
    /// Takes its congestion window for eight times as large.
    pub(crate) const FLOODS: u8 = 7;
    /// Does not pace.
    pub(crate) const BURSTS: u8 = 8;
    /// Answers an open with five packets.
    pub(crate) const AMPLIFIES: u8 = 9;
    /// Keeps everything that ever arrived.
    pub(crate) const HOARDS: u8 = 10;
    /// Uses a packet number again.
    pub(crate) const COPIES: u8 = 11;
    /// Is due for ever.
    pub(crate) const SPINS: u8 = 12;
    /// Behaves differently from run to run.
    pub(crate) const MOODY: u8 = 13;
    /// Has no timers.
    pub(crate) const TIMELESS: u8 = 14;
    /// Acts on its timers half a minute late.
    pub(crate) const SLEEPS: u8 = 15;
    /// Does not hear that a window has opened again.
    pub(crate) const DEADLOCKS: u8 = 16;
    /// Has a timer even when all is over.
    pub(crate) const NEVER_RESTS: u8 = 17;
    /// Does not tell its application of the end.
    pub(crate) const HIDES_THE_END: u8 = 18;
    /// Reads from the next stream.
    pub(crate) const MIXES_STREAMS: u8 = 19;
    /// Hears whoever opens, old copies included, whatever it was told.
    pub(crate) const HEARS_GHOSTS: u8 = 20;
}

/// Room for any batch.
const ROOM: usize = 1 << 16;

#[derive(Debug)]
pub(crate) struct Bent<const V: u8> {
    host: Host,
    now: Instant,
    again: Option<Vec<u8>>,
    hoard: Vec<Vec<u8>>,
}

/// How many datagrams arrived at moody hosts since the program began.
static MOOD: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Unpaced;

impl Controller for Unpaced {
    fn name(&self) -> &'static str {
        "unpaced"
    }
    fn window(&self) -> u64 {
        100_000
    }
    fn ssthresh(&self) -> u64 {
        100_000
    }
    fn on_ack(&mut self, _: &AckSample) {}
    fn on_congestion(&mut self, _: Instant, _: u64) {}
    fn on_persistent_congestion(&mut self, _: Instant) {}
    fn on_undo(&mut self, _: Instant) {}
    fn pacing_rate(&self) -> Option<u64> {
        Some(1 << 50)
    }
    fn wants_prr(&self) -> bool {
        false
    }
}

impl<const V: u8> Bent<V> {
    pub(crate) fn make(
        mut config: HostConfig,
        secret: Secret,
        seed: Seed,
    ) -> Result<Self, ConfigError> {
        let congestion = &mut config.connection.congestion;
        match (V, *congestion) {
            (vice::FLOODS, Algorithm::Fixed(window)) => *congestion = Algorithm::Fixed(8 * window),
            (vice::HEARS_GHOSTS, _) => config.early_data = EarlyData::Anyone,
            (vice::BURSTS, _) => *congestion = Algorithm::Custom(|_| Box::new(Unpaced)),
            _ => {}
        }
        let host = Host::new(config, secret, seed)?;
        Ok(Self { host, now: Instant::ZERO, again: None, hoard: Vec::new() })
    }

    /// What the host inside gets to see of a datagram.
    fn bend_in(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let packet = Packet::decode(datagram).ok()?;
        let mut space = vec![0; datagram.len() + 100];
        let mut writer = Writer::new(&mut space);
        match packet {
            Packet::Data { to, number, frames }
                if V == vice::CONFUSES && datagram.len().is_multiple_of(3) =>
            {
                let others = self.host.connections().filter(|(id, _)| *id != to);
                let mut others = others.filter(|(_, it)| it.life().is_established());
                let to = others.next()?.0;
                Packet::Data { to, number, frames }.encode(&mut writer);
            }
            Packet::Accept { to, mut greeting, offered, frames } if V == vice::OVERRUNS => {
                greeting.params.max_data *= 16;
                greeting.params.max_stream_data *= 16;
                Packet::Accept { to, greeting, offered, frames }.encode(&mut writer);
            }
            Packet::Data { to, number, frames } if V == vice::DEADLOCKS => {
                Packet::Data { to, number, frames: &[] }.encode(&mut writer);
                let mut reader = Reader::new(frames);
                while !reader.is_empty() {
                    match Frame::decode(&mut reader).ok()? {
                        Frame::MaxData(_) | Frame::MaxStreamData { .. } => {
                            Frame::Ping.encode(&mut writer);
                        }
                        frame => frame.encode(&mut writer),
                    }
                }
            }
            _ => return None,
        }
        let len = writer.len();
        space.truncate(len);
        seal(&mut space);
        Some(space)
    }
}

impl<const V: u8> Endpoint for Bent<V> {
    type Event = HostEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = now;
        if V == vice::MOODY && MOOD.fetch_add(1, Ordering::Relaxed).is_multiple_of(7) {
            return Disposition::Discarded(DropReason::Closed);
        }
        if V == vice::HOARDS {
            self.hoard.push(vec![0; 8 * datagram.len()]);
        }
        let bent = self.bend_in(datagram);
        self.host.handle_datagram(now, meta, bent.as_deref().unwrap_or(datagram))
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.host.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = now;
        if !matches!(V, vice::AMPLIFIES | vice::COPIES) {
            return self.host.poll_transmit(now, batch);
        }
        let mut space = vec![0; ROOM];
        let mut inner = Batch::with_segments_max(&mut space, 1);
        let transmit = self.host.poll_transmit(now, &mut inner)?;
        let datagram = inner.as_bytes().to_vec();
        batch.put(&datagram);
        let SocketAddr::V4(_) = transmit.destination else { return None };
        match Packet::decode(&datagram) {
            Ok(Packet::Data { .. }) if V == vice::COPIES => _ = batch.put(&datagram),
            Ok(Packet::Accept { to, greeting, offered, frames }) if V == vice::AMPLIFIES => {
                for more in 1..5 {
                    let mut copy = vec![0; datagram.len()];
                    let mut writer = Writer::new(&mut copy);
                    let number = greeting.number + more;
                    let greeting = rdtp::wire::transport::Greeting { number, ..greeting };
                    Packet::Accept { to, greeting, offered, frames }.encode(&mut writer);
                    seal(&mut copy);
                    batch.put(&copy);
                }
            }
            _ => {}
        }
        let size = batch.len();
        Some(Transmit { size, segment_size: batch.segment_size(), ..transmit })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.host.poll_timeout();
        let later = |at: Instant| at > self.now;
        match V {
            vice::SPINS => due.map(|_| self.now),
            vice::TIMELESS => due.filter(|&at| !later(at)),
            vice::SLEEPS => due.map(|at| if later(at) { at + Duration::from_secs(30) } else { at }),
            vice::NEVER_RESTS => {
                Some(due.unwrap_or(Instant::MAX).min(self.now + Duration::from_secs(1)))
            }
            _ => due,
        }
    }

    fn poll_event(&mut self) -> Option<HostEvent> {
        let event = self.host.poll_event()?;
        let end = matches!(event.event, Event::Closed(_));
        if V == vice::HIDES_THE_END && end { self.host.poll_event() } else { Some(event) }
    }
}

impl<const V: u8> Body for Bent<V> {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(
        &mut self,
        now: Instant,
        id: ConnectionId,
        stream: StreamId,
        out: &mut [u8],
    ) -> Result<usize, ReadError> {
        let connection = self.host.get_mut(id).ok_or(ReadError::Unknown)?;
        if V == vice::MIXES_STREAMS
            && let Ok(len) = connection.read(now, StreamId(stream.0 ^ 2), out)
        {
            return Ok(len);
        }
        let len = connection.read(now, stream, out)?;
        match V {
            vice::ROTATES => out[..len].rotate_left(1),
            vice::FLIPS => out[0] ^= 4,
            _ => {}
        }
        Ok(len)
    }

    fn recv_datagram(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        if let Some(again) = self.again.take() {
            return Some(again);
        }
        let datagram = self.host.get_mut(id)?.recv_datagram()?;
        self.again = (V == vice::REPEATS_DATAGRAMS).then(|| datagram.clone());
        Some(datagram)
    }

    fn acked(&self, id: ConnectionId, stream: StreamId) -> Option<u64> {
        let buffer = self.host.get(id)?.streams().send_half(stream)?.buffer();
        Some(if V == vice::BOASTS { buffer.next() } else { buffer.base() })
    }

    fn memory_bytes(&self) -> usize {
        self.host.memory_bytes() + self.hoard.iter().map(Vec::len).sum::<usize>()
    }
}
