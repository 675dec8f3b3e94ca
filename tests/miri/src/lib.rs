//! What unsafe code in `net/sys` reads and writes, with its unit tests, for Miri: `.ci/miri`. A crate
//! of its own, since everything that the crate's other tests need would have to be built for Miri first.

#![allow(dead_code, reason = "who calls these parts is not here")]

extern crate alloc;

#[path = "../../../src/ecn.rs"]
pub mod ecn;

#[path = "../../../src/net/sys/control.rs"]
mod control;
#[path = "../../../src/net/sys/name.rs"]
mod name;
