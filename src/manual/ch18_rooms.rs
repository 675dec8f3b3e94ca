//! Rooms
//!
//! **The task:** two who talk without a server, and many who talk through one, in rooms (S4).
//!
//! Over TCP the original is one program for both ends: with a port it waits, with an address and a port
//! it connects, and when nobody answers there it waits itself. Both ends watch the keyboard and the
//! socket at once with `select`; `:q` ends. A line goes with a line feed behind it, so `hello` is 6 bytes.
//!
//! Over UDP a server keeps who is at which address, and rooms. Commands begin with `$` and travel as two
//! letters: `ul` asks for the users, `rl` for the rooms. Messages have no line feed: `hi debian` is 9
//! bytes, and as many come back to the sender.
//!
//! This program's launcher has the same manners: a port alone serves, an address joins, and it serves
//! instead of joining when it is told to with `--or-serve`, when really nobody answers, and says so. The
//! original also did so when the address was mistyped, which looks like success and is not.
//!
//! # What it takes
//!
//! A room is a name and a list. Questions begin where rooms can be made by anybody: who may put others
//! out (whoever made it, and nobody else), what becomes of it when they leave (whoever has been there
//! longest looks after it), how many there may be, and how names that look alike are told apart
//! (`AIice` with a capital i is not let in beside `Alice`).
//!
//! # The code
//!
//! What a name looks like decides, not only how it is spelled:
//!
//! <!-- code: src/app/chat/names.rs | pub fn look( | {} -->
//! ```text
//! pub fn look(name: &str) -> String {
//!     let mut out = String::with_capacity(name.len());
//!     for c in name.chars() {
//!         match c {
//!             'm' => out.push_str("rn"),
//!             'w' => out.push_str("vv"),
//!             'æ' => out.push_str("ae"),
//!             'œ' => out.push_str("oe"),
//!             _ => out.push(look_alike(c)),
//!         }
//!     }
//!     out
//! }
//! ```
//!
//! Hundreds of rooms are no more work than one. Here are some in virtual time:
//!
//! <!-- run: rdtp chat simulate --chatters 300 --members 3 --cuts 0 --restarts 0 -->
//! ```text
//! $ rdtp chat simulate --chatters 300 --members 3 --cuts 0 --restarts 0
//! seed 1: 300 chatters, 900 messages said, 900 confirmed, shown 1800 times: 0 twice, 0 missing, 0 out of order; 0 connections broken, 25482 pieces, latency 40.00 ms median, 40.00 ms p99, 40.00 ms longest, 40.098 s of virtual time
//! ```
//!
//! # What to watch
//!
//! A message can be split: the original once received `hi fro` and `m alpine`. And in UDP there is no
//! handshake: whoever sends the first datagram from an address is a user, so anybody can be, in the
//! name of any address. This chat's server therefore keeps nothing of a stranger until they have brought
//! back a number that was sent to their address.
//!
//! # What a stranger can do
//!
//! A user's rights to speak belong to a secret, and a secret costs nothing: a flooder who comes with a new
//! one each time would have a new burst each time. So the server remembers for a while what was used up at
//! each address (of IPv6: each network of 64 bits), and a new user there begins with what is left. Who is
//! in the room already loses nothing; who comes in beside a flooder behind the same router waits a few
//! seconds. The table has a limit, `ServerLimits::addresses_max`.
//!
//! Over `tcp` and `rdt` nobody speaks in another's name without being on the path. Over `udp` a datagram is
//! worth what its sender address is worth: whoever can write any address there can say something in the
//! name of a user, and use up that user's rate. What it cannot do is put the user out: `Quit` carries
//! the secret, a greeting with another secret has to bring a number that can be read at the address alone,
//! and what makes no sense is passed over. That a client of `udp` was killed the server hears from that
//! client's machine, as soon as something is sent there (ICMP, on Linux; elsewhere the user stays for a
//! minute of silence). Three such answers in a row count, since one may be forged; and who was put out by
//! three forged ones comes back by itself, as after any lost connection.
//!
//! # Exercise
//!
//! Why does the server not simply answer the first datagram and remember the address? What could somebody
//! do who can write any sender address on a datagram?
//!
//! <details><summary>Answer</summary>
//!
//! Register a million users who do not exist, until memory is full; or register the address of a victim,
//! to whom everything that is said in the room is then sent. The number has to be read at that address to
//! be brought back, and it can be computed again from the address and a secret, so that nothing is
//! remembered meanwhile.
//! </details>
//!
//! # Try it
//!
//! ```text
//! rdtp chat serve 8090 --compat s4 --over udp
//! rdtp chat localhost 8090 --compat s4 --over udp
//! rdtp chat localhost 8090 --compat s4
//! ```
//!
//! Type `$roomcreate games`, `$roomlist`, `$userlist`, `$kick`. Without `--compat` the same commands work
//! in this program's own chat, with `/` as well, over every carrier.
