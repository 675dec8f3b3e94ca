//! Golden bytes, round trips, and refusals by name.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use proptest::prelude::*;

use super::{example::PARAMS, packet::seal, *};
use crate::{buf::RangeSet, wire::DecodeError};

fn bytes_of(packet: &Packet<'_>) -> Vec<u8> {
    let mut space = vec![0; 4096];
    let mut writer = Writer::new(&mut space);
    packet.encode(&mut writer);
    seal(writer.written());
    let len = writer.len();
    space.truncate(len);
    space
}

fn frame_bytes(frame: &Frame<'_>) -> Vec<u8> {
    let mut space = vec![0xff; 4096];
    let mut writer = Writer::new(&mut space);
    frame.encode(&mut writer);
    let len = writer.len();
    assert_eq!(len, frame.encoded_len(), "{frame:?}");
    space.truncate(len);
    space
}

/// The examples that the guide shows, by name: checksum, kind, then field after field.
const GOLDEN: [(&str, &str); 9] = [
    (
        "open",
        "0ce3db81 10 0102030405060708 72647401 00000000 1112131415161718 0000000000002a2b \
         77777777777777777777777777777777 02 636b 1a 01 80007530 02 80100000 03 80040000 04 4064 \
         05 800061a8 06 45c0 01",
    ),
    (
        "accept",
        "b4602208 11 1112131415161718 72647401 00000000 72647401 00000000 2122232425262728 \
         0000000000003a3b 88888888888888888888888888888888 1a 01 80007530 02 80100000 03 80040000 \
         04 4064 05 800061a8 06 45c0",
    ),
    ("challenge", "4dbb75af 12 1112131415161718 0000000000002a2b 636b"),
    ("versions", "a00b63e2 13 1112131415161718 0000000000002a2b 72647401"),
    ("reset", "b1b38b14 14 1112131415161718 88888888888888888888888888888888"),
    ("data", "2f98d9f2 20 2122232425262728 00000009 11 02 05 6869"),
    (
        "frames",
        "204a265a 20 2122232425262728 00000009 03 412c 14 02 0a 0200 0101 4046 00 01 06 4040 \
         04 03 04 05 0e 01 78 13 02 80004000 02 6162 000000",
    ),
    ("path", "4c9c7375 20 2122232425262728 00000009 1a 3132333435363738 1b 4142434445464748"),
    ("close", "9d0f87a8 20 2122232425262728 00000009 0d e000000000000005 03 627965"),
];

/// If this moves, two releases cannot talk to each other: it takes a new version.
#[test]
fn golden_packets() {
    assert_eq!(GOLDEN.map(|(name, _)| name), example::NAMES);
    for (name, hex) in GOLDEN {
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).unwrap();
        let golden: Vec<u8> = digits.chunks(2).map(byte).collect();
        let datagram = example::datagram(name).unwrap();
        assert_eq!(datagram, golden, "{name}");
        let Ok(packet) = Packet::decode(&datagram) else { panic!("{name}") };
        assert_eq!(bytes_of(&packet), golden, "{name}");
    }
}

/// The tables that the guide is drawn from add up to the constants that packets are built with.
#[test]
fn layouts_add_up() {
    let least = |name| {
        let layout = layout::find(name).unwrap();
        let fields = layout.before.iter().chain(layout.fields).map(|field| match field.size {
            layout::Size::Fixed(bytes) => bytes,
            layout::Size::PrefixedByte => 1,
            _ => 0,
        });
        1 + fields.sum::<usize>()
    };
    assert_eq!(least("data"), DATA_HEADER_BYTES);
    assert_eq!(least("open") + COOKIE_BYTES_MAX + Params::ENCODED_MAX, OPEN_HEADER_MAX);
    assert_eq!(least("accept") + Params::ENCODED_MAX, ACCEPT_HEADER_MAX);
    assert_eq!(least("challenge") + COOKIE_BYTES_MAX, CHALLENGE_BYTES_MAX);
    // And the table in the documentation of the module names them all, with their kinds.
    for packet in layout::PACKETS {
        let row = alloc::format!("//! | {} | {:#04x} | ", packet.name, packet.kind);
        assert!(include_str!("mod.rs").contains(&row), "{row}");
    }
}

