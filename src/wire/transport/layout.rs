//! Every packet and frame as a table of its fields: what [diagrams](Layout) are drawn from, and what
//! [`dissect`](super::dissect()) reads bytes by. A test holds it against what encodes and decodes.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::{frame, packet};

/// How many bytes a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many, most significant first.
    Fixed(usize),
    /// A variable-length integer: 1, 2, 4 or 8.
    Varint,
    /// As many as a variable-length integer before it says.
    Prefixed,
    /// As many as one byte before it says.
    PrefixedByte,
    /// Pairs of variable-length integers, as many as the field two before it counts.
    Pairs,
    /// All to the end of the datagram.
    Rest,
}

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// CRC-32C of all bytes that follow.
    Checksum,
    /// A number.
    Number,
    /// Time in microseconds.
    Micros,
    /// A number that looks like chance.
    Hex,
    /// A version, or several of four bytes each.
    Versions,
    /// Why a connection is closed.
    CloseCode,
    /// Bytes that only their owner understands.
    Bytes,
    /// [Parameters](super::Params): pairs of a name and a value.
    Params,
    /// Frames, one after the other.
    Frames,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLayout {
    /// What it is called.
    pub name: &'static str,
    /// How long it is.
    pub size: Size,
    /// What it says.
    pub meaning: Meaning,
}

/// A packet or a frame. It prints as a ruler: offsets above as far as they are fixed, sizes below.
///
/// ```
/// let layout = rdtp::wire::transport::layout::find("max data").expect("a frame");
/// assert_eq!(layout.to_string(), "\
/// 0x06 max data: how much may be sent on all streams together
/// 0      1
/// ┌──────┬───────┐
/// │ 0x06 │ bytes │
/// └──────┴───────┘
///   1      1-8
/// ");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What it is called.
    pub name: &'static str,
    /// What its kind byte is, without flags.
    pub kind: u8,
    /// Bits of the kind byte that say something else.
    pub flags: u8,
    /// What stands before the kind: in a packet, the checksum.
    pub before: &'static [FieldLayout],
    /// The fields after the kind.
    pub fields: &'static [FieldLayout],
    /// What it is for.
    pub about: &'static str,
}

const fn field(name: &'static str, size: Size, meaning: Meaning) -> FieldLayout {
    FieldLayout { name, size, meaning }
}

const fn varint(name: &'static str) -> FieldLayout {
    field(name, Size::Varint, Meaning::Number)
}

const CHECKSUM: &[FieldLayout] = &[field("checksum", Size::Fixed(packet::CRC), Meaning::Checksum)];
const TO: FieldLayout = field("connection ID", Size::Fixed(8), Meaning::Hex);
const NUMBER: FieldLayout = field("number", Size::Fixed(8), Meaning::Number);
const VERSION: FieldLayout = field("version", Size::Fixed(4), Meaning::Versions);
const FEATURES: FieldLayout = field("features", Size::Fixed(4), Meaning::Hex);
const FROM: FieldLayout = field("source ID", Size::Fixed(8), Meaning::Hex);
const TOKEN: FieldLayout = field("reset token", Size::Fixed(16), Meaning::Hex);
const PARAMS: FieldLayout = field("parameters", Size::Prefixed, Meaning::Params);
const FRAMES_FIELD: FieldLayout = field("frames", Size::Rest, Meaning::Frames);
const STREAM: FieldLayout = varint("stream");

const fn packet(
    name: &'static str,
    kind: u8,
    fields: &'static [FieldLayout],
    about: &'static str,
) -> Layout {
    Layout { name, kind, flags: 0, before: CHECKSUM, fields, about }
}

/// The packets.
pub const PACKETS: [Layout; 6] = [
    packet(
        "open",
        packet::OPEN,
        &[
            TO,
            VERSION,
            FEATURES,
            FROM,
            NUMBER,
            TOKEN,
            field("cookie", Size::PrefixedByte, Meaning::Bytes),
            PARAMS,
            FRAMES_FIELD,
        ],
        "asks for a connection",
    ),
    packet(
        "accept",
        packet::ACCEPT,
        &[
            TO,
            VERSION,
            FEATURES,
            field("offered version", Size::Fixed(4), Meaning::Versions),
            field("offered features", Size::Fixed(4), Meaning::Hex),
            FROM,
            NUMBER,
            TOKEN,
            PARAMS,
            FRAMES_FIELD,
        ],
        "agrees to a connection",
    ),
    packet(
        "challenge",
        packet::CHALLENGE,
        &[TO, NUMBER, field("cookie", Size::Rest, Meaning::Bytes)],
        "asks the opener to come back with a cookie",
    ),
    packet(
        "versions",
        packet::VERSIONS,
        &[TO, NUMBER, field("versions", Size::Rest, Meaning::Versions)],
        "the opener's version is not spoken here, but these are",
    ),
    packet("reset", packet::RESET, &[TO, TOKEN], "the connection is not known here any more"),
    packet(
        "data",
        packet::DATA,
        &[TO, field("number, low bits", Size::Fixed(4), Meaning::Number), FRAMES_FIELD],
        "everything after the handshake",
    ),
];

