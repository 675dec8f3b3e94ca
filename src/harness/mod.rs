//! Bring your own protocol: what can be done with it, one call each.
//!
//! # What to write
//!
//! Two machines and a line that ties them together. A [`Machine`](crate::classic::Machine) is a
//! value with a `step`: an input comes in (a message from above, a packet, a damaged packet, an
//! expired timer), effects go out (transmit, deliver, start or stop a timer). The sending one says in
//! addition [how many messages](crate::classic::SenderMachine::unacked) it has not seen confirmed.
//! [`Protocol`] names both and says which channel they bear.
//!
//! This is stop-and-wait with a sequence bit and a timer, whole:
//!
//! ```
//! use rdtp::{
//!     channel::Channel,
//!     classic::{Datum, Effects, Fired, Input, Machine, Packet, Protocol, SenderMachine},
//!     trace::{StateLabel, Tag},
//! };
//!
//! #[derive(Clone, Debug)]
//! struct OneBit;
//!
//! /// Its number, 0 or 1, and the message as long as that is not confirmed.
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! struct Sender<D>(u64, Option<D>);
//!
//! impl<D: Datum> Machine<D> for Sender<D> {
//!     type State = StateLabel;
//!
//!     fn state(&self) -> StateLabel {
//!         StateLabel::numbered("Sending #", self.0)
//!     }
//!
//!     fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<StateLabel> {
//!         let before = self.state();
//!         match (input, self.1.clone()) {
//!             (Input::Send(data), None) | (Input::Expire(_), Some(data)) => {
//!                 self.1 = Some(data.clone());
//!                 effects.udt_send(Packet::Data { seq: self.0, data });
//!                 effects.start_timer(Tag::Oldest);
//!             }
//!             (Input::Arrive(Packet::Ack { seq }), Some(_)) if seq == self.0 => {
//!                 *self = Self(1 - seq, None);
//!                 effects.stop_timer(Tag::Oldest);
//!             }
//!             _ => return Fired::refused(before),
//!         }
//!         Fired::taken(before, self.state())
//!     }
//! }
//!
//! impl<D: Datum> SenderMachine<D> for Sender<D> {
//!     fn unacked(&self) -> usize {
//!         self.1.iter().count()
//!     }
//! }
//!
//! /// The number that it waits for.
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! struct Receiver(u64);
//!
//! impl<D: Datum> Machine<D> for Receiver {
//!     type State = StateLabel;
//!
//!     fn state(&self) -> StateLabel {
//!         StateLabel::numbered("Wait for #", self.0)
//!     }
//!
//!     fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<StateLabel> {
//!         let before = StateLabel::numbered("Wait for #", self.0);
//!         let Input::Arrive(Packet::Data { seq, data }) = input else {
//!             return Fired::refused(before);
//!         };
//!         effects.udt_send(Packet::Ack { seq });
//!         if seq != self.0 {
//!             return Fired::refused(before);
//!         }
//!         effects.deliver_data(data);
//!         self.0 = 1 - seq;
//!         Fired::taken(before, StateLabel::numbered("Wait for #", self.0))
//!     }
//! }
//!
//! impl Protocol for OneBit {
//!     const NAME: &'static str = "one-bit";
//!     const TOLERATES: Channel = Channel::PERFECT.corrupting().losing().duplicating();
//!     type Sender<D: Datum> = Sender<D>;
//!     type Receiver<D: Datum> = Receiver;
//!
//!     fn sender<D: Datum>(&self) -> Sender<D> {
//!         Sender(0, None)
//!     }
//!
//!     fn receiver<D: Datum>(&self) -> Receiver {
//!         Receiver(0)
//!     }
//! }
//!
//! // One call each. Everything that can happen, up to four messages and three packets in flight:
//! let report = rdtp::check::Model::over(OneBit::TOLERATES).check(&OneBit);
//! assert!(report.holds(), "{report}");
//!
//! // A bad network in virtual time, seed by seed:
//! let messages: Vec<Vec<u8>> = (0..20).map(|n| vec![n; 100]).collect();
//! let transfer = rdtp::sim::Transfer::new(messages.clone());
//! let transfer = transfer.over("loss=10%,dup=5%,corrupt=5%,delay=10ms".parse()?);
//! let tally = transfer.campaign(&OneBit, 0..100)?;
//! assert_eq!(tally.runs, 100);
//!
//! // The ladder diagram of one of these runs, for the terminal and as a picture:
//! let ladder = rdtp::harness::ladder(&transfer.seed(7), &OneBit)?;
//! assert!(ladder.to_text().contains("packet 0") && ladder.to_svg().starts_with("<svg"));
//!
//! // Random schedules of faults; a failure comes back with the fewest (feature `proptest`):
//! # #[cfg(feature = "proptest")]
//! rdtp::harness::property_test(&OneBit, 200)?;
//!
//! // Two real sockets, with a bad network between them if wanted (feature `net`):
//! # #[cfg(feature = "net")] {
//! let sockets = rdtp::net::Loopback::new(messages).over("loss=5%".parse()?);
//! let report = sockets.run_protocol(&OneBit, &mut ())?;
//! assert_eq!(report.verdict.to_string(), "intact");
//! # }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! `examples/bring-your-own/` is a crate of its own that does this to a protocol with a bug, and
//! shows what each call says about it.
//!
//! # What the calls say
//!
//! | question | call | a failure is |
//! | --- | --- | --- |
//! | Is it right, whatever the channel does? | [`Model::check`](crate::check::Model::check) | the shortest story, in words and as a ladder |
//! | Is it right under faults that nobody thought of? | [`property_test`], [`survives`] | the fewest faults, with the ladder |
//! | Is it right for a thousand seeds? | [`Transfer::campaign`](crate::sim::Transfer::campaign) | a seed and a network, to be repeated to the byte |
//! | Do real endpoints fail like the machines? | [`replay`] | whether it is the same failure |
//! | What does it do? | [`ladder`], or a [`Ladder`] as the observer of any run | |
//! | Does it run? | [`Loopback::run_protocol`](crate::net::Loopback::run_protocol) | a verdict |
//!
//! The checker takes the machines alone, so timers may expire at any moment and every order of
//! events is tried, for few messages. The others run whole endpoints, with bytes, checksums, queues
//! and durations. What is proved and what was only tried, each report says.
//!
//! `property_test` and `Loopback` need the features `proptest` and `net`:
//!
//! ```toml
//! [dependencies]
//! rdtp = { version = "0.1", default-features = false, features = ["net", "proptest"] }
//! ```
//!
//! # Tables and names
//!
//! A machine may declare its arrows in [`Machine::table`](crate::classic::Machine::table) and name
//! the one it took. [`diagram`](crate::classic::diagram) and [`figure`](crate::capture::figure) then
//! draw it, and ladders and stories say why a packet was refused. `examples/02_your_own_protocol.rs`
//! is such a machine.
//!
//! # A protocol that is no pair of machines
//!
//! It implements [`Endpoint`](crate::endpoint::Endpoint) and, of
//! [`Conversation`](crate::classic::Conversation), `send` and `is_idle`; its events are those of
//! [`classic::Event`](crate::classic::Event). Wherever there is a call for a protocol, there is one
//! for endpoints, which takes a closure that builds the endpoint of a role:
//! [`Transfer::campaign_with`](crate::sim::Transfer::campaign_with) and
//! [`run_with`](crate::sim::Transfer::run_with),
//! [`Loopback::run_with`](crate::net::Loopback::run_with), [`Play::run_with`], and in place of the
//! checker [`Sweep::run`](crate::check::Sweep::run), which places a few faults in every way.
//! `tests/properties/endpoint.rs` is an endpoint by hand that goes all these ways.

