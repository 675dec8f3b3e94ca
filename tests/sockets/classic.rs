//! Streams over the protocols of the textbook.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread::{self, JoinHandle},
    time::Duration,
};

use rdtp::{
    classic::{Config, Spec, Timeout},
    net::{self, classic},
    rng::Seed,
};

const PATIENCE: Duration = Duration::from_mins(1);

fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Seed::new(seed).rng().fill(&mut bytes);
    bytes
}

/// A server that knows nothing of what carries it: takes requests of four bytes that say how much is
/// wanted, until there are no more.
fn serve(mut stream: impl Read + Write) -> io::Result<u64> {
    let mut served = 0;
    let mut wanted = [0; 4];
    while stream.read(&mut wanted[..1])? == 1 {
        stream.read_exact(&mut wanted[1..])?;
        let len = u32::from_be_bytes(wanted) as usize;
        stream.write_all(&bytes(len, served))?;
        served += 1;
    }
    Ok(served)
}

/// Its client.
fn ask(stream: &mut (impl Read + Write)) -> io::Result<()> {
    for (number, len) in [0_u32, 1, 5_000, 70_000].into_iter().enumerate() {
        stream.write_all(&len.to_be_bytes())?;
        let mut answer = vec![0; len as usize];
        stream.read_exact(&mut answer)?;
        assert!(answer == bytes(len as usize, number as u64), "the answer differs");
    }
    Ok(())
}

fn serving<S: Read + Write + Send + 'static>(
    accept: impl FnOnce() -> io::Result<(S, SocketAddr)> + Send + 'static,
) -> JoinHandle<io::Result<u64>> {
    thread::spawn(move || serve(accept()?.0))
}

/// The same two functions over kernel TCP, the transport and every protocol of the book.
#[test]
fn one_program_over_everything() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = serving(move || listener.accept());
    ask(&mut TcpStream::connect(address)?)?;
    assert_eq!(server.join().unwrap()?, 4);

    let listener = net::Listener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = serving(move || listener.accept());
    ask(&mut net::Stream::connect(address)?)?;
    assert_eq!(server.join().unwrap()?, 4);

    let book = Spec::book().into_iter().map(|spec| spec.to_string());
    for protocol in book.chain(["saw:256".to_owned(), "gbn:4/8".to_owned()]) {
        let listener = classic::Listener::bind("127.0.0.1:0", &protocol)?;
        let address = listener.local_addr()?;
        let server = serving(move || listener.accept());
        let mut stream = classic::Stream::connect(address, &protocol)?;
        ask(&mut stream).unwrap_or_else(|error| panic!("{protocol}: {error}"));
        assert!(stream.stats().messages_delivered > 60, "{protocol}");
        drop(stream);
        assert_eq!(server.join().unwrap()?, 4, "{protocol}");
    }
    Ok(())
}

/// Both ends of a stream, behind a bad network if wanted.
fn pair(protocol: &str, network: Option<&str>) -> (classic::Stream, classic::Stream) {
    let builder = classic::Builder::new(protocol).unwrap();
    let listener = builder.bind("127.0.0.1:0").unwrap();
    let builder = match network {
        Some(network) => builder.over(network.parse().unwrap(), Seed::new(5)),
        None => builder,
    };
    let here = builder.connect(listener.local_addr().unwrap()).unwrap();
    let (there, from) = listener.accept().unwrap();
    assert_eq!(
        (from.port(), there.peer_addr().unwrap()),
        (here.local_addr().unwrap().port(), from)
    );
    for stream in [&here, &there] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
    }
    (here, there)
}

