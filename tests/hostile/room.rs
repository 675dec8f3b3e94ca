//! Slowloris: peers who open connections, say next to nothing on them, and so take the places of
//! others.

use core::{mem::replace, time::Duration};

use rdtp::{
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta},
    time::Instant,
    transport::{
        config::Config,
        connection::Event,
        host::{CookiePolicy, Host, HostConfig, HostEvent, LEAVING_MAX},
        lifecycle::CloseReason,
    },
    wire::transport::{ConnectionId, Frame, Packet, StreamId},
};

use crate::peer::{PARAMS, Peer, address, drain, open, server};

const fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

/// Places for three, and nobody's silence ends anything.
fn small() -> HostConfig {
    let connection = Config { idle_timeout: Duration::from_mins(30), ..Config::default() };
    HostConfig { connection, connections_max: 3, ..HostConfig::default() }
}

/// A host and several attackers.
struct Crowd {
    host: Option<Host>,
    peers: Vec<Peer>,
}

impl Crowd {
    fn new(config: HostConfig) -> Self {
        Self { host: Some(server(config, 1)), peers: Vec::new() }
    }

    fn host(&mut self) -> &mut Host {
        self.host.as_mut().unwrap()
    }

    /// Another one opens a connection.
    fn join(&mut self, now: Instant) {
        let n = u32::try_from(self.peers.len()).unwrap();
        let mut peer = Peer::join(self.host.take().unwrap(), now, n);
        self.host = Some(replace(&mut peer.host, server(small(), 0)));
        self.peers.push(peer);
    }

    /// Whether the host takes an open packet of somebody else, who has a proof of its address or not.
    fn knock(&mut self, now: Instant, n: u32, cookie: &[u8]) -> Disposition {
        let packet = open(1, ConnectionId(n.into()), PARAMS, cookie);
        self.host().handle_datagram(now, RecvMeta::from(address(n)), &packet)
    }

    /// One of them does something.
    fn turn<T>(&mut self, n: usize, now: Instant, act: impl FnOnce(&mut Peer) -> T) -> T {
        let peer = &mut self.peers[n];
        let spare = replace(&mut peer.host, self.host.take().unwrap());
        peer.now = now;
        let result = act(peer);
        self.host = Some(replace(&mut peer.host, spare));
        result
    }

    /// It sends so many bytes on its stream, and the application reads them.
    fn say(&mut self, n: usize, now: Instant, offset: u64, data: &[u8]) {
        self.turn(n, now, |peer| {
            peer.send(&[Frame::Stream { id: StreamId(0), offset, data, fin: false }]);
            let mut space = [0; 2000];
            let len = peer.connection().read(now, StreamId(0), &mut space).unwrap();
            assert_eq!(len, data.len());
        });
    }

    /// What it does that carries nothing: pings, and what comes back.
    fn ping(&mut self, n: usize, now: Instant) {
        self.turn(n, now, |peer| {
            assert!(peer.send(&[Frame::Ping]));
            peer.take();
        });
    }

    /// Who has gone, with the reason.
    fn gone(&mut self, now: Instant) -> Vec<(usize, CloseReason)> {
        let mut gone = Vec::new();
        while let Some(HostEvent { id, event }) = self.host().poll_event() {
            if let Event::Closed(reason) = event {
                let n = self.peers.iter().position(|peer| peer.id == id).unwrap();
                gone.push((n, reason));
            }
        }
        self.host().handle_timeout(now);
        gone
    }
}

