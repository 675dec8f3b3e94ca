//! Listener, Connection and Stream over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
#![cfg(feature = "net")]

mod classic;
mod reliability;
mod shapes;
mod support;
#[cfg(feature = "tokio")]
mod tokio;
