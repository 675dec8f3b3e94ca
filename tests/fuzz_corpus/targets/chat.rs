//! The chat: what users type, what they are called and what they say; and a server and a client who
//! are sent anything, whole, in pieces and damaged.

use core::time::Duration;

use rdtp::{
    app::chat::{
        Client, ClientConfig, Frame, Frames, Lane, Line, NAME_CHARS_MAX, PeerId, Place, Server,
        ServerLimits, Wire, check_nick, find, folded, frame::FRAME_BYTES_MAX, is_plain, look,
        parse, plain,
    },
    time::Instant,
};

use super::Bytes;

/// Everything that reads text.
pub(super) fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let shown = plain(&text);
    assert!(is_plain(&shown) && shown.chars().all(|c| !c.is_control()), "{shown:?}");
    assert!(!shown.chars().any(|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')));
    if let Ok(nick) = check_nick(&text) {
        assert!(is_plain(nick) && nick.chars().count() <= NAME_CHARS_MAX);
        assert!(!nick.contains(char::is_whitespace) && !look(nick).is_empty());
        assert_eq!(folded(&folded(nick)), folded(nick));
    }
    match parse(&text) {
        Line::Empty => assert!(text.trim().is_empty()),
        Line::Text(said) => assert!(!said.is_empty() && text.contains(said)),
        Line::Command(_, first, second) => assert!(text.contains(first) && text.contains(second)),
        Line::Usage(verb) => assert!(verb.row().usage_line().starts_with('/')),
        Line::Unknown(name) => assert!(find(name).is_none()),
    }
    // A client that is typed at stays within what it may hold.
    let mut client = Client::new(ClientConfig::new("fuzz", [1; 16], Wire::Stream));
    for line in text.lines().take(64) {
        client.handle_line(Instant::ZERO, line);
        while client.poll_event().is_some() {}
    }
}

/// Frames as bytes, and a server and two clients who hear them.
pub(super) fn frames(data: &[u8]) {
    if let Ok(frame) = Frame::decode(data) {
        assert_eq!(frame.encode(), data, "{frame:?}");
    }
    let mut bytes = Bytes(data);
    let limits = ServerLimits { peers_max: 4, rooms_max: 4, ..ServerLimits::default() };
    let mut server = Server::new(limits, [5; 16]);
    let ids = [1, 2, 3].map(|n| PeerId::from(core::net::SocketAddr::from(([10, 0, 0, n], 1))));
    let mut now = Instant::ZERO;
    let client = |n, wire| Client::new(ClientConfig::new("fuzz", [n; 16], wire));
    let mut clients = [client(1, Wire::Stream), client(2, Wire::Datagram)];
    for _ in 0..300 {
        if bytes.is_empty() {
            break;
        }
        let what = bytes.byte();
        let id = ids[usize::from(what >> 4) % 3];
        let own = usize::from(what >> 6) % 2;
        now += Duration::from_millis(bytes.number() * 40);
        match what % 8 {
            0 => server.connected(now, id),
            1 => server.disconnected(now, id),
            2 => {
                let len = bytes.below(64);
                server.handle_bytes(now, id, Lane::Talk, bytes.take(len));
            }
            3 => {
                let len = bytes.below(64);
                let frame = bytes.take(len);
                let framed = [&Frames::prefix(frame.len())[..], frame].concat();
                server.handle_bytes(now, id, Lane::Talk, &framed);
                clients[own].handle_bytes(now, Lane::Talk, &framed);
            }
            4 => {
                let len = bytes.below(64);
                let frame = bytes.take(len);
                server.handle_datagram(now, id, frame);
                clients[own].handle_datagram(now, frame);
            }
            5 if clients[own].poll_connect(now) => clients[own].connected(now),
            5 => clients[own].disconnected(now),
            6 => {
                let len = bytes.below(16);
                let text = String::from_utf8_lossy(bytes.take(len)).into_owned();
                let _ = clients[own].say(now, rdtp::app::chat::Kind::Text, Place::Everyone, &text);
            }
            // What a client says is heard by the server, and the other way round.
            _ => converse(&mut server, &mut clients[own], now, ids[own]),
        }
        server.handle_timeout(now);
        drain(&mut server);
        for client in &mut clients {
            client.handle_timeout(now);
            while client.poll_event().is_some() {}
            assert!(client.unconfirmed() <= 1_024);
        }
    }
}

fn converse(server: &mut Server, client: &mut Client, now: Instant, id: PeerId) {
    while let Some(frame) = client.poll_talk() {
        let framed = [&Frames::prefix(frame.len())[..], &frame].concat();
        server.handle_bytes(now, id, Lane::Talk, &framed);
    }
    while let Some(frame) = server.poll_talk(id) {
        assert!(frame.len() <= FRAME_BYTES_MAX);
        let framed = [&Frames::prefix(frame.len())[..], &frame].concat();
        client.handle_bytes(now, Lane::Talk, &framed);
    }
}

fn drain(server: &mut Server) {
    while server.poll_event().is_some() {}
    while server.poll_closed().is_some() {}
    while let Some((_, frame)) = server.poll_stray() {
        assert!(frame.len() <= 10, "a long answer to a stranger");
    }
    while let Some(id) = server.poll_ready() {
        while let Some(frame) = server.poll_bulk(id) {
            assert!(Frame::decode(&frame).is_ok());
        }
    }
    assert!(server.users() <= 4);
}
