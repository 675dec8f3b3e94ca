//! Which datagrams are feedback, for links that treat it in another way than data.

use super::{
    DATA_HEADER_BYTES, Frame, Reader,
    packet::{ACCEPT, CHALLENGE, DATA, KIND_AT, OPEN, RESET, VERSIONS},
};
use crate::wire::{Anatomy, Kind};

/// Where the parts of a datagram lie. A data packet that nobody has to acknowledge and that has an
/// ACK is feedback; what is not legible has no kind.
pub fn anatomy(datagram: &[u8]) -> Anatomy {
    let kind = match datagram.get(KIND_AT) {
        Some(&DATA) if datagram.len() >= DATA_HEADER_BYTES => {
            let feedback = is_feedback(&datagram[DATA_HEADER_BYTES..]);
            Some(if feedback { Kind::Ack } else { Kind::Data })
        }
        Some(&(DATA | OPEN | ACCEPT | CHALLENGE | VERSIONS | RESET)) => Some(Kind::Data),
        _ => None,
    };
    let end = |at: usize| at.min(datagram.len());
    Anatomy { kind, checksum: 0..end(KIND_AT), payload: end(DATA_HEADER_BYTES)..datagram.len() }
}

fn is_feedback(frames: &[u8]) -> bool {
    let mut reader = Reader::new(frames);
    let mut acks = false;
    while !reader.is_empty() {
        match Frame::decode(&mut reader) {
            Ok(Frame::Ack(_)) => acks = true,
            Ok(Frame::Padding(_)) => {}
            _ => return false,
        }
    }
    acks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buf::RangeSet,
        wire::transport::{Ack, ConnectionId, Packet, Writer},
    };
    use core::time::Duration;

    #[test]
    fn acks_alone_are_feedback() {
        let mut seen = RangeSet::new(4);
        seen.insert_or_forget_lowest(3..9);
        for (more, kind) in [
            (None, Kind::Ack),
            (Some(Frame::Padding(9)), Kind::Ack),
            (Some(Frame::Ping), Kind::Data),
        ] {
            let mut space = [0; 100];
            let mut writer = Writer::new(&mut space);
            Packet::Data { to: ConnectionId(1), number: 2, frames: &[] }.encode(&mut writer);
            Ack::write(&seen, Duration::ZERO, None, 50, &mut writer);
            if let Some(frame) = more {
                frame.encode(&mut writer);
            }
            let anatomy = anatomy(writer.written());
            assert_eq!((anatomy.kind, anatomy.checksum), (Some(kind), 0..4));
            assert_eq!(anatomy.payload.start, DATA_HEADER_BYTES);
        }
        assert_eq!(anatomy(&[0; 9]).kind, None);
        assert_eq!(anatomy(&[]).payload, 0..0);
    }
}
