//! Everything that takes unsafe code: what the processor does that not every processor does, and what
//! the operating system does that no safe wrapper carries.

#[cfg(target_arch = "x86_64")]
mod crc32c;

#[cfg(feature = "tokio")]
pub(crate) mod ready;
pub(crate) mod udp;

#[cfg(target_arch = "x86_64")]
pub(crate) use crc32c::extend_crc32c;

/// The code of the bytes so far, whose code is `code`, and `bytes` after them, by an instruction of
/// the processor; `None` where it has none.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const fn extend_crc32c(_code: u32, _bytes: &[u8]) -> Option<u32> {
    None
}
