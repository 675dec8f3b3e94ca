//! Copies
//!
//! **The fault:** the channel may deliver a packet twice. Some networks do: a link layer that repeats a
//! frame because its own acknowledgement was lost, a route that loops.
//!
//! rdt 2.1 recognises copies of data by their number. But its ACKs carry none:
//!
//! <!-- run: rdtp check rdt2.1 --channel duplicate -->
//! ```text
//! $ rdtp check rdt2.1 --channel duplicate
//! rdt2.1 over a channel that duplicates
//! bounds: 4 messages, 3 packets in flight each way
//! unsafe: the sender believes 2 messages delivered, but the receiver delivered 1
//! 31 states, 40 transitions until the first failure
//!
//! counterexample with the fewest steps: 6 steps, 1 fault
//!   1. message 0 is sent as packet 0
//!   2. packet 0 arrives and is delivered, and ACK is sent
//!   3. the channel copies ACK
//!   4. ACK arrives
//!   5. message 1 is sent as packet 1
//!   6. ACK arrives
//!
//! rdt2.1: 2 messages believed delivered, but 1 delivered (step k at k ms)
//!        ms               sender │                          │ receiver
//!           Wait for call 0 from │                          │ Wait for 0 from
//!                          above │                          │  below
//!         1  Wait for ACK or NAK │─ packet 0 ──────────╮    │
//!                              0 │                     │    │
//!         2                      │                     ╰───▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver message 0
//!                                │    ╭─────────────── ACK ─│
//!         4 Wait for call 1 from │◀───┤                     │
//!                          above │    │                     │
//!                    1 confirmed │    │                     │
//!         5  Wait for ACK or NAK │─ packet 1 ──┄┄           │
//!                              1 │    │                     │
//!         6               a copy │◀───╯                     │
//!           Wait for call 0 from │                          │
//!                          above │                          │
//!                    2 confirmed │                          │
//!           ┄ still on its way at the end
//!
//! in short: the channel copies ACK; ACK arrives; the sender believes 2 messages delivered, but the receiver delivered 1
//! ```
//!
//! The second copy of the first ACK is taken as the answer to the second packet, which may never
//! arrive. An answer that does not say *what* it answers is only as good as the channel's promise that
//! there is exactly one.
//!
//! # What the next machine adds
//!
//! An ACK says which packet it acknowledges. Then NAK is no longer needed: "I have packet 0", said when
//! packet 1 was expected, tells the same as "repeat packet 1". One kind of answer less, and each is
//! unambiguous. That is rdt 2.2 (figures 3.13 and 3.14).
//!
//! | the receiver waits for 1 and gets | rdt 2.1 answers | rdt 2.2 answers |
//! | --- | --- | --- |
//! | packet 1 | ACK | ACK 1 |
//! | packet 0, a duplicate | ACK | ACK 0 |
//! | something damaged | NAK | ACK 0 |
//!
//! <!-- svg: rdtp machine rdt2.2 --side receiver --as svg -->
#![doc = include_str!("figures/rdt2.2-receiver.svg")]
//!
//! # The code
//!
//! The sender of [`classic::rdt22`] goes on when the number is its own, and only then:
//!
//! [`classic::rdt22`]: crate::classic::rdt22
//!
//! <!-- code: src/classic/rdt22.rs | (WaitAck(k), Input::Arrive(Packet::Ack { seq })) if seq == k => { | RESEND_ACK -->
//! ```text
//! (WaitAck(k), Input::Arrive(Packet::Ack { seq })) if seq == k => {
//!     self.sndpkt = None;
//!     (&ACKED, WaitCall(BIT.next(k)))
//! }
//! (WaitAck(k), Input::Arrive(Packet::Ack { .. })) => {
//!     self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
//!     (&RESEND_ACK, WaitAck(k))
//! ```
//!
//! # Is it right?
//!
//! For the fault it was made for, damage, it is:
//!
//! <!-- run: rdtp check rdt2.2 --channel corrupt | tail -2 -->
//! ```text
//! $ rdtp check rdt2.2 --channel corrupt | tail -2
//! holds
//! 37 states, 52 transitions: everything that can happen
//! ```
//!
//! Over a channel that copies, nothing wrong is delivered any more. But look at the verdict:
//!
//! <!-- run: rdtp check rdt2.2 --channel duplicate --capacity 2 -->
//! ```text
//! $ rdtp check rdt2.2 --channel duplicate --capacity 2
//! rdt2.2 over a channel that duplicates
//! bounds: 4 messages, 2 packets in flight each way
//! deadlock: the transfer can never finish, and all comes to rest
//! 99 states, 189 transitions: everything that can happen
//!
//! counterexample with the fewest steps: 7 steps, 3 faults
//!   1. message 0 is sent as packet 0
//!   2. packet 0 arrives and is delivered, and ACK 0 is sent
//!   3. the channel copies ACK 0
//!   4. ACK 0 arrives
//!   5. message 1 is sent as packet 1
//!   6. the channel copies packet 1
//!   7. the channel copies ACK 0
//!
//! rdt2.2: deadlock (step k at k ms)
//!        ms               sender │                          │ receiver
//!           Wait for call 0 from │                          │ Wait for 0 from
//!                          above │                          │  below
//!         1       Wait for ACK 0 │─ packet 0 ──────────╮    │
//!         2                      │                     ╰───▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver message 0
//!                                │    ╭───────────── ACK 0 ─│
//!         4 Wait for call 1 from │◀───╯                     │
//!                          above │                          │
//!                    1 confirmed │                          │
//!         5       Wait for ACK 1 │─ packet 1 ──┄┄           │
//!           ┄ still on its way at the end
//!
//! in short: the channel copies ACK 0; the channel copies packet 1; the channel copies ACK 0; deadlock: the transfer can never finish, and all comes to rest
//! ```
//!
//! # Exercise
//!
//! What exactly has jammed in that last state? Why would a channel with more room jam as well? Which
//! line of the code above is to blame, and what would you put in its place?
//!
//! <details><summary>Answer</summary>
//!
//! Both directions are full. Two copies of packet 1 are on their way to the receiver, two copies of
//! ACK 0 to the sender. To take a copy of ACK 0, an old number, the sender would have to send packet 1
//! again, and there is no room; to take packet 1, the receiver would have to send an ACK, and there is
//! no room either. This channel loses nothing, so whoever finds it full has to wait.
//!
//! More room only means more copies before it jams: each copy of an ACK with the wrong number makes a
//! packet, and each packet makes an ACK, so that packets multiply and never become fewer.
//!
//! The culprit is "wrong number: sending the packet again". rdt 3.0 ignores such ACKs, and can afford
//! to, because it has another reason to send again. That is the next chapter. The same mistake was in
//! early TFTP and became known as the *sorcerer's apprentice* (RFC 1123, section 4.2.3.1).
//! </details>
//!
//! # Try it
//!
//! Every ACK is copied. The copy of ACK 0 makes the sender repeat packet 1 for nothing:
//!
//! <!-- run: rdtp run rdt2.2 --link down.dup=100%,delay=25ms --messages 2 --seed 1 -->
//! ```text
//! $ rdtp run rdt2.2 --link down.dup=100%,delay=25ms --messages 2 --seed 1
//! rdt2.2 over down.dup=100%,delay=25ms, seed 1
//!        ms            A, sender │                          │ B, receiver
//!           Wait for call 0 from │                          │ Wait for 0 from
//!                          above │                          │  below
//!         0       Wait for ACK 0 │─ packet 0 ──────────╮    │
//!        25                      │                     ╰───▶│ Wait for 1 from
//!                                │                          │  below
//!                                │                          │ deliver message 0
//!                                │    ╭───────────── ACK 0 ─│
//!        50 Wait for call 1 from │◀───┤                     │
//!                          above │    │                     │
//!                    1 confirmed │    │                     │
//!                 Wait for ACK 1 │─ packet 1 ──────────╮    │
//!                         a copy │◀───╯                │    │
//!                 ignored: wrong │                     │    │
//!            number: sending the │                     │    │
//!                   packet again │                     │    │
//!                                │═ packet 1 ════════╗ │    │
//!        75                      │                   ║ ╰───▶│ Wait for 0 from
//!                                │                   ║      │  below
//!                                │                   ║      │ deliver message 1
//!                                │    ╭───────────── ACK 1 ─│
//!                                │    │              ╚═════▶│ ignored: duplicate:
//!                                │    │                     │  the last ACK again,
//!                                │    │                     │  not delivered
//!                                │    │ ╭─────────── ACK 1 ─│
//!       100 Wait for call 0 from │◀───┤ │                   │
//!                          above │    │ │                   │
//!                    2 confirmed │    │ │                   │
//!                         a copy │◀───╯ │                   │
//!            ignored: nothing is │      │                   │
//!                    outstanding │      │                   │
//!            ignored: nothing is │◀─────┤                   │
//!                    outstanding │      │                   │
//!                         a copy │◀─────╯                   │
//!            ignored: nothing is │                          │
//!                    outstanding │                          │
//!           ═ sent again
//!
//! intact: 2 of 2 messages delivered in 0.075 s of virtual time; 3 packets, 1 of them sent again, 3 feedback
//! rdt2.2 does not tolerate a link that duplicates
//! seed 1
//! ```
