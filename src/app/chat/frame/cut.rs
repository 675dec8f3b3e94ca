//! Frames on a carrier of bytes.

use alloc::vec::Vec;

use super::{FRAME_BYTES_MAX, FrameError, PREFIX_BYTES};

/// Cuts a carrier's bytes into frames. Holds at most one frame and what came with it.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Bytes of frames that were taken.
    taken: usize,
}

impl Frames {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            // Whoever is idle should hold nothing.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.taken);
        }
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame's bytes. Fails, and goes on failing, when its length cannot be.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.bytes[self.taken..];
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_be_bytes(*prefix)).map_err(|_| FrameError::Size)?;
        if len > FRAME_BYTES_MAX {
            return Err(FrameError::Size);
        }
        let Some(frame) = rest.get(..len) else { return Ok(None) };
        self.taken += PREFIX_BYTES + len;
        Ok(Some(frame))
    }

    /// Bytes that wait, of whole frames and of others.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// What goes before a frame of this length.
    pub fn prefix(len: usize) -> [u8; PREFIX_BYTES] {
        u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
    }
}
