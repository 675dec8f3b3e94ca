//! An attacker who has a connection: it writes packets by hand.

#![allow(clippy::single_range_in_vec_init, reason = "an ACK has ranges, and often one")]

use core::{net::SocketAddr, ops::Range, time::Duration};

use rdtp::{
    batch::Batch,
    buf::RangeSet,
    endpoint::{Disposition, Endpoint, RecvMeta},
    rng::Seed,
    time::Instant,
    transport::{
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
    },
    wire::transport::{
        Ack, ConnectionId, Features, Frame, Greeting, Packet, Params, ResetToken, VERSION, Writer,
        expand_number, seal, truncate_number,
    },
};

/// Limits that hold nobody up.
pub(crate) const PARAMS: Params = Params {
    idle_timeout: Duration::from_mins(5),
    max_data: 1 << 40,
    max_stream_data: 1 << 40,
    max_streams: 1 << 20,
    max_ack_delay: Duration::from_millis(25),
    max_packet_bytes: 65_507,
    max_datagram_bytes: 1200,
    repair_window: 0,
    repair_percent: 0,
};

/// The address of the `n`-th attacker.
pub(crate) fn address(n: u32) -> SocketAddr {
    SocketAddr::from((std::net::Ipv4Addr::from(0x0a01_0000 + n), 4000))
}

/// A server.
pub(crate) fn server(config: HostConfig, seed: u64) -> Host {
    Host::new(config, Secret::new([9; 16]), Seed::new(seed)).unwrap()
}

/// An open packet, sealed and filled up.
pub(crate) fn open(number: u64, from: ConnectionId, params: Params, cookie: &[u8]) -> Vec<u8> {
    let token = ResetToken([5; 16]);
    let features = Features::default();
    let greeting = Greeting { version: VERSION, features, from, number, token, params };
    let to = ConnectionId(0x0102_0304_0506_0708);
    write(&Packet::Open { to, greeting, cookie, frames: &[] }, |writer| {
        Frame::Ping.encode(writer);
        let rest = 1200 - writer.len();
        Frame::Padding(rest).encode(writer);
    })
}

/// A datagram of this packet, and what `fill` adds.
pub(crate) fn write(packet: &Packet<'_>, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut space = vec![0; 1 << 16];
    let mut writer = Writer::new(&mut space);
    packet.encode(&mut writer);
    fill(&mut writer);
    seal(writer.written());
    let len = writer.len();
    space.truncate(len);
    space
}

/// The attacker, and the server that it attacks.
pub(crate) struct Peer {
    pub(crate) host: Host,
    pub(crate) now: Instant,
    /// What the server calls the connection.
    pub(crate) id: ConnectionId,
    pub(crate) address: SocketAddr,
    /// The number of the attacker's next packet.
    pub(crate) next: u64,
    /// Numbers of the server's packets as far as they were taken, and the highest.
    pub(crate) taken: Vec<u64>,
    highest: u64,
    pub(crate) events: Vec<Event>,
}

impl Peer {
    /// Opens a connection to a server and is done with the handshake.
    pub(crate) fn connect(config: HostConfig, seed: u64) -> Self {
        Self::join(server(config, seed), Instant::ZERO, 1)
    }

    /// The same with a server that is there, as the attacker of that number.
    pub(crate) fn join(mut host: Host, now: Instant, n: u32) -> Self {
        let local = ConnectionId(0xaaaa_0000 + u64::from(n));
        let meta = RecvMeta::from(address(n));
        let mut cookie = Vec::new();
        for number in 100..102 {
            let _ = host.handle_datagram(now, meta, &open(number, local, PARAMS, &cookie));
            for (to, datagram) in drain(&mut host, now) {
                match Packet::decode(&datagram) {
                    _ if to != address(n) => {}
                    Ok(Packet::Challenge { cookie: given, .. }) => cookie = given.to_vec(),
                    Ok(Packet::Accept { greeting, .. }) => {
                        let mut peer = Self {
                            host,
                            now,
                            id: greeting.from,
                            address: address(n),
                            next: number + 1,
                            taken: vec![greeting.number],
                            highest: greeting.number,
                            events: Vec::new(),
                        };
                        assert!(peer.ack(&[greeting.number..greeting.number + 1]));
                        return peer;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        panic!("no handshake");
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.host.get_mut(self.id).expect("the connection is gone")
    }

    /// The next packet, with these frames.
    pub(crate) fn packet(&mut self, frames: &[u8]) -> Vec<u8> {
        let number = truncate_number(self.next);
        self.next += 1;
        write(&Packet::Data { to: self.id, number, frames }, |_| {})
    }

    /// The server receives a datagram of the attacker's: whether it takes it.
    pub(crate) fn receive(&mut self, datagram: &[u8]) -> bool {
        let meta = RecvMeta::from(self.address);
        self.host.handle_datagram(self.now, meta, datagram) == Disposition::Accepted
    }

    /// Sends a packet with whatever `fill` writes.
    pub(crate) fn send_raw(&mut self, fill: impl FnOnce(&mut Writer<'_>)) -> bool {
        let number = truncate_number(self.next);
        self.next += 1;
        let datagram = write(&Packet::Data { to: self.id, number, frames: &[] }, fill);
        self.receive(&datagram)
    }

    /// Sends these frames in one packet.
    pub(crate) fn send(&mut self, frames: &[Frame<'_>]) -> bool {
        self.send_raw(|writer| frames.iter().for_each(|frame| frame.encode(writer)))
    }

    /// Acknowledges these numbers, true or not.
    pub(crate) fn ack(&mut self, ranges: &[Range<u64>]) -> bool {
        let mut seen = RangeSet::new(usize::MAX);
        for range in ranges {
            seen.insert(range.clone()).unwrap();
        }
        self.send_raw(|writer| {
            Ack::write(&seen, Duration::ZERO, None, usize::MAX, writer);
        })
    }

    /// Takes all that the server sends now: how many bytes.
    pub(crate) fn take(&mut self) -> u64 {
        let mut bytes = 0;
        for (_, datagram) in drain(&mut self.host, self.now) {
            bytes += datagram.len() as u64;
            if let Ok(Packet::Data { number, .. }) = Packet::decode(&datagram) {
                let number = expand_number(number, self.highest + 1);
                self.highest = self.highest.max(number);
                self.taken.push(number);
            }
        }
        while let Some(HostEvent { event, .. }) = self.host.poll_event() {
            self.events.push(event);
        }
        bytes
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.host.handle_timeout(self.now);
    }

    /// Whether the server has thrown the attacker out.
    pub(crate) fn is_caught(&self) -> bool {
        self.host.get(self.id).is_none_or(|connection| !connection.life().is_alive())
    }
}

/// How long this thread has computed: a busy machine makes work last longer, not more.
pub(crate) fn processor_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Everything that a host sends now.
pub(crate) fn drain(host: &mut Host, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut space = vec![0; 1 << 16];
    let mut sent = Vec::new();
    loop {
        let mut batch = Batch::new(&mut space);
        let Some(transmit) = host.poll_transmit(now, &mut batch) else { return sent };
        sent.extend(batch.segments().map(|segment| (transmit.destination, segment.to_vec())));
    }
}
