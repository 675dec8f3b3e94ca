//! Why 1 % loss kills CUBIC, and what to do about it
//!
//! **The question:** a line carries 20 Mbit/s, the round trip takes 50 ms, and one packet in a hundred is
//! lost. How much is left?
//!
//! # What everybody expects, and what happens
//!
//! Selective repeat sends again what was lost and nothing else: chapter 9 makes that 99 % of the line.
//! With TCP's usual congestion control, CUBIC, in virtual time:
//!
//! <!-- run: rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller cubic | head -4 -->
//! ```text
//! $ rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller cubic | head -4
//! intact: 2,438,420 of 2,438,420 bytes delivered in 5.180 s of virtual time, BLAKE3 equal
//! goodput     3.77 Mbit/s, 0.194 of the 19.45 Mbit/s that the link's rate and loss leave
//! packets     1,716 sent, 715 received; the link lost 18 of those sent, and its queue dropped 0
//! losses      18 found, 0 of them by mistake; 26,046 bytes sent again
//! ```
//!
//! Hardly a fifth. Nothing was sent in vain and no timer ran out: look at the window. Each loss cuts it to
//! 70 %, and before it has grown back comes the next one:
//!
//! <!-- svg: rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 3s --seed 1 --controller cubic --plot FIGURE -->
#![doc = include_str!("figures/lossy-cubic.svg")]
//!
//! # A loss says two things
//!
//! On a good line a packet is lost because a queue is full, and then to slow down is the only right
//! answer: without it the Internet stood still in 1986. On a bad line it is lost because of noise, and then
//! to slow down helps nobody. A controller that hears only losses cannot know which it was, and believes
//! the worst.
//!
//! How bad this is can be computed. A window of *W* packets that is halved at each loss and grows by a
//! packet each round trip sends about 3/8 *W*² packets from one loss to the next. If one packet in 1/*p*
//! is lost, that is 1/*p*; so the mean window is about 1.22/√*p* packets (Mathis and others, 1997). With
//! 1 % these are 12 packets, **whatever the line could carry**: at 50 ms hardly 3 Mbit/s, on a line of
//! 20 Mbit/s as on one of 10 Gbit/s. NewReno is what the formula speaks of:
//!
//! <!-- run: rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller newreno | head -2 -->
//! ```text
//! $ rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller newreno | head -2
//! intact: 1,992,528 of 1,992,528 bytes delivered in 5.371 s of virtual time, BLAKE3 equal
//! goodput     2.97 Mbit/s, 0.153 of the 19.45 Mbit/s that the link's rate and loss leave
//! ```
//!
//! CUBIC does better where windows are large, and at twelve packets it does what NewReno does. Ten times
//! less loss gives only three times as much.
//!
//! # Follow the path, not the losses
//!
//! BBR asks another question: *how fast does the path deliver, and how long is it without a queue?* Both
//! can be measured. Each packet remembers how much had been delivered when it left; when its ACK comes,
//! what was delivered since, over the time since, is a rate that the path has borne. Of the time that
//! sending took and the time that the ACKs took, the longer counts:
//!
//! <!-- code: src/transport/delivery.rs | pub fn sample(&mut self | {} -->
//! ```text
//! pub fn sample(&mut self, rtt_min: Duration) -> Option<RateSample> {
//!     let (sent_at, stamp, app_limited) = self.newest.take()?;
//!     self.first_sent_at = sent_at;
//!     let sending = sent_at - stamp.first_sent_at;
//!     let acknowledging = self.delivered_at - stamp.delivered_at;
//!     let interval = sending.max(acknowledging);
//!     if interval < rtt_min || interval.is_zero() {
//!         return None;
//!     }
//!     let bytes = u128::from(self.delivered - stamp.delivered);
//!     let rate = bytes * 1_000_000_000 / u128::from(nanos(interval));
//!     let bytes_per_second = u64::try_from(rate).unwrap_or(u64::MAX);
//!     Some(RateSample { bytes_per_second, app_limited })
//! }
//! ```
//!
//! Rate times round trip is what the path holds. To send at that rate, with no more than that on its way,
//! fills the line and leaves the queue empty. Since the path may become faster, a quarter more is sent for
//! a round trip every two or three seconds. A loss as such changes nothing:
//!
//! <!-- run: rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller bbr | head -4 -->
//! ```text
//! $ rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller bbr | head -4
//! intact: 11,849,158 of 11,849,158 bytes delivered in 5.239 s of virtual time, BLAKE3 equal
//! goodput     18.09 Mbit/s, 0.930 of the 19.46 Mbit/s that the link's rate and loss leave
//! packets     8,370 sent, 1,301 received; the link lost 85 of those sent, and its queue dropped 84
//! losses      168 found, 0 of them by mistake; 243,035 bytes sent again
//! ```
//!
//! <!-- svg: rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --duration 3s --seed 1 --controller bbr --plot FIGURE -->
#![doc = include_str!("figures/lossy-bbr.svg")]
//!
//! # Not to be rude
//!
//! Whoever ignores losses pushes everybody else out, and on a line that is too full loses most of what it
//! sends. So losses still count, when they are the flow's own doing. What the path loses anyway is
//! measured while less leaves than it has just delivered; 2 % beyond that are too many:
//!
//! <!-- code: src/transport/cc/bbr/loss.rs | fn are_too_many | {} -->
//! ```text
//! pub(super) fn are_too_many(&self, lost: u64, all: u64, bursts: u32, mss: u64) -> bool {
//!     self.bursts >= bursts && lost > self.allowed(all, THRESHOLD, mss)
//! }
//! ```
//!
//! And beside CUBIC, which fills every queue until it overflows, a flow that keeps the queue empty would
//! be left with crumbs. A queue that stands although this flow gives way must be somebody else's. As long
//! as it does, the flow follows CUBIC's own window, and so gets about as much as CUBIC does.
//!
//! # And at 20 %?
//!
//! A radio link at its edge, a satellite in the rain: `--controller bbr-lossy`, or the preset `lossy-link`,
//! takes no loss for congestion unless the round trip shows a queue as well:
//!
//! <!-- run: rdtp run transport --link loss=20%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller bbr-lossy | head -2 -->
//! ```text
//! $ rdtp run transport --link loss=20%,delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller bbr-lossy | head -2
//! intact: 9,816,971 of 9,816,971 bytes delivered in 5.428 s of virtual time, BLAKE3 equal
//! goodput     14.47 Mbit/s, 0.910 of the 15.89 Mbit/s that the link's rate and loss leave
//! ```
//!
//! It is no default, since on a line that is shared it is unfair to those who take every loss to heart.
//!
//! # What is missed, and why
//!
//! The targets of `transfer_sim` are set in advance, and a few of them are not reached. Each was tried in
//! several ways, which are named so that nobody tries them again without a new thought:
//!
//! | what | reached | wanted | why, and what was tried |
//! |---|---|---|---|
//! | 20 Mbit/s, 200 ms, 1 % loss, 10 s | 0.865 of the limit | 0.88 | Startup doubles once a round trip: from 12 kB to the 500 kB that the path holds takes six, and in a transfer of fifty that is most of what is missing. Six other gains gave 0.861 to 0.873, the faster ones with a longer queue |
//! | 8 flows that begin within a second | Jain's index 0.373 at worst, median 0.894 | 0.95 | who begins in a full queue takes its delay for the path's, and so believes that the path holds more. Nine settings gave 0.379 to 0.795, and none of them held in the other rows |
//! | 2 such flows | 0.926 at worst, median 0.986 | 0.95 | the same |
//!
//! The first row, drawn: the window doubles once a round trip, five times a second, and for as long as it
//! does the line stands half empty. Whoever has been there before begins with what the path bore then
//! (chapter 15):
//!
//! <!-- svg: rdtp run transport --link loss=1%,delay=100ms,rate=20mbit,queue=500kB --duration 4s --seed 1 --controller bbr --plot FIGURE -->
#![doc = include_str!("figures/lossy-long.svg")]
//!
//! Some that were missed are reached since. With losses in bursts BBR had 0.939 of the limit, and has
//! 0.959: it allowed for chance as if every packet were lost for itself, but losses that come by the
//! handful spread wider, by the size of the handful, and rounds that chance had made bad were taken for the
//! flow's fault. And 100 kB to a stranger at 2 % loss (`tails_sim`) took 131 ms, in 95 of 100 cases up to
//! 181; now it is 130 and 142. Three small things were in the way, all at the end, where nothing follows
//! that would show a loss. The receiver reported a gap when it saw it, but not when the third packet behind
//! it made a loss of it. An ACK in the same packet cut what was sent again in two, and either half can be
//! lost. And only a single packet was sent once more to be sure; now it is up to three. The same reports of
//! losses brought lossy-link mode at 5 % to 0.950 (0.949 before, 0.95 wanted), and beside one flow of CUBIC
//! the least share of eight seeds to 0.365 (0.322, 0.35 wanted).
//!
//! # Exercise
//!
//! CUBIC over the same line *without* loss fills it. How long is its round trip then, how long is BBR's,
//! and where does the difference come from? Guess before you run it.
//!
//! <details><summary>Answer</summary>
//!
//! <!-- run: rdtp run transport --link delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller cubic | grep 'round trip' -->
//! ```text
//! $ rdtp run transport --link delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller cubic | grep 'round trip'
//! round trip  84.169 ms smoothed, 50.494 ms at least
//! ```
//!
//! <!-- run: rdtp run transport --link delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller bbr | grep 'round trip' -->
//! ```text
//! $ rdtp run transport --link delay=25ms,rate=20mbit,queue=125kB --duration 5s --seed 1 --controller bbr | grep 'round trip'
//! round trip  53.568 ms smoothed, 50.494 ms at least
//! ```
//!
//! The queue holds 125 kB, which take 50 ms to leave. CUBIC learns that it was too much when the queue
//! overflows, so it keeps it filled; everybody else who uses the line waits in it. BBR sees it grow.
//! </details>
//!
//! # Try it
//!
//! ```text
//! rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --controller cubic --plot cubic.svg
//! rdtp run transport --link loss=1%,delay=25ms,rate=20mbit,queue=125kB --plot bbr.svg
//! rdtp run transport --link loss=0.1%,delay=25ms,rate=20mbit,queue=125kB --controller newreno
//! cargo bench --bench transfer_sim -- --only bbr
//! ```
