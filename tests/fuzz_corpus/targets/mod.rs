//! What the fuzzer feeds: each target reads bytes as a story, lets the crate live it, and panics
//! when something does not hold that must. `fuzz/` drives them by coverage, `tests/fuzz_corpus`
//! replays what was found and adds bytes by chance.

mod chat;
mod decoders;
mod endpoints;
mod file_session;
mod lab_session;
mod link;
mod messages;
mod text;
mod transport;

/// A target: any bytes are a legal input, and it panics when a rule is broken.
pub(crate) type Target = fn(&[u8]);

/// The targets by name; the name is also that of the folder of its corpus.
pub(crate) const ALL: [(&str, Target); 11] = [
    ("chat_frames", chat::frames),
    ("chat_text", chat::text),
    ("classic_endpoint", endpoints::classic),
    ("decoders", decoders::run),
    ("file_session", file_session::run),
    ("hub", endpoints::hub),
    ("lab_session", lab_session::run),
    ("link", link::run),
    ("messages", messages::run),
    ("text", text::run),
    ("transport", transport::run),
];

/// Reads a story from bytes; after their end there are only zeros.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        u64::from(self.byte())
    }

    /// A number below `bound`, which is at least 1.
    fn below(&mut self, bound: usize) -> usize {
        let (high, low) = if bound > 256 { (self.byte(), self.byte()) } else { (0, self.byte()) };
        usize::from(u16::from_be_bytes([high, low])) % bound
    }

    /// At most `len` bytes.
    fn take(&mut self, len: usize) -> &'a [u8] {
        self.0.split_off(..len.min(self.0.len())).unwrap_or_default()
    }

    /// A sequence number: small ones mostly, sometimes any.
    fn seq(&mut self) -> u64 {
        match self.byte() {
            small @ ..0xf0 => u64::from(small % 80),
            _ => self.take(8).iter().fold(0, |seq, byte| seq << 8 | u64::from(*byte)),
        }
    }
}
