//! Waiting
//!
//! **The fault:** none. The channel takes its time, that is all, and stop-and-wait spends that time
//! waiting.
//!
//! On a line of rate R, a packet of L bits keeps the sender busy for L/R. Then it waits until the
//! acknowledgement is back, a round trip later. The share of time in which it sends is its
//! *utilisation*:
//!
//! > **U = (L/R) / (RTT + L/R)**
//!
//! With 1,500 bytes, 1 Gbit/s and 30 ms, that is 0.0004: a line for which somebody pays by the gigabit
//! carries 400 kbit/s. No faster line helps; only less waiting does.
//!
//! # What the next machine adds
//!
//! Do not wait. Let up to N packets be unacknowledged at a time, which multiplies U by N, and with
//! N ≥ 1 + RTT · R/L fills the line. What lies between the oldest unacknowledged packet and the newest
//! that may be sent is the **window**; it slides on as acknowledgements come in:
//!
//! ```text
//!    acknowledged        sent, not acknowledged       may be sent       not yet
//!   ... 3   4   5   |   6     7     8     9      |   10    11      |   12  13 ...
//!                       ^                            ^
//!                      base                      nextseqnum
//!                   |<---------------- window, N = 6 ------------->|
//! ```
//!
//! **Go-back-N** (figures 3.19 to 3.21) is the pipelining protocol with the least machinery:
//!
//! - the receiver keeps nothing but one number, the one it waits for; all else it throws away;
//! - ACK *n* is *cumulative*: everything up to *n* is here;
//! - one timer, for the oldest packet. When it expires, the sender goes back and sends everything again
//!   that is not acknowledged.
//!
//! <!-- svg: rdtp machine gbn:4/8 --side sender --as svg -->
#![doc = include_str!("figures/gbn-sender.svg")]
//!
//! The figure has one state. What used to be in the states, which number comes next, is in two
//! variables now, since there would be too many states to draw.
//!
//! # The code
//!
//! A cumulative ACK, from [`classic::gbn`]. In the figure `base = getacknum(rcvpkt)+1` is one line; on a
//! circle of numbers it has to be asked first whether the number is one that is outstanding:
//!
//! [`classic::gbn`]: crate::classic::gbn
//!
//! <!-- code: src/classic/gbn.rs | fn acknowledge(&mut self | self.base = -->
//! ```text
//! fn acknowledge(&mut self, acknum: Seq, effects: &mut Effects<D>) -> &'static Rule {
//!     let outstanding = self.outstanding();
//!     if !self.modulus.in_window(acknum, self.base, outstanding) {
//!         return &OLD_ACK;
//!     }
//!     let acked = self.modulus.distance(self.base, acknum) + 1;
//!     for _ in 0..acked {
//!         self.unacked.pop_front();
//!     }
//!     self.base = self.modulus.next(acknum);
//! ```
//!
//! # Is it right?
//!
//! With a window of three and two bits for the number, over everything but overtaking:
//!
//! <!-- run: rdtp check gbn --window 3 --bits 2 -->
//! ```text
//! $ rdtp check gbn --window 3 --bits 2
//! gbn:3/4 over a channel that corrupts, loses, duplicates
//! bounds: 7 messages, 3 packets in flight each way
//! holds
//! 78544 states, 555685 transitions: everything that can happen
//! ```
//!
//! And is it faster? A hundred messages, 25 ms one way, with stop-and-wait and with a window of ten:
//!
//! <!-- run: rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:75ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:75ms --seed 1 | grep intact
//! intact: 100 of 100 messages delivered in 4.975 s of virtual time; 100 packets, 0 of them sent again, 100 feedback
//! ```
//! <!-- run: rdtp run gbn:10 --link delay=25ms --messages 100 --timeout fixed:75ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run gbn:10 --link delay=25ms --messages 100 --timeout fixed:75ms --seed 1 | grep intact
//! intact: 100 of 100 messages delivered in 0.475 s of virtual time; 100 packets, 0 of them sent again, 100 feedback
//! ```
//!
//! # Exercise
//!
//! Go-back-N with a window of one, `gbn:1/2`, sends one packet and waits for its ACK, with numbers 0 and
//! 1. Is it the same protocol as rdt 3.0? What could the checker say for or against it?
//!
//! <details><summary>Answer</summary>
//!
//! It is, although the one has four states and the other one state and two variables. Over the same
//! channel with the same bounds the two have exactly as many states and transitions:
//!
//! <!-- run: rdtp check rdt3.0 --messages 4 --capacity 3 | grep states -->
//! ```text
//! $ rdtp check rdt3.0 --messages 4 --capacity 3 | grep states
//! 1901 states, 11961 transitions: everything that can happen
//! ```
//! <!-- run: rdtp check gbn:1/2 --messages 4 --capacity 3 | grep states -->
//! ```text
//! $ rdtp check gbn:1/2 --messages 4 --capacity 3 | grep states
//! 1901 states, 11961 transitions: everything that can happen
//! ```
//!
//! Equal counts are strong evidence and no proof; a proof would pair the states of one with those of the
//! other. Each "Wait for call k" is base = nextseqnum = k, each "Wait for ACK k" is base = k,
//! nextseqnum = k + 1.
//! </details>
//!
//! # Try it
//!
//! The book's figure 3.22: the third packet is lost, and go-back-N goes back.
//!
//! <!-- svg: rdtp run gbn:4/8 --link up.loss=at:3,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 --ladder FIGURE -->
#![doc = include_str!("figures/gbn-ladder.svg")]
//!
//! <!-- run: rdtp run gbn:4/8 --link up.loss=at:3,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 | tail -3 -->
//! ```text
//! $ rdtp run gbn:4/8 --link up.loss=at:3,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 | tail -3
//! intact: 6 of 6 messages delivered in 0.100 s of virtual time; 10 packets, 4 of them sent again, 9 feedback
//! - packet 2, sent at 0 ms, was lost; the timer expired at 75 ms, and it was sent again at 75 ms (attempt 2)
//! seed 1
//! ```
