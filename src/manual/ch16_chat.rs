//! Message 4
//!
//! **The fault:** one datagram in five is lost, and nobody tells the program.
//!
//! A chat over TCP and the same chat over UDP, five messages, and a network that loses 20 %: that is the
//! heart of the first of the programs that this crate grew out of (S0). Over TCP all five arrive, after
//! a few retransmissions. Over UDP messages 1 and 2 are lost between server and receiver, message 4
//! between sender and server; 3 and 5 arrive. The chat here is that chat, and it runs over more:
//!
//! | `--over` | what is below | with 20 % loss each way |
//! | --- | --- | --- |
//! | `udp` | datagrams | about 3 of 5 messages arrive, a private one and files by luck |
//! | `rdt3.0`, `gbn`, `sr` | a machine of this guide | everything arrives |
//! | `rdt` | the transport | everything arrives, and talk does not wait for files |
//! | `tcp` | the system's TCP | everything arrives |
//!
//! The table is a test: `cargo test --test chat session -- --nocapture` runs the session over real sockets
//! behind seeded links, and prints what arrived of what was sent.
//!
//! # What it takes
//!
//! Repairing datagrams is what the chapters before this one are about. Above them remains a question
//! that no retransmission answers: *who has the message?* A server that is killed takes with it what
//! it had accepted and not yet passed on. So here a message is confirmed to its sender when everybody who
//! is connected has confirmed it, and until then its sender keeps it. After a restart the sender says it
//! again, and whoever has it already knows it by its name, which is who said it and its number, and does
//! not show it twice:
//!
//! <!-- run: rdtp chat simulate --chatters 100 --members 10 --cuts 40 --restarts 2 --seed 7 -->
//! ```text
//! $ rdtp chat simulate --chatters 100 --members 10 --cuts 40 --restarts 2 --seed 7
//! seed 7: 100 chatters, 300 messages said, 300 confirmed, shown 2700 times: 0 twice, 0 missing, 0 out of order; 437 connections broken, 30258 pieces, latency 40.00 ms median, 540.74 ms p99, 1058.59 ms longest, 40.016 s of virtual time
//! ```
//!
//! Over raw UDP nothing of this is done, since it is there to show what a network does: a message that
//! nobody confirms within two seconds is reported so.
//!
//! # The code
//!
//! The confirmations of a message are counted down, and the sender hears of the last:
//!
//! <!-- code: src/app/chat/server/talk.rs | pub(super) fn settle( | {} -->
//! ```text
//! pub(super) fn settle(&mut self, count: u64) {
//!     let Some(pending) = self.pending.get_mut(&count) else { return };
//!     pending.waiting -= 1;
//!     if pending.waiting == 0 {
//!         let Pending { origin, number, to, .. } = *pending;
//!         self.pending.remove(&count);
//!         self.pending_of.remove(&(origin, number));
//!         self.send_to(origin, &Frame::Delivered { number, to });
//!     }
//! }
//! ```
//!
//! # Talk and files
//!
//! `/file NICK PATH` offers a file, and it goes when the other has said `/accept`. Over TCP and the
//! machines there is one order of bytes: a line that is said during a file arrives after what of the
//! file was sent before it. Over `rdt` talk has a stream of its own with the higher priority, so that a
//! line passes the file. Try both over `--link rate=1mbit`.
//!
//! # S0's own bytes
//!
//! `--compat s0` speaks as the original: `/REG 12` in 7 bytes, `/LIST` in 5 and an answer of 28,
//! `12: /S MENSAGEM 1` in 17 over UDP, where the sender's name stands before every line, and a file of
//! 2000 bytes in one segment of 2038. What the original relies on shows at once: that what arrives in
//! one piece is one message, which TCP never promised.
//!
//! # Exercise
//!
//! The server could confirm a message as soon as it has it, which is sooner, or when it is on a disk,
//! which survives being killed. What does each cost, and what does the way chosen here not cover?
//!
//! <details><summary>Answer</summary>
//!
//! At once: a server that is killed loses what it has confirmed. On a disk: every message waits for the
//! disk, and the server has to read it again. Confirmed by all: it takes the slowest reader's time, for
//! which there is a limit beyond which that reader is dropped. Not covered is whoever was away when
//! the server died: what was said meanwhile was kept for them in the server's memory alone.
//! </details>
//!
//! # Try it
//!
//! ```text
//! rdtp chat serve 5555 --over udp
//! rdtp chat 12@localhost --over udp --link loss=20% --seed 3
//! rdtp chat 34@localhost --over udp --link loss=20% --seed 4
//! ```
//!
//! Say five things, then do the same with `--over rdt`, `sr` and `gbn`. A row of the screen counts what
//! was sent, lost and sent again, and what still waits to be confirmed; F2 makes the network worse while
//! you talk, F3 better, `/link dup=10%` takes one of your own. In a pipe or with `--lines` there is no
//! screen, and `/stats` says the same. In a capture, the filter `udp.port == 5555` shows every datagram.