#[test]
fn both_ways_at_once_through_a_bad_network() {
    for (protocol, len) in [("sr:16/64", 150_000), ("gbn:8", 60_000), ("saw:64", 60_000)] {
        let network = "loss=10%,dup=5%,corrupt=2%,reorder=5%:2:5ms,delay=1ms";
        let (here, there) = pair(protocol, Some(network));
        thread::scope(|scope| {
            for (stream, seed) in [(&here, 1), (&there, 2)] {
                let writer = stream.try_clone().unwrap();
                scope.spawn(move || {
                    (&writer).write_all(&bytes(len, seed)).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                scope.spawn(move || {
                    let (mut stream, mut heard) = (stream, Vec::new());
                    stream.read_to_end(&mut heard).unwrap();
                    assert!(heard == bytes(len, 3 - seed), "{protocol}: it differs");
                });
            }
        });
        assert!(here.stats().data_resent > 3, "{protocol}: {:?}", here.stats());
        assert!(here.srtt().unwrap() >= Duration::from_millis(1), "{protocol}");
    }
}

/// What the book says of rdt 2.2: a loss, and both wait for each other for ever.
#[test]
fn what_a_protocol_does_not_bear_is_not_hidden() {
    let (mut here, mut there) = pair("rdt2.2", Some("up.loss=every:1:10"));
    for stream in [&here, &there] {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    }
    let round = |here: &mut classic::Stream, there: &mut classic::Stream| {
        let mut ping = *b"ping";
        here.write_all(&ping)?;
        there.read_exact(&mut ping)?;
        there.write_all(&ping)?;
        here.read_exact(&mut ping)
    };
    let stuck = (0..20).find_map(|_| round(&mut here, &mut there).err());
    assert_eq!(stuck.expect("a loss went unnoticed").kind(), ErrorKind::TimedOut);
}

#[test]
fn nobody_waits_longer_than_asked() {
    let (mut here, there) = pair("sr", None);
    here.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(here.read_timeout().unwrap(), Some(Duration::from_millis(20)));
    assert_eq!(here.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    // Nobody reads: sooner or later there is no room.
    here.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    let block = vec![1; 65_536];
    let full = (0..64).find_map(|_| here.write(&block).err()).unwrap();
    assert_eq!(full.kind(), ErrorKind::TimedOut);
    here.set_nonblocking(true).unwrap();
    assert_eq!(here.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    // On a busy machine the time may have run out before all room was gone.
    let full = (0..64).find_map(|_| here.write(&block).err()).unwrap();
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    assert!(here.set_read_timeout(Some(Duration::ZERO)).is_err());
    drop(there);
}

#[test]
fn a_half_ends_alone_and_what_is_refused_is_heard() {
    let (mut here, mut there) = pair("gbn", None);
    here.write_all(b"question").unwrap();
    here.finish().unwrap();
    let mut said = String::new();
    there.read_to_string(&mut said).unwrap();
    assert_eq!(said, "question");
    there.write_all(b"answer").unwrap();
    let mut answer = [0; 6];
    here.read_exact(&mut answer).unwrap();
    assert_eq!(here.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    here.shutdown(Shutdown::Read).unwrap();
    let refused = loop {
        if let Err(error) = there.write(&[0; 1_000]) {
            break error;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn what_was_written_arrives_after_the_last_handle_is_gone() {
    for network in [None, Some("loss=20%,delay=1ms")] {
        let (mut here, mut there) = pair("sr", network);
        let reader = thread::spawn(move || {
            let mut heard = Vec::new();
            there.read_to_end(&mut heard).map(|_| heard)
        });
        here.write_all(&bytes(100_000, 9)).unwrap();
        let (local, last) = (here.local_addr().unwrap(), here.try_clone().unwrap());
        drop(here);
        drop(last);
        assert!(reader.join().unwrap().unwrap() == bytes(100_000, 9));
        // Nothing is left: the port is free again.
        super::support::eventually(|| UdpSocket::bind(local).is_ok());
    }
}

#[test]
fn where_nobody_listens_or_nobody_understands_it_is_said() {
    let vacant = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = classic::Stream::connect(vacant, "sr").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
    let builder = classic::Builder::new("sr").unwrap().connect_timeout(Duration::from_millis(100));
    let silent = builder.connect(deaf.local_addr().unwrap()).unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::TimedOut);
    assert!(silent.to_string().contains("same protocol"), "{silent}");
    assert!(classic::Builder::new("tcp").unwrap_err().to_string().contains("gbn or sr"));
}

/// A peer that vanishes is given up once something is owed to it.
#[test]
fn a_peer_that_vanishes_is_an_error() {
    let config = Config {
        attempts_max: Some(20),
        timeout: Timeout::Fixed(Duration::from_millis(100)),
        ..Config::default()
    };
    let builder = classic::Builder::new("sr").unwrap().config(config);
    let listener = builder.bind("127.0.0.1:0").unwrap();
    let network = "outage=1s+1h".parse().unwrap();
    let builder = builder.over(network, Seed::new(1));
    let mut here = builder.connect(listener.local_addr().unwrap()).unwrap();
    let (mut there, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || io::copy(&mut there, &mut io::sink()));
    let error = loop {
        if let Err(error) = here.write(&[0; 10_000]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(here.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    // And nobody waits for it at the end. The other side owes nothing, and so cannot know.
    drop((here, reader));
}

/// Many streams on one socket, one of which nobody reads.
#[test]
fn a_slow_reader_holds_nobody_up() {
    let listener = classic::Listener::bind("127.0.0.1:0", "sr").unwrap();
    let address = listener.local_addr().unwrap();
    let mut slow = classic::Stream::connect(address, "sr").unwrap();
    let (unread, _) = listener.accept().unwrap();
    slow.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let block = vec![0; 65_536];
    while slow.write(&block).is_ok() {}
    let server = thread::spawn(move || {
        let streams: Vec<_> = listener
            .incoming()
            .take(8)
            .map(|stream| {
                serving(|| {
                    let stream = stream?;
                    let peer = stream.peer_addr()?;
                    Ok((stream, peer))
                })
            })
            .collect();
        streams.into_iter().map(|server| server.join().unwrap().unwrap()).sum::<u64>()
    });
    let clients: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                ask(&mut classic::Stream::connect(address, "sr").unwrap()).unwrap();
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(server.join().unwrap(), 32);
    drop((slow, unread));
}
