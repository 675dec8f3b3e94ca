//! Buffers of a byte stream, and the sets of ranges that say which of its bytes are where.
//!
//! [`SendBuffer`] keeps what the application wrote until the peer has acknowledged it,
//! [`RecvBuffer`] puts bytes that arrive in any order into theirs, each byte once. Both take their
//! memory piece by piece as it is needed and give none of it back while they are in use, so that a
//! stream under way allocates nothing. [`RangeSet`] serves both, and the acknowledgements too.

mod ranges;
mod recv;
mod send;
mod slots;

pub use ranges::{Descent, RangeSet, RangesFull};
pub use recv::{InsertError, RecvBuffer};
pub use send::SendBuffer;
pub use slots::{SlotSpace, WholeSlot};
