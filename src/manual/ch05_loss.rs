//! Loss
//!
//! **The fault:** the channel may lose packets, of either kind. This is what networks do every day: a
//! router whose queue is full drops what comes next.
//!
//! Everything so far waits for an answer to everything. Two steps are enough:
//!
//! <!-- run: rdtp check rdt2.2 --channel lose -->
//! ```text
//! $ rdtp check rdt2.2 --channel lose
//! rdt2.2 over a channel that loses
//! bounds: 4 messages, 3 packets in flight each way
//! deadlock: the transfer can never finish, and all comes to rest
//! 21 states, 20 transitions: everything that can happen
//!
//! counterexample with the fewest steps: 2 steps, 1 fault
//!   1. message 0 is sent as packet 0
//!   2. packet 0 is lost
//!
//! rdt2.2: deadlock (step k at k ms)
//!        ms               sender │                          │ receiver
//!           Wait for call 0 from │                          │
//!                          above │                          │
//!         1       Wait for ACK 0 │─ packet 0 ──✗ lost       │
//!
//! in short: packet 0 is lost; deadlock: the transfer can never finish, and all comes to rest
//! ```
//!
//! Nothing wrong was delivered. Nothing will ever be delivered again. This is why *progress* has to be
//! checked beside safety: a protocol that does nothing is perfectly safe.
//!
//! # What the next machine adds
//!
//! The sender cannot know whether its packet was lost, or the ACK, or whether either is only late. It
//! need not know. What helps is the same in all three cases: wait for a while, then send again. That
//! takes a **countdown timer**, started with each packet, and nothing else; duplicates, which this makes
//! in masses, can be told since rdt 2.1. The machine is rdt 3.0, the *alternating-bit protocol*
//! (figure 3.15):
//!
//! <!-- svg: rdtp machine rdt3.0 --side sender --as svg -->
#![doc = include_str!("figures/rdt3.0-sender.svg")]
//!
//! The receiver is rdt 2.2's; it does not even notice the change.
//!
//! # The code
//!
//! The whole repair, from [`classic::rdt30`]. An expired timer sends again, and an ACK with the wrong
//! number no longer does (chapter 4 has shown why):
//!
//! [`classic::rdt30`]: crate::classic::rdt30
//!
//! <!-- code: src/classic/rdt30.rs | static TIMEOUT: Rule | ); -->
//! ```text
//! static TIMEOUT: Rule = Rule::new(
//!     "timeout",
//!     "timeout",
//!     "udt_send(sndpkt); start_timer",
//! ```
//! <!-- code: src/classic/rdt30.rs | static WRONG_ACK: Rule | ); -->
//! ```text
//! static WRONG_ACK: Rule = Rule::ignore(
//!     "wrong-ack",
//!     "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, @)",
//!     "wrong number",
//! );
//! ```
//!
//! # Is it right?
//!
//! Over a channel that damages, loses *and* copies, as often as it likes, with a timer that may expire
//! at *any* moment, however wrong:
//!
//! <!-- run: rdtp check rdt3.0 -->
//! ```text
//! $ rdtp check rdt3.0
//! rdt3.0 over a channel that corrupts, loses, duplicates
//! bounds: 4 messages, 3 packets in flight each way
//! holds
//! 1901 states, 11961 transitions: everything that can happen
//! ```
//!
//! No assumption about time is left. A bad timer makes the protocol slow, never wrong. One promise of
//! the channel is still needed, that packets do not overtake each other.
//!
//! # Watch the states
//!
//! The second packet is lost. Each row is one step: the state in which each machine now is stands out,
//! and so does the arrow that was taken.
//!
//! <!-- svg: rdtp run rdt3.0 --link up.loss=at:2,delay=25ms --messages 2 --timeout fixed:75ms --seed 1 --states FIGURE -->
#![doc = include_str!("figures/rdt3.0-states.svg")]
//!
//! # Exercise
//!
//! A packet needs 25 ms one way. How many packets does rdt 3.0 send for 100 messages if nothing is
//! lost and its timer is set to 75 ms, to 30 ms, to 20 ms? Does it take longer with the bad timers?
//!
//! <details><summary>Answer</summary>
//!
//! The ACK is there after 50 ms. At 75 ms the timer is never heard: 100 packets. At 30 ms it expires
//! once before each ACK: 200. At 20 ms twice, after 20 and 40 ms: 300. Time does not change, because
//! the first copy gets through and its ACK is the one that counts; what is wasted is the network's
//! capacity, and others would have liked to use it.
//!
//! <!-- run: rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:75ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:75ms --seed 1 | grep intact
//! intact: 100 of 100 messages delivered in 4.975 s of virtual time; 100 packets, 0 of them sent again, 100 feedback
//! ```
//! <!-- run: rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:30ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:30ms --seed 1 | grep intact
//! intact: 100 of 100 messages delivered in 4.975 s of virtual time; 200 packets, 100 of them sent again, 200 feedback
//! ```
//! <!-- run: rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:20ms --seed 1 | grep intact -->
//! ```text
//! $ rdtp run rdt3.0 --link delay=25ms --messages 100 --timeout fixed:20ms --seed 1 | grep intact
//! intact: 100 of 100 messages delivered in 4.975 s of virtual time; 300 packets, 200 of them sent again, 300 feedback
//! ```
//! </details>
//!
//! # Try it
//!
//! The book's figure 3.16 (c): an ACK is lost.
//!
//! <!-- run: rdtp run rdt3.0 --link down.loss=at:1,delay=25ms --messages 1 --timeout fixed:75ms --seed 1 -->
//! ```text
//! $ rdtp run rdt3.0 --link down.loss=at:1,delay=25ms --messages 1 --timeout fixed:75ms --seed 1
//! rdt3.0 over down.loss=at:1,delay=25ms, seed 1
//!        ms            A, sender │                          │ B, receiver
//!           Wait for call 0 from │                          │ Wait for 0 from
//!                          above │                          │  below
//!         0       Wait for ACK 0 │─ packet 0 ──────────╮    │
//!                 timer to 75 ms │                     │    │
//!        25                      │                     ╰───▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver message 0
//!                                │          lost ✗── ACK 0 ─│
//!        75              timeout │═ packet 0 ══════════╗    │
//!                timer to 150 ms │                     ║    │
//!       100                      │                     ╚═══▶│ ignored: duplicate:
//!                                │                          │  the last ACK again,
//!                                │                          │  not delivered
//!                                │    ╭───────────── ACK 0 ─│
//!       125 Wait for call 1 from │◀───╯                     │
//!                          above │                          │
//!                      timer off │                          │
//!                    1 confirmed │                          │
//!           ═ sent again
//!
//! intact: 1 of 1 messages delivered in 0.025 s of virtual time; 2 packets, 1 of them sent again, 2 feedback
//! - ACK 0, sent at 25 ms, was lost; the timer expired at 75 ms, the packet was sent again, and ACK 0 confirmed it at 125 ms
//! seed 1
//! ```
//!
//! And now be the channel yourself: `rdtp run rdt3.0 --step`.
