//! The production transport: connections with many streams over one socket, without clock, socket
//! or chance.
//!
//! ```text
//!    application        open, write, finish            read, events
//!         |                     |                            ^
//!      [stream]          sending halves               receiving halves
//!      [flow]            windows of the peer          windows for the peer
//!         |                     v                            |
//!      connection        outbound: what leaves        inbound: what arrived
//!                               |   [acks] what to acknowledge, when
//!      [recovery]               v                            |
//!        [ledger]        what is on its way    <---  what was acknowledged
//!        [loss] [rtt]    what is lost, and when to ask
//!        [delivery]      how fast it arrives
//!        [cc] [pacer]    how much, and how fast
//!        [pmtud] [ecn]   how long packets may be, and whether they are marked
//!         |                     |                            |
//!      [path]            where the peer is, and whether it has moved
//!      [host]            many connections, one socket: an Endpoint
//! ```
//!
//! [stream]: self::stream
//! [flow]: self::flow
//! [acks]: self::acks
//! [recovery]: self::recovery
//! [ledger]: self::ledger
//! [loss]: self::loss
//! [rtt]: self::rtt
//! [delivery]: self::delivery
//! [cc]: self::cc
//! [pmtud]: self::pmtud
//! [ecn]: self::ecn
//! [pacer]: self::pacer
//! [host]: self::host
//! [path]: self::path
//!
//! The ideas are those of QUIC (RFC 9000, 9002) without its encryption: packet numbers that are
//! never used twice, acknowledgements as ranges, streams that do not wait for each other. What is on
//! the wire is described in [`wire::transport`](crate::wire::transport). There is **no secrecy and no
//! authentication**: whoever can read a packet can forge the next one, as with TCP.
//!
//! An accepted connection is told to the application when its opener has shown that it is there, or with
//! the first packet when a [host](host::EarlyData) wants it so. What opened connections learn of their
//! peers is [remembered](memory) for the next ones.
//!
//! [`Connection`](connection::Connection) is one conversation; [`Host`](host::Host) holds many behind
//! one socket, and is the [`Endpoint`](crate::endpoint::Endpoint) that drivers know:
//!
//! ```
//! use core::time::Duration;
//! use rdtp::{
//!     rng::Seed, sim::World, time::Instant, trace::NodeId,
//!     transport::{
//!         connection::Event, cookie::Secret, host::{Host, HostConfig, HostEvent},
//!         stream::StreamEvent,
//!     },
//! };
//!
//! let host = |n| Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()));
//! let mut world = World::new();
//! let (client, server) = (world.add(host(1)?), world.add(host(2)?));
//! world.connect(client, server, &"loss=10%,delay=25ms".parse()?, Seed::new(7));
//!
//! let id = world.endpoint_mut(client).open(Instant::ZERO, World::address(1));
//! let connection = world.endpoint_mut(client).get_mut(id).expect("just opened");
//! let stream = connection.open_stream(0)?;
//! connection.write(stream, b"hello")?;
//! connection.finish(stream)?;
//!
//! let mut heard = Vec::new();
//! world.run(Instant::ZERO + Duration::from_secs(10), &mut (), &mut |now, node, event, host: &mut Host| {
//!     let HostEvent { id, event } = event;
//!     if let (NodeId(1), Event::Stream(StreamEvent::Readable(stream))) = (node, event) {
//!         let mut out = [0; 64];
//!         while let Ok(len) = host.get_mut(id).expect("alive").read(now, stream, &mut out) {
//!             heard.extend_from_slice(&out[..len]);
//!         }
//!     }
//! });
//! assert_eq!(heard, b"hello");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

pub mod acks;
mod beginning;
pub mod builder;
pub mod cc;
pub mod config;
pub mod connection;
pub mod cookie;
mod copies;
mod cuts;
pub mod datagrams;
pub mod delivery;
pub mod ecn;
pub mod flow;
pub mod host;
mod inbound;
pub mod ledger;
mod lend;
pub mod lifecycle;
pub mod loss;
pub mod memory;
pub mod message;
mod moving;
mod outbound;
pub mod pacer;
pub mod path;
pub mod pmtud;
pub mod preset;
pub mod recovery;
mod repair;
mod repairing;
pub mod resume;
pub mod rtt;
mod settled;
mod silence;
pub mod skips;
mod slack;
pub mod stats;
pub mod stream;
pub mod ticket;
mod traced;
mod train;
pub mod validation;
