//! The chat: users, rooms, private messages and files, over any carrier of bytes or datagrams.
//!
//! [`Server`] and [`Client`] are sessions without sockets: they are told what arrives and what time
//! it is, and say what is to be sent, when to be called again, and what happened. So the same chat
//! runs over TCP, UDP, the transport and the textbook's protocols, in the simulator with thousands of
//! users, and in tests byte by byte.
//!
//! ```
//! use rdtp::{
//!     app::chat::{Client, ClientConfig, Event, Frames, Lane, PeerId, Server, ServerLimits, Wire},
//!     time::Instant,
//! };
//!
//! let now = Instant::ZERO;
//! let mut server = Server::new(ServerLimits::default(), [7; 16]);
//! let mut ana = Client::new(ClientConfig::new("Ana", [1; 16], Wire::Stream));
//! let peer = PeerId::from(std::net::SocketAddr::from(([10, 0, 0, 1], 5555)));
//!
//! assert!(ana.poll_connect(now));
//! ana.connected(now);
//! server.connected(now, peer);
//! // A carrier of bytes has the length of each frame before it.
//! let framed = |frame: &[u8]| [&Frames::prefix(frame.len())[..], frame].concat();
//! while let Some(frame) = ana.poll_talk() {
//!     server.handle_bytes(now, peer, Lane::Talk, &framed(&frame));
//! }
//! while let Some(frame) = server.poll_talk(peer) {
//!     ana.handle_bytes(now, Lane::Talk, &framed(&frame));
//! }
//! assert_eq!(ana.poll_event(), Some(Event::Welcome { nick: "Ana".into(), again: false }));
//! ```
//!
//! # What is promised
//!
//! On a carrier of bytes a message is confirmed to its sender when everybody it is for, and who is
//! connected, has it. Until then the sender keeps it and sends it again over the next connection; who
//! has it already does not show it twice. So a server may be killed and started again in the middle
//! of a conversation: nothing that was confirmed is missing, and what was not comes later.
//!
//! On a carrier of datagrams nothing is repeated: who uses it wants to see what a network does.
//!
//! There is no secrecy: what is said can be read on its way.

mod bucket;
mod client;
mod command;
pub mod compat;
pub mod frame;
mod names;
mod plain;
mod server;

pub use super::words::{Lang, millis};
pub use bucket::{Bucket, Rate};
pub use client::{Client, ClientConfig, Event, Place, SayError};
pub use command::{COMMANDS, Line, Row, Verb, find, parse};
pub use frame::{Bye, FileEnd, Frame, FrameError, Frames, Kind, Listing, Parting, Reason, Target};
pub use names::{NAME_CHARS_MAX, NickError, check_nick, folded, look};
pub(super) use plain::is_unseen;
pub use plain::{MARKS_MAX, is_plain, plain};
pub use server::{LOBBY, Lane, PeerId, Server, ServerEvent, ServerLimits, Wire};
