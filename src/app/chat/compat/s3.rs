//! S3's server: one client, whose lines are shown.

use alloc::format;
use core::net::SocketAddr;

use super::{Out, Outbox, Style, lossy, tuple};
use crate::app::chat::server::PeerId;

#[derive(Debug, Default)]
pub(super) struct S3 {
    client: Option<PeerId>,
}

impl Style for S3 {
    fn listening(&self, _: SocketAddr, _: &mut Outbox) {}

    fn connected(&mut self, peer: PeerId, out: &mut Outbox) {
        if self.client.is_some() {
            return out.0.push_back(Out::Close(peer));
        }
        self.client = Some(peer);
        out.print(format!("Conexion desde: {}", tuple(peer.address)));
    }

    fn message(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        if self.client == Some(peer) {
            let text = lossy(bytes);
            out.print(format!("De usuario conectado: {}", text.trim_end_matches(['\r', '\n'])));
        }
    }

    fn gone(&mut self, peer: PeerId, out: &mut Outbox) {
        if self.client == Some(peer) {
            out.0.push_back(Out::End);
        }
    }
}
