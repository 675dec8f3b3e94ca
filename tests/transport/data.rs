//! Streams and datagrams from end to end.

use core::time::Duration;

use rdtp::{
    transport::{
        config::Config,
        connection::Event,
        datagrams::DatagramError,
        stream::{OpenError, ReadError, StreamEvent, StreamLimits, WriteError},
    },
    wire::transport::StreamId,
};

use crate::wire::{Wire, host_config};

const WHILE: Duration = Duration::from_millis(200);

fn with_streams(change: impl FnOnce(&mut StreamLimits)) -> Config {
    let mut config = Config::default();
    change(&mut config.streams);
    config
}

#[test]
fn datagrams_arrive_once_or_are_refused_honestly() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let Err(DatagramError::TooLarge { bytes_max }) = wire.at(0, id).send_datagram(&[1; 1300])
    else {
        panic!("a datagram longer than a packet was taken");
    };
    assert_eq!(wire.at(0, id).send_datagram(&vec![9; bytes_max]), Ok(()));
    for n in 1..64 {
        assert_eq!(wire.at(0, id).send_datagram(&[n; 30]), Ok(()));
    }
    assert_eq!(wire.at(0, id).send_datagram(&[1]), Err(DatagramError::Full));
    wire.pass(WHILE);
    assert!(wire.heard(1, Event::Datagram));
    let connection = wire.at(1, peer);
    let got: Vec<_> = core::iter::from_fn(|| connection.recv_datagram()).collect();
    assert_eq!((got.len(), got[0].len()), (64, bytes_max));
    assert!((1..64).all(|n| got[usize::from(n)] == [n; 30]));
}

/// What may be sent is known from the peer's first words on, and it fits exactly into a packet.
#[test]
fn the_limit_of_datagrams_can_be_asked_for() {
    for (packet_bytes, accepted, expected) in
        [(1200, 1 << 16, 1180), (9000, 1 << 16, 8980), (1200, 100, 100), (1200, 0, 0)]
    {
        let config = Config { packet_bytes, datagram_bytes_max: accepted, ..Config::default() };
        let mut wire = Wire::new(host_config(config), host_config(config));
        let id = wire.open();
        assert_eq!(wire.at(0, id).datagram_bytes_max(), None);
        assert_eq!(wire.at(0, id).send_datagram(b"x"), Err(DatagramError::NotYet));
        wire.pass(WHILE);
        let connection = wire.at(0, id);
        assert_eq!(connection.datagram_bytes_max(), Some(expected));
        let too_large = connection.send_datagram(&vec![1; expected + 1]);
        if expected == 0 {
            assert_eq!(too_large, Err(DatagramError::Unsupported));
            continue;
        }
        assert_eq!(too_large, Err(DatagramError::TooLarge { bytes_max: expected }));
        connection.send_datagram(&vec![1; expected]).unwrap();
        wire.pass(WHILE);
        let peer = wire.hosts[1].connections().next().unwrap().0;
        assert_eq!(wire.at(1, peer).peek_datagram(), Some(&vec![1; expected][..]));
        wire.at(1, peer).consume_datagram();
        assert_eq!(wire.at(1, peer).peek_datagram(), None);
    }
}

/// Regression: an acceptor whose opener has not been heard twice sends longer headers, into which
/// the longest datagram does not fit. It waits; its timer does not spin.
#[test]
fn a_datagram_too_long_for_the_handshake_waits() {
    let config = Config { packet_bytes: 4000, ..Config::default() };
    let mut wire = Wire::new(host_config(config), host_config(config));
    let id = wire.open();
    wire.cut[1] = true;
    wire.pass(Duration::from_millis(15));
    let peer = wire.hosts[1].connections().next().unwrap().0;
    let bytes_max = wire.at(1, peer).datagram_bytes_max().unwrap();
    wire.at(1, peer).send_datagram(&vec![5; bytes_max]).unwrap();
    wire.at(1, peer).send_datagram(b"short").unwrap();
    wire.pass(Duration::from_millis(15));
    wire.cut[1] = false;
    wire.pass(Duration::from_secs(3));
    assert_eq!(wire.at(0, id).recv_datagram(), Some(vec![5; bytes_max]));
    assert_eq!(wire.at(0, id).recv_datagram(), Some(b"short".to_vec()));
}

/// Regression: a reset that ends a stream of which the other half is over is no ordinary end.
#[test]
fn peek_tells_a_reset_from_an_end() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let stream = wire.at(0, id).open_stream(0).unwrap();
    wire.at(0, id).write(stream, b"x").unwrap();
    wire.pass(WHILE);
    wire.at(1, peer).finish(stream).unwrap();
    wire.pass(WHILE);
    wire.at(0, id).reset(stream, 9).unwrap();
    wire.pass(WHILE);
    assert_eq!(wire.at(1, peer).peek(stream), Err(ReadError::Reset(9)));
    assert_eq!(wire.at(1, peer).peek(stream), Err(ReadError::Unknown), "nothing is left of it");
}

/// Regression: nobody takes them, nobody listens; neither they nor the news of them pile up.
#[test]
fn datagrams_that_nobody_takes_are_bounded() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    for round in 0..20 {
        for n in 0..64 {
            wire.at(0, id).send_datagram(&[round, n]).unwrap();
        }
        wire.pass(WHILE);
    }
    let connection = wire.at(1, peer);
    assert_eq!(core::iter::from_fn(|| connection.recv_datagram()).count(), 64);
}

