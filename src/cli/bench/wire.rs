//! What the two sides of a measurement tell each other: 16 bytes at the beginning of the client's
//! half of the stream, 16 at the end of the server's. All numbers are big-endian.

use core::time::Duration;

use super::{Direction, Plan};

/// Bytes of either.
pub(super) const WORDS: usize = 16;
const MAGIC: [u8; 8] = *b"rdtpbnc1";

/// What a client asks for: which way, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) direction: Direction,
    pub(super) time: Duration,
}

impl Request {
    /// The longest measurement that a server takes part in.
    const TIME_MAX: Duration = Duration::from_hours(24);

    pub(super) fn of(plan: &Plan) -> Self {
        Self { direction: plan.direction, time: plan.warm_up + plan.time }
    }

    pub(super) fn encode(self) -> [u8; WORDS] {
        let mut words = [0; WORDS];
        words[..8].copy_from_slice(&MAGIC);
        words[8] = self.direction as u8;
        let ms = u32::try_from(self.time.as_millis()).unwrap_or(u32::MAX);
        words[12..].copy_from_slice(&ms.to_be_bytes());
        words
    }

    /// `None` when it is not from a client of this kind.
    pub(super) fn decode(words: [u8; WORDS]) -> Option<Self> {
        let direction = match words[8] {
            0 => Direction::Upload,
            1 => Direction::Download,
            2 => Direction::Both,
            _ => return None,
        };
        let ms = u32::from_be_bytes(*words.last_chunk()?);
        let time = Duration::from_millis(ms.into()).min(Self::TIME_MAX);
        (words[..8] == MAGIC).then_some(Self { direction, time })
    }

    pub(super) fn uploads(self) -> bool {
        self.direction != Direction::Download
    }

    pub(super) fn downloads(self) -> bool {
        self.direction != Direction::Upload
    }
}

/// What a server says at the end: bytes that it received, and the processor time that it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) received: u64,
    pub(super) cpu: Duration,
}

impl Verdict {
    pub(super) fn encode(self) -> [u8; WORDS] {
        let mut words = [0; WORDS];
        words[..8].copy_from_slice(&self.received.to_be_bytes());
        let nanos = u64::try_from(self.cpu.as_nanos()).unwrap_or(u64::MAX);
        words[8..].copy_from_slice(&nanos.to_be_bytes());
        words
    }

    pub(super) fn decode(words: [u8; WORDS]) -> Self {
        let [received, nanos] =
            [0, 8].map(|at| u64::from_be_bytes(core::array::from_fn(|byte| words[at + byte])));
        Self { received, cpu: Duration::from_nanos(nanos) }
    }
}

/// The last bytes of what passes by: a verdict, in the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    words: [u8; WORDS],
    held: usize,
}

impl Tail {
    /// Takes more; how many bytes have passed by now that are not the verdict.
    pub(super) fn take(&mut self, bytes: &[u8]) -> u64 {
        if let Some(last) = bytes.last_chunk() {
            self.words = *last;
        } else {
            self.words.rotate_left(bytes.len());
            self.words[WORDS - bytes.len()..].copy_from_slice(bytes);
        }
        let seen = self.held + bytes.len();
        self.held = seen.min(WORDS);
        (seen - self.held) as u64
    }

    pub(super) fn verdict(self) -> Verdict {
        Verdict::decode(self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for direction in [Direction::Upload, Direction::Download, Direction::Both] {
            let request = Request { direction, time: Duration::from_millis(1_234) };
            assert_eq!(Request::decode(request.encode()), Some(request));
        }
        assert_eq!(Request::decode([7; WORDS]), None);
        let verdict = Verdict { received: 1 << 40, cpu: Duration::from_nanos(123) };
        let mut tail = Tail::default();
        let parts = [&[1; 7][..], &[1; 40], &verdict.encode()[..3], &verdict.encode()[3..]];
        let passed = parts.map(|part| tail.take(part));
        assert_eq!((tail.verdict(), passed.iter().sum::<u64>()), (verdict, 47));
        assert_eq!(passed[0], 0, "it may be the verdict");
    }
}
