//! Alerts by mail (S1-18 to S1-21): from a thread of their own, so that a mail server that is slow,
//! down or wrong never holds up a probe.

mod password;
mod post;

use core::{net::SocketAddr, str::FromStr, time::Duration};
use std::{fs, io, path::PathBuf};

use clap::{Args, ValueEnum};
use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{Mailbox, MultiPart, SinglePart},
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{Certificate, Tls, TlsParameters},
    },
};
use rdtp::{
    app::{
        monitor::{Change, Sample, Status},
        words::Lang,
    },
    quantity::Span,
};
use serde::Serialize;

use self::post::{Outcome, Post};
use super::{
    super::{Failure, refuse},
    bell::Ringer,
};

/// Mails about the connection.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mail")]
pub(crate) struct MailArgs {
    /// Send a mail to this address when the connection changes and when it recovers; may be given
    /// several times
    #[arg(long, value_name = "ADDRESS", requires = "smtp")]
    mail_to: Vec<Mailbox>,
    /// Address that mails come from; the first --mail-to unless given
    #[arg(long, value_name = "ADDRESS", requires = "mail_to")]
    mail_from: Option<Mailbox>,
    /// Mail server; its port is 587, or 465 with --mail-security tls, unless given
    #[arg(long, value_name = "HOST[:PORT]", requires = "mail_to")]
    smtp: Option<Server>,
    /// Name to log in with; without it there is no login. The password is read from the file of
    /// --mail-password-file, the environment variable RDTP_MAIL_PASSWORD, or the terminal, and
    /// never from an argument, which others on this machine could see
    #[arg(long, value_name = "NAME", requires = "mail_to")]
    mail_user: Option<String>,
    /// File with the password in its first line
    #[arg(long, value_name = "FILE", requires = "mail_user")]
    mail_password_file: Option<PathBuf>,
    /// How to speak to the mail server
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Security::Starttls)]
    mail_security: Security,
    /// File with certificates (PEM) to trust beside those of the public authorities, for a mail
    /// server with a certificate of your own
    #[arg(long, value_name = "FILE", requires = "mail_to")]
    mail_ca: Option<PathBuf>,
    /// Pause before a mail is tried again that could not be sent; doubled each time, up to 5 min
    #[arg(long, value_name = "TIME", default_value = "5s")]
    mail_retry: Span,
    /// Send a mail after every sample, as the original program did, not only on changes
    #[arg(long, requires = "mail_to")]
    every_sample: bool,
    /// Send one mail now, say whether it went, and end
    #[arg(long, requires = "mail_to")]
    test_mail: bool,
}

/// How to speak to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Security {
    /// In plain text at first, then TLS; nothing is sent to a server that has none (RFC 3207)
    Starttls,
    /// TLS from the first byte on (RFC 8314)
    Tls,
    /// In plain text, and therefore without a login: for a relay on this machine
    None,
}

/// `HOST` or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: Option<u16>,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write HOST or HOST:PORT, such as mail.example.org:587";
        let (host, port) = match text.rsplit_once(':') {
            // The colons of a bare IPv6 address are its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| format!("no such port; {FORM}"))?))
            }
            _ => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(FORM.into());
        }
        Ok(Self { host: host.into(), port })
    }
}

/// How long the mail server may take for each step.
const SERVER_PATIENCE: Duration = Duration::from_secs(20);

/// A mail, and what is said of it.
#[derive(Clone, Debug)]
struct Letter {
    message: Message,
    /// What it is about, in the words of the user.
    about: String,
}

/// What became of a mail, as JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "mail")]
pub(super) struct Told {
    sent: bool,
    about: String,
    error: Option<String>,
    retry_in_s: Option<f64>,
}

/// Writes mails and has them sent.
pub(super) struct Mail {
    post: Post,
    from: Mailbox,
    to: Vec<Mailbox>,
    target: SocketAddr,
    lang: Lang,
    every_sample: bool,
    faithful: bool,
    consecutive: u32,
}

impl MailArgs {
    /// Whether a mail is all that is wanted.
    pub(super) fn is_test(&self) -> bool {
        self.test_mail
    }

    /// Sends one mail and says what came of it.
    pub(super) fn test(&self, lang: Lang) -> Result<String, Failure> {
        let (from, to) = self.people();
        let (subject, body) = lang.test_mail();
        let letter = write(&from, &to, subject, body)?;
        self.server()?
            .send(&letter.message)
            .map_err(|error| Failure(lang.mail_failed(&error.to_string(), None)))?;
        Ok(lang.mail_sent(subject))
    }

    /// The office that sends the mails about `target`; `None` when none are wanted. Asks for the
    /// password, if it has to.
    pub(super) fn open(
        &self,
        lang: Lang,
        target: SocketAddr,
        consecutive: u32,
        faithful: bool,
        ringer: impl FnOnce() -> io::Result<Ringer>,
    ) -> Result<Option<Mail>, Failure> {
        if self.smtp.is_none() {
            return Ok(None);
        }
        let (from, to) = self.people();
        let post = Post::open(self.server()?, self.mail_retry.0, ringer()?)?;
        let every_sample = self.every_sample || faithful;
        let consecutive = if every_sample { 1 } else { consecutive };
        Ok(Some(Mail { post, from, to, target, lang, every_sample, faithful, consecutive }))
    }

    fn people(&self) -> (Mailbox, Vec<Mailbox>) {
        let Some(first) = self.mail_to.first() else { refuse("who is to get it? add --mail-to") };
        let from = self.mail_from.clone().unwrap_or_else(|| first.clone());
        (from, self.mail_to.clone())
    }

