//! Half the circle
//!
//! **The fault:** one ACK is lost, and the window is a little too large.
//!
//! Go-back-N works with a window of three and four numbers (chapter 8). Selective repeat does not:
//!
//! <!-- run: rdtp check sr --window 3 --bits 2 --channel lose --patient --fewest-faults -->
//! ```text
//! $ rdtp check sr --window 3 --bits 2 --channel lose --patient --fewest-faults
//! sr:3/4 over a channel that loses
//! bounds: 7 messages, 3 packets in flight each way, patient timers
//! unsafe: message 0 is delivered in place of message 4
//! 307 states, 492 transitions until the first failure
//!
//! counterexample with the fewest faults: 13 steps, 1 fault
//!   1. message 0 is sent as packet 0
//!   2. message 1 is sent as packet 1
//!   3. packet 0 arrives and is delivered, and ACK 0 is sent
//!   4. packet 1 arrives and is delivered, and ACK 1 is sent
//!   5. ACK 0 is lost
//!   6. ACK 1 arrives
//!   7. timer 0 expires, and packet 0 is sent again
//!   8. message 2 is sent as packet 2
//!   9. packet 0, an old copy of message 0, falls into the new window and is kept, and ACK 0 is sent
//!  10. packet 2 arrives and is delivered, and ACK 2 is sent
//!  11. ACK 0 arrives
//!  12. message 3 is sent as packet 3
//!  13. packet 3 arrives and is delivered, then message 0 as message 4, and ACK 3 is sent
//!
//! sr:3/4: message 0 in place of message 4 (step k at k ms)
//!        ms               sender │                          │ receiver
//!                           Wait │                          │ Wait
//!         1                      │─ packet 0 ──────────╮    │
//!         2                      │─ packet 1 ────────╮ │    │
//!         3                      │                   │ ╰───▶│ deliver message 0
//!                                │          lost ✗── ACK 0 ─│
//!         4                      │                   ╰─────▶│ deliver message 1
//!                                │    ╭───────────── ACK 1 ─│
//!         6       (acked-inside) │◀───╯                     │
//!         7  timeout of packet 0 │═ packet 0 ══════════╗    │
//!         8                      │─ packet 2 ────────╮ ║    │
//!         9                      │                   │ ╚═══▶│ (buffer)
//!                                │    ╭───────────── ACK 0 ─│
//!        10                      │    │              ╰─────▶│ deliver message 2
//!                                │    │         ┄┄── ACK 2 ─│
//!        11          2 confirmed │◀───╯                     │
//!        12                      │─ packet 3 ──────────╮    │
//!        13                      │                     ╰───▶│ deliver message 3
//!                                │                          │ deliver WRONG
//!                                │                          │  message 4
//!                                │              ┄┄── ACK 3 ─│
//!           ═ sent again   ┄ still on its way at the end
//!
//! in short: ACK 0 is lost; timer 0 expires, and packet 0 is sent again; packet 0, an old copy of message 0, falls into the new window and is kept, and ACK 0 is sent; packet 3 arrives and is delivered, then message 0 as message 4, and ACK 3 is sent
//! ```
//!
//! The receiver has delivered messages 0 and 1 and moved its window on to 2, 3, 0. The sender has not
//! heard that 0 arrived and repeats it. What the receiver sees is a packet 0 in its window, exactly what
//! a new one would look like (the book's figure 3.27 tells it with three lost ACKs; one is enough).
//!
//! Go-back-N escapes because its receiver accepts a *single* number at any time. This one accepts a whole
//! window of them, and each has to differ from every number that the sender may still repeat.
//!
//! # What it takes
//!
//! The receiver can be ahead of the sender by a whole window, when all ACKs are lost. Then the sender's
//! window, all old, and the receiver's, all new, lie side by side on the circle and must not overlap:
//!
//! > **N ≤ M / 2**, or N ≤ 2ᵏ⁻¹ with k bits
//!
//! ```text
//!          sender may repeat     receiver accepts
//!   N = 2      0   1          |      2   3             four numbers are enough
//!   N = 3      0   1   2      |      3   0   1         0 and 1 mean two things
//! ```
//!
//! <!-- run: rdtp check sr --window 2 --bits 2 --channel lose -->
//! ```text
//! $ rdtp check sr --window 2 --bits 2 --channel lose
//! sr:2/4 over a channel that loses
//! bounds: 6 messages, 3 packets in flight each way
//! holds
//! 15651 states, 87265 transitions: everything that can happen
//! ```
//!
//! # The code
//!
//! [`SelectiveRepeat::new`] refuses more than half:
//!
//! [`SelectiveRepeat::new`]: crate::classic::sr::SelectiveRepeat::new
//!
//! <!-- code: src/classic/sr.rs | pub fn new(window: u64, modulus: Modulus) | } -->
//! ```text
//! pub fn new(window: u64, modulus: Modulus) -> Result<Self, WindowError> {
//!     check_window(window, modulus.count() / 2, modulus)?;
//!     Ok(Self { window, modulus })
//! }
//! ```
//!
//! and the receiver acknowledges again what lies in the window *before* its own, since the sender may be
//! a whole window behind:
//!
//! <!-- code: src/classic/sr.rs | fn is_old(&self, n: Seq) -> bool { | } -->
//! ```text
//! fn is_old(&self, n: Seq) -> bool {
//!     let back = self.modulus.count() - self.window.min(self.modulus.count());
//!     self.modulus.in_window(n, self.modulus.add(self.rcv_base, back), self.window)
//! }
//! ```
//!
//! Where packets overtake each other, more numbers are needed; how many each protocol needs for which
//! depth is in [`SelectiveRepeat::tolerates`], and `rdtp machine` prints it:
//!
//! [`SelectiveRepeat::tolerates`]: crate::classic::Protocol::tolerates
//!
//! <!-- run: rdtp machine sr:2/4 | grep tolerates -->
//! ```text
//! $ rdtp machine sr:2/4 | grep tolerates
//! Channel it tolerates: corrupts, loses, duplicates.
//! ```
//! <!-- run: rdtp machine sr:2/64 | grep tolerates -->
//! ```text
//! $ rdtp machine sr:2/64 | grep tolerates
//! Channel it tolerates: corrupts, loses, duplicates, reorders by up to 59.
//! ```
//!
//! # Exercise
//!
//! That receiver answers old packets too. Would it be right to ignore what lies before the window,
//! since all of it has been delivered and acknowledged? And: with three bits, which is the largest window
//! for go-back-N, and which for selective repeat? Check both, and one more of each.
//!
//! <details><summary>Answer</summary>
//!
//! If it ignored them, one lost ACK would be the end: the sender repeats the packet for ever and its
//! window never moves on. It is the exercise of chapter 3 once more.
//!
//! Eight numbers: seven for go-back-N, four for selective repeat. One more breaks either with a single
//! fault:
//!
//! <!-- run: rdtp check sr:4/8 --channel lose --patient | tail -2 -->
//! ```text
//! $ rdtp check sr:4/8 --channel lose --patient | tail -2
//! holds
//! 5207 states, 12960 transitions: everything that can happen
//! ```
//! <!-- run: rdtp check sr:5/8 --channel lose --patient --fewest-faults | grep counterexample -->
//! ```text
//! $ rdtp check sr:5/8 --channel lose --patient --fewest-faults | grep counterexample
//! counterexample with the fewest faults: 23 steps, 1 fault
//! ```
//! <!-- run: rdtp check gbn:8/8 --channel lose --patient --fewest-faults | grep counterexample -->
//! ```text
//! $ rdtp check gbn:8/8 --channel lose --patient --fewest-faults | grep counterexample
//! counterexample with the fewest faults: 13 steps, 1 fault
//! ```
//! </details>
//!
//! # Try it
//!
//! Lose the first ACK in virtual time. An old message 0 is delivered in the place of message 4:
//!
//! <!-- run: rdtp run sr:3/4 --link down.loss=at:1,delay=25ms --messages 6 --timeout fixed:75ms --seed 1 -->
//! ```text
//! $ rdtp run sr:3/4 --link down.loss=at:1,delay=25ms --messages 6 --timeout fixed:75ms --seed 1
//! sr:3/4 over down.loss=at:1,delay=25ms, seed 1
//!        ms            A, sender │                          │ B, receiver
//!                           Wait │                          │ Wait
//!         0     timer 0 to 75 ms │─ packet 0 ──────────╮    │
//!               timer 1 to 75 ms │─ packet 1 ────────╮ │    │
//!               timer 2 to 75 ms │─ packet 2 ──────╮ │ │    │
//!        25                      │                 │ │ ╰───▶│ deliver message 0
//!                                │          lost ✗── ACK 0 ─│
//!                                │                 │ ╰─────▶│ deliver message 1
//!                                │    ╭───────────── ACK 1 ─│
//!                                │    │            ╰───────▶│ deliver message 2
//!                                │    │ ╭─────────── ACK 2 ─│
//!        50       (acked-inside) │◀───╯ │                   │
//!                    timer 1 off │      │                   │
//!                 (acked-inside) │◀─────╯                   │
//!                    timer 2 off │                          │
//!        75  timeout of packet 0 │═ packet 0 ══════════╗    │
//!              timer 0 to 150 ms │                     ║    │
//!       100                      │                     ╚═══▶│ (buffer)
//!                                │    ╭───────────── ACK 0 ─│
//!       125          timer 0 off │◀───╯                     │
//!                    3 confirmed │                          │
//!              timer 3 to 200 ms │─ packet 3 ──────────╮    │
//!              timer 0 to 200 ms │─ packet 0 ────────╮ │    │
//!              timer 1 to 200 ms │─ packet 1 ──────╮ │ │    │
//!       150                      │                 │ │ ╰───▶│ deliver message 3
//!                                │                 │ │      │ deliver WRONG
//!                                │                 │ │      │  message 4
//!                                │              ┄┄── ACK 3 ─│
//!                                │                 │ ╰─────▶│ ignored: duplicate:
//!                                │                 │        │  acknowledged again
//!                                │              ┄┄── ACK 0 ─│
//!                                │                 ╰───────▶│ deliver message 5
//!                                │              ┄┄── ACK 1 ─│
//!           ═ sent again   ┄ still on its way at the end
//!
//! wrong data after 4 messages: 6 of 6 messages delivered in 0.150 s of virtual time; 7 packets, 1 of them sent again, 7 feedback
//! sr:3/4 does not tolerate a link that loses
//! - ACK 0, sent at 25 ms, was lost; the timer expired at 75 ms, the packet was sent again, and ACK 0 confirmed it at 125 ms
//! - at 150 ms packet 3, sent at 125 ms with message 3, was delivered as message 4: its number fits, so the receiver cannot tell
//! seed 1
//! ```
