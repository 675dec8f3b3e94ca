//! What the monitor says, in English, Spanish and, as the original did, in Portuguese.

use core::{fmt::Write as _, net::SocketAddr, time::Duration};

use clap::ValueEnum;
use rdtp::app::monitor::{Change, Sample, Status};

/// The language of the output and of mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// English
    En,
    /// Portuguese
    Pt,
    /// Spanish
    Es,
}

/// Milliseconds with two decimals, wherever a latency is shown (C21).
pub(super) fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

impl Lang {
    /// The language of the locale: what POSIX asks of `LC_ALL`, `LC_MESSAGES` and `LANG`, in this
    /// order. English when it is none of these.
    pub(super) fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
        match locale.unwrap_or_default().get(..2) {
            Some("pt") => Self::Pt,
            Some("es") => Self::Es,
            _ => Self::En,
        }
    }

    const fn pick<'a>(self, en: &'a str, pt: &'a str, es: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Pt => pt,
            Self::Es => es,
        }
    }

    /// S1-16.
    pub(super) const fn status(self, status: Status) -> &'static str {
        match status {
            Status::Normal => "Normal",
            Status::Slow => self.pick("Slow", "Lenta", "Lenta"),
            Status::VerySlow => self.pick("Very Slow", "Muito Lenta", "Muy Lenta"),
            Status::Inactive => self.pick("Inactive", "Inativa", "Inactiva"),
        }
    }

    /// What a connection is called in sentences of S1-17.
    const fn connection(self) -> &'static str {
        self.pick("Connection", "Conexão", "Conexión")
    }

    pub(super) const fn latency(self) -> &'static str {
        self.pick("Latency", "Latência", "Latencia")
    }

    /// S1-17.
    pub(super) fn sample(self, sample: &Sample) -> String {
        let (connection, status) = (self.connection(), self.status(sample.status));
        match sample.rtt {
            Some(rtt) => {
                format!("{connection} {status}. {}: {} ms", self.latency(), millis(rtt))
            }
            None => format!("{connection} {status}."),
        }
    }

    pub(super) fn change(self, change: &Change) -> String {
        let (from, to) = (self.status(change.from), self.status(change.to));
        let lasted = lasted(change.lasted);
        match self {
            Self::En => format!("** {from} for {lasted}, now {to}"),
            Self::Pt => format!("** {from} por {lasted}, agora {to}"),
            Self::Es => format!("** {from} durante {lasted}, ahora {to}"),
        }
    }

    /// S1-19, for every sample as the original sent it.
    #[cfg(feature = "mail")]
    pub(super) fn subject(self, status: Status) -> String {
        let alert = self.pick("Latency alert", "Alerta de latência", "Alerta de latencia");
        format!("{alert}: {}", self.status(status))
    }

    /// The subject of a change.
    #[cfg(feature = "mail")]
    pub(super) fn change_subject(self, change: &Change) -> String {
        if !change.is_recovery() {
            return self.subject(change.to);
        }
        let recovered =
            self.pick("Latency recovered", "Latência recuperada", "Latencia recuperada");
        format!("{recovered}: {}", self.status(change.to))
    }

    /// S1-19. `faithful` is the text of the original to the letter, which gives no answer a unit.
    #[cfg(feature = "mail")]
    pub(super) fn body(
        self,
        target: SocketAddr,
        status: Status,
        rtt: Option<Duration>,
        faithful: bool,
    ) -> String {
        let (status, latency) = (self.status(status), self.latency());
        let measured = match rtt {
            Some(rtt) => format!("{} ms", millis(rtt)),
            None if faithful => "Sem Resposta ms".to_owned(),
            None => self.pick("no answer", "Sem Resposta", "sin respuesta").to_owned(),
        };
        match self {
            Self::En => {
                format!("The connection to {target} is {status}.\n{latency}: {measured}")
            }
            Self::Pt => format!("A conexão ao {target} está {status}.\n{latency}: {measured}"),
            Self::Es => {
                format!("La conexión a {target} está {status}.\n{latency}: {measured}")
            }
        }
    }

    /// What a mail about a change says beyond the original's.
    #[cfg(feature = "mail")]
    pub(super) fn history(self, change: &Change, consecutive: u32) -> String {
        let (from, lasted) = (self.status(change.from), lasted(change.lasted));
        match self {
            Self::En => {
                format!("It was {from} for {lasted}; samples in a row: {consecutive}.")
            }
            Self::Pt => {
                format!("Esteve {from} por {lasted}; medições seguidas: {consecutive}.")
            }
            Self::Es => {
                format!("Estuvo {from} durante {lasted}; mediciones seguidas: {consecutive}.")
            }
        }
    }

    /// S1-21.
    #[cfg(feature = "mail")]
    pub(super) fn mail_sent(self, status: &str) -> String {
        let sent = self.pick(
            "Mail about the connection sent",
            "E-mail de conexão enviado",
            "Correo sobre la conexión enviado",
        );
        format!("{sent}: {status}")
    }

    /// S1-21.
    #[cfg(feature = "mail")]
    pub(super) fn mail_failed(self, error: &str, again: Option<Duration>) -> String {
        let failed = self.pick(
            "The mail could not be sent",
            "Não foi possível enviar o e-mail",
            "No fue posible enviar el correo",
        );
        let Some(pause) = again else { return format!("{failed}: {error}") };
        let (pause, next) =
            (lasted(pause), self.pick("next attempt in", "nova tentativa em", "nuevo intento en"));
        format!("{failed}: {error}; {next} {pause}")
    }

    #[cfg(feature = "mail")]
    pub(super) fn mails_left(self, waiting: usize, dropped: u64) -> String {
        match self {
            Self::En => format!("{waiting} mails not sent, {dropped} dropped before"),
            Self::Pt => format!("{waiting} e-mails não enviados, {dropped} descartados antes"),
            Self::Es => format!("{waiting} correos no enviados, {dropped} descartados antes"),
        }
    }

    #[cfg(feature = "mail")]
    pub(super) const fn test_mail(self) -> (&'static str, &'static str) {
        match self {
            Self::En => ("Test of rdtp monitor", "Mails of rdtp monitor arrive here."),
            Self::Pt => ("Teste do rdtp monitor", "Os e-mails do rdtp monitor chegam aqui."),
            Self::Es => ("Prueba de rdtp monitor", "Los correos de rdtp monitor llegan aquí."),
        }
    }

    /// S1-06: how the original greets.
    pub(super) const fn original_waits(self) -> &'static str {
        self.pick(
            "UDP server waits for messages...",
            "Servidor UDP aguardando mensagens...",
            "Servidor UDP esperando mensajes...",
        )
    }

    /// S1-06.
    pub(super) fn received_from(self, peer: SocketAddr) -> String {
        match self {
            Self::En => format!("Message received from {}", python(peer)),
            Self::Pt => format!("Mensagem recebida de {}", python(peer)),
            Self::Es => format!("Mensaje recibido de {}", python(peer)),
        }
    }
}

