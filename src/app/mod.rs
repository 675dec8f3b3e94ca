//! Applications as sessions: messages in, messages out, no socket and no disk.
//!
//! A session runs over any protocol that delivers whole messages in order, exactly once. [`lab`] is
//! the exception: there the protocol itself is the exercise.

pub mod chat;
pub mod file;
pub mod lab;
pub mod monitor;
pub mod words;
