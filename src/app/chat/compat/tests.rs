//! The byte counts of the descriptions, row by row.

use super::*;
use alloc::{borrow::ToOwned, vec};

fn peer(n: u8, port: u16) -> PeerId {
    PeerId::from(SocketAddr::from(([127, 0, 0, n], port)))
}

fn outs(server: &mut CompatServer) -> Vec<Out> {
    core::iter::from_fn(|| server.poll()).collect()
}

fn sent(server: &mut CompatServer) -> Vec<(PeerId, Vec<u8>)> {
    let send = |out| match out {
        Out::Send(peer, bytes) => Some((peer, bytes)),
        _ => None,
    };
    outs(server).into_iter().filter_map(send).collect()
}

fn lines(outs: &[Out]) -> Vec<String> {
    let line = |out: &Out| match out {
        Out::Print(line) => Some(line.clone()),
        _ => None,
    };
    outs.iter().filter_map(line).collect()
}

/// What a client sends for these lines, its greeting included.
fn typed(original: Original, wire: Wire, typed: &[&str]) -> Vec<Vec<u8>> {
    let mut client = CompatClient::new(original, wire, peer(1, original.port()), "12");
    client.connected();
    for line in typed {
        client.line(line);
    }
    let send = |out| match out {
        Out::Send(_, bytes) => Some(bytes),
        _ => None,
    };
    core::iter::from_fn(|| client.poll()).filter_map(send).collect()
}

fn lengths(messages: &[Vec<u8>]) -> Vec<usize> {
    messages.iter().map(Vec::len).collect()
}

/// A server with two registered users.
fn s0(wire: Wire) -> (CompatServer, PeerId, PeerId) {
    let mut server = Original::S0.server(wire);
    let (a, b) = (peer(1, 63163), peer(1, 63164));
    server.message(a, b"/REG 12");
    server.message(b, b"/REG 34");
    outs(&mut server);
    (server, a, b)
}

/// S0-07, S0-12, S0-13, S0-23: 7 bytes register, 5 bytes ask for the list of 28.
#[test]
fn s0_registers_and_lists() {
    let wire = Wire::Datagram;
    assert_eq!(lengths(&typed(Original::S0, wire, &["/LIST"])), [7, 5]);
    let mut server = Original::S0.server(wire);
    server.listening("127.0.0.1:5555".parse().unwrap());
    server.message(peer(1, 63163), b"/REG 12");
    let expected = [
        "Servidor iniciado e ouvindo em UDP no porto 5555.",
        "Dado recebido de ('127.0.0.1', 63163): b'/REG 12'",
        "12 registrado do endereço ('127.0.0.1', 63163).",
    ];
    assert_eq!(lines(&outs(&mut server)), expected);
    for wire in [Wire::Datagram, Wire::Stream] {
        let (mut server, a, _) = s0(wire);
        server.message(a, b"/LIST");
        let answer = sent(&mut server);
        assert_eq!((answer.len(), answer[0].0, answer[0].1.len()), (1, a, 28), "to the asker only");
    }
}

/// S0-14, S0-16: to everybody else, unchanged: 12 bytes in and out, 17 over UDP with the name.
#[test]
fn s0_says_to_everybody() {
    let udp = typed(Original::S0, Wire::Datagram, &["/S MENSAGEM 1"]);
    assert_eq!((udp[1].as_slice(), udp[1].len()), (&b"12: /S MENSAGEM 1"[..], 17));
    let tcp = typed(Original::S0, Wire::Stream, &["/S MENSAGEM1"]);
    assert_eq!(tcp[1].len(), 12);
    for (wire, bytes) in [(Wire::Datagram, &udp[1]), (Wire::Stream, &tcp[1])] {
        let (mut server, a, b) = s0(wire);
        server.message(a, bytes);
        assert_eq!(sent(&mut server), [(b, bytes.clone())]);
    }
}

