//! What swarms of hosts found, each once more without chance.

use core::time::Duration;

use rdtp::{
    batch::Batch,
    endpoint::{Disposition, Endpoint, RecvMeta},
    rng::Seed,
    sim::World,
    time::Instant,
    trace::NodeId,
    transport::{
        config::Config,
        connection::Event,
        cookie::Secret,
        host::{EarlyData, Host, HostConfig, HostEvent},
        lifecycle::CloseReason,
        stream::{OpenError, ReadError, StreamEvent, StreamLimits},
    },
    wire::transport::{CloseCode, ConnectionId, Packet, Writer, seal},
};

use crate::pair::{pair, upload};

const SERVER: NodeId = NodeId(1);

fn seconds(n: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(n)
}

fn with_limits(change: impl Fn(&mut StreamLimits)) -> HostConfig {
    let mut config = HostConfig::default();
    change(&mut config.connection.streams);
    config
}

/// A piece in the middle filled the only place for pieces that wait, and the bytes that were missing
/// before it came in two: neither was ever taken.
#[test]
fn a_stream_with_one_gap_allowed_is_not_stuck() {
    let config = with_limits(|limits| limits.gaps_max = 1);
    for seed in 0..10 {
        let network = "delay=5ms,loss=5%,rate=10mbit";
        let (mut world, mut upload) = upload(config, network, seed, 50_000, 50_000);
        upload.run(&mut world, Duration::from_mins(2));
        assert!(upload.done_at.is_some(), "seed {seed}: {} bytes arrived", upload.received);
    }
}

/// Where the receiver bears one gap, only the first missing bytes are of use; probes carried later
/// ones, each twice as late as the one before, until nothing else was left to be sent.
#[test]
fn probes_that_are_not_answered_go_back_to_the_first_bytes() {
    let config = with_limits(|limits| limits.gaps_max = 1);
    for seed in 0..40 {
        let network = "delay=5ms,loss=25%,rate=10mbit";
        let (mut world, mut upload) = upload(config, network, seed, 50_000, 50_000);
        upload.run(&mut world, Duration::from_mins(2));
        let took = upload.done_at.expect("the upload ends").since_epoch();
        assert!(took < Duration::from_mins(1), "seed {seed}: {took:?}");
    }
}

/// A packet was refused for its stream data and came again; the datagram in it had been delivered.
#[test]
fn a_packet_that_is_refused_and_comes_again_delivers_its_datagram_once() {
    let config = with_limits(|limits| limits.gaps_max = 1);
    let network = "delay=5ms,reorder=40%:5:20ms,dup=30%,rate=10mbit";
    for seed in 0..20 {
        let (mut world, client, id) = pair(config, network, seed);
        let mut heard = [0_u32; 200];
        let mut sent = 0_u8;
        let mut app = |now, node, HostEvent { id: of, event }, host: &mut Host| {
            let connection = host.get_mut(of).unwrap();
            match (node == client, event) {
                (true, Event::Connected) => {
                    let stream = connection.open_stream(0).unwrap();
                    let _ = connection.write(stream, &vec![7; 100_000]);
                }
                (false, Event::Datagram) => {
                    while let Some(datagram) = connection.recv_datagram() {
                        heard[usize::from(datagram[0])] += 1;
                    }
                }
                (false, Event::Stream(StreamEvent::Readable(stream))) => {
                    let mut out = [0; 4096];
                    while connection.read(now, stream, &mut out).is_ok() {}
                }
                _ => {}
            }
        };
        for ms in 0..400 {
            world.run(Instant::ZERO + Duration::from_millis(ms), &mut (), &mut app);
            let connection = world.endpoint_mut(client).get_mut(id).unwrap();
            if sent < 200 && connection.send_datagram(&[sent; 300]).is_ok() {
                sent += 1;
            }
        }
        world.run(seconds(10), &mut (), &mut app);
        assert!(heard.iter().all(|&count| count <= 1), "seed {seed}: {heard:?}");
        assert!(heard.iter().sum::<u32>() > 10, "{heard:?}");
    }
}

