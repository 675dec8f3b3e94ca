//! The originals' own bytes: servers and clients that understand, and are understood by, the programs
//! that this chat unites.
//!
//! | | TCP | UDP | port |
//! | --- | --- | --- | --- |
//! | S0 | commands, a file with its header | the same, behind the sender's name | 5555 |
//! | S1 | lines, relayed with the sender's address | the same, and `ping` | 12345 |
//! | S3 | one client, shown | | 5000 |
//! | S4 | two who talk, a line feed after each line | rooms, commands of two letters | 8090 |
//!
//! They have no frames, no confirmation and no files larger than a datagram, and what arrives in one
//! piece is taken for one message, as the originals do. Everything else about a peer that is not
//! trusted holds here too: what it can make grow has a limit.

mod client;
mod s0;
mod s1;
mod s3;
mod s4;

use alloc::{
    collections::VecDeque,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, fmt::Write as _, net::SocketAddr, str::FromStr};

use super::server::{PeerId, Wire};

pub use client::CompatClient;

/// Which original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Original {
    /// Chat over TCP and UDP, with files, in Portuguese.
    S0,
    /// Chat over TCP and UDP, with `ping`, in Portuguese.
    S1,
    /// One client that sends, one server that shows, in Spanish.
    S3,
    /// Two who talk over TCP, rooms over UDP, in English.
    S4,
}

impl Original {
    /// The port that it uses.
    pub const fn port(self) -> u16 {
        match self {
            Self::S0 => 5555,
            Self::S1 => 12345,
            Self::S3 => 5000,
            Self::S4 => 8090,
        }
    }

    /// Whether it has a version for such a carrier.
    pub fn has(self, wire: Wire) -> bool {
        self != Self::S3 || wire == Wire::Stream
    }

    /// A server that speaks as it does.
    pub fn server(self, wire: Wire) -> CompatServer {
        let style: alloc::boxed::Box<dyn Style> = match self {
            Self::S0 => alloc::boxed::Box::new(s0::S0::new(wire)),
            Self::S1 => alloc::boxed::Box::new(s1::S1::new(wire)),
            Self::S3 => alloc::boxed::Box::new(s3::S3::default()),
            Self::S4 => alloc::boxed::Box::new(s4::S4::new(wire)),
        };
        CompatServer { style, out: Outbox::default() }
    }
}

impl FromStr for Original {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "s0" => Ok(Self::S0),
            "s1" => Ok(Self::S1),
            "s3" => Ok(Self::S3),
            "s4" => Ok(Self::S4),
            _ => Err("choose s0, s1, s3 or s4 (s2 is rdtp lab)".to_string()),
        }
    }
}

/// What a session of an original wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Send these bytes, in one piece.
    Send(PeerId, Vec<u8>),
    /// Show this line; it may hold anything that a peer wrote, so show it with
    /// [`plain`](fn@super::plain).
    Print(String),
    /// A file arrived. Its name is what the peer wrote.
    File(String, Vec<u8>),
    /// Close the connection after what was sent.
    Close(PeerId),
    /// There is nothing more to do.
    End,
}

/// The most peers at the same time.
pub const PEERS_MAX: usize = 1_024;
/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// The most rooms.
pub const ROOMS_MAX: usize = 256;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Default)]
struct Outbox(VecDeque<Out>);

impl Outbox {
    fn send(&mut self, peer: PeerId, bytes: impl Into<Vec<u8>>) {
        self.0.push_back(Out::Send(peer, bytes.into()));
    }

    fn print(&mut self, line: impl Into<String>) {
        self.0.push_back(Out::Print(line.into()));
    }
}

/// What differs between the servers.
trait Style: fmt::Debug {
    fn listening(&self, at: SocketAddr, out: &mut Outbox);
    fn connected(&mut self, peer: PeerId, out: &mut Outbox);
    fn message(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox);
    fn gone(&mut self, peer: PeerId, out: &mut Outbox);
}

/// A server that speaks as an original does.
///
/// ```
/// use rdtp::app::chat::{PeerId, Wire, compat::{Original, Out}};
///
/// let mut server = Original::S1.server(Wire::Datagram);
/// let [ana, bob] = [1, 2].map(|n| PeerId::from(std::net::SocketAddr::from(([10, 0, 0, n], 8622))));
/// server.message(ana, b"Novo participante no chat.");
/// server.message(bob, "Olá!".as_bytes());
/// let sent = core::iter::from_fn(|| server.poll()).find_map(|out| match out {
///     Out::Send(peer, bytes) => Some((peer, bytes)),
///     _ => None,
/// });
/// assert_eq!(sent, Some((ana, "('10.0.0.2', 8622) disse: Olá!".into())));
/// ```
#[derive(Debug)]
pub struct CompatServer {
    style: alloc::boxed::Box<dyn Style>,
    out: Outbox,
}

impl CompatServer {
    /// It listens: says so as the original does.
    pub fn listening(&mut self, at: SocketAddr) {
        self.style.listening(at, &mut self.out);
    }

    /// A connection was made.
    pub fn connected(&mut self, peer: PeerId) {
        self.style.connected(peer, &mut self.out);
    }

    /// Something arrived in one piece.
    pub fn message(&mut self, peer: PeerId, bytes: &[u8]) {
        self.style.message(peer, bytes, &mut self.out);
    }

    /// A connection is over, or nobody is at the address any more.
    pub fn gone(&mut self, peer: PeerId) {
        self.style.gone(peer, &mut self.out);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Out> {
        self.out.0.pop_front()
    }
}

/// An address as the originals print it: a tuple of Python.
pub fn tuple(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => format!("('{}', {})", v4.ip(), v4.port()),
        SocketAddr::V6(v6) => {
            format!("('{}', {}, {}, {})", v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id())
        }
    }
}

/// Bytes as Python prints them.
pub fn literal(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            _ if char::from(byte) == quote => {
                text.push('\\');
                text.push(quote);
            }
            b' '..=b'~' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push(quote);
    text
}

/// A list as Python prints it.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether somebody may be called so: short, and in one word.
fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && super::is_plain(name)
        && !name.contains(|c: char| c.is_whitespace() || "',:[]".contains(c))
}

#[cfg(test)]
mod tests;
