//! What a chat program and its server say to each other, as bytes.
//!
//! A frame is a byte that says what it is, and fields: numbers are big-endian, a text or other bytes
//! come with their length before them. On a carrier of datagrams each frame is a datagram; on one
//! of bytes in order each has its length before it, in four bytes ([`Frames`] cuts them apart).
//!
//! | Byte | Frame | Fields | Who says it |
//! | --- | --- | --- | --- |
//! | 1 | [`Hello`](Frame::Hello) | version 1, secret 16, cookie 8, epoch 8, name | client |
//! | 2 | `Rename` | name | client |
//! | 3 | `Say` | number 8, kind 1, target, text | client |
//! | 4 | `List` | what 1, room | client |
//! | 5 | `Enter` | 1 to make it new, room | client |
//! | 6 | `Leave` | room | client |
//! | 7 | `Kick` | room, name or nothing | client |
//! | 8 | `Got` | count 8 | client |
//! | 9 | `Quit` | secret 16 | client |
//! | 16 | `Ping` | token 8 | both |
//! | 17 | `Pong` | token 8, 1 if the asker is known | both |
//! | 24 | `Offer` | transfer 4, name, file name, size 8 | both |
//! | 25 | `Answer` | transfer 4, 1 if wanted | both |
//! | 26 | `Credit` | transfer 4, bytes in all 8 | both |
//! | 27 | `File` | transfer 4, message of [`file`](crate::app::file) | both |
//! | 28 | `FileEnd` | transfer 4, reason 1 | both |
//! | 32 | `Challenge` | cookie 8 | server |
//! | 33 | `Welcome` | version 1, epoch 8, origin 8, accepted 8, rate 4, burst 4, name | server |
//! | 34 | `Refused` | number 8, reason 1, detail | server |
//! | 35 | `Said` | origin 8, number 8, kind 1, place, from, text | server |
//! | 36 | `Delivered` | number 8, recipients 4 | server |
//! | 37 | `Listed` | what 1, room, names, left out 4 | server |
//! | 38 | `Entered` | room, name | server |
//! | 39 | `Left` | room, name, why 1 | server |
//! | 40 | `Renamed` | old name, new name | server |
//! | 41 | `Bye` | why 1 | server |

mod codec;
mod cut;

use alloc::vec::Vec;

use codec::{Reader, Writer};
pub use cut::Frames;

/// The version of this format.
pub const VERSION: u8 = 1;
/// The longest message, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The longest frame: the longest message and everything that goes with it.
pub const FRAME_BYTES_MAX: usize = TEXT_BYTES_MAX + 1024;
/// Bytes before a frame on a carrier of bytes.
pub const PREFIX_BYTES: usize = 4;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something said.
    Text,
    /// Something done, told by its doer (`/me`).
    Action,
    /// Somebody is asked to look up (`/poke`).
    Poke,
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Everybody on the server.
    Everyone,
    /// Everybody in a room.
    Room(&'a str),
    /// One user. In a message that arrives: the reader.
    User(&'a str),
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing<'a> {
    /// Everybody on the server.
    Users,
    /// The rooms, each as `name=members`.
    Rooms,
    /// Everybody in a room.
    Members(&'a str),
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Somebody has this nickname, or one that looks like it.
    NickTaken,
    /// No name for a user or a room.
    BadName,
    /// Nobody of this name is here.
    NoSuchUser,
    /// There is no such room.
    NoSuchRoom,
    /// Only members of the room may do so.
    NotMember,
    /// The room is there already.
    RoomExists,
    /// There are as many rooms as there may be, or the asker is in as many.
    TooManyRooms,
    /// Only who made the room may do so.
    NotCreator,
    /// Too much in too short a time; the detail is how many milliseconds to wait.
    TooFast,
    /// Who it was for has gone before it arrived.
    Gone,
    /// As many files are on their way as there may be.
    TooManyFiles,
    /// The file's name is not allowed.
    FileName,
    /// A reason that this version does not know.
    Other(u8),
}

/// Why somebody is no longer in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Went out.
    Left,
    /// Was put out by who made the room.
    Kicked,
    /// Has left the server.
    Quit,
    /// Was not heard any more.
    Lost,
}

/// Why a transfer ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEnd {
    /// The other side is no longer there.
    Gone,
    /// One of the two stopped it.
    Cancelled,
    /// More was sent than was asked for.
    Excess,
}

