//! What the monitor says; in Portuguese as the original does (S1).

use alloc::{borrow::ToOwned, format, string::String};
use core::{fmt::Write as _, net::SocketAddr, time::Duration};

use super::{Lang, lasted, millis};
use crate::{
    app::monitor::{Change, EchoEvent, MonitorStats, Sample, Status, Thresholds},
    quantity::Span,
};

impl Lang {
    /// A status by its name (S1-16).
    pub const fn status(self, status: Status) -> &'static str {
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

    /// What is measured.
    pub const fn latency(self) -> &'static str {
        self.pick("Latency", "Latência", "Latencia")
    }

    /// A sample as one line (S1-17).
    pub fn sample(self, sample: &Sample) -> String {
        let (connection, status) = (self.connection(), self.status(sample.status));
        match sample.rtt {
            Some(rtt) => {
                format!("{connection} {status}. {}: {}", self.latency(), millis(rtt))
            }
            None => format!("{connection} {status}."),
        }
    }

    /// A change as one line.
    pub fn change(self, change: &Change) -> String {
        let (from, to) = (self.status(change.from), self.status(change.to));
        let lasted = lasted(change.lasted);
        match self {
            Self::En => format!("** {from} for {lasted}, now {to}"),
            Self::Pt => format!("** {from} por {lasted}, agora {to}"),
            Self::Es => format!("** {from} durante {lasted}, ahora {to}"),
        }
    }

    /// The subject of a mail about a sample (S1-19).
    pub fn subject(self, status: Status) -> String {
        let alert = self.pick("Latency alert", "Alerta de latência", "Alerta de latencia");
        format!("{alert}: {}", self.status(status))
    }

    /// The subject of a mail about a change.
    pub fn change_subject(self, change: &Change) -> String {
        if !change.is_recovery() {
            return self.subject(change.to);
        }
        let recovered =
            self.pick("Latency recovered", "Latência recuperada", "Latencia recuperada");
        format!("{recovered}: {}", self.status(change.to))
    }

    /// The text of a mail (S1-19). `faithful` is the text of the original to the letter, which gives no answer a unit.
    pub fn body(
        self,
        target: SocketAddr,
        status: Status,
        rtt: Option<Duration>,
        faithful: bool,
    ) -> String {
        let (status, latency) = (self.status(status), self.latency());
        let measured = match rtt {
            Some(rtt) => millis(rtt),
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
    pub fn history(self, change: &Change, consecutive: u32) -> String {
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

    /// A mail has left (S1-21).
    pub fn mail_sent(self, status: &str) -> String {
        let sent = self.pick(
            "Mail about the connection sent",
            "E-mail de conexão enviado",
            "Correo sobre la conexión enviado",
        );
        format!("{sent}: {status}")
    }

    /// A mail has not left, and when it is tried again (S1-21).
    pub fn mail_failed(self, error: &str, again: Option<Duration>) -> String {
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

    /// At the end: mails that are left.
    pub fn mails_left(self, waiting: usize, dropped: u64) -> String {
        match self {
            Self::En => format!("{waiting} mails not sent, {dropped} dropped before"),
            Self::Pt => format!("{waiting} e-mails não enviados, {dropped} descartados antes"),
            Self::Es => format!("{waiting} correos no enviados, {dropped} descartados antes"),
        }
    }

    /// Subject and text of a mail that only tries out the way.
    pub const fn test_mail(self) -> (&'static str, &'static str) {
        match self {
            Self::En => ("Test of rdtp monitor", "Mails of rdtp monitor arrive here."),
            Self::Pt => ("Teste do rdtp monitor", "Os e-mails do rdtp monitor chegam aqui."),
            Self::Es => ("Prueba de rdtp monitor", "Los correos de rdtp monitor llegan aquí."),
        }
    }

    /// How the server of the original greets (S1-06).
    pub const fn original_waits(self) -> &'static str {
        self.pick(
            "UDP server waits for messages...",
            "Servidor UDP aguardando mensagens...",
            "Servidor UDP esperando mensajes...",
        )
    }

    /// A message was received (S1-06).
    pub fn received_from(self, peer: SocketAddr) -> String {
        match self {
            Self::En => format!("Message received from {}", python(peer)),
            Self::Pt => format!("Mensagem recebida de {}", python(peer)),
            Self::Es => format!("Mensaje recibido de {}", python(peer)),
        }
    }

    /// What is probed, and by what.
    pub fn title(self, target: SocketAddr, over: &str) -> String {
        format!("{target} {} {over}", self.pick("over", "por", "por"))
    }

    /// What is about to be done: how often, and how long an answer may take.
    pub fn watching(self, title: &str, interval: Duration, timeout: Duration) -> String {
        let (interval, timeout) = (Span(interval), Span(timeout));
        match self {
            Self::En => {
                format!("monitoring {title}: a probe each {interval}, an answer within {timeout}")
            }
            Self::Pt => {
                format!(
                    "monitorando {title}: uma medição a cada {interval}, resposta em até {timeout}"
                )
            }
            Self::Es => {
                format!("vigilando {title}: una medición cada {interval}, respuesta en {timeout}")
            }
        }
    }

    /// What counts as what, and after how many in a row.
    pub fn scale(self, thresholds: Thresholds, consecutive: u32) -> String {
        let (normal, slow) = (self.status(Status::Normal), self.status(Status::Slow));
        let below = self.pick("below", "abaixo de", "por debajo de");
        let [first, second] = [thresholds.normal_below, thresholds.slow_below].map(Span);
        let row = match self {
            Self::En => format!("a change takes {consecutive} in a row"),
            Self::Pt => format!("uma mudança são {consecutive} seguidas"),
            Self::Es => format!("un cambio son {consecutive} seguidas"),
        };
        format!("{normal} {below} {first}, {slow} {below} {second}; {row}")
    }

    /// Where probes are answered.
    pub fn answering(self, address: SocketAddr, over: &str) -> String {
        match self {
            Self::En => format!("answering probes on {address} over {over}; Ctrl-C ends it"),
            Self::Pt => format!("respondendo em {address} por {over}; Ctrl-C termina"),
            Self::Es => format!("respondiendo en {address} por {over}; Ctrl-C termina"),
        }
    }

    /// What became of a message from there.
    pub fn answered(self, event: EchoEvent) -> String {
        match event {
            EchoEvent::Answered(from) => {
                format!("{} {from}", self.pick("answered", "respondido", "respondido"))
            }
            EchoEvent::Ignored(from) => {
                let none = self.pick(
                    "no probe, ignored:",
                    "não é medição, ignorado:",
                    "no es una medición, ignorado:",
                );
                format!("{none} {from}")
            }
        }
    }

    /// At the end of the side that answers.
    pub fn answers(self, answered: u64, ignored: u64) -> String {
        match self {
            Self::En => format!("{answered} probes answered, {ignored} other messages ignored"),
            Self::Pt => {
                format!("{answered} medições respondidas, {ignored} outras mensagens ignoradas")
            }
            Self::Es => {
                format!("{answered} mediciones respondidas, {ignored} otros mensajes ignorados")
            }
        }
    }

    /// What the picture says of now: the status, since when, and when the next probe is due.
    pub fn standing(self, status: Status, since: Duration, next: Duration) -> String {
        let (status, since) = (self.status(status), lasted(since));
        let next = next.as_secs() + u64::from(next.subsec_nanos() > 0);
        match self {
            Self::En => format!("{status} for {since}; next probe in {next} s"),
            Self::Pt => format!("{status} há {since}; próxima medição em {next} s"),
            Self::Es => format!("{status} desde hace {since}; próxima medición en {next} s"),
        }
    }

    /// How many probes there were, and what became of them.
    pub fn counts(self, stats: &MonitorStats) -> String {
        let MonitorStats { sent, answered, lost, late, copies, foreign, .. } = stats;
        // Tenths of a per cent, as parts of a billion.
        let share = (stats.loss().parts_per_billion() + 500_000) / 1_000_000;
        let share = format!("{}.{}%", share / 10, share % 10);
        let mut line = match self {
            Self::En => format!("{sent} probes, {answered} answered, {lost} lost ({share})"),
            Self::Pt => {
                format!("{sent} medições, {answered} respondidas, {lost} perdidas ({share})")
            }
            Self::Es => {
                format!("{sent} mediciones, {answered} respondidas, {lost} perdidas ({share})")
            }
        };
        for (count, what) in [
            (late, self.pick("late", "atrasadas", "tardías")),
            (copies, self.pick("copies", "cópias", "copias")),
            (foreign, self.pick("foreign", "alheias", "ajenas")),
        ] {
            if *count > 0 {
                let _ = write!(line, ", {count} {what}");
            }
        }
        line
    }

    /// What the round trips were like, with the median and the 99th of 100; a sentence when there was
    /// none.
    pub fn round_trips(self, stats: &MonitorStats, p50: Duration, p99: Duration) -> String {
        let (Some(min), Some(mean), Some(max)) = (stats.rtt_min, stats.rtt_mean(), stats.rtt_max)
        else {
            return self
                .pick("no round trip yet", "nenhuma resposta ainda", "ninguna respuesta todavía")
                .to_owned();
        };
        let [title, mean_word] = match self {
            Self::En => ["round trip", "mean"],
            Self::Pt => ["ida e volta", "média"],
            Self::Es => ["ida y vuelta", "media"],
        };
        let times = [min, mean, p50, p99, max, stats.jitter()].map(millis);
        let [min, mean, p50, p99, max, jitter] =
            times.each_ref().map(|time| time.trim_end_matches(" ms"));
        format!(
            "{title} min {min} {mean_word} {mean} p50 {p50} p99 {p99} max {max} ms, jitter {jitter} ms"
        )
    }
}

/// An address as the original prints it.
fn python(address: SocketAddr) -> String {
    format!("('{}', {})", address.ip(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

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
    fn the_summary_is_in_every_language() {
        let mut stats = MonitorStats::default();
        let [p50, p99] = [7, 40].map(Duration::from_millis);
        let none = [Lang::En, Lang::Pt, Lang::Es].map(|lang| lang.round_trips(&stats, p50, p99));
        assert_eq!(none[0], "no round trip yet");
        for _ in 0..7 {
            stats.count(Status::Normal, Some(Duration::from_micros(7_090)));
        }
        stats.count(Status::Inactive, None);
        (stats.sent, stats.late) = (8, 2);
        assert_eq!(Lang::En.counts(&stats), "8 probes, 7 answered, 1 lost (12.5%), 2 late");
        assert_eq!(
            Lang::Pt.counts(&stats),
            "8 medições, 7 respondidas, 1 perdidas (12.5%), 2 atrasadas"
        );
        let some = [Lang::En, Lang::Pt, Lang::Es].map(|lang| lang.round_trips(&stats, p50, p99));
        assert_eq!(
            some[0],
            "round trip min 7.09 mean 7.09 p50 7.00 p99 40.00 max 7.09 ms, jitter 0.00 ms"
        );
        assert!(some[1].starts_with("ida e volta min 7.09 média 7.09"));
        assert!(some[2].starts_with("ida y vuelta min 7.09 media 7.09"));
        let (since, next) = (Duration::from_secs(200), Duration::from_millis(1_200));
        let standing = Lang::Es.standing(Status::Slow, since, next);
        assert_eq!(standing, "Lenta desde hace 3 min 20 s; próxima medición en 2 s");
    }
}
