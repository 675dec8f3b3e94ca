//! What a peer can make a connection hold, and a host.

use core::time::Duration;

use rdtp::{
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta},
    time::Instant,
    transport::{
        config::Config,
        host::{CookiePolicy, HostConfig},
        lifecycle::CloseReason,
        stream::StreamLimits,
    },
    wire::transport::{CloseCode, ConnectionId, Frame, Params, StreamId},
};

use crate::{
    BESIDE_WINDOW,
    peer::{PARAMS, Peer, address, drain, open, server},
};

const KIB: u64 = 1 << 10;

fn small() -> HostConfig {
    let default = Config::default();
    let streams = StreamLimits {
        stream_window_bytes: 64 * KIB,
        stream_window_bytes_max: 64 * KIB,
        window_bytes: 256 * KIB,
        window_bytes_max: 256 * KIB,
        ..default.streams
    };
    HostConfig { connection: Config { streams, ..default }, ..HostConfig::default() }
}

/// Reassembly (RUSTSEC-2026-0185 and -0341): single bytes with gaps between them, on every stream,
/// up to the far end of the window.
#[test]
fn fragments_hold_no_more_than_twice_the_window() {
    let config = small();
    let streams = config.connection.streams;
    let mut peer = Peer::connect(config, 1);
    let mut worst = 0;
    for offset in (0..streams.stream_window_bytes).rev().step_by(2) {
        for index in 0..streams.window_bytes / streams.stream_window_bytes {
            let id = StreamId::new(index, false);
            peer.send(&[Frame::Stream { id, offset, data: b"x", fin: false }]);
        }
        if peer.is_caught() {
            break;
        }
        worst = worst.max(peer.connection().memory_bytes() as u64);
    }
    let allowed = 2 * streams.window_bytes + BESIDE_WINDOW;
    println!("{worst} bytes of {allowed}");
    assert!(worst <= allowed, "{worst} bytes");
}

/// One byte at the far end of every window (quicly, CVE-2026-44433).
#[test]
fn a_byte_at_the_far_end_of_every_window_costs_a_byte() {
    let config = HostConfig::default();
    let streams = config.connection.streams;
    let mut peer = Peer::connect(config, 1);
    let before = peer.connection().memory_bytes() as u64;
    // Together they use up the connection's window twice over, so some are refused.
    for index in 0..streams.peer_streams_max {
        let offset = streams.stream_window_bytes - 1;
        let id = StreamId::new(index, false);
        peer.send(&[Frame::Stream { id, offset, data: b"x", fin: false }]);
        if peer.is_caught() {
            break;
        }
        let grown = peer.connection().memory_bytes() as u64 - before;
        assert!(grown <= 2 * streams.window_bytes + BESIDE_WINDOW, "{grown} after {index}");
    }
    assert!(peer.is_caught(), "the window of all streams is a window too");
}

/// Using stream N opens all below it, whichever frame names it (RUSTSEC-2026-0523 forgot one).
#[test]
fn streams_are_committed_within_the_limit_and_cost_nothing_before_they_are_used() {
    let config = HostConfig::default();
    let max = config.connection.streams.peer_streams_max;
    let frames: [fn(StreamId) -> Frame<'static>; 6] = [
        |id| Frame::Stream { id, offset: 0, data: b"", fin: false },
        |id| Frame::ResetStream { id, code: 1, final_size: 0 },
        |id| Frame::StopSending { id, code: 1 },
        |id| Frame::MaxStreamData { id, max: 1 << 30 },
        |id| Frame::StreamDataBlocked { id, max: 1 },
        |id| Frame::Stream { id, offset: 0, data: b"x", fin: true },
    ];
    for (n, frame) in frames.iter().enumerate() {
        let mut peer = Peer::connect(config, 1);
        let before = peer.connection().memory_bytes() as u64;
        peer.send(&[frame(StreamId::new(max - 1, false))]);
        assert!(!peer.is_caught(), "frame {n}");
        let grown = peer.connection().memory_bytes() as u64 - before;
        assert!(grown <= BESIDE_WINDOW, "frame {n}: {grown} bytes for {max} streams");
        peer.send(&[frame(StreamId::new(max, false))]);
        assert!(peer.is_caught(), "frame {n} opens a stream beyond the limit");
        let mut peer = Peer::connect(config, 1);
        peer.send(&[frame(StreamId::new(0, true))]);
        assert!(peer.is_caught(), "frame {n} opens a stream of the other side");
    }
}

