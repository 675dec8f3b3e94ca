//! The wire format of the production transport: packets, and the frames inside them.
//!
//! A datagram is one packet. Every packet begins alike, whatever its version:
//!
//! | bytes | field |
//! | --- | --- |
//! | 0 to 3 | CRC-32C of all bytes that follow |
//! | 4 | kind of packet |
//! | 5 to 12 | connection ID that the receiver of the packet chose |
//!
//! What follows depends on the kind; [`Packet`] has the fields. Kinds that carry data end in
//! [frames](Frame), one after the other up to the end of the datagram. Numbers of fixed width are
//! big-endian, others are the variable-length integers of RFC 9000 section 16, always in their
//! shortest form: a packet has exactly one encoding.
//!
//! | kind | byte | after the connection ID |
//! | --- | --- | --- |
//! | open | 0x10 | version 4, features 4, source ID 8, number 8, reset token 16, cookie length 1 and cookie, parameters, frames |
//! | accept | 0x11 | version 4, features 4, offered version 4, offered features 4, source ID 8, number 8, reset token 16, parameters, frames |
//! | challenge | 0x12 | number of the open 8, cookie |
//! | versions | 0x13 | number of the open 8, versions 4 each |
//! | reset | 0x14 | reset token 16 |
//! | data | 0x20 | low 32 bits of the number, frames |
//!
//! Parameters are a length in bytes, then pairs of a name and a value, names ascending.
//!
//! [`layout`] has all of this as tables, which the [guide](crate::manual::ch14_wire) draws;
//! [`dissect()`] takes a datagram apart for people, and [`example`] has one of each kind.
//!
//! The checksum stops noise. It does not stop people: whoever can read one packet can forge the
//! next, as with TCP.

mod ack;
mod anatomy;
mod bulk;
mod cursor;
mod dissect;
pub mod example;
mod frame;
pub mod layout;
mod packet;
mod params;

pub use ack::{ACK_RANGES_MAX, Ack, AckRanges, EcnCounts};
pub use anatomy::anatomy;
pub(crate) use bulk::Bulk;
pub use cursor::{Reader, Writer};
pub use dissect::{Dissection, Field, dissect};
pub use frame::{CloseCode, Frame, StreamId};
pub(crate) use packet::seal_head;
pub use packet::{
    ACCEPT_HEADER_MAX, CHALLENGE_BYTES_MAX, COOKIE_BYTES_MAX, ConnectionId, DATA_HEADER_BYTES,
    Features, Greeting, OPEN_HEADER_MAX, Packet, ResetToken, VERSION, expand_number, seal,
    truncate_number,
};
pub use params::Params;

#[cfg(test)]
mod tests;