const fn plain(
    name: &'static str,
    kind: u8,
    fields: &'static [FieldLayout],
    about: &'static str,
) -> Layout {
    Layout { name, kind, flags: 0, before: &[], fields, about }
}

const DELAY: FieldLayout = field("delay, us", Size::Varint, Meaning::Micros);
const LARGEST: FieldLayout = varint("largest number");
const MORE: FieldLayout = varint("more ranges");
const FIRST: FieldLayout = varint("first run - 1");
const RANGES: FieldLayout = field("gap - 1, run - 1", Size::Pairs, Meaning::Number);

const PATH_DATA: FieldLayout = field("bytes by chance", Size::Fixed(8), Meaning::Hex);

/// The frames.
pub const FRAMES: [Layout; 21] = [
    plain("padding", frame::PADDING, &[], "nothing, to fill a packet up"),
    plain("ping", frame::PING, &[], "nothing but the wish to be acknowledged"),
    plain(
        "ACK",
        frame::ACK,
        &[DELAY, LARGEST, MORE, FIRST, RANGES],
        "which packets arrived, highest first",
    ),
    plain(
        "ACK with ECN",
        frame::ACK_ECN,
        &[DELAY, LARGEST, MORE, FIRST, RANGES, varint("ECT(0)"), varint("ECT(1)"), varint("CE")],
        "the same, and how many arrived with which mark",
    ),
    plain(
        "reset stream",
        frame::RESET_STREAM,
        &[STREAM, varint("code"), varint("final size")],
        "the sender sends no more of a stream",
    ),
    plain(
        "stop sending",
        frame::STOP_SENDING,
        &[STREAM, varint("code")],
        "the receiver does not want the rest",
    ),
    plain(
        "max data",
        frame::MAX_DATA,
        &[varint("bytes")],
        "how much may be sent on all streams together",
    ),
    plain(
        "max stream data",
        frame::MAX_STREAM_DATA,
        &[STREAM, varint("bytes")],
        "how much may be sent on one stream",
    ),
    plain("max streams", frame::MAX_STREAMS, &[varint("streams")], "how many may be opened"),
    plain(
        "data blocked",
        frame::DATA_BLOCKED,
        &[varint("limit")],
        "there would be more, but for the limit of all streams",
    ),
    plain(
        "stream data blocked",
        frame::STREAM_DATA_BLOCKED,
        &[STREAM, varint("limit")],
        "there would be more, but for its limit",
    ),
    plain(
        "ACK frequency",
        frame::ACK_FREQUENCY,
        &[varint("sequence"), varint("packets"), DELAY],
        "how many packets, and how long, an ACK may wait",
    ),
    plain("immediate ACK", frame::IMMEDIATE_ACK, &[], "acknowledge this packet at once"),
    plain(
        "close",
        frame::CLOSE,
        &[
            field("code", Size::Varint, Meaning::CloseCode),
            field("reason", Size::Prefixed, Meaning::Bytes),
        ],
        "the end of the connection, and why",
    ),
    plain(
        "datagram",
        frame::DATAGRAM,
        &[field("message", Size::Prefixed, Meaning::Bytes)],
        "a message that is sent once",
    ),
    plain(
        "ticket",
        frame::TICKET,
        &[field("for later", Size::Prefixed, Meaning::Bytes)],
        "a cookie for a later connection",
    ),
    Layout {
        name: "stream",
        kind: frame::STREAM,
        flags: frame::FIN,
        before: &[],
        fields: &[STREAM, varint("offset"), field("data", Size::Rest, Meaning::Bytes)],
        about: "bytes, to the end of the packet",
    },
    Layout {
        name: "stream with length",
        kind: frame::STREAM | frame::LEN,
        flags: frame::FIN,
        before: &[],
        fields: &[STREAM, varint("offset"), field("data", Size::Prefixed, Meaning::Bytes)],
        about: "bytes, and frames may follow",
    },
    plain(
        "repair",
        frame::REPAIR,
        &[
            varint("behind"),
            varint("span"),
            varint("stride"),
            field("sum", Size::Prefixed, Meaning::Bytes),
        ],
        "the sum of earlier packets, for one of them that is lost",
    ),
    plain(
        "path challenge",
        frame::PATH_CHALLENGE,
        &[PATH_DATA],
        "whoever receives this is to say its bytes back",
    ),
    plain("path response", frame::PATH_RESPONSE, &[PATH_DATA], "the bytes of a challenge"),
];