/// The one that has been idle longest makes room for somebody who has shown its address, but not
/// before its time, and is told.
#[test]
fn who_has_been_idle_longest_makes_room() {
    let mut crowd = Crowd::new(small());
    (0..3).for_each(|n| crowd.join(at(10 * n)));
    crowd.say(0, at(58), 0, &[7; 100]);
    (0..3).for_each(|n| crowd.ping(n, at(65)));
    assert!(crowd.gone(at(65)).is_empty());
    let full = Disposition::Discarded(DropReason::PeersFull);
    assert_eq!(crowd.knock(at(69), 9, b""), full, "nobody has been idle for a minute");
    // At 71 s the second has. A stranger is challenged first, and nobody leaves for him.
    assert_ne!(crowd.knock(at(71), 9, b""), full);
    assert!(drain(crowd.host(), at(71)).iter().any(|(to, datagram)| {
        *to == address(9) && matches!(Packet::decode(datagram), Ok(Packet::Challenge { .. }))
    }));
    assert_eq!(crowd.knock(at(71), 9, &[3; 32]), Disposition::Discarded(DropReason::UnknownPeer));
    assert!(crowd.gone(at(71)).is_empty());
    drain(crowd.host(), at(71));
    crowd.join(at(71));
    assert_eq!(crowd.gone(at(71)), [(1, CloseReason::PushedOut)]);
    assert_eq!(crowd.host().connections().count(), 3);
    // Whoever was pushed out is told when it says something next, too.
    let gone = crowd.peers[1].id;
    let told = crowd.turn(1, at(72), |peer| {
        assert!(!peer.send(&[Frame::Ping, Frame::Padding(40)]));
        drain(&mut peer.host, at(72))
    });
    let reset = |(to, datagram): &(_, Vec<u8>)| {
        *to == address(1)
            && matches!(Packet::decode(datagram), Ok(Packet::Reset { to, .. }) if to == gone)
    };
    assert!(told.iter().any(reset));
    assert_eq!(crowd.knock(at(73), 9, b""), full, "the others have not been idle long enough");
}

/// It is told at once.
#[test]
fn who_is_pushed_out_is_told_at_once() {
    let mut crowd = Crowd::new(HostConfig { connections_max: 1, ..small() });
    crowd.join(at(0));
    let id = crowd.peers[0].id;
    let packets = [(100, false), (101, true)].map(|(number, answered)| {
        let mut cookie = Vec::new();
        if answered {
            for (_, datagram) in drain(crowd.host(), at(61)) {
                if let Ok(Packet::Challenge { cookie: given, .. }) = Packet::decode(&datagram) {
                    cookie = given.to_vec();
                }
            }
        }
        let packet = open(number, ConnectionId(77), PARAMS, &cookie);
        crowd.host().handle_datagram(at(61), RecvMeta::from(address(7)), &packet)
    });
    assert_eq!(packets[1], Disposition::Accepted);
    let sent = drain(crowd.host(), at(61));
    let reset = |(to, datagram): &(_, Vec<u8>)| {
        *to == address(0)
            && matches!(Packet::decode(datagram), Ok(Packet::Reset { to, .. }) if to == id)
    };
    assert!(sent.iter().any(reset));
}

/// A byte now and then is no progress; one a second is. What is sent to nobody is none either.
#[test]
fn a_trickle_keeps_no_place() {
    let mut crowd = Crowd::new(small());
    (0..3).for_each(|_| crowd.join(at(0)));
    for second in 1..100 {
        let [slow, steady]: [u64; 2] = [second / 10, second].map(|n: u64| n.saturating_sub(1));
        if second % 10 == 0 {
            crowd.say(0, at(second), slow, b"x");
        }
        crowd.say(1, at(second), steady, b"x");
        // A reset says that a megabyte was sent. None was.
        crowd.turn(2, at(second), |peer| {
            let id = StreamId::new(second, false);
            peer.send(&[Frame::ResetStream { id, code: 1, final_size: 10_000 }]);
            peer.take();
        });
    }
    crowd.host().handle_timeout(at(100));
    crowd.join(at(100));
    crowd.join(at(100));
    let mut gone = crowd.gone(at(100));
    gone.sort_by_key(|&(n, _)| n);
    assert_eq!(gone, [(0, CloseReason::PushedOut), (2, CloseReason::PushedOut)]);
    // Nobody else goes.
    let full = Disposition::Discarded(DropReason::PeersFull);
    assert_eq!(crowd.knock(at(101), 9, b""), full);
}

/// A host that is to keep whom it has does, and an application that hears of nothing has a limit.
#[test]
fn pushing_out_can_be_switched_off_and_has_a_limit() {
    let full = Disposition::Discarded(DropReason::PeersFull);
    let mut crowd = Crowd::new(HostConfig { push_out_after: Duration::ZERO, ..small() });
    (0..3).for_each(|_| crowd.join(at(0)));
    assert_eq!(crowd.knock(at(1000), 9, b""), full);

    let max = LEAVING_MAX * 2;
    let mut crowd = Crowd::new(HostConfig { connections_max: max, ..small() });
    (0..max).for_each(|_| crowd.join(at(0)));
    for peer in &crowd.peers.iter().map(|peer| peer.id).collect::<Vec<_>>() {
        crowd.host.as_mut().unwrap().hold(*peer);
    }
    (0..LEAVING_MAX).for_each(|_| crowd.join(at(100)));
    assert_eq!(crowd.knock(at(200), 999, b""), full);
    assert_eq!(crowd.host().connections().count(), max + LEAVING_MAX);
    let gone = crowd.gone(at(200));
    assert_eq!(gone.len(), LEAVING_MAX);
    for (n, _) in gone {
        let id = crowd.peers[n].id;
        crowd.host().release(id);
    }
    crowd.host().handle_timeout(at(200));
    assert_eq!(crowd.host().connections().count(), max);
    crowd.join(at(200));
}

