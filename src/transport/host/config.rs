//! What can be chosen about a host.

use core::time::Duration;

use crate::transport::config::Config;

/// When an opener has to show that it receives what is sent to its address, before anything is kept
/// of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePolicy {
    /// Always: a round trip more, and nothing that a forged address can fill.
    Always,
    /// When so many connections or more wait for their opener's second packet.
    Above(usize),
    /// Never.
    Never,
}

/// From whom the application hears something before the handshake is over. Until then nobody knows
/// whether a packet was sent now or is the copy of an old one: see
/// [`is_replayable`](crate::transport::connection::Connection::is_replayable).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyData {
    /// From nobody: a connection begins when its opener has answered, as with TCP. What came before is
    /// kept until then.
    #[default]
    Never,
    /// From whoever brings a ticket of an earlier connection. Each is taken once, and so what comes with
    /// it reaches the application once at most, however late.
    WithTicket,
    /// From everybody: copies of old packets may begin connections that say again what was said once.
    /// For what may be done twice without harm.
    Anyone,
}

/// How a host behaves, and what strangers can make it hold.
#[derive(Clone, Copy, Debug)]
pub struct HostConfig {
    /// How its connections behave.
    pub connection: Config,
    /// Whether connections are accepted at all.
    pub accepts: bool,
    /// The most connections at the same time; more are not accepted. Those that this side opens count,
    /// and are always opened: no peer can make them more.
    pub connections_max: usize,
    /// The most accepted connections of one address at the same time; more are not accepted. An
    /// address of IPv6 is a network of 64 bits. Beyond half of it openers are challenged, so that nobody
    /// uses up what belongs to somebody else's address.
    pub connections_per_address_max: usize,
    /// How long an accepted connection has to have been idle before it may be pushed out by an opener
    /// who finds all `connections_max` places taken and has shown its address; of those the one that
    /// has been idle longest goes. The application hears of it as
    /// [`PushedOut`](crate::transport::lifecycle::CloseReason::PushedOut), the peer as
    /// [`Reset`](crate::transport::lifecycle::CloseReason::Reset). Zero for never: then openers are not
    /// heard while all places are taken.
    pub push_out_after: Duration,
    /// What a connection has to carry so as not to count as idle, in bytes a second of streams and
    /// datagrams, both ways together: so many bytes make up for a second of idleness. Keep-alives,
    /// acknowledgements and what the application throws away unread carry nothing. With 0 any byte makes up
    /// for all idleness before it.
    pub progress_bytes_per_second: u32,
    /// When openers are challenged.
    pub cookies: CookiePolicy,
    /// How long a ticket is good for that an opener is given for its next connection (RFC 9000 section
    /// 8.1.3); zero for none. Whoever brings one has shown its address, and may count on the limits
    /// that it was told before.
    pub ticket_lifetime: Duration,
    /// Tickets that are noted as used, in each span of `ticket_lifetime`. When there are as many, no
    /// more are taken until the next.
    pub tickets_used_max: usize,
    /// Whether the application hears what an opener says before the opener has shown that it is there,
    /// a round trip earlier than else.
    pub early_data: EarlyData,
    /// Peers whose path and ticket are remembered for connections that are opened later.
    pub remembered_max: usize,
    /// Answers to strangers that wait to be sent; more are not given.
    pub answers_max: usize,
}

impl Default for HostConfig {
    /// Accepts up to 16,384 connections, a quarter of them from one address, with a cookie when 256 are
    /// half open: those hold less than a mebibyte. When all places are taken, what has been idle for a
    /// minute, but for a byte a second, makes room for others. Tickets for a day, but no early data.
    fn default() -> Self {
        Self {
            connection: Config::default(),
            accepts: true,
            connections_max: 16_384,
            connections_per_address_max: 4_096,
            push_out_after: Duration::from_mins(1),
            progress_bytes_per_second: 1,
            cookies: CookiePolicy::Above(256),
            ticket_lifetime: Duration::from_hours(24),
            tickets_used_max: 1 << 16,
            early_data: EarlyData::Never,
            remembered_max: 256,
            answers_max: 64,
        }
    }
}
