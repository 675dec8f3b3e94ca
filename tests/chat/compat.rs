//! `--compat`: programs in another language, written from the descriptions alone, talk to ours in both
//! directions.

use std::{fs, process::Command};

use crate::{person::Person, program::Directory};

fn fixture(name: &str, arguments: &[&str]) -> Person {
    let path = format!("{}/tests/fixtures/{name}_chat.py", env!("CARGO_MANIFEST_DIR"));
    // Without python3 these programs cannot be shown.
    Person::start(Command::new("python3").arg(path).args(arguments))
}

/// A server in Python, and the port it printed.
fn python_server(name: &str, arguments: &[&str]) -> (Person, String) {
    let server = fixture(name, arguments);
    let port = server.heard.wait_for("");
    (server, port)
}

/// Our server in the manner of an original, and its port.
fn server(original: &str, over: &str) -> (Person, String) {
    let arguments = ["serve", "127.0.0.1:0", "--compat", original, "--over", over];
    let server = Person::chat(&arguments);
    let line = server.heard.wait_for("listening over");
    let port = line.rsplit(':').next().expect("a port").to_owned();
    (server, port)
}

fn client(original: &str, over: &str, port: &str, nick: &str, more: &[&str]) -> Person {
    let target = format!("{nick}@127.0.0.1:{port}");
    let arguments = [&target, "--compat", original, "--over", over];
    Person::chat(&[&arguments, more].concat())
}

/// S0: Python clients, our server.
#[test]
fn s0_clients_in_python() {
    for over in ["tcp", "udp"] {
        let (server, port) = server("s0", over);
        server.heard.wait_for("Servidor iniciado e ouvindo em");
        let steps = ["?MENSAGEM 1", "?12: oi!", "?/FILE arquivo.txt 2000", "?xxx"];
        let mut taker = fixture("s0", &[&["client", over, &port, "34"], &steps[..]].concat());
        server.heard.wait_for("34 registrado do endereço ('127.0.0.1', ");
        let steps = [
            "/LIST",
            "?conectados: 12, 34",
            "/S MENSAGEM 1",
            "/MSG 34 oi!",
            "+34:arquivo.txt:2000",
        ];
        let mut teller = fixture("s0", &[&["client", over, &port, "12"], &steps[..]].concat());
        assert_eq!(taker.ends(), Some(0), "{over}: {:?}", taker.heard.lines());
        assert_eq!(teller.ends(), Some(0), "{over}");
        server.heard.wait_for("b'/REG 12'");
        teller.heard.wait_for("28 b'Usu");
        taker.heard.wait_for("7 b'12: oi!'");
        server.heard.wait_for("12 saiu.");
    }
}

/// S0: our clients, a Python server.
#[test]
fn s0_server_in_python() {
    for over in ["tcp", "udp"] {
        let directory = Directory::new(&format!("chat-compat-s0-{over}"));
        fs::write(directory.path("arquivo.txt"), [b'x'; 2000]).expect("a file");
        let into = directory.path("in");
        fs::create_dir(&into).expect("a directory");
        let (_server, port) = python_server("s0", &["server", over]);
        let into = into.to_str().expect("UTF-8");
        let taker = client("s0", over, &port, "34", &["--into", into]);
        let mut teller = client("s0", over, &port, "12", &[]);
        // The original's server does not say that it has heard: the list does.
        while !teller.heard.has("12, 34") {
            teller.say("/LIST");
            crate::pause(200);
        }
        teller.say("/S MENSAGEM 1");
        taker.heard.wait_for("/S MENSAGEM 1");
        teller.say("/MSG 34 oi!");
        taker.heard.wait_for("12: oi!");
        let path = directory.path("arquivo.txt");
        teller.say(&format!("/FILE 34 {}", path.to_str().expect("UTF-8")));
        taker.heard.wait_for("arquivo.txt (2000 bytes)");
        assert_eq!(fs::read(directory.path("in/arquivo.txt")).expect("stored"), [b'x'; 2000]);
        teller.say("/QUIT");
        assert_eq!(teller.ends(), Some(0));
    }
}

/// S1: Python clients, our server; a monitor's `ping` comes back and makes nobody a member.
#[test]
fn s1_clients_in_python() {
    for over in ["tcp", "udp"] {
        let (server, port) = server("s1", over);
        server.heard.wait_for("aguardando");
        let mut first = fixture("s1", &["client", over, &port, "?disse: Olá!", "tudo bem"]);
        crate::pause(500);
        let mut second = fixture("s1", &["client", over, &port, "Olá!", "?disse: tudo bem"]);
        assert_eq!(first.ends(), Some(0), "{over}: {:?}", first.heard.lines());
        assert_eq!(second.ends(), Some(0), "{over}");
        if over == "udp" {
            // The relayed announcement has 53 bytes: the ports have four digits.
            first.heard.wait_for("53 b\"('127.0.0.1', ");
            let mut monitor = fixture("s1", &["client", over, &port, "ping", "?ping"]);
            assert_eq!(monitor.ends(), Some(0));
            monitor.heard.wait_for("4 b'ping'");
        } else {
            server.heard.wait_for(" disse: Olá!");
        }
    }
}

