//! How long to wait
//!
//! **The fault:** the delay changes, and nobody tells the sender.
//!
//! Since chapter 5 nothing depends on the timer being right. Speed does. The same 300 messages over a
//! link with a round trip of 80 to 120 ms that loses one packet in twenty, with three timers:
//!
//! <!-- run: rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout fixed:60ms --seed 3 | grep intact -->
//! ```text
//! $ rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout fixed:60ms --seed 3 | grep intact
//! intact: 300 of 300 messages delivered in 4.884 s of virtual time; 636 packets, 336 of them sent again, 601 feedback
//! ```
//! <!-- run: rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout fixed:130ms --seed 3 | grep intact -->
//! ```text
//! $ rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout fixed:130ms --seed 3 | grep intact
//! intact: 300 of 300 messages delivered in 6.058 s of virtual time; 327 packets, 27 of them sent again, 313 feedback
//! ```
//! <!-- run: rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout fixed:1s --seed 3 | grep intact -->
//! ```text
//! $ rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout fixed:1s --seed 3 | grep intact
//! intact: 300 of 300 messages delivered in 23.443 s of virtual time; 327 packets, 27 of them sent again, 313 feedback
//! ```
//!
//! Too short, and everything is sent at least twice: fast here, where the link is ours alone, and a
//! disaster where it is shared, because everybody's useless copies are everybody's loss. Too long, and
//! each loss costs a second of silence. Just right is a little more than the round trip, *this*
//! round trip, which the sender does not know in advance.
//!
//! # What it takes
//!
//! Measure it. Each ACK of a new packet is a sample of the round trip. Smooth the samples, so that one
//! odd value does not count much, and keep track of how much they vary, so that the timer leaves that much
//! room (RFC 6298; in the book, section 3.5.3):
//!
//! > RTTVAR ← ¾ RTTVAR + ¼ |SRTT − sample|
//! >
//! > SRTT ← ⅞ SRTT + ⅛ sample
//! >
//! > RTO = SRTT + 4 RTTVAR
//!
//! Two rules go with it. *Karn's rule*: a packet that was sent twice gives no sample, because its ACK may
//! belong to either copy. *Back off*: each timeout doubles the next one, until an ACK tells something
//! new, so that a sender whose estimate is hopeless does not flood the network with copies.
//!
//! # The code
//!
//! In whole nanoseconds, from [`RttEstimator`], which every endpoint of this crate has:
//!
//! [`RttEstimator`]: crate::classic::RttEstimator
//!
//! <!-- code: src/classic/timeout.rs | pub fn sample( | self.rto = -->
//! ```text
//! pub fn sample(&mut self, r: Duration) {
//!     // RFC 6298, 2.2 and 2.3 with alpha = 1/8, beta = 1/4.
//!     let (srtt, rttvar) = match self.smoothed {
//!         None => (r, r / 2),
//!         Some((srtt, rttvar)) => ((srtt * 7 + r) / 8, (rttvar * 3 + srtt.abs_diff(r)) / 4),
//!     };
//!     self.smoothed = Some((srtt, rttvar));
//!     if let Timeout::Adaptive(limits) = self.policy {
//!         // Clock granularity G is nanoseconds here and needs no term of its own.
//!         let rto = srtt.saturating_add(rttvar * 4);
//!         self.rto = rto.min(limits.rto_max).max(limits.rto_min).max(RTO_FLOOR);
//! ```
//!
//! With it, nobody has to guess:
//!
//! <!-- run: rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout adaptive --seed 3 | grep intact -->
//! ```text
//! $ rdtp run sr:8 --link loss=5%,delay=50ms±10ms --messages 300 --timeout adaptive --seed 3 | grep intact
//! intact: 300 of 300 messages delivered in 7.193 s of virtual time; 328 packets, 28 of them sent again, 314 feedback
//! ```
//!
//! # Exercise
//!
//! Why is Karn's rule needed? A packet is lost and sent again after RTO = 100 ms; its ACK comes 150 ms
//! after the first copy left. What would the sample be if the ACK were counted for the first copy, or
//! for the second, and what would either do to the timeout in the long run?
//!
//! <details><summary>Answer</summary>
//!
//! Counted for the first copy, 150 ms: the timeout itself becomes part of the measurement. After some
//! losses RTO is much too long, and grows with each.
//!
//! Counted for the second, 50 ms. Here it would be right, because the first copy *was* lost. Had it only
//! been slow, with a round trip of 150 ms, 50 ms would be far too short; the timer would then expire early
//! for every packet, each would be sent twice, and each would give the wrong sample again. Neither can be
//! told from the ACK, so neither is used. (TCP's timestamps and QUIC's packet numbers, new ones for each
//! transmission, make the question go away.)
//! </details>
//!
//! # Try it
//!
//! Watch the estimate follow the round trips; it is among the events of a run, in nanoseconds:
//!
//! <!-- run: rdtp run rdt3.0 --link delay=25ms±20ms --messages 4 --seed 2 --events - | grep rto -->
//! ```text
//! $ rdtp run rdt3.0 --link delay=25ms±20ms --messages 4 --seed 2 --events - | grep rto
//! {"at_ns":24581347,"node":0,"event":"rtt","sample_ns":24581347,"srtt_ns":24581347,"rttvar_ns":12290673,"rto_ns":73744039}
//! {"at_ns":88947952,"node":0,"event":"rtt","sample_ns":64366605,"srtt_ns":29554504,"rttvar_ns":19164319,"rto_ns":106211780}
//! {"at_ns":118041574,"node":0,"event":"rtt","sample_ns":29093622,"srtt_ns":29496893,"rttvar_ns":14488459,"rto_ns":87450729}
//! {"at_ns":178805147,"node":0,"event":"rtt","sample_ns":60763573,"srtt_ns":33405228,"rttvar_ns":18683014,"rto_ns":108137284}
//! ```
