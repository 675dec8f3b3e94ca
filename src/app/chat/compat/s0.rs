//! S0's servers: nicknames, `/S`, `/MSG`, `/LIST`, `/FILE`, `/QUIT`.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::SocketAddr;

use super::{FILE_BYTES_MAX, Outbox, PEERS_MAX, Style, is_name, literal, lossy, tuple};
use crate::app::chat::server::{PeerId, Wire};

/// A file whose header came, and whose data is on its way.
#[derive(Debug)]
struct Expected {
    to: String,
    name: String,
    size: usize,
    data: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct S0 {
    wire: Wire,
    /// Who is registered, and what they send.
    names: BTreeMap<PeerId, String>,
    files: BTreeMap<PeerId, Expected>,
}

/// The header of a file, and how many of the bytes it takes.
pub(super) struct Header {
    pub(super) words: [String; 2],
    pub(super) size: usize,
    pub(super) len: usize,
}

impl S0 {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, names: BTreeMap::new(), files: BTreeMap::new() }
    }

    fn find(&self, nick: &str) -> Option<PeerId> {
        self.names.iter().find(|(_, name)| *name == nick).map(|(peer, _)| *peer)
    }

    fn register(&mut self, peer: PeerId, nick: &str, out: &mut Outbox) {
        let at = tuple(peer.address);
        if !is_name(nick) || self.find(nick).is_some_and(|other| other != peer) {
            return out.print(format!("{nick} recusado no endereço {at}."));
        }
        if self.names.len() < PEERS_MAX || self.names.contains_key(&peer) {
            self.names.insert(peer, nick.to_owned());
            out.print(format!("{nick} registrado do endereço {at}."));
        }
    }

    /// What a command is, behind the name that UDP clients put before it.
    fn strip<'a>(&self, peer: PeerId, text: &'a str) -> &'a str {
        let name = self.names.get(&peer).filter(|_| self.wire == Wire::Datagram);
        let rest = name.and_then(|name| text.strip_prefix(name.as_str())?.strip_prefix(": "));
        rest.unwrap_or(text)
    }

    fn command(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        let text = lossy(bytes);
        let command = self.strip(peer, &text).trim_end_matches(['\r', '\n']).to_owned();
        let (word, rest) = command.split_once(' ').unwrap_or((&command, ""));
        let nick = self.names.get(&peer).cloned();
        match (word, nick) {
            ("/REG", _) => self.register(peer, rest, out),
            // Who has not registered is not spoken to.
            (_, None) => {}
            ("/LIST", _) => {
                let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
                names.sort_unstable();
                out.send(peer, format!("Usuários conectados: {}", names.join(", ")));
            }
            ("/MSG", Some(nick)) => {
                if let Some((to, said)) = rest.split_once(' ')
                    && let Some(to) = self.find(to)
                {
                    out.send(to, format!("{nick}: {said}"));
                }
            }
            ("/QUIT", _) => {
                self.gone(peer, out);
                out.0.push_back(super::Out::Close(peer));
            }
            // "/S" and anything else: to everybody else, as it is.
            (_, Some(_)) => {
                for &other in self.names.keys().filter(|&&other| other != peer) {
                    out.send(other, bytes);
                }
            }
        }
    }

    /// A header alone, or with the data behind it.
    fn header(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) -> bool {
        let name = self.names.get(&peer).filter(|_| self.wire == Wire::Datagram);
        let prefix = name.map_or(0, |name| name.len() + 2);
        let Some(rest) = bytes.get(prefix..).filter(|rest| rest.starts_with(b"/FILE ")) else {
            return false;
        };
        let Some(header) = header(rest, 2).filter(|header| header.size <= FILE_BYTES_MAX) else {
            return false;
        };
        if !self.names.contains_key(&peer) {
            return true;
        }
        let [to, name] = header.words;
        self.files.insert(peer, Expected { to, name, size: header.size, data: Vec::new() });
        let data = &rest[header.len..];
        if !data.is_empty() || header.size == 0 {
            self.data(peer, data, out);
        }
        true
    }

    /// Data of the file that this peer sends; false when it is none.
    fn data(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) -> bool {
        let Some(expected) = self.files.get_mut(&peer) else { return false };
        // A datagram of another length is not the data: that was lost.
        if self.wire == Wire::Datagram && bytes.len() != expected.size {
            self.files.remove(&peer);
            return false;
        }
        let wanted = expected.size - expected.data.len();
        expected.data.extend_from_slice(&bytes[..bytes.len().min(wanted)]);
        if expected.data.len() == expected.size
            && let Some(file) = self.files.remove(&peer)
        {
            self.forward(peer, &file, out);
            if bytes.len() > wanted {
                self.command(peer, &bytes[wanted..], out);
            }
        }
        true
    }

    fn forward(&self, peer: PeerId, file: &Expected, out: &mut Outbox) {
        let (Some(from), Some(to)) = (self.names.get(&peer), self.find(&file.to)) else { return };
        let header = format!("/FILE {} {}", file.name, file.size);
        match self.wire {
            Wire::Stream => out.send(to, [header.as_bytes(), &file.data].concat()),
            Wire::Datagram => {
                out.send(to, format!("{from}: {header}"));
                out.send(to, file.data.clone());
            }
        }
    }
}

impl Style for S0 {
    fn listening(&self, at: SocketAddr, out: &mut Outbox) {
        let wire = if self.wire == Wire::Stream { "TCP" } else { "UDP" };
        out.print(format!("Servidor iniciado e ouvindo em {wire} no porto {}.", at.port()));
    }

    fn connected(&mut self, peer: PeerId, out: &mut Outbox) {
        let at = tuple(peer.address);
        out.print(format!("Conexão de {at}."));
    }

    fn message(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        if self.data(peer, bytes, out) {
            return;
        }
        out.print(format!("Dado recebido de {}: {}", tuple(peer.address), literal(bytes)));
        if !self.header(peer, bytes, out) {
            self.command(peer, bytes, out);
        }
    }

    fn gone(&mut self, peer: PeerId, out: &mut Outbox) {
        self.files.remove(&peer);
        if let Some(nick) = self.names.remove(&peer) {
            out.print(format!("{nick} saiu."));
        }
    }
}

/// Reads `/FILE`, so many words, and the size. Nothing stands between the size and the data: when the
/// data begins with a digit, the number that fits what is there is the size.
pub(super) fn header(bytes: &[u8], words: usize) -> Option<Header> {
    let mut at = b"/FILE ".len();
    let mut read = [String::new(), String::new()];
    for word in read.iter_mut().take(words) {
        let len = bytes.get(at..)?.iter().position(|&byte| byte == b' ')?;
        *word = core::str::from_utf8(&bytes[at..at + len]).ok()?.to_string();
        at += len + 1;
    }
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).take(9).count();
    let sizes = (1..=digits).filter_map(|len| {
        let size: usize = core::str::from_utf8(&bytes[at..at + len]).ok()?.parse().ok()?;
        Some((size, at + len))
    });
    let all: Vec<(usize, usize)> = sizes.collect();
    let fits = all.iter().rev().find(|(size, len)| bytes.len() == len + size);
    let (size, len) = *fits.or(all.last())?;
    Some(Header { words: read, size, len })
}
