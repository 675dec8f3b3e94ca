//! Listener, Connection and Stream over real sockets.

mod shapes;
mod support;
