//! Reliable data transfer over UDP: unreliable datagrams in, every byte delivered exactly once and
//! in order out.
//!
//! ```text
//!    application      messages
//!         |
//!    classic          rdt 1.0  2.0  2.1  2.2  3.0   go-back-N   selective repeat   yours
//!    transport        connections, streams, loss recovery, congestion control
//!         |
//!    link             loss, copies, shuffling, damage, delay, a bottleneck, outages: seeded
//!         |
//!    sim | net        virtual time, or real UDP sockets
//! ```
//!
//! The one idea: **a protocol is a value that never touches a clock, a socket or a random source.**
//! It is told the time and handed bytes; it returns bytes, deadlines and events. The same code
//! therefore runs in the simulator and over real sockets, behind a bad network in either.
//!
//! Twelve lines that send a file's worth of bytes over UDP, without a change from what they would be
//! over TCP but for the names of two types:
//!
//! ```
//! # #[cfg(feature = "net")] {
//! use std::{io::{Read, Write}, thread};
//! use rdtp::net::{Listener, Stream};
//!
//! let listener = Listener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = thread::spawn(move || {
//!     let mut got = Vec::new();
//!     listener.accept()?.0.read_to_end(&mut got).map(|_| got)
//! });
//! Stream::connect(address)?.write_all(&[7; 1_000_000])?;
//! assert_eq!(server.join().unwrap()?.len(), 1_000_000);
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Read these four first:
//!
//! 1. [`classic::rdt30`]: a machine next to its figure in the book;
//! 2. [`endpoint`]: what every driver knows of a protocol, and the nine rules both sides keep;
//! 3. [`link`]: the bad network and its text form;
//! 4. [`sim::Transfer`]: messages through a bad network, and what came of it.
//!
//! [`manual`] is the guide: from rdt 1.0 to selective repeat, each chapter one fault.
//!
//! ```
//! use rdtp::sim::{Transfer, Verdict};
//!
//! let transfer = Transfer::new(vec![b"hello".to_vec()]).over("loss=20%".parse()?).seed(7);
//! assert_eq!(transfer.run("gbn".parse()?, &mut ())?.verdict, Verdict::Intact);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! | feature | adds |
//! | --- | --- |
//! | (none) | everything but the rows below: `no_std` with `alloc`, no unsafe code |
//! | `net` | real sockets: listeners, connections and streams, and the driver below them |
//! | `tokio` | the same for tokio |
//! | `proptest` | property tests: a strategy for schedules of faults |
//! | `cli` (default) | the program `rdtp` |
#![no_std]
#![cfg_attr(not(feature = "net"), forbid(unsafe_code))]
#![deny(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod app;
pub mod batch;
pub mod buf;
pub mod capture;
pub mod channel;
pub mod check;
pub mod classic;
pub mod ecn;
pub mod endpoint;
pub mod harness;
pub mod hub;
pub mod link;
pub mod manual;
#[cfg(feature = "net")]
pub mod net;
pub mod quantity;
pub mod rng;
pub mod seq;
pub mod sim;
#[cfg(feature = "net")]
mod sys;
pub mod time;
pub mod trace;
pub mod transport;
pub mod wire;

/// The README's example, compiled and run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
