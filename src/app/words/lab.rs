//! What the exercise says; in Portuguese as the original did.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt::{Display, Write as _},
    net::SocketAddr,
    time::Duration,
};

use super::Lang;
use crate::{
    app::lab::{Action, Arrival, ClientEvent, Ending, Fault, Lists, Verdict, input::COUNT_MAX},
    channel::Channel,
    classic::Fields,
    quantity::Span,
    rng::Seed,
    wire::{Kind, lab::ReplyMessage},
};

impl Lang {
    /// Asks for the length of the list.
    pub const fn how_many(self) -> &'static str {
        self.pick("How many packets? ", "Quantos pacotes? ", "¿Cuántos paquetes? ")
    }

    /// There was no answer to [`how_many`](Self::how_many).
    pub const fn no_count(self) -> &'static str {
        self.pick(
            "how many packets? give a number",
            "quantos pacotes? informe um número",
            "¿cuántos paquetes? indique un número",
        )
    }

    /// What was answered is no length of a list.
    pub fn not_a_count(self, text: &str) -> String {
        match self {
            Self::En => format!("\"{text}\" is no number from 1 to {COUNT_MAX}"),
            Self::Pt => format!("\"{text}\" não é um número de 1 a {COUNT_MAX}"),
            Self::Es => format!("\"{text}\" no es un número de 1 a {COUNT_MAX}"),
        }
    }

    /// The list is in its file.
    pub fn wrote(self, path: &str, count: usize, first: i32, seed: Seed) -> String {
        match self {
            Self::En => {
                format!("{path}: {count} identifiers from {first}, then -1 (seed {seed})\n")
            }
            Self::Pt => {
                format!(
                    "{path}: {count} identificadores a partir de {first}, depois -1 (semente {seed})\n"
                )
            }
            Self::Es => {
                format!(
                    "{path}: {count} identificadores a partir de {first}, después -1 (semilla {seed})\n"
                )
            }
        }
    }

    /// The port cannot be had.
    pub fn cannot_bind(self, address: SocketAddr, error: &dyn Display) -> String {
        match self {
            Self::En => format!("{address}: {error}; try another --port, or 0 for any"),
            Self::Pt => format!("{address}: {error}; tente outra --port, ou 0 para qualquer uma"),
            Self::Es => format!("{address}: {error}; pruebe otro --port, o 0 para cualquiera"),
        }
    }

    /// The server is there.
    pub fn listening(self, protocol: &str, address: SocketAddr) -> String {
        match self {
            Self::En => format!("Server ({protocol}) listening on {address}\n"),
            Self::Pt => format!("Servidor ({protocol}) ouvindo em {address}\n"),
            Self::Es => format!("Servidor ({protocol}) escuchando en {address}\n"),
        }
    }

    /// A capture tool takes port 5000 for another protocol (C1).
    pub const fn port_5000(self) -> &'static str {
        self.pick("Captures show port 5000 as IPA, \"Malformed Packet\": decode it as data there.\n", "Capturas mostram a porta 5000 como IPA, \"Malformed Packet\": decodifique como dados.\n", "Las capturas muestran el puerto 5000 como IPA, \"Malformed Packet\": decodifíquelo como datos.\n")
    }

    const fn request(self) -> &'static str {
        self.pick(
            "request for retransmission",
            "pedido de retransmissão",
            "petición de retransmisión",
        )
    }

    /// A value, if it can be read.
    pub fn value(self, value: Option<i32>) -> String {
        value.map_or_else(
            || self.pick("(illegible)", "(ilegível)", "(ilegible)").to_owned(),
            |v| v.to_string(),
        )
    }

    /// A line of the server: what arrived and what it answered.
    pub fn arrived(
        self,
        peer: SocketAddr,
        arrival: Arrival,
        seq: Option<u8>,
        reply: ReplyMessage,
        fields: Fields,
    ) -> String {
        let packet = seq.map_or(String::new(), |seq| {
            format!(" ({} {seq})", self.pick("packet", "pacote", "paquete"))
        });
        let verdict = match arrival.verdict {
            Verdict::Taken => self.pick("received", "recebido", "recibido"),
            Verdict::Duplicate => self.pick("duplicate", "duplicado", "duplicado"),
            Verdict::Corrupt => self.pick("corrupted", "corrompido", "corrupto"),
        };
        let answer = answer(if reply.ack { Kind::Ack } else { Kind::Nak }, reply.seq, fields);
        let asks = if arrival.verdict == Verdict::Corrupt {
            format!(", {}", self.request())
        } else {
            String::new()
        };
        format!("{peer}: {}{packet} {verdict} -> {answer}{asks}\n", self.value(arrival.value))
    }

    /// The four lists (S2-09).
    pub fn lists(self, peer: SocketAddr, lists: &Lists, complete: bool) -> String {
        let state = if complete {
            self.pick("complete", "completo", "completo")
        } else {
            self.pick("incomplete so far", "incompleto até agora", "incompleto hasta ahora")
        };
        let received = lists.as_received().iter().map(|arrival| {
            let mark = match arrival.verdict {
                Verdict::Taken => "",
                Verdict::Duplicate => self.pick(" (duplicate)", " (duplicado)", " (duplicado)"),
                Verdict::Corrupt => self.pick(" (corrupted)", " (corrompido)", " (corrupto)"),
            };
            format!("{}{mark}", self.value(arrival.value))
        });
        let corrected = lists.corrected().into_iter().map(|value| value.to_string());
        let duplicates = lists.duplicates().map(|value| self.value(value));
        let corrupted = lists.corrupted().map(|value| self.value(value));
        let mut text = format!("{peer}: {state}\n");
        for (name, list) in [
            (self.pick("as received", "recebidos", "recibidos"), received.collect::<Vec<_>>()),
            (self.pick("corrected", "corrigidos", "corregidos"), corrected.collect()),
            (self.pick("duplicates", "duplicados", "duplicados"), duplicates.collect()),
            (self.pick("corrupted", "corrompidos", "corruptos"), corrupted.collect()),
        ] {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name}: {}", self.joined(&list));
        }
        text
    }

    /// A list in one line.
    pub fn joined(self, list: &[String]) -> String {
        if list.is_empty() {
            self.pick("(none)", "(nenhum)", "(ninguno)").to_owned()
        } else {
            list.join(", ")
        }
    }

    /// The client begins.
    pub fn sending(self, count: usize, server: SocketAddr, protocol: &str, seed: Seed) -> String {
        match self {
            Self::En => {
                format!("Sending {count} numbers and -1 to {server} with {protocol}, seed {seed}\n")
            }
            Self::Pt => format!(
                "Enviando {count} números e -1 para {server} com {protocol}, semente {seed}\n"
            ),
            Self::Es => {
                format!("Enviando {count} números y -1 a {server} con {protocol}, semilla {seed}\n")
            }
        }
    }

    /// A warning, when true faults are more than the protocol bears.
    pub fn not_tolerated(self, protocol: &str, tolerates: Channel) -> Option<String> {
        let faults = match (tolerates.lose, tolerates.duplicate) {
            (true, true) => return None,
            (false, true) => self.pick("loss", "perda", "pérdida"),
            (true, false) => self.pick("copies", "cópias", "copias"),
            (false, false) => self.pick("loss or copies", "perda ou cópias", "pérdida o copias"),
        };
        Some(match self {
            Self::En => format!("{protocol} is not made for a channel with {faults}\n"),
            Self::Pt => format!("{protocol} não foi feito para um canal com {faults}\n"),
            Self::Es => format!("{protocol} no está hecho para un canal con {faults}\n"),
        })
    }

    /// The list that is left; of a long one its beginning.
    pub fn remaining<'a>(self, list: impl ExactSizeIterator<Item = &'a i32>) -> String {
        const SHOWN_MAX: usize = 50;
        let more = list.len().saturating_sub(SHOWN_MAX);
        let mut text: Vec<String> = list.take(SHOWN_MAX).map(ToString::to_string).collect();
        match self {
            _ if more == 0 => {}
            Self::En => text.push(format!("... ({more} more)")),
            Self::Pt => text.push(format!("... (mais {more})")),
            Self::Es => text.push(format!("... ({more} más)")),
        }
        format!(
            "{}: {}\n",
            self.pick("Remaining", "Lista atual", "Lista actual"),
            self.joined(&text)
        )
    }

    /// The five items (S2-04) and the prompt.
    pub fn menu(self) -> String {
        let mut text = String::new();
        for (number, action) in (1..).zip(Action::MENU) {
            let item = match action {
                Action::Correct => {
                    self.pick("send correctly", "enviar corretamente", "enviar correctamente")
                }
                Action::Loss => {
                    self.pick("send with loss", "enviar com perda", "enviar con pérdida")
                }
                Action::Duplicate => {
                    self.pick("send duplicated", "enviar duplicado", "enviar duplicado")
                }
                Action::Shuffle => self.pick(
                    "shuffle the list",
                    "embaralhar a lista atual",
                    "barajar la lista actual",
                ),
                Action::Quit => self.pick("quit", "sair", "salir"),
            };
            let _ = writeln!(text, "({number}) {item}");
        }
        text + "> "
    }

    /// What was answered is no item of the [`menu`](Self::menu).
    pub fn no_such_item(self, text: &str) -> String {
        match self {
            Self::En => format!("\"{text}\" is no item of the menu: choose one of 1, 2, 3, 4, 5"),
            Self::Pt => format!("\"{text}\" não é um item do menu: escolha 1, 2, 3, 4 ou 5"),
            Self::Es => format!("\"{text}\" no es una opción del menú: elija 1, 2, 3, 4 o 5"),
        }
    }

    /// What to do without a list.
    pub const fn make_input(self) -> &'static str {
        self.pick(
            "`rdtp lab input N` makes one",
            "`rdtp lab input N` cria um",
            "`rdtp lab input N` crea uno",
        )
    }

    /// How an address is written.
    pub const fn address_form(self) -> &'static str {
        self.pick("write HOST:PORT", "escreva HOST:PORTA", "escriba HOST:PUERTO")
    }

    /// A line of the client. `stale` says whether duplicates are meant to carry a stale number.
    pub fn event(self, event: ClientEvent, fields: Fields, stale: bool) -> String {
        match event {
            ClientEvent::Sent { value, seq, fault, attempt } => {
                let again =
                    if attempt > 1 { self.pick(", again", ", de novo", ", de nuevo") } else { "" };
                let packet = self.pick("packet", "pacote", "paquete");
                let fault = self.fault(fault, stale && !fields.feedback_seq);
                format!("  -> {value} ({packet} {seq}){again}{fault}\n")
            }
            ClientEvent::Answered { kind, seq, refused, resends } => {
                let answer = answer(kind, seq, fields);
                let note = match (resends, refused) {
                    (true, _) => format!(", {}", self.request()),
                    (false, Some(_)) => {
                        self.pick(", ignored", ", ignorado", ", ignorado").to_owned()
                    }
                    (false, None) => String::new(),
                };
                format!("  <- {answer}{note}\n")
            }
            ClientEvent::Garbled { resends } => {
                let note = if resends {
                    self.request()
                } else {
                    self.pick("ignored", "ignorado", "ignorado")
                };
                format!(
                    "  <- {}, {note}\n",
                    self.pick("damaged answer", "resposta corrompida", "respuesta corrupta")
                )
            }
            ClientEvent::TimedOut => self
                .pick(
                    "  the timer ran out\n",
                    "  o temporizador expirou\n",
                    "  el temporizador expiró\n",
                )
                .to_owned(),
            ClientEvent::Confirmed { value } => {
                format!("  {value} {}\n", self.pick("confirmed", "confirmado", "confirmado"))
            }
            ClientEvent::Shuffled => {
                self.pick("  shuffled\n", "  lista embaralhada\n", "  lista barajada\n").to_owned()
            }
            ClientEvent::Over(_) => String::new(),
        }
    }

    fn fault(self, fault: Option<Fault>, instead_of_stale: bool) -> String {
        let what = match fault {
            None => return String::new(),
            Some(Fault::Corrupt) => self.pick("loss: the checksum is wrong", "perda: o checksum está errado", "pérdida: el checksum es incorrecto"),
            Some(Fault::StaleNumber) => self.pick("duplicate: it carries the number of the packet before", "duplicado: leva o número do pacote anterior", "duplicado: lleva el número del paquete anterior"),
            Some(Fault::Drop) => self.pick("loss: it was not sent", "perda: não foi enviado", "pérdida: no se envió"),
            Some(Fault::Copy) if instead_of_stale => self.pick("duplicate: sent twice, for an old number would go unnoticed: the ACK has none", "duplicado: enviado duas vezes, pois um número antigo passaria: o ACK não tem número", "duplicado: enviado dos veces, pues un número antiguo pasaría: el ACK no tiene número"),
            Some(Fault::Copy) => {
                self.pick("duplicate: sent twice", "duplicado: enviado duas vezes", "duplicado: enviado dos veces")
            }
        };
        format!(" [{what}]")
    }

    /// How it ended, and what to do about it.
    pub fn ending(self, ending: Ending, protocol: &str, patience: Duration) -> String {
        let patience = Span(patience);
        match (ending, self) {
            (Ending::Done, _) => {
                self.pick("All sent.\n", "Tudo enviado.\n", "Todo enviado.\n").to_owned()
            }
            (Ending::Quit, _) => self.pick("Bye.\n", "Até logo.\n", "Hasta luego.\n").to_owned(),
            (Ending::Deadlock { value, dropped: true }, Self::En) => format!(
                "Deadlock: nothing for {patience}. {value} was lost, so the server has nothing to \
                 answer; this client waits for an answer; and {protocol} has no timer that would \
                 send it again. Both wait for ever. Try --protocol rdt3.0.\n"
            ),
            (Ending::Deadlock { value, dropped: true }, Self::Pt) => format!(
                "Impasse: nada por {patience}. {value} se perdeu, então o servidor não tem o que \
                 responder; este cliente espera uma resposta; e {protocol} não tem temporizador que \
                 reenvie. Os dois esperam para sempre. Tente --protocol rdt3.0.\n"
            ),
            (Ending::Deadlock { value, dropped: true }, Self::Es) => format!(
                "Bloqueo: nada durante {patience}. {value} se perdió, así que el servidor no tiene qué \
                 responder; este cliente espera una respuesta; y {protocol} no tiene temporizador que \
                 reenvíe. Los dos esperan para siempre. Pruebe --protocol rdt3.0.\n"
            ),
            (Ending::Deadlock { value, dropped: false }, Self::En) => format!(
                "Deadlock: no answer to {value} for {patience}, and {protocol} has no timer. Is the \
                 server running, with the same --protocol?\n"
            ),
            (Ending::Deadlock { value, dropped: false }, Self::Pt) => format!(
                "Impasse: nenhuma resposta a {value} por {patience}, e {protocol} não tem \
                 temporizador. O servidor está rodando, com o mesmo --protocol?\n"
            ),
            (Ending::Deadlock { value, dropped: false }, Self::Es) => format!(
                "Bloqueo: ninguna respuesta a {value} durante {patience}, y {protocol} no tiene \
                 temporizador. ¿Está el servidor en marcha, con el mismo --protocol?\n"
            ),
            (Ending::GaveUp { value, attempts }, Self::En) => format!(
                "Gave up: {value} was sent {attempts} times. Is the server running, with the same \
                 --protocol and --checksum?\n"
            ),
            (Ending::GaveUp { value, attempts }, Self::Pt) => format!(
                "Desisti: {value} foi enviado {attempts} vezes. O servidor está rodando, com o mesmo \
                 --protocol e --checksum?\n"
            ),
            (Ending::GaveUp { value, attempts }, Self::Es) => format!(
                "Abandono: {value} se envió {attempts} veces. ¿Está el servidor en marcha, con el \
                 mismo --protocol y --checksum?\n"
            ),
        }
    }
}

