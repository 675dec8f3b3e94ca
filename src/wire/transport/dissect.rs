//! A datagram field by field, for people: what the guide shows, and `rdtp dump`.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, ops::Range};

use super::{
    CloseCode, Frame, Packet, Params, Reader,
    layout::{self, FieldLayout, Meaning, Size},
};
use crate::wire::{Checksum, DecodeError};

/// A field of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which bytes.
    pub at: Range<usize>,
    /// How deep it lies in others: 0 in the packet, 1 in a frame or among the parameters.
    pub depth: usize,
    /// What it is called.
    pub name: &'static str,
    /// What it says, in words; empty when its bytes say it all.
    pub value: String,
}

/// A datagram taken apart. It prints as a hex dump with a field to each line.
///
/// ```
/// use rdtp::wire::transport::{dissect, example};
///
/// let datagram = example::datagram("close").expect("one of the examples");
/// let dissection = dissect(&datagram);
/// assert_eq!(dissection.error, None);
/// let reason = dissection.fields.last().expect("a field");
/// assert_eq!((reason.name, &*reason.value, &datagram[reason.at.clone()]), ("reason", "\"bye\"", &b"bye"[..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissection<'a> {
    /// The datagram.
    pub datagram: &'a [u8],
    /// Its fields, in order and without gaps. What could not be read is the last.
    pub fields: Vec<Field>,
    /// Why a receiver would discard it, or the packet that it holds.
    pub error: Option<DecodeError>,
}

/// Takes a datagram apart, as far as it can be read.
pub fn dissect(datagram: &[u8]) -> Dissection<'_> {
    let mut walk = Walk { datagram, reader: Reader::new(datagram), fields: Vec::new() };
    let error = walk.packet().err();
    let left = walk.reader.rest().len();
    if left > 0 {
        let at = datagram.len() - left..datagram.len();
        let value = format!("{left} bytes");
        walk.fields.push(Field { at, depth: 0, name: "not readable", value });
    }
    // What the decoder says of the whole counts more than where this reader gave up.
    let error = Packet::decode(datagram).err().or(error);
    Dissection { datagram, fields: walk.fields, error }
}

struct Walk<'a> {
    datagram: &'a [u8],
    reader: Reader<'a>,
    fields: Vec<Field>,
}

impl Walk<'_> {
    fn at(&self) -> usize {
        self.datagram.len() - self.reader.rest().len()
    }

    fn push(&mut self, start: usize, depth: usize, name: &'static str, value: String) {
        self.fields.push(Field { at: start..self.at(), depth, name, value });
    }

    fn packet(&mut self) -> Result<(), DecodeError> {
        let start = self.at();
        let crc = self.reader.u32()?;
        let right = Checksum::Crc32c.holds([self.reader.rest()], &crc.to_be_bytes());
        self.push(start, 0, "checksum", if right { "right" } else { "WRONG" }.into());
        let start = self.at();
        let kind = self.reader.u8()?;
        let Some(packet) = layout::of_kind(&layout::PACKETS, kind) else {
            self.push(start, 0, "kind", "unknown".into());
            return Err(DecodeError::Kind(kind));
        };
        self.push(start, 0, "kind", packet.name.into());
        self.fields(0, packet.fields)
    }

    fn fields(&mut self, depth: usize, fields: &[FieldLayout]) -> Result<(), DecodeError> {
        let mut numbers = Vec::new();
        for field in fields {
            let start = self.at();
            match field.size {
                Size::Fixed(len) => {
                    let bytes = self.reader.bytes(len)?;
                    self.push(start, depth, field.name, of_bytes(field.meaning, bytes));
                }
                Size::Varint => {
                    let number = self.reader.varint()?;
                    numbers.push(number);
                    self.push(start, depth, field.name, of_number(field.meaning, number));
                }
                Size::Prefixed | Size::PrefixedByte => {
                    let len = match field.size {
                        Size::PrefixedByte => u64::from(self.reader.u8()?),
                        _ => self.reader.varint()?,
                    };
                    self.push(start, depth, "length", format!("{len}"));
                    let end = usize::try_from(len).unwrap_or(usize::MAX);
                    self.run(depth, field, end)?;
                }
                Size::Pairs => {
                    let count = numbers.iter().rev().nth(1).copied().unwrap_or(0);
                    for _ in 0..count {
                        let start = self.at();
                        let (gap, run) = self.pair()?;
                        self.push(start, depth, field.name, format!("{gap}, {run}"));
                    }
                }
                Size::Rest => self.run(depth, field, self.reader.rest().len())?,
            }
        }
        Ok(())
    }

    /// A field of so many bytes.
    fn run(&mut self, depth: usize, field: &FieldLayout, len: usize) -> Result<(), DecodeError> {
        match field.meaning {
            Meaning::Frames => {
                while !self.reader.is_empty() {
                    self.frame()?;
                }
            }
            Meaning::Params => {
                let end = self.reader.rest().len().saturating_sub(len);
                while self.reader.rest().len() > end {
                    self.parameter()?;
                }
            }
            meaning => {
                let start = self.at();
                let bytes = self.reader.bytes(len)?;
                if !bytes.is_empty() {
                    self.push(start, depth, field.name, of_bytes(meaning, bytes));
                }
            }
        }
        Ok(())
    }

    /// Two integers, or nothing is read.
    fn pair(&mut self) -> Result<(u64, u64), DecodeError> {
        let mut ahead = self.reader;
        let pair = (ahead.varint()?, ahead.varint()?);
        self.reader = ahead;
        Ok(pair)
    }

    fn parameter(&mut self) -> Result<(), DecodeError> {
        let start = self.at();
        let (name, value) = self.pair()?;
        let at = name.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        match at.and_then(|at| Params::NAMES.get(at)) {
            Some((label, unit)) => self.push(start, 1, label, format!("{value} {unit}")),
            None => self.push(start, 1, "unknown parameter", format!("{name} is {value}")),
        }
        Ok(())
    }

    fn frame(&mut self) -> Result<(), DecodeError> {
        let (start, mut ahead) = (self.at(), self.reader);
        let frame = Frame::decode(&mut ahead);
        if let Ok(Frame::Padding(len)) = frame {
            self.reader = ahead;
            self.push(start, 0, "padding", format!("{len} bytes"));
            return Ok(());
        }
        let kind = self.reader.u8()?;
        let Some(layout) = layout::of_kind(&layout::FRAMES, kind) else {
            self.push(start, 0, "frame", "unknown".into());
            return Err(DecodeError::Kind(kind));
        };
        let ends = if kind & layout.flags == 0 { "" } else { " FIN" };
        self.push(start, 0, "frame", format!("{}{ends}", layout.name));
        let walked = self.fields(1, layout.fields);
        frame.and(walked)
    }
}

