//! Both sides tied together, without a network.

use super::*;
use alloc::{string::String, vec, vec::Vec};
use proptest::prelude::*;

/// FNV-1a, four times: enough to tell damaged from whole in a test.
#[derive(Clone, Debug, Default)]
struct Fnv(u64);

impl Digest for Fnv {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3) ^ 0x5bd1_e995;
        }
    }
    fn finish(&self) -> [u8; 32] {
        let mut digest = [7; 32];
        digest[..8].copy_from_slice(&self.0.to_be_bytes());
        digest
    }
}

/// All messages of a file, read in pieces of at most `piece` bytes.
fn messages(sender: &mut FileSender<Fnv>, file: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut rest = file;
    let mut messages = Vec::new();
    let mut message = Vec::new();
    let mut read = |space: &mut [u8]| {
        let count = space.len().min(piece).min(rest.len());
        space[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        Ok::<_, core::convert::Infallible>(count)
    };
    while sender.next_message(&mut message, &mut read).unwrap() {
        messages.push(message.clone());
    }
    messages
}

/// What a receiver makes of messages: the file's name and bytes once it is to be stored.
fn receive<'a>(
    receiver: &mut FileReceiver<Fnv>,
    messages: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<(String, Vec<u8>)>, Refusal> {
    let (mut name, mut bytes) = (None, Vec::new());
    for message in messages {
        match receiver.handle_message(message) {
            Action::Create { name: given, .. } => name = Some(String::from(given)),
            Action::Write(more) => bytes.extend_from_slice(more),
            Action::Finish => {
                receiver.stored();
                return Ok(name.map(|name| (name, bytes)));
            }
            Action::Discard(refusal) => return Err(refusal),
            Action::Nothing => {}
        }
    }
    Ok(None)
}

fn refusal(messages: &[&[u8]]) -> Option<Refusal> {
    let mut receiver = FileReceiver::new(Fnv::default(), 1_000);
    let error = receive(&mut receiver, messages.iter().copied()).err();
    if let Some(error) = error {
        assert_eq!(receiver.verdict(), Some(Err(error)));
        assert_eq!(receiver.poll_message(), Some([VERDICT, error.code()]));
        assert_eq!(receiver.poll_message(), None, "the verdict is sent once");
    }
    error
}

fn header(name: &[u8], size: u64) -> Vec<u8> {
    [&[HEADER], &MAGIC[..], &[VERSION], &[0; 4], &size.to_be_bytes(), name].concat()
}

#[test]
fn golden_messages() {
    let mut sender = FileSender::new(Fnv::default(), "a.txt", 3, 2).unwrap();
    let sent = messages(&mut sender, b"xyz", 1);
    assert_eq!(sent[0], b"\x01RDTF\x01\0\0\0\0\0\0\0\0\0\0\0\x03a.txt");
    assert_eq!(sent[1..3], [b"\x02xy".to_vec(), b"\x02z".to_vec()]);
    assert_eq!((sent[3][0], sent[3].len(), sent.len()), (3, 33, 4));
    assert_eq!(sender.abort(), [4]);
    assert!(header(&[b'n'; NAME_BYTES_MAX], 0).len() == CONTROL_BYTES_MAX);
}

#[test]
fn the_verdict_decides() {
    let mut sender = FileSender::new(Fnv::default(), "f", 1, 10).unwrap();
    sender.handle_message(&[VERDICT, 0]);
    assert_eq!(sender.verdict(), None, "nobody can have stored what was not sent");
    messages(&mut sender, b"1", 1);
    assert!(sender.is_waiting());
    sender.handle_message(b"\x05");
    sender.handle_message(b"\x05\x00\x00");
    sender.handle_message(b"");
    assert_eq!(sender.verdict(), None);
    sender.handle_message(&[VERDICT, 0]);
    assert_eq!(sender.verdict(), Some(Ok(())));
    sender.handle_message(&[VERDICT, 5]);
    assert_eq!(sender.verdict(), Some(Ok(())), "the first verdict counts");

    let mut refused = FileSender::new(Fnv::default(), "f", 1, 10).unwrap();
    refused.handle_message(&[VERDICT, 99]);
    assert_eq!(refused.verdict(), Some(Err(Refusal::Other(99))));
}

#[test]
fn a_receiver_refuses() {
    let good = header(b"f", 3);
    for (messages, expected) in [
        (vec![&b""[..]], Refusal::Malformed),
        (vec![b"\x01RDTF\x01\0\0"], Refusal::Malformed),
        (vec![b"\x02data first"], Refusal::Malformed),
        (vec![&good, &good], Refusal::Malformed),
        (vec![&good, b"\x02"], Refusal::Malformed),
        (vec![&good, b"\x02abcd"], Refusal::Size),
        (vec![&good, b"\x02ab", &[TRAILER; 33]], Refusal::Size),
        (vec![&good, b"\x02abc", &[TRAILER; 33]], Refusal::Digest),
        (vec![&good, b"\x02abc", &[TRAILER; 32]], Refusal::Malformed),
        (vec![&good, b"\x02abc", b"\x02d"], Refusal::Size),
        (vec![&good, b"\x04"], Refusal::Aborted),
        (vec![&good, b"\x09"], Refusal::Malformed),
        (vec![&header(b"f", 1_001)], Refusal::TooLarge),
        (vec![&header(b"f", u64::MAX)], Refusal::TooLarge),
        (vec![&header(b"../f", 1)], Refusal::Name),
        (vec![&header(b"/etc/passwd", 1)], Refusal::Name),
        (vec![&header(b"\xff", 1)], Refusal::Name),
        (vec![&header(b"", 1)], Refusal::Name),
        (vec![b"\x01RDTF\x02\0\0\0\0\0\0\0\0\0\0\0\x03f"], Refusal::Malformed),
        (vec![b"\x01XXXX\x01\0\0\0\0\0\0\0\0\0\0\0\x03f"], Refusal::Malformed),
    ] {
        assert_eq!(refusal(&messages), Some(expected), "{messages:?}");
    }
}

#[test]
fn a_full_disk_is_reported() {
    let mut receiver = FileReceiver::new(Fnv::default(), 1_000);
    let _ = receiver.handle_message(&header(b"f", 3));
    receiver.storage_failed();
    assert_eq!(receiver.handle_message(b"\x02abc"), Action::Nothing);
    receiver.stored();
    assert_eq!(receiver.poll_message(), Some([VERDICT, Refusal::Storage.code()]));
}

#[test]
fn a_file_that_shrinks_is_aborted() {
    let mut sender = FileSender::new(Fnv::default(), "f", 10, 4).unwrap();
    let mut message = Vec::new();
    let mut reads = [4, 1, 0].into_iter();
    let mut read = |_: &mut [u8]| Ok::<usize, ()>(reads.next().unwrap_or(0));
    assert_eq!(sender.next_message(&mut message, &mut read), Ok(true));
    assert_eq!(sender.next_message(&mut message, &mut read), Ok(true));
    let error = sender.next_message(&mut message, &mut read);
    assert_eq!(error, Err(SendError::Shrunk { missing: 5 }));
    assert_eq!(sender.abort(), [ABORT]);
    assert_eq!(sender.next_message(&mut message, &mut read), Ok(false));
}

#[test]
fn codes_round_trip() {
    for code in 0..=255 {
        assert_eq!(Refusal::verdict(code).err().map_or(0, Refusal::code), code);
    }
}

proptest! {
    #[test]
    fn every_file_arrives_as_it_is(
        file in prop::collection::vec(any::<u8>(), 0..2_000),
        chunk in 1_usize..300,
        piece in 1_usize..300,
    ) {
        let mut sender =
            FileSender::new(Fnv::default(), "name", file.len() as u64, chunk).unwrap();
        let sent = messages(&mut sender, &file, piece);
        prop_assert!(sent.iter().all(|m| m.len() <= CONTROL_BYTES_MAX.max(chunk + DATA_OVERHEAD)));
        let mut receiver = FileReceiver::new(Fnv::default(), 2_000);
        let stored = receive(&mut receiver, sent.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(stored, Some((String::from("name"), file)));
        sender.handle_message(&receiver.poll_message().unwrap());
        prop_assert_eq!(sender.verdict(), Some(Ok(())));
        prop_assert_eq!(sender.digest(), receiver.digest());
    }

    /// One flipped bit, anywhere after the header's name and size, is found.
    #[test]
    fn a_flipped_bit_is_found(
        file in prop::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut sender = FileSender::new(Fnv::default(), "n", file.len() as u64, 50).unwrap();
        let mut sent = messages(&mut sender, &file, 50);
        let body = sent.len() - 1;
        let message = &mut sent[1 + at.index(body)];
        let byte = at.index(message.len());
        message[byte] ^= 1 << bit;
        let mut receiver = FileReceiver::new(Fnv::default(), 2_000);
        prop_assert!(!matches!(receive(&mut receiver, sent.iter().map(Vec::as_slice)), Ok(Some(_))));
    }

    /// Whatever comes, nothing panics and no more bytes are written than were declared and allowed.
    #[test]
    fn arbitrary_messages_are_survived(
        name in prop::collection::vec(any::<u8>(), 0..20),
        size in 0_u64..200,
        rest in prop::collection::vec(prop::collection::vec(0_u8..6, 0..40), 0..30),
    ) {
        let mut receiver = FileReceiver::new(Fnv::default(), 100);
        let first = header(&name, size);
        let mut written = 0;
        for message in core::iter::once(&first).chain(&rest) {
            if let Action::Write(bytes) = receiver.handle_message(message) {
                written += bytes.len() as u64;
            }
        }
        prop_assert!(written <= size.min(100));
    }
}

#[test]
fn another_carrier_is_refused_and_none_is_taken() {
    for (sends, expects, taken) in [(1, 1, true), (1, 2, false), (0, 2, true), (1, 0, true)] {
        let mut sender = FileSender::new(Fnv::default(), "f", 1, 10).unwrap().over(sends);
        let mut receiver = FileReceiver::new(Fnv::default(), 1_000).over(expects);
        let mut header = Vec::new();
        sender.next_message(&mut header, |_| Ok::<_, ()>(0)).unwrap();
        let action = receiver.handle_message(&header);
        let refused = action == Action::Discard(Refusal::Carrier);
        assert_eq!(refused, !taken, "{sends} {expects}: {action:?}");
    }
}
