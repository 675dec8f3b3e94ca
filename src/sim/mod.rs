//! The deterministic simulator: endpoints, links between them, and virtual time.
//!
//! A [`World`] holds nodes and the [links](crate::link) between them and lets events happen in the
//! order of (time, number of the event). Nothing else decides an order, so two runs of a seed are
//! identical to the byte. A [`Transfer`] is the run that most questions need: messages from one node
//! to another through a bad network, and a verdict. A [`swarm`] draws thousands of such runs, each
//! with faults of its own, and holds what happens to its invariants.

mod pace;
pub mod swarm;
mod transfer;
mod world;

pub use pace::Pace;
pub use transfer::{Report, Transfer, Verdict};
pub use world::{Application, Egress, Ignore, World};
