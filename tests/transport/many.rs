//! Thousands of streams over one connection, as many at a time as the peer allows.

use std::collections::BTreeMap;

use rdtp::{
    sim::Application,
    time::Instant,
    trace::NodeId,
    transport::{
        connection::{Connection, Event},
        host::{Host, HostEvent},
        stream::{OpenError, ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::byte;

/// The client asks on each stream, the server answers when it has the whole question.
pub(crate) struct Many {
    client: NodeId,
    id: ConnectionId,
    streams: u64,
    request: u64,
    answer: u64,
    opened: u64,
    open: u64,
    pub(crate) open_most: u64,
    pub(crate) done: u64,
    pub(crate) answered_bytes: u64,
    /// Bytes read of each stream, on each side.
    read: BTreeMap<(NodeId, StreamId), u64>,
}

impl Many {
    pub(crate) fn new(client: NodeId, id: ConnectionId, streams: u64, sizes: (u64, u64)) -> Self {
        let (request, answer) = sizes;
        Self {
            client,
            id,
            streams,
            request,
            answer,
            opened: 0,
            open: 0,
            open_most: 0,
            done: 0,
            answered_bytes: 0,
            read: BTreeMap::new(),
        }
    }

    /// Opens streams and asks, until the peer allows no more.
    pub(crate) fn open(&mut self, host: &mut Host) {
        let Some(connection) = host.get_mut(self.id) else { return };
        while self.opened < self.streams {
            let stream = match connection.open_stream(0) {
                Ok(stream) => stream,
                Err(error) => return assert_eq!(error, OpenError::Limit),
            };
            self.opened += 1;
            self.open += 1;
            self.open_most = self.open_most.max(self.open);
            Self::say(connection, stream, self.request);
        }
    }

    fn say(connection: &mut Connection, stream: StreamId, bytes: u64) {
        let words: Vec<u8> = (0..bytes).map(|at| byte(at ^ stream.0)).collect();
        assert_eq!(connection.write(stream, &words), Ok(words.len()));
        connection.finish(stream).unwrap();
    }

    /// Reads what is there; true when it is the end.
    fn hear(
        &mut self,
        now: Instant,
        node: NodeId,
        stream: StreamId,
        from: &mut Connection,
    ) -> bool {
        let read = self.read.entry((node, stream)).or_default();
        let mut out = [0; 1024];
        loop {
            match from.read(now, stream, &mut out) {
                Ok(len) => {
                    for got in &out[..len] {
                        assert_eq!(*got, byte(*read ^ stream.0));
                        *read += 1;
                    }
                }
                Err(error) => return error == ReadError::Finished,
            }
        }
    }
}

impl Application<Host> for Many {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        let Some(connection) = host.get_mut(id) else { panic!("{event:?}") };
        if let Event::Stream(StreamEvent::Readable(stream)) = event
            && self.hear(now, node, stream, connection)
        {
            let read = self.read[&(node, stream)];
            if node == self.client {
                assert_eq!(read, self.answer);
                self.answered_bytes += read;
                self.done += 1;
                self.open -= 1;
            } else {
                assert_eq!(read, self.request);
                Self::say(connection, stream, self.answer);
            }
        }
        if node == self.client {
            self.open(host);
        }
    }
}
