//! From the bytes of a stream to messages: lengths, and how much of a message is left.

use super::RecvError;
use crate::wire::{DecodeError, transport::Reader};

/// Tells lengths from messages in the bytes of a stream, however they are cut. Knows nothing of
/// connections, holds no byte of a message, and so takes no memory.
///
/// ```
/// use rdtp::transport::message::{Decoder, RecvError};
///
/// let mut decoder = Decoder::new(100);
/// assert_eq!(decoder.take_length(b"\x05he")?, 1, "one byte was the length");
/// assert_eq!(decoder.left(), Some(5));
/// decoder.advance(2);
/// assert_eq!(decoder.finish(), RecvError::Truncated { got: 2, announced: Some(5) });
/// decoder.advance(3);
/// assert_eq!((decoder.left(), decoder.finish()), (None, RecvError::Finished));
/// # Ok::<(), RecvError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoder {
    message_bytes_max: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first bytes of a length.
    Length { bytes: [u8; LENGTH_BYTES_MAX], got: usize },
    /// A message: all of it, and what was not taken yet.
    Body { len: u64, left: u64 },
    /// Nothing can be made of what follows.
    Failed(RecvError),
}

/// Bytes of the longest length.
pub(super) const LENGTH_BYTES_MAX: usize = 8;

const BETWEEN: State = State::Length { bytes: [0; LENGTH_BYTES_MAX], got: 0 };

impl Decoder {
    /// At the beginning of a stream whose messages have at most `message_bytes_max` bytes.
    pub const fn new(message_bytes_max: u64) -> Self {
        Self { message_bytes_max, state: BETWEEN }
    }

    /// Takes from the front of `bytes` what belongs to a length, and returns how many bytes that
    /// is; 0 when a message is under way. With the last of them, [`left`](Self::left) is known.
    ///
    /// [`RecvError::TooLarge`] and [`RecvError::Malformed`] are final: they come again.
    pub fn take_length(&mut self, bytes: &[u8]) -> Result<usize, RecvError> {
        let mut taken = 0;
        loop {
            match &mut self.state {
                State::Body { .. } => return Ok(taken),
                State::Failed(error) => return Err(*error),
                State::Length { bytes: length, got } => {
                    let Some(&byte) = bytes.get(taken) else { return Ok(taken) };
                    length[*got] = byte;
                    *got += 1;
                    taken += 1;
                    self.state = match Reader::new(&length[..*got]).varint() {
                        Ok(announced) => self.check(announced),
                        Err(DecodeError::Short { .. }) => continue,
                        Err(_) => State::Failed(RecvError::Malformed),
                    };
                }
            }
        }
    }

    fn check(&self, announced: u64) -> State {
        let bytes_max = self.message_bytes_max;
        if announced > bytes_max {
            return State::Failed(RecvError::TooLarge { announced, bytes_max });
        }
        State::Body { len: announced, left: announced }
    }

    /// The next `len` bytes of the message were taken, or as many of them as it has. When nothing
    /// of it is left, the length of the next one follows; a message of length 0 waits for this too.
    pub fn advance(&mut self, len: u64) {
        if let State::Body { left, .. } = &mut self.state {
            *left = left.saturating_sub(len);
            if *left == 0 {
                self.state = BETWEEN;
            }
        }
    }

    /// Bytes that are left of the message under way; `None` where a length is expected.
    pub const fn left(&self) -> Option<u64> {
        match self.state {
            State::Body { left, .. } => Some(left),
            _ => None,
        }
    }

    /// The length of the message under way.
    pub const fn announced(&self) -> Option<u64> {
        match self.state {
            State::Body { len, .. } => Some(len),
            _ => None,
        }
    }

