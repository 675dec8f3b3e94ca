//! Two tables joined by a wire that loses frames.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    time::Instant,
    transport::ledger::Content,
    wire::transport::{Frame, Reader, Writer},
};

const RTT: Duration = Duration::from_millis(50);
const NOW: Instant = Instant::ZERO;
const LIMITS: StreamLimits = StreamLimits {
    peer_streams_max: 4,
    stream_window_bytes: 300,
    stream_window_bytes_max: 300,
    window_bytes: 500,
    window_bytes_max: 500,
    gaps_max: 16,
    send_buffer_bytes: 1000,
};

struct Pair {
    a: Streams,
    b: Streams,
}

impl Pair {
    fn new() -> Self {
        let side = |acceptor| {
            let mut streams = Streams::new(LIMITS, acceptor, 100);
            streams.on_params(500, 300, 4);
            streams
        };
        Self { a: side(false), b: side(true) }
    }
}

/// A packet of at most `room` bytes from one table, and what it held.
fn packet(from: &mut Streams, room: usize) -> Option<(Vec<u8>, Vec<Content>)> {
    let mut space = vec![0; room];
    let mut writer = Writer::new(&mut space);
    let mut contents = Vec::new();
    from.write_control(&mut writer, &mut contents);
    from.write_data(&mut writer, &mut contents);
    let len = writer.len();
    space.truncate(len);
    (!contents.is_empty()).then_some((space, contents))
}

fn hand_over(to: &mut Streams, bytes: &[u8]) -> Result<(), StreamFault> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match Frame::decode(&mut reader).expect("our own frames") {
            Frame::Stream { id, offset, data, fin } => {
                to.on_data(NOW, id, offset, data, fin, RTT, &mut |_| 0)?;
            }
            Frame::ResetStream { id, code, final_size } => {
                to.on_reset(NOW, id, code, final_size, RTT)?;
            }
            Frame::StopSending { id, code } => to.on_stop_sending(id, code)?,
            Frame::MaxData(max) => to.on_max_data(max),
            Frame::MaxStreamData { id, max } => to.on_max_stream_data_frame(id, max)?,
            Frame::MaxStreams(max) => to.on_max_streams(max),
            Frame::DataBlocked(_) => to.on_blocked(None)?,
            Frame::StreamDataBlocked { id, .. } => to.on_blocked(Some(id))?,
            other => panic!("not a frame of streams: {other:?}"),
        }
    }
    Ok(())
}

fn settle(table: &mut Streams, contents: &[Content], arrived: bool) {
    for content in contents {
        if arrived {
            table.on_acked(content);
        } else {
            table.on_lost(content);
        }
    }
}

/// Carries packets both ways until nothing moves; `fate` says which arrive.
fn carry(pair: &mut Pair, mut fate: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        let forth = packet(&mut pair.a, 120);
        let back = packet(&mut pair.b, 120);
        if forth.is_none() && back.is_none() {
            return;
        }
        if let Some((bytes, contents)) = forth {
            let arrived = fate();
            if arrived {
                hand_over(&mut pair.b, &bytes).unwrap();
            }
            settle(&mut pair.a, &contents, arrived);
        }
        if let Some((bytes, contents)) = back {
            let arrived = fate();
            if arrived {
                hand_over(&mut pair.a, &bytes).unwrap();
            }
            settle(&mut pair.b, &contents, arrived);
        }
        drain(&mut pair.b);
    }
    panic!("packets without end");
}

/// Reads everything there is, and forgets it: tests of order have their own.
fn drain(table: &mut Streams) {
    let mut out = [0; 64];
    for id in (0..64).map(StreamId) {
        while table.read(NOW, id, &mut out, RTT).is_ok() {}
    }
}

