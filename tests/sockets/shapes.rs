//! They behave as the sockets of the standard library do.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, UdpSocket},
    thread,
    time::Duration,
};

use rdtp::{
    net::{Connection, Error, Listener, Stream},
    trace::transport::CloseReason,
    wire::transport::CloseCode,
};

use crate::support::{LIMIT, bytes, listener, within};

#[test]
fn an_echo_of_a_few_megabytes() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let server = thread::spawn(move || {
            let (mut stream, peer) = listener.accept().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), peer);
            let mut sink = stream.try_clone().unwrap();
            std::io::copy(&mut stream, &mut sink).unwrap();
        });
        let stream = Stream::connect(address).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        let data = bytes(5_000_000);
        let mut writer = stream.try_clone().unwrap();
        let sent = data.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut echo = Vec::new();
        (&stream).read_to_end(&mut echo).unwrap();
        assert!(echo == data, "{} of {} bytes", echo.len(), data.len());
        writing.join().unwrap();
        server.join().unwrap();
    });
}

/// A thread that was busy with a stream drives its connection, and at some time is not seen any more:
/// what arrives then is acknowledged all the same.
#[test]
fn whoever_goes_away_from_reading_or_writing_is_stood_in_for() {
    const ROUNDS: usize = 300;
    within(LIMIT, || {
        for answered in [true, false] {
            let (listener, address) = listener();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                for _ in 0..ROUNDS {
                    stream.read_exact(&mut [0; 7]).unwrap();
                    if answered {
                        stream.write_all(b"and?").unwrap();
                    }
                }
                stream.write_all(&bytes(50_000)).unwrap();
                stream.finish().unwrap();
            });
            let mut stream = Stream::connect(address).unwrap();
            for _ in 0..ROUNDS {
                stream.write_all(b"anyhow.").unwrap();
                if answered {
                    stream.read_exact(&mut [0; 4]).unwrap();
                }
            }
            server.join().unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest == bytes(50_000), "{} bytes", rest.len());
        }
    });
}

#[test]
fn a_server_that_speaks_first() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 ready\r\n").unwrap();
        });
        let mut said = String::new();
        Stream::connect(address).unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "220 ready\r\n");
        server.join().unwrap();
    });
}

#[test]
fn what_was_written_arrives_after_the_last_handle_is_gone() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let data = bytes(3_000_000);
        let sent = data.clone();
        let client = thread::spawn(move || {
            let mut stream = Stream::connect(address).unwrap();
            stream.write_all(&sent).unwrap();
        });
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        // The client is closed by the time that this has read half of it.
        let mut piece = vec![0; 10_000];
        loop {
            let len = stream.read(&mut piece).unwrap();
            if len == 0 {
                break;
            }
            got.extend_from_slice(&piece[..len]);
            if got.len() < 100_000 {
                thread::park_timeout(Duration::from_millis(1));
            }
        }
        assert!(got == data, "{} of {} bytes", got.len(), data.len());
        client.join().unwrap();
    });
}

#[test]
fn what_arrived_before_the_end_can_be_read_long_after_it() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let mut client = Stream::connect(address).unwrap();
        client.write_all(b"last words").unwrap();
        client.finish().unwrap();
        drop(client);
        // Longer than the transport remembers a closed connection.
        thread::park_timeout(Duration::from_millis(1500));
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert_eq!(said, "last words");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end again");
        let error = stream.write_all(b"x").unwrap_err();
        assert_eq!(
            Error::of(&error),
            Some(Error::Closed(CloseReason::Peer(CloseCode::Application(0))))
        );
    });
}

#[test]
fn nobody_listens() {
    within(LIMIT, || {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = Stream::connect(closed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains("is the server running?"), "{error}");
    });
}

