//! What each side tells the other once, when the connection is made.

use core::time::Duration;

use super::{Reader, Writer};
use crate::wire::{DecodeError, varint};

/// The limits that a side sets for its peer. Whatever a side does not name is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// Silence after which the connection is given up; zero means never. Whole milliseconds.
    pub idle_timeout: Duration,
    /// Bytes that may be sent on all streams together before [`MaxData`](super::Frame::MaxData).
    pub max_data: u64,
    /// Bytes that may be sent on each stream before
    /// [`MaxStreamData`](super::Frame::MaxStreamData).
    pub max_stream_data: u64,
    /// Streams that may be opened before [`MaxStreams`](super::Frame::MaxStreams).
    pub max_streams: u64,
    /// The longest that an acknowledgement is held back. Whole microseconds.
    pub max_ack_delay: Duration,
    /// The longest datagram that is accepted, UDP payload; at least
    /// [`MIN_PACKET_BYTES`](Self::MIN_PACKET_BYTES).
    pub max_packet_bytes: u64,
    /// The longest [`Datagram`](super::Frame::Datagram) frame's message; zero means none are taken.
    pub max_datagram_bytes: u64,
    /// Bytes of packets that are remembered so that one of them can be [repaired](super::Frame::Repair);
    /// zero when repair frames are of no use here.
    pub repair_window: u64,
    /// Bytes of repair frames for a hundred others that this side sends at most; zero for none, and
    /// then nothing needs to be remembered for it.
    pub repair_percent: u64,
}

impl Params {
    /// Bytes of UDP payload that every path is taken to bear (RFC 9000 section 14).
    pub const MIN_PACKET_BYTES: usize = 1200;
    /// The longest delay of acknowledgements that is believed (RFC 9000 section 18.2).
    pub const ACK_DELAY_MAX: Duration = Duration::from_millis((1 << 14) - 1);
    /// What the names 1, 2, ... mean on the wire, and in which unit.
    pub(super) const NAMES: [(&'static str, &'static str); 9] = [
        ("idle timeout", "ms"),
        ("max data", "bytes"),
        ("max stream data", "bytes"),
        ("max streams", "streams"),
        ("max ACK delay", "us"),
        ("max packet", "bytes"),
        ("max datagram", "bytes"),
        ("repair window", "bytes"),
        ("repair sent", "percent"),
    ];
    /// The longest encoding.
    pub(super) const ENCODED_MAX: usize = 2 + 9 * (1 + 8);

    fn values(&self) -> [u64; 9] {
        let whole = |units: u128| u64::try_from(units).unwrap_or(varint::MAX);
        [
            whole(self.idle_timeout.as_millis()),
            self.max_data,
            self.max_stream_data,
            self.max_streams,
            whole(self.max_ack_delay.as_micros()),
            self.max_packet_bytes,
            self.max_datagram_bytes,
            self.repair_window,
            self.repair_percent,
        ]
    }

    /// Writes the parameters that are not zero: a length, then names from 1 up with their values.
    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        let named = (1_u64..).zip(self.values()).filter(|&(_, value)| value != 0);
        let value = |value: u64| value.min(varint::MAX);
        let lens = named.clone().map(|(name, v)| varint::len(name) + varint::len(value(v)));
        writer.varint(lens.sum::<usize>() as u64);
        for (name, v) in named {
            writer.varint(name);
            writer.varint(value(v));
        }
    }

    /// Reads parameters. Names that are not known are skipped, so that later versions may add some;
    /// values that make no sense are refused.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut pairs = Reader::new(reader.prefixed()?);
        let (mut values, mut before) = ([0; 9], 0);
        while !pairs.is_empty() {
            let (name, value) = (pairs.varint()?, pairs.varint()?);
            if name <= before {
                return Err(DecodeError::Field("parameters are not in order"));
            }
            before = name;
            let slot = usize::try_from(name - 1).ok().and_then(|at| values.get_mut(at));
            if let Some(slot) = slot {
                *slot = value;
            }
        }
        let [idle_ms, max_data, max_stream_data, max_streams, delay_us, packet, datagram, ..] =
            values;
        let [.., repair_window, repair_percent] = values;
        let max_ack_delay = Duration::from_micros(delay_us);
        if max_ack_delay > Self::ACK_DELAY_MAX {
            return Err(DecodeError::Field("the delay of acknowledgements is too long"));
        }
        if packet < Self::MIN_PACKET_BYTES as u64 {
            return Err(DecodeError::Field("packets of 1200 bytes have to be accepted"));
        }
        Ok(Self {
            idle_timeout: Duration::from_millis(idle_ms),
            max_data,
            max_stream_data,
            max_streams,
            max_ack_delay,
            max_packet_bytes: packet,
            max_datagram_bytes: datagram,
            repair_window,
            repair_percent,
        })
    }
}
