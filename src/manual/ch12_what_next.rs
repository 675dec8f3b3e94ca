//! What comes next
//!
//! The machines are done: selective repeat over numbers that never repeat bears every fault that this
//! guide knows. The checker says so for small sizes,
//!
//! <!-- run: rdtp check sr:2 --channel lose,duplicate,corrupt,reorder --messages 3 --capacity 2 -->
//! ```text
//! $ rdtp check sr:2 --channel lose,duplicate,corrupt,reorder --messages 3 --capacity 2
//! sr:2 over a channel that corrupts, loses, duplicates, reorders
//! bounds: 3 messages, 2 packets in flight each way
//! holds
//! 2301 states, 19845 transitions: everything that can happen
//! ```
//!
//! and the demonstration says so for a real file, over real sockets: `rdtp demo`. Yet it is no transport
//! protocol, and a list of what is missing is a table of contents for the rest of the subject.
//!
//! **Connections.** Our two machines are born together, both at number 0. Real ones start, crash and start
//! again, and packets of an earlier life are still about. A receiver that has just started cannot tell an
//! old packet 0 from a new one; no protocol can, if both sides forget everything in a crash (Lynch,
//! Mansour and Fekete, 1988). Hence handshakes, fresh random numbers for each connection, and TCP's
//! TIME-WAIT.
//!
//! **Closing.** Who sends the last message never learns whether it arrived. Add another acknowledgement
//! and the same is true of that one. This is the problem of the *two generals*; it has no solution, only
//! timers that make the bad case rare. `rdtp send` and `rdtp recv` meet it whenever the receiver's last
//! word is lost.
//!
//! **Flow control.** Our receiver always has room. A real one tells the sender how much it can take, and
//! must then be able to say "again" without that word being lost.
//!
//! **Congestion control.** Our sender sends as fast as its window allows. A thousand of them on one line
//! would lose most packets, and send all of them again. The window has to follow what the network can
//! carry, and the network does not say what that is; loss and delay have to be read as hints. Without it,
//! do not use these protocols across networks that you share.
//!
//! **Strangers.** A checksum stops noise, not people. Anybody who can send a packet with the right number
//! can forge a message; that takes keys, not cleverness with numbers.
//!
//! The production transport of this crate has all of these but the last, and the next two chapters
//! are about it: how to use it, and its bytes. `rdtp run transport --link
//! loss=1%,delay=25ms,rate=20mbit --plot out.svg` draws how its window follows what the network can
//! carry.
//!
//! # A protocol of your own
//!
//! The best way to understand these machines is to write one. Implement [`Machine`] for both sides and
//! [`Protocol`] for the pair, and the checker, the simulator, the pictures and real sockets work for it as
//! they do for the book's; `examples/02_your_own_protocol.rs` shows how.
//!
//! [`Machine`]: crate::classic::Machine
//! [`Protocol`]: crate::classic::Protocol
//!
//! # Exercise
//!
//! Take chapter 9's exercise at its word: selective repeat whose ACKs are cumulative *and* selective.
//! Which fields does an ACK need? What must the sender no longer do when a timer expires? Write it, let
//! the checker have it, and compare its retransmissions with `gbn:8` and `sr:8` over the same link.
//!
//! <details><summary>A hint</summary>
//!
//! ACK (*c*, *n*): everything before *c* is here, and *n* too. The receiver sends it for each arrival; the
//! sender marks *n* and everything before *c*. Whether a number before *c* is old or new is a question
//! about circles again, so ask the checker for the smallest modulus before you trust your own answer.
//! </details>
