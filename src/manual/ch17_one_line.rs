//! One line
//!
//! **The task:** the smallest program that talks over a network (S3).
//!
//! The client connects, asks with `-> `, sends what is typed and closes. The server binds a port,
//! listens, accepts one connection, prints who it is and what it says:
//!
//! ```text
//! Conexion desde: ('127.0.0.1', 50412)
//! De usuario conectado: sol
//! ```
//!
//! Six calls are all of it. `socket` makes one, `bind` gives it an address, `listen(backlog)` says how
//! many connections may wait to be accepted, `accept` gives a socket for one of them, `recv(1024)` takes up
//! to so many bytes that are there, `send` hands bytes over, `close` ends. The client needs `socket`,
//! `connect`, `send` and `close`.
//!
//! # What to watch
//!
//! In a capture of three bytes sent twice: SYN, SYN-ACK, ACK; a segment with 3 bytes and an ACK that
//! says 4, because a SYN takes a number too; again 3 bytes and an ACK that says 7; then FIN and ACK from
//! both sides. The server sees a port that nobody chose: the system gives a client a free one, from the
//! *ephemeral* range, which reaches to 65535.
//!
//! On port 5000 a capture tool takes this chat for another protocol, "IPA", and calls it malformed. It
//! goes by the port; tell it to decode the port as data.
//!
//! `recv(1024)` does not give *a message*. It gives what is there, which may be half of what was sent or
//! two of them together. So this program's own chat puts the length before everything that it sends, and
//! cuts the bytes apart again whatever pieces they come in.
//!
//! # The code
//!
//! <!-- code: src/app/chat/frame/cut.rs | pub fn next_frame( | {} -->
//! ```text
//! pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
//!     let rest = &self.bytes[self.taken..];
//!     let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
//!         return Ok(None);
//!     };
//!     let len = usize::try_from(u32::from_be_bytes(*prefix)).map_err(|_| FrameError::Size)?;
//!     if len > FRAME_BYTES_MAX {
//!         return Err(FrameError::Size);
//!     }
//!     let Some(frame) = rest.get(..len) else { return Ok(None) };
//!     self.taken += PREFIX_BYTES + len;
//!     Ok(Some(frame))
//! }
//! ```
//!
//! # The same without a server
//!
//! `rdtp chat --peer 5555` waits for one other program, and `rdtp chat --peer ana@HOST` is that
//! program; both then have all the commands of the chat, files too:
//!
//! <!-- run: rdtp chat --help | grep 'port alone' -->
//! ```text
//! $ rdtp chat --help | grep 'port alone'
//! An address joins the server there, a port alone serves. Lines are said in the room; /help shows the
//!           Server to join, as [NICK@]HOST[:PORT] or HOST PORT; a port alone serves
//!           Talk to one other program without a server between: a port alone waits for it
//! ```
//!
//! On a terminal both have the whole screen, who waits as well, and F2 makes the network worse from either
//! side. With `--compat` a program works line by line, as its original did.
//!
//! # Exercise
//!
//! A game for 64 players sends where everybody is sixty times a second; a card game sends a move now and
//! then. Which of the two should use UDP, and why is the other no worse off with TCP?
//!
//! <details><summary>Answer</summary>
//!
//! The first: a position that is lost is worth nothing by the time it could be sent again, and over TCP
//! everything behind it waits. A move must arrive, and in order, and nobody minds a tenth of a second.
//! </details>
//!
//! # Try it
//!
//! ```text
//! rdtp chat serve localhost --compat s3
//! rdtp chat localhost --compat s3
//! ```
