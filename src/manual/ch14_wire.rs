//! The transport on the wire
//!
//! This chapter is the wire format of the production transport, version 1. The
//! diagrams are drawn from the tables that `rdtp dump` reads bytes by, the
//! dumps are the bytes that the tests hold the code to, and the constants are
//! quoted from the source; so what you read is what is sent.
//!
//! # A datagram
//!
//! A datagram is one packet. Every packet begins alike: four bytes of checksum,
//! one byte that says what it is, and eight that say for whom. The checksum is
//! CRC-32C (Castagnoli) and covers **all bytes after itself**, the connection
//! ID included: a packet that was damaged, or that strayed into another
//! connection, is not taken. It stops noise. It does not stop people: whoever
//! can read a packet can forge the next one, as with TCP.
//!
//! After the handshake, all is data packets:
//!
//! <!-- run: rdtp dump --layout data -->
//! ```text
//! $ rdtp dump --layout data
//! 0x20 data: everything after the handshake
//! 0          4      5               13                 17
//! ┌──────────┬──────┬───────────────┬──────────────────┬────────────╌
//! │ checksum │ 0x20 │ connection ID │ number, low bits │ frames
//! └──────────┴──────┴───────────────┴──────────────────┴────────────╌
//!   4          1      8               4                  to the end
//! ```
//!
//! Numbers above a box are offsets in bytes, those below are sizes. *1-8* is a
//! variable-length integer, *length* as many bytes as the field before it says,
//! *to the end* the rest of the datagram. Here is one, byte by byte:
//!
//! <!-- run: rdtp dump --example data -->
//! ```text
//! $ rdtp dump --example data
//! data [stream 2: "hi" FIN], 22 bytes
//!     0  2f 98 d9 f2              checksum          right
//!     4  20                       kind              data
//!     5  21 22 23 24 25 26 27 28  connection ID
//!    13  00 00 00 09              number, low bits  9
//!    17  11                       frame             stream FIN
//!    18  02                         stream          2
//!    19  05                         offset          5
//!    20  68 69                      data            "hi"
//! ```
//!
//! # Numbers
//!
//! Numbers of fixed size have their most significant byte first. The others are
//! the **variable-length integers** of RFC 9000 section 16: the two highest
//! bits of the first byte say whether it has 1, 2, 4 or 8 bytes, the rest is
//! the value.
//!
//! <!-- code: src/wire/varint.rs | pub(crate) const fn len | {} -->
//! ```text
//! pub(crate) const fn len(value: u64) -> usize {
//!     match value {
//!         0..=0x3f => 1,
//!         0x40..=0x3fff => 2,
//!         0x4000..=0x3fff_ffff => 4,
//!         _ => 8,
//!     }
//! }
//! ```
//!
//! Only the shortest form is taken; the RFC takes any. So a packet has exactly
//! one encoding, which is what the fuzzer checks.
//!
//! **Packet numbers** count up from a random start and are never used twice:
//! what was lost is sent again under a new number, so an acknowledgement says
//! which copy arrived. Handshake packets carry all 62 bits, data packets the
//! low 32. The receiver adds the high bits that bring it nearest to the number
//! which it expects next, and is right as long as fewer than 2^31 packets are
//! on their way:
//!
//! <!-- code: src/wire/transport/packet.rs | pub const fn expand_number | {} -->
//! ```text
//! pub const fn expand_number(low: u32, expected: u64) -> u64 {
//!     const WINDOW: u64 = 1 << 32;
//!     let candidate = expected & !(WINDOW - 1) | low as u64;
//!     if candidate + WINDOW / 2 <= expected {
//!         candidate + WINDOW
//!     } else if candidate > expected + WINDOW / 2 && candidate >= WINDOW {
//!         candidate - WINDOW
//!     } else {
//!         candidate
//!     }
//! }
//! ```
//!
//! # The handshake
//!
//! The opener makes up a connection ID to write to, and says what it wants to
//! be called itself. The acceptor answers with a name of its own choice. From
//! then on each side is addressed by the ID that it chose, at random, so that
//! somebody who has not seen a packet cannot guess it.
//!
//! <!-- run: rdtp dump --layout open -->
//! ```text
//! $ rdtp dump --layout open
//! 0x10 open: asks for a connection
//! 0          4      5               13        17         21
//! ┌──────────┬──────┬───────────────┬─────────┬──────────┬───────────╌
//! │ checksum │ 0x10 │ connection ID │ version │ features │ source ID
//! └──────────┴──────┴───────────────┴─────────┴──────────┴───────────╌
//!   4          1      8               4         4          8
//! 29       37            53       54
//! ┌────────┬─────────────┬────────┬────────┬────────┬────────────╌
//! │ number │ reset token │ length │ cookie │ length │ parameters
//! └────────┴─────────────┴────────┴────────┴────────┴────────────╌
//!   8        16            1        length   1-8      length
//! ┌────────────╌
//! │ frames
//! └────────────╌
//!   to the end
//! ```
//! <!-- run: rdtp dump --layout accept -->
//! ```text
//! $ rdtp dump --layout accept
//! 0x11 accept: agrees to a connection
//! 0          4      5               13        17         21
//! ┌──────────┬──────┬───────────────┬─────────┬──────────┬─────────────────╌
//! │ checksum │ 0x11 │ connection ID │ version │ features │ offered version
//! └──────────┴──────┴───────────────┴─────────┴──────────┴─────────────────╌
//!   4          1      8               4         4          4
//! 25                 29          37       45            61
//! ┌──────────────────┬───────────┬────────┬─────────────┬────────╌
//! │ offered features │ source ID │ number │ reset token │ length
//! └──────────────────┴───────────┴────────┴─────────────┴────────╌
//!   4                  8           8        16            1-8
//! ┌────────────┬────────────╌
//! │ parameters │ frames
//! └────────────┴────────────╌
//!   length       to the end
//! ```
//!
//! Both carry frames already: a question may come with the open packet, its
//! answer with the accept packet.
//!
//! <!-- run: rdtp dump --example open -->
//! ```text
//! $ rdtp dump --example open
//! open with a cookie [ping], 84 bytes
//!     0  0c e3 db 81              checksum           right
//!     4  10                       kind               open
//!     5  01 02 03 04 05 06 07 08  connection ID
//!    13  72 64 74 01              version            rdt 1
//!    17  00 00 00 00              features           none
//!    21  11 12 13 14 15 16 17 18  source ID
//!    29  00 00 00 00 00 00 2a 2b  number             10795
//!    37  77 77 77 77 77 77 77 77  reset token
//!    45  77 77 77 77 77 77 77 77
//!    53  02                       length             2
//!    54  63 6b                    cookie             "ck"
//!    56  1a                       length             26
//!    57  01 80 00 75 30             idle timeout     30000 ms
//!    62  02 80 10 00 00             max data         1048576 bytes
//!    67  03 80 04 00 00             max stream data  262144 bytes
//!    72  04 40 64                   max streams      100 streams
//!    75  05 80 00 61 a8             max ACK delay    25000 us
//!    80  06 45 c0                   max packet       1472 bytes
//!    83  01                       frame              ping
//! ```
//!
//! **Parameters** are pairs of a name and a value, names ascending, and what is
//! zero is not named. Unknown names are skipped, so later versions may add
//! some.
//!
//! **Versions and features.** A version is four bytes, of which ours are "rdt"
//! and 1. An acceptor that does not speak the opener's version says which ones
//! it speaks. Features are 32 bits, none of them defined yet; the acceptor
//! agrees to those that it knows. Nobody may talk two sides down on the way:
//! the accept packet repeats the version and the features **as they arrived**,
//! and the opener compares them with what it sent. It also refuses versions
//! that it did not ask for, features that it did not offer, and a list of
//! versions that has its own. A later version with encryption can so be told
//! from this one, and never silently become it. Here somebody on the way writes
//! another version into the open packet:
//!
//! <!-- run: rdtp dump --exchange versions -->
//! ```text
//! $ rdtp dump --exchange versions
//!    time  way  bytes  packet [frames]
//!    0 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   10 ms  <--     25  versions
//!   15 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   20 ms  opener refuses it: versions with ours among them
//!   25 ms  <--     25  versions
//!   30 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   35 ms  opener refuses it: versions with ours among them
//!   40 ms  <--     25  versions
//!   50 ms  opener refuses it: versions with ours among them
//! ```
//!
//! And this is an accept packet as it should be:
//!
//! <!-- run: rdtp dump --example accept -->
//! ```text
//! $ rdtp dump --example accept
//! accept, 88 bytes
//!     0  b4 60 22 08              checksum           right
//!     4  11                       kind               accept
//!     5  11 12 13 14 15 16 17 18  connection ID
//!    13  72 64 74 01              version            rdt 1
//!    17  00 00 00 00              features           none
//!    21  72 64 74 01              offered version    rdt 1
//!    25  00 00 00 00              offered features   none
//!    29  21 22 23 24 25 26 27 28  source ID
//!    37  00 00 00 00 00 00 3a 3b  number             14907
//!    45  88 88 88 88 88 88 88 88  reset token
//!    53  88 88 88 88 88 88 88 88
//!    61  1a                       length             26
//!    62  01 80 00 75 30             idle timeout     30000 ms
//!    67  02 80 10 00 00             max data         1048576 bytes
//!    72  03 80 04 00 00             max stream data  262144 bytes
//!    77  04 40 64                   max streams      100 streams
//!    80  05 80 00 61 a8             max ACK delay    25000 us
//!    85  06 45 c0                   max packet       1472 bytes
//! ```
//!
//! # Limits
//!
//! <!-- code: src/wire/transport/packet.rs | /// The version of the protocol | const CRC: -->
//! ```text
//! /// The version of the protocol that this crate speaks: "rdt", 1.
//! pub const VERSION: u32 = u32::from_be_bytes(*b"rdt\x01");
//! /// The longest cookie.
//! pub const COOKIE_BYTES_MAX: usize = 64;
//! /// Bytes before the frames of a data packet.
//! pub const DATA_HEADER_BYTES: usize = HEAD + 4;
//! /// Bytes before the frames of an open packet, at most.
//! pub const OPEN_HEADER_MAX: usize = HEAD + 24 + 16 + 1 + COOKIE_BYTES_MAX + Params::ENCODED_MAX;
//! /// Bytes before the frames of an accept packet, at most.
//! pub const ACCEPT_HEADER_MAX: usize = HEAD + 32 + 16 + Params::ENCODED_MAX;
//! /// Bytes of a challenge, at most.
//! pub const CHALLENGE_BYTES_MAX: usize = HEAD + 8 + COOKIE_BYTES_MAX;
//!
//! /// Checksum, kind and connection ID.
//! const HEAD: usize = 4 + 1 + 8;
//! /// Bytes of the checksum field at the front, and the place of the kind.
//! pub(super) const CRC: usize = 4;
//! ```
//! <!-- code: src/wire/transport/params.rs | /// Bytes of UDP payload that every path | const ACK_DELAY_MAX -->
//! ```text
//! /// Bytes of UDP payload that every path is taken to bear (RFC 9000 section 14).
//! pub const MIN_PACKET_BYTES: usize = 1200;
//! /// The longest delay of acknowledgements that is believed (RFC 9000 section 18.2).
//! pub const ACK_DELAY_MAX: Duration = Duration::from_millis((1 << 14) - 1);
//! ```
//!
//! Handshake packets that want an answer are padded to `MIN_PACKET_BYTES`: a
//! path that is too narrow shows at once, and who asks pays for the answer.
//! Until an opener has shown that it receives what is sent to its address, it
//! is sent no more than so many times the bytes that came from there:
//!
//! <!-- code: src/transport/validation.rs | RFC 9000 section 8 | FACTOR -->
//! ```text
//! /// Bytes that may be sent for each byte received (RFC 9000 section 8.1).
//! const FACTOR: u64 = 3;
//! ```
//!
//! # Cookies
//!
//! An acceptor under load, or always if it is so configured, keeps nothing of
//! an opener that may not exist. It answers with a challenge; the opener comes
//! back with the cookie, in an open packet with a new number.
//!
//! It does the same when all its places are taken and somebody idle would have to
//! go for the opener: nobody goes for an address that may be forged.
//!
//! <!-- run: rdtp dump --layout challenge -->
//! ```text
//! $ rdtp dump --layout challenge
//! 0x12 challenge: asks the opener to come back with a cookie
//! 0          4      5               13       21
//! ┌──────────┬──────┬───────────────┬────────┬────────────╌
//! │ checksum │ 0x12 │ connection ID │ number │ cookie
//! └──────────┴──────┴───────────────┴────────┴────────────╌
//!   4          1      8               8        to the end
//! ```
//! <!-- run: rdtp dump --exchange cookie -->
//! ```text
//! $ rdtp dump --exchange cookie
//!    time  way  bytes  packet [frames]
//!    0 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   10 ms  <--     41  challenge with a cookie
//!   15 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   20 ms  -->   1200  open with a cookie [stream 0: "hello" FIN; padding]
//!   25 ms  <--     41  challenge with a cookie
//!   30 ms  <--   1200  accept [ACK 460662074; ping; padding]
//!   35 ms  opener refuses it: a challenge to what was sent before the cookie
//!   35 ms  -->   1200  open with a cookie [stream 0: "hello" FIN; padding]
//!   40 ms  -->     34  data [ACK 1068681702; ping; padding]
//!   45 ms  <--   1200  accept [ACK 460662075; ping; padding]
//!   50 ms  <--     72  data [ACK 460662076; ticket; stream 0: "world" FIN]
//!   55 ms  -->     34  data [ACK 1068681703; ping; padding]
//!   65 ms  <--     34  data [ACK 460662077; stream 0: "world" FIN]
//!   75 ms  -->     25  data [ACK 1068681705]
//!   80 ms  <--     34  data [stream 0: "world" FIN; padding]
//!   85 ms  <--     34  data [max streams; padding]
//!   95 ms  -->     25  data [ACK 1068681707]
//! ```
//!
//! To everybody but the acceptor a cookie is bytes. This crate's acceptor
//! writes the time into it and a keyed hash of time, address and opener, and
//! needs no memory to know it again. It is good for one to two of these:
//!
//! <!-- code: src/transport/cookie.rs | const BUCKET | const COOKIE_BYTES -->
//! ```text
//! const BUCKET: Duration = Duration::from_secs(10);
//! /// Four bytes of time, sixteen of proof.
//! pub(super) const COOKIE_BYTES: usize = 20;
//! ```
//!
//! # Stateless reset
//!
//! A host that has lost its memory does not know the connections that it had.
//! It can still prove that it had them: the reset token, told in the handshake,
//! is a keyed hash of the connection ID, and who has the key can make it again.
//!
//! <!-- run: rdtp dump --layout reset -->
//! ```text
//! $ rdtp dump --layout reset
//! 0x14 reset: the connection is not known here any more
//! 0          4      5               13
//! ┌──────────┬──────┬───────────────┬─────────────┐
//! │ checksum │ 0x14 │ connection ID │ reset token │
//! └──────────┴──────┴───────────────┴─────────────┘
//!   4          1      8               16
//! ```
//! <!-- run: rdtp dump --exchange reset -->
//! ```text
//! $ rdtp dump --exchange reset
//!    time  way  bytes  packet [frames]
//!    0 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   10 ms  <--   1200  accept [ACK 460662072; ping; padding]
//!   15 ms  -->   1200  open [stream 0: "hello" FIN; padding]
//!   20 ms  -->     34  data [ACK 1068681702; ping; padding]
//!   25 ms  <--   1200  accept [ACK 460662073; ping; padding]
//!   30 ms  <--     72  data [ACK 460662074; ticket; stream 0: "world" FIN]
//!   35 ms  -->     34  data [ACK 1068681703; ping; padding]
//!   45 ms  <--     34  data [ACK 460662075; stream 0: "world" FIN]
//!   55 ms  -->     25  data [ACK 1068681705]
//!   60 ms  <--     34  data [stream 0: "world" FIN; padding]
//!   65 ms  <--     34  data [max streams; padding]
//!   75 ms  -->     25  data [ACK 1068681707]
//!          the acceptor starts again, with the same key
//! 1000 ms  -->     35  data [stream 2: "are you there?"]
//! 1010 ms  <--     29  reset
//! 1020 ms  opener is told: the peer has forgotten the connection: perhaps restarted
//! ```
//!
//! The ID in a reset is the one that the packet was sent to, so the opener
//! finds the connection by the address and by what it calls the peer, and
//! compares the token. A reset is shorter than every packet that it answers, or
//! two hosts without memory would talk for ever.
//!
//! # Frames
//!
//! <!-- run: rdtp dump --layout frames -->
//! ```text
//! $ rdtp dump --layout frames
//! 0x00 padding: nothing, to fill a packet up
//! 0
//! ┌──────┐
//! │ 0x00 │
//! └──────┘
//!   1
//!
//! 0x01 ping: nothing but the wish to be acknowledged
//! 0
//! ┌──────┐
//! │ 0x01 │
//! └──────┘
//!   1
//!
//! 0x02 ACK: which packets arrived, highest first
//! 0      1
//! ┌──────┬───────────┬────────────────┬─────────────┬───────────────╌
//! │ 0x02 │ delay, us │ largest number │ more ranges │ first run - 1
//! └──────┴───────────┴────────────────┴─────────────┴───────────────╌
//!   1      1-8         1-8              1-8           1-8
//! ┌──────────────────┐
//! │ gap - 1, run - 1 │
//! └──────────────────┘
//!   1-8 each
//!
//! 0x03 ACK with ECN: the same, and how many arrived with which mark
//! 0      1
//! ┌──────┬───────────┬────────────────┬─────────────┬───────────────╌
//! │ 0x03 │ delay, us │ largest number │ more ranges │ first run - 1
//! └──────┴───────────┴────────────────┴─────────────┴───────────────╌
//!   1      1-8         1-8              1-8           1-8
//! ┌──────────────────┬────────┬────────┬─────┐
//! │ gap - 1, run - 1 │ ECT(0) │ ECT(1) │ CE  │
//! └──────────────────┴────────┴────────┴─────┘
//!   1-8 each           1-8      1-8      1-8
//!
//! 0x04 reset stream: the sender sends no more of a stream
//! 0      1
//! ┌──────┬────────┬──────┬────────────┐
//! │ 0x04 │ stream │ code │ final size │
//! └──────┴────────┴──────┴────────────┘
//!   1      1-8      1-8    1-8
//!
//! 0x05 stop sending: the receiver does not want the rest
//! 0      1
//! ┌──────┬────────┬──────┐
//! │ 0x05 │ stream │ code │
//! └──────┴────────┴──────┘
//!   1      1-8      1-8
//!
//! 0x06 max data: how much may be sent on all streams together
//! 0      1
//! ┌──────┬───────┐
//! │ 0x06 │ bytes │
//! └──────┴───────┘
//!   1      1-8
//!
//! 0x07 max stream data: how much may be sent on one stream
//! 0      1
//! ┌──────┬────────┬───────┐
//! │ 0x07 │ stream │ bytes │
//! └──────┴────────┴───────┘
//!   1      1-8      1-8
//!
//! 0x08 max streams: how many may be opened
//! 0      1
//! ┌──────┬─────────┐
//! │ 0x08 │ streams │
//! └──────┴─────────┘
//!   1      1-8
//!
//! 0x09 data blocked: there would be more, but for the limit of all streams
//! 0      1
//! ┌──────┬───────┐
//! │ 0x09 │ limit │
//! └──────┴───────┘
//!   1      1-8
//!
//! 0x0a stream data blocked: there would be more, but for its limit
//! 0      1
//! ┌──────┬────────┬───────┐
//! │ 0x0a │ stream │ limit │
//! └──────┴────────┴───────┘
//!   1      1-8      1-8
//!
//! 0x0b ACK frequency: how many packets, and how long, an ACK may wait
//! 0      1
//! ┌──────┬──────────┬─────────┬───────────┐
//! │ 0x0b │ sequence │ packets │ delay, us │
//! └──────┴──────────┴─────────┴───────────┘
//!   1      1-8        1-8       1-8
//!
//! 0x0c immediate ACK: acknowledge this packet at once
//! 0
//! ┌──────┐
//! │ 0x0c │
//! └──────┘
//!   1
//!
//! 0x0d close: the end of the connection, and why
//! 0      1
//! ┌──────┬──────┬────────┬────────┐
//! │ 0x0d │ code │ length │ reason │
//! └──────┴──────┴────────┴────────┘
//!   1      1-8    1-8      length
//!
//! 0x0e datagram: a message that is sent once
//! 0      1
//! ┌──────┬────────┬─────────┐
//! │ 0x0e │ length │ message │
//! └──────┴────────┴─────────┘
//!   1      1-8      length
//!
//! 0x0f ticket: a cookie for a later connection
//! 0      1
//! ┌──────┬────────┬───────────┐
//! │ 0x0f │ length │ for later │
//! └──────┴────────┴───────────┘
//!   1      1-8      length
//!
//! 0x10 stream: bytes, to the end of the packet (0x11: its end)
//! 0              1
//! ┌──────────────┬────────┬────────┬────────────╌
//! │ 0x10 or 0x11 │ stream │ offset │ data
//! └──────────────┴────────┴────────┴────────────╌
//!   1              1-8      1-8      to the end
//!
//! 0x12 stream with length: bytes, and frames may follow (0x13: its end)
//! 0              1
//! ┌──────────────┬────────┬────────┬────────┬────────┐
//! │ 0x12 or 0x13 │ stream │ offset │ length │ data   │
//! └──────────────┴────────┴────────┴────────┴────────┘
//!   1              1-8      1-8      1-8      length
//!
//! 0x18 repair: the sum of earlier packets, for one of them that is lost
//! 0      1
//! ┌──────┬────────┬──────┬────────┬────────┬────────┐
//! │ 0x18 │ behind │ span │ stride │ length │ sum    │
//! └──────┴────────┴──────┴────────┴────────┴────────┘
//!   1      1-8      1-8    1-8      1-8      length
//!
//! 0x1a path challenge: whoever receives this is to say its bytes back
//! 0      1
//! ┌──────┬─────────────────┐
//! │ 0x1a │ bytes by chance │
//! └──────┴─────────────────┘
//!   1      8
//!
//! 0x1b path response: the bytes of a challenge
//! 0      1
//! ┌──────┬─────────────────┐
//! │ 0x1b │ bytes by chance │
//! └──────┴─────────────────┘
//!   1      8
//! ```
//!
//! The low bit of a stream number tells who opened it: 0 the opener of the
//! connection, 1 its acceptor. The code of a close frame is one of these
//! numbers, or one of the application's with bit 61 set:
//!
//! <!-- code: src/wire/transport/frame.rs | Self::Protocol => 1 | Self::Internal => -->
//! ```text
//! Self::Protocol => 1,
//! Self::FlowControl => 2,
//! Self::Refused => 3,
//! Self::Internal => 4,
//! ```
//!
//! All frames but padding, ACKs and close want to be acknowledged. Several at
//! once:
//!
//! <!-- run: rdtp dump --example frames -->
//! ```text
//! $ rdtp dump --example frames
//! data [ACK with ECN 20; max data; reset stream 3; datagram; stream 2: "ab" FIN; padding], 53 bytes
//!     0  20 4a 26 5a              checksum            right
//!     4  20                       kind                data
//!     5  21 22 23 24 25 26 27 28  connection ID
//!    13  00 00 00 09              number, low bits    9
//!    17  03                       frame               ACK with ECN
//!    18  41 2c                      delay, us         300
//!    20  14                         largest number    20
//!    21  02                         more ranges       2
//!    22  0a                         first run - 1     10
//!    23  02 00                      gap - 1, run - 1  2, 0
//!    25  01 01                      gap - 1, run - 1  1, 1
//!    27  40 46                      ECT(0)            70
//!    29  00                         ECT(1)            0
//!    30  01                         CE                1
//!    31  06                       frame               max data
//!    32  40 40                      bytes             64
//!    34  04                       frame               reset stream
//!    35  03                         stream            3
//!    36  04                         code              4
//!    37  05                         final size        5
//!    38  0e                       frame               datagram
//!    39  01                         length            1
//!    40  78                         message           "x"
//!    41  13                       frame               stream with length FIN
//!    42  02                         stream            2
//!    43  80 00 40 00                offset            16384
//!    47  02                         length            2
//!    48  61 62                      data              "ab"
//!    50  00 00 00                 padding             3 bytes
//! ```
//!
//! An ACK names the highest packet, how many before it arrived too, and then
//! gaps and runs downwards. Each gap and each run has at least one packet, so
//! both are written less one. Read the one above: packets 20 to 10, 6, and 3 to
//! 2.
//!
//! # Exercise
//!
//! You are on the path between two hosts and may change packets, and you know
//! how to compute a checksum. Make them believe in features that the other side
//! does not have. Which packets must you change, and what does that tell about
//! the sentence "never silently downgraded"?
//!
//! <details><summary>Answer</summary>
//!
//! Two: the offer in the open packet, and the echo in the accept packet, so
//! that the opener finds there what it sent. Changing one alone ends the
//! connection. So the echo protects from damage, from old middle boxes and from
//! strangers who cannot read; it does not protect from somebody who can change
//! every packet. That takes a key: a later version has to bind the greeting to
//! it, and this version's job is only that the two cannot be mistaken for each
//! other.
//! </details>
//!
//! # Try it
//!
//! ```text
//! rdtp dump --example close
//! rdtp dump --example data --json
//! rdtp dump --layout packets
//! ```
