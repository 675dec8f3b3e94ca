//! Probes and replies as bytes.

use core::ops::Deref;

/// What the original program sends, and gets back (S1-09).
pub const WORD: &[u8; 4] = b"ping";

/// The longest message of a monitor, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 14;

const MAGIC: &[u8; 4] = b"RDTM";
const VERSION: u8 = 1;
const PROBE: u8 = 1;
const REPLY: u8 = 2;

/// How probes and replies look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 14 bytes with a token.
    #[default]
    Token,
    /// The word `ping`, both ways.
    Word,
}

/// What ties a reply to its probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message with a token.
///
/// ```
/// use rdtp::app::monitor::{Message, Token};
///
/// let probe = Message::Probe(Token(7)).encode();
/// assert_eq!(&probe[..], b"RDTM\x01\x01\0\0\0\0\0\0\0\x07");
/// assert_eq!(Message::decode(&probe), Some(Message::Probe(Token(7))));
/// assert_eq!(Message::decode(b"ping"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks for a reply with this token.
    Probe(Token),
    /// Answers the probe with this token.
    Reply(Token),
}

impl Message {
    /// Its bytes.
    pub fn encode(self) -> Written {
        let (kind, Token(token)) = match self {
            Self::Probe(token) => (PROBE, token),
            Self::Reply(token) => (REPLY, token),
        };
        let mut bytes = [0; MESSAGE_BYTES_MAX];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = VERSION;
        bytes[5] = kind;
        bytes[6..].copy_from_slice(&token.to_be_bytes());
        Written { bytes, len: MESSAGE_BYTES_MAX }
    }

    /// The message of these bytes, if they are one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, token) = bytes.split_at_checked(6)?;
        let token = Token(u64::from_be_bytes(token.try_into().ok()?));
        match (head.strip_prefix(MAGIC)?, token) {
            ([VERSION, PROBE], token) => Some(Self::Probe(token)),
            ([VERSION, REPLY], token) => Some(Self::Reply(token)),
            _ => None,
        }
    }
}

/// A message as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    bytes: [u8; MESSAGE_BYTES_MAX],
    len: usize,
}

impl Deref for Written {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Format {
    /// A probe.
    pub(super) fn probe(self, token: Token) -> Written {
        match self {
            Self::Token => Message::Probe(token).encode(),
            Self::Word => word(),
        }
    }
}

fn word() -> Written {
    let mut bytes = [0; MESSAGE_BYTES_MAX];
    bytes[..WORD.len()].copy_from_slice(WORD);
    Written { bytes, len: WORD.len() }
}

/// The reply to a message, if it is a probe of this format. Replies are as long as probes, so that
/// nobody gains by sending probes in another's name.
///
/// A reply of [`Format::Word`] is itself a probe: two hosts that both answer would go on for ever
/// once somebody has made them begin. Hold the rate down, as [`DatagramEcho`](super::DatagramEcho)
/// does.
///
/// ```
/// use rdtp::app::monitor::{Format, Message, Token, answer};
///
/// let reply = answer(Format::Token, &Message::Probe(Token(7)).encode());
/// assert_eq!(reply.as_deref(), Some(&Message::Reply(Token(7)).encode()[..]));
/// assert_eq!(answer(Format::Word, b"ping").as_deref(), Some(&b"ping"[..]));
/// assert_eq!(answer(Format::Word, b"ping!"), None);
/// ```
pub fn answer(format: Format, message: &[u8]) -> Option<Written> {
    match format {
        Format::Token => match Message::decode(message)? {
            Message::Probe(token) => Some(Message::Reply(token).encode()),
            Message::Reply(_) => None,
        },
        Format::Word => (message == WORD).then(word),
    }
}
