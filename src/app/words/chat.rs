//! What the chat says.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt::Write as _, net::SocketAddr};

use super::{Lang, millis};
use crate::app::chat::{
    Bye, COMMANDS, Event, FileEnd, Kind, Parting, Place, Reason, SayError, Verb,
    frame::TEXT_BYTES_MAX, plain,
};

impl Lang {
    /// The lines to show for an event, safe for a terminal; none for what only a program acts on.
    pub fn lines(self, event: &Event) -> Vec<String> {
        let one = |text: String| Vec::from([text]);
        match event {
            Event::Said { from, place, kind, text } => one(self.said_at(from, place, *kind, text)),
            Event::Welcome { nick, again } => one(self.welcome(nick, *again)),
            Event::Users { names, more } => one(self.list(
                self.here(),
                &names.iter().map(|name| plain(name)).collect::<Vec<_>>(),
                *more,
            )),
            Event::Members { room, names, more } => {
                let names: Vec<_> = names.iter().map(|name| plain(name)).collect();
                one(self.list(&format!("#{}", plain(room)), &names, *more))
            }
            Event::Rooms { rooms, more } => {
                let name = |(name, count): &(String, u32)| format!("{} ({count})", plain(name));
                let names: Vec<_> = rooms.iter().map(name).collect();
                one(self.list(self.rooms(), &names, *more))
            }
            Event::Help => self.help(),
            Event::Delivered { .. } | Event::File { .. } | Event::Do { .. } => Vec::new(),
            other => one(format!("* {}", self.notice(other))),
        }
    }

    /// What somebody said, as one line that says where.
    fn said_at(self, from: &str, place: &Place, kind: Kind, text: &str) -> String {
        let place = match place {
            Place::Everyone => self.pick("all", "todos", "todos").to_owned(),
            Place::Room(room) => format!("#{}", plain(room)),
            Place::User(_) => self.pick("private", "privado", "privado").to_owned(),
        };
        format!("[{place}] {}", self.said(from, kind, text))
    }

    /// What somebody said, as one line for who sees where it was said; safe for a terminal.
    ///
    /// ```
    /// use rdtp::app::chat::{Kind, Lang};
    ///
    /// assert_eq!(Lang::En.said("ana", Kind::Text, "hello"), "ana: hello");
    /// assert_eq!(Lang::En.said("ana", Kind::Action, "waves"), "* ana waves");
    /// ```
    pub fn said(self, from: &str, kind: Kind, text: &str) -> String {
        let (from, text) = (plain(from), plain(text));
        match kind {
            Kind::Text => format!("{from}: {text}"),
            Kind::Action => format!("* {from} {text}"),
            Kind::Poke => {
                let poke = self.pick("pokes you", "chama você", "te llama");
                format!("* {from} {poke}: /msg {from}")
            }
        }
    }

    fn welcome(self, nick: &str, again: bool) -> String {
        let nick = plain(nick);
        match (self, again) {
            (Self::En, false) => format!("* You are {nick}. /help shows the commands."),
            (Self::Pt, false) => format!("* Você é {nick}. /help mostra os comandos."),
            (Self::Es, false) => format!("* Eres {nick}. /help muestra los comandos."),
            (Self::En, true) => format!("* Connected again as {nick}."),
            (Self::Pt, true) => format!("* Conectado de novo como {nick}."),
            (Self::Es, true) => format!("* Conectado de nuevo como {nick}."),
        }
    }

    fn list(self, title: &str, names: &[String], more: u32) -> String {
        let mut text = format!("* {title} ({}): {}", names.len(), names.join(", "));
        if more > 0 {
            let others = self.pick("and others", "e outros", "y otros");
            let _ = write!(text, ", {others}: {more}");
        }
        text
    }

