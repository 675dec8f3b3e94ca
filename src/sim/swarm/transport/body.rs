//! What a swarm of the transport drives.

use alloc::vec::Vec;

use crate::{
    endpoint::Endpoint,
    time::Instant,
    transport::{
        host::{Host, HostEvent},
        stream::ReadError,
    },
    wire::transport::{ConnectionId, StreamId},
};

/// A host, or something around one that is wrong on purpose: what applications hear and do goes
/// through it.
pub trait Body: Endpoint<Event = HostEvent> {
    /// The host inside.
    fn host(&self) -> &Host;

    /// The host inside, to act on.
    fn host_mut(&mut self) -> &mut Host;

    /// Reads from a stream; see [`Connection::read`](crate::transport::connection::Connection::read).
    fn read(
        &mut self,
        now: Instant,
        id: ConnectionId,
        stream: StreamId,
        out: &mut [u8],
    ) -> Result<usize, ReadError> {
        let connection = self.host_mut().get_mut(id).ok_or(ReadError::Unknown)?;
        connection.read(now, stream, out)
    }

    /// The next datagram that arrived.
    fn recv_datagram(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        self.host_mut().get_mut(id)?.recv_datagram()
    }

    /// Up to where the bytes of a stream are acknowledged; `None` when the stream is over.
    fn acked(&self, id: ConnectionId, stream: StreamId) -> Option<u64> {
        let connection = self.host().get(id)?;
        Some(connection.streams().send_half(stream)?.buffer().base())
    }

    /// Bytes of memory that it holds.
    fn memory_bytes(&self) -> usize {
        self.host().memory_bytes()
    }
}

impl Body for Host {
    fn host(&self) -> &Host {
        self
    }

    fn host_mut(&mut self) -> &mut Host {
        self
    }
}
