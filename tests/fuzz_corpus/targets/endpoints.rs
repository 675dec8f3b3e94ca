//! Two endpoints, and any calls on them: sends, packets delivered, lost, copied, overtaken,
//! damaged and forged, garbage, timeouts early and late, polls in any order.
//!
//! The harness is that of `tests/contract`: in a sound story the channel does no more than the
//! protocols tolerate, what is delivered must be a prefix of what was sent, and in the end
//! everything must arrive. In a wild one anything goes, and only the contract must hold: no panic,
//! the same calls give the same bytes, early timeouts do nothing, no timer spins, queues keep their
//! limits.

use rdtp::wire::{Codec, Frame, Kind};

use super::Bytes;
use crate::{
    play::{Extra, Op, Play},
    subject::{self, Case},
};

/// Calls of one story.
const OPS_MAX: usize = 300;

thread_local! {
    /// Every endpoint with small queues, and with queues as its soundness needs them.
    static CASES: [Vec<Case>; 2] = [subject::all(false), subject::all(true)];
}

pub(super) fn classic(data: &[u8]) {
    live(data, |name| !name.starts_with("hub of ") && !name.starts_with("exercise "));
}

pub(super) fn hub(data: &[u8]) {
    live(data, |name| name.starts_with("hub of "));
}

/// The classroom exercise as an endpoint among others.
pub(super) fn exercise(data: &[u8]) {
    live(data, |name| name.starts_with("exercise "));
}

fn live(data: &[u8], is_wanted: impl Fn(&str) -> bool) {
    let mut bytes = Bytes(data);
    let mode = bytes.byte();
    CASES.with(|cases| {
        let all = &cases[usize::from(mode >> 7)];
        let wanted: Vec<&Case> = all.iter().filter(|case| is_wanted(&case.name)).collect();
        let case = wanted[bytes.below(wanted.len())];
        let outcome = if mode & 1 == 0 { sound(case, bytes) } else { wild(case, mode, bytes) };
        if let Err(fault) = outcome {
            panic!("{}: {fault}", case.name);
        }
    });
}

fn sound(case: &Case, bytes: Bytes<'_>) -> Result<(), String> {
    let Some(mut play) = Play::sound(case) else { return Ok(()) };
    play.run(&ops(bytes, None))?;
    play.finish()
}

fn wild(case: &Case, mode: u8, bytes: Bytes<'_>) -> Result<(), String> {
    let ops = ops(bytes, Some(case.codec));
    let mut plain = Play::wild(case, Extra::Nothing);
    plain.run(&ops)?;
    plain.bounded()?;
    let extra =
        [Extra::Nothing, Extra::Deadlines, Extra::EarlyTimeouts][usize::from(mode >> 1) % 3];
    let mut again = Play::wild(case, extra);
    again.run(&ops)?;
    if plain.transcript() == again.transcript() {
        Ok(())
    } else {
        Err(format!("{extra:?} make a difference"))
    }
}

/// The story: one byte says what happens, the next ones where and how.
fn ops(mut bytes: Bytes<'_>, forge: Option<Codec>) -> Vec<Op> {
    let mut ops = Vec::new();
    while !bytes.is_empty() && ops.len() < OPS_MAX {
        ops.push(op(&mut bytes, forge));
    }
    ops
}

fn op(bytes: &mut Bytes<'_>, forge: Option<Codec>) -> Op {
    let what = bytes.byte();
    let at = usize::from(what & 1);
    let nth = usize::from(what >> 5);
    match what >> 1 & 0x0f {
        1 if nth == 7 => Op::Fill { at },
        0 | 1 => Op::Offer { at },
        2 => Op::Transmit { at, room: 2048, segments: nth + 1 },
        3 => Op::Transmit { at, room: bytes.below(256), segments: nth + 1 },
        4 => Op::Event { at },
        5 => Op::Timeout { at },
        6 => Op::Trace { at, on: nth & 1 == 0 },
        7 => Op::Wait { millis: bytes.number() },
        8 => Op::Jump { hours: bytes.number() },
        9 | 10 => Op::Deliver { from: at, nth },
        11 => Op::Lose { from: at, nth },
        12 => Op::Duplicate { from: at, nth },
        13 => {
            let bit = u16::from_be_bytes([bytes.byte(), bytes.byte()]);
            Op::Corrupt { from: at, nth, bit: bit >> 1, cut: bit & 1 == 1 }
        }
        14 => {
            let len = bytes.below(128);
            let host = host(at, nth);
            Op::Garbage { at, host, bytes: bytes.take(len).to_vec() }
        }
        _ => {
            let host = host(at, nth);
            Op::Garbage { at, host, bytes: forged(bytes, forge) }
        }
    }
}

/// The other end most of the time, sometimes a stranger.
fn host(at: usize, nth: usize) -> u8 {
    match u8::try_from(nth) {
        Ok(stranger @ 5..) => stranger,
        _ if at == 0 => 2,
        _ => 1,
    }
}

/// An intact packet that nobody sent; without a codec, bytes that are no packet of any.
fn forged(bytes: &mut Bytes<'_>, forge: Option<Codec>) -> Vec<u8> {
    let kind = [Kind::Data, Kind::Ack, Kind::Nak][bytes.below(3)];
    let seq = bytes.seq();
    let len = if kind == Kind::Data { bytes.below(8) } else { 0 };
    let Some(codec) = forge else { return vec![0xd1; len] };
    let payload = if matches!(codec, Codec::Lab { .. }) && kind == Kind::Data { 4 } else { len };
    let payload = vec![0x5a; payload];
    let frame = Frame { kind, seq: seq % codec.numbers().count(), payload: &payload };
    if !codec.carries(&frame) {
        return Vec::new();
    }
    let mut datagram = vec![0; codec.encoded_len(&frame)];
    codec.encode(&frame, &mut datagram);
    datagram
}