mod play;
mod replay;
mod schedule;
#[cfg(feature = "proptest")]
mod strategy;

use alloc::format;

pub use play::{Failure, Flaw, Play};
pub use replay::replay;
pub use schedule::{Fault, Schedule, Strike, Way};
#[cfg(feature = "proptest")]
pub use strategy::{ScheduleTree, Schedules, Survived, property_test, schedules};

use crate::{
    capture::Ladder,
    classic::{ConfigError, Protocol},
    sim::{Transfer, Verdict},
};

/// What [`survives`] sends.
pub const MESSAGES: u16 = 12;

/// Runs a protocol under a schedule of faults, as far as the channel that it says it
/// [tolerates](Protocol::tolerates) may cause them: twelve messages must arrive all the same.
/// [`Play`] does this with other messages, both ways at once, and with any endpoints.
pub fn survives<P: Protocol>(protocol: &P, schedule: &Schedule) -> Result<(), Failure> {
    let messages = (0..MESSAGES).map(|n| n.to_be_bytes().to_vec()).collect();
    Play::new(messages).over(protocol.tolerates()).run(protocol, schedule)
}

/// Runs `transfer` with a protocol and returns its ladder diagram, for
/// [text](Ladder::to_text) and [SVG](Ladder::to_svg).
pub fn ladder<P: Protocol>(transfer: &Transfer, protocol: &P) -> Result<Ladder, ConfigError> {
    let mut ladder = Ladder::new(&format!("{} {transfer}", P::NAME));
    let report = transfer.run_protocol(protocol, &mut ladder)?;
    if let Verdict::Wrong { after } = report.verdict {
        ladder.mark_wrong(after);
    }
    Ok(ladder)
}