#[test]
fn golden_frames() {
    let mut seen = RangeSet::new(8);
    for range in [2..4, 6..7, 10..21] {
        seen.insert(range).unwrap();
    }
    let mut space = [0; 64];
    let mut writer = Writer::new(&mut space);
    let ecn = EcnCounts { ect0: 70, ect1: 0, ce: 1 };
    assert_eq!(Ack::write(&seen, Duration::from_micros(300), Some(ecn), 64, &mut writer), 3);
    let golden = [0x03, 0x41, 0x2c, 20, 2, 10, 2, 0, 1, 1, 0x40, 70, 0, 1];
    assert_eq!(writer.written(), golden);
    let Ok(Frame::Ack(ack)) = Frame::decode(&mut Reader::new(&golden)) else { panic!("no ACK") };
    assert_eq!(ack.ranges.iter().collect::<Vec<_>>(), [10..21, 6..7, 2..4]);
    assert_eq!((ack.ranges.largest(), ack.ranges.count()), (20, 3));
    assert_eq!((ack.ecn, ack.delay), (Some(ecn), Duration::from_micros(300)));

    let golden: [(Frame<'_>, &[u8]); 8] = [
        (Frame::Ping, &[1]),
        (Frame::MaxData(64), &[6, 0x40, 64]),
        (Frame::ResetStream { id: StreamId(3), code: 4, final_size: 5 }, &[4, 3, 4, 5]),
        (
            Frame::Close { code: CloseCode::Application(5), reason: b"bye" },
            &[0x0d, 0xe0, 0, 0, 0, 0, 0, 0, 5, 3, b'b', b'y', b'e'],
        ),
        (Frame::Datagram(b"x"), &[0x0e, 1, b'x']),
        (Frame::Ticket(b"tk"), &[0x0f, 2, b't', b'k']),
        (
            Frame::Repair { behind: 9, span: 8, stride: 2, sum: &[0, 3, 7, 7, 7] },
            &[0x18, 9, 8, 2, 5, 0, 3, 7, 7, 7],
        ),
        (
            Frame::Stream { id: StreamId(2), offset: 1, data: b"ab", fin: true },
            &[0x13, 2, 1, 2, b'a', b'b'],
        ),
    ];
    for (frame, bytes) in golden {
        assert_eq!(frame_bytes(&frame), bytes);
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..1_u64 << 20, 0..=(1_u64 << 62) - 1]
}

fn frame() -> impl Strategy<Value = Frame<'static>> {
    const DATA: &[u8] = &[0xa5; 100];
    let id = || number().prop_map(StreamId);
    let data = || (0..DATA.len()).prop_map(|len| &DATA[..len]);
    let code = prop_oneof![
        Just(CloseCode::Protocol),
        Just(CloseCode::FlowControl),
        Just(CloseCode::Refused),
        Just(CloseCode::Internal),
        (0..1_u64 << 61).prop_map(CloseCode::Application),
    ];
    prop_oneof![
        Just(Frame::Ping),
        Just(Frame::ImmediateAck),
        any::<u64>().prop_map(Frame::PathChallenge),
        any::<u64>().prop_map(Frame::PathResponse),
        (id(), 0..1_u64 << 61, data(), any::<bool>())
            .prop_map(|(id, offset, data, fin)| Frame::Stream { id, offset, data, fin }),
        (id(), number(), number()).prop_map(|(id, code, final_size)| Frame::ResetStream {
            id,
            code,
            final_size
        }),
        (id(), number()).prop_map(|(id, code)| Frame::StopSending { id, code }),
        number().prop_map(Frame::MaxData),
        (id(), number()).prop_map(|(id, max)| Frame::MaxStreamData { id, max }),
        number().prop_map(Frame::MaxStreams),
        number().prop_map(Frame::DataBlocked),
        (id(), number()).prop_map(|(id, max)| Frame::StreamDataBlocked { id, max }),
        (number(), number(), number()).prop_map(|(sequence, threshold, delay_us)| {
            Frame::AckFrequency { sequence, threshold, delay_us }
        }),
        (code, data()).prop_map(|(code, reason)| Frame::Close { code, reason }),
        data().prop_map(Frame::Datagram),
        (1..=COOKIE_BYTES_MAX).prop_map(|len| Frame::Ticket(&DATA[..len])),
        (1..1_u64 << 61, number(), 1..1_u64 << 61, 2..DATA.len()).prop_map(
            |(behind, span, stride, len)| Frame::Repair {
                behind,
                span: span % behind + 1,
                stride,
                sum: &DATA[..len],
            }
        ),
    ]
}