    /// The commands, a line each, made from the table of the parser.
    pub fn help(self) -> Vec<String> {
        let width = COMMANDS.iter().map(|row| row.usage_line().chars().count()).max();
        let width = width.unwrap_or_default();
        let mut lines = Vec::new();
        for row in &COMMANDS {
            let (usage, help) = (row.usage_line(), row.help[self.index()]);
            let mut line = format!("{usage:width$}  {help}");
            if row.names.len() > 1 {
                let _ = write!(line, " (/{})", row.names[1..].join(", /"));
            }
            lines.push(line);
        }
        lines.push(
            self.pick(
                "Also with $ for /, and :q. // says a line that begins with a slash.",
                "Também com $ em vez de /, e :q. // diz uma linha que começa com barra.",
                "También con $ en vez de /, y :q. // dice una línea que empieza con barra.",
            )
            .to_owned(),
        );
        lines
    }

    /// The machine at this address says that no program is there any more.
    pub fn nobody_at(self, address: SocketAddr) -> String {
        match self {
            Self::En => format!("* Nobody is at {address} any more (ICMP port unreachable)."),
            Self::Pt => format!("* Não há mais ninguém em {address} (ICMP port unreachable)."),
            Self::Es => format!("* Ya no hay nadie en {address} (ICMP port unreachable)."),
        }
    }

