//! What the program around a chat says: its start, its files, its screen.

use super::Lang;
use crate::app::chat::FileEnd;

impl Lang {
    /// Asks for a name.
    pub const fn ask_nick(self) -> &'static str {
        self.pick("Nickname", "Digite seu apelido para registro", "Apodo")
    }

    /// Nobody answers, and the program serves.
    pub const fn serves_instead(self) -> &'static str {
        self.pick(
            "nobody answers there, so this program serves",
            "ninguém responde lá, então este programa serve",
            "nadie responde allí, así que este programa sirve",
        )
    }

    /// The program waits for another one, without a server between; the address follows.
    pub const fn waiting_at(self) -> &'static str {
        self.pick("waiting for the other at", "esperando o outro em", "esperando al otro en")
    }

    /// The network cannot be made worse here.
    pub const fn no_datagrams(self) -> &'static str {
        self.pick(
            "There are no datagrams of ours to lose over tcp.",
            "Sobre tcp não há datagramas nossos a perder.",
            "Sobre tcp no hay datagramas nuestros que perder.",
        )
    }

    /// Nobody counts the packets.
    pub const fn system_repeats(self) -> &'static str {
        self.pick(
            "the system repeats what is lost",
            "o sistema repete o que se perde",
            "el sistema repite lo que se pierde",
        )
    }

    /// What packets were: sent, lost, sent again.
    pub const fn packets(self) -> [&'static str; 3] {
        [
            self.pick("sent", "enviados", "enviados"),
            self.pick("lost", "perdidos", "perdidos"),
            self.pick("resent", "repetidos", "repetidos"),
        ]
    }

    /// What was to be offered is a folder, a device or the like.
    pub const fn no_regular_file(self) -> &'static str {
        self.pick("not a regular file", "não é um arquivo comum", "no es un archivo común")
    }

    /// There is nothing to accept.
    pub const fn no_such_offer(self) -> &'static str {
        self.pick("No such offer.", "Não há essa oferta.", "No hay tal oferta.")
    }

    /// A transfer was cancelled here.
    pub const fn file_cancelled(self) -> &'static str {
        self.pick("cancelled", "cancelado", "cancelado")
    }

    /// The other does not want a file.
    pub const fn file_declined(self) -> &'static str {
        self.pick("declined", "recusado", "rechazado")
    }

    /// A transfer has ended elsewhere.
    pub const fn file_ended(self, why: FileEnd) -> &'static str {
        match why {
            FileEnd::Gone => self.pick(
                "not delivered: the other side has gone",
                "não entregue: o outro lado foi embora",
                "no entregado: el otro lado se fue",
            ),
            FileEnd::Cancelled => self.pick(
                "cancelled by the other side",
                "cancelado pelo outro lado",
                "cancelado por el otro lado",
            ),
            FileEnd::Excess => self.pick(
                "ended by the server",
                "encerrado pelo servidor",
                "terminado por el servidor",
            ),
        }
    }

    /// Whether a file of this program has arrived.
    pub const fn file_delivered(self, well: bool) -> &'static str {
        if well {
            self.pick("delivered", "entregue", "entregado")
        } else {
            self.pick("not delivered", "não entregue", "no entregado")
        }
    }

    /// Whether a file is stored here; if so, a path follows.
    pub const fn file_stored(self, well: bool) -> &'static str {
        if well {
            self.pick("stored as", "guardado como", "guardado como")
        } else {
            self.pick("not stored", "não guardado", "no guardado")
        }
    }

    /// A transfer in which nothing moved.
    pub const fn file_given_up(self) -> &'static str {
        self.pick("given up", "desistiu-se", "abandonado")
    }

    /// On the screen: the place where everybody hears.
    pub const fn everybody(self) -> &'static str {
        self.pick("everybody", "todos", "todos")
    }

    /// On the screen: above the rooms.
    pub const fn rooms(self) -> &'static str {
        self.pick("Rooms", "Salas", "Salas")
    }

    /// On the screen: above those who are in the room.
    pub const fn here(self) -> &'static str {
        self.pick("Here", "Aqui", "Aquí")
    }

    /// On the screen: the newest lines are not shown.
    pub const fn more_below(self) -> &'static str {
        self.pick("more below", "há mais abaixo", "hay más abajo")
    }

    /// On the screen: instead of counts.
    pub const fn no_connection(self) -> &'static str {
        self.pick("no connection", "sem conexão", "sin conexión")
    }

    /// On the screen: before the count of what is not confirmed.
    pub const fn waiting(self) -> &'static str {
        self.pick("waiting", "esperam", "esperan")
    }

    /// On the screen: what keys do.
    pub const fn keys_always(self) -> &'static str {
        self.pick(
            "Ctrl-N, Ctrl-P places | PgUp, PgDn | Ctrl-C ends",
            "Ctrl-N, Ctrl-P lugares | PgUp, PgDn | Ctrl-C sai",
            "Ctrl-N, Ctrl-P lugares | PgUp, PgDn | Ctrl-C sale",
        )
    }

    /// On the screen: what keys do to the network.
    pub const fn keys_of_network(self) -> &'static str {
        self.pick("F2 worse, F3 better", "F2 pior, F3 melhor", "F2 peor, F3 mejor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lang: Lang) -> [&'static str; 25] {
        let [sent, lost, resent] = lang.packets();
        [
            lang.ask_nick(),
            lang.serves_instead(),
            lang.waiting_at(),
            lang.no_datagrams(),
            lang.system_repeats(),
            sent,
            lost,
            resent,
            lang.no_regular_file(),
            lang.no_such_offer(),
            lang.file_cancelled(),
            lang.file_declined(),
            lang.file_ended(FileEnd::Gone),
            lang.file_ended(FileEnd::Cancelled),
            lang.file_ended(FileEnd::Excess),
            lang.file_delivered(true),
            lang.file_stored(true),
            lang.file_given_up(),
            lang.everybody(),
            lang.here(),
            lang.more_below(),
            lang.no_connection(),
            lang.waiting(),
            lang.keys_always(),
            lang.keys_of_network(),
        ]
    }

    /// In each language every word means one thing, and none is left in English.
    #[test]
    fn the_program_speaks_three_languages() {
        let [en, pt, es] = [Lang::En, Lang::Pt, Lang::Es].map(all);
        for texts in [&en, &pt, &es] {
            let distinct: alloc::collections::BTreeSet<_> = texts.iter().collect();
            assert_eq!(distinct.len(), texts.len());
            assert!(texts.iter().all(|text| crate::app::chat::is_plain(text)));
        }
        for (en, (pt, es)) in en.iter().zip(pt.iter().zip(&es)) {
            assert!(en != pt && en != es, "{en}");
        }
        for lang in [Lang::En, Lang::Pt, Lang::Es] {
            assert_ne!(lang.file_delivered(true), lang.file_delivered(false));
            assert_ne!(lang.file_stored(true), lang.file_stored(false));
            assert_ne!(lang.rooms(), lang.here());
        }
    }
}