/// S1: our clients, a Python server.
#[test]
fn s1_server_in_python() {
    for over in ["tcp", "udp"] {
        let (mut server, port) = python_server("s1", &["server", over]);
        let first = client("s1", over, &port, "a", &[]);
        if over == "tcp" {
            first.heard.wait_for("Conectado ao servidor.");
        }
        crate::pause(300);
        let mut second = client("s1", over, &port, "b", &[]);
        crate::pause(300);
        second.say("Olá!");
        first.heard.wait_for(" disse: Olá!");
        second.say("/sair");
        assert_eq!(second.ends(), Some(0));
        if over == "tcp" {
            server.kill();
            first.heard.wait_for("Desconectado do servidor.");
        } else {
            // S1-11: from a port between 8000 and 9000.
            let line = first.heard.wait_for("Novo participante no chat.");
            let port: u16 =
                line.split([' ', ')']).nth(1).and_then(|p| p.parse().ok()).expect("a port");
            assert!((8000..=9000).contains(&port), "{line}");
        }
    }
}

/// S3: one sends, the other shows, in both directions.
#[test]
fn s3_in_python() {
    let (mut ours, port) = server("s3", "tcp");
    let mut theirs = fixture("s3", &["client", &port, "sol", "mar"]);
    assert_eq!(theirs.ends(), Some(0));
    assert_eq!(ours.ends(), Some(0));
    ours.heard.wait_for("Conexion desde: ('127.0.0.1', ");
    ours.heard.wait_for("De usuario conectado: sol");
    ours.heard.wait_for("De usuario conectado: mar");
    let (mut theirs, port) = python_server("s3", &["server"]);
    let mut ours = client("s3", "tcp", &port, "a", &[]);
    ours.say("sol");
    ours.say("mar");
    ours.shut();
    assert_eq!(ours.ends(), Some(0));
    assert_eq!(theirs.ends(), Some(0));
    theirs.heard.wait_for("De usuario conectado: sol");
    theirs.heard.wait_for("De usuario conectado: mar");
}

/// S4: two over TCP, either of them ours.
#[test]
fn s4_two_over_tcp() {
    let (mut theirs, port) = python_server("s4", &["listen"]);
    let mut ours = client("s4", "tcp", &port, "a", &[]);
    ours.say("hello");
    ours.heard.wait_for("got hello");
    ours.say(":q");
    assert_eq!(ours.ends(), Some(0));
    assert_eq!(theirs.ends(), Some(0));
    theirs.heard.wait_for(":q");

    let (mut ours, port) = server("s4", "tcp");
    let mut theirs = fixture("s4", &["call", &port, "hello", "?hi yourself", ":q"]);
    ours.heard.wait_for("hello");
    ours.say("hi yourself");
    assert_eq!(theirs.ends(), Some(0), "{:?}", theirs.heard.lines());
    theirs.heard.wait_for("12 b'hi");
    assert_eq!(ours.ends(), Some(0));
}

/// S4: rooms over UDP, either side in Python; commands of two letters, answers of as many bytes.
#[test]
fn s4_rooms_over_udp() {
    let (_server, port) = server("s4", "udp");
    let steps = ["ul", "?[]", "hi debian", "?hi debian", "rc games", "?rc games", "?hello there"];
    let mut first = fixture("s4", &[&["client", &port], &steps[..]].concat());
    first.heard.wait_for("8 b'rc games'");
    let steps = ["rl", "?['games']", "rj games", "?rj games", "hello there", "?hello there"];
    let mut second = fixture("s4", &[&["client", &port], &steps[..]].concat());
    assert_eq!(second.ends(), Some(0), "{:?}", second.heard.lines());
    assert_eq!(first.ends(), Some(0), "{:?}", first.heard.lines());
    first.heard.wait_for("2 b'[]'");
    first.heard.wait_for("9 b'hi debian'");

    let (_server, port) = python_server("s4", &["server"]);
    let mut first = client("s4", "udp", &port, "a", &[]);
    first.say("$roomcreate games");
    first.heard.wait_for("rc games");
    let mut second = client("s4", "udp", &port, "b", &[]);
    second.say("$roomlist");
    second.heard.wait_for("['games']");
    second.say("$roomjoin games");
    second.heard.wait_for("rj games");
    second.say("hello there");
    first.heard.wait_for("hello there");
    second.say(":q");
    assert_eq!(second.ends(), Some(0));
}

/// C1, C24: each original has its port; S4's client serves when nobody answers, unless told not to.
#[test]
fn s4_falls_back_to_serving() {
    let mut kept = Person::chat(&["127.0.0.1:1", "--compat", "s4", "--no-fallback"]);
    assert_eq!(kept.ends(), Some(1));
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let instead = Person::chat(&[&address, "--compat", "s4"]);
    instead.heard.wait_for("nobody answers there, so this program serves");
    instead.heard.wait_for("Waiting at");
}
