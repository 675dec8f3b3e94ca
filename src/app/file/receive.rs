//! The receiving side of a transfer.

use core::str;

use super::{
    ABORT, DATA, Digest, HEADER, HEADER_BYTES, MAGIC, Refusal, TRAILER, VERDICT, VERSION,
    check_name,
};

/// What the caller is to do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action<'a> {
    /// Open a new temporary file. Answer a failure with
    /// [`storage_failed`](FileReceiver::storage_failed).
    Create {
        /// The name to store it under in the end; it has passed
        /// [`check_name`].
        name: &'a str,
        /// How many bytes will come.
        size: u64,
    },
    /// Append these bytes. Answer a failure likewise.
    Write(&'a [u8]),
    /// All bytes are there and the digest matches: give the file its name, then say
    /// [`stored`](FileReceiver::stored) or `storage_failed`.
    Finish,
    /// It has failed: remove the temporary file, if there is one.
    Discard(Refusal),
    /// Nothing: the transfer had ended before.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Expecting,
    Receiving,
    /// The caller stores the file.
    Storing,
    Finished(Result<(), Refusal>),
}

/// The receiving side: checks every message, and in the end has a verdict to send back.
///
/// It stores no bytes, whatever the peer sends.
#[derive(Clone, Debug)]
pub struct FileReceiver<D> {
    digest: D,
    size_max: u64,
    carrier: u32,
    size: u64,
    received: u64,
    state: State,
    verdict_due: bool,
}

impl<D: Digest> FileReceiver<D> {
    /// A receiver that takes files of at most `size_max` bytes.
    pub fn new(digest: D, size_max: u64) -> Self {
        Self {
            digest,
            size_max,
            carrier: 0,
            size: 0,
            received: 0,
            state: State::Expecting,
            verdict_due: false,
        }
    }

    /// Refuses files that come over another carrier; see [`FileSender::over`](super::FileSender::over).
    #[must_use]
    pub fn over(mut self, carrier: u32) -> Self {
        self.carrier = carrier;
        self
    }

    /// Takes the next message and says what to do about it.
    pub fn handle_message<'a>(&mut self, message: &'a [u8]) -> Action<'a> {
        let result = match (self.state, message.split_first()) {
            (State::Finished(_) | State::Storing, _) => return Action::Nothing,
            (_, Some((&ABORT, []))) => Err(Refusal::Aborted),
            (State::Expecting, Some((&HEADER, _))) => self.header(message),
            (State::Receiving, Some((&DATA, bytes))) => self.data(bytes),
            (State::Receiving, Some((&TRAILER, digest))) => self.trailer(digest),
            _ => Err(Refusal::Malformed),
        };
        result.unwrap_or_else(|refusal| {
            self.conclude(Err(refusal));
            Action::Discard(refusal)
        })
    }

    fn header<'a>(&mut self, message: &'a [u8]) -> Result<Action<'a>, Refusal> {
        let (fixed, name) =
            message.split_first_chunk::<HEADER_BYTES>().ok_or(Refusal::Malformed)?;
        let (magic, rest) = fixed[1..].split_first_chunk::<4>().ok_or(Refusal::Malformed)?;
        let (version, rest) = rest.split_first().ok_or(Refusal::Malformed)?;
        let (carrier, size) = rest.split_first_chunk::<4>().ok_or(Refusal::Malformed)?;
        if magic != MAGIC || *version != VERSION {
            return Err(Refusal::Malformed);
        }
        let carrier = u32::from_be_bytes(*carrier);
        if carrier != 0 && self.carrier != 0 && carrier != self.carrier {
            return Err(Refusal::Carrier);
        }
        let size = u64::from_be_bytes(size.try_into().map_err(|_| Refusal::Malformed)?);
        let name = str::from_utf8(name).map_err(|_| Refusal::Name)?;
        check_name(name).map_err(|_| Refusal::Name)?;
        if size > self.size_max {
            return Err(Refusal::TooLarge);
        }
        self.size = size;
        self.state = State::Receiving;
        Ok(Action::Create { name, size })
    }

    fn data<'a>(&mut self, bytes: &'a [u8]) -> Result<Action<'a>, Refusal> {
        if bytes.is_empty() {
            return Err(Refusal::Malformed);
        }
        if bytes.len() as u64 > self.size - self.received {
            return Err(Refusal::Size);
        }
        self.digest.update(bytes);
        self.received += bytes.len() as u64;
        Ok(Action::Write(bytes))
    }

    fn trailer<'a>(&mut self, digest: &[u8]) -> Result<Action<'a>, Refusal> {
        if digest.len() != 32 {
            return Err(Refusal::Malformed);
        }
        if self.received != self.size {
            return Err(Refusal::Size);
        }
        if digest != self.digest.finish() {
            return Err(Refusal::Digest);
        }
        self.state = State::Storing;
        Ok(Action::Finish)
    }

    /// The file is stored under its name: the verdict is positive.
    pub fn stored(&mut self) {
        if self.state == State::Storing {
            self.conclude(Ok(()));
        }
    }

    /// The disk failed: the verdict is negative, unless one was reached before.
    pub fn storage_failed(&mut self) {
        if !matches!(self.state, State::Finished(_)) {
            self.conclude(Err(Refusal::Storage));
        }
    }

    fn conclude(&mut self, verdict: Result<(), Refusal>) {
        self.state = State::Finished(verdict);
        self.verdict_due = true;
    }

    /// The message to send back, once.
    pub fn poll_message(&mut self) -> Option<[u8; 2]> {
        let State::Finished(verdict) = self.state else { return None };
        core::mem::take(&mut self.verdict_due)
            .then_some([VERDICT, verdict.err().map_or(0, Refusal::code)])
    }

    /// How it ended, once it has.
    pub fn verdict(&self) -> Option<Result<(), Refusal>> {
        match self.state {
            State::Finished(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// Bytes of the file, as its header declared; 0 before.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the file so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The digest of the bytes so far.
    pub fn digest(&self) -> [u8; 32] {
        self.digest.finish()
    }
}
