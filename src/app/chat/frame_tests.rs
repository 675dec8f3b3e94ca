//! Unit tests of the chat's frames.

use super::*;
use proptest::prelude::*;

/// One of each frame.
fn all() -> Vec<Frame<'static>> {
    let (nick, room, name) = ("José", "sala", "a.txt");
    let mut frames = Vec::from([
        Frame::Hello { version: 1, secret: [7; 16], cookie: [8; 8], epoch: 9, nick },
        Frame::Rename(nick),
        Frame::Enter { create: true, room },
        Frame::Leave(room),
        Frame::Kick { room, nick: "" },
        Frame::Got(7),
        Frame::Quit([7; 16]),
        Frame::Ping(1),
        Frame::Pong { token: 1, known: true },
        Frame::Offer { transfer: 2, nick, name, size: 1 << 40 },
        Frame::Answer { transfer: 2, wanted: false },
        Frame::Credit { transfer: 2, bytes: 1 << 18 },
        Frame::File { transfer: 2, message: &[2, 0, 255] },
        Frame::Challenge([1; 8]),
        Frame::Welcome { version: 1, epoch: 2, origin: 3, accepted: 4, rate: 5, burst: 6, nick },
        Frame::Delivered { number: 3, to: 9 },
        Frame::Entered { room, nick },
        Frame::Renamed { old: nick, new: "Ana" },
    ]);
    for target in [Target::Everyone, Target::Room(room), Target::User(nick)] {
        for kind in [Kind::Text, Kind::Action, Kind::Poke] {
            frames.push(Frame::Say { number: 1, kind, target, text: "olá" });
            frames.push(Frame::Said { origin: 5, number: 1, kind, target, from: nick, text: "" });
        }
    }
    for what in [Listing::Users, Listing::Rooms, Listing::Members(room)] {
        frames.push(Frame::List(what));
        frames.push(Frame::Listed { what, names: "a b", more: 3 });
    }
    for why in [Parting::Left, Parting::Kicked, Parting::Quit, Parting::Lost] {
        frames.push(Frame::Left { room, nick, why });
    }
    for why in [FileEnd::Gone, FileEnd::Cancelled, FileEnd::Excess] {
        frames.push(Frame::FileEnd { transfer: 4, why });
    }
    for reason in Reason::ALL.into_iter().chain([Reason::Other(200)]) {
        frames.push(Frame::Refused { number: 7, reason, detail: "x" });
    }
    for code in 1..=10 {
        frames.push(Frame::Bye(Bye::from_code(code).unwrap()));
    }
    frames
}

#[test]
fn each_frame_is_read_as_it_was_written() {
    for frame in all() {
        let bytes = frame.encode();
        assert_eq!(Frame::decode(&bytes), Ok(frame));
        for len in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..len]).is_err(), "{frame:?} cut at {len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Frame::decode(&longer), Err(FrameError::Long), "{frame:?}");
    }
}

#[test]
fn nonsense_has_its_reason() {
    assert_eq!(Frame::decode(&[]), Err(FrameError::Short));
    assert_eq!(Frame::decode(&[200]), Err(FrameError::Unknown));
    assert_eq!(Frame::decode(&[20]), Err(FrameError::Unknown));
    assert_eq!(Frame::decode(&[2, 0, 0, 0, 1, 0xff]), Err(FrameError::Encoding));
    assert_eq!(Frame::decode(&[5, 7, 0, 0, 0, 0]), Err(FrameError::Unknown));
    assert_eq!(Frame::decode(&[2, 0xff, 0xff, 0xff, 0xff]), Err(FrameError::Short));
    assert_eq!(Frame::decode(&alloc::vec![2; FRAME_BYTES_MAX + 1]), Err(FrameError::Size));
}

#[test]
fn the_longest_message_fits() {
    let text = "x".repeat(TEXT_BYTES_MAX);
    let nick = "\u{4e00}".repeat(super::super::NAME_CHARS_MAX);
    let target = Target::Room(&nick);
    let said =
        Frame::Said { origin: 1, number: 1, kind: Kind::Text, target, from: &nick, text: &text };
    let bytes = said.encode();
    assert!(bytes.len() <= FRAME_BYTES_MAX);
    assert_eq!(Frame::decode(&bytes), Ok(said));
}

/// Bytes in pieces of any size come out as the frames that went in.
#[test]
fn half_frames_wait_for_their_rest() {
    let frames: Vec<_> = all().iter().map(Frame::encode).collect();
    let mut stream = Vec::new();
    for frame in &frames {
        stream.extend_from_slice(&Frames::prefix(frame.len()));
        stream.extend_from_slice(frame);
    }
    for piece in [1, 2, 3, 7, 64, stream.len()] {
        let (mut cut, mut out) = (Frames::default(), Vec::new());
        for bytes in stream.chunks(piece) {
            cut.push(bytes);
            while let Some(frame) = cut.next_frame().unwrap() {
                out.push(frame.to_vec());
            }
        }
        assert_eq!(out, frames);
    }
    let mut cut = Frames::default();
    cut.push(&Frames::prefix(FRAME_BYTES_MAX + 1));
    assert_eq!(cut.next_frame(), Err(FrameError::Size));
    assert_eq!(cut.next_frame(), Err(FrameError::Size));
}

proptest! {
    /// What is read can be written again, to the same bytes.
    #[test]
    fn any_bytes_are_a_frame_or_refused(
        kind in any::<u8>(),
        bytes in proptest::collection::vec(prop_oneof![Just(0), 0..4_u8, any::<u8>()], 0..64),
    ) {
        let bytes = [&[kind], &bytes[..]].concat();
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}
