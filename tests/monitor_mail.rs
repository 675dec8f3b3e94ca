//! Alerts of `rdtp monitor` by mail, against a real mail server with STARTTLS and a login.
//!
//! The server is aiosmtpd, which is installed from PyPI into the build directory when it is not there
//! yet; its certificate is made by `openssl`. Where neither can be had, `RDTP_SKIP_MAIL_TESTS=1`
//! leaves these tests out, and they say so.
#![cfg(feature = "mail")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/program.rs"]
mod program;

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use program::{Finished, Program, rdtp};
use serde_json::Value;

const USER: &str = "monitor@example.org";
const PASSWORD: &str = "only for this test";
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// What the server needs: a Python with aiosmtpd, a certificate and its key, and a file with the
/// password.
struct Kit {
    python: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    password: PathBuf,
}

/// `None` when these tests are to be left out.
fn kit() -> Option<&'static Kit> {
    static KIT: OnceLock<Option<Kit>> = OnceLock::new();
    KIT.get_or_init(|| {
        if env::var_os("RDTP_SKIP_MAIL_TESTS").is_some() {
            eprintln!("left out: tests of mail, by RDTP_SKIP_MAIL_TESTS");
            return None;
        }
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let kit = Kit {
            python: environment(&tmp.join("smtp")),
            certificate: tmp.join("smtp-certificate.pem"),
            key: tmp.join("smtp-key.pem"),
            password: tmp.join("smtp-password"),
        };
        certify(&kit);
        fs::write(&kit.password, format!("{PASSWORD}\n")).unwrap();
        Some(kit)
    })
    .as_ref()
}

