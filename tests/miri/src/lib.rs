//! What unsafe code in `sys` reads and writes, with its unit tests, for Miri: `.ci/miri`. A crate
//! of its own, since everything that the crate's other tests need would have to be built for Miri first.

#![allow(dead_code, reason = "who calls these parts is not here")]

extern crate alloc;

#[path = "../../../src/ecn.rs"]
pub mod ecn;

#[path = "../../../src/sys/udp/control.rs"]
mod control;
#[path = "../../../src/sys/udp/name.rs"]
mod name;

#[cfg(target_arch = "x86_64")]
#[path = "../../../src/sys/crc32c.rs"]
mod crc32c;
