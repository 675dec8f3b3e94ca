//! The textbook's protocols: machines that read like the figures, and the adapter that makes
//! endpoints of them.
//!
//! From rdt 1.0 to selective repeat, each machine is a file, and each adds the remedy for one fault
//! that breaks the one before it:
//!
//! | machine | adds | tolerates |
//! | --- | --- | --- |
//! | [`rdt10`] | nothing | a perfect channel |
//! | [`rdt20`] | checksum, ACK, NAK | damaged data, if feedback is never damaged |
//! | [`rdt21`] | a sequence bit | damage both ways |
//! | [`rdt22`] | numbered ACKs instead of NAKs | damage both ways |
//! | [`rdt30`] | a timer | damage, loss, copies |
//! | [`gbn`] | a window | the same, and overtaking within bounds |
//! | [`sr`] | a receive buffer and a timer for each packet | the same |
//!
//! What each tolerates is in the code, as [`Protocol::TOLERATES`], and everything that chooses,
//! warns or tests reads it there.
//!
//! Start with [`Machine`], read [`rdt30`] next to the book, then see [`Classic`].

pub mod diagram;
pub mod gbn;
pub mod rdt10;
pub mod rdt20;
pub mod rdt21;
pub mod rdt22;
pub mod rdt30;
pub mod sr;

mod adapter;
mod config;
mod conversation;
mod exchange;
mod flights;
mod machine;
mod spec;
mod timeout;
mod timers;

pub use adapter::Classic;
pub use config::{Config, ConfigError, Role};
pub use conversation::{Conversation, Event, Load, Payload, SendError, Stats};
pub(crate) use exchange::Exchange;
pub use exchange::Verdict;
pub use machine::{
    Datum, Does, Effect, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule,
    SenderMachine, State, Transition,
};
pub use spec::{Spec, SpecError, Visitor, WINDOW_DEFAULT};
pub use timeout::{Adaptive, RttEstimator, Timeout, TimerStart};
