//! Damage
//!
//! **The fault:** the channel may flip bits. Packets still arrive once and in order.
//!
//! rdt 1.0 hands on whatever comes. The checker needs three steps:
//!
//! <!-- run: rdtp check rdt1.0 --channel corrupt -->
//! ```text
//! $ rdtp check rdt1.0 --channel corrupt
//! rdt1.0 over a channel that corrupts
//! bounds: 4 messages, 3 packets in flight each way
//! unsafe: garbage is delivered in place of message 0
//! 9 states, 10 transitions until the first failure
//!
//! counterexample with the fewest steps: 3 steps, 1 fault
//!   1. message 0 is sent
//!   2. the packet of message 0 is damaged
//!   3. the damaged packet of message 0 arrives and is delivered as message 0
//!
//! rdt1.0: garbage in place of message 0 (step k at k ms)
//!        ms               sender │                          │ receiver
//!             Wait for call from │                          │ Wait for call from
//!                          above │                          │  below
//!         1                      │─ packet ────────────╮    │
//!         3                      │                     ╰──*▶│ deliver WRONG
//!                                │                          │  message 0
//!           * damaged on the way
//!
//! in short: the packet of message 0 is damaged; the damaged packet of message 0 arrives and is delivered as message 0
//! ```
//!
//! This is how to read such a trace. Time runs down. On the left is what the sender does, on the right
//! what the receiver does, between them the channel. `#0` numbers the packets in the order in which they
//! were sent, so that copies can be told apart; `~` marks damage and `X` loss. It is a *shortest*
//! trace: the checker looks at all traces of one step first, then at all of two, so none shorter
//! exists.
//!
//! # What the next machine adds
//!
//! People on a bad telephone line do two things: they notice when they have not understood, and they
//! say "OK" or "please repeat". Protocols that work like this are called ARQ, automatic repeat
//! request, and need three things that rdt 1.0 lacks:
//!
//! - *error detection*: a **checksum** in each packet;
//! - *feedback*: the receiver answers each packet with **ACK** (understood) or **NAK** (not
//!   understood);
//! - *retransmission*: the sender keeps the packet until it hears ACK, and sends it again on NAK.
//!
//! That is rdt 2.0 (figure 3.10). The sender has a second state, in which it waits for the answer and
//! takes nothing from above: the protocol is *stop-and-wait*.
//!
//! <!-- svg: rdtp machine rdt2.0 --side sender --as svg -->
#![doc = include_str!("figures/rdt2.0-sender.svg")]
//!
//! # The code
//!
//! The receiver of [`classic::rdt20`] has a new arrow, for what is damaged:
//!
//! [`classic::rdt20`]: crate::classic::rdt20
//!
//! <!-- code: src/classic/rdt20.rs | static NAK: Rule | damaged: asking -->
//! ```text
//! static NAK: Rule = Rule::new(
//!     "nak",
//!     "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
//!     "udt_send(make_pkt(NAK))",
//!     &[Does::Transmit],
//! )
//! .refusing("damaged: asking for retransmission");
//! ```
//!
//! and the sender one for what comes of it:
//!
//! <!-- code: src/classic/rdt20.rs | (WaitFeedback, Input::Arrive(Packet::Nak { .. })) => { | } -->
//! ```text
//! (WaitFeedback, Input::Arrive(Packet::Nak { .. })) => {
//!     self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
//!     (&RESEND, WaitFeedback)
//! }
//! ```
//!
//! # Is it right?
//!
//! Over a channel that damages data, but never the answers, it is:
//!
//! <!-- run: rdtp check rdt2.0 --channel corrupt --feedback none -->
//! ```text
//! $ rdtp check rdt2.0 --channel corrupt --feedback none
//! rdt2.0 over a channel that corrupts, and for feedback is perfect
//! bounds: 4 messages, 3 packets in flight each way
//! holds
//! 21 states, 24 transitions: everything that can happen
//! ```
//!
//! You may have noticed the condition. It is the subject of the next chapter.
//!
//! # Exercise
//!
//! A channel damages one packet in five and no answers. How many packets does rdt 2.0 send for 2,000
//! messages, on average? And how long does it take if a packet needs 25 ms one way?
//!
//! <details><summary>Answer</summary>
//!
//! A message needs one packet with probability 4/5, two with 1/5 · 4/5, and so on: 1/(1 − 1/5) = 1.25
//! on average, so 2,500 packets. Each costs a round trip of 50 ms: 125 s. A run with chance comes close:
//!
//! <!-- run: rdtp run rdt2.0 --link up.corrupt=20%,delay=25ms --messages 2000 --seed 1 | grep intact -->
//! ```text
//! $ rdtp run rdt2.0 --link up.corrupt=20%,delay=25ms --messages 2000 --seed 1 | grep intact
//! intact: 2,000 of 2,000 messages delivered in 125.775 s of virtual time; 2,516 packets, 516 of them sent again, 2,516 feedback
//! ```
//! </details>
//!
//! # Try it
//!
//! A packet is damaged, `*` in the picture, and repaired:
//!
//! <!-- run: rdtp run rdt2.0 --link up.corrupt=30%,delay=25ms --messages 2 --seed 8 -->
//! ```text
//! $ rdtp run rdt2.0 --link up.corrupt=30%,delay=25ms --messages 2 --seed 8
//! rdt2.0 over up.corrupt=30%,delay=25ms, seed 8
//!        ms            A, sender │                          │ B, receiver
//!             Wait for call from │                          │ Wait for call from
//!                          above │                          │  below
//!         0  Wait for ACK or NAK │─ packet ────────────╮    │
//!        25                      │                     ╰──*▶│ damaged: unknown
//!                                │                          │  version byte 0x51
//!                                │                          │ ignored: damaged:
//!                                │                          │  asking for
//!                                │                          │  retransmission
//!                                │    ╭─────────────── NAK ─│
//!        50             (resend) │◀───╯                     │
//!                                │═ packet ════════════╗    │
//!        75                      │                     ╚═══▶│ deliver message 0
//!                                │    ╭─────────────── ACK ─│
//!       100   Wait for call from │◀───╯                     │
//!                          above │                          │
//!                    1 confirmed │                          │
//!            Wait for ACK or NAK │─ packet ────────────╮    │
//!       125                      │                     ╰───▶│ deliver message 1
//!                                │    ╭─────────────── ACK ─│
//!       150   Wait for call from │◀───╯                     │
//!                          above │                          │
//!                    2 confirmed │                          │
//!           ═ sent again   * damaged on the way
//!
//! intact: 2 of 2 messages delivered in 0.125 s of virtual time; 3 packets, 1 of them sent again, 3 feedback
//! rdt2.0 does not tolerate a link that corrupts
//! - packet, sent at 0 ms, was damaged on the way; NAK arrived at 50 ms, and it was sent again at 50 ms (attempt 2)
//! seed 8
//! ```