/// An answer by name; with a number only where the protocol has one.
fn answer(kind: Kind, seq: u8, fields: Fields) -> String {
    match kind {
        Kind::Nak => "NAK".to_owned(),
        _ if fields.feedback_seq => format!("ACK {seq}"),
        _ => "ACK".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{Protocol as _, rdt22::Rdt22};
    use alloc::collections::BTreeSet;

    /// Whatever the exercise says, it says it in three ways.
    #[test]
    fn the_exercise_is_in_three_languages() {
        let at = SocketAddr::from(([127, 0, 0, 1], 5000));
        let none = Channel::PERFECT;
        let second = Duration::from_secs(1);
        let sent = |fault| ClientEvent::Sent { value: 7, seq: 1, fault, attempt: 2 };
        let of = |lang: Lang| {
            [
                lang.how_many().to_owned(),
                lang.no_count().to_owned(),
                lang.not_a_count("x"),
                lang.wrote("list", 3, 7, Seed::new(1)),
                lang.cannot_bind(at, &"in use"),
                lang.listening("rdt2.2", at),
                lang.port_5000().to_owned(),
                lang.value(None),
                lang.joined(&[]),
                lang.lists(at, &Lists::default(), false),
                lang.sending(3, at, "rdt2.2", Seed::new(1)),
                lang.not_tolerated("rdt2.2", none).unwrap_or_default(),
                lang.remaining([1; 51].iter()),
                lang.menu(),
                lang.no_such_item("9"),
                lang.make_input().to_owned(),
                lang.address_form().to_owned(),
                lang.event(sent(Some(Fault::Corrupt)), Rdt22::FIELDS, false),
                lang.event(sent(Some(Fault::Drop)), Rdt22::FIELDS, false),
                lang.event(ClientEvent::TimedOut, Rdt22::FIELDS, false),
                lang.event(ClientEvent::Shuffled, Rdt22::FIELDS, false),
                lang.ending(Ending::Done, "rdt2.2", second),
                lang.ending(Ending::Quit, "rdt2.2", second),
                lang.ending(Ending::Deadlock { value: 7, dropped: true }, "rdt2.2", second),
                lang.ending(Ending::Deadlock { value: 7, dropped: false }, "rdt2.2", second),
                lang.ending(Ending::GaveUp { value: 7, attempts: 9 }, "rdt3.0", second),
            ]
        };
        let [en, pt, es] = [Lang::En, Lang::Pt, Lang::Es].map(of);
        for ((en, pt), es) in en.iter().zip(&pt).zip(&es) {
            assert_eq!(BTreeSet::from([en, pt, es]).len(), 3, "{en:?}, {pt:?}, {es:?}");
        }
    }
}