/// S0-15: 15 bytes in, 7 bytes out.
#[test]
fn s0_says_in_private() {
    let udp = typed(Original::S0, Wire::Datagram, &["/MSG 34 oi!"]);
    assert_eq!(udp[1], b"12: /MSG 34 oi!");
    assert_eq!(udp[1].len(), 15);
    let tcp = typed(Original::S0, Wire::Stream, &["/MSG 34 oi!"]);
    for (wire, bytes) in [(Wire::Datagram, &udp[1]), (Wire::Stream, &tcp[1])] {
        let (mut server, a, b) = s0(wire);
        server.message(a, bytes);
        let out = sent(&mut server);
        assert_eq!(out, [(b, b"12: oi!".to_vec())]);
        assert_eq!(out[0].1.len(), 7);
    }
}

/// S0-17, S0-21, C7: 42 and 1200 become 39 and 1200 over UDP; 2038 become 2035 over TCP.
#[test]
fn s0_sends_files() {
    let name = "arquivo-de-teste-001.txt";
    for (wire, size, before, after) in [
        (Wire::Datagram, 1200, vec![42, 1200], vec![39, 1200]),
        (Wire::Datagram, 2000, vec![42, 2000], vec![39, 2000]),
        (Wire::Stream, 2000, vec![2038], vec![2035]),
        (Wire::Stream, 1200, vec![1238], vec![1235]),
    ] {
        // Data that begins with a digit is the hard case: nothing stands before it.
        for byte in [b'x', b'7'] {
            let data = vec![byte; size];
            let mut client = CompatClient::new(Original::S0, wire, peer(1, 5555), "12");
            client.file("34", name, &data);
            let send = |out| match out {
                Out::Send(_, bytes) => bytes,
                other => panic!("{other:?}"),
            };
            let sent_bytes: Vec<_> = core::iter::from_fn(|| client.poll()).map(send).collect();
            assert_eq!(lengths(&sent_bytes), before);
            let (mut server, a, b) = s0(wire);
            for bytes in &sent_bytes {
                server.message(a, bytes);
            }
            let forwarded = sent(&mut server);
            assert!(forwarded.iter().all(|(to, _)| *to == b));
            let forwarded: Vec<_> = forwarded.into_iter().map(|(_, bytes)| bytes).collect();
            assert_eq!(lengths(&forwarded), after);
            let mut taker = CompatClient::new(Original::S0, wire, peer(1, 5555), "34");
            for bytes in &forwarded {
                taker.message(bytes);
            }
            assert_eq!(taker.poll(), Some(Out::File(name.to_owned(), data)));
        }
    }
}

/// S0-19: only to who is registered; S0-22: who quits is not.
#[test]
fn s0_forgets_who_quits() {
    let (mut server, a, b) = s0(Wire::Datagram);
    server.message(a, b"12: /QUIT");
    assert!(outs(&mut server).contains(&Out::Close(a)));
    server.message(b, b"34: /MSG 12 oi!");
    server.message(a, b"12: /S oi");
    assert_eq!(sent(&mut server), []);
    // A name is taken once.
    server.message(a, b"/REG 34");
    assert!(lines(&outs(&mut server))[1].contains("recusado"));
}

/// A file whose data came in pieces over TCP is one file; one whose datagram was lost is none.
#[test]
fn s0_puts_pieces_together_and_forgets_what_is_lost() {
    let (mut server, a, b) = s0(Wire::Stream);
    let whole = [&b"/FILE 34 a.txt 2000"[..], &[b'x'; 2000]].concat();
    for piece in whole.chunks(700) {
        server.message(a, piece);
    }
    assert_eq!(sent(&mut server), [(b, [&b"/FILE a.txt 2000"[..], &[b'x'; 2000]].concat())]);
    let (mut server, a, b) = s0(Wire::Datagram);
    server.message(a, b"12: /FILE 34 a.txt 2000");
    server.message(a, b"12: /S oi");
    assert_eq!(sent(&mut server), [(b, b"12: /S oi".to_vec())]);
}

