//! Reliable data transfer over UDP: unreliable datagrams in, every byte delivered exactly once and
//! in order out.
#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod batch;
pub mod channel;
pub mod ecn;
pub mod endpoint;
pub mod link;
pub mod quantity;
pub mod rng;
pub mod seq;
pub mod time;
pub mod trace;
pub mod wire;
