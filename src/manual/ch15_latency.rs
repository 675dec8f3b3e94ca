//! The latency monitor
//!
//! **The question:** is the way to the server as quick as it should be, and who tells me when it is
//! not?
//!
//! # What the original did
//!
//! A class wrote a chat over UDP, and beside it a program that sends the server the word `ping` every
//! ten seconds and takes the time until `ping` comes back. Below 100 ms the connection is *Normal*,
//! below 300 ms *Lenta*, otherwise *Muito Lenta*; after two seconds without an answer it is *Inativa*.
//! After every measurement it sends a mail that says so. The same over a network with a
//! round trip of 150 ms that loses one datagram in ten, in virtual time:
//!
//! <!-- run: rdtp monitor --simulate --compat s1 --link delay=75ms,loss=10% --seed 3 --count 6 -->
//! ```text
//! $ rdtp monitor --simulate --compat s1 --link delay=75ms,loss=10% --seed 3 --count 6
//! Conexão Lenta. Latência: 150.00 ms
//! Conexão Lenta. Latência: 150.00 ms
//! Conexão Lenta. Latência: 150.00 ms
//! Conexão Inativa.
//! Conexão Inativa.
//! Conexão Lenta. Latência: 150.00 ms
//! ```
//!
//! Three things went wrong with it, and each is a lesson.
//!
//! *The word says nothing of which `ping` it answers.* An answer that takes longer than two seconds is
//! taken for the answer to the next question, with a time that was never measured. And `ping` is also
//! what somebody may type into the chat. Here a probe carries a **token**, drawn at random, which the
//! reply repeats:
//!
//! <!-- code: src/app/monitor/probe.rs | pub fn decode(bytes | {} -->
//! ```text
//! pub fn decode(bytes: &[u8]) -> Option<Self> {
//!     let (head, token) = bytes.split_at_checked(6)?;
//!     let token = Token(u64::from_be_bytes(token.try_into().ok()?));
//!     match (head.strip_prefix(MAGIC)?, token) {
//!         ([VERSION, PROBE], token) => Some(Self::Probe(token)),
//!         ([VERSION, REPLY], token) => Some(Self::Reply(token)),
//!         _ => None,
//!     }
//! }
//! ```
//!
//! *The server counted the monitor among the guests*: it noted the address of every datagram before it
//! looked at what was in it, and from then on sent the monitor all that was said in the chat. Here
//! whoever answers a probe keeps nothing of who asked; `rdtp monitor serve` could answer a million
//! monitors with the memory that it takes for one.
//!
//! *A mail every ten seconds is no alarm.* People stop reading it by noon. Here a mail goes out when the
//! connection **changes**, and one when it is well again.
//!
//! # What is a change?
//!
//! One late answer is an accident. Three in a row (`--consecutive`) are news. But which news, if the
//! three are Slow, Very Slow and Inactive? They have one thing in common: none is better than Slow. So
//! the connection becomes what *all* of them have at least reached, for the worse as for the better:
//!
//! <!-- code: src/app/monitor/watch.rs | pub fn take(&mut self | {} -->
//! ```text
//! pub fn take(&mut self, now: Instant, sample: Status) -> Option<Change> {
//!     if sample == self.status {
//!         self.run = None;
//!         return None;
//!     }
//!     let is_worse = |status: Status| status > self.status;
//!     let run = match self.run.filter(|run| is_worse(run.nearest) == is_worse(sample)) {
//!         None => Run { nearest: sample, count: 1 },
//!         Some(run) => Run {
//!             nearest: if is_worse(sample) {
//!                 run.nearest.min(sample)
//!             } else {
//!                 run.nearest.max(sample)
//!             },
//!             count: run.count + 1,
//!         },
//!     };
//!     if run.count < self.consecutive {
//!         self.run = Some(run);
//!         return None;
//!     }
//!     let change = Change { from: self.status, to: run.nearest, lasted: now - self.since };
//!     (self.status, self.since, self.run) = (run.nearest, now, None);
//!     Some(change)
//! }
//! ```
//!
//! A connection that is gone for a while, and two mails:
//!
//! <!-- run: rdtp monitor --simulate --link delay=20ms,outage=25s+40s --count 12 --lang en -->
//! ```text
//! $ rdtp monitor --simulate --link delay=20ms,outage=25s+40s --count 12 --lang en
//! monitoring 10.0.0.2:7000 over udp: a probe each 10s, an answer within 2s
//! Normal below 100ms, Slow below 300ms; a change takes 3 in a row
//!      0.040 s Connection Normal. Latency: 40.00 ms
//!     10.040 s Connection Normal. Latency: 40.00 ms
//!     20.040 s Connection Normal. Latency: 40.00 ms
//!     32.000 s Connection Inactive.
//!     42.000 s Connection Inactive.
//!     52.000 s Connection Inactive.
//!     52.000 s ** Normal for 52 s, now Inactive
//!     62.000 s Connection Inactive.
//!     70.040 s Connection Normal. Latency: 40.00 ms
//!     80.040 s Connection Normal. Latency: 40.00 ms
//!     90.040 s Connection Normal. Latency: 40.00 ms
//!     90.040 s ** Inactive for 38 s, now Normal
//!    100.040 s Connection Normal. Latency: 40.00 ms
//!    110.040 s Connection Normal. Latency: 40.00 ms
//! --- 10.0.0.2:7000 over udp, 1 min 50 s ---
//! 12 probes, 8 answered, 4 lost (33.3%)
//! round trip min 40.00 mean 40.00 p50 40.00 p99 40.00 max 40.00 ms, jitter 0.00 ms
//! Normal 8, Slow 0, Very Slow 0, Inactive 4
//! below   50ms       8 ########################################
//! ```
//!
//! # What to watch: jitter, and what a protocol hides
//!
//! The **jitter** is how much one round trip differs from the one before, smoothed by a sixteenth (RFC
//! 3550, section 6.4.1); a telephone hears it before anybody sees the mean move. The bars at the end show
//! what a mean hides as well.
//!
//! Ask over a protocol that repeats what is lost, and no probe is lost any more. The loss has not gone
//! away, it has become delay; `--over` shows both sides of it:
//!
//! <!-- run: rdtp monitor --simulate --over udp --link delay=20ms,loss=20% --seed 5 --count 100 --lang en | tail -5 -->
//! ```text
//! $ rdtp monitor --simulate --over udp --link delay=20ms,loss=20% --seed 5 --count 100 --lang en | tail -5
//! --- 10.0.0.2:7000 over udp, 16 min 32 s ---
//! 100 probes, 61 answered, 39 lost (39.0%)
//! round trip min 40.00 mean 40.00 p50 40.00 p99 40.00 max 40.00 ms, jitter 0.00 ms
//! Normal 61, Slow 0, Very Slow 0, Inactive 39
//! below   50ms      61 ########################################
//! ```
//! <!-- run: rdtp monitor --simulate --over sr --link delay=20ms,loss=20% --seed 5 --count 100 --lang en | tail -8 -->
//! ```text
//! $ rdtp monitor --simulate --over sr --link delay=20ms,loss=20% --seed 5 --count 100 --lang en | tail -8
//! round trip min 40.00 mean 148.27 p50 40.03 p99 1040.38 max 1680.10 ms, jitter 195.68 ms
//! Normal 75, Slow 11, Very Slow 14, Inactive 0
//! below   50ms      62 ########################################
//! below  100ms      13 #########
//! below  200ms      10 #######
//! below  500ms       7 #####
//! below     1s       4 ###
//! below     2s       4 ###
//! ```
//!
//! # Exercise
//!
//! The server is set up so that it answers `ping` with `ping`, as the original's. Somebody sends it one
//! datagram with the word, and as its source writes the address of *another* such server. What happens,
//! and why can it not happen with tokens?
//!
//! <details><summary>Answer</summary>
//!
//! The first server answers the second, for which the answer is a question, and so it answers, for ever,
//! as fast as the network goes. A reply with a token says that it is a reply, and nobody answers that.
//! `rdtp monitor serve --compat s1` answers at most a thousand words a second, which ends it. The
//! same flaw took the echo service (RFC 862) off the Internet.
//!
//! </details>
//!
//! # Try it
//!
//! In one terminal the side that answers, in another the monitor, with a network that you may choose:
//!
//! ```text
//! rdtp monitor serve 127.0.0.1:12345
//! rdtp monitor 127.0.0.1:12345 --interval 1s --link delay=40ms~20ms,loss=5%
//! ```
//!
//! The original's bytes and phrases, against the original or against each other:
//!
//! ```text
//! rdtp monitor serve 127.0.0.1:12345 --compat s1
//! rdtp monitor 127.0.0.1:12345 --compat s1
//! ```
//!
//! With mail. The password is asked for, or read from `--mail-password-file` or the variable
//! `RDTP_MAIL_PASSWORD`, and never an argument, which everybody on the machine could read. A mail server
//! that is down holds up no probe; its mails wait and are tried again:
//!
//! ```text
//! rdtp monitor server.example.org --mail-to you@example.org \
//!     --smtp mail.example.org --mail-user you@example.org --test-mail
//! ```
//!
//! For another program, one JSON object a line: `rdtp monitor --json`; a terminal still gets its picture
//! when they go to a file.
