//! What the application may want of a stream beside reading and writing.

use super::{StreamId, Streams, WriteError};

impl Streams {
    /// Lets the peer hear of a stream before anything is written to it; see
    /// [`SendHalf::announce`](super::SendHalf::announce).
    pub fn announce(&mut self, id: StreamId) -> Result<(), WriteError> {
        self.table.get_mut(&id).ok_or(WriteError::Unknown)?.send.announce();
        self.enqueue(id);
        Ok(())
    }

    /// Changes whose turn it is: the lowest number first.
    pub fn set_priority(&mut self, id: StreamId, priority: u8) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        let before = core::mem::replace(&mut stream.priority, priority);
        if core::mem::take(&mut stream.queued) {
            if let Some(queue) = self.ready.get_mut(&before) {
                queue.retain(|&other| other != id);
            }
            self.enqueue(id);
        }
    }
}