/// As many ranges as a receiver may remember, and not one more.
#[test]
fn an_ack_has_a_limit() {
    let decode = |more: u64| {
        let mut space = [0; 2000];
        let mut writer = Writer::new(&mut space);
        let head = [0, 10_000, more, 0].into_iter();
        writer.u8(0x02);
        head.chain((0..more * 2).map(|_| 0)).for_each(|value| writer.varint(value));
        let bytes = writer.written().to_vec();
        Frame::decode(&mut Reader::new(&bytes)).map(|frame| match frame {
            Frame::Ack(ack) => ack.ranges.iter().count(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(decode(ACK_RANGES_MAX as u64 - 1), Ok(ACK_RANGES_MAX));
    assert!(decode(ACK_RANGES_MAX as u64).is_err());
}

proptest! {
    #[test]
    fn frames_come_back(frames in prop::collection::vec(frame(), 0..12)) {
        let bytes: Vec<u8> = frames.iter().flat_map(frame_bytes).collect();
        let mut reader = Reader::new(&bytes);
        for frame in frames {
            prop_assert_eq!(Frame::decode(&mut reader), Ok(frame));
        }
        prop_assert!(reader.is_empty());
    }

    /// What can be read at all is written back to the same bytes: there is one encoding.
    #[test]
    fn there_is_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut reader = Reader::new(&bytes);
        if let Ok(frame) = Frame::decode(&mut reader) {
            let used = bytes.len() - reader.rest().len();
            // Without a length, a stream frame is the last one; `encode` always writes one.
            if !matches!(bytes[0], 0x10 | 0x11) {
                prop_assert_eq!(frame_bytes(&frame), &bytes[..used]);
            }
        }
    }

    #[test]
    fn acks_hold_the_highest_ranges_that_fit(
        runs in prop::collection::vec((1..300_u64, 1..300_u64), 1..40),
        room in 0..120_usize,
        start in number(),
    ) {
        let mut seen = RangeSet::new(64);
        let mut at = start >> 1;
        for (gap, run) in runs {
            seen.insert(at + gap..at + gap + run).unwrap();
            at += gap + run;
        }
        let mut space = [0; 200];
        let mut writer = Writer::new(&mut space);
        let count = Ack::write(&seen, Duration::from_millis(3), None, room, &mut writer);
        let written = writer.len();
        prop_assert!(written <= room);
        prop_assert_eq!(count == 0, written == 0);
        prop_assert!(count > 0 || room < 20, "one range takes at most 20 bytes");
        let bytes = writer.written().to_vec();
        if count > 0 {
            let frame = Frame::decode(&mut Reader::new(&bytes));
            let Ok(Frame::Ack(ack)) = frame else { panic!("{frame:?}") };
            let got: Vec<_> = ack.ranges.iter().collect();
            prop_assert_eq!(got, seen.iter().rev().take(count).collect::<Vec<_>>());
            prop_assert_eq!(ack.encoded_len() + 1, written);
        }
    }

    /// Any bytes behind a right checksum: no panic, and one encoding.
    #[test]
    fn packets_of_noise(
        kind in prop_oneof![0x10..=0x14_u8, Just(0x20), any::<u8>()],
        rest in prop::collection::vec(any::<u8>(), 0..150),
    ) {
        let mut bytes = vec![0, 0, 0, 0, kind];
        bytes.extend(rest);
        seal(&mut bytes);
        if let Ok(packet) = Packet::decode(&bytes) {
            // Parameters that are not known are skipped, and so not written back.
            let params = matches!(packet, Packet::Open { .. } | Packet::Accept { .. });
            if !params {
                prop_assert_eq!(bytes_of(&packet), bytes);
            }
        }
    }

    #[test]
    fn numbers_expand_to_the_nearest(
        expected in 0..1_u64 << 61,
        distance in -(1_i64 << 31) + 1..1_i64 << 31,
    ) {
        let number = expected.saturating_add_signed(distance);
        prop_assert_eq!(expand_number(truncate_number(number), expected), number);
    }
}

fn accept() -> Packet<'static> {
    Packet::Accept {
        to: ConnectionId(1),
        greeting: Greeting {
            version: VERSION,
            features: Features(1),
            from: ConnectionId(2),
            number: (1 << 62) - 1,
            token: ResetToken([7; 16]),
            params: PARAMS,
        },
        offered: (VERSION, Features(3)),
        frames: &[],
    }
}

#[test]
fn packets_come_back() {
    let token = ResetToken([9; 16]);
    let packets = [
        accept(),
        Packet::Challenge { to: ConnectionId(3), number: 5, cookie: &[1; 64] },
        Packet::Versions { to: ConnectionId(3), number: 5, versions: &[0, 0, 0, 1] },
        Packet::Reset { to: ConnectionId(u64::MAX), token },
        Packet::Data { to: ConnectionId(0), number: u32::MAX, frames: &[1, 1, 1] },
    ];
    for packet in packets {
        assert_eq!(Packet::decode(&bytes_of(&packet)), Ok(packet));
    }
}

#[test]
fn headers_stay_within_their_bounds() {
    let params = Params {
        idle_timeout: Duration::from_millis(u64::MAX >> 2),
        max_data: u64::MAX >> 2,
        max_stream_data: u64::MAX >> 2,
        max_streams: u64::MAX >> 2,
        max_ack_delay: Duration::from_micros(u64::MAX >> 2),
        max_packet_bytes: u64::MAX >> 2,
        max_datagram_bytes: u64::MAX >> 2,
        repair_window: u64::MAX >> 2,
        repair_percent: u64::MAX >> 2,
    };
    let open = Packet::Open {
        to: ConnectionId(0),
        greeting: Greeting {
            version: 0,
            features: Features(0),
            from: ConnectionId(0),
            number: 0,
            token: ResetToken([0; 16]),
            params,
        },
        cookie: &[0; COOKIE_BYTES_MAX],
        frames: &[],
    };
    let mut accept = accept();
    if let Packet::Accept { greeting, .. } = &mut accept {
        greeting.params = params;
    }
    assert!(bytes_of(&open).len() <= OPEN_HEADER_MAX, "{}", bytes_of(&open).len());
    assert!(bytes_of(&accept).len() <= ACCEPT_HEADER_MAX, "{}", bytes_of(&accept).len());
}

#[test]
fn refusals_have_names() {
    let refused = |kind: u8, rest: &[u8]| {
        let mut bytes = vec![0, 0, 0, 0, kind];
        bytes.extend([0; 8]);
        bytes.extend(rest);
        seal(&mut bytes);
        Packet::decode(&bytes).map(|_| ())
    };
    assert_eq!(refused(0x20, &[0; 3]), Err(DecodeError::Short { needed: 4, got: 3 }));
    assert_eq!(refused(0x55, &[]), Err(DecodeError::Kind(0x55)));
    let too_high = [0xff; 9];
    assert_eq!(refused(0x12, &too_high), Err(DecodeError::Field("a packet number has 62 bits")));
    assert_eq!(refused(0x12, &[0; 8]), Err(DecodeError::Field("a cookie has 1 to 64 bytes")));
    assert_eq!(refused(0x13, &[0; 10]), Err(DecodeError::Field("versions have four bytes each")));
    assert_eq!(refused(0x14, &[0; 17]), Err(DecodeError::Field("bytes after a reset token")));
    let mut open = vec![0; 40];
    open.push(65);
    assert_eq!(refused(0x10, &open), Err(DecodeError::Field("a cookie has at most 64 bytes")));
    let with = |params: &[u8]| {
        refused(0x10, &[&[0; 41][..], &[u8::try_from(params.len()).unwrap()], params].concat())
    };
    assert_eq!(
        with(&[6, 0x44, 0xb0, 1, 1]),
        Err(DecodeError::Field("parameters are not in order"))
    );
    assert_eq!(
        with(&[6, 0x44, 0xaf]),
        Err(DecodeError::Field("packets of 1200 bytes have to be accepted"))
    );
    assert_eq!(
        with(&[5, 0x81, 0, 0, 0, 6, 0x44, 0xb0]),
        Err(DecodeError::Field("the delay of acknowledgements is too long"))
    );
    assert!(with(&[6, 0x44, 0xb0, 0x40, 99, 1]).is_ok(), "unknown names are skipped");

    let frame = |bytes: &[u8]| Frame::decode(&mut Reader::new(bytes)).map(|_| ());
    assert_eq!(frame(&[0x40]), Err(DecodeError::Kind(0x40)));
    assert_eq!(frame(&[2, 0, 5, 0, 6]), Err(DecodeError::Field("an ACK reaches below packet 0")));
    assert_eq!(
        frame(&[2, 0, 5, 1, 1, 1, 2]),
        Err(DecodeError::Field("an ACK reaches below packet 0"))
    );
    assert_eq!(
        frame(&[6, 0x40, 1]),
        Err(DecodeError::Field("an integer is not in its shortest form"))
    );
    assert_eq!(frame(&[0x0d, 9, 0]), Err(DecodeError::Field("unknown reason for closing")));
    assert_eq!(frame(&[0x0f, 0]), Err(DecodeError::Field("a ticket has 1 to 64 bytes")));
    let idle = Err(DecodeError::Field("a repair packet that repairs nothing"));
    for (behind, span, stride, len) in [(9, 0, 1, 2), (9, 10, 1, 2), (9, 9, 0, 2), (9, 9, 1, 1)] {
        let bytes = [&[0x18, behind, span, stride, len][..], &vec![0; len.into()]].concat();
        assert_eq!(frame(&bytes), idle, "{bytes:?}");
    }
    let far = [0x12, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 7];
    assert_eq!(frame(&far), Err(DecodeError::Field("a stream reaches beyond 2^62")));
}

#[test]
fn damage_is_seen() {
    let bytes = bytes_of(&accept());
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert_eq!(Packet::decode(&damaged), Err(DecodeError::Checksum));
    }
}
