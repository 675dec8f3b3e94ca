//! The transport
//!
//! Chapter 12 lists what the book's machines lack. The module [`transport`] has
//! it: connections, streams, messages, flow control, congestion control. It is
//! made of the same stuff as the machines, values without clock, socket or
//! chance, and this chapter says how to use it. The next one shows its bytes.
//!
//! [`transport`]: crate::transport
//!
//! # A connection
//!
//! A `Host` is one socket with any number of connections behind it. It is an
//! endpoint, so every driver of this crate drives it: here the simulator, with
//! a network that loses every tenth datagram. `examples/04_streams_over_udp.rs`
//! is the same over real sockets.
//!
//! ```
//! use core::time::Duration;
//! use rdtp::{
//!     rng::Seed, sim::World, time::Instant,
//!     transport::{cookie::Secret, host::{Host, HostConfig, HostEvent}},
//! };
//!
//! // A server keeps its secret over a restart. Seeds of hosts that talk over
//! // the Internet come from a source that nobody can guess.
//! let host = |n| {
//!     Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()))
//! };
//! let mut world = World::new();
//! let (client, server) = (world.add(host(1)?), world.add(host(2)?));
//! world.connect(client, server, &"loss=10%,delay=25ms".parse()?, Seed::new(7));
//!
//! let host = world.endpoint_mut(client);
//! let id = host.open(Instant::ZERO, World::address(1));
//! let connection = host.get_mut(id).ok_or("gone")?;
//! let stream = connection.open_stream(0)?;
//! connection.write(stream, b"leaves with the first packet")?;
//! connection.finish(stream)?;
//!
//! let mut events = Vec::new();
//! let end = Instant::ZERO + Duration::from_secs(5);
//! world.run(end, &mut (), &mut |_, node, HostEvent { event, .. }, _: &mut Host| {
//!     events.push((node, event));
//! });
//! # use rdtp::transport::{connection::Event, stream::StreamEvent};
//! # assert!(events.contains(&(client, Event::Connected)));
//! # assert!(events.contains(&(server, Event::Stream(StreamEvent::Readable(stream)))));
//! # assert!(events.contains(&(client, Event::Stream(StreamEvent::Finished(stream)))));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Whatever happens is told as an event: `Connected`, `Readable`, `Writable`,
//! `Finished` when the peer has all of a stream, `Closed` with the reason.
//! Nothing is told twice: after `Readable`, read until `Blocked`; only then
//! does the next arrival speak up again.
//!
//! # Streams
//!
//! A stream is an ordered run of bytes in each direction. Open as many as you
//! have things that should not wait for each other: a lost packet delays the
//! streams whose bytes it held, and no other. The priority decides who sends
//! first when the network does not take everything; lower numbers go first,
//! equal ones take turns. Each direction ends on its own: `finish` after the
//! last byte, `reset` to give up, `stop` to tell the peer that nobody listens.
//!
//! `write` takes what there is room for and says how much. That is
//! back-pressure, not an error: wait for `Writable` and go on.
//!
//! # Messages
//!
//! A stream has no borders. `MessageSender` and `MessageReceiver` of
//! [`transport::message`] put a length before each message. Messages on one stream
//! keep their order; a message on a stream of its own waits for nobody. This
//! sends whole messages and takes them whole; `begin`, `write` and `read` do it
//! part by part, for what does not fit into memory.
//!
//! [`transport::message`]: crate::transport::message
//!
//! ```
//! # use core::time::Duration;
//! # use rdtp::{
//! #     rng::Seed, sim::World, time::Instant, trace::NodeId,
//! #     transport::{cookie::Secret, host::{Host, HostConfig, HostEvent}},
//! # };
//! use rdtp::transport::{
//!     connection::{Connection, Event},
//!     message::{MessageConfig, MessageReceiver, MessageSender, RecvError, SendError},
//!     stream::StreamEvent,
//! };
//!
//! /// Sends what is left of a list; to be called again when `Writable` says so.
//! fn send_all(
//!     sender: &mut MessageSender,
//!     list: &mut Vec<&[u8]>,
//!     connection: &mut Connection,
//! ) -> Result<(), SendError> {
//!     while let Some(message) = list.last() {
//!         sender.send(connection, message)?;
//!         list.pop();
//!     }
//!     sender.finish(connection)
//! }
//!
//! /// Takes what has arrived; to be called again when `Readable` says so.
//! fn take_all(
//!     receiver: &mut MessageReceiver,
//!     message: &mut Vec<u8>,
//!     now: Instant,
//!     connection: &mut Connection,
//!     mut each: impl FnMut(&[u8]),
//! ) -> RecvError {
//!     loop {
//!         match receiver.recv(now, connection, message) {
//!             Ok(()) => each(message),
//!             Err(error) => return error,
//!         }
//!         message.clear();
//!     }
//! }
//! # let host = |n| Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()));
//! # let mut world = World::new();
//! # let (client, server) = (world.add(host(1)?), world.add(host(2)?));
//! # world.connect(client, server, &"loss=10%,delay=25ms".parse()?, Seed::new(7));
//! # let id = world.endpoint_mut(client).open(Instant::ZERO, World::address(1));
//! # let connection = world.endpoint_mut(client).get_mut(id).ok_or("gone")?;
//! # let mut sender = MessageSender::new(connection.open_stream(0)?);
//! # send_all(&mut sender, &mut vec![&b"two"[..], b"one"], connection)?;
//! # let mut receiver = MessageReceiver::new(sender.stream(), MessageConfig::default());
//! # let (mut message, mut heard, mut last) = (Vec::new(), Vec::new(), RecvError::Blocked);
//! # world.run(Instant::ZERO + Duration::from_secs(5), &mut (), &mut |now, node, event, host: &mut Host| {
//! #     let HostEvent { id, event: Event::Stream(StreamEvent::Readable(_)) } = event else { return };
//! #     let Some(connection) = host.get_mut(id).filter(|_| node == NodeId(1)) else { return };
//! #     last = take_all(&mut receiver, &mut message, now, connection, |m| heard.push(m.to_vec()));
//! # });
//! # assert_eq!((heard, last), (vec![b"one".to_vec(), b"two".to_vec()], RecvError::Finished));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! A receiver says how long a message may be (`message_bytes_max`). Who
//! announces more is refused before a byte of it is read, and memory grows with
//! what arrives, never with what is only announced.
//!
//! # Datagrams
//!
//! For what is worthless when it comes late there is `send_datagram`: one
//! packet, once, no promise. `datagram_bytes_max` says how long it may be; a
//! longer one is an error and not two packets. Take them with `peek_datagram`
//! and `consume_datagram`, or one by one with `recv_datagram`. Who does not
//! take them loses the newest.
//!
//! # Flow control and congestion control
//!
//! Two different questions: how much the *receiver* can hold, and how much the
//! *network* can carry. The first is answered by windows, one for each stream
//! and one for all together, which move on as the application reads and grow
//! when they hold a fast path up. The second is guessed from losses and delays;
//! you choose who guesses in the configuration, or write your own guesser
//! (`Controller`). The defaults are meant for the Internet:
//!
//! <!-- code: src/transport/config.rs | impl Default for Config { | datagrams_max: -->
//! ```text
//! impl Default for Config {
//!     /// Fit for the Internet: packets of 1200 bytes, and of up to 1472 where they pass, 30 s of silence, BBR, windows of 1 MiB that
//!     /// grow to 16 MiB (100 Mbit/s need 625 kB at a round trip of 50 ms).
//!     fn default() -> Self {
//!         const MIB: u64 = 1 << 20;
//!         Self {
//!             packet_bytes: Params::MIN_PACKET_BYTES,
//!             packet_bytes_max: 1472,
//!             idle_timeout: Duration::from_secs(30),
//!             keep_alive: Duration::ZERO,
//!             open_timeout: Duration::from_secs(30),
//!             rtt_initial: Duration::from_millis(333),
//!             first_copies: 2,
//!             copy_pause: Duration::from_millis(15),
//!             start_window_bytes: 0,
//!             repair_percent: 0,
//!             repair_window_bytes: repair::WINDOW_BYTES,
//!             acks: AckPolicy { threshold: 2, delay_max: Duration::from_millis(25) },
//!             ecn: true,
//!             congestion: Algorithm::default(),
//!             streams: StreamLimits {
//!                 peer_streams_max: 100,
//!                 stream_window_bytes: MIB,
//!                 stream_window_bytes_max: 16 * MIB,
//!                 window_bytes: 2 * MIB,
//!                 window_bytes_max: 24 * MIB,
//!                 gaps_max: 1024,
//!                 send_buffer_bytes: 4 * MIB,
//!             },
//!             datagram_bytes_max: 1 << 16,
//!             datagrams_max: 64,
//! ```
//!
//! Everything that a peer can make this side hold has its limit there, or in
//! `HostConfig`, `StreamLimits` and `MessageConfig`. `Connection::stats` says
//! how things are: the round trip, the window, losses, and in `limited_by` why
//! nothing more leaves just now.
//!
//! # What travels
//!
//! Two hosts, a question, an answer, an end; 10 ms each way, and `-->` is from
//! the opener to the acceptor:
//!
//! <!-- run: rdtp dump --exchange handshake -->
//! ```text
//! $ rdtp dump --exchange handshake
//!    time  way  bytes  packet [frames]
//!    0 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   10 ms  <--   1200  accept [ACK 460662072; ping; padding]
//!   15 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   20 ms  -->     34  data [ACK 1068681702; ping; padding]
//!   25 ms  <--   1200  accept [ACK 460662073; ping; padding]
//!   30 ms  <--     72  data [ACK 460662074; ticket; stream 0: "world" FIN]
//!   35 ms  -->     34  data [ACK 1068681703; ping; padding]
//!   40 ms  -->     39  data [ACK 1068681704; close "done"]
//!   45 ms  <--     34  data [ACK 460662075; stream 0: "world" FIN]
//!   55 ms  -->     40  data [ACK 1068681704; close "done"]
//! ```
//!
//! The question travels with the first packet, but the acceptor's application
//! hears of it only when the opener has answered: until then nobody knows
//! whether the packet was sent now, or is the copy of an old one. The first
//! packets are padded: who wants something pays first. And they leave more than
//! once, which the next section explains.
//!
//! # Beginnings and ends
//!
//! Most of what people send is short, and what is short is over before anything
//! is known of the path. Its worst cases come from there: who knows no round
//! trip must wait a second before it takes a packet for lost (RFC 8085), and of
//! a hundred exchanges at 5 % loss each way ten meet that second. Four things
//! help, each with its knob in the configuration:
//!
//! - **Copies.** The first small flights of each side leave three times, 15 ms
//!   apart (`first_copies`, `copy_pause`). That is no shorter timer, which would
//!   be a guess, but part of the ten packets that every path bears at once.
//! - **Tickets.** The acceptor gives the opener a cookie for the next time, good
//!   once, for a day, from the same address (`ticket_lifetime`). Whoever brings
//!   it has shown its address already. If the host wants to (`early_data`), its
//!   application hears at once what comes with it: an answer after one round
//!   trip, once at most, however often somebody sends the packet again. Until
//!   `Connected`, `Connection::is_replayable` says that it may be *late*.
//! - **Memory.** The host remembers round trip and capacity of the peers it
//!   opened connections to (`remembered_max`), and the ticket carries what the
//!   acceptor saw. A new connection measures its first round trip; if it looks
//!   like the old one, the window jumps to half of what the path bore, paced,
//!   and back if that was too much (Careful Resume). Memories are plain values
//!   ([`PathMemory`]): keep them over a restart and give them back.
//! - **Repair.** With `repair_percent`, the last packets of a flight are
//!   followed by a few sums of them (exclusive or), from which one lost packet
//!   follows without asking. It is off by default: it costs bytes, and in the
//!   middle of a long transfer it gains nothing.
//!
//! [`PathMemory`]: crate::transport::memory::PathMemory
//!
//! The same 100 kB over the same bad path, to a stranger and to a peer that is
//! remembered:
//!
//! <!-- run: rdtp run transport --bytes 100kB --start-window 128KiB --link loss=2%,delay=25ms,rate=100mbit --seed 7 -->
//! ```text
//! $ rdtp run transport --bytes 100kB --start-window 128KiB --link loss=2%,delay=25ms,rate=100mbit --seed 7
//! intact: 100,000 of 100,000 bytes delivered in 0.129 s of virtual time, BLAKE3 equal
//! goodput     6.19 Mbit/s, 0.064 of the 97.26 Mbit/s that the link's rate and loss leave
//! packets     92 sent, 21 received; the link lost 1 of those sent, and its queue dropped 0
//! losses      1 found, 0 of them by mistake; 2,350 bytes sent again
//! window      236,897 bytes, cut 1 times, 0 of these taken back; 0 probe timeouts
//! round trip  50.238 ms smoothed, 50.075 ms at least
//! limited by  application 0.114 s, congestion 0.050 s, pacing 0.011 s
//! seed 7
//! ```
//!
//! <!-- run: rdtp run transport --bytes 100kB --start-window 128KiB --link loss=2%,delay=25ms,rate=100mbit --seed 7 --remembered --repair 10 -->
//! ```text
//! $ rdtp run transport --bytes 100kB --start-window 128KiB --link loss=2%,delay=25ms,rate=100mbit --seed 7 --remembered --repair 10
//! intact: 100,000 of 100,000 bytes delivered in 0.092 s of virtual time, BLAKE3 equal
//! goodput     8.66 Mbit/s, 0.091 of the 95.57 Mbit/s that the link's rate and loss leave
//! packets     103 sent, 56 received; the link lost 5 of those sent, and its queue dropped 0
//! losses      5 found, 0 of them by mistake; 5,305 bytes sent again
//! window      226,540 bytes, cut 1 times, 0 of these taken back; 0 probe timeouts
//! round trip  50.103 ms smoothed, 50.010 ms at least
//! repair      1 packets
//! limited by  application 0.111 s, pacing 0.019 s
//! seed 7
//! ```
//!
//! `cargo bench --bench tails_sim` holds all of this against its targets, over
//! thousands of seeds.
//!
//! # Over real sockets
//!
//! `net::Listener` and `net::Stream` are what `TcpListener` and `TcpStream` are
//! over TCP: a program changes the names of its types and goes on, as the two
//! HTTP servers of `05_http_over_udp` do. A `net::Connection` has many streams;
//! open one for each thing that must not wait for the others. `finish` waits
//! until the peer has everything, `reset` gives up, and dropping the last handle
//! ends in good order. `net::tokio` has the same for async programs.
//!
//! # Exercise
//!
//! A game sends the positions of its players thirty times a second, chat lines,
//! and now and then a map of 20 MB. Which of these is a datagram, which a
//! message on a shared stream, which one on a stream of its own, and with which
//! priorities?
//!
//! <details><summary>Answer</summary>
//!
//! Positions are datagrams: a lost one is replaced by the next sooner than it
//! could be sent again. Chat lines are messages on one stream: they are few,
//! and their order matters. The map is a message on a stream of its own, with a
//! priority number above that of the chat, so that no line waits behind 20 MB;
//! its receiver needs a `message_bytes_max` that allows it, and reads it part
//! by part.
//! </details>
//!
//! # Try it
//!
//! ```text
//! cargo run --example 04_streams_over_udp
//! cargo run --example 05_http_over_udp
//! cargo bench --bench transfer_sim
//! rdtp dump --exchange cookie
//! ```