/// The packet or the frame of this name.
pub fn find(name: &str) -> Option<&'static Layout> {
    PACKETS.iter().chain(&FRAMES).find(|layout| layout.name == name)
}

/// The layout among these of a kind byte.
pub(super) fn of_kind(layouts: &'static [Layout], kind: u8) -> Option<&'static Layout> {
    layouts.iter().find(|layout| kind & !layout.flags == layout.kind)
}

/// A box of a ruler.
struct Cell {
    label: String,
    size: String,
    offset: String,
    open: bool,
}

impl Cell {
    fn width(&self) -> usize {
        let inside = self.label.chars().count().max(self.size.len()) + 2;
        inside.max(self.offset.len())
    }
}

/// Columns of a ruler, so that it fits into a terminal beside a margin.
const COLUMNS: usize = 74;

impl Layout {
    /// Its boxes. What has a length before it is two.
    fn cells(&self) -> Vec<Cell> {
        let mut offset = Some(0);
        let mut cells = Vec::new();
        let mut push = |label: String, bytes: Option<usize>, size: &str, open| {
            let at = offset.map_or(String::new(), |at| format!("{at}"));
            cells.push(Cell { label, size: size.into(), offset: at, open });
            offset = offset.zip(bytes).map(|(at, bytes)| at + bytes);
        };
        let kind = field("", Size::Fixed(1), Meaning::Number);
        let all = self.before.iter().chain(core::iter::once(&kind)).chain(self.fields);
        for FieldLayout { name, size, .. } in all {
            let name = match *name {
                "" if self.flags == 0 => format!("{:#04x}", self.kind),
                "" => format!("{:#04x} or {:#04x}", self.kind, self.kind | self.flags),
                name => name.into(),
            };
            match size {
                Size::Fixed(bytes) => push(name, Some(*bytes), &format!("{bytes}"), false),
                Size::Varint => push(name, None, "1-8", false),
                Size::Prefixed => {
                    push("length".into(), None, "1-8", false);
                    push(name, None, "length", false);
                }
                Size::PrefixedByte => {
                    push("length".into(), Some(1), "1", false);
                    push(name, None, "length", false);
                }
                Size::Pairs => push(name, None, "1-8 each", false),
                Size::Rest => push(name, None, "to the end", true),
            }
        }
        cells
    }

    fn row(f: &mut fmt::Formatter<'_>, cells: &[Cell], last: bool) -> fmt::Result {
        let mut line = |start: &str, join: &str, end: &str, text: &dyn Fn(&Cell) -> String| {
            let parts: Vec<String> = cells.iter().map(text).collect();
            writeln!(f, "{}", format!("{start}{}{end}", parts.join(join)).trim_end())
        };
        let open = cells.last().is_some_and(|cell| cell.open);
        let end = |closed: &'static str| if open || !last { "╌" } else { closed };
        let rule = |cell: &Cell| "─".repeat(cell.width());
        let pad = |text: &str, cell: &Cell| {
            format!(" {text}{}", " ".repeat(cell.width() - 1 - text.chars().count()))
        };
        if cells.iter().any(|cell| !cell.offset.is_empty()) {
            line("", " ", "", &|cell| format!("{:<1$}", cell.offset, cell.width()))?;
        }
        line("┌", "┬", end("┐"), &rule)?;
        line("│", "│", if open || !last { "" } else { "│" }, &|cell| pad(&cell.label, cell))?;
        line("└", "┴", end("┘"), &rule)?;
        line(" ", " ", "", &|cell| pad(&cell.size, cell))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x} {}: {}", self.kind, self.name, self.about)?;
        if self.flags != 0 {
            write!(f, " ({:#04x}: its end)", self.kind | self.flags)?;
        }
        writeln!(f)?;
        let cells = self.cells();
        let mut rest = &cells[..];
        while !rest.is_empty() {
            let mut width = 1;
            let fits = |cell: &&Cell| {
                width += cell.width() + 1;
                width <= COLUMNS
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (row, after) = rest.split_at(count);
            Self::row(f, row, after.is_empty())?;
            rest = after;
        }
        Ok(())
    }
}
