//! The sending side of a transfer.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{
    ABORT, DATA, Digest, HEADER, HEADER_BYTES, MAGIC, NameError, Refusal, TRAILER, VERDICT,
    VERSION, check_name,
};

/// Why the next message cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError<E> {
    /// Reading the file failed.
    Read(E),
    /// The file ended before the size that was announced.
    Shrunk {
        /// Bytes that are missing.
        missing: u64,
    },
}

impl<E: fmt::Display> fmt::Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot read the file: {error}"),
            Self::Shrunk { missing } => {
                write!(f, "the file became shorter while it was sent: {missing} bytes are missing")
            }
        }
    }
}

impl<E: core::error::Error> core::error::Error for SendError<E> {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Data,
    Trailer,
    /// All is said; the receiver has the word.
    Waiting,
    Finished(Result<(), Refusal>),
}

/// The sending side: header, data, trailer; then it waits for the verdict.
///
/// ```
/// use rdtp::app::file::{Action, Digest, FileReceiver, FileSender};
///
/// /// A sum is no digest to trust, but short.
/// #[derive(Default)]
/// struct Sum(u8);
/// impl Digest for Sum {
///     fn update(&mut self, bytes: &[u8]) {
///         self.0 = bytes.iter().fold(self.0, |sum, byte| sum.wrapping_add(*byte));
///     }
///     fn finish(&self) -> [u8; 32] {
///         [self.0; 32]
///     }
/// }
///
/// let mut file = &b"contents"[..];
/// let mut sender = FileSender::new(Sum::default(), "name.txt", 8, 5)?;
/// let mut receiver = FileReceiver::new(Sum::default(), 1_000);
/// let mut stored = Vec::new();
/// let mut message = Vec::new();
/// while sender.next_message(&mut message, |space| std::io::Read::read(&mut file, space))? {
///     match receiver.handle_message(&message) {
///         Action::Write(bytes) => stored.extend_from_slice(bytes),
///         Action::Finish => receiver.stored(),
///         other => println!("{other:?}"),
///     }
/// }
/// sender.handle_message(&receiver.poll_message().expect("a verdict"));
/// assert_eq!((sender.verdict(), &stored[..]), (Some(Ok(())), &b"contents"[..]));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileSender<D> {
    digest: D,
    name: String,
    size: u64,
    sent: u64,
    chunk_bytes: usize,
    carrier: u32,
    state: State,
}

impl<D: Digest> FileSender<D> {
    /// A transfer of `size` bytes under `name`, in data messages of `chunk_bytes` bytes (at least
    /// one). Fails when no receiver would accept the name.
    pub fn new(digest: D, name: &str, size: u64, chunk_bytes: usize) -> Result<Self, NameError> {
        Ok(Self {
            digest,
            name: check_name(name)?.into(),
            size,
            sent: 0,
            chunk_bytes: chunk_bytes.max(1),
            carrier: 0,
            state: State::Header,
        })
    }

    /// Names the protocol below by a number, for the receiver to compare with its own.
    #[must_use]
    pub fn over(mut self, carrier: u32) -> Self {
        self.carrier = carrier;
        self
    }

    /// Writes the next message into `message`, replacing what was there; false when there is none
    /// to send now. `read` reads some of the file's next bytes and says how many, 0 at its end.
    ///
    /// After an error the next message is an abort, which tells the receiver to clean up.
    pub fn next_message<E>(
        &mut self,
        message: &mut Vec<u8>,
        read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<bool, SendError<E>> {
        message.clear();
        match self.state {
            State::Header => {
                message.reserve(HEADER_BYTES + self.name.len());
                message.push(HEADER);
                message.extend_from_slice(MAGIC);
                message.push(VERSION);
                message.extend_from_slice(&self.carrier.to_be_bytes());
                message.extend_from_slice(&self.size.to_be_bytes());
                message.extend_from_slice(self.name.as_bytes());
                self.state = if self.size == 0 { State::Trailer } else { State::Data };
            }
            State::Data => self.data(message, read)?,
            State::Trailer => {
                message.push(TRAILER);
                message.extend_from_slice(&self.digest.finish());
                self.state = State::Waiting;
            }
            State::Waiting | State::Finished(_) => return Ok(false),
        }
        Ok(true)
    }

    fn data<E>(
        &mut self,
        message: &mut Vec<u8>,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), SendError<E>> {
        let missing = self.size - self.sent;
        let chunk = usize::try_from(missing).unwrap_or(usize::MAX).min(self.chunk_bytes);
        message.push(DATA);
        message.resize(1 + chunk, 0);
        let mut filled = 1;
        while filled < message.len() {
            match read(&mut message[filled..]) {
                Ok(0) => return Err(SendError::Shrunk { missing: missing - (filled as u64 - 1) }),
                Ok(count) => filled += count.min(message.len() - filled),
                Err(error) => return Err(SendError::Read(error)),
            }
        }
        self.digest.update(&message[1..]);
        self.sent += chunk as u64;
        if self.sent == self.size {
            self.state = State::Trailer;
        }
        Ok(())
    }

    /// Stops the transfer: the message that tells the receiver so.
    pub fn abort(&mut self) -> [u8; 1] {
        self.state = State::Finished(Err(Refusal::Aborted));
        [ABORT]
    }

    /// Takes a message of the receiver. Anything but a verdict is ignored, and so is a verdict
    /// that confirms a file before all of it was sent.
    pub fn handle_message(&mut self, message: &[u8]) {
        if let [VERDICT, code] = *message {
            let verdict = Refusal::verdict(code);
            match self.state {
                State::Finished(_) => {}
                State::Waiting => self.state = State::Finished(verdict),
                _ if verdict.is_err() => self.state = State::Finished(verdict),
                _ => {}
            }
        }
    }

    /// How it ended, once it has: `Ok` when the receiver has stored the whole file.
    pub fn verdict(&self) -> Option<Result<(), Refusal>> {
        match self.state {
            State::Finished(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// Whether everything has been said and only the verdict is missing.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// The name it announces.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the file that messages were made of so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The digest of the bytes so far; that of the file once all were sent.
    pub fn digest(&self) -> [u8; 32] {
        self.digest.finish()
    }
}
