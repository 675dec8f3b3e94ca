//! Unit tests of the server: those who send too much.

use super::*;

fn say(number: u64) -> Vec<u8> {
    let (kind, target) = (Kind::Text, Target::Everyone);
    framed(&Frame::Say { number, kind, target, text: "x" }.encode())
}

fn count_said(events: &[Event], who: &str) -> usize {
    events.iter().filter(|e| matches!(e, Event::Said { from, .. } if from == who)).count()
}

#[test]
fn too_many_messages_are_refused_and_too_many_frames_are_not_read() {
    let mut net = Net::new(ServerLimits::default(), &["a", "b", "c"]);
    net.forget();
    for number in 1..=60 {
        net.server.handle_bytes(net.now, peer(0), Lane::Talk, &say(number));
    }
    net.run();
    assert_eq!(net.heard(1).len(), 20, "the burst and no more");
    assert_eq!(net.server.poll_hold(), None);
    for number in 61..2_000 {
        net.server.handle_bytes(net.now, peer(0), Lane::Talk, &say(number));
    }
    assert_eq!(net.server.poll_hold(), Some((peer(0), true)));
    assert_eq!(net.server.poll_hold(), None, "it is said once");
    // Nobody else waits for it.
    net.line(1, "still here");
    assert_eq!(net.heard(2).pop(), Some(said("b", room("lobby"), "still here")));
    // What was not read is read at its own pace.
    let refused = |net: &mut Net| {
        let events = core::iter::from_fn(|| net.server.poll_event());
        events.filter(|event| matches!(event, ServerEvent::Refused { .. })).count()
    };
    assert_eq!(refused(&mut net), 1, "the log names the first and not a thousand");
    let before = net.server.peers[&peer(0)].talk_in.waiting();
    net.wait(Duration::from_secs(1));
    let after = net.server.peers[&peer(0)].talk_in.waiting();
    assert!(0 < after && after < before, "{after} of {before} bytes wait");
    assert_eq!(net.server.poll_hold(), Some((peer(0), true)), "it is too much again");
    for _ in 0..30 {
        net.wait(Duration::from_secs(1));
    }
    assert_eq!(net.server.peers[&peer(0)].talk_in.waiting(), 0);
    assert_eq!(net.server.poll_hold(), Some((peer(0), false)));
    assert!(net.server.peers.values().all(|peer| peer.held_until.is_none()));
}

#[test]
fn a_carrier_that_goes_on_reading_loses_the_peer_and_the_user_keeps_its_debts() {
    let limits = ServerLimits { held_bytes_max: 10_000, ..ServerLimits::default() };
    let mut net = Net::new(limits, &["a", "b"]);
    net.forget();
    let mut number = 0;
    while !net.server.peers[&peer(0)].closing {
        number += 1;
        net.server.handle_bytes(net.now, peer(0), Lane::Talk, &say(number));
        assert!(number < 3_000, "it was never too much");
    }
    assert!(net.server.peers[&peer(0)].talk_in.waiting() < 11_000);
    net.run();
    assert_eq!(count_said(&net.heard(1), "a"), 20);
    assert!(net.heard(0).contains(&Event::Bye(Bye::Flooding)));
    assert_eq!(net.server.poll_closed(), Some(peer(0)));
    assert_eq!(net.server.poll_hold(), None, "nothing is left to be held");
    // At once again: neither messages nor frames are there anew.
    net.wait(Duration::from_secs(1));
    let client = &mut net.clients[0].1;
    assert!(client.poll_connect(net.now));
    client.connected(net.now);
    net.server.connected(net.now, peer(0));
    net.run();
    assert!(net.heard(0).contains(&Event::Welcome { nick: "a".into(), again: true }));
    // It begins with the one that came too fast, as an honest client does.
    for number in 21..321 {
        net.server.handle_bytes(net.now, peer(0), Lane::Talk, &say(number));
    }
    net.run();
    assert_eq!(count_said(&net.heard(1), "a"), 5, "what has come in a second");
    assert_eq!(net.server.poll_hold(), Some((peer(0), true)));
}

