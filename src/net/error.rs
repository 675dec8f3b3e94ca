//! Why something on a connection or a stream failed.

use core::fmt;
use std::io;

use crate::{
    trace::transport::CloseReason,
    transport::{config::ConfigError, datagrams::DatagramError},
    wire::transport::CloseCode,
};

/// What is inside the [`io::Error`]s of [`Listener`](super::Listener),
/// [`Connection`](super::Connection) and [`Stream`](super::Stream), for whoever wants to know more
/// than their kind.
///
/// ```
/// use rdtp::net::{Error, Stream};
///
/// // Nobody listens there any more.
/// let closed = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
/// let error = Stream::connect(closed).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
/// assert_eq!(Error::of(&error), Some(Error::Refused));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The connection has ended.
    Closed(CloseReason),
    /// The peer's machine says that nobody listens on that port (ICMP port unreachable).
    Refused,
    /// The peer gave the stream up; its reason.
    Reset(u64),
    /// The peer does not want the rest of the stream; its reason.
    Stopped(u64),
    /// The stream was ended from this side and cannot be written to.
    Finished,
    /// A datagram of the application was not taken.
    Datagram(DatagramError),
    /// A configuration that cannot work.
    Config(ConfigError),
    /// The socket is of no more use; its last words are in the kind of the error.
    Socket(io::ErrorKind),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(CloseReason::Unreachable) => {
                f.write_str("nobody answered: check the address, and that UDP passes on the way")
            }
            Self::Closed(reason) => write!(f, "the connection is over: {reason}"),
            Self::Refused => f.write_str("nobody listens on that port: is the server running?"),
            Self::Reset(code) => write!(f, "the peer gave the stream up, code {code}"),
            Self::Stopped(code) => write!(f, "the peer wants no more of the stream, code {code}"),
            Self::Finished => f.write_str("the stream was shut down for writing on this side"),
            Self::Datagram(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::Socket(kind) => write!(f, "the socket is of no more use: {kind}"),
        }
    }
}

impl core::error::Error for Error {}

impl Error {
    /// The kind of the [`io::Error`] that it becomes.
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind as Kind;
        match self {
            Self::Closed(CloseReason::Local(_) | CloseReason::PushedOut) => Kind::ConnectionAborted,
            Self::Closed(CloseReason::Peer(CloseCode::Refused)) | Self::Refused => {
                Kind::ConnectionRefused
            }
            Self::Closed(CloseReason::Peer(_) | CloseReason::Reset) | Self::Reset(_) => {
                Kind::ConnectionReset
            }
            Self::Closed(CloseReason::Idle | CloseReason::Unreachable) => Kind::TimedOut,
            Self::Closed(CloseReason::Version) | Self::Datagram(DatagramError::Unsupported) => {
                Kind::Unsupported
            }
            Self::Closed(CloseReason::Downgrade) => Kind::InvalidData,
            Self::Stopped(_) | Self::Finished => Kind::BrokenPipe,
            Self::Datagram(DatagramError::Full | DatagramError::NotYet) => Kind::WouldBlock,
            Self::Datagram(DatagramError::Closed) => Kind::NotConnected,
            Self::Datagram(DatagramError::TooLarge { .. }) | Self::Config(_) => Kind::InvalidInput,
            Self::Socket(kind) => *kind,
        }
    }

    /// The error inside an [`io::Error`], if it is one of these.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