proptest! {
    /// Three streams with windows smaller than their data, over a wire that loses a third: each
    /// arrives whole, and in the end nothing is left on either side.
    #[test]
    fn all_streams_arrive_whole(seed in any::<u64>(), lens in prop::collection::vec(0..2_000_usize, 3)) {
        let mut pair = Pair::new();
        let mut rng = crate::rng::Seed::new(seed).rng();
        let mut lossy = || rng.below(3) > 0;
        let byte = |stream: usize, at: usize| (at * 7 + stream * 31).to_le_bytes()[0];
        let mut todo: Vec<_> = lens
            .iter()
            .enumerate()
            .map(|(n, &len)| {
                let id = pair.a.open(128).unwrap();
                (id, (0..len).map(|at| byte(n, at)).collect::<Vec<u8>>(), 0, false)
            })
            .collect();
        let mut got: Vec<Vec<u8>> = vec![Vec::new(); lens.len()];
        let mut ended = vec![false; lens.len()];
        let mut carried = 0;
        for _ in 0..20_000 {
            for (id, data, written, finished) in &mut todo {
                if let Ok(len) = pair.a.write(*id, &data[*written..]) {
                    *written += len;
                }
                if *written == data.len() && !*finished {
                    pair.a.finish(*id).unwrap();
                    *finished = true;
                }
            }
            for forth in [true, false] {
                let (from, to) =
                    if forth { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
                let Some((bytes, contents)) = packet(from, 120) else { continue };
                if forth {
                    carried += contents.iter().map(Content::stream_bytes).sum::<u64>();
                }
                let arrived = lossy();
                if arrived {
                    hand_over(to, &bytes).unwrap();
                }
                settle(from, &contents, arrived);
            }
            while let Some(event) = pair.b.poll_event() {
                if let StreamEvent::Opened(id) = event {
                    // The other half is not used: it ends at once.
                    pair.b.finish(id).unwrap();
                }
            }
            for (n, (id, ..)) in todo.iter().enumerate() {
                let mut out = [0; 50];
                match pair.b.read(NOW, *id, &mut out, RTT) {
                    Ok(len) => got[n].extend(&out[..len]),
                    Err(ReadError::Finished) => ended[n] = true,
                    Err(_) => {}
                }
                pair.a.peek(*id).ok();
            }
            prop_assert!(pair.b.memory_bytes() < 80_000);
            if pair.a.is_empty() && pair.b.is_empty() && ended.iter().all(|&e| e) {
                break;
            }
        }
        for (n, &len) in lens.iter().enumerate() {
            let sent: Vec<u8> = (0..len).map(|at| byte(n, at)).collect();
            prop_assert_eq!(&got[n], &sent);
        }
        prop_assert!(pair.a.is_empty() && pair.b.is_empty(), "nothing is left");
        prop_assert_eq!(pair.a.sent_bytes(), lens.iter().sum::<usize>() as u64);
        prop_assert_eq!(pair.a.sent_bytes() + pair.a.resent_bytes(), carried);
    }
}

#[test]
fn lower_numbers_go_first_and_equals_take_turns() {
    let mut pair = Pair::new();
    let ids: Vec<_> = [200, 100, 100].map(|p| pair.a.open(p).unwrap()).to_vec();
    for &id in &ids {
        pair.a.write(id, &[1; 90]).unwrap();
    }
    let mut order = Vec::new();
    while let Some((_, contents)) = packet(&mut pair.a, 60) {
        pair.a.next_turn();
        let Some(Content::Stream { id, .. }) = contents.first() else { panic!("{contents:?}") };
        order.push(id.index());
    }
    assert_eq!(order[..4], [1, 2, 1, 2]);
    assert!(order[4..].iter().all(|&n| n == 0), "{order:?}");
}

#[test]
fn the_windows_stop_the_sender_and_a_lost_update_is_asked_for() {
    let mut pair = Pair::new();
    let id = pair.a.open(0).unwrap();
    assert_eq!(pair.a.write(id, &[1; 1000]), Ok(1000));
    let mut sent = 0;
    let mut blocked = false;
    while let Some((bytes, contents)) = packet(&mut pair.a, 120) {
        hand_over(&mut pair.b, &bytes).unwrap();
        settle(&mut pair.a, &contents, true);
        for content in contents {
            match content {
                Content::Stream { bytes, .. } => sent += bytes.end - bytes.start,
                Content::StreamDataBlocked(_) => blocked = true,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((sent, blocked), (300, true));
    assert!(pair.a.is_held_up());
    // The application reads, but the update is lost; telling again is enough.
    let mut out = [0; 300];
    assert_eq!(pair.b.read(NOW, id, &mut out, RTT), Ok(300));
    let (_, contents) = packet(&mut pair.b, 120).unwrap();
    settle(&mut pair.b, &contents, false);
    let (bytes, _) = packet(&mut pair.b, 120).unwrap();
    hand_over(&mut pair.a, &bytes).unwrap();
    let (_, contents) = packet(&mut pair.a, 120).unwrap();
    assert!(matches!(
        contents[0],
        Content::Stream { bytes: core::ops::Range { start: 300, .. }, .. }
    ));
}

#[test]
fn the_shared_window_holds_all_streams() {
    let mut pair = Pair::new();
    let ids = [pair.a.open(0).unwrap(), pair.a.open(0).unwrap()];
    for id in ids {
        pair.a.write(id, &[1; 300]).unwrap();
    }
    let mut sent = 0;
    let mut told = Vec::new();
    while let Some((bytes, contents)) = packet(&mut pair.a, 120) {
        hand_over(&mut pair.b, &bytes).unwrap();
        for content in contents {
            match content {
                Content::Stream { bytes, .. } => sent += bytes.end - bytes.start,
                other => told.push(other),
            }
        }
    }
    assert_eq!((sent, told), (500, vec![Content::DataBlocked]));
    drain(&mut pair.b);
    carry(&mut pair, || true);
    assert_eq!(pair.a.sent_bytes(), 600);
}

#[test]
fn streams_are_counted_and_come_back() {
    let mut pair = Pair::new();
    for round in 0..5 {
        let ids: Vec<_> = (0..4).map(|_| pair.a.open(0).unwrap()).collect();
        assert_eq!(pair.a.open(0), Err(OpenError::Limit), "round {round}");
        for &id in &ids {
            pair.a.write(id, b"x").unwrap();
            pair.a.finish(id).unwrap();
        }
        carry(&mut pair, || true);
        while let Some(event) = pair.b.poll_event() {
            if let StreamEvent::Opened(id) = event {
                pair.b.finish(id).unwrap();
            }
        }
        carry(&mut pair, || true);
        drain(&mut pair.a);
        assert!(pair.a.is_empty() && pair.b.is_empty());
        carry(&mut pair, || true);
        let told = core::iter::from_fn(|| pair.a.poll_event());
        let told = told.filter(|event| *event == StreamEvent::Openable).count();
        assert_eq!(told, 1, "once in round {round}");
    }
}

#[test]
fn peers_may_not_open_our_streams_nor_too_many() {
    let mut pair = Pair::new();
    let ours = StreamId::new(0, true);
    assert_eq!(pair.b.on_data(NOW, ours, 0, b"x", false, RTT, &mut |_| 0), Err(StreamFault::Limit));
    let fifth = StreamId::new(4, false);
    assert_eq!(
        pair.b.on_data(NOW, fifth, 0, b"x", false, RTT, &mut |_| 0),
        Err(StreamFault::Limit)
    );
    assert_eq!(pair.b.on_stop_sending(fifth, 1), Err(StreamFault::Limit));
    assert_eq!(pair.b.on_max_stream_data_frame(fifth, 1), Err(StreamFault::Limit));
    assert_eq!(pair.b.on_blocked(Some(fifth)), Err(StreamFault::Limit));
    assert!(pair.b.is_empty());
}

#[test]
fn stop_and_reset_meet() {
    let mut pair = Pair::new();
    let id = pair.a.open(0).unwrap();
    pair.a.write(id, &[1; 250]).unwrap();
    let (bytes, contents) = packet(&mut pair.a, 120).unwrap();
    hand_over(&mut pair.b, &bytes).unwrap();
    settle(&mut pair.a, &contents, true);
    pair.b.stop(NOW, id, 42, RTT);
    pair.b.finish(id).unwrap();
    carry(&mut pair, || true);
    assert_eq!(pair.a.write(id, b"more"), Err(WriteError::Stopped(42)));
    drain(&mut pair.a);
    assert!(pair.a.is_empty() && pair.b.is_empty());
    assert_eq!(pair.a.poll_event(), Some(StreamEvent::Stopped(id, 42)));
}

/// What an application was refused room for makes a better packet of what is there.
#[test]
fn a_rest_waits_for_more_until_all_else_has_arrived() {
    let limits = StreamLimits { send_buffer_bytes: 250, ..LIMITS };
    for goes_on in [false, true] {
        let mut a = Streams::new(limits, false, 100);
        a.on_params(500, 300, 4);
        a.set_lending(true);
        let id = a.open(0).unwrap();
        assert_eq!(a.write(id, &[7; 250]), Ok(250));
        let (_, first) = packet(&mut a, 130).unwrap();
        assert!(a.has_data(), "the application has not said that there is more");
        assert_eq!(a.write(id, b"more"), Err(WriteError::Blocked));
        let (_, second) = packet(&mut a, 130).unwrap();
        assert!(!a.has_data() && packet(&mut a, 130).is_none(), "half a packet waits");
        assert!(!a.has_control(), "and no window is blamed");
        settle(&mut a, &first, true);
        assert!(!a.has_data(), "there is room now");
        if goes_on {
            assert_eq!(a.write(id, &[8; 20]), Ok(20), "all that it has");
        } else {
            settle(&mut a, &second, true);
        }
        assert!(a.has_data());
        let (_, rest) = packet(&mut a, 130).unwrap();
        let bytes: u64 = rest.iter().map(Content::stream_bytes).sum();
        assert_eq!(bytes, if goes_on { 70 } else { 50 });
    }
}