/// A Python environment with aiosmtpd.
fn environment(at: &Path) -> PathBuf {
    let python = at.join("bin/python3");
    let works = |python: &Path| {
        let import = Command::new(python).args(["-c", "import aiosmtpd"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    if works(&python) {
        return python;
    }
    let run = |command: &mut Command, what: &str| {
        let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{what}: {text}\n(RDTP_SKIP_MAIL_TESTS=1 leaves the tests of mail out)"
        );
    };
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(at),
        "no Python environment: is python3-venv installed?",
    );
    run(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", AIOSMTPD]),
        "aiosmtpd, the mail server of this test, could not be installed: can PyPI be reached?",
    );
    assert!(works(&python), "aiosmtpd was installed and does not work");
    python
}

/// A certificate that nobody has signed but itself.
fn certify(kit: &Kit) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&kit.key)
        .arg("-out")
        .arg(&kit.certificate)
        .output()
        .expect("openssl, which makes the certificate of this test, is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A mail server that does not outlive its test.
struct Server {
    child: Child,
    mails: Receiver<String>,
    port: u16,
}

impl Server {
    fn start(kit: &Kit, port: u16, without: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/smtp_server.py");
        let mut child = Command::new(&kit.python)
            .arg(script)
            .arg(port.to_string())
            .args([&kit.certificate, &kit.key])
            .args([USER, PASSWORD])
            .args(without)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, mails) = mpsc::channel();
        // Ends with the server's output.
        thread::spawn(move || {
            let _ = output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line));
        });
        let mut server = Self { child, mails, port };
        server.port = u16::try_from(server.mail()["port"].as_u64().unwrap()).unwrap();
        server
    }

    /// The next mail.
    fn mail(&self) -> Value {
        let line = self.mails.recv_timeout(Duration::from_mins(1)).expect("a mail in time");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The side that answers probes, and its address.
fn answering(flags: &[&str]) -> (Program, String) {
    let mut serve = rdtp(&[&["monitor", "serve", "127.0.0.1:0", "--json"], flags].concat());
    let line: Value = serde_json::from_str(&serve.line()).unwrap();
    (serve, line["address"].as_str().unwrap().to_owned())
}

/// The flags for mail through the server at `port`.
fn mail_flags(kit: &Kit, port: u16) -> Vec<String> {
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    [
        ["--mail-to", "someone@example.org"],
        ["--mail-from", USER],
        ["--smtp", &format!("localhost:{port}")],
        ["--mail-user", USER],
        ["--mail-password-file", &file(&kit.password)],
        ["--mail-ca", &file(&kit.certificate)],
        ["--mail-retry", "100ms"],
    ]
    .iter()
    .flatten()
    .map(|text| (*text).to_owned())
    .collect()
}

fn monitor(address: &str, flags: &[&str], mail: &[String]) -> Program {
    let mail: Vec<&str> = mail.iter().map(String::as_str).collect();
    rdtp(&[&["monitor", address], flags, &mail].concat())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// S1-18 to S1-21 with the true values: 50, 150, 350 ms and nothing, a mail after every sample.
#[test]
fn s1_19_a_mail_after_every_sample_in_the_words_of_the_original() {
    let Some(kit) = kit() else { return };
    let running: Vec<_> = [
        ("delay=25ms", "Normal", "PLAIN"),
        ("delay=75ms", "Lenta", "LOGIN"),
        ("delay=175ms", "Muito Lenta", "PLAIN"),
        ("loss=100%", "Inativa", "LOGIN"),
    ]
    .map(|(link, status, mechanism)| {
        let without = if mechanism == "LOGIN" { &["PLAIN"][..] } else { &[] };
        let server = Server::start(kit, 0, without);
        let (serve, address) = answering(&["--compat", "s1"]);
        let flags = [
            "--compat",
            "s1",
            "--count",
            "2",
            "--interval",
            "100ms",
            "--link",
            link,
            "--seed",
            "1",
        ];
        let monitor = monitor(&address, &flags, &mail_flags(kit, server.port));
        (server, serve, address, monitor, status, mechanism)
    })
    .into();
    for (server, _serve, address, monitor, status, mechanism) in running {
        let finished = monitor.finish();
        for _ in 0..2 {
            let mail = server.mail();
            assert_eq!(mail["tls"], true, "{mail}");
            assert_eq!((text(&mail["login"]), text(&mail["mechanism"])), (USER, mechanism));
            assert_eq!(
                (text(&mail["from"]), &mail["to"][0]),
                (USER, &"someone@example.org".into())
            );
            assert_eq!(text(&mail["subject"]), format!("Alerta de latência: {status}"));
            assert_eq!(text(&mail["multipart"]), "multipart/mixed");
            assert_eq!(mail["types"], serde_json::json!(["text/plain"]));
            let body = text(&mail["body"]).replace("\r\n", "\n");
            let (first, second) = body.trim_end().split_once('\n').unwrap();
            assert_eq!(first, format!("A conexão ao {address} está {status}."));
            let measured = second.strip_prefix("Latência: ").unwrap().strip_suffix(" ms").unwrap();
            if status == "Inativa" {
                assert_eq!(measured, "Sem Resposta");
            } else {
                assert!(finished.stdout.contains(&format!("{measured} ms")), "{finished:?}");
            }
        }
        let sent = format!("E-mail de conexão enviado: {status}");
        assert_eq!(finished.stdout.matches(&sent).count(), 2, "S1-21: {finished:?}");
    }
}

/// C20: a mail when three samples in a row say so, one when all is well again, and none else.
#[test]
fn c20_a_mail_for_the_change_and_one_for_the_recovery() {
    let Some(kit) = kit() else { return };
    let server = Server::start(kit, 0, &[]);
    let (_serve, address) = answering(&[]);
    let flags = ["--interval", "50ms", "--timeout", "40ms", "--count", "40", "--lang", "en"];
    let network = ["--link", "outage=600ms+700ms", "--seed", "1"];
    let flags = [&flags[..], &network[..]].concat();
    let finished = monitor(&address, &flags, &mail_flags(kit, server.port)).finish();
    assert!(finished.success, "{finished:?}");
    let (down, up) = (server.mail(), server.mail());
    assert_eq!(text(&down["subject"]), "Latency alert: Inactive");
    let body = text(&down["body"]);
    assert!(body.contains(&format!("The connection to {address} is Inactive.")), "{body}");
    assert!(body.contains("Latency: no answer") && body.contains("samples in a row: 3"), "{body}");
    assert_eq!(text(&up["subject"]), "Latency recovered: Normal");
    assert!(text(&up["body"]).contains("It was Inactive for "), "{up}");
    let told = "Mail about the connection sent: ";
    assert_eq!(finished.stdout.matches(told).count(), 2, "{finished:?}");
}

fn refused(finished: &Finished, reason: &str) {
    assert!(!finished.success && finished.stderr.contains(reason), "{reason}: {finished:?}");
}

#[test]
fn a_test_mail_says_whether_it_went() {
    let Some(kit) = kit() else { return };
    let server = Server::start(kit, 0, &[]);
    let flags = mail_flags(kit, server.port);
    let test =
        |flags: &[String]| monitor("127.0.0.1", &["--test-mail", "--lang", "en"], flags).finish();
    let finished = test(&flags);
    assert!(
        finished.success && finished.stdout.contains("sent: Test of rdtp monitor"),
        "{finished:?}"
    );
    assert_eq!(text(&server.mail()["subject"]), "Test of rdtp monitor");

    let without = |name: &str| {
        let at = flags.iter().position(|flag| flag == name).unwrap();
        [&flags[..at], &flags[at + 2..]].concat()
    };
    // Not signed by any authority that is known.
    refused(&test(&without("--mail-ca")), "certificate");
    // The server wants a login.
    let anonymous = without("--mail-password-file");
    let at = anonymous.iter().position(|flag| flag == "--mail-user").unwrap();
    refused(&test(&[&anonymous[..at], &anonymous[at + 2..]].concat()), "530");
    let wrong = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smtp-wrong-password");
    fs::write(&wrong, "guessed\n").unwrap();
    let mut guessed = without("--mail-password-file");
    guessed.extend(["--mail-password-file".into(), wrong.to_str().unwrap().into()]);
    refused(&test(&guessed), "535");
}

/// A mail server that is down holds nothing up; the mails wait, and arrive when it is back.
#[test]
fn a_mail_server_that_is_down_is_tried_again() {
    let Some(kit) = kit() else { return };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (_serve, address) = answering(&[]);
    let flags = ["--interval", "50ms", "--every-sample", "--json"];
    let mut monitor = monitor(&address, &flags, &mail_flags(kit, free));
    let (mut samples, mut failures) = (0, 0);
    #[expect(clippy::disallowed_methods, reason = "a test measures")]
    let now = Instant::now;
    let start = now();
    while samples < 30 || failures < 3 {
        let line: Value = serde_json::from_str(&monitor.line()).unwrap();
        samples += u64::from(line["event"] == "sample");
        if line["event"] == "mail" {
            assert_eq!(line["sent"], false, "{line}");
            assert!(line["retry_in_s"].as_f64().unwrap() >= 0.1, "{line}");
            failures += 1;
        }
    }
    // 30 probes take 1.5 s at the least; with a wait for the server in each it would be minutes.
    assert!(now() - start < Duration::from_secs(20), "{samples} samples in {:?}", now() - start);
    let server = Server::start(kit, free, &[]);
    for _ in 0..3 {
        assert_eq!(text(&server.mail()["subject"]), "Latency alert: Normal");
    }
    program::interrupt(monitor.id());
    assert_eq!(monitor.finish().code, Some(0));
}

/// What the server refuses for good is not tried again, and the end does not wait for ever.
#[test]
fn a_refused_login_is_told_once_and_the_end_is_quick() {
    let Some(kit) = kit() else { return };
    let server = Server::start(kit, 0, &[]);
    let (_serve, address) = answering(&[]);
    let mut flags = mail_flags(kit, server.port);
    let wrong = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smtp-refused-password");
    fs::write(&wrong, "guessed\n").unwrap();
    let at = flags.iter().position(|flag| flag == "--mail-password-file").unwrap();
    flags[at + 1] = wrong.to_str().unwrap().into();
    let watch = ["--count", "1", "--every-sample", "--lang", "pt"];
    let finished = monitor(&address, &watch, &flags).finish();
    let failed = "Não foi possível enviar o e-mail: ";
    assert_eq!(finished.stdout.matches(failed).count(), 1, "{finished:?}");
    assert!(finished.stdout.contains("535") && finished.success, "{finished:?}");
}

/// A password never stands on a command line, where everybody on the machine could read it.
#[test]
fn passwords_are_not_arguments() {
    let help = rdtp(&["monitor", "--help"]).finish().stdout;
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    let named: Vec<&str> = flags.filter(|flag| flag.contains("password")).collect();
    assert!(named.iter().all(|flag| flag.starts_with("--mail-password-file")), "{named:?}");

    let needs =
        ["--mail-to", "a@example.org", "--smtp", "localhost:1", "--mail-user", "a", "--test-mail"];
    let finished = rdtp(&[&["monitor"], &needs[..]].concat()).finish();
    assert_eq!(finished.code, Some(2), "no terminal to ask at: {finished:?}");
    assert!(finished.stderr.contains("RDTP_MAIL_PASSWORD"), "{finished:?}");
    let plain = rdtp(&[&["monitor"], &needs[..], &["--mail-security", "none"]].concat()).finish();
    assert_eq!(plain.code, Some(2), "{plain:?}");
    assert!(plain.stderr.contains("in plain text"), "{plain:?}");
}
