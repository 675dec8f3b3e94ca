//! The deterministic simulator: endpoints, links between them, and virtual time.
//!
//! A [`World`] holds nodes and the [links](crate::link) between them and lets events happen in the
//! order of (time, number of the event). Nothing else decides an order, so two runs of a seed are
//! identical to the byte. A [`Transfer`] is the run that most questions need: messages from one node
//! to another through a bad network, and a verdict; [`Transfer::campaign`] repeats it seed by seed. A
//! [`swarm`] draws thousands of runs, each with faults of its own, and holds what happens to its
//! invariants.

mod campaign;
mod chat;
mod pace;
pub mod swarm;
mod transfer;
mod world;

pub use crate::classic::Verdict;
pub use campaign::{CampaignFailure, Cause, Tally};
pub use chat::{Chat, ChatReport};
pub use pace::Pace;
pub use transfer::{Report, Transfer};
pub use world::{Application, Egress, Ignore, World};
