//! One direction of one stream as both applications know it, and the bytes that it has.

use alloc::{format, string::String};

use super::super::Invariant;
use crate::rng::mix;

/// What somebody said, told apart from what anybody else said: each stream has a key, each place its
/// byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voice(u64);

impl Voice {
    pub(super) const fn new(seed: u64, talk: usize, stream: usize, from: usize) -> Self {
        let place = (talk as u64) << 32 | (stream as u64) << 8 | from as u64;
        Self(scatter(seed ^ scatter(place)))
    }

    /// The bytes from `offset` on.
    pub(super) fn fill(self, offset: u64, out: &mut [u8]) {
        let mut at = offset;
        let mut done = 0;
        while done < out.len() {
            let word = scatter(self.0.wrapping_add(at / 8)).to_le_bytes();
            let skip = usize::try_from(at % 8).unwrap_or(0);
            let len = (8 - skip).min(out.len() - done);
            out[done..done + len].copy_from_slice(&word[skip..skip + len]);
            done += len;
            at += len as u64;
        }
    }

    /// Whether these are the bytes from `offset` on.
    pub(super) fn says(self, offset: u64, bytes: &[u8]) -> bool {
        let mut expected = [0; 512];
        let mut at = offset;
        bytes.chunks(expected.len()).all(|part| {
            let expected = &mut expected[..part.len()];
            self.fill(at, expected);
            at += part.len() as u64;
            expected == part
        })
    }
}

/// The word of SplitMix64 at this place (Steele, Lea and Flood, 2014).
const fn scatter(number: u64) -> u64 {
    mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

/// How a direction ended for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In good order.
    Finished,
    /// The sender gave it up.
    Reset,
    /// The receiver wants no more.
    Stopped,
}

/// The code with which streams are reset and stopped.
pub(super) const CODE: u64 = 77;

/// One direction of one stream.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) voice: Voice,
    /// How much is to be said.
    pub(super) bytes: u64,
    pub(super) reset_after: Option<u64>,
    pub(super) stop_after: Option<u64>,
    pub(super) written: u64,
    /// What the writer did or was told in the end; finished means that it asked for it.
    pub(super) writer: Option<End>,
    /// The writer was told that the peer has everything.
    pub(super) confirmed: bool,
    pub(super) read: u64,
    pub(super) reader: Option<End>,
    /// The highest that the receiver's transport ever had without a gap.
    pub(super) taken: u64,
}

impl Lane {
    pub(super) fn new(voice: Voice, bytes: u64, reset: Option<u64>, stop: Option<u64>) -> Self {
        Self {
            voice,
            bytes,
            reset_after: reset,
            stop_after: stop,
            written: 0,
            writer: None,
            confirmed: false,
            read: 0,
            reader: None,
            taken: 0,
        }
    }

    /// How far it is written before it is finished or given up.
    pub(super) fn goal(&self) -> u64 {
        self.reset_after.unwrap_or(self.bytes)
    }

    /// Takes bytes that were read. `others` are all voices of the run.
    pub(super) fn on_read(
        &mut self,
        bytes: &[u8],
        others: impl Iterator<Item = Voice>,
    ) -> Result<(), (Invariant, String)> {
        let from = self.read;
        self.read += bytes.len() as u64;
        self.taken = self.taken.max(self.read);
        if self.voice.says(from, bytes) && self.read <= self.written {
            return Ok(());
        }
        let what = format!("{} bytes read at {from}, {} were written", bytes.len(), self.written);
        let mut places = (0..self.written).step_by(1).take(1 << 16);
        let head = &bytes[..bytes.len().min(16)];
        if head.len() >= 4 && places.any(|at| self.voice.says(at, head)) {
            return Err((Invariant::Prefix, format!("{what}: not the next ones of the stream")));
        }
        if head.len() >= 4 && others.into_iter().any(|other| other.says(from, head)) {
            return Err((Invariant::Isolation, format!("{what}: those of another stream")));
        }
        Err((Invariant::NoInvention, format!("{what}: nobody wrote them")))
    }

    /// Whether both applications are done with it.
    pub(super) fn is_over(&self) -> bool {
        let writer = match self.writer {
            None => false,
            Some(End::Finished) => self.confirmed,
            Some(End::Reset | End::Stopped) => true,
        };
        writer && self.reader.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_are_told_apart_at_every_place() {
        let voice = Voice::new(1, 2, 3, 0);
        let mut bytes = [0; 100];
        voice.fill(5, &mut bytes);
        for from in 0..60 {
            assert!(voice.says(5 + from as u64, &bytes[from..]));
            assert!(!voice.says(4 + from as u64, &bytes[from..]));
        }
        for other in [Voice::new(1, 2, 3, 1), Voice::new(1, 2, 4, 0), Voice::new(1, 3, 3, 0)] {
            assert!(!other.says(5, &bytes[..8]));
        }
    }

    #[test]
    fn what_was_read_is_told_apart_by_what_is_wrong_with_it() {
        let (voice, other) = (Voice::new(1, 0, 0, 0), Voice::new(1, 0, 1, 0));
        let lane = || Lane { written: 1000, ..Lane::new(voice, 1000, None, None) };
        let take = |from: u64, of: Voice| {
            let mut bytes = [0; 32];
            of.fill(from, &mut bytes);
            lane().on_read(&bytes, [voice, other].into_iter()).map_err(|(what, _)| what)
        };
        assert_eq!(take(0, voice), Ok(()));
        assert_eq!(take(7, voice), Err(Invariant::Prefix));
        assert_eq!(take(0, other), Err(Invariant::Isolation));
        assert_eq!(take(9, Voice::new(2, 0, 0, 0)), Err(Invariant::NoInvention));
    }
}
