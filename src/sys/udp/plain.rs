//! Any system: one datagram a call, no marks.

use std::io;

use rustix::{
    fd::BorrowedFd,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recvfrom, sendmsg, sendmsg_addr},
};

use super::{Arrival, Capabilities, Inbox, MESSAGE_BYTES_MAX, Outgoing, System};
use crate::ecn::Ecn;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Plain;

impl System for Plain {
    fn set_up(&mut self, _: BorrowedFd<'_>, _: bool) -> Capabilities {
        Capabilities::default()
    }

    fn send(&mut self, socket: BorrowedFd<'_>, batches: &[Outgoing<'_>]) -> io::Result<usize> {
        let Some(batch) = batches.first() else { return Ok(0) };
        let mut nothing = SendAncillaryBuffer::default();
        let flags = SendFlags::DONTWAIT;
        match batch.destination {
            Some(to) => sendmsg_addr(socket, &to, batch.parts, &mut nothing, flags)?,
            None => sendmsg(socket, batch.parts, &mut nothing, flags)?,
        };
        Ok(1)
    }

    fn recv(&mut self, socket: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<()> {
        (inbox.count, inbox.was_full) = (0, true);
        let space = &mut inbox.space[..MESSAGE_BYTES_MAX];
        let (_, len, source) = recvfrom(socket, space, RecvFlags::DONTWAIT)?;
        if let Some(source) = source.and_then(|source| source.try_into().ok()) {
            inbox.arrivals[0] = Arrival { len, stride: len, source, local: None, ecn: Ecn::NotEct };
            inbox.count = 1;
        }
        Ok(())
    }
}
