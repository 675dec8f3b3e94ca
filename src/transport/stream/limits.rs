//! What streams may take.

/// How much a connection gives to its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams that the peer may have open at the same time.
    pub peer_streams_max: u64,
    /// Bytes of a stream that the peer may send ahead of the application, at first.
    pub stream_window_bytes: u64,
    /// What that may grow to.
    pub stream_window_bytes_max: u64,
    /// Bytes of all streams together that the peer may send ahead of the application, at first.
    pub window_bytes: u64,
    /// What that may grow to.
    pub window_bytes_max: u64,
    /// Gaps in a stream that are kept track of.
    pub gaps_max: usize,
    /// Bytes of a stream that wait to be sent or acknowledged. Of those that were never sent no more than
    /// half a congestion window waits, or 512 KiB where that is more: a longer write is taken in parts.
    pub send_buffer_bytes: u64,
}

impl StreamLimits {
    /// The same with so many bytes in every window and in the buffer of the sender, which none of them
    /// outgrows: for one stream whose bytes are to stay in a cache.
    #[must_use]
    pub const fn with_windows(self, bytes: u64) -> Self {
        Self {
            stream_window_bytes: bytes,
            stream_window_bytes_max: bytes,
            window_bytes: bytes,
            window_bytes_max: bytes,
            send_buffer_bytes: bytes,
            ..self
        }
    }
}