    /// What the keys of a terminal interface do.
    pub const fn keys(self) -> &'static str {
        self.pick(
            "F2 makes the network worse, F3 better. Ctrl-N, Ctrl-P: other places. PgUp, PgDn scroll. \
             Up, Down: typed lines. Tab completes. Ctrl-C ends.",
            "F2 piora a rede, F3 melhora. Ctrl-N, Ctrl-P: outros lugares. PgUp, PgDn rolam. \
             Cima, baixo: linhas digitadas. Tab completa. Ctrl-C termina.",
            "F2 empeora la red, F3 la mejora. Ctrl-N, Ctrl-P: otros lugares. PgUp, PgDn desplazan. \
             Arriba, abajo: líneas escritas. Tab completa. Ctrl-C termina.",
        )
    }

    fn place(self, place: &Place) -> String {
        match place {
            Place::Everyone => self.everybody().to_owned(),
            Place::Room(room) => format!("#{}", plain(room)),
            Place::User(nick) => plain(nick),
        }
    }

    fn notice(self, event: &Event) -> String {
        match event {
            Event::Lost => self
                .pick(
                    "The connection is lost; trying again.",
                    "A conexão caiu; tentando de novo.",
                    "Se perdió la conexión; se intenta de nuevo.",
                )
                .to_owned(),
            Event::Bye(why) => self.bye(*why).to_owned(),
            Event::Ended => self.pick("Goodbye.", "Até logo.", "Hasta luego.").to_owned(),
            Event::Unconfirmed { text } => {
                let text = plain(text);
                match self {
                    Self::En => format!("Nobody confirms: {text}"),
                    Self::Pt => format!("Ninguém confirma: {text}"),
                    Self::Es => format!("Nadie confirma: {text}"),
                }
            }
            Event::NotSent { text, reason, detail } => {
                let (text, reason) = (plain(text), self.reason(*reason, detail));
                match self {
                    Self::En => format!("Not sent: {text} ({reason})"),
                    Self::Pt => format!("Não enviado: {text} ({reason})"),
                    Self::Es => format!("No enviado: {text} ({reason})"),
                }
            }
            Event::Refused { reason, detail } => self.reason(*reason, detail),
            Event::Entered { room, nick, me } => self.entered(room, nick, *me),
            Event::Left { room, nick, why, me } => self.left(room, nick, *why, *me),
            Event::Renamed { old, new, me } => self.renamed(old, new, *me),
            Event::TalkingTo(place) => {
                let to = self.pick(
                    "What you write goes to",
                    "O que você escreve vai para",
                    "Lo que escribes va a",
                );
                format!("{to} {}.", self.place(place))
            }
            Event::Pong(rtt) => {
                let title = self.pick("Round trip", "Ida e volta", "Ida y vuelta");
                format!("{title}: {}", millis(*rtt))
            }
            Event::Usage(verb) => self.usage(*verb),
            Event::UnknownCommand(name) => {
                let name = plain(name);
                match self {
                    Self::En => format!("No command /{name}: /help shows them, // says a slash."),
                    Self::Pt => {
                        format!("Não há comando /{name}: /help mostra todos, // diz uma barra.")
                    }
                    Self::Es => {
                        format!("No hay comando /{name}: /help los muestra, // dice una barra.")
                    }
                }
            }
            Event::NotTaken(error) => self.not_taken(*error),
            other => self.file_notice(other),
        }
    }

    fn entered(self, room: &str, nick: &str, me: bool) -> String {
        let (room, nick) = (plain(room), plain(nick));
        match (self, me) {
            (Self::En, true) => format!("You are in #{room}."),
            (Self::Pt, true) => format!("Você está em #{room}."),
            (Self::Es, true) => format!("Estás en #{room}."),
            (Self::En, false) => format!("{nick} is in #{room}."),
            (Self::Pt, false) => format!("{nick} está em #{room}."),
            (Self::Es, false) => format!("{nick} está en #{room}."),
        }
    }

    fn left(self, room: &str, nick: &str, why: Parting, me: bool) -> String {
        let (room, nick) = (plain(room), plain(nick));
        let who = if me { self.pick("You", "Você", "Tú").to_owned() } else { nick };
        let what = match (why, me) {
            (Parting::Kicked, true) => self.pick("were put out of", "foi tirado de", "fuera de"),
            (Parting::Kicked, false) => {
                self.pick("was put out of", "foi tirado de", "fue echado de")
            }
            (Parting::Lost, _) => {
                self.pick("is not heard any more in", "não responde mais em", "ya no responde en")
            }
            (_, true) => self.pick("left", "saiu de", "saliste de"),
            (_, false) => self.pick("left", "saiu de", "salió de"),
        };
        format!("{who} {what} #{room}.")
    }

    fn renamed(self, old: &str, new: &str, me: bool) -> String {
        let (old, new) = (plain(old), plain(new));
        match (self, me) {
            (Self::En, true) => format!("You are {new} now."),
            (Self::Pt, true) => format!("Agora você é {new}."),
            (Self::Es, true) => format!("Ahora eres {new}."),
            (Self::En, false) => format!("{old} is {new} now."),
            (Self::Pt, false) => format!("{old} agora é {new}."),
            (Self::Es, false) => format!("{old} ahora es {new}."),
        }
    }

    fn usage(self, verb: Verb) -> String {
        let row = verb.row();
        let title = self.pick("Usage", "Uso", "Uso");
        format!("{title}: {}: {}", row.usage_line(), row.help[self.index()])
    }

    fn not_taken(self, error: SayError) -> String {
        match (self, error) {
            (Self::En, SayError::Full) => {
                "Not sent: too many messages wait to be confirmed.".to_owned()
            }
            (Self::Pt, SayError::Full) => {
                "Não enviado: mensagens demais esperam confirmação.".to_owned()
            }
            (Self::Es, SayError::Full) => {
                "No enviado: demasiados mensajes esperan confirmación.".to_owned()
            }
            (Self::En, SayError::TooLong { bytes }) => format!(
                "Not sent: {bytes} bytes, and a message has at most {TEXT_BYTES_MAX}. Use /file."
            ),
            (Self::Pt, SayError::TooLong { bytes }) => format!(
                "Não enviado: {bytes} bytes, e uma mensagem tem no máximo {TEXT_BYTES_MAX}. Use /file."
            ),
            (Self::Es, SayError::TooLong { bytes }) => format!(
                "No enviado: {bytes} bytes, y un mensaje tiene {TEXT_BYTES_MAX} como máximo. Usa /file."
            ),
        }
    }

    fn file_notice(self, event: &Event) -> String {
        match event {
            Event::Offered { transfer, from, name, size } => {
                let (from, name) = (plain(from), plain(name));
                match self {
                    Self::En => format!(
                        "{from} offers {name} ({size} bytes): /accept {transfer} or /decline {transfer}"
                    ),
                    Self::Pt => format!(
                        "{from} oferece {name} ({size} bytes): /accept {transfer} ou /decline {transfer}"
                    ),
                    Self::Es => format!(
                        "{from} ofrece {name} ({size} bytes): /accept {transfer} o /decline {transfer}"
                    ),
                }
            }
            Event::Answered { transfer, wanted } => {
                let word = match wanted {
                    true => self.pick("wanted", "aceito", "aceptado"),
                    false => self.pick("declined", "recusado", "rechazado"),
                };
                let file = self.pick("File", "Arquivo", "Archivo");
                format!("{file} {transfer}: {word}.")
            }
            Event::FileEnded { transfer, why } => {
                let why = match why {
                    FileEnd::Gone => self.pick(
                        "the other side has gone",
                        "o outro lado foi embora",
                        "el otro lado se fue",
                    ),
                    FileEnd::Cancelled => self.pick("cancelled", "cancelado", "cancelado"),
                    FileEnd::Excess => self.pick(
                        "more came than was asked for",
                        "veio mais do que foi pedido",
                        "vino más de lo pedido",
                    ),
                };
                let file = self.pick("File", "Arquivo", "Archivo");
                format!("{file} {transfer}: {why}.")
            }
            _ => String::new(),
        }
    }

    const fn bye(self, why: Bye) -> &'static str {
        match why {
            Bye::Quit => self.pick("Goodbye.", "Até logo.", "Hasta luego."),
            Bye::Stopping => {
                self.pick("The server stops.", "O servidor vai parar.", "El servidor se detiene.")
            }
            Bye::Slow => self.pick(
                "The server dropped us: we read too slowly.",
                "O servidor nos desconectou: lemos devagar demais.",
                "El servidor nos desconectó: leemos demasiado despacio.",
            ),
            Bye::Flooding => self.pick(
                "The server dropped us: we sent too much.",
                "O servidor nos desconectou: enviamos demais.",
                "El servidor nos desconectó: enviamos demasiado.",
            ),
            Bye::Silent => self.pick(
                "The server dropped us: it did not hear us.",
                "O servidor nos desconectou: não nos ouviu.",
                "El servidor nos desconectó: no nos oyó.",
            ),
            Bye::Replaced => self.pick(
                "The same user has connected elsewhere.",
                "O mesmo usuário se conectou em outro lugar.",
                "El mismo usuario se conectó en otro lugar.",
            ),
            Bye::Malformed | Bye::Version => self.pick(
                "The server does not understand us: another version?",
                "O servidor não nos entende: outra versão?",
                "El servidor no nos entiende: ¿otra versión?",
            ),
            Bye::Unknown => self.pick(
                "The server does not know us.",
                "O servidor não nos conhece.",
                "El servidor no nos conoce.",
            ),
            Bye::Full => self.pick(
                "The server is full.",
                "O servidor está cheio.",
                "El servidor está lleno.",
            ),
        }
    }

    /// Why something was refused.
    pub fn reason(self, reason: Reason, detail: &str) -> String {
        let detail = plain(detail);
        let about = |text: &str| text.replace("{}", &detail);
        match reason {
            Reason::NickTaken => about(self.pick(
                "The name {} is taken, or looks like one that is.",
                "O nome {} já existe, ou parece com outro.",
                "El nombre {} ya existe, o se parece a otro.",
            )),
            Reason::BadName => about(self.pick(
                "{} is no name: letters of one alphabet, digits, - _ . and at most 24 of them.",
                "{} não é um nome: letras de um alfabeto, dígitos, - _ . e no máximo 24.",
                "{} no es un nombre: letras de un alfabeto, dígitos, - _ . y 24 como máximo.",
            )),
            Reason::NoSuchUser => about(self.pick(
                "Nobody is called {}: /list shows who is here.",
                "Ninguém se chama {}: /list mostra quem está aqui.",
                "Nadie se llama {}: /list muestra quién está aquí.",
            )),
            Reason::NoSuchRoom => about(self.pick(
                "There is no room {}: /rooms shows them.",
                "Não há sala {}: /rooms mostra todas.",
                "No hay sala {}: /rooms las muestra.",
            )),
            Reason::NotMember => about(self.pick(
                "You are not in {}: /join {}",
                "Você não está em {}: /join {}",
                "No estás en {}: /join {}",
            )),
            Reason::RoomExists => about(self.pick(
                "The room {} is there already: /join {}",
                "A sala {} já existe: /join {}",
                "La sala {} ya existe: /join {}",
            )),
            Reason::TooManyRooms => {
                self.pick("Too many rooms.", "Salas demais.", "Demasiadas salas.").to_owned()
            }
            Reason::NotCreator => self
                .pick(
                    "Only who made the room may do so.",
                    "Só quem criou a sala pode fazer isso.",
                    "Solo quien creó la sala puede hacerlo.",
                )
                .to_owned(),
            Reason::TooFast => about(self.pick(
                "Too fast: wait {} ms.",
                "Rápido demais: espere {} ms.",
                "Demasiado rápido: espera {} ms.",
            )),
            Reason::Gone => about(self.pick(
                "{} has gone before it arrived.",
                "{} foi embora antes que chegasse.",
                "{} se fue antes de que llegara.",
            )),
            Reason::TooManyFiles => self
                .pick(
                    "Too many files are on their way.",
                    "Há arquivos demais a caminho.",
                    "Hay demasiados archivos en camino.",
                )
                .to_owned(),
            Reason::FileName => about(self.pick(
                "The name {} is not allowed for a file.",
                "O nome {} não é permitido para um arquivo.",
                "El nombre {} no se permite para un archivo.",
            )),
            Reason::Other(code) => code.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn no_line_lets_a_terminal_be_steered() {
        let evil = "\u{1b}[2J\u{202e}\n".to_owned();
        let place = Place::Room(evil.clone());
        for lang in [Lang::En, Lang::Pt, Lang::Es] {
            for event in [
                Event::Said {
                    from: evil.clone(),
                    place: place.clone(),
                    kind: Kind::Text,
                    text: evil.clone(),
                },
                Event::Welcome { nick: evil.clone(), again: true },
                Event::Users { names: Vec::from([evil.clone()]), more: 1 },
                Event::Rooms { rooms: Vec::from([(evil.clone(), 1)]), more: 0 },
                Event::Members { room: evil.clone(), names: Vec::from([evil.clone()]), more: 0 },
                Event::Unconfirmed { text: evil.clone() },
                Event::NotSent { text: evil.clone(), reason: Reason::Gone, detail: evil.clone() },
                Event::Refused { reason: Reason::BadName, detail: evil.clone() },
                Event::Entered { room: evil.clone(), nick: evil.clone(), me: false },
                Event::Left {
                    room: evil.clone(),
                    nick: evil.clone(),
                    why: Parting::Left,
                    me: false,
                },
                Event::Renamed { old: evil.clone(), new: evil.clone(), me: false },
                Event::TalkingTo(place.clone()),
                Event::UnknownCommand(evil.clone()),
                Event::Offered { transfer: 1, from: evil.clone(), name: evil.clone(), size: 1 },
            ] {
                let lines = lang.lines(&event);
                assert!(!lines.is_empty(), "{event:?}");
                assert!(lines.iter().all(|line| crate::app::chat::is_plain(line)), "{lines:?}");
            }
        }
    }

    #[test]
    fn help_names_every_command_and_alias_in_every_language() {
        for lang in [Lang::En, Lang::Pt, Lang::Es] {
            let help = lang.help().join("\n");
            for row in &COMMANDS {
                assert!(row.names.iter().all(|name| help.contains(&format!("/{name}"))));
            }
        }
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        let reasons = [
            Reason::NickTaken,
            Reason::BadName,
            Reason::NoSuchUser,
            Reason::NoSuchRoom,
            Reason::NotMember,
            Reason::RoomExists,
            Reason::TooManyRooms,
            Reason::NotCreator,
            Reason::TooFast,
            Reason::Gone,
            Reason::TooManyFiles,
            Reason::FileName,
        ];
        for lang in [Lang::En, Lang::Pt, Lang::Es] {
            let texts: BTreeSet<_> = reasons.map(|reason| lang.reason(reason, "x")).into();
            assert_eq!(texts.len(), reasons.len());
        }
    }
}
