//! The packet of which bulk consists, for whoever gets many of them.

use super::{
    ConnectionId, StreamId,
    cursor::Reader,
    frame::STREAM,
    packet::{DATA, DATA_HEADER_BYTES, KIND_AT, is_whole},
};
use crate::wire::varint;

/// A data packet that holds bytes of one stream, not its end, and nothing else, as it seems:
/// [`is_whole`](Self::is_whole) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bulk<'a> {
    /// The receiver's name for the connection.
    pub(crate) to: ConnectionId,
    /// The low 32 bits of the packet number.
    pub(crate) number: u32,
    pub(crate) id: StreamId,
    /// Where the bytes stand in the stream.
    pub(crate) offset: u64,
    pub(crate) data: &'a [u8],
    datagram: &'a [u8],
}

impl<'a> Bulk<'a> {
    /// Looks at a datagram; `None` when it is something else.
    pub(crate) fn peek(datagram: &'a [u8]) -> Option<Self> {
        if datagram.get(KIND_AT) != Some(&DATA) || datagram.get(DATA_HEADER_BYTES) != Some(&STREAM)
        {
            return None;
        }
        let mut reader = Reader::new(&datagram[KIND_AT + 1..]);
        let (to, number) = (ConnectionId(reader.u64().ok()?), reader.u32().ok()?);
        reader.u8().ok()?;
        let (id, offset) = (StreamId(reader.varint().ok()?), reader.varint().ok()?);
        let data = reader.rest();
        let ends = offset + data.len() as u64 <= varint::MAX;
        ends.then_some(Self { to, number, id, offset, data, datagram })
    }

    /// Whether the checksum holds, and so everything else.
    pub(crate) fn is_whole(&self) -> bool {
        is_whole(self.datagram)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;
    use crate::wire::transport::{Frame, Packet, Writer, example, seal};
    use proptest::prelude::*;

    /// What the ordinary way makes of a datagram, if it is bulk.
    fn ordinary(datagram: &[u8]) -> Option<(ConnectionId, u32, StreamId, u64, &[u8])> {
        let Packet::Data { to, number, frames } = Packet::decode(datagram).ok()? else {
            return None;
        };
        let mut reader = Reader::new(frames);
        match Frame::decode(&mut reader).ok()? {
            Frame::Stream { id, offset, data, fin: false } if frames[0] == STREAM => {
                Some((to, number, id, offset, data))
            }
            _ => None,
        }
    }

    fn short(datagram: &[u8]) -> Option<(ConnectionId, u32, StreamId, u64, &[u8])> {
        let bulk = Bulk::peek(datagram).filter(Bulk::is_whole)?;
        Some((bulk.to, bulk.number, bulk.id, bulk.offset, bulk.data))
    }

    #[test]
    fn of_every_kind_of_packet_it_says_what_the_ordinary_way_says() {
        for name in example::NAMES {
            let datagram = example::datagram(name).expect("one of the names");
            assert_eq!(short(&datagram), ordinary(&datagram), "{name}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_the_ordinary_way_reads(
            (to, number, id, offset) in (any::<u64>(), any::<u32>(), 0..1_u64 << 62, 0..1_u64 << 62),
            kind in 0x0f..0x15_u8,
            data in prop::collection::vec(any::<u8>(), 0..40),
            harm in prop::option::of((any::<prop::sample::Index>(), 0..8_u8)),
            cut in 0..3_usize,
        ) {
            let mut space = vec![0; 200];
            let mut writer = Writer::new(&mut space);
            let to = ConnectionId(to);
            Packet::Data { to, number, frames: &[] }.encode(&mut writer);
            writer.u8(kind);
            writer.varint(id);
            writer.varint(offset);
            writer.bytes(&data);
            seal(writer.written());
            let mut datagram: Vec<u8> = writer.written().to_vec();
            if let Some((place, bit)) = harm {
                let place = place.index(datagram.len());
                datagram[place] ^= 1 << bit;
            }
            datagram.truncate(datagram.len() - if cut == 2 { data.len() } else { 0 });
            prop_assert_eq!(short(&datagram), ordinary(&datagram));
        }
    }
}