    fn server(&self) -> Result<SmtpTransport, Failure> {
        let Some(Server { host, port }) = &self.smtp else {
            refuse("which mail server? add --smtp")
        };
        if self.mail_security == Security::None && self.mail_user.is_some() {
            refuse("--mail-security none would send the password in plain text");
        }
        let tls = |parameters| match self.mail_security {
            Security::Starttls => Tls::Required(parameters),
            Security::Tls => Tls::Wrapper(parameters),
            Security::None => Tls::None,
        };
        let usual = if self.mail_security == Security::Tls { 465 } else { 587 };
        let mut server = SmtpTransport::builder_dangerous(host)
            .port(port.unwrap_or(usual))
            .timeout(Some(SERVER_PATIENCE))
            .tls(tls(self.certificates(host)?));
        if let Some(user) = &self.mail_user {
            let password = password::read(user, self.mail_password_file.as_deref())?;
            server = server
                .credentials(Credentials::new(user.clone(), password))
                .authentication(vec![Mechanism::Plain, Mechanism::Login]);
        }
        Ok(server.build())
    }

    fn certificates(&self, host: &str) -> Result<TlsParameters, Failure> {
        let mut parameters = TlsParameters::builder(host.to_owned());
        if let Some(path) = &self.mail_ca {
            let wrong = |error: &dyn core::fmt::Display| {
                Failure(format!("--mail-ca {}: {error}", path.display()))
            };
            let pem = fs::read(path).map_err(|error| wrong(&error))?;
            if !pem.windows(11).any(|bytes| bytes == b"-----BEGIN ") {
                return Err(wrong(&"no certificate in PEM"));
            }
            let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(&error))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        Ok(parameters.build()?)
    }
}

impl Mail {
    /// A probe's outcome: a mail when every sample is news.
    pub(super) fn sample(&self, sample: &Sample) -> Result<(), Failure> {
        if !self.every_sample {
            return Ok(());
        }
        let subject = self.lang.subject(sample.status);
        self.send(&subject, sample.status, sample.rtt, "")
    }

    /// A change: a mail, unless there was one for each of its samples.
    pub(super) fn change(&self, change: &Change, sample: &Sample) -> Result<(), Failure> {
        if self.every_sample {
            return Ok(());
        }
        let history = self.lang.history(change, self.consecutive);
        self.send(&self.lang.change_subject(change), change.to, sample.rtt, &history)
    }

    fn send(
        &self,
        subject: &str,
        status: Status,
        rtt: Option<Duration>,
        history: &str,
    ) -> Result<(), Failure> {
        let mut body = self.lang.body(self.target, status, rtt, self.faithful);
        if !history.is_empty() {
            body = format!("{body}\n{history}");
        }
        let mut letter = write(&self.from, &self.to, subject, &body)?;
        self.lang.status(status).clone_into(&mut letter.about);
        self.post.put(letter);
        Ok(())
    }

    /// What became of mails since it was last asked: for people, and as JSON.
    pub(super) fn news(&self) -> Vec<(String, Told)> {
        let told = |outcome| match outcome {
            Outcome::Sent(about) => {
                let text = self.lang.mail_sent(&about);
                (text, Told { sent: true, about, error: None, retry_in_s: None })
            }
            Outcome::Failed { about, error, again } => {
                let text = self.lang.mail_failed(&error, again);
                let retry_in_s = again.map(|pause| pause.as_secs_f64());
                (text, Told { sent: false, about, error: Some(error), retry_in_s })
            }
        };
        self.post.news().into_iter().map(told).collect()
    }

    /// Waits a moment for what has not been sent yet, and says what is left then.
    pub(super) fn close(&self) -> Option<String> {
        let (waiting, dropped) = self.post.close();
        (waiting > 0 || dropped > 0).then(|| self.lang.mails_left(waiting, dropped))
    }
}

/// A mail with one part of plain text (S1-20), dated now.
fn write(from: &Mailbox, to: &[Mailbox], subject: &str, body: &str) -> Result<Letter, Failure> {
    let mut message = Message::builder().from(from.clone()).subject(subject).date_now();
    for to in to {
        message = message.to(to.clone());
    }
    let text = SinglePart::plain(body.to_owned());
    let message = message.multipart(MultiPart::mixed().singlepart(text))?;
    Ok(Letter { message, about: subject.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_perhaps_a_port() {
        let server = |text: &str| text.parse::<Server>().map(|s| (s.host, s.port));
        assert_eq!(server("mail.example.org"), Ok(("mail.example.org".into(), None)));
        assert_eq!(server("localhost:2525"), Ok(("localhost".into(), Some(2_525))));
        assert_eq!(server("[::1]:25"), Ok(("::1".into(), Some(25))));
        assert_eq!(server("::1"), Ok(("::1".into(), None)));
        for wrong in ["", ":25", "host:smtp", "host:99999", "two words"] {
            assert!(server(wrong).unwrap_err().contains("HOST:PORT"), "{wrong}");
        }
    }

    /// S1-20: multipart, with one part of plain text.
    #[test]
    fn a_mail_has_one_part_of_text() {
        let me: Mailbox = "Me <me@example.org>".parse().unwrap();
        let you: Mailbox = "you@example.org".parse().unwrap();
        let letter = write(&me, &[you.clone(), me.clone()], "Alerta de latência: Lenta", "é\nfim");
        let text = String::from_utf8(letter.unwrap().message.formatted()).unwrap();
        for part in [
            "From: Me <me@example.org>",
            "Content-Type: multipart/mixed;",
            "Content-Type: text/plain; charset=utf-8",
            "Date: ",
        ] {
            assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
        }
        assert!(text.contains("you@example.org"), "{text}");
    }
}