#[test]
fn nobody_answers() {
    within(LIMIT, || {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let limit = Duration::from_millis(200);
        let error = Stream::connect_timeout(&silent.local_addr().unwrap(), limit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn timeouts_and_nonblocking() {
    within(LIMIT, || {
        let (listener, address) = listener();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        listener.set_nonblocking(false).unwrap();
        let stream = Stream::connect(address).unwrap();
        let (other, _) = listener.accept().unwrap();

        let zero = stream.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);
        stream.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        assert_eq!(stream.read_timeout().unwrap(), Some(Duration::from_millis(30)));
        assert_eq!((&stream).read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
        (&other).write_all(b"late").unwrap();
        assert_eq!((&stream).read(&mut [0; 8]).unwrap(), 4);

        stream.set_nonblocking(true).unwrap();
        assert_eq!((&stream).read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        // The other side does not read: sooner or later there is no room.
        let block = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = (&stream).write(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(30))).unwrap();
        let error = loop {
            if let Err(error) = (&stream).write(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // Whoever gives up does not wait for its words to be delivered.
        stream.reset(9).unwrap();
        let mut rest = Vec::new();
        let error = (&other).read_to_end(&mut rest).unwrap_err();
        assert_eq!(Error::of(&error), Some(Error::Reset(9)));
        let again = (&other).read(&mut [0; 8]).unwrap_err();
        assert_eq!(Error::of(&again), Some(Error::Reset(9)), "it stays so");
    });
}

#[test]
fn peek_leaves_and_the_places_in_the_buffers_can_be_used() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let stream = Stream::connect(address).unwrap();
        let (other, _) = listener.accept().unwrap();
        let written = stream
            .write_with(|place| {
                place[..5].copy_from_slice(b"hello");
                5
            })
            .unwrap();
        assert_eq!(written, 5);
        let mut out = [0; 3];
        assert_eq!(other.peek(&mut out).unwrap(), 3);
        assert_eq!(&out, b"hel");
        let mut seen = Vec::new();
        while seen.len() < 5 {
            other
                .read_with(|bytes| {
                    seen.extend_from_slice(&bytes[..2.min(bytes.len())]);
                    2
                })
                .unwrap();
        }
        assert_eq!(seen, b"hello");
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(other.read_with(<[u8]>::len).unwrap(), 0);
        assert_eq!(Error::of(&stream.write_with(|_| 1).unwrap_err()), Some(Error::Finished));
    });
}

#[test]
fn a_peer_that_wants_no_more_breaks_the_pipe() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let mut stream = Stream::connect(address).unwrap();
        let (other, _) = listener.accept().unwrap();
        drop(other);
        let block = vec![0; 100_000];
        let error = loop {
            if let Err(error) = stream.write(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn streams_and_datagrams_of_one_connection() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let client = Connection::connect(address).unwrap();
        let server = listener.accept_connection().unwrap();
        assert_eq!(server.peer_addr().port(), client.local_addr().port());
        let mut ids = Vec::new();
        for n in 0..20_u8 {
            let mut stream = client.open_stream_with(n).unwrap();
            stream.write_all(&[n; 1000]).unwrap();
            ids.push(stream.id());
        }
        for _ in 0..20 {
            let mut stream = server.accept_stream().unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            let n = ids.iter().position(|&id| id == stream.id()).unwrap();
            assert_eq!(got, vec![u8::try_from(n).unwrap(); 1000]);
        }
        client.send_datagram(b"ping").unwrap();
        assert_eq!(server.recv_datagram().unwrap(), b"ping");
        let too_long = vec![0; client.datagram_bytes_max().unwrap() + 1];
        assert_eq!(client.send_datagram(&too_long).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(client.stats().datagrams_sent > 0);

        client.close(7, b"enough");
        let over = Error::Closed(CloseReason::Peer(CloseCode::Application(7)));
        assert_eq!(server.closed().unwrap(), over);
        let error = server.accept_stream().unwrap_err();
        assert_eq!((Error::of(&error), error.kind()), (Some(over), ErrorKind::ConnectionReset));
        let error = client.open_stream().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    });
}

#[test]
fn more_streams_than_the_peer_allows_wait() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let server = thread::spawn(move || {
            let connection = listener.accept_connection().unwrap();
            let mut total = 0;
            for _ in 0..300 {
                let mut stream = connection.accept_stream().unwrap();
                let mut got = Vec::new();
                stream.read_to_end(&mut got).unwrap();
                total += got.len();
            }
            total
        });
        let client = Connection::connect(address).unwrap();
        for _ in 0..300 {
            client.open_stream().unwrap().write_all(b"x").unwrap();
        }
        assert_eq!(server.join().unwrap(), 300);
    });
}

#[test]
fn a_listener_that_goes_lets_taken_connections_live() {
    within(LIMIT, || {
        let (listener, address) = listener();
        let mut kept = Stream::connect(address).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let waiting = Connection::connect(address).unwrap();
        drop(listener);
        let over = Error::Closed(CloseReason::Peer(CloseCode::Application(0)));
        assert_eq!(waiting.closed().unwrap(), over);
        kept.write_all(b"still here").unwrap();
        let mut got = [0; 10];
        other.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"still here");
    });
}

#[test]
fn a_bind_that_cannot_be_says_so() {
    let (_listener, address) = listener();
    assert_eq!(Listener::bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
}
