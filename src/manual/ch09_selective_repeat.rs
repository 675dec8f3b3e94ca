//! One loss, one repair
//!
//! **The fault:** one packet of many is lost. Go-back-N repairs it by sending all of them again.
//!
//! With a window of eight and one packet in ten lost, it sends nearly twice as many packets as there are
//! messages:
//!
//! <!-- run: rdtp run gbn:8 --link loss=10%,delay=25ms --messages 500 --timeout fixed:75ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run gbn:8 --link loss=10%,delay=25ms --messages 500 --timeout fixed:75ms --seed 1 | grep intact
//! intact: 500 of 500 messages delivered in 5.775 s of virtual time; 916 packets, 416 of them sent again, 831 feedback
//! ```
//!
//! The larger the window, the worse: on a long fast line, a single loss repeats thousands of packets
//! that have arrived and were thrown away.
//!
//! # What the next machine adds
//!
//! **Selective repeat** (figures 3.23 to 3.25) repeats what is missing, and nothing else. That takes
//!
//! - at the receiver a **buffer**: what arrives out of order is kept, and delivered when the gap before
//!   it is filled;
//! - **individual ACKs**: ACK *n* means *n*, not "up to *n*";
//! - at the sender **a timer for each packet**.
//!
//! So both sides have a window now, and the two are not always at the same place:
//!
//! ```text
//!   sender     ...  4  | 5   6   7   8 |  9 ...      5 is not acknowledged, 6 is
//!   receiver   ...  5   6  | 7   8   9   10 | ...    5 and 6 are delivered
//! ```
//!
//! <!-- svg: rdtp machine sr:4/8 --side receiver --as svg -->
#![doc = include_str!("figures/sr-receiver.svg")]
//!
//! # The code
//!
//! The heart of the receiver, from [`classic::sr`]: a packet of the window is put into its slot, and if
//! it is the one at the front, it goes up together with all that follow it without a gap.
//!
//! [`classic::sr`]: crate::classic::sr
//!
//! <!-- code: src/classic/sr.rs | match self.buffered.get_mut(offset) { | &DELIVER -->
//! ```text
//! match self.buffered.get_mut(offset) {
//!     Some(slot @ None) => *slot = Some(data),
//!     _ => return &AGAIN,
//! }
//! if n != self.rcv_base {
//!     return &BUFFER;
//! }
//! while let Some(Some(_)) = self.buffered.front() {
//!     if let Some(data) = self.buffered.pop_front().flatten() {
//!         effects.deliver_data(data);
//!         self.rcv_base = self.modulus.next(self.rcv_base);
//!     }
//! }
//! &DELIVER
//! ```
//!
//! # Is it right?
//!
//! With a window of two and four numbers, over everything but overtaking:
//!
//! <!-- run: rdtp check sr:2/4 -->
//! ```text
//! $ rdtp check sr:2/4
//! sr:2/4 over a channel that corrupts, loses, duplicates
//! bounds: 6 messages, 3 packets in flight each way
//! holds
//! 46638 states, 350021 transitions: everything that can happen
//! ```
//!
//! And the waste is gone:
//!
//! <!-- run: rdtp run sr:8 --link loss=10%,delay=25ms --messages 500 --timeout fixed:75ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run sr:8 --link loss=10%,delay=25ms --messages 500 --timeout fixed:75ms --seed 1 | grep intact
//! intact: 500 of 500 messages delivered in 6.300 s of virtual time; 610 packets, 110 of them sent again, 551 feedback
//! ```
//!
//! # Exercise
//!
//! Look at the two runs again. Selective repeat sends far fewer packets, yet it is *not* faster here.
//! The link loses one ACK in ten as well. What does a lost ACK cost go-back-N, and what does it cost
//! selective repeat? How would you have the best of both?
//!
//! <details><summary>Answer</summary>
//!
//! Go-back-N's ACKs are cumulative: if ACK 4 is lost, ACK 5 says the same and more, so most lost ACKs
//! cost nothing. Selective repeat's speak for one packet each. A lost one costs a timeout, a
//! retransmission and another ACK, and as long as it is the oldest packet, the window stands still.
//!
//! TCP does both: cumulative acknowledgements, and *selective* ones (SACK, RFC 2018) which say what else
//! has arrived. QUIC's ACK frames list ranges of all packets received, so that each of them repairs the
//! loss of those before it.
//! </details>
//!
//! # Try it
//!
//! The book's figure 3.26. Compare it with chapter 7: the same loss, and one packet is sent again
//! instead of four.
//!
//! <!-- svg: rdtp run sr:4/8 --link up.loss=at:3,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 --ladder FIGURE -->
#![doc = include_str!("figures/sr-ladder.svg")]
//!
//! <!-- run: rdtp run sr:4/8 --link up.loss=at:3,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 | tail -3 -->
//! ```text
//! $ rdtp run sr:4/8 --link up.loss=at:3,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 | tail -3
//! intact: 6 of 6 messages delivered in 0.100 s of virtual time; 7 packets, 1 of them sent again, 6 feedback
//! - packet 2, sent at 0 ms, was lost; its timer expired at 75 ms, and it was sent again at 75 ms (attempt 2)
//! seed 1
//! ```