/// The acceptor said its end in a packet that an opener cannot read yet; the opener asked on, and got
/// a second connection when the first was forgotten.
#[test]
fn an_opener_hears_that_the_acceptor_closed_in_the_handshake() {
    let config = HostConfig { early_data: EarlyData::Anyone, ..HostConfig::default() };
    let (mut world, client, id) = pair(config, "delay=50ms", 1);
    let connection = world.endpoint_mut(client).get_mut(id).unwrap();
    let stream = connection.open_stream(0).unwrap();
    connection.write(stream, b"hello").unwrap();
    let mut closed = Vec::new();
    let mut accepted = std::collections::BTreeSet::<ConnectionId>::new();
    let mut app = |now, node, HostEvent { id, event }, host: &mut Host| {
        if node == SERVER && accepted.insert(id) {
            host.get_mut(id).unwrap().close(now, 9, b"not today");
        }
        if let Event::Closed(reason) = event {
            closed.push((now, node, reason));
        }
    };
    world.run(seconds(60), &mut (), &mut app);
    assert_eq!(accepted.len(), 1, "one connection, not one after the other");
    let code = CloseCode::Application(9);
    let of_client: Vec<_> = closed.iter().filter(|(_, node, _)| *node == client).collect();
    let [(at, _, reason)] = of_client[..] else { panic!("{closed:?}") };
    assert_eq!(*reason, CloseReason::Peer(code));
    assert!(*at < Instant::ZERO + Duration::from_millis(150), "at {at}");
}

/// The other way round: an opener that gives up at once is not waited for.
#[test]
fn an_acceptor_hears_that_the_opener_closed_in_the_handshake() {
    let config = HostConfig { early_data: EarlyData::Anyone, ..HostConfig::default() };
    let (mut world, client, id) = pair(config, "delay=50ms", 1);
    world.run(Instant::ZERO + Duration::from_millis(20), &mut (), &mut rdtp::sim::Ignore);
    let now = world.now();
    world.endpoint_mut(client).get_mut(id).unwrap().close(now, 9, b"never mind");
    let mut closed = Vec::new();
    world.run(seconds(60), &mut (), &mut |now, node, HostEvent { event, .. }, _: &mut Host| {
        if let (SERVER, Event::Closed(reason)) = (node, event) {
            closed.push((now, reason));
        }
    });
    let [(at, reason)] = closed[..] else { panic!("{closed:?}") };
    assert_eq!(reason, CloseReason::Peer(CloseCode::Application(9)));
    assert!(at < Instant::ZERO + Duration::from_millis(300), "at {at}");
}

/// Hosts woke up once more for the idle timeout of connections that were gone.
#[test]
fn no_timer_outlives_its_connection() {
    let (mut world, mut upload) = upload(HostConfig::default(), "delay=10ms", 1, 10_000, 10_000);
    upload.run(&mut world, Duration::from_secs(5));
    let (client, id, now) = (upload.client, upload.id, world.now());
    world.endpoint_mut(client).get_mut(id).unwrap().close(now, 0, b"");
    world.run(seconds(100), &mut (), &mut upload);
    assert!(world.is_quiet() && world.now() < seconds(3), "{}", world.now());
    for node in [client, SERVER] {
        assert_eq!(world.endpoint(node).poll_timeout(), None);
    }
}

/// A sender that the peer's window held up said nothing more, and both sides took that for death.
#[test]
fn a_connection_does_not_die_of_an_application_that_reads_late() {
    let mut config = with_limits(|limits| {
        (limits.stream_window_bytes, limits.stream_window_bytes_max) = (14_720, 14_720);
    });
    config.connection.idle_timeout = Duration::from_secs(1);
    let (mut world, client, id) = pair(config, "delay=10ms", 1);
    let connection = world.endpoint_mut(client).get_mut(id).unwrap();
    let stream = connection.open_stream(0).unwrap();
    connection.write(stream, &vec![7; 40_000]).unwrap();
    connection.finish(stream).unwrap();
    let mut ended = Vec::new();
    let mut server = None;
    let mut app = |_, node, HostEvent { id, event }, _: &mut Host| match event {
        Event::Closed(reason) => ended.push(reason),
        Event::Stream(StreamEvent::Readable(_)) if node == SERVER => server = Some(id),
        _ => {}
    };
    world.run(seconds(8), &mut (), &mut app);
    let now = world.now();
    let id = server.unwrap();
    let mut out = vec![0; 40_000];
    let read = world.endpoint_mut(SERVER).get_mut(id).unwrap().read(now, stream, &mut out);
    assert_eq!((read, ended), (Ok(14_720), Vec::new()));
}