fn of_bytes(meaning: Meaning, bytes: &[u8]) -> String {
    let number = || bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    match meaning {
        Meaning::Number | Meaning::Micros | Meaning::CloseCode => of_number(meaning, number()),
        Meaning::Hex if number() == 0 => "none".into(),
        Meaning::Versions => {
            let versions = bytes.chunks(4).map(|version| match version {
                [b'r', b'd', b't', number] => format!("rdt {number}"),
                other => format!("unknown {other:02x?}"),
            });
            versions.collect::<Vec<_>>().join(", ")
        }
        Meaning::Bytes if (1..=TEXT_MAX).contains(&bytes.len()) && bytes.is_ascii() => {
            let text = core::str::from_utf8(bytes).unwrap_or_default();
            if text.chars().any(char::is_control) {
                format!("{} bytes", bytes.len())
            } else {
                format!("{text:?}")
            }
        }
        Meaning::Bytes => format!("{} bytes", bytes.len()),
        Meaning::Checksum | Meaning::Hex | Meaning::Params | Meaning::Frames => String::new(),
    }
}

/// Longer texts are only counted.
const TEXT_MAX: usize = 24;

fn of_number(meaning: Meaning, number: u64) -> String {
    match meaning {
        Meaning::CloseCode => match CloseCode::from_number(number) {
            Ok(code) => format!("{code}"),
            Err(_) => "unknown".into(),
        },
        _ => format!("{number}"),
    }
}

/// Bytes of a line, and lines of a field: longer fields are cut.
const LINE_BYTES: usize = 8;
const LINES_MAX: usize = 2;

impl fmt::Display for Dissection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.fields.iter().map(|field| field.name.len() + 2 * field.depth).max();
        let width = width.unwrap_or(0);
        for field in &self.fields {
            let bytes = &self.datagram[field.at.clone()];
            let name = format!("{:1$}{name}", "", 2 * field.depth, name = field.name);
            let lines = bytes.chunks(LINE_BYTES).take(LINES_MAX).enumerate();
            for (number, line) in lines {
                let mut hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
                if number + 1 == LINES_MAX && bytes.len() > LINES_MAX * LINE_BYTES {
                    hex[LINE_BYTES - 1] = "..".into();
                }
                let (hex, at) = (hex.join(" "), field.at.start + number * LINE_BYTES);
                let text = if number == 0 {
                    format!("{at:>5}  {hex:<23}  {name:<width$}  {}", field.value)
                } else {
                    format!("{at:>5}  {hex}")
                };
                writeln!(f, "{}", text.trim_end())?;
            }
        }
        match &self.error {
            None => Ok(()),
            Some(error) => writeln!(f, "not a good packet: {error}"),
        }
    }
}

impl Dissection<'_> {
    /// The datagram in a few words: its kind and its frames.
    pub fn summary(&self) -> String {
        let mut fields = self.fields.iter().enumerate();
        let kind = fields.find(|(_, field)| field.name == "kind");
        let mut out = kind.map_or_else(|| "no packet".into(), |(_, kind)| kind.value.clone());
        let mut frames = Vec::new();
        for (at, field) in fields {
            match field.name {
                "cookie" => out.push_str(" with a cookie"),
                "padding" => frames.push("padding".into()),
                "frame" => {
                    let inside = self.fields[at + 1..].iter().take_while(|inner| inner.depth > 0);
                    frames.push(of_frame(&field.value, inside));
                }
                _ => {}
            }
        }
        if !frames.is_empty() {
            out.push_str(" [");
            out.push_str(&frames.join("; "));
            out.push(']');
        }
        out
    }
}

