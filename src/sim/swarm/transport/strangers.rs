//! What strangers send, and what somebody on the path forges.

use alloc::{vec, vec::Vec};
use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::hazard::Hazard;
use crate::{
    buf::RangeSet,
    rng::Rng,
    wire::transport::{
        Ack, CloseCode, ConnectionId, Features, Frame, Greeting, Packet, Params, ResetToken,
        StreamId, VERSION, Writer, seal,
    },
};

/// What strangers know.
#[derive(Debug)]
pub(super) struct Knowledge<'a> {
    /// The address of the other node.
    pub(super) peer: SocketAddr,
    /// What arrived at this node before.
    pub(super) recorded: &'a [(SocketAddr, Vec<u8>)],
    /// What this node calls the connection that is forged.
    pub(super) victim: Option<ConnectionId>,
}

/// The longest datagram of strangers.
const BYTES_MAX: usize = 1500;
/// Bytes of a checksum, a kind and an ID.
const HEAD: usize = 13;

/// The next datagram of a hazard, and where it seems to come from; `None` when there is nothing to
/// make it from.
pub(super) fn datagram(
    hazard: Hazard,
    rng: &mut Rng,
    know: &Knowledge<'_>,
) -> Option<(SocketAddr, Vec<u8>)> {
    let Knowledge { peer, recorded, victim } = *know;
    let old = |rng: &mut Rng| {
        let at = usize::try_from(rng.below(recorded.len() as u64)).unwrap_or(0);
        recorded.get(at).cloned()
    };
    match hazard {
        Hazard::Garbage => {
            let len = usize::try_from(rng.below(BYTES_MAX as u64)).unwrap_or(0);
            let mut bytes = vec![0; len];
            rng.fill(&mut bytes);
            if len > HEAD && rng.below(2) == 0 {
                // A kind that there is.
                bytes[4] = [0x10, 0x11, 0x12, 0x13, 0x14, 0x20][usize::from(bytes[4] % 6)];
                seal(&mut bytes);
            }
            Some((peer, bytes))
        }
        Hazard::OldPackets => old(rng),
        Hazard::Misdirection => {
            // What the network damaged is nobody's word.
            let (source, mut bytes) =
                old(rng).filter(|(_, bytes)| Packet::decode(bytes).is_ok())?;
            if rng.below(2) == 0 {
                return Some((elsewhere(rng), bytes));
            }
            // Another name.
            let at = 5 + usize::try_from(rng.below(8)).unwrap_or(0);
            bytes[at] ^= 1 << rng.below(8);
            seal(&mut bytes);
            Some((source, bytes))
        }
        Hazard::Spoofing => Some((elsewhere(rng), spoofed(rng))),
        Hazard::Forgery => Some((peer, forged(rng, victim?, recorded))),
        _ => None,
    }
}

/// An address that no node has.
fn elsewhere(rng: &mut Rng) -> SocketAddr {
    let host = u32::try_from(rng.below(200)).unwrap_or(0);
    (Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 9, 0, 1)) + host), 7000).into()
}

fn spoofed(rng: &mut Rng) -> Vec<u8> {
    let greeting = Greeting {
        version: if rng.below(8) == 0 { VERSION + 1 } else { VERSION },
        features: Features::default(),
        from: ConnectionId(rng.next_u64()),
        number: rng.below(1 << 31),
        token: ResetToken([7; 16]),
        params: Params { max_data: 1 << 20, max_stream_data: 1 << 20, ..Params::default() },
    };
    let to = ConnectionId(rng.next_u64());
    let mut bytes = vec![0; Params::MIN_PACKET_BYTES];
    let mut writer = Writer::new(&mut bytes);
    Packet::Open { to, greeting, cookie: &[], frames: &[] }.encode(&mut writer);
    Frame::Ping.encode(&mut writer);
    let room = writer.room();
    Frame::Padding(room).encode(&mut writer);
    seal(&mut bytes);
    bytes
}

/// A packet of the connection that is named `to` here, with frames that nobody meant.
fn forged(rng: &mut Rng, to: ConnectionId, recorded: &[(SocketAddr, Vec<u8>)]) -> Vec<u8> {
    let numbers = recorded.iter().filter_map(|(_, bytes)| match Packet::decode(bytes) {
        Ok(Packet::Data { to: name, number, .. }) if name == to => Some(number),
        _ => None,
    });
    let ahead = u32::try_from(rng.below(64)).unwrap_or(0);
    let number = match numbers.max() {
        Some(number) => number.wrapping_add(ahead),
        None => u32::try_from(rng.below(1 << 31)).unwrap_or(0),
    };
    let mut bytes = vec![0; 1200];
    let mut writer = Writer::new(&mut bytes);
    Packet::Data { to, number, frames: &[] }.encode(&mut writer);
    for _ in 0..rng.between(1, 6) {
        frame(rng, &mut writer);
    }
    let len = writer.len();
    bytes.truncate(len);
    seal(&mut bytes);
    bytes
}

fn frame(rng: &mut Rng, writer: &mut Writer<'_>) {
    let id = StreamId(rng.below(8));
    let bits = rng.between(1, 40);
    let far = rng.below(1 << bits);
    let data = [0x55; 64];
    let data = &data[..usize::try_from(rng.below(64)).unwrap_or(0)];
    match rng.below(14) {
        0..=3 => Frame::Stream { id, offset: far, data, fin: rng.below(8) == 0 }.encode(writer),
        4 => Frame::ResetStream { id, code: 1, final_size: far }.encode(writer),
        5 => Frame::StopSending { id, code: 1 }.encode(writer),
        6 => Frame::MaxData(far).encode(writer),
        7 => Frame::MaxStreamData { id, max: far }.encode(writer),
        8 => Frame::MaxStreams(far).encode(writer),
        9 => Frame::DataBlocked(far).encode(writer),
        10 => Frame::AckFrequency { sequence: far, threshold: far, delay_us: far }.encode(writer),
        11 => Frame::Datagram(data).encode(writer),
        12 => {
            let mut seen = RangeSet::new(8);
            seen.insert_or_forget_lowest(far..far + 1 + rng.below(8));
            let room = writer.room();
            Ack::write(&seen, Duration::from_micros(far), None, room, writer);
        }
        _ if rng.below(16) == 0 => {
            Frame::Close { code: CloseCode::Internal, reason: data }.encode(writer);
        }
        _ => Frame::ImmediateAck.encode(writer),
    }
}
