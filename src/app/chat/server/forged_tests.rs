//! Unit tests of the server: datagrams in somebody else's name.

use super::*;

/// Over bare datagrams anybody can write somebody's address; nobody is removed by it.
#[test]
fn nobody_is_removed_in_the_name_of_an_address() {
    let mut server = Server::new(ServerLimits::default(), [3; 16]);
    let (version, epoch) = (1, 0);
    let hello = |version, secret, cookie, nick| {
        Frame::Hello { version, secret, cookie, epoch, nick }.encode()
    };
    let cookie = |server: &mut Server| {
        let (_, bytes) = server.poll_stray().unwrap();
        let Ok(Frame::Challenge(cookie)) = Frame::decode(&bytes) else { panic!("{bytes:?}") };
        cookie
    };
    server.handle_datagram(second(1), peer(1), &hello(version, [1; 16], [0; 8], "ana"));
    let good = cookie(&mut server);
    server.handle_datagram(second(1), peer(1), &hello(version, [1; 16], good, "ana"));
    assert_eq!(server.users(), 1);
    let welcome = Frame::Welcome {
        version,
        epoch: 1,
        origin: 1,
        accepted: 0,
        rate: 1,
        burst: 1,
        nick: "ana",
    };
    for forged in [
        Frame::Quit([2; 16]).encode(),
        Vec::from([9]),
        hello(version, [2; 16], [0; 8], "eve"),
        hello(99, [2; 16], [0; 8], "eve"),
        welcome.encode(),
        Frame::Got(1_000).encode(),
    ] {
        server.handle_datagram(second(2), peer(1), &forged);
        assert!(server.find_user("ana").is_some(), "{forged:?}");
        assert!(!server.peers[&peer(1)].closing, "{forged:?}");
    }
    // Whoever has the address now can read there what it is asked.
    let good = cookie(&mut server);
    server.handle_datagram(second(2), peer(1), &hello(version, [2; 16], good, "eve"));
    assert!(server.find_user("ana").is_none() && server.find_user("eve").is_some());
    server.handle_datagram(second(2), peer(1), &Frame::Quit([2; 16]).encode());
    assert!(server.find_user("eve").is_none());
}
