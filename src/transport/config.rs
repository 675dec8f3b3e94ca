//! What can be chosen about a connection.

use core::{fmt, time::Duration};

use super::{
    acks::AckPolicy, beginning::COPIES_MAX, cc::Algorithm, connection::FIRST_FLIGHT_BYTES, repair,
    stream::StreamLimits,
};
use crate::wire::transport::Params;

/// How a connection behaves, and what a peer can make it hold. Every limit that protects against a
/// peer is here.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// UDP payload of the largest packet that is sent at first, in bytes: 1200 to 65,507. Twelve
    /// hundred pass on every path. More is a guess at what the path bears: where it is wrong, packets
    /// fall back to 1200 bytes.
    pub packet_bytes: usize,
    /// UDP payload of the largest packet that is looked for, in bytes, by probes beside data that
    /// flows (RFC 8899); up to 65,507. What is not more than `packet_bytes` looks for nothing. 1472
    /// fill an Ethernet frame; choose 8972 where frames are jumbo, 65,507 on the loopback interface.
    pub packet_bytes_max: usize,
    /// Silence after which the connection is given up, the smaller of both sides'; zero for never.
    pub idle_timeout: Duration,
    /// Silence after which a packet is sent to keep the connection; zero for never. RFC 8085 section
    /// 3.5 asks for no less than 15 s.
    pub keep_alive: Duration,
    /// How long a connection is tried to be opened.
    pub open_timeout: Duration,
    /// The round trip that is guessed before one is measured (RFC 9002 section 6.2.2).
    pub rtt_initial: Duration,
    /// How often each of the first small flights of a side leaves once more, so that the loss of a
    /// packet does not cost the second that a sender waits who knows no round trip: at most 4; 0 for
    /// never. Two more survive 10 % loss each way in 998 of 1000 exchanges.
    pub first_copies: u8,
    /// The time between two of them: so far apart that one burst of losses does not take both.
    pub copy_pause: Duration,
    /// The window that sending begins with, in bytes; 0 for the one that the congestion control takes,
    /// ten packets with most (RFC 6928). Before a round trip is known, measured or remembered, ten
    /// packets leave whatever this says; the rest leaves paced over that round trip.
    pub start_window_bytes: u64,
    /// Bytes of repair packets for a hundred bytes of others, at most; 0 for none. They follow the last
    /// packets of a flight, as far as the window allows, so that a loss there costs no round trip; for
    /// bulk they are waste. With 100, small messages go out about twice.
    pub repair_percent: u32,
    /// Bytes of packets that are remembered so that one of them can be repaired, if the peer sends repair
    /// packets; 0 for none.
    pub repair_window_bytes: usize,
    /// How acknowledgements are held back and merged.
    pub acks: AckPolicy,
    /// Whether packets are marked as able to bear ECN, as long as the path does so (RFC 9000 section
    /// 13.4).
    pub ecn: bool,
    /// Which congestion control decides about the window.
    pub congestion: Algorithm,
    /// What streams may take.
    pub streams: StreamLimits,
    /// The longest datagram of the application that is accepted; zero for none.
    pub datagram_bytes_max: usize,
    /// Datagrams of the application that wait to be sent, and that wait to be taken.
    pub datagrams_max: usize,
}

impl Default for Config {
    /// Fit for the Internet: packets of 1200 bytes, and of up to 1472 where they pass, 30 s of silence, BBR, windows of 1 MiB that
    /// grow to 16 MiB (100 Mbit/s need 625 kB at a round trip of 50 ms).
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            packet_bytes: Params::MIN_PACKET_BYTES,
            packet_bytes_max: 1472,
            idle_timeout: Duration::from_secs(30),
            keep_alive: Duration::ZERO,
            open_timeout: Duration::from_secs(30),
            rtt_initial: Duration::from_millis(333),
            first_copies: 2,
            copy_pause: Duration::from_millis(15),
            start_window_bytes: 0,
            repair_percent: 0,
            repair_window_bytes: repair::WINDOW_BYTES,
            acks: AckPolicy { threshold: 2, delay_max: Duration::from_millis(25) },
            ecn: true,
            congestion: Algorithm::default(),
            streams: StreamLimits {
                peer_streams_max: 100,
                stream_window_bytes: MIB,
                stream_window_bytes_max: 16 * MIB,
                window_bytes: 2 * MIB,
                window_bytes_max: 24 * MIB,
                gaps_max: 1024,
                send_buffer_bytes: 4 * MIB,
            },
            datagram_bytes_max: 1 << 16,
            datagrams_max: 64,
        }
    }
}

