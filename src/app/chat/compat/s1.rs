//! S1's servers: everybody hears everybody, and `ping` is answered.

use alloc::{collections::BTreeSet, format, vec::Vec};
use core::net::SocketAddr;

use super::{Out, Outbox, PEERS_MAX, Style, lossy, tuple};
use crate::app::chat::server::{PeerId, Wire};

#[derive(Debug)]
pub(super) struct S1 {
    wire: Wire,
    peers: BTreeSet<PeerId>,
}

impl S1 {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, peers: BTreeSet::new() }
    }

    fn relay(&self, peer: PeerId, text: &str, out: &mut Outbox) {
        let line = format!("{} disse: {text}", tuple(peer.address));
        let others: Vec<PeerId> =
            self.peers.iter().copied().filter(|&other| other != peer).collect();
        for other in others {
            if self.wire == Wire::Datagram {
                out.print(format!("Enviando mensagem para {}", tuple(other.address)));
            }
            out.send(other, line.as_bytes());
        }
    }
}

impl Style for S1 {
    fn listening(&self, _: SocketAddr, out: &mut Outbox) {
        out.print(match self.wire {
            Wire::Stream => "Servidor TCP aguardando conexões...",
            Wire::Datagram => "Servidor UDP aguardando mensagens...",
        });
    }

    fn connected(&mut self, peer: PeerId, out: &mut Outbox) {
        if self.peers.len() >= PEERS_MAX {
            return out.0.push_back(Out::Close(peer));
        }
        self.peers.insert(peer);
        out.print(format!("Cliente conectado: {}", tuple(peer.address)));
    }

    fn message(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        let text = lossy(bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        match self.wire {
            // A monitor is answered and not made a member (C18).
            Wire::Datagram if text == "ping" => return out.send(peer, &b"ping"[..]),
            Wire::Datagram => {
                out.print(format!("Mensagem recebida de {}", tuple(peer.address)));
                if self.peers.len() < PEERS_MAX {
                    self.peers.insert(peer);
                }
            }
            Wire::Stream => out.print(format!("{} disse: {text}", tuple(peer.address))),
        }
        if text == "/sair" {
            self.peers.remove(&peer);
            return out.0.push_back(Out::Close(peer));
        }
        self.relay(peer, text, out);
    }

    fn gone(&mut self, peer: PeerId, out: &mut Outbox) {
        if self.peers.remove(&peer) && self.wire == Wire::Datagram {
            out.print("Erro ao receber mensagem.");
        }
    }
}
