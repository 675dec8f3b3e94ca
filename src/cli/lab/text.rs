//! What the exercise prints, in English and, as the original did, in Portuguese.

use core::{fmt::Write, net::SocketAddr, time::Duration};

use clap::ValueEnum;
use rdtp::{
    app::lab::{Action, Arrival, ClientEvent, Ending, Fault, Lists, Verdict, input::COUNT_MAX},
    channel::Channel,
    classic::Fields,
    quantity::Span,
    rng::Seed,
    wire::{Kind, lab::ReplyMessage},
};

/// The language of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// English
    En,
    /// Portuguese
    Pt,
}

impl Lang {
    const fn pick<'a>(self, en: &'a str, pt: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Pt => pt,
        }
    }

    pub(super) const fn how_many(self) -> &'static str {
        self.pick("How many packets? ", "Quantos pacotes? ")
    }

    pub(super) const fn no_count(self) -> &'static str {
        self.pick("how many packets? give a number", "quantos pacotes? informe um número")
    }

    pub(super) fn not_a_count(self, text: &str) -> String {
        match self {
            Self::En => format!("\"{text}\" is no number from 1 to {COUNT_MAX}"),
            Self::Pt => format!("\"{text}\" não é um número de 1 a {COUNT_MAX}"),
        }
    }

    pub(super) fn wrote(self, path: &str, count: usize, first: i32, seed: Seed) -> String {
        match self {
            Self::En => {
                format!("{path}: {count} identifiers from {first}, then -1 (seed {seed})\n")
            }
            Self::Pt => {
                format!(
                    "{path}: {count} identificadores a partir de {first}, depois -1 (semente {seed})\n"
                )
            }
        }
    }

    pub(super) fn cannot_bind(self, address: SocketAddr, error: &std::io::Error) -> String {
        match self {
            Self::En => format!("{address}: {error}; try another --port, or 0 for any"),
            Self::Pt => format!("{address}: {error}; tente outra --port, ou 0 para qualquer uma"),
        }
    }

    pub(super) fn listening(self, protocol: &str, address: SocketAddr) -> String {
        match self {
            Self::En => format!("Server ({protocol}) listening on {address}\n"),
            Self::Pt => format!("Servidor ({protocol}) ouvindo em {address}\n"),
        }
    }

    /// A capture tool takes port 5000 for another protocol (C1).
    pub(super) const fn port_5000(self) -> &'static str {
        self.pick(
            "Captures show port 5000 as IPA, \"Malformed Packet\": decode it as data there.\n",
            "Capturas mostram a porta 5000 como IPA, \"Malformed Packet\": decodifique como dados.\n",
        )
    }

    const fn request(self) -> &'static str {
        self.pick("request for retransmission", "pedido de retransmissão")
    }

    pub(super) fn value(self, value: Option<i32>) -> String {
        value.map_or_else(|| self.pick("(illegible)", "(ilegível)").to_owned(), |v| v.to_string())
    }

    /// A line of the server: what arrived and what it answered.
    pub(super) fn arrived(
        self,
        peer: SocketAddr,
        arrival: Arrival,
        seq: Option<u8>,
        reply: ReplyMessage,
        fields: Fields,
    ) -> String {
        let packet =
            seq.map_or(String::new(), |seq| format!(" ({} {seq})", self.pick("packet", "pacote")));
        let verdict = match arrival.verdict {
            Verdict::Taken => self.pick("received", "recebido"),
            Verdict::Duplicate => self.pick("duplicate", "duplicado"),
            Verdict::Corrupt => self.pick("corrupted", "corrompido"),
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
    pub(super) fn lists(self, peer: SocketAddr, lists: &Lists, complete: bool) -> String {
        let state = if complete {
            self.pick("complete", "completo")
        } else {
            self.pick("incomplete so far", "incompleto até agora")
        };
        let received = lists.as_received().iter().map(|arrival| {
            let mark = match arrival.verdict {
                Verdict::Taken => "",
                Verdict::Duplicate => self.pick(" (duplicate)", " (duplicado)"),
                Verdict::Corrupt => self.pick(" (corrupted)", " (corrompido)"),
            };
            format!("{}{mark}", self.value(arrival.value))
        });
        let corrected = lists.corrected().into_iter().map(|value| value.to_string());
        let duplicates = lists.duplicates().map(|value| self.value(value));
        let corrupted = lists.corrupted().map(|value| self.value(value));
        let mut text = format!("{peer}: {state}\n");
        for (name, list) in [
            (self.pick("as received", "recebidos"), received.collect::<Vec<_>>()),
            (self.pick("corrected", "corrigidos"), corrected.collect()),
            (self.pick("duplicates", "duplicados"), duplicates.collect()),
            (self.pick("corrupted", "corrompidos"), corrupted.collect()),
        ] {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name}: {}", self.joined(&list));
        }
        text
    }

    pub(super) fn joined(self, list: &[String]) -> String {
        if list.is_empty() { self.pick("(none)", "(nenhum)").to_owned() } else { list.join(", ") }
    }

    pub(super) fn sending(
        self,
        count: usize,
        server: SocketAddr,
        protocol: &str,
        seed: Seed,
    ) -> String {
        match self {
            Self::En => {
                format!("Sending {count} numbers and -1 to {server} with {protocol}, seed {seed}\n")
            }
            Self::Pt => format!(
                "Enviando {count} números e -1 para {server} com {protocol}, semente {seed}\n"
            ),
        }
    }

    /// A warning, when true faults are more than the protocol bears.
    pub(super) fn not_tolerated(self, protocol: &str, tolerates: Channel) -> Option<String> {
        let faults = match (tolerates.lose, tolerates.duplicate) {
            (true, true) => return None,
            (false, true) => self.pick("loss", "perda"),
            (true, false) => self.pick("copies", "cópias"),
            (false, false) => self.pick("loss or copies", "perda ou cópias"),
        };
        Some(match self {
            Self::En => format!("{protocol} is not made for a channel with {faults}\n"),
            Self::Pt => format!("{protocol} não foi feito para um canal com {faults}\n"),
        })
    }

    /// The list that is left; of a long one its beginning.
    pub(super) fn remaining<'a>(self, list: impl ExactSizeIterator<Item = &'a i32>) -> String {
        const SHOWN_MAX: usize = 50;
        let more = list.len().saturating_sub(SHOWN_MAX);
        let mut text: Vec<String> = list.take(SHOWN_MAX).map(ToString::to_string).collect();
        match self {
            _ if more == 0 => {}
            Self::En => text.push(format!("... ({more} more)")),
            Self::Pt => text.push(format!("... (mais {more})")),
        }
        format!("{}: {}\n", self.pick("Remaining", "Lista atual"), self.joined(&text))
    }

    /// The five items (S2-04) and the prompt.
    pub(super) fn menu(self) -> String {
        let mut text = String::new();
        for (number, action) in (1..).zip(Action::MENU) {
            let item = match action {
                Action::Correct => self.pick("send correctly", "enviar corretamente"),
                Action::Loss => self.pick("send with loss", "enviar com perda"),
                Action::Duplicate => self.pick("send duplicated", "enviar duplicado"),
                Action::Shuffle => self.pick("shuffle the list", "embaralhar a lista atual"),
                Action::Quit => self.pick("quit", "sair"),
            };
            let _ = writeln!(text, "({number}) {item}");
        }
        text + "> "
    }

    pub(super) fn no_such_item(self, text: &str) -> String {
        match self {
            Self::En => format!("\"{text}\" is no item of the menu: choose one of 1, 2, 3, 4, 5"),
            Self::Pt => format!("\"{text}\" não é um item do menu: escolha 1, 2, 3, 4 ou 5"),
        }
    }

    pub(super) const fn make_input(self) -> &'static str {
        self.pick("`rdtp lab input N` makes one", "`rdtp lab input N` cria um")
    }

    pub(super) const fn address_form(self) -> &'static str {
        self.pick("write HOST:PORT", "escreva HOST:PORTA")
    }

    /// A line of the client. `stale` says whether duplicates are meant to carry a stale number.
    pub(super) fn event(self, event: ClientEvent, fields: Fields, stale: bool) -> String {
        match event {
            ClientEvent::Sent { value, seq, fault, attempt } => {
                let again = if attempt > 1 { self.pick(", again", ", de novo") } else { "" };
                let packet = self.pick("packet", "pacote");
                let fault = self.fault(fault, stale && !fields.feedback_seq);
                format!("  -> {value} ({packet} {seq}){again}{fault}\n")
            }
            ClientEvent::Answered { kind, seq, refused, resends } => {
                let answer = answer(kind, seq, fields);
                let note = match (resends, refused) {
                    (true, _) => format!(", {}", self.request()),
                    (false, Some(_)) => self.pick(", ignored", ", ignorado").to_owned(),
                    (false, None) => String::new(),
                };
                format!("  <- {answer}{note}\n")
            }
            ClientEvent::Garbled { resends } => {
                let note = if resends { self.request() } else { self.pick("ignored", "ignorado") };
                format!("  <- {}, {note}\n", self.pick("damaged answer", "resposta corrompida"))
            }
            ClientEvent::TimedOut => {
                self.pick("  the timer ran out\n", "  o temporizador expirou\n").to_owned()
            }
            ClientEvent::Confirmed { value } => {
                format!("  {value} {}\n", self.pick("confirmed", "confirmado"))
            }
            ClientEvent::Shuffled => self.pick("  shuffled\n", "  lista embaralhada\n").to_owned(),
            ClientEvent::Over(_) => String::new(),
        }
    }

    fn fault(self, fault: Option<Fault>, instead_of_stale: bool) -> String {
        let what = match fault {
            None => return String::new(),
            Some(Fault::Corrupt) => self.pick(
                "loss: the checksum is wrong",
                "perda: o checksum está errado",
            ),
            Some(Fault::StaleNumber) => self.pick(
                "duplicate: it carries the number of the packet before",
                "duplicado: leva o número do pacote anterior",
            ),
            Some(Fault::Drop) => self.pick("loss: it was not sent", "perda: não foi enviado"),
            Some(Fault::Copy) if instead_of_stale => self.pick(
                "duplicate: sent twice, for an old number would go unnoticed: the ACK has none",
                "duplicado: enviado duas vezes, pois um número antigo passaria: o ACK não tem número",
            ),
            Some(Fault::Copy) => {
                self.pick("duplicate: sent twice", "duplicado: enviado duas vezes")
            }
        };
        format!(" [{what}]")
    }

    /// How it ended, and what to do about it.
    pub(super) fn ending(self, ending: Ending, protocol: &str, patience: Duration) -> String {
        let patience = Span(patience);
        match (ending, self) {
            (Ending::Done, _) => self.pick("All sent.\n", "Tudo enviado.\n").to_owned(),
            (Ending::Quit, _) => self.pick("Bye.\n", "Até logo.\n").to_owned(),
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
            (Ending::Deadlock { value, dropped: false }, Self::En) => format!(
                "Deadlock: no answer to {value} for {patience}, and {protocol} has no timer. Is the \
                 server running, with the same --protocol?\n"
            ),
            (Ending::Deadlock { value, dropped: false }, Self::Pt) => format!(
                "Impasse: nenhuma resposta a {value} por {patience}, e {protocol} não tem \
                 temporizador. O servidor está rodando, com o mesmo --protocol?\n"
            ),
            (Ending::GaveUp { value, attempts }, Self::En) => format!(
                "Gave up: {value} was sent {attempts} times. Is the server running, with the same \
                 --protocol and --checksum?\n"
            ),
            (Ending::GaveUp { value, attempts }, Self::Pt) => format!(
                "Desisti: {value} foi enviado {attempts} vezes. O servidor está rodando, com o mesmo \
                 --protocol e --checksum?\n"
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
