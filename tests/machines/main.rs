//! The machines of the textbook, held to their figures.
//!
//! `walk.rs` visits every state that inputs can lead to, and `table.rs` so holds `step` to the
//! transition table; `scripts.rs` has one table of actions and expectations for each machine.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a failed test may panic, and nothing here is replayed in order"
)]

mod scripts;
mod table;
mod walk;
