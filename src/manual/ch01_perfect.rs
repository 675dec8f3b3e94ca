//! A channel that does nothing wrong
//!
//! An application wants its messages to arrive exactly once and in order. Below it is a channel that
//! takes packets on one side and gives packets on the other. Everything in this guide depends on one
//! question: *what may that channel do to a packet?*
//!
//! Start with the best of all channels: whatever goes in comes out, unharmed, once, in order. Then
//! there is nothing to do. The sender makes a packet of each message, the receiver takes the message
//! out. The book calls this rdt 1.0 and draws two machines with one state each (Kurose and Ross,
//! figure 3.9):
//!
//! <!-- svg: rdtp machine rdt1.0 --side sender --as svg -->
#![doc = include_str!("figures/rdt1.0-sender.svg")]
//!
//! <!-- svg: rdtp machine rdt1.0 --side receiver --as svg -->
#![doc = include_str!("figures/rdt1.0-receiver.svg")]
//!
//! Read a figure like this. A circle is a state, and the dashed arrow points at the first. The label of
//! an arrow has the event over a line and the actions under it: when `rdt_send(data)` comes from above,
//! make a packet and give it to the channel with `udt_send`. Λ means that nothing is done. The small
//! grey labels are what the machine ignores, with the reason; the book leaves them out, but a program
//! has to know what to do with every event in every state.
//!
//! # The code
//!
//! A machine is a value. One function, `step`, takes what happened and says what is to be done; it
//! never sees a clock, a socket or a random number. This is the sender's, from [`classic::rdt10`]:
//!
//! [`classic::rdt10`]: crate::classic::rdt10
//!
//! <!-- code: src/classic/rdt10.rs | Input::Send(data) => { | NO_FEEDBACK, -->
//! ```text
//! Input::Send(data) => {
//!     effects.udt_send(Packet::Data { seq: 0, data });
//!     &SEND
//! }
//! Input::Arrive(_) | Input::ArriveCorrupt | Input::Expire(_) => &NO_FEEDBACK,
//! ```
//!
//! And the receiver's:
//!
//! <!-- code: src/classic/rdt10.rs | Input::Arrive(Packet::Data { data, .. }) => { | NOT_DATA, -->
//! ```text
//! Input::Arrive(Packet::Data { data, .. }) => {
//!     effects.deliver_data(data);
//!     &DELIVER
//! }
//! Input::ArriveCorrupt => &NO_CHECK,
//! Input::Send(_)
//! | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
//! | Input::Expire(_) => &NOT_DATA,
//! ```
//!
//! # Is it right?
//!
//! "Obviously" is not an answer that survives this course. So let a program try everything that can
//! happen: in each situation, every event that is possible there, until no new situation turns up.
//! A situation, called a *state* of the whole, is the two machines and the packets between them. In
//! each the checker looks at two things. *Safety*: what was delivered is what was sent, from the first
//! message on, in order. *Progress*: from here the transfer can still finish.
//!
//! <!-- run: rdtp check rdt1.0 -->
//! ```text
//! $ rdtp check rdt1.0
//! rdt1.0 over a channel that is perfect
//! bounds: 4 messages, 3 packets in flight each way
//! holds
//! 14 states, 18 transitions: everything that can happen
//! ```
//!
//! The last line is worth as much as its bounds: four messages and at most three packets on their way.
//! Nothing in the machines depends on the number of messages, so there is no reason to expect news
//! from the fifth, but the checker does not say that; you do.
//!
//! # Exercise
//!
//! The checker found 14 states and 18 transitions. Where do these numbers come from? Count them without
//! the program, and predict the number of states for six messages and two packets in flight.
//!
//! <details><summary>Answer</summary>
//!
//! Both machines always are in their only state, so a state of the whole is told by two numbers: *s*
//! messages sent and *d* delivered, with 0 ≤ *d* ≤ *s* ≤ 4 and at most three in flight, *s* − *d* ≤ 3.
//! There are 15 pairs with *d* ≤ *s* ≤ 4, and one of them, *s* = 4 and *d* = 0, has four in flight: 14.
//! Sending is possible where *s* < 4 and *s* − *d* < 3, which is in 9 states; delivering where
//! *d* < *s*, in 9 as well: 18 transitions.
//!
//! With six messages and two in flight, *s* − *d* is 0 (7 states), 1 (6) or 2 (5): 18 states.
//!
//! <!-- run: rdtp check rdt1.0 --messages 6 --capacity 2 | grep states -->
//! ```text
//! $ rdtp check rdt1.0 --messages 6 --capacity 2 | grep states
//! 18 states, 22 transitions: everything that can happen
//! ```
//! </details>
//!
//! # Try it
//!
//! <!-- run: rdtp run rdt1.0 --link delay=25ms --messages 2 --seed 1 -->
//! ```text
//! $ rdtp run rdt1.0 --link delay=25ms --messages 2 --seed 1
//! rdt1.0 over delay=25ms, seed 1
//!        ms            A, sender │                          │ B, receiver
//!             Wait for call from │                          │ Wait for call from
//!                          above │                          │  below
//!         0          1 confirmed │─ packet ────────────╮    │
//!                    2 confirmed │─ packet ──────────╮ │    │
//!        25                      │                   │ ╰───▶│ deliver message 0
//!                                │                   ╰─────▶│ deliver message 1
//!
//! intact: 2 of 2 messages delivered in 0.025 s of virtual time; 2 packets, 0 of them sent again, 0 feedback
//! seed 1
//! ```