/// The same when it is not a window but the number of streams that held it up (swarm 3009650).
#[test]
fn a_connection_does_not_die_of_a_stream_that_may_not_be_opened_yet() {
    let mut config = with_limits(|limits| limits.peer_streams_max = 1);
    config.connection.idle_timeout = Duration::from_secs(1);
    let (mut world, client, id) = pair(config, "delay=10ms", 1);
    let connection = world.endpoint_mut(client).get_mut(id).unwrap();
    let stream = connection.open_stream(0).unwrap();
    connection.write(stream, b"read late").unwrap();
    connection.finish(stream).unwrap();
    assert_eq!(connection.open_stream(0), Err(OpenError::Limit));
    let (mut ended, mut server, mut openable) = (Vec::new(), None, false);
    let mut app = |_, node, HostEvent { id, event }, _: &mut Host| match event {
        Event::Closed(reason) => ended.push(reason),
        Event::Stream(StreamEvent::Readable(_)) if node == SERVER => server = Some(id),
        Event::Stream(StreamEvent::Openable) => openable = true,
        _ => {}
    };
    world.run(seconds(8), &mut (), &mut app);
    let now = world.now();
    let mut out = [0; 100];
    let reader =
        world.endpoint_mut(SERVER).get_mut(server.unwrap()).expect("the acceptor is there");
    assert_eq!(reader.read(now, stream, &mut out), Ok(9));
    assert_eq!(reader.read(now, stream, &mut out), Err(ReadError::Finished));
    reader.finish(stream).unwrap();
    let mut app = |_, _, HostEvent { event, .. }, _: &mut Host| {
        openable |= event == Event::Stream(StreamEvent::Openable);
    };
    // Long before it may die of having nothing to say.
    world.run(now + Duration::from_millis(300), &mut (), &mut app);
    assert!(openable && ended.is_empty(), "{ended:?}");
    world.endpoint_mut(client).get_mut(id).unwrap().open_stream(0).unwrap();
}

/// What the peer says of the longest packet that it takes was read by nobody.
#[test]
fn no_packet_is_longer_than_the_peer_takes() {
    const BYTES_MAX: u64 = 1300;
    let connection = Config { packet_bytes: 4000, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let host = |n| Host::new(config, Secret::new([n; 16]), Seed::new(n.into())).unwrap();
    let (mut client, mut server) = (host(1), host(2));
    let (now, mut space) = (Instant::ZERO, vec![0; 1 << 16]);
    let id = client.open(now, World::address(1));
    let stream = client.get_mut(id).unwrap().open_stream(0).unwrap();
    client.get_mut(id).unwrap().write(stream, b"hello").unwrap();
    let mut batch = Batch::new(&mut space);
    client.poll_transmit(now, &mut batch).unwrap();
    let first = batch.segments().next().unwrap().to_vec();
    let Ok(Packet::Open { to, mut greeting, cookie, frames }) = Packet::decode(&first) else {
        panic!("an open comes first");
    };
    greeting.params.max_packet_bytes = BYTES_MAX;
    let mut open = vec![0; first.len() + 8];
    let mut writer = Writer::new(&mut open);
    Packet::Open { to, greeting, cookie, frames }.encode(&mut writer);
    // What is shorter now is padding.
    assert!(writer.len() <= first.len());
    open.truncate(first.len());
    seal(&mut open);
    let meta = RecvMeta::from(World::address(0));
    assert_eq!(server.handle_datagram(now, meta, &open), Disposition::Accepted);
    let accepted = server.connections().next().unwrap().0;
    server.get_mut(accepted).unwrap().write(stream, &vec![7; 20_000]).unwrap();
    let mut batch = Batch::new(&mut space);
    server.poll_transmit(now, &mut batch).unwrap();
    let lengths: Vec<usize> = batch.segments().map(<[u8]>::len).collect();
    assert!(lengths.len() > 1 && lengths.iter().all(|&len| len <= 1300), "{lengths:?}");
}
