//! Real sockets.
//!
//! [`Listener`] and [`Stream`] are to the production transport what `TcpListener` and `TcpStream` of
//! the standard library are to TCP, and [`Connection`] has many streams. Below them is the blocking
//! driver, one thread, no ticks, for any endpoint.
//!
//! A [`Driver`] owns a [`Socket`], an [`Endpoint`](crate::endpoint::Endpoint), a [`Clock`] and, if
//! asked, a bad network in each direction. Its [`turn`](Driver::turn) waits until a datagram
//! arrives or a deadline comes, and then does a bounded amount of work. Several drivers in one
//! thread wait together with [`wait`].
//!
//! [`classic`] has the same shape over the protocols of the textbook.
//!
//! A [`Loopback`] carries messages between two sockets of one machine and says what came of it.
//! A [`Proxy`] puts any other UDP program behind a bad network.
//!
//! Nothing that arrives, or fails to arrive, ends a driver: ICMP errors, resets and refused sends
//! are counted in [`SocketStats`] and are otherwise what UDP calls loss.

mod batching;
mod builder;
pub mod classic;
mod clock;
mod connection;
mod driver;
mod error;
mod lane;
mod listener;
mod loopback;
mod park;
mod patience;
mod proxy;
mod socket;
mod spin;
mod stream;
#[cfg(feature = "tokio")]
pub mod tokio;
mod unsent;
mod wait;
mod waker;

pub use crate::sys::udp::Capabilities;
pub use builder::{ConnectionBuilder, ListenerBuilder};
pub use clock::Clock;
pub use connection::Connection;
pub use driver::{Driver, DriverStats, Turn};
pub use error::Error;
pub use listener::{Incoming, Listener};
pub use loopback::{Loopback, LoopbackError, LoopbackReport, LoopbackRun};
pub use proxy::{Proxy, ProxyConfig, ProxyStats};
pub use socket::{BufferShortfall, Sent, Socket, SocketConfig, SocketStats};
pub use stream::Stream;
pub use wait::{Interest, wait};
pub use waker::Waker;
