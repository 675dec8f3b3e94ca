//! Overtaking
//!
//! **The fault:** a packet may arrive after one that was sent later. On the Internet each packet finds
//! its own way, and sometimes a slower one.
//!
//! rdt 3.0 needs no loss to fail here, only a timer that is a little too eager and a copy that is a
//! little too slow:
//!
//! <!-- run: rdtp check rdt3.0 --channel reorder -->
//! ```text
//! $ rdtp check rdt3.0 --channel reorder
//! rdt3.0 over a channel that reorders
//! bounds: 4 messages, 3 packets in flight each way
//! unsafe: message 0 is delivered in place of message 2
//! 43 states, 56 transitions until the first failure
//!
//! counterexample with the fewest steps: 7 steps, 2 faults
//!   1. message 0 is sent as packet 0
//!   2. packet 0 arrives and is delivered, and ACK 0 is sent
//!   3. the timer expires too early, and packet 0 is sent again
//!   4. ACK 0 arrives
//!   5. message 1 is sent as packet 1
//!   6. packet 1 overtakes 1 packet and arrives and is delivered, and ACK 1 is sent
//!   7. packet 0, an old copy of message 0, arrives and is delivered as message 2, and ACK 0 is sent
//!
//! rdt3.0: message 0 in place of message 2 (step k at k ms)
//!        ms               sender │                          │ receiver
//!           Wait for call 0 from │                          │ Wait for 0 from
//!                          above │                          │  below
//!         1       Wait for ACK 0 │─ packet 0 ──────────╮    │
//!         2                      │                     ╰───▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver message 0
//!                                │    ╭───────────── ACK 0 ─│
//!         3              timeout │═ packet 0 ══════════╗    │
//!         4 Wait for call 1 from │◀───╯                ║    │
//!                          above │                     ║    │
//!                    1 confirmed │                     ║    │
//!         5       Wait for ACK 1 │─ packet 1 ────────╮ ║    │
//!         6                      │                   ╰─────▶│ Wait for 0 from
//!                                │                     ║    │  below
//!                                │                     ║    │ deliver message 1
//!                                │              ┄┄── ACK 1 ─│
//!         7                      │                     ╚═══▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver WRONG
//!                                │                          │  message 2
//!                                │              ┄┄── ACK 0 ─│
//!           ═ sent again   ┄ still on its way at the end
//!
//! in short: the timer expires too early, and packet 0 is sent again; packet 1 overtakes 1 packet and arrives and is delivered, and ACK 1 is sent; packet 0, an old copy of message 0, arrives and is delivered as message 2, and ACK 0 is sent
//! ```
//!
//! In step 7 the receiver waits for packet 0 and gets packet 0. It is intact and has the right number,
//! and it is two messages old. No checksum and no timer can help. Chapter 3 said why one bit is enough:
//! *a packet from further back cannot exist*. Now it can.
//!
//! # What the next machine adds
//!
//! More numbers. If they go 0, 1, 2, 0, 1, 2, ..., an old packet 0 is dangerous only once the receiver
//! has moved on by three. The machine is the same, with another modulus (`saw:3` is stop-and-wait with
//! 3 numbers). Does it help?
//!
//! <!-- run: rdtp check saw:3 --channel reorder | grep counterexample -->
//! ```text
//! $ rdtp check saw:3 --channel reorder | grep counterexample
//! counterexample with the fewest steps: 10 steps, 3 faults
//! ```
//!
//! It takes ten steps instead of seven, and with four numbers thirteen. Each number buys three steps,
//! one more message sent, delivered and acknowledged, and no number is enough: an old copy that stays
//! away long enough meets its own number again. This is not for want of cleverness. Over a channel that
//! may delay packets without limit, *no* protocol with a fixed set of numbers is right (Lynch, Mansour
//! and Fekete, 1988).
//!
//! So bound the channel instead. Let a packet be overtaken by at most *d* later ones:
//!
//! <!-- run: rdtp check saw:3 --overtake 1 -->
//! ```text
//! $ rdtp check saw:3 --overtake 1
//! saw:3 over a channel that corrupts, loses, duplicates, reorders by up to 1
//! bounds: 4 messages, 3 packets in flight each way
//! holds
//! 86033 states, 974200 transitions: everything that can happen
//! ```
//!
//! Three numbers bear one overtaking, four bear two. The law for stop-and-wait is
//!
//! > **M ≥ d + 2**
//!
//! and *d* = 0 gives the two numbers of rdt 3.0. Why: an old copy of packet 0 passes for message M when
//! the receiver waits for that, so it has delivered messages 1 to M − 1 as well. All of these were sent
//! after the copy and arrived before it: M − 1 packets overtook it, one more than *d* = M − 2.
//!
//! # The code
//!
//! The law is in the code, where everything that chooses a protocol for a network reads it; this is from
//! [`classic::rdt30`]:
//!
//! [`classic::rdt30`]: crate::classic::rdt30
//!
//! <!-- code: src/classic/rdt30.rs | let overtake = if self.modulus.never_repeats() { | Self::TOLERATES.overtaking -->
//! ```text
//! let overtake = if self.modulus.never_repeats() {
//!     Overtake::Any
//! } else {
//!     Overtake::AtMost(self.modulus.count() - 2)
//! };
//! Self::TOLERATES.overtaking(overtake)
//! ```
//!
//! # How practice escapes
//!
//! In two ways. TCP *bounds the lifetime* of packets: it assumes that none survives two minutes (the
//! maximum segment lifetime, RFC 9293), which bounds *d* by what can be sent in that time. QUIC uses
//! numbers that *never repeat*: 2⁶² of them last for 146 years at a thousand million packets a second. In
//! this crate, protocols without a modulus do the same:
//!
//! <!-- run: rdtp machine gbn | grep tolerates -->
//! ```text
//! $ rdtp machine gbn | grep tolerates
//! Channel it tolerates: corrupts, loses, duplicates, reorders.
//! ```
//!
//! # Exercise
//!
//! A sender fills a line of 1 Gbit/s with packets of 1,500 bytes, and a packet may live for two
//! minutes. How many bits must a sequence number have, by the law above? TCP numbers bytes, with 32
//! bits: when do its numbers come round on this line?
//!
//! <details><summary>Answer</summary>
//!
//! 10⁹ / 12,000 = 83,333 packets a second make 10 million in two minutes. That is *d*; M ≥ 10,000,002
//! needs 24 bits.
//!
//! 2³² bytes at 125 million bytes a second last 34 seconds, less than two minutes: the assumption is
//! broken. That is why TCP has timestamps, which tell an old segment with the right number from a new one
//! (PAWS, RFC 7323).
//! </details>
//!
//! # Try it
//!
//! A run in which chance does it: the delay varies so much that copies overtake each other.
//!
//! <!-- run: rdtp run rdt3.0 --link delay=25ms±25ms,jitter=reorder --messages 40 --timeout fixed:30ms --seed 7 | tail -4 -->
//! ```text
//! $ rdtp run rdt3.0 --link delay=25ms±25ms,jitter=reorder --messages 40 --timeout fixed:30ms --seed 7 | tail -4
//! - packet 0 was sent again at 405.919 ms although attempt 2 was not lost: the timer expired before its acknowledgement came
//! - packet 0, sent at 405.919 ms, arrived only at 454.972 ms, after packets that were sent later
//! - at 454.972 ms packet 0, sent at 405.919 ms with message 10, was delivered as message 12: its number fits, so the receiver cannot tell
//! seed 7
//! ```
//! <!-- run: rdtp run saw:256 --link delay=25ms±25ms,jitter=reorder --messages 40 --timeout fixed:30ms --seed 7 | grep intact -->
//! ```text
//! $ rdtp run saw:256 --link delay=25ms±25ms,jitter=reorder --messages 40 --timeout fixed:30ms --seed 7 | grep intact
//! intact: 40 of 40 messages delivered in 1.979 s of virtual time; 86 packets, 46 of them sent again, 86 feedback
//! ```