/// A frame in a few words, from its fields.
fn of_frame<'a>(label: &str, fields: impl Iterator<Item = &'a Field>) -> String {
    let (name, fin) = label.strip_suffix(" FIN").map_or((label, ""), |name| (name, " FIN"));
    let mut out = String::from(name.strip_suffix(" with length").unwrap_or(name));
    for field in fields {
        let before = match field.name {
            "stream" if name.contains("stream") => " ",
            "stream" => ", stream ",
            "largest number" | "reason" => " ",
            "data" => ": ",
            _ => continue,
        };
        out.push_str(before);
        out.push_str(&field.value);
    }
    out + fin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::transport::{example, layout::FRAMES, seal};
    use proptest::prelude::*;

    /// Fields follow each other without gap, to the end.
    fn check(datagram: &[u8]) -> Dissection<'_> {
        let dissection = dissect(datagram);
        let mut at = 0;
        for field in &dissection.fields {
            assert_eq!(field.at.start, at, "{field:?}\n{dissection}");
            at = field.at.end;
        }
        assert_eq!(at, datagram.len(), "{dissection}");
        dissection
    }

    #[test]
    fn examples_are_good_and_hold_every_shape_of_field() {
        for name in example::NAMES {
            let datagram = example::datagram(name).unwrap();
            let dissection = check(&datagram);
            assert_eq!(dissection.error, None, "{name}\n{dissection}");
            assert!(!alloc::format!("{dissection}").contains("unknown"), "{name}");
            assert!(alloc::format!("{dissection}").lines().all(|line| line.len() <= 76));
        }
        assert_eq!(example::datagram("none"), None);
        let kinds: Vec<u8> = FRAMES.iter().map(|layout| layout.kind).collect();
        assert!(kinds.is_sorted(), "each kind byte once");
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_is_shown() {
        let mut datagram = example::datagram("data").unwrap();
        datagram[13] ^= 1;
        let dissection = check(&datagram);
        assert_eq!(dissection.error, Some(DecodeError::Checksum));
        assert_eq!(dissection.fields[0].value, "WRONG");
        assert_eq!(dissection.fields.last().unwrap().value, "\"hi\"");
        let cut = check(&datagram[..2]);
        assert_eq!((cut.fields.len(), cut.fields[0].name), (1, "not readable"));
        assert_eq!(dissect(&[]).fields, []);
        let mut unknown = example::datagram("data").unwrap();
        unknown[17] = 0x40;
        seal(&mut unknown);
        let dissection = check(&unknown);
        assert_eq!(dissection.error, Some(DecodeError::Kind(0x40)));
        assert!(alloc::format!("{dissection}").ends_with("unknown packet kind 0x40\n"));
    }

    #[test]
    fn summaries_name_frames() {
        let summary = |name| dissect(&example::datagram(name).unwrap()).summary();
        assert_eq!(summary("open"), "open with a cookie [ping]");
        assert_eq!(summary("data"), "data [stream 2: \"hi\" FIN]");
        assert_eq!(summary("reset"), "reset");
        assert_eq!(summary("close"), "data [close \"bye\"]");
        assert_eq!(
            summary("frames"),
            "data [ACK with ECN 20; max data; reset stream 3; datagram; stream 2: \"ab\" FIN; padding]"
        );
    }

    proptest! {
        /// The layouts and the decoder agree on every datagram: the same ones are good, and the same
        /// bytes belong to the same frames.
        #[test]
        fn layouts_are_what_is_decoded(
            kind in prop_oneof![0x10..=0x14_u8, Just(0x20), any::<u8>()],
            head in prop::collection::vec(any::<u8>(), 8..90),
            frames in prop::collection::vec((0..=0x14_u8, prop::collection::vec(0..70_u8, 0..6)), 0..9),
        ) {
            let mut datagram = alloc::vec![0, 0, 0, 0, kind];
            datagram.extend(head);
            if kind == 0x20 {
                datagram.truncate(17);
            }
            datagram.extend(frames.iter().flat_map(|(kind, rest)| core::iter::once(kind).chain(rest)));
            seal(&mut datagram);
            let dissection = check(&datagram);
            let mut expected = Packet::decode(&datagram).err();
            if let Ok(Packet::Open { frames, .. } | Packet::Accept { frames, .. } | Packet::Data { frames, .. }) =
                Packet::decode(&datagram)
            {
                let (mut reader, mut starts) = (Reader::new(frames), Vec::new());
                while !reader.is_empty() && expected.is_none() {
                    starts.push(datagram.len() - reader.rest().len());
                    expected = Frame::decode(&mut reader).err();
                }
                let shown = dissection.fields.iter();
                let shown = shown.filter(|field| matches!(field.name, "frame" | "padding"));
                let shown: Vec<usize> = shown.map(|field| field.at.start).collect();
                prop_assert_eq!(shown, starts);
            }
            prop_assert_eq!(dissection.error, expected);
        }
    }
}