/// S1-01, S1-02, S1-04, S1-23, C5: 5 bytes of UTF-8, relayed to the others with the address.
#[test]
fn s1_relays_over_tcp() {
    let mut server = Original::S1.server(Wire::Stream);
    server.listening("127.0.0.1:12345".parse().unwrap());
    let (a, b) = (peer(1, 61534), peer(1, 61535));
    server.connected(a);
    server.connected(b);
    let sent_bytes = typed(Original::S1, Wire::Stream, &["Olá!"]);
    assert_eq!(sent_bytes, [vec![0x4f, 0x6c, 0xc3, 0xa1, 0x21]]);
    server.message(a, &sent_bytes[0]);
    let out = outs(&mut server);
    let said = "('127.0.0.1', 61534) disse: Olá!";
    let expected = [
        "Servidor TCP aguardando conexões...",
        "Cliente conectado: ('127.0.0.1', 61534)",
        "Cliente conectado: ('127.0.0.1', 61535)",
        said,
    ];
    assert_eq!(lines(&out), expected);
    assert_eq!(out.last(), Some(&Out::Send(b, said.into())));
    server.message(a, b"/sair");
    assert!(outs(&mut server).contains(&Out::Close(a)));
}

/// S1-06 to S1-12: 26 bytes become 53; `ping` goes back to who sent it, who is no member (C18).
#[test]
fn s1_relays_over_udp() {
    let announced = typed(Original::S1, Wire::Datagram, &[]);
    assert_eq!(lengths(&announced), [26]);
    let mut server = Original::S1.server(Wire::Datagram);
    let (a, b, monitor) = (peer(1, 8621), peer(1, 8622), peer(1, 8623));
    server.message(a, &announced[0]);
    server.message(monitor, b"ping");
    assert_eq!(sent(&mut server), [(monitor, b"ping".to_vec())]);
    server.message(b, &announced[0]);
    let out = outs(&mut server);
    let expected =
        ["Mensagem recebida de ('127.0.0.1', 8622)", "Enviando mensagem para ('127.0.0.1', 8621)"];
    assert_eq!(lines(&out), expected);
    let relayed = "('127.0.0.1', 8622) disse: Novo participante no chat.";
    assert_eq!(relayed.len(), 53);
    assert_eq!(out.last(), Some(&Out::Send(a, relayed.into())));
    server.gone(a);
    assert_eq!(lines(&outs(&mut server)), ["Erro ao receber mensagem."]);
}

/// S1-04, S1-05, S1-13: what the client prints and sends.
#[test]
fn s1_client() {
    let mut client = CompatClient::new(Original::S1, Wire::Stream, peer(1, 12345), "");
    client.connected();
    assert_eq!(client.poll(), Some(Out::Print("Conectado ao servidor.".into())));
    client.gone();
    assert_eq!(client.poll(), Some(Out::Print("Desconectado do servidor.".into())));
    assert_eq!(client.poll(), Some(Out::End));
    let udp = typed(Original::S1, Wire::Datagram, &["/sair"]);
    assert_eq!(udp[1], b"/sair");
}

/// S3-01, S3-02, S3-04: three bytes, twice, as they were typed.
#[test]
fn s3_shows_what_one_client_sends() {
    assert_eq!(
        typed(Original::S3, Wire::Stream, &["sol", "mar"]),
        [b"sol".to_vec(), b"mar".to_vec()]
    );
    let mut server = Original::S3.server(Wire::Stream);
    let a = peer(1, 50412);
    server.connected(a);
    server.message(a, b"sol");
    server.connected(peer(1, 50413));
    server.gone(a);
    let expected = [
        Out::Print("Conexion desde: ('127.0.0.1', 50412)".into()),
        Out::Print("De usuario conectado: sol".into()),
        Out::Close(peer(1, 50413)),
        Out::End,
    ];
    assert_eq!(outs(&mut server), expected);
}

/// S4-05, S4-11: TCP adds a line feed and UDP does not.
#[test]
fn s4_bytes_on_the_wire() {
    let tcp = typed(Original::S4, Wire::Stream, &["hello", ":q"]);
    assert_eq!(tcp, [b"hello\n".to_vec(), b":q\n".to_vec()]);
    assert_eq!(tcp[0].len(), 6);
    let udp = typed(Original::S4, Wire::Datagram, &["hi debian", "$userlist", "$roomlist"]);
    assert_eq!(lengths(&udp), [9, 2, 2]);
    assert_eq!(udp[1..], [b"ul".to_vec(), b"rl".to_vec()]);
}

