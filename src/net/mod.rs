//! Real sockets: the blocking driver, one thread, no ticks.
//!
//! A [`Driver`] owns a [`Socket`], an [`Endpoint`](crate::endpoint::Endpoint), a [`Clock`] and, if
//! asked, a bad network in each direction. Its [`turn`](Driver::turn) waits until a datagram
//! arrives or a deadline comes, and then does a bounded amount of work. Several drivers in one
//! thread wait together with [`wait`].
//!
//! A [`Loopback`] carries messages between two sockets of one machine and says what came of it.
//! A [`Proxy`] puts any other UDP program behind a bad network.
//!
//! Nothing that arrives, or fails to arrive, ends a driver: ICMP errors, resets and refused sends
//! are counted in [`SocketStats`] and are otherwise what UDP calls loss.

mod batching;
mod clock;
mod driver;
mod loopback;
mod proxy;
mod socket;
mod spin;
mod sys;
mod wait;
mod waker;

pub use clock::Clock;
pub use driver::{Driver, DriverStats, Turn};
pub use loopback::{Loopback, LoopbackError, LoopbackReport, LoopbackRun};
pub use proxy::{Proxy, ProxyConfig, ProxyStats};
pub use socket::{BufferShortfall, Sent, Socket, SocketConfig, SocketStats};
pub use sys::Capabilities;
pub use wait::{Interest, wait};
pub use waker::Waker;
