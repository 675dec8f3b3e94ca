//! The originals' clients.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use super::{FILE_BYTES_MAX, Original, Out, Outbox, lossy, s0};
use crate::app::chat::{
    command::{Line, Verb, parse},
    server::{PeerId, Wire},
};

/// A client that speaks as an original does.
#[derive(Debug)]
pub struct CompatClient {
    original: Original,
    wire: Wire,
    server: PeerId,
    nick: String,
    /// A file whose header came: its name, its size, what came of it.
    file: Option<(String, usize, Vec<u8>)>,
    out: Outbox,
    over: bool,
}

impl CompatClient {
    /// A client of the server at `server`.
    pub fn new(original: Original, wire: Wire, server: PeerId, nick: &str) -> Self {
        let (nick, out) = (nick.to_owned(), Outbox::default());
        Self { original, wire, server, nick, file: None, out, over: false }
    }

    /// What is printed before a line is typed.
    pub const fn prompt(&self) -> &'static str {
        match self.original {
            Original::S0 | Original::S3 => "-> ",
            Original::S1 | Original::S4 => "",
        }
    }

    /// The connection is there: what the original says first.
    pub fn connected(&mut self) {
        match (self.original, self.wire) {
            (Original::S0, _) => {
                let register = format!("/REG {}", self.nick);
                self.send(register.into_bytes());
            }
            (Original::S1, Wire::Stream) => self.out.print("Conectado ao servidor."),
            (Original::S1, Wire::Datagram) => self.send(b"Novo participante no chat.".to_vec()),
            (Original::S3 | Original::S4, _) => {}
        }
    }

    fn send(&mut self, bytes: Vec<u8>) {
        self.out.send(self.server, bytes);
    }

    /// The connection is over.
    pub fn gone(&mut self) {
        if self.original == Original::S1 && !self.over {
            self.out.print("Desconectado do servidor.");
        }
        self.end();
    }

    fn end(&mut self) {
        self.over = true;
        self.out.0.push_back(Out::End);
    }

    /// A line was typed. All words that end a session end it, in every original (C2).
    pub fn line(&mut self, line: &str) {
        if line.is_empty() || self.over {
            return;
        }
        let quits = matches!(parse(line), Line::Command(Verb::Quit, ..));
        match self.original {
            Original::S0 if quits => {
                let bytes = self.named("/QUIT");
                self.send(bytes);
            }
            Original::S0 => self.s0_line(line),
            Original::S1 if quits => {
                if self.wire == Wire::Datagram {
                    self.send(b"/sair".to_vec());
                }
            }
            Original::S1 | Original::S3 if !quits => self.send(line.as_bytes().to_vec()),
            Original::S4 => self.s4_line(line),
            Original::S1 | Original::S3 => {}
        }
        if quits {
            self.out.0.push_back(Out::Close(self.server));
            self.end();
        }
    }

    fn s0_line(&mut self, line: &str) {
        // The names of this program's commands are the original's in capitals.
        let line = match parse(line) {
            Line::Command(Verb::Users, ..) => "/LIST".to_owned(),
            Line::Command(Verb::Nick, name, _) => {
                name.clone_into(&mut self.nick);
                format!("/REG {name}")
            }
            Line::Command(Verb::All, text, _) => format!("/S {text}"),
            Line::Command(Verb::Msg, to, text) => format!("/MSG {to} {text}"),
            _ => line.to_owned(),
        };
        let bytes = self.named(&line);
        self.send(bytes);
    }

    /// S0-16: over UDP the name stands before every line but two.
    fn named(&self, line: &str) -> Vec<u8> {
        let bare = line.starts_with("/REG") || line.starts_with("/LIST");
        if self.wire == Wire::Stream || bare {
            return line.as_bytes().to_vec();
        }
        format!("{}: {line}", self.nick).into_bytes()
    }

    /// S0-17, S0-21: a file goes in one piece, over UDP after its header.
    pub fn file(&mut self, to: &str, name: &str, data: &[u8]) {
        let header = self.named(&format!("/FILE {to} {name} {}", data.len()));
        match self.wire {
            Wire::Stream => self.send([&header, data].concat()),
            Wire::Datagram => {
                self.send(header);
                self.send(data.to_vec());
            }
        }
    }

    fn s4_line(&mut self, line: &str) {
        if self.wire == Wire::Stream {
            return self.send(format!("{line}\n").into_bytes());
        }
        let code = match parse(line) {
            Line::Command(Verb::Users, ..) => "ul".to_owned(),
            Line::Command(Verb::Rooms, ..) => "rl".to_owned(),
            Line::Command(Verb::Create, room, _) => format!("rc {room}"),
            Line::Command(Verb::Join, room, _) => format!("rj {room}"),
            Line::Command(Verb::Leave, ..) => "rq".to_owned(),
            Line::Command(Verb::Kick, ..) => "kk".to_owned(),
            Line::Command(Verb::Poke, name, _) => format!("pk {name}"),
            Line::Command(Verb::Quit, ..) => ":q".to_owned(),
            _ => line.to_owned(),
        };
        self.send(code.into_bytes());
    }

    /// Something arrived in one piece.
    pub fn message(&mut self, bytes: &[u8]) {
        match self.original {
            Original::S0 => self.s0_message(bytes),
            Original::S4 if self.wire == Wire::Stream => {
                for line in lossy(bytes).lines() {
                    if line == ":q" {
                        self.out.0.push_back(Out::Close(self.server));
                        return self.end();
                    }
                    self.out.print(line);
                }
            }
            _ => self.out.print(lossy(bytes).trim_end_matches(['\r', '\n'])),
        }
    }

    fn s0_message(&mut self, bytes: &[u8]) {
        if let Some((name, size, mut data)) = self.file.take() {
            // Over UDP a datagram of another length is not the data: that was lost.
            if self.wire == Wire::Stream || bytes.len() == size {
                let wanted = size - data.len();
                data.extend_from_slice(&bytes[..bytes.len().min(wanted)]);
                if data.len() < size {
                    self.file = Some((name, size, data));
                    return;
                }
                self.out.0.push_back(Out::File(name, data));
                if bytes.len() > wanted {
                    self.s0_message(&bytes[wanted..]);
                }
                return;
            }
        }
        let start = if self.wire == Wire::Datagram {
            bytes.windows(2).position(|pair| pair == b": ").map_or(0, |at| at + 2)
        } else {
            0
        };
        let rest = &bytes[start..];
        let header = if rest.starts_with(b"/FILE ") { s0::header(rest, 1) } else { None };
        match header.filter(|header| header.size <= FILE_BYTES_MAX) {
            Some(header) => {
                let [name, _] = header.words;
                self.file = Some((name, header.size, Vec::new()));
                if rest.len() > header.len || header.size == 0 {
                    self.s0_message(&rest[header.len..]);
                }
            }
            None => self.out.print(lossy(bytes)),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Out> {
        self.out.0.pop_front()
    }
}