/// S4-08, S4-09, S4-12: as many bytes come back: 9 to 9, 2 to 2 where nobody else and no room is.
#[test]
fn s4_rooms() {
    let mut server = Original::S4.server(Wire::Datagram);
    let (a, b, c) = (peer(1, 1), peer(1, 2), peer(1, 3));
    for bytes in [&b"hi debian"[..], b"ul", b"rl"] {
        server.message(a, bytes);
        let back = sent(&mut server);
        assert_eq!((back[0].0, back[0].1.len()), (a, bytes.len()));
    }
    server.message(a, b"rc games");
    for other in [b, c] {
        server.message(other, b"rj games");
    }
    outs(&mut server);
    server.message(b, b"ul");
    assert_eq!(sent(&mut server), [(b, b"['127.0.0.1:1', '127.0.0.1:3']".to_vec())]);
    server.message(a, b"hello");
    assert_eq!(sent(&mut server), [a, b, c].map(|to| (to, b"hello".to_vec())));
    server.message(b, b"kk");
    assert_eq!(sent(&mut server), [(b, b"kk".to_vec())], "only who made the room (C25)");
    server.message(a, b"pk 127.0.0.1:3");
    server.message(a, b"psst");
    let poked = [(a, b"pk 127.0.0.1:3".to_vec()), (a, b"psst".to_vec()), (c, b"psst".to_vec())];
    assert_eq!(sent(&mut server), poked);
    server.message(a, b"kk");
    let out = sent(&mut server);
    assert_eq!(out, [(b, b"rq".to_vec()), (c, b"rq".to_vec()), (a, b"kk".to_vec())]);
    server.message(b, b"rl");
    assert_eq!(sent(&mut server), [(b, b"['games']".to_vec())]);
    server.message(a, b"rq");
    server.message(b, b"rl");
    assert_eq!(sent(&mut server)[1..], [(b, b"[]".to_vec())], "an empty room is no more");
}

#[test]
fn python_prints_so() {
    assert_eq!(tuple("[::1]:7".parse().unwrap()), "('::1', 7, 0, 0)");
    assert_eq!(literal(b"/REG 12"), "b'/REG 12'");
    assert_eq!(literal("á\n'".as_bytes()), "b\"\\xc3\\xa1\\n'\"");
    assert_eq!(literal(b"'\""), "b'\\'\"'");
}

/// Bytes by the hundred thousand from peers without manners: no panic, and the limits hold.
#[test]
fn hostile_bytes() {
    let mut rng = crate::rng::Seed::new(3).split("compat").rng();
    let words: [&[u8]; 12] = [
        b"/REG 12",
        b"/REG ",
        b"/LIST",
        b"12: /FILE 34 a 5",
        b"/FILE 12 x 99999999",
        b"/MSG 12 x",
        b"rc x",
        b"rj x",
        b"kk",
        b"ping",
        b"/sair",
        b"\xff\x1b[2J",
    ];
    for original in [Original::S0, Original::S1, Original::S3, Original::S4] {
        for wire in [Wire::Stream, Wire::Datagram] {
            let mut server = original.server(wire);
            let mut client = CompatClient::new(original, wire, peer(1, 1), "12");
            for _ in 0..20_000 {
                let id = peer(1, u16::try_from(rng.below(100)).unwrap());
                let mut bytes = words[usize::try_from(rng.below(12)).unwrap()].to_vec();
                if rng.below(3) == 0 {
                    bytes.truncate(usize::try_from(rng.below(bytes.len() as u64)).unwrap());
                }
                match rng.below(10) {
                    0 => server.connected(id),
                    1 => server.gone(id),
                    _ => server.message(id, &bytes),
                }
                client.message(&bytes);
                while let Some(out) = server.poll() {
                    if let Out::Send(_, bytes) = out {
                        assert!(bytes.len() <= FILE_BYTES_MAX + 100);
                    }
                }
                while client.poll().is_some() {}
            }
        }
    }
}
