//! The full circle
//!
//! **The fault:** one packet is lost. That is nothing new; the fault this time is ours.
//!
//! Two bits make four numbers, 0 to 3. Why should the window not be four? Each number is used once in
//! it, nothing is ambiguous, or so it seems. The checker needs one lost packet:
//!
//! <!-- run: rdtp check gbn --window 4 --bits 2 --channel lose --patient --fewest-faults -->
//! ```text
//! $ rdtp check gbn --window 4 --bits 2 --channel lose --patient --fewest-faults
//! gbn:4/4 over a channel that loses
//! bounds: 8 messages, 4 packets in flight each way, patient timers
//! unsafe: the sender believes 4 messages delivered, but the receiver delivered 0
//! 258 states, 416 transitions until the first failure
//!
//! counterexample with the fewest faults: 7 steps, 1 fault
//!   1. message 0 is sent as packet 0
//!   2. message 1 is sent as packet 1
//!   3. message 2 is sent as packet 2
//!   4. message 3 is sent as packet 3
//!   5. packet 0 is lost
//!   6. packet 1 arrives (not the number expected: the last ACK again), and ACK 3 is sent
//!   7. ACK 3 arrives
//!
//! gbn:4/4: 4 messages believed delivered, but 0 delivered (step k at k ms)
//!        ms               sender │                          │ receiver
//!                           Wait │                          │ Wait
//!         1                      │─ packet 0 ──✗ lost       │
//!         2                      │─ packet 1 ──────────╮    │
//!         3                      │─ packet 2 ──┄┄      │    │
//!         4                      │─ packet 3 ──┄┄      │    │
//!         6                      │                     ╰───▶│ ignored: not the
//!                                │                          │  number expected:
//!                                │                          │  the last ACK again
//!                                │    ╭───────────── ACK 3 ─│
//!         7          4 confirmed │◀───╯                     │
//!           ┄ still on its way at the end
//!
//! in short: packet 0 is lost; packet 1 arrives (not the number expected: the last ACK again), and ACK 3 is sent; ACK 3 arrives; the sender believes 4 messages delivered, but the receiver delivered 0
//! ```
//!
//! Look at ACK 3 in step 6. The receiver has got nothing yet. It repeats its last acknowledgement, and
//! before the first packet that is the number before 0, which on a circle of four is 3. The sender has
//! packet 3 outstanding and reads: *all four are here*. On a full circle "nothing new" and "everything"
//! have the same number.
//!
//! Textbooks tell this story with four lost ACKs. The checker was asked for the *fewest faults* and found
//! one with a single loss. Timers are patient here: they expire only when nothing is on its way.
//!
//! # What it takes
//!
//! One number more than the window, so that "nothing new" has a number of its own:
//!
//! > **N ≤ M − 1**, or N ≤ 2ᵏ − 1 with k bits
//!
//! <!-- run: rdtp check gbn --window 3 --bits 2 --channel lose -->
//! ```text
//! $ rdtp check gbn --window 3 --bits 2 --channel lose
//! gbn:3/4 over a channel that loses
//! bounds: 7 messages, 3 packets in flight each way
//! holds
//! 20820 states, 104700 transitions: everything that can happen
//! ```
//!
//! One packet less in the window and no failure in the whole space: the bound is exact. With overtaking
//! by up to *d* packets it becomes M ≥ N(d + 1) + 1, of which this is the case *d* = 0, and N = 1 gives
//! the law of chapter 6.
//!
//! # The code
//!
//! An illegal window is refused when the protocol is made, [`GoBackN::new`]; for lessons like this one
//! there is [`GoBackN::with_illegal_window`].
//!
//! [`GoBackN::new`]: crate::classic::gbn::GoBackN::new
//! [`GoBackN::with_illegal_window`]: crate::classic::gbn::GoBackN::with_illegal_window
//!
//! <!-- code: src/classic/gbn.rs | pub(super) fn check_window | Ok(()) -->
//! ```text
//! pub(super) fn check_window(window: u64, largest: u64, modulus: Modulus) -> Result<(), WindowError> {
//!     if window == 0 {
//!         Err(WindowError::Zero)
//!     } else if window > largest {
//!         Err(WindowError::TooLarge { window, largest, modulus })
//!     } else if window > WINDOW_MAX {
//!         Err(WindowError::Buffer { largest: WINDOW_MAX })
//!     } else {
//!         Ok(())
//! ```
//!
//! Numbers on a circle have no order, only distances, and the code has no `<` for them. Whether *n* is
//! one of the `length` numbers from `first` on is asked so ([`Modulus`]):
//!
//! [`Modulus`]: crate::seq::Modulus
//!
//! <!-- code: src/seq.rs | pub const fn in_window | } -->
//! ```text
//! pub const fn in_window(self, seq: Seq, first: Seq, length: u64) -> bool {
//!     seq < self.0 && self.distance(first, seq) < length
//! }
//! ```
//!
//! # Exercise
//!
//! Without any loss or damage, over a perfect channel, can a window of four with four numbers fail?
//! Timers may expire at any moment. Think of an answer before you ask.
//!
//! <details><summary>Answer</summary>
//!
//! It can. A timer that expires too early makes a second copy of packet 0, and with it a second ACK 0.
//! When the sender has gone once around the circle, the late ACK 0 acknowledges message 4, which also has
//! number 0 and has not arrived.
//!
//! <!-- run: rdtp check gbn --window 4 --bits 2 --channel none | grep unsafe -->
//! ```text
//! $ rdtp check gbn --window 4 --bits 2 --channel none | grep unsafe
//! unsafe: the sender believes 5 messages delivered, but the receiver delivered 1
//! ```
//! </details>
//!
//! # Try it
//!
//! A run in virtual time in which it happens. The first packet is lost, and the sender never learns:
//!
//! <!-- run: rdtp run gbn:4/4 --link up.loss=at:1,delay=25ms --messages 5 --timeout fixed:75ms --seed 1 -->
//! ```text
//! $ rdtp run gbn:4/4 --link up.loss=at:1,delay=25ms --messages 5 --timeout fixed:75ms --seed 1
//! gbn:4/4 over up.loss=at:1,delay=25ms, seed 1
//!        ms            A, sender │                          │ B, receiver
//!                           Wait │                          │ Wait
//!         0       timer to 75 ms │─ packet 0 ──✗ lost       │
//!                                │─ packet 1 ──────────╮    │
//!                                │─ packet 2 ────────╮ │    │
//!                                │─ packet 3 ──────╮ │ │    │
//!        25                      │                 │ │ ╰───▶│ ignored: not the
//!                                │                 │ │      │  number expected:
//!                                │                 │ │      │  the last ACK again
//!                                │    ╭───────────── ACK 3 ─│
//!                                │    │            │ ╰─────▶│ ignored: not the
//!                                │    │            │        │  number expected:
//!                                │    │            │        │  the last ACK again
//!                                │    │ ╭─────────── ACK 3 ─│
//!                                │    │ │          ╰───────▶│ ignored: not the
//!                                │    │ │                   │  number expected:
//!                                │    │ │                   │  the last ACK again
//!                                │    │ │ ╭───────── ACK 3 ─│
//!        50            timer off │◀───╯ │ │                 │
//!                    4 confirmed │      │ │                 │
//!                timer to 125 ms │─ packet 0 ──────────╮    │
//!                       ignored: │◀─────╯ │            │    │
//!                   acknowledges │        │            │    │
//!                nothing that is │        │            │    │
//!                    outstanding │        │            │    │
//!                       ignored: │◀───────╯            │    │
//!                   acknowledges │                     │    │
//!                nothing that is │                     │    │
//!                    outstanding │                     │    │
//!        75                      │                     ╰───▶│ deliver WRONG
//!                                │                          │  message 0
//!                                │              ┄┄── ACK 0 ─│
//!           ┄ still on its way at the end
//!
//! wrong data after 0 messages: 1 of 5 messages delivered in 0.075 s of virtual time; 5 packets, 0 of them sent again, 4 feedback
//! gbn:4/4 does not tolerate a link that loses
//! - packet 0, sent at 0 ms, was lost; nothing repaired it
//! - at 75 ms packet 0, sent at 50 ms with message 4, was delivered as message 0: its number fits, so the receiver cannot tell
//! seed 1
//! ```