/// Slowloris: connections that say hello and nothing more. So many are taken as the configuration
/// says, each is small, and silence ends them.
#[test]
fn idle_connections_are_counted_small_and_let_go() {
    const MAX: usize = 500;
    let config = HostConfig { connections_max: MAX, ..HostConfig::default() };
    let mut host = server(config, 1);
    let before = host.memory_bytes();
    for n in 1..=u32::try_from(MAX).unwrap() {
        host = Peer::join(host, Instant::ZERO, n).host;
    }
    let each = (host.memory_bytes() - before) / MAX;
    println!("{each} bytes for each connection");
    assert!(each < 5 * 1024, "{each} bytes");
    let packet = open(1, ConnectionId(7), PARAMS, b"");
    let more = host.handle_datagram(Instant::ZERO, RecvMeta::from(address(9999)), &packet);
    assert_eq!(more, Disposition::Discarded(DropReason::PeersFull));
    // A byte a quarter of an hour keeps nobody's connection.
    let mut now = Instant::ZERO;
    while let Some(at) = host.poll_timeout().filter(|at| at.since_epoch() < Duration::from_secs(99))
    {
        now = now.max(at);
        host.handle_timeout(now);
        drain(&mut host, now);
        while host.poll_event().is_some() {}
    }
    assert_eq!(host.connections().count(), 0, "at {now}");
    assert!(now.since_epoch() <= config.connection.idle_timeout + Duration::from_secs(5));
}

/// Parameters and frames with extreme values (CVE-2026-31812, RUSTSEC-2026-0340): refused or taken,
/// never a panic, and time does not stand still.
#[test]
fn extreme_values_are_refused_or_borne() {
    const MAX: u64 = (1 << 62) - 1;
    let delays = [0, 1, 16_383].map(Duration::from_millis);
    for value in [0, 1, 1199, 1200, 1 << 31, MAX] {
        for max_ack_delay in delays {
            let params = Params {
                idle_timeout: Duration::from_millis(value),
                max_data: value,
                max_stream_data: value,
                max_streams: value,
                max_ack_delay,
                max_packet_bytes: value.max(1200),
                max_datagram_bytes: value,
                repair_window: value,
                repair_percent: value,
            };
            let mut host = server(HostConfig::default(), value);
            let meta = RecvMeta::from(address(1));
            let packet = open(MAX, ConnectionId(1), params, b"");
            let _ = host.handle_datagram(Instant::ZERO, meta, &packet);
            let id = host.connections().next().expect("taken").0;
            let connection = host.get_mut(id).unwrap();
            if let Ok(stream) = connection.open_stream(0) {
                connection.write(stream, &[7; 5000]).ok();
            }
            let mut now = Instant::ZERO;
            for _ in 0..200 {
                drain(&mut host, now);
                while host.poll_event().is_some() {}
                let Some(at) = host.poll_timeout() else { break };
                now = now.max(at);
                host.handle_timeout(now);
            }
        }
        let mut peer = Peer::connect(HostConfig::default(), value);
        for frame in [
            Frame::MaxData(value),
            Frame::MaxStreams(value),
            Frame::DataBlocked(value),
            Frame::AckFrequency { sequence: value, threshold: value, delay_us: value },
            Frame::MaxStreamData { id: StreamId(0), max: value },
            Frame::PathResponse(value),
            Frame::ResetStream { id: StreamId(0), code: value, final_size: value },
        ] {
            peer.send(&[frame]);
            peer.take();
            peer.pass(Duration::from_millis(100));
        }
    }
}

/// Sending beyond the window is a fault, and named.
#[test]
fn a_window_is_a_limit() {
    let mut peer = Peer::connect(small(), 1);
    let offset = 64 * KIB;
    peer.send(&[Frame::Stream { id: StreamId(0), offset, data: b"x", fin: false }]);
    let life = peer.host.get(peer.id).unwrap().life();
    assert_eq!(life.reason(), Some(CloseReason::Local(CloseCode::FlowControl)));
}

/// A million openers with forged addresses (SYN flood): with cookies nothing is kept of them, and
/// somebody who is there gets in within three round trips all the while.
#[test]
fn a_million_forged_opens_leave_nothing() {
    const MIB: usize = 1 << 20;
    for cookies in [CookiePolicy::Always, HostConfig::default().cookies] {
        let config = HostConfig { cookies, ..HostConfig::default() };
        let mut host = server(config, 1);
        let (before, now) = (host.memory_bytes(), Instant::ZERO);
        let packet = open(1, ConnectionId(7), PARAMS, b"");
        let mut worst = 0;
        for n in 0..1_000_000_u32 {
            let _ = host.handle_datagram(now, RecvMeta::from(address(n)), &packet);
            if n % 16 == 0 {
                drain(&mut host, now);
            }
            if n % 1024 == 0 {
                worst = worst.max(host.memory_bytes() - before);
            }
        }
        println!("{cookies:?}: {worst} bytes, {} connections", host.connections().count());
        assert!(worst < MIB, "{cookies:?}: {worst} bytes");
        // Hello, cookie; hello with cookie, accepted: two round trips.
        drain(&mut host, now);
        let peer = Peer::join(host, now, 0x00ff_ffff);
        assert!(!peer.is_caught());
    }
}
