//! Bytes to packets and back, in every format: what decodes is what encodes, and back to the same
//! bytes; parts lie inside the datagram; few flipped bits do not pass a CRC.

use rdtp::wire::{
    Checksum, Codec, Frame, Kind, Scratch,
    compact::{self, VERSION},
    lab::{DataMessage, Honesty, LabChecksum, ReplyMessage},
};

use super::Bytes;

const CODECS: [Codec; 7] = [
    Codec::Bare,
    compact(Checksum::None),
    compact(Checksum::Internet),
    compact(Checksum::Crc16),
    compact(Checksum::Crc32c),
    lab(LabChecksum::Internet),
    lab(LabChecksum::Crc16),
];

const fn compact(checksum: Checksum) -> Codec {
    Codec::Compact { checksum }
}

const fn lab(checksum: LabChecksum) -> Codec {
    Codec::Lab { checksum, source_port: 50_000, destination_port: 5000 }
}

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mode = bytes.byte();
    let codec = CODECS[bytes.below(CODECS.len())];
    match mode % 4 {
        0 => any(codec, bytes.0),
        1 => built(codec, bytes),
        2 => sealed(bytes),
        // Bytes as the characters of the lab format.
        _ => any(codec, &bytes.0.iter().map(|byte| b'0' | byte & 1).collect::<Vec<_>>()),
    }
}

/// Bytes as they are.
fn any(codec: Codec, datagram: &[u8]) {
    let mut scratch = Scratch::default();
    let parts = codec.anatomy(datagram);
    assert!(datagram.get(parts.payload.clone()).is_some(), "{codec:?}: payload at {parts:?}");
    assert!(datagram.get(parts.checksum.clone()).is_some(), "{codec:?}: checksum at {parts:?}");
    let likely = codec.likely_kind(datagram);
    assert_eq!(parts.kind, likely);
    let Ok(frame) = codec.decode(datagram, &mut scratch) else { return };
    assert_eq!(likely, Some(frame.kind), "{codec:?}: an intact packet is told by its kind");
    assert!(codec.carries(&frame) || datagram.len() > codec.payload_max(), "{codec:?} {frame:?}");
    assert_eq!(encode_again(codec, &frame, datagram), datagram, "one datagram for each frame");
}

/// The one datagram that holds `frame`; the lab format has ports besides, which are taken over.
fn encode_again(codec: Codec, frame: &Frame<'_>, datagram: &[u8]) -> Vec<u8> {
    if let Codec::Lab { checksum, .. } = codec {
        return match frame.kind {
            Kind::Data => {
                let message = DataMessage::decode(datagram, checksum).expect("decoded before");
                assert_eq!(DataMessage::as_it_stands(datagram), Some(message));
                message.encode(checksum, Honesty::Honest).to_vec()
            }
            Kind::Ack | Kind::Nak => {
                let message = ReplyMessage::decode(datagram, checksum).expect("decoded before");
                message.encode(checksum, Honesty::Honest).to_vec()
            }
        };
    }
    let mut again = vec![0; codec.encoded_len(frame)];
    codec.encode(frame, &mut again);
    again
}

/// A packet made from its fields, and the same with up to three bits flipped.
fn built(codec: Codec, mut bytes: Bytes<'_>) {
    let kind = [Kind::Data, Kind::Ack, Kind::Nak][bytes.below(3)];
    let seq = bytes.seq() % codec.numbers().count();
    let flips: [usize; 3] = [bytes.below(65_536), bytes.below(65_536), bytes.below(65_536)];
    let payload = if kind == Kind::Data { bytes.0 } else { &[] };
    let frame = Frame { kind, seq, payload };
    if !codec.carries(&frame) {
        return;
    }
    let mut datagram = vec![0; codec.encoded_len(&frame)];
    codec.encode(&frame, &mut datagram);
    assert_eq!(codec.decode(&datagram, &mut Scratch::default()), Ok(frame), "{codec:?}");
    any(codec, &datagram);
    let mut damaged = datagram.clone();
    for bit in flips {
        if let Some(bit) = bit.checked_rem(damaged.len() * 8) {
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
    }
    // CRC-32C sees any three flipped bits in datagrams of this length.
    if damaged != datagram && codec == compact(Checksum::Crc32c) {
        assert!(codec.decode(&damaged, &mut Scratch::default()).is_err(), "{flips:?} pass");
    }
    any(codec, &damaged);
}

/// Bytes behind a prefix and a checksum that fit them, so that the fields behind them are read.
fn sealed(mut bytes: Bytes<'_>) {
    let checksum = Checksum::Crc16;
    let kind = [0x44, 0xbc, 0x5b, 0x00][bytes.below(4)];
    let (prefix, body) = ([VERSION, kind], bytes.0);
    let mut datagram = [&prefix[..], &[0, 0], body].concat();
    checksum.put([&prefix[..], body], &mut datagram[2..4]);
    assert_ne!(compact::decode(&datagram, checksum), Err(rdtp::wire::DecodeError::Checksum));
    any(compact(checksum), &datagram);
}
