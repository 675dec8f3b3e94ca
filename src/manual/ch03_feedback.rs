//! Damaged feedback
//!
//! **The fault:** the channel may flip bits in ACKs and NAKs too.
//!
//! The book remarks that rdt 2.0 "has a fatal flaw": its figure does not say what the sender does with
//! an answer that it cannot read. Add the missing arrow yourself and you find that there are three
//! ways, and that each is wrong in its own way.
//!
//! *Read it as NAK and send again:* if it was an ACK, the receiver gets the message twice.
//!
//! <!-- run: rdtp check rdt2.0 --channel corrupt -->
//! ```text
//! $ rdtp check rdt2.0 --channel corrupt
//! rdt2.0 over a channel that corrupts
//! bounds: 4 messages, 3 packets in flight each way
//! unsafe: message 0 is delivered in place of message 1
//! 14 states, 14 transitions until the first failure
//!
//! counterexample with the fewest steps: 5 steps, 1 fault
//!   1. message 0 is sent
//!   2. the packet of message 0 arrives and is delivered, and ACK is sent
//!   3. ACK is damaged
//!   4. damaged ACK arrives (garbled feedback, read as NAK), and the packet of message 0 is sent
//!   5. the packet of message 0 arrives and is delivered as message 1, and ACK is sent
//!
//! rdt2.0: message 0 in place of message 1 (step k at k ms)
//!        ms               sender │                          │ receiver
//!             Wait for call from │                          │ Wait for call from
//!                          above │                          │  below
//!         1  Wait for ACK or NAK │─ packet ────────────╮    │
//!         2                      │                     ╰───▶│ deliver message 0
//!                                │    ╭─────────────── ACK ─│
//!         4       damaged: wrong │◀*──╯                     │
//!                       checksum │                          │
//!               ignored: garbled │                          │
//!              feedback, read as │                          │
//!                            NAK │                          │
//!                                │═ packet ════════════╗    │
//!         5                      │                     ╚═══▶│ deliver WRONG
//!                                │                          │  message 1
//!                                │                ┄┄── ACK ─│
//!           ═ sent again   * damaged on the way   ┄ still on its way at the end
//!
//! in short: ACK is damaged; damaged ACK arrives (garbled feedback, read as NAK), and the packet of message 0 is sent; the packet of message 0 arrives and is delivered as message 1, and ACK is sent
//! ```
//!
//! *Ignore it:* then both wait for ever.
//!
//! <!-- run: rdtp check rdt2.0:ignore --channel corrupt | grep deadlock | head -1 -->
//! ```text
//! $ rdtp check rdt2.0:ignore --channel corrupt | grep deadlock | head -1
//! deadlock: the transfer can never finish, and all comes to rest
//! ```
//!
//! *Read it as ACK:* if it was a NAK, the message is gone, and the sender does not know.
//!
//! <!-- run: rdtp check rdt2.0:ack --channel corrupt | grep unsafe -->
//! ```text
//! $ rdtp check rdt2.0:ack --channel corrupt | grep unsafe
//! unsafe: the sender believes 1 messages delivered, but the receiver delivered 0
//! ```
//!
//! A checksum on the answers does not help: it tells that an answer is damaged, not which one it was.
//!
//! # What the next machine adds
//!
//! Of the three, sending again is the only one that can be repaired, because a message too many can be
//! thrown away, while a message too few cannot be invented. All the receiver needs to know is whether
//! a packet is the next message or the last one again. One bit tells: packets are numbered 0, 1, 0, 1,
//! ... That is rdt 2.1 (figures 3.11 and 3.12). Both machines now remember a number, so they have twice
//! as many states:
//!
//! <!-- svg: rdtp machine rdt2.1 --side sender --as svg -->
#![doc = include_str!("figures/rdt2.1-sender.svg")]
//!
//! <!-- svg: rdtp machine rdt2.1 --side receiver --as svg -->
#![doc = include_str!("figures/rdt2.1-receiver.svg")]
//!
//! Why is one bit enough? Because the sender waits. When the receiver expects packet 1, the sender has
//! either sent it already or is still repeating packet 0; a packet from further back cannot exist. That
//! argument needs a channel that keeps order. Remember it until chapter 6.
//!
//! # The code
//!
//! The receiver of [`classic::rdt21`] delivers only the number that it waits for. The other number is a
//! duplicate, and it is acknowledged all the same:
//!
//! [`classic::rdt21`]: crate::classic::rdt21
//!
//! <!-- code: src/classic/rdt21.rs | static DUPLICATE: Rule | not delivered -->
//! ```text
//! static DUPLICATE: Rule = Rule::new(
//!     "duplicate",
//!     "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && has_seq@(rcvpkt)",
//!     "sndpkt = make_pkt(ACK, checksum); udt_send(sndpkt)",
//!     &[Does::Transmit],
//! )
//! .refusing("duplicate: acknowledged again, not delivered");
//! ```
//!
//! # Is it right?
//!
//! <!-- run: rdtp check rdt2.1 --channel corrupt -->
//! ```text
//! $ rdtp check rdt2.1 --channel corrupt
//! rdt2.1 over a channel that corrupts
//! bounds: 4 messages, 3 packets in flight each way
//! holds
//! 41 states, 60 transitions: everything that can happen
//! ```
//!
//! # Exercise
//!
//! The receiver acknowledges a packet that it throws away. What goes wrong if it stays silent instead,
//! since it has acknowledged that packet before? And if it answers NAK, since it is not what it waits
//! for (problem P6 in the book)?
//!
//! <details><summary>Answer</summary>
//!
//! Both need one damaged ACK. The sender cannot read it and sends packet 0 again; the receiver waits
//! for packet 1.
//!
//! If it stays silent, the sender waits for an answer and the receiver for a packet: a *deadlock*, all
//! comes to rest.
//!
//! If it answers NAK, the sender sends packet 0 again, gets NAK again, and so on: a *livelock*, they
//! are busy for ever and nothing gets done. The checker finds either, because from such states the
//! transfer can no longer finish. A test that only waits for all to come to rest finds the first and
//! not the second.
//!
//! The rule behind it: whoever receives a duplicate must assume that its own answer was the thing that
//! went wrong.
//! </details>
//!
//! # Try it
//!
//! <!-- run: rdtp run rdt2.1 --link down.corrupt=30%,delay=25ms --messages 2 --seed 3 -->
//! ```text
//! $ rdtp run rdt2.1 --link down.corrupt=30%,delay=25ms --messages 2 --seed 3
//! rdt2.1 over down.corrupt=30%,delay=25ms, seed 3
//!        ms            A, sender │                          │ B, receiver
//!           Wait for call 0 from │                          │ Wait for 0 from
//!                          above │                          │  below
//!         0  Wait for ACK or NAK │─ packet 0 ──────────╮    │
//!                              0 │                     │    │
//!        25                      │                     ╰───▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver message 0
//!                                │    ╭─────────────── ACK ─│
//!        50 Wait for call 1 from │◀───╯                     │
//!                          above │                          │
//!                    1 confirmed │                          │
//!            Wait for ACK or NAK │─ packet 1 ──────────╮    │
//!                              1 │                     │    │
//!        75                      │                     ╰───▶│ Wait for 0 from
//!                                │                          │  below
//!                                │                          │ deliver message 1
//!                                │    ╭─────────────── ACK ─│
//!       100     damaged: unknown │◀*──╯                     │
//!              version byte 0x91 │                          │
//!               ignored: garbled │                          │
//!              feedback: sending │                          │
//!               the packet again │                          │
//!                                │═ packet 1 ══════════╗    │
//!       125                      │                     ╚═══▶│ ignored: duplicate:
//!                                │                          │  acknowledged again,
//!                                │                          │  not delivered
//!                                │    ╭─────────────── ACK ─│
//!       150 Wait for call 0 from │◀───╯                     │
//!                          above │                          │
//!                    2 confirmed │                          │
//!           ═ sent again   * damaged on the way
//!
//! intact: 2 of 2 messages delivered in 0.075 s of virtual time; 3 packets, 1 of them sent again, 3 feedback
//! - ACK, sent at 75 ms, was damaged on the way; the sender could not read it and sent packet 1 again
//! seed 3
//! ```