/// One address has no more than its share, and a stranger who forges it does not use that up.
#[test]
fn an_address_has_its_share() {
    let full = Disposition::Discarded(DropReason::PeersFull);
    let config = HostConfig {
        connections_max: 100,
        connections_per_address_max: 10,
        cookies: CookiePolicy::Above(50),
        ..small()
    };
    let mut host = server(config, 1);
    let knock = |host: &mut Host, n: u64, address| {
        let packet = open(1, ConnectionId(n), PARAMS, b"");
        host.handle_datagram(at(0), RecvMeta::from(address), &packet)
    };
    for n in 0..20 {
        let taken = knock(&mut host, n, address(1)) == Disposition::Accepted;
        assert_eq!(taken, n < 5, "forged, number {n}");
    }
    drain(&mut host, at(0));
    // Somebody who is there gets the rest.
    let mut crowd = Crowd { host: Some(host), peers: Vec::new() };
    for n in 0..5 {
        let port = 5000 + n;
        let mut address = address(1);
        address.set_port(port);
        let id = u64::from(port);
        assert_ne!(knock(crowd.host(), id, address), full);
        let challenge = drain(crowd.host(), at(0));
        let Ok(Packet::Challenge { cookie, .. }) = Packet::decode(&challenge[0].1) else {
            panic!("no challenge");
        };
        let packet = open(2, ConnectionId(id), PARAMS, cookie);
        let meta = RecvMeta::from(address);
        assert_eq!(crowd.host().handle_datagram(at(0), meta, &packet), Disposition::Accepted);
        drain(crowd.host(), at(0));
    }
    assert_eq!(knock(crowd.host(), 99, address(1)), full);
    assert_eq!(knock(crowd.host(), 99, address(2)), Disposition::Accepted, "another address");
    // The share is given back.
    let mut now = at(0);
    while let Some(due) = crowd.host().poll_timeout().filter(|due| *due < at(60)) {
        now = now.max(due);
        crowd.host().handle_timeout(now);
        drain(crowd.host(), now);
        while crowd.host().poll_event().is_some() {}
    }
    assert_eq!(crowd.host().connections().count(), 0);
    assert_eq!(knock(crowd.host(), 100, address(1)), Disposition::Accepted);
}

/// The figure of it: a hundred thousand peers with an address each, who say hello and nothing more.
/// By default a sixth of them get in, and a minute later others get in beside them.
#[test]
fn a_hundred_thousand_idle_peers_hold_less_than_100_mib() {
    const MIB: usize = 1 << 20;
    const PEERS: u32 = 100_000;
    let connection = Config { idle_timeout: Duration::from_mins(30), ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let mut host = server(config, 1);
    for n in 0..PEERS {
        if n < u32::try_from(config.connections_max).unwrap() {
            host = Peer::join(host, at(0), n).host;
            while host.poll_event().is_some() {}
        } else {
            let packet = open(1, ConnectionId(n.into()), PARAMS, b"");
            let refused = host.handle_datagram(at(0), RecvMeta::from(address(n)), &packet);
            assert_eq!(refused, Disposition::Discarded(DropReason::PeersFull));
        }
    }
    let (count, held) = (host.connections().count(), host.memory_bytes());
    println!(
        "{count} of {PEERS} idle peers are let in, {} bytes each, {} MiB together",
        held / count,
        held / MIB
    );
    assert_eq!(count, config.connections_max);
    assert!(held < 100 * MIB, "{held} bytes");
    // They keep their connections alive; all the same the next hundred get in, at once.
    for n in 0..100 {
        host = Peer::join(host, at(60), PEERS + n).host;
        while host.poll_event().is_some() {}
        host.handle_timeout(at(60));
    }
    assert_eq!(host.connections().count(), config.connections_max);
}