    /// What it means if the stream ends here: [`RecvError::Finished`] between two messages,
    /// [`RecvError::Truncated`] elsewhere, or what was wrong before.
    pub const fn finish(&self) -> RecvError {
        match self.state {
            // Of a message of length 0 everything is here.
            State::Length { got: 0, .. } | State::Body { len: 0, .. } => RecvError::Finished,
            State::Length { .. } => RecvError::Truncated { got: 0, announced: None },
            State::Body { len, left } => {
                RecvError::Truncated { got: len - left, announced: Some(len) }
            }
            State::Failed(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::wire::transport::Writer;

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            let mut space = [0; LENGTH_BYTES_MAX];
            let mut writer = Writer::new(&mut space);
            writer.varint(message.len() as u64);
            out.extend_from_slice(writer.written());
            out.extend_from_slice(message);
        }
        out
    }

    /// Feeds bytes in pieces; returns the messages that are whole, and how the stream ends.
    fn decode<'a>(
        bytes_max: u64,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Vec<u8>>, RecvError) {
        let (mut decoder, mut whole, mut part) = (Decoder::new(bytes_max), Vec::new(), Vec::new());
        for mut piece in pieces {
            loop {
                match decoder.take_length(piece) {
                    Ok(taken) => piece = &piece[taken..],
                    Err(error) => return (whole, error),
                }
                let Some(left) = decoder.left() else { break };
                let len = piece.len().min(usize::try_from(left).unwrap());
                if len == 0 && left > 0 {
                    break;
                }
                part.extend_from_slice(&piece[..len]);
                piece = &piece[len..];
                decoder.advance(len as u64);
                if decoder.left().is_none() {
                    whole.push(core::mem::take(&mut part));
                }
            }
        }
        (whole, decoder.finish())
    }

    #[test]
    fn every_cut_of_the_bytes_gives_the_same_messages() {
        let messages = vec![vec![], vec![1], vec![7; 63], vec![8; 64], vec![], vec![9; 300]];
        let bytes = framed(&messages);
        let expected = (messages, RecvError::Finished);
        for cut in 0..=bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(decode(300, [a, b]), expected, "cut at {cut}");
        }
        for size in 1..20 {
            assert_eq!(decode(300, bytes.chunks(size)), expected, "pieces of {size}");
        }
    }

    /// Wherever a stream ends, what was whole is whole, and the rest has its name.
    #[test]
    fn every_early_end_is_told() {
        let bytes = framed(&[vec![1, 2], vec![], vec![3; 70]]);
        for end in 0..bytes.len() {
            let (whole, error) = decode(100, [&bytes[..end]]);
            let expected = match end {
                0 | 3 | 4 => RecvError::Finished,
                1 | 2 => RecvError::Truncated { got: end as u64 - 1, announced: Some(2) },
                5 => RecvError::Truncated { got: 0, announced: None },
                _ => RecvError::Truncated { got: end as u64 - 6, announced: Some(70) },
            };
            assert_eq!(error, expected, "end at {end}");
            assert_eq!(whole.len(), [0, 0, 0, 1].get(end).copied().unwrap_or(2));
        }
    }

    /// Announcing costs the receiver nothing, whatever is announced, and in whatever pieces.
    #[test]
    fn lengths_of_every_width_meet_the_limit() {
        for (len, width) in [
            (0_u64, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 4),
            ((1 << 30) - 1, 4),
            (1 << 30, 8),
            ((1 << 62) - 1, 8),
        ] {
            let mut space = [0; LENGTH_BYTES_MAX];
            let mut writer = Writer::new(&mut space);
            writer.varint(len);
            assert_eq!(writer.len(), width);
            let bytes = writer.written().to_vec();
            for size in 1..=width {
                let mut decoder = Decoder::new(len);
                let taken: usize =
                    bytes.chunks(size).map(|piece| decoder.take_length(piece).unwrap()).sum();
                assert_eq!(
                    (taken, decoder.left(), decoder.announced()),
                    (width, Some(len), Some(len))
                );
            }
            let Some(bytes_max) = len.checked_sub(1) else { continue };
            let mut strict = Decoder::new(bytes_max);
            let refused = Err(RecvError::TooLarge { announced: len, bytes_max });
            assert_eq!(strict.take_length(&bytes), refused);
            assert_eq!(strict.take_length(b"\0"), refused, "for good");
            assert_eq!((strict.left(), Err(strict.finish())), (None, refused.map(|_| ())));
        }
    }

    #[test]
    fn a_length_has_one_form() {
        for bytes in [&[0x40, 63][..], &[0x80, 0, 0x3f, 0xff], &[0xc0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(decode(u64::MAX, bytes.chunks(1)).1, RecvError::Malformed);
        }
    }

    proptest! {
        #[test]
        fn messages_come_back_however_they_are_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..12),
            cuts in prop::collection::vec(1..90_usize, 1..60),
        ) {
            let bytes = framed(&messages);
            let (mut rest, mut pieces) = (&bytes[..], Vec::new());
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(decode(200, pieces), (messages, RecvError::Finished));
        }
    }
}