/// Why a [`Config`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Packets must have 1200 to 65,507 bytes, and no more are looked for.
    PacketBytes,
    /// ACKs must not be held back for more than 16,383 ms, and a threshold is at least 1.
    Acks,
    /// Windows must hold the first flight of an opener, 14,720 bytes, and a packet; the send buffer
    /// a packet; and none more than 2^60 bytes.
    Window,
    /// The peer must be allowed one stream, since an opener may use it before it hears of limits.
    Streams,
    /// The guess at the round trip must be more than zero.
    RttInitial,
    /// At most four copies, and 1 ms to 1 s between them.
    Copies,
    /// Repair packets are at most twice the others, and a window for them has at most 1 MiB.
    Repair,
    /// The window to begin with holds two packets, and at most 1 MiB.
    StartWindow,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PacketBytes => {
                "packet_bytes must be 1200 to 65507, packet_bytes_max at most 65507"
            }
            Self::Acks => "acks: the threshold must be at least 1, the delay at most 16383 ms",
            Self::Window => {
                "windows must be at least 14720 bytes, windows and the send buffer at least \
                 packet_bytes and at most 2^60"
            }
            Self::Streams => "peer_streams_max must be 1 to 2^60",
            Self::RttInitial => "rtt_initial must be more than zero",
            Self::Copies => "first_copies must be 0 to 4, copy_pause 1 ms to 1 s",
            Self::Repair => "repair_percent must be 0 to 200, repair_window_bytes 0 to 1 MiB",
            Self::StartWindow => "start_window_bytes must be 0, or two packets to 1 MiB",
        })
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// The longest UDP payload over IPv4.
    pub const PACKET_BYTES_MAX: usize = 65_507;
    /// A window to begin with for paths of today, if it leaves paced: 128 KiB, what a page or a
    /// picture has. It has been proposed and deployed in this size (Halfback, Li et al. 2015: 141 kB
    /// in the first round trip). On a path of 1 Mbit/s it is a second of queue, so that it is for
    /// controllers that look at the rate of delivery, and for whoever knows the path.
    pub const PACED_START_BYTES: u64 = 128 << 10;
    /// The largest window to begin with.
    pub const START_WINDOW_MAX: u64 = 1 << 20;

    /// The longest packet that is ever sent, UDP payload in bytes.
    pub fn longest_packet_bytes(&self) -> usize {
        self.packet_bytes.max(self.packet_bytes_max)
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let least = self.packet_bytes as u64;
        let streams = &self.streams;
        let windows = [
            streams.stream_window_bytes,
            streams.stream_window_bytes_max,
            streams.window_bytes,
            streams.window_bytes_max,
        ];
        let range = Params::MIN_PACKET_BYTES..=Self::PACKET_BYTES_MAX;
        if !range.contains(&self.packet_bytes) || self.packet_bytes_max > Self::PACKET_BYTES_MAX {
            return Err(ConfigError::PacketBytes);
        }
        if self.acks.threshold == 0 || self.acks.delay_max > Params::ACK_DELAY_MAX {
            return Err(ConfigError::Acks);
        }
        let fits = |bytes: u64, least: u64| (least..=1 << 60).contains(&bytes);
        if windows.iter().any(|&window| !fits(window, least.max(FIRST_FLIGHT_BYTES)))
            || !fits(streams.send_buffer_bytes, least)
        {
            return Err(ConfigError::Window);
        }
        if !fits(streams.peer_streams_max, 1) {
            return Err(ConfigError::Streams);
        }
        if self.rtt_initial.is_zero() {
            return Err(ConfigError::RttInitial);
        }
        let pauses = Duration::from_millis(1)..=Duration::from_secs(1);
        if self.first_copies > COPIES_MAX || !pauses.contains(&self.copy_pause) {
            return Err(ConfigError::Copies);
        }
        if self.repair_percent > 200 || self.repair_window_bytes > 1 << 20 {
            return Err(ConfigError::Repair);
        }
        let start = self.start_window_bytes;
        if start != 0 && !(2 * least..=Self::START_WINDOW_MAX.max(2 * least)).contains(&start) {
            return Err(ConfigError::StartWindow);
        }
        Ok(())
    }

    /// What the peer is told.
    pub(super) fn params(&self) -> Params {
        Params {
            idle_timeout: self.idle_timeout,
            max_data: self.streams.window_bytes,
            max_stream_data: self.streams.stream_window_bytes,
            max_streams: self.streams.peer_streams_max,
            max_ack_delay: self.acks.delay_max,
            max_packet_bytes: Self::PACKET_BYTES_MAX as u64,
            max_datagram_bytes: self.datagram_bytes_max as u64,
            repair_window: self.repair_window_bytes as u64,
            repair_percent: self.repair_percent.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_by_name() {
        let config = Config::default();
        assert_eq!(config.check(), Ok(()));
        let streams = StreamLimits { window_bytes: 14_719, ..config.streams };
        let none = StreamLimits { peer_streams_max: 0, ..config.streams };
        let acks = AckPolicy { threshold: 0, ..config.acks };
        for (config, error) in [
            (Config { packet_bytes: 1199, ..config }, ConfigError::PacketBytes),
            (Config { packet_bytes: 65_508, ..config }, ConfigError::PacketBytes),
            (Config { packet_bytes_max: 65_508, ..config }, ConfigError::PacketBytes),
            (Config { acks, ..config }, ConfigError::Acks),
            (Config { streams, ..config }, ConfigError::Window),
            (Config { streams: none, ..config }, ConfigError::Streams),
            (Config { rtt_initial: Duration::ZERO, ..config }, ConfigError::RttInitial),
            (Config { first_copies: 5, ..config }, ConfigError::Copies),
            (Config { copy_pause: Duration::ZERO, ..config }, ConfigError::Copies),
            (Config { repair_percent: 201, ..config }, ConfigError::Repair),
            (Config { repair_window_bytes: (1 << 20) + 1, ..config }, ConfigError::Repair),
            (Config { start_window_bytes: 2399, ..config }, ConfigError::StartWindow),
            (Config { start_window_bytes: (1 << 20) + 1, ..config }, ConfigError::StartWindow),
        ] {
            assert_eq!(config.check(), Err(error));
        }
    }
}
