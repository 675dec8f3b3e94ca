//! Reliable data transfer over UDP: unreliable datagrams in, every byte delivered exactly once and
//! in order out.
#![no_std]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod app;
pub mod batch;
pub mod channel;
pub mod classic;
pub mod ecn;
pub mod endpoint;
pub mod hub;
pub mod link;
#[cfg(feature = "net")]
pub mod net;
pub mod quantity;
pub mod rng;
pub mod seq;
pub mod sim;
pub mod time;
pub mod trace;
pub mod wire;