/// An address as the original prints it.
fn python(address: SocketAddr) -> String {
    format!("('{}', {})", address.ip(), address.port())
}

/// A time in the two largest units that it has: "3 min 20 s".
pub(super) fn lasted(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let largest = units.iter().position(|(_, scale)| seconds >= *scale).unwrap_or(0);
    let (mut text, mut rest) = (String::new(), seconds);
    for (unit, scale) in units.iter().skip(largest).take(2) {
        let (count, gap) = (rest / scale, if text.is_empty() { "" } else { " " });
        rest %= scale;
        if count > 0 {
            let _ = write!(text, "{gap}{count} {unit}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdtp::time::Instant;

    fn sample(rtt: Option<Duration>, status: Status) -> Sample {
        Sample { probe: 1, sent_at: Instant::ZERO, rtt, status }
    }

    /// S1-17, to the letter.
    #[test]
    fn the_lines_of_the_original() {
        let rtt = |micros| Some(Duration::from_micros(micros));
        for (rtt, status, line) in [
            (rtt(7_090), Status::Normal, "Conexão Normal. Latência: 7.09 ms"),
            (rtt(150_000), Status::Slow, "Conexão Lenta. Latência: 150.00 ms"),
            (rtt(350_004), Status::VerySlow, "Conexão Muito Lenta. Latência: 350.00 ms"),
            (None, Status::Inactive, "Conexão Inativa."),
        ] {
            assert_eq!(Lang::Pt.sample(&sample(rtt, status)), line);
        }
    }

    /// S1-19; C21: the same two decimals as on the screen.
    #[cfg(feature = "mail")]
    #[test]
    fn the_mails_of_the_original() {
        let target: SocketAddr = "127.0.0.1:12345".parse().unwrap();
        let rtt = Some(Duration::from_nanos(15_640_258));
        assert_eq!(Lang::Pt.subject(Status::VerySlow), "Alerta de latência: Muito Lenta");
        assert_eq!(
            Lang::Pt.body(target, Status::Normal, rtt, true),
            "A conexão ao 127.0.0.1:12345 está Normal.\nLatência: 15.64 ms"
        );
        let none = Lang::Pt.body(target, Status::Inactive, None, true);
        assert!(none.ends_with("\nLatência: Sem Resposta ms"), "{none}");
        let none = Lang::Pt.body(target, Status::Inactive, None, false);
        assert!(none.ends_with("\nLatência: Sem Resposta"), "{none}");
        assert_eq!(Lang::Pt.mail_sent("Normal"), "E-mail de conexão enviado: Normal");
        assert_eq!(Lang::Pt.mail_failed("x", None), "Não foi possível enviar o e-mail: x");
        let lasted = Duration::from_secs(200);
        let back = Change { from: Status::Inactive, to: Status::Normal, lasted };
        assert_eq!(Lang::Es.change_subject(&back), "Latencia recuperada: Normal");
        assert_eq!(
            Lang::Pt.history(&back, 3),
            "Esteve Inativa por 3 min 20 s; medições seguidas: 3."
        );
    }

    #[test]
    fn the_locale_chooses_the_language() {
        let of = |set: &'static [(&str, &str)]| {
            Lang::of_locale(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("LANG", "pt_BR.UTF-8")]), Lang::Pt);
        assert_eq!(of(&[("LANG", "pt_BR.UTF-8"), ("LC_ALL", "es_CO")]), Lang::Es);
        assert_eq!(of(&[("LC_ALL", ""), ("LC_MESSAGES", "pt"), ("LANG", "es")]), Lang::Pt);
        assert_eq!([of(&[]), of(&[("LANG", "C")]), of(&[("LANG", "eo")])], [Lang::En; 3]);
    }

    #[test]
    fn times_in_their_largest_units() {
        for (seconds, text) in [
            (0, "0.0 s"),
            (9, "9.0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3_600, "1 h"),
            (7_325, "2 h 2 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(lasted(Duration::from_secs(seconds)), text);
        }
    }
}