#[test]
fn streams_are_limited_and_come_back() {
    let (mut wire, [id, peer]) = Wire::connected(with_streams(|s| s.peer_streams_max = 3));
    let mut open: Vec<StreamId> = (0..3).map(|_| wire.at(0, id).open_stream(0).unwrap()).collect();
    assert_eq!(wire.at(0, id).open_stream(0), Err(OpenError::Limit));
    for round in 0..10 {
        let stream = open.remove(0);
        wire.at(0, id).finish(stream).unwrap();
        wire.pass(WHILE);
        assert_eq!(wire.read(1, peer, stream).1, ReadError::Finished);
        wire.at(1, peer).finish(stream).unwrap();
        wire.pass(WHILE);
        assert_eq!(wire.read(0, id, stream).1, ReadError::Finished);
        wire.pass(WHILE);
        open.push(wire.at(0, id).open_stream(0).unwrap_or_else(|e| panic!("{round}: {e}")));
        assert_eq!(wire.at(0, id).open_stream(0), Err(OpenError::Limit));
    }
}

/// The urgent stream is written last and finished first.
#[test]
fn priorities_decide_who_goes_first() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let streams = [200, 100, 0].map(|priority| wire.at(0, id).open_stream(priority).unwrap());
    for stream in streams {
        wire.at(0, id).write(stream, &vec![7; 100_000]).unwrap();
        wire.at(0, id).finish(stream).unwrap();
    }
    wire.pass(Duration::from_secs(5));
    let finished = wire.events[0].iter().filter_map(|heard| match heard.event {
        Event::Stream(StreamEvent::Finished(id)) => Some(id),
        _ => None,
    });
    assert_eq!(finished.collect::<Vec<_>>(), [streams[2], streams[1], streams[0]]);
    for stream in streams {
        assert_eq!(wire.read(1, peer, stream).0.len(), 100_000);
    }
}

#[test]
fn a_reset_is_heard() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let stream = wire.at(0, id).open_stream(0).unwrap();
    wire.at(0, id).write(stream, &[7; 5000]).unwrap();
    wire.cut[0] = true;
    wire.pass(Duration::from_millis(5));
    wire.cut[0] = false;
    wire.at(0, id).reset(stream, 9).unwrap();
    wire.pass(WHILE);
    assert_eq!(wire.read(1, peer, stream), (vec![], ReadError::Reset(9)));
    assert_eq!(wire.at(0, id).write(stream, b"x"), Err(WriteError::Finished));
    wire.at(1, peer).reset(stream, 8).unwrap();
    wire.pass(WHILE);
    assert_eq!(wire.read(0, id, stream), (vec![], ReadError::Reset(8)));
    wire.pass(WHILE);
    assert!(wire.at(0, id).streams().is_empty() && wire.at(1, peer).streams().is_empty());
}

#[test]
fn who_wants_no_more_stops_the_sender() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let stream = wire.at(0, id).open_stream(0).unwrap();
    wire.at(0, id).write(stream, &vec![7; 3_000_000]).unwrap();
    wire.pass(Duration::from_millis(30));
    let now = wire.now;
    wire.at(1, peer).stop(now, stream, 5);
    wire.pass(WHILE);
    assert!(wire.heard(0, Event::Stream(StreamEvent::Stopped(stream, 5))));
    assert_eq!(wire.at(0, id).write(stream, b"x"), Err(WriteError::Stopped(5)));
    // What was thrown away is given back to the connection's window.
    for _ in 0..20 {
        let stream = wire.at(0, id).open_stream(0).unwrap();
        wire.at(0, id).write(stream, &vec![7; 900_000]).unwrap();
        wire.pass(WHILE);
        let now = wire.now;
        wire.at(1, peer).stop(now, stream, 5);
        wire.pass(WHILE);
        assert!(wire.heard(0, Event::Stream(StreamEvent::Stopped(stream, 5))));
    }
}

/// A reader that stalls for a minute and then reads, while every packet of its side is lost for
/// another ten seconds: updates of the window among them.
#[test]
fn a_stalled_reader_resumes_while_updates_are_lost() {
    for one_stream in [true, false] {
        let small = with_streams(|streams| {
            (streams.stream_window_bytes, streams.stream_window_bytes_max) = (20_000, 20_000);
            (streams.window_bytes, streams.window_bytes_max) = (20_000, 20_000);
            if !one_stream {
                (streams.stream_window_bytes, streams.stream_window_bytes_max) = (30_000, 30_000);
            }
        });
        let config = Config { keep_alive: Duration::from_secs(10), ..small };
        let (mut wire, [id, peer]) = Wire::connected(config);
        let stream = wire.at(0, id).open_stream(0).unwrap();
        let data: Vec<u8> = (0..100_000).map(crate::byte).collect();
        assert_eq!(wire.at(0, id).write(stream, &data), Ok(data.len()));
        wire.at(0, id).finish(stream).unwrap();
        wire.pass(Duration::from_mins(1));
        wire.cut[1] = true;
        let (mut got, error) = wire.read(1, peer, stream);
        assert_eq!((got.len(), error), (20_000, ReadError::Blocked), "what the window held");
        wire.pass(Duration::from_secs(10));
        wire.cut[1] = false;
        for _ in 0..500 {
            wire.pass(Duration::from_millis(20));
            let (more, error) = wire.read(1, peer, stream);
            got.extend(more);
            if error == ReadError::Finished {
                break;
            }
        }
        assert!(got == data, "{} bytes", got.len());
    }
}
