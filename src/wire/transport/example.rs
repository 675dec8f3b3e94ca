//! A packet of each kind, as the guide shows them byte by byte. The tests hold their bytes: if one
//! moves, two releases cannot talk to each other any more.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use super::{
    Ack, CloseCode, ConnectionId, EcnCounts, Features, Frame, Greeting, Packet, Params, ResetToken,
    StreamId, VERSION, Writer, seal,
};
use crate::buf::RangeSet;

/// The names of the examples.
pub const NAMES: [&str; 9] =
    ["open", "accept", "challenge", "versions", "reset", "data", "frames", "path", "close"];

/// Limits as a side may tell them.
pub(super) const PARAMS: Params = Params {
    idle_timeout: Duration::from_secs(30),
    max_data: 1 << 20,
    max_stream_data: 1 << 18,
    max_streams: 100,
    max_ack_delay: Duration::from_millis(25),
    max_packet_bytes: 1472,
    max_datagram_bytes: 0,
    repair_window: 0,
    repair_percent: 0,
};

/// What the opener and the acceptor call the connection.
const OPENER: ConnectionId = ConnectionId(0x1112_1314_1516_1718);
const ACCEPTOR: ConnectionId = ConnectionId(0x2122_2324_2526_2728);

fn greeting(from: ConnectionId, number: u64, token: u8) -> Greeting {
    let token = ResetToken([token; 16]);
    Greeting { version: VERSION, features: Features(0), from, number, token, params: PARAMS }
}

/// The datagram of this name, sealed; `None` when there is none.
///
/// ```
/// use rdtp::wire::transport::{Packet, example};
///
/// let datagram = example::datagram("data").expect("one of the names");
/// assert!(matches!(Packet::decode(&datagram), Ok(Packet::Data { .. })));
/// ```
pub fn datagram(name: &str) -> Option<Vec<u8>> {
    let packet = match name {
        "open" => Packet::Open {
            to: ConnectionId(0x0102_0304_0506_0708),
            greeting: greeting(OPENER, 0x2a2b, 0x77),
            cookie: b"ck",
            frames: &[],
        },
        "accept" => Packet::Accept {
            to: OPENER,
            greeting: greeting(ACCEPTOR, 0x3a3b, 0x88),
            offered: (VERSION, Features(0)),
            frames: &[],
        },
        "challenge" => Packet::Challenge { to: OPENER, number: 0x2a2b, cookie: b"ck" },
        "versions" => {
            Packet::Versions { to: OPENER, number: 0x2a2b, versions: &VERSION.to_be_bytes() }
        }
        "reset" => Packet::Reset { to: OPENER, token: ResetToken([0x88; 16]) },
        "data" | "frames" | "path" | "close" => {
            Packet::Data { to: ACCEPTOR, number: 9, frames: &[] }
        }
        _ => return None,
    };
    let mut space = vec![0; 512];
    let mut writer = Writer::new(&mut space);
    packet.encode(&mut writer);
    match name {
        "open" => Frame::Ping.encode(&mut writer),
        "data" => {
            Frame::write_stream_header(StreamId(2), 5, None, true, &mut writer);
            writer.bytes(b"hi");
        }
        "frames" => frames(&mut writer),
        "path" => {
            Frame::PathChallenge(0x3132_3334_3536_3738).encode(&mut writer);
            Frame::PathResponse(0x4142_4344_4546_4748).encode(&mut writer);
        }
        "close" => {
            let code = CloseCode::Application(5);
            Frame::Close { code, reason: b"bye" }.encode(&mut writer);
        }
        _ => {}
    }
    seal(writer.written());
    let len = writer.len();
    space.truncate(len);
    Some(space)
}

/// One frame of each shape.
fn frames(writer: &mut Writer<'_>) {
    let mut seen = RangeSet::new(3);
    for range in [2..4, 6..7, 10..21] {
        // Three pieces is what it was made for.
        seen.insert(range).unwrap_or_default();
    }
    let ecn = EcnCounts { ect0: 70, ect1: 0, ce: 1 };
    Ack::write(&seen, Duration::from_micros(300), Some(ecn), usize::MAX, writer);
    for frame in [
        Frame::MaxData(64),
        Frame::ResetStream { id: StreamId(3), code: 4, final_size: 5 },
        Frame::Datagram(b"x"),
        Frame::Stream { id: StreamId(2), offset: 16_384, data: b"ab", fin: true },
        Frame::Padding(3),
    ] {
        frame.encode(writer);
    }
}