/// A secret costs nothing, so it gives nothing: neither one after the other nor side by side.
#[test]
fn a_new_secret_is_no_new_burst() {
    let mut net = Net::new(ServerLimits::default(), &["listener"]);
    net.forget();
    for n in 0..10_u8 {
        // Each from another port of one address; the first five go again, the others stay.
        let id = PeerId::from(SocketAddr::from(([10, 0, 9, 9], 1_000 + u16::from(n))));
        let secret = [100 + n; 16];
        let nick = format!("flood{n}");
        let (version, cookie) = (super::super::super::frame::VERSION, [0; 8]);
        let hello = Frame::Hello { version, secret, cookie, epoch: 0, nick: &nick }.encode();
        net.server.connected(net.now, id);
        net.server.handle_bytes(net.now, id, Lane::Talk, &framed(&hello));
        for number in 1..=20 {
            net.server.handle_bytes(net.now, id, Lane::Talk, &say(number));
        }
        if n < 5 {
            net.server.handle_bytes(
                net.now,
                id,
                Lane::Talk,
                &framed(&Frame::Quit(secret).encode()),
            );
        }
    }
    net.run();
    let from = |who: &str, heard: &[Event]| count_said(heard, who);
    let heard = net.heard(0);
    let all: usize = (0..10).map(|n| from(&format!("flood{n}"), &heard)).sum();
    assert_eq!((from("flood0", &heard), all), (20, 20), "one burst for all of them");
    // Elsewhere nobody suffers, and after a while nobody does.
    let other = net.join("other");
    net.forget();
    for number in 1..=20 {
        net.server.handle_bytes(
            net.now,
            peer(u8::try_from(other).unwrap()),
            Lane::Talk,
            &say(number),
        );
    }
    net.run();
    assert_eq!(count_said(&net.heard(0), "other"), 20);
}

#[test]
fn who_is_held_for_files_is_held_for_talk() {
    let limits =
        ServerLimits { bulk_frames: Rate { per_second: 10, burst: 10 }, ..ServerLimits::default() };
    let mut net = Net::new(limits, &["a", "b"]);
    let credit = framed(&Frame::Credit { transfer: 2, bytes: 1 }.encode());
    for _ in 0..20 {
        net.server.handle_bytes(net.now, peer(0), Lane::Bulk, &credit);
    }
    assert_eq!(net.server.poll_hold(), Some((peer(0), true)));
    net.forget();
    net.line(0, "after");
    assert_eq!(net.heard(1), []);
    for _ in 0..3 {
        net.wait(Duration::from_secs(1));
    }
    assert_eq!(net.heard(1), [said("a", room("lobby"), "after")]);
}

#[test]
fn datagrams_beyond_the_rate_are_lost_and_their_sender_is_not_to_blame() {
    let limits = ServerLimits { frames: Rate { per_second: 5, burst: 30 }, ..Default::default() };
    let mut server = Server::new(limits, [9; 16]);
    let hello = |cookie| {
        let (version, secret) = (super::super::super::frame::VERSION, [1; 16]);
        Frame::Hello { version, secret, cookie, epoch: 0, nick: "a" }.encode()
    };
    server.handle_datagram(second(1), peer(0), &hello([0; 8]));
    let (_, challenge) = server.poll_stray().unwrap();
    let Ok(Frame::Challenge(cookie)) = Frame::decode(&challenge) else { panic!("no cookie") };
    server.handle_datagram(second(1), peer(0), &hello(cookie));
    while server.poll_talk(peer(0)).is_some() {}
    for token in 0..100 {
        server.handle_datagram(second(1), peer(0), &Frame::Ping(token).encode());
    }
    let answers = core::iter::from_fn(|| server.poll_talk(peer(0))).count();
    assert_eq!(answers, 29, "hello was the thirtieth");
    assert_eq!(server.users(), 1);
    assert_eq!(server.poll_hold(), None);
    server.handle_datagram(second(2), peer(0), &Frame::Ping(1).encode());
    assert!(server.poll_talk(peer(0)).is_some());
}

#[test]
fn a_message_to_many_counts_as_several() {
    let limits = ServerLimits { messages: Rate { per_second: 1, burst: 4 }, ..Default::default() };
    let mut net = Net::new(limits, &["a"]);
    for n in 0..200_u8 {
        let client = ClientConfig::new(&format!("user-{n}"), [n; 16], Wire::Stream);
        let mut client = Client::new(ClientConfig { secret: [n.wrapping_add(20); 16], ..client });
        assert!(client.poll_connect(net.now));
        client.connected(net.now);
        let id = PeerId::from(SocketAddr::from(([10, 0, 1, n], 1)));
        net.server.connected(net.now, id);
        net.clients.push((id, client, Vec::new()));
    }
    net.run();
    net.forget();
    for number in 1..=4 {
        net.server.handle_bytes(net.now, peer(0), Lane::Talk, &say(number));
    }
    net.run();
    assert_eq!(count_said(&net.heard(1), "a"), 2, "two for each");
    net.forget();
    for number in 3..=6 {
        let (kind, target) = (Kind::Text, Target::User("user-7"));
        let say = framed(&Frame::Say { number, kind, target, text: "x" }.encode());
        net.server.handle_bytes(net.now + Duration::from_secs(4), peer(0), Lane::Talk, &say);
    }
    net.run();
    assert_eq!(count_said(&net.heard(8), "a"), 4, "one for each");
}
