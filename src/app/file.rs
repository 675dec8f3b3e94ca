//! One file from one side to the other, over messages that arrive in order and exactly once.
//!
//! [`FileSender`] turns a file into messages, [`FileReceiver`] turns messages into what is to be
//! done on disk, and sends its verdict back: only that tells the sender that the file arrived
//! whole. Neither touches a disk, and both get the digest function from the caller.
//!
//! # Messages
//!
//! The first byte says what the message is; numbers are big-endian.
//!
//! | Byte | Message | Then |
//! | --- | --- | --- |
//! | 1 | header | `RDTF`, version 1, carrier in 4 bytes, size in 8 bytes, the name in UTF-8 to the end |
//! | 2 | data | the next bytes of the file, at least one |
//! | 3 | trailer | the digest of all bytes, 32 bytes |
//! | 4 | abort | nothing: the sender cannot go on |
//! | 5 | verdict | one byte: 0 when the file is stored whole, otherwise a [`Refusal`] |
//!
//! The carrier is a number that stands for the protocol below and its parameters, or 0. Go-back-N on
//! one side and selective repeat on the other understand each other's packets, but not what they
//! mean: the receiver refuses a file that comes over another carrier than its own.
//!
//! The digest finds what the checksums of datagrams let pass. It guards against accidents, not
//! against an enemy, who could send the digest of another file.
//!
//! # The last message
//!
//! Two parties over a lossy network can never both be certain that the other knows (the two
//! generals' problem). Here the sender's success is the verdict's arrival. The receiver, whose file
//! is safe by then, cannot know whether its verdict arrived: it repeats it for a while and goes.

mod name;
mod receive;
mod send;

pub use name::{NAME_BYTES_MAX, NameError, check_name, final_component};
pub use receive::{Action, FileReceiver};
pub use send::{FileSender, SendError};

use core::fmt;

/// What guards the whole file: a hash function with a result of 32 bytes, such as BLAKE3.
pub trait Digest {
    /// Takes the next bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The digest of all bytes so far.
    fn finish(&self) -> [u8; 32];
}

const MAGIC: &[u8; 4] = b"RDTF";
const VERSION: u8 = 1;
const HEADER: u8 = 1;
const DATA: u8 = 2;
const TRAILER: u8 = 3;
const ABORT: u8 = 4;
const VERDICT: u8 = 5;
/// Bytes of a header before the name.
const HEADER_BYTES: usize = 1 + 4 + 1 + 4 + 8;

/// Bytes that a data message adds to the chunk it carries.
pub const DATA_OVERHEAD: usize = 1;
/// The longest message that is not data: a header with the longest name.
pub const CONTROL_BYTES_MAX: usize = HEADER_BYTES + NAME_BYTES_MAX;

/// Why a receiver did not take a file, as it tells the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The messages make no sense, or speak another version.
    Malformed,
    /// The name is not one that a file here may have.
    Name,
    /// The file is larger than the receiver allows.
    TooLarge,
    /// More or fewer bytes came than the header declared.
    Size,
    /// The bytes that arrived are not the bytes that were sent.
    Digest,
    /// The receiver's disk failed or is full.
    Storage,
    /// The sender stopped of its own accord.
    Aborted,
    /// The other side uses another protocol, or other parameters of it.
    Carrier,
    /// A reason that this version does not know.
    Other(u8),
}

impl Refusal {
    const fn code(self) -> u8 {
        match self {
            Self::Malformed => 1,
            Self::Name => 2,
            Self::TooLarge => 3,
            Self::Size => 4,
            Self::Digest => 5,
            Self::Storage => 6,
            Self::Aborted => 7,
            Self::Carrier => 8,
            Self::Other(code) => code,
        }
    }

    /// The verdict that a code stands for.
    const fn verdict(code: u8) -> Result<(), Self> {
        Err(match code {
            0 => return Ok(()),
            1 => Self::Malformed,
            2 => Self::Name,
            3 => Self::TooLarge,
            4 => Self::Size,
            5 => Self::Digest,
            6 => Self::Storage,
            7 => Self::Aborted,
            8 => Self::Carrier,
            code => Self::Other(code),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the messages are not those of a file transfer",
            Self::Name => "the file's name is not allowed",
            Self::TooLarge => "the file is larger than the receiver allows",
            Self::Size => "the file's size is not the one declared",
            Self::Digest => "the digest differs: the file arrived damaged",
            Self::Storage => "the receiver could not store it",
            Self::Aborted => "the sender stopped",
            Self::Carrier => "the two sides use different protocols, windows or numbers",
            Self::Other(code) => return write!(f, "reason {code}"),
        })
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
