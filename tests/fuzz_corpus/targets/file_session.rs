//! A file transfer whose messages are lost to malice: the receiver hears what any peer may send,
//! the sender any answer. Nothing outside the declared size is written, a file is finished only
//! when its digest fits, and there is one verdict.

use rdtp::app::file::{Action, Digest, FileReceiver, FileSender, Refusal, check_name};

use super::Bytes;

const SIZE_MAX: u64 = 1000;

const CARRIER: u32 = 7;

/// Short, and different for different bytes: FNV-1a, written four times.
#[derive(Clone)]
struct Sum(u64);

impl Sum {
    const NEW: Self = Self(0xcbf2_9ce4_8422_2325);
}

impl Digest for Sum {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    fn finish(&self) -> [u8; 32] {
        core::array::from_fn(|at| self.0.to_be_bytes()[at % 8])
    }
}

/// The receiving side, and what a disk would have of the file.
struct Disk {
    receiver: FileReceiver<Sum>,
    size: Option<u64>,
    stored: Vec<u8>,
    finished: bool,
    discarded: Option<Refusal>,
    /// The only message back.
    verdict: Option<[u8; 2]>,
}

impl Disk {
    fn new() -> Self {
        let receiver = FileReceiver::new(Sum::NEW, SIZE_MAX).over(CARRIER);
        let (size, stored) = (None, Vec::new());
        Self { receiver, size, stored, finished: false, discarded: None, verdict: None }
    }

    fn is_over(&self) -> bool {
        self.finished || self.receiver.verdict().is_some()
    }

    fn hear(&mut self, message: &[u8]) {
        let was_over = self.is_over();
        match self.receiver.handle_message(message) {
            Action::Create { name, size } => {
                assert!(!was_over && self.size.is_none(), "a second file");
                assert_eq!(check_name(name), Ok(name));
                assert!(size <= SIZE_MAX);
                self.size = Some(size);
            }
            Action::Write(bytes) => {
                assert!(!was_over && !bytes.is_empty());
                self.stored.extend_from_slice(bytes);
                assert!(self.size.is_some_and(|size| self.stored.len() as u64 <= size));
            }
            Action::Finish => {
                assert!(!was_over && self.size == Some(self.stored.len() as u64));
                self.finished = true;
            }
            Action::Discard(refusal) => {
                assert!(!was_over);
                self.discarded = Some(refusal);
            }
            Action::Nothing => assert!(was_over, "a message is passed over"),
        }
        self.check();
    }

    fn check(&mut self) {
        if let Some(refusal) = self.discarded {
            assert_eq!(self.receiver.verdict(), Some(Err(refusal)), "a verdict changes");
        }
        if self.receiver.verdict() == Some(Ok(())) {
            assert!(self.finished, "stored before it was whole");
        }
        assert_eq!(self.receiver.received(), self.stored.len() as u64);
        let mut digest = Sum::NEW;
        digest.update(&self.stored);
        assert_eq!(self.receiver.digest(), digest.finish());
        if let Some(message) = self.receiver.poll_message() {
            assert_eq!(self.verdict.replace(message), None, "a second verdict");
            assert_eq!(message[1] == 0, self.receiver.verdict() == Some(Ok(())));
        }
    }

    fn store(&mut self, succeeds: bool) {
        if succeeds {
            self.receiver.stored();
        } else {
            self.receiver.storage_failed();
        }
        self.check();
    }
}

/// A sender with a file whose end may come early or late.
struct Source {
    sender: FileSender<Sum>,
    left: usize,
    said_all: bool,
}

impl Source {
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        let left = &mut self.left;
        let read = |space: &mut [u8]| -> Result<usize, core::fmt::Error> {
            let count = space.len().min(*left).min(5);
            *left -= count;
            space[..count].fill(b'x');
            Ok(count)
        };
        let outcome = self.sender.next_message(&mut message, read);
        self.said_all |= self.sender.is_waiting();
        match outcome {
            Ok(true) => Some(message),
            Ok(false) => {
                assert!(self.sender.is_waiting() || self.sender.verdict().is_some());
                None
            }
            Err(_) => Some(self.sender.abort().to_vec()),
        }
    }

    fn hear(&mut self, message: &[u8]) {
        let before = self.sender.verdict();
        self.sender.handle_message(message);
        let after = self.sender.verdict();
        assert!(before.is_none() || before == after, "a verdict changes");
        assert!(after != Some(Ok(())) || self.said_all, "success before the end");
    }
}

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let size = bytes.number();
    let chunk = bytes.below(64);
    let kind = bytes.below(4);
    let sender = FileSender::new(Sum::NEW, "a name.txt", size, chunk).expect("a good name");
    // The file may be longer than announced, as long, or shorter; the carrier may be left out.
    let left = (usize::try_from(size).unwrap_or_default() + 1).saturating_sub(kind % 3);
    let carrier = if kind == 3 { 0 } else { CARRIER };
    let mut source = Source { sender: sender.over(carrier), left, said_all: false };
    let mut disk = Disk::new();
    let mut honest = true;
    for _ in 0..400 {
        if bytes.is_empty() {
            break;
        }
        let what = bytes.byte();
        honest &= matches!(what % 8, 0..=2);
        match what % 8 {
            0..=2 => source.next().iter().for_each(|message| disk.hear(message)),
            3 => {
                let at = bytes.number();
                if let Some(mut message) = source.next() {
                    let at = usize::try_from(at).unwrap_or_default() % message.len();
                    message[at] ^= what | 1;
                    disk.hear(&message);
                }
            }
            4 => {
                let len = bytes.below(300);
                disk.hear(bytes.take(len));
            }
            5 => disk.hear(&forged(&mut bytes, &disk.stored)),
            6 => disk.store(what & 8 == 0),
            _ => source.hear(bytes.take(usize::from(what >> 6))),
        }
    }
    if honest && kind != 2 {
        finish(&mut source, &mut disk);
    }
}

/// With nothing said but the truth, the file arrives.
fn finish(source: &mut Source, disk: &mut Disk) {
    while let Some(message) = source.next() {
        disk.hear(&message);
    }
    disk.store(true);
    let verdict = disk.verdict.expect("a verdict at the end");
    source.hear(&verdict);
    assert_eq!(disk.stored.len() as u64, source.sender.size());
    assert_eq!((source.sender.verdict(), disk.receiver.verdict()), (Some(Ok(())), Some(Ok(()))));
}

/// A header, data, or trailer that fits what came before, from a peer with a purpose.
fn forged(bytes: &mut Bytes<'_>, stored: &[u8]) -> Vec<u8> {
    match bytes.byte() % 3 {
        0 => {
            let mut header = b"\x01RDTF\x01\0\0\0\x07".to_vec();
            let size =
                u64::from_be_bytes([bytes.byte(), 0, 0, 0, 0, 0, bytes.byte(), bytes.byte()]);
            header.extend_from_slice(&size.to_be_bytes());
            let len = bytes.below(260);
            header.extend_from_slice(bytes.take(len));
            header
        }
        1 => {
            let len = bytes.below(64);
            [&[2], bytes.take(len)].concat()
        }
        _ => {
            let mut digest = Sum::NEW;
            digest.update(stored);
            let len = 33 - bytes.below(3).saturating_sub(1);
            [&[3], &digest.finish()[..]].concat()[..len].to_vec()
        }
    }
}