/// Why the server ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bye {
    /// As the client asked.
    Quit,
    /// The server stops.
    Stopping,
    /// The client does not read what is sent to it.
    Slow,
    /// The client sends more than is allowed.
    Flooding,
    /// Nothing was heard of the client.
    Silent,
    /// The same user has connected again.
    Replaced,
    /// What the client sent makes no sense.
    Malformed,
    /// The server does not know this client: it should say hello.
    Unknown,
    /// As many users are here as there may be.
    Full,
    /// The server speaks another version.
    Version,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// The first frame of a client, and the first after a connection was lost.
    Hello {
        /// The version that the client speaks.
        version: u8,
        /// What the client is known by to the server and to nobody else. Drawn once.
        secret: [u8; 16],
        /// What the server sent in its challenge; zeros at first.
        cookie: [u8; 8],
        /// The server's epoch when it was last heard, or 0: more than 0 asks for what was missed.
        epoch: u64,
        /// The nickname it wants.
        nick: &'a str,
    },
    /// The client wants another nickname.
    Rename(&'a str),
    /// A message.
    Say {
        /// Counts the client's messages from 1.
        number: u64,
        /// What it is.
        kind: Kind,
        /// Whom it is for.
        target: Target<'a>,
        /// Its text.
        text: &'a str,
    },
    /// The client wants a list.
    List(Listing<'a>),
    /// The client wants into a room, which is made if it is not there.
    Enter {
        /// Whether it must be a new one.
        create: bool,
        /// Which.
        room: &'a str,
    },
    /// The client leaves a room.
    Leave(&'a str),
    /// Who made a room puts somebody out, or with an empty name everybody else.
    Kick {
        /// Which room.
        room: &'a str,
        /// Whom.
        nick: &'a str,
    },
    /// So many messages have arrived since this connection began.
    Got(u64),
    /// The client goes. It says its secret again, so that nobody else can say it from its address.
    Quit([u8; 16]),
    /// Are you there?
    Ping(u64),
    /// Here I am.
    Pong {
        /// The token of the ping.
        token: u64,
        /// Whether the asker is a registered user.
        known: bool,
    },
    /// A file is offered: to the named user, or to the client by the named user.
    Offer {
        /// What the sender of this frame calls the transfer.
        transfer: u32,
        /// The other user.
        nick: &'a str,
        /// The file's name.
        name: &'a str,
        /// Its size in bytes.
        size: u64,
    },
    /// Whether an offered file is wanted.
    Answer {
        /// Which transfer.
        transfer: u32,
        /// Whether it is.
        wanted: bool,
    },
    /// So many bytes of messages may be sent, counted from the beginning.
    Credit {
        /// Which transfer.
        transfer: u32,
        /// How many in all.
        bytes: u64,
    },
    /// A message of the transfer.
    File {
        /// Which transfer.
        transfer: u32,
        /// The message.
        message: &'a [u8],
    },
    /// The transfer is over before its end.
    FileEnd {
        /// Which transfer.
        transfer: u32,
        /// Why.
        why: FileEnd,
    },
    /// Say hello again with this cookie, to show that you receive what is sent to your address.
    Challenge([u8; 8]),
    /// The client is registered.
    Welcome {
        /// The version that the server speaks.
        version: u8,
        /// Another number each time that the server starts; never 0.
        epoch: u64,
        /// What the client's messages are known by.
        origin: u64,
        /// The last message of the client that this server has taken.
        accepted: u64,
        /// Messages a second that the server takes.
        rate: u32,
        /// Messages that it takes at once.
        burst: u32,
        /// The nickname.
        nick: &'a str,
    },
    /// Something was not done.
    Refused {
        /// The number of the message, or 0 for anything else.
        number: u64,
        /// Why.
        reason: Reason,
        /// What it was about.
        detail: &'a str,
    },
    /// A message arrives.
    Said {
        /// Who sent it, as a number that stays the same.
        origin: u64,
        /// Its number at its sender; together they name it.
        number: u64,
        /// What it is.
        kind: Kind,
        /// Where it was said.
        target: Target<'a>,
        /// Who said it.
        from: &'a str,
        /// Its text.
        text: &'a str,
    },
    /// A message has arrived everywhere.
    Delivered {
        /// Its number.
        number: u64,
        /// At how many users.
        to: u32,
    },
    /// A list.
    Listed {
        /// Of what.
        what: Listing<'a>,
        /// Names, with a blank between them.
        names: &'a str,
        /// How many more there are.
        more: u32,
    },
    /// Somebody, perhaps the reader, is now in a room.
    Entered {
        /// Which room.
        room: &'a str,
        /// Who.
        nick: &'a str,
    },
    /// Somebody, perhaps the reader, is no longer in a room.
    Left {
        /// Which room.
        room: &'a str,
        /// Who.
        nick: &'a str,
        /// Why.
        why: Parting,
    },
    /// Somebody, perhaps the reader, has another nickname.
    Renamed {
        /// The old one.
        old: &'a str,
        /// The new one.
        new: &'a str,
    },
    /// The last frame of a server.
    Bye(Bye),
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// It ends in the middle of a field.
    Short,
    /// There is something after the last field.
    Long,
    /// It is longer than [`FRAME_BYTES_MAX`].
    Size,
    /// No known frame, or no known value of a field.
    Unknown,
    /// A text that is no UTF-8.
    Encoding,
}

impl Frame<'_> {
    /// The frame as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(64));
        self.write(&mut out);
        out.0
    }

    fn write(&self, out: &mut Writer) {
        match *self {
            Self::Hello { version, secret, cookie, epoch, nick } => {
                out.byte(1).byte(version).raw(&secret).raw(&cookie).long(epoch).text(nick)
            }
            Self::Rename(nick) => out.byte(2).text(nick),
            Self::Say { number, kind, target, text } => {
                out.byte(3).long(number).byte(kind.code()).target(target).text(text)
            }
            Self::List(what) => out.byte(4).listing(what),
            Self::Enter { create, room } => out.byte(5).byte(create.into()).text(room),
            Self::Leave(room) => out.byte(6).text(room),
            Self::Kick { room, nick } => out.byte(7).text(room).text(nick),
            Self::Got(count) => out.byte(8).long(count),
            Self::Quit(secret) => out.byte(9).raw(&secret),
            Self::Ping(token) => out.byte(16).long(token),
            Self::Pong { token, known } => out.byte(17).long(token).byte(known.into()),
            Self::Offer { transfer, nick, name, size } => {
                out.byte(24).int(transfer).text(nick).text(name).long(size)
            }
            Self::Answer { transfer, wanted } => out.byte(25).int(transfer).byte(wanted.into()),
            Self::Credit { transfer, bytes } => out.byte(26).int(transfer).long(bytes),
            Self::File { transfer, message } => out.byte(27).int(transfer).bytes(message),
            Self::FileEnd { transfer, why } => out.byte(28).int(transfer).byte(why.code()),
            Self::Challenge(cookie) => out.byte(32).raw(&cookie),
            Self::Welcome { version, epoch, origin, accepted, rate, burst, nick } => {
                let out = out.byte(33).byte(version).long(epoch).long(origin).long(accepted);
                out.int(rate).int(burst).text(nick)
            }
            Self::Refused { number, reason, detail } => {
                out.byte(34).long(number).byte(reason.code()).text(detail)
            }
            Self::Said { origin, number, kind, target, from, text } => {
                let out = out.byte(35).long(origin).long(number).byte(kind.code());
                out.target(target).text(from).text(text)
            }
            Self::Delivered { number, to } => out.byte(36).long(number).int(to),
            Self::Listed { what, names, more } => out.byte(37).listing(what).text(names).int(more),
            Self::Entered { room, nick } => out.byte(38).text(room).text(nick),
            Self::Left { room, nick, why } => out.byte(39).text(room).text(nick).byte(why.code()),
            Self::Renamed { old, new } => out.byte(40).text(old).text(new),
            Self::Bye(why) => out.byte(41).byte(why.code()),
        };
    }
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` are, all of them.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(FrameError::Size);
        }
        let mut input = Reader(bytes);
        let frame = match input.byte()? {
            kind @ 1..=9 => Self::of_client(kind, &mut input)?,
            kind @ 16..=28 => Self::of_both(kind, &mut input)?,
            kind => Self::of_server(kind, &mut input)?,
        };
        if input.0.is_empty() { Ok(frame) } else { Err(FrameError::Long) }
    }

    fn of_client(kind: u8, input: &mut Reader<'a>) -> Result<Self, FrameError> {
        Ok(match kind {
            1 => Self::Hello {
                version: input.byte()?,
                secret: input.raw()?,
                cookie: input.raw()?,
                epoch: input.long()?,
                nick: input.text()?,
            },
            2 => Self::Rename(input.text()?),
            3 => Self::Say {
                number: input.long()?,
                kind: Kind::from_code(input.byte()?)?,
                target: input.target()?,
                text: input.text()?,
            },
            4 => Self::List(input.listing()?),
            5 => Self::Enter { create: input.flag()?, room: input.text()? },
            6 => Self::Leave(input.text()?),
            7 => Self::Kick { room: input.text()?, nick: input.text()? },
            8 => Self::Got(input.long()?),
            _ => Self::Quit(input.raw()?),
        })
    }

    fn of_both(kind: u8, input: &mut Reader<'a>) -> Result<Self, FrameError> {
        Ok(match kind {
            16 => Self::Ping(input.long()?),
            17 => Self::Pong { token: input.long()?, known: input.flag()? },
            24 => Self::Offer {
                transfer: input.int()?,
                nick: input.text()?,
                name: input.text()?,
                size: input.long()?,
            },
            25 => Self::Answer { transfer: input.int()?, wanted: input.flag()? },
            26 => Self::Credit { transfer: input.int()?, bytes: input.long()? },
            27 => Self::File { transfer: input.int()?, message: input.bytes()? },
            28 => Self::FileEnd { transfer: input.int()?, why: FileEnd::from_code(input.byte()?)? },
            _ => return Err(FrameError::Unknown),
        })
    }

    fn of_server(kind: u8, input: &mut Reader<'a>) -> Result<Self, FrameError> {
        Ok(match kind {
            32 => Self::Challenge(input.raw()?),
            33 => Self::Welcome {
                version: input.byte()?,
                epoch: input.long()?,
                origin: input.long()?,
                accepted: input.long()?,
                rate: input.int()?,
                burst: input.int()?,
                nick: input.text()?,
            },
            34 => Self::Refused {
                number: input.long()?,
                reason: Reason::from_code(input.byte()?),
                detail: input.text()?,
            },
            35 => Self::Said {
                origin: input.long()?,
                number: input.long()?,
                kind: Kind::from_code(input.byte()?)?,
                target: input.target()?,
                from: input.text()?,
                text: input.text()?,
            },
            36 => Self::Delivered { number: input.long()?, to: input.int()? },
            37 => Self::Listed { what: input.listing()?, names: input.text()?, more: input.int()? },
            38 => Self::Entered { room: input.text()?, nick: input.text()? },
            39 => Self::Left {
                room: input.text()?,
                nick: input.text()?,
                why: Parting::from_code(input.byte()?)?,
            },
            40 => Self::Renamed { old: input.text()?, new: input.text()? },
            41 => Self::Bye(Bye::from_code(input.byte()?)?),
            _ => return Err(FrameError::Unknown),
        })
    }
}

/// A code for each of a few values.
macro_rules! codes {
    ($type:ty, $($code:literal => $value:ident),+ $(,)?) => {
        impl $type {
            const fn code(self) -> u8 {
                match self {
                    $(Self::$value => $code,)+
                }
            }
            const fn from_code(code: u8) -> Result<Self, FrameError> {
                Ok(match code {
                    $($code => Self::$value,)+
                    _ => return Err(FrameError::Unknown),
                })
            }
        }
    };
}

codes!(Kind, 0 => Text, 1 => Action, 2 => Poke);
codes!(Parting, 0 => Left, 1 => Kicked, 2 => Quit, 3 => Lost);
codes!(FileEnd, 0 => Gone, 1 => Cancelled, 2 => Excess);
codes!(
    Bye,
    1 => Quit, 2 => Stopping, 3 => Slow, 4 => Flooding, 5 => Silent, 6 => Replaced,
    7 => Malformed, 8 => Unknown, 9 => Full, 10 => Version,
);

impl Reason {
    const ALL: [Self; 12] = [
        Self::NickTaken,
        Self::BadName,
        Self::NoSuchUser,
        Self::NoSuchRoom,
        Self::NotMember,
        Self::RoomExists,
        Self::TooManyRooms,
        Self::NotCreator,
        Self::TooFast,
        Self::Gone,
        Self::TooManyFiles,
        Self::FileName,
    ];

    fn code(self) -> u8 {
        if let Self::Other(code) = self {
            return code;
        }
        let at = Self::ALL.iter().position(|reason| *reason == self).unwrap_or_default();
        u8::try_from(at + 1).unwrap_or_default()
    }

    fn from_code(code: u8) -> Self {
        let known = usize::from(code).checked_sub(1).and_then(|at| Self::ALL.get(at));
        known.copied().unwrap_or(Self::Other(code))
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
