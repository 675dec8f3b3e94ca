//! Listeners with several threads: whose connection is whose, and peers that change their port.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::{
    io::{Read, Write},
    net::UdpSocket,
    thread,
};

use super::*;

const LANES: usize = 2;
const PATIENCE: Duration = Duration::from_mins(1);

/// A listener with two threads; without `steered` the system delivers as it likes.
fn listener(steered: bool) -> (Arc<Listener>, SocketAddr) {
    let mut builder = ListenerBuilder::new().threads(LANES);
    builder.settings.socket.plain = !steered;
    let listener = builder.bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Arc::new(listener), address)
}

/// Echoes `count` streams, each in a thread; says how many connections each lane had.
fn echo(listener: Arc<Listener>, count: usize) -> thread::JoinHandle<[usize; LANES]> {
    thread::spawn(move || {
        let mut lanes = [0; LANES];
        let echoes: Vec<_> = (0..count)
            .map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                let held = &stream.connection().held.lane;
                let is_there = |lane: &Arc<Hold>| Arc::ptr_eq(lane, held);
                lanes[listener.lanes().iter().position(is_there).unwrap()] += 1;
                thread::spawn(move || {
                    let mut back = stream.try_clone().unwrap();
                    io::copy(&mut stream, &mut back).unwrap();
                    // The client may have gone with its last byte.
                    let _ = back.finish();
                })
            })
            .collect();
        for echo in echoes {
            echo.join().unwrap();
        }
        lanes
    })
}

fn ask(stream: &Stream, len: usize) {
    let data: Vec<u8> = (0..=250).cycle().take(len).collect();
    thread::scope(|scope| {
        scope.spawn(|| (&mut &*stream).write_all(&data).unwrap());
        let mut echo = vec![0; len];
        (&mut &*stream).read_exact(&mut echo).unwrap();
        assert!(echo == data, "the echo differs");
    });
}

fn connect(address: SocketAddr) -> Stream {
    let stream = Stream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// With the system's help and without it, every connection works, and both threads have some.
#[test]
fn many_connections_are_shared_out() {
    const CLIENTS: usize = 40;
    for steered in [true, false] {
        let (listener, address) = listener(steered);
        let server = echo(Arc::clone(&listener), CLIENTS);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                thread::spawn(move || {
                    let stream = connect(address);
                    ask(&stream, 30_000);
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        let lanes = server.join().unwrap();
        assert!(lanes.iter().all(|&count| count > 0), "{lanes:?}");
        assert_eq!(lanes.iter().sum::<usize>(), CLIENTS);
        if steered && cfg!(target_os = "linux") {
            assert_eq!(listener.handed_over(), 0, "the system knows where they go");
        } else {
            assert!(listener.handed_over() > 0, "hashes are right by chance alone");
        }
        // Nothing keeps the address once all is over.
        drop(listener);
        let start = Clock::start();
        while UdpSocket::bind(address).is_err() {
            assert!(start.now().since_epoch() < PATIENCE, "a socket is left");
            thread::yield_now();
        }
    }
}

/// A box between client and server that sends from a new port whenever it is told to, as NAT does.
struct Nat {
    front: SocketAddr,
    ports: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
}

impl Nat {
    fn before(server: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        let nat = Self {
            front: front.local_addr().unwrap(),
            ports: Arc::new(AtomicUsize::new(1)),
            ends: Arc::default(),
        };
        let (ports, ends) = (Arc::clone(&nat.ports), Arc::clone(&nat.ends));
        let outer = move || {
            let outer = UdpSocket::bind("127.0.0.1:0").unwrap();
            outer.connect(server).unwrap();
            outer.set_nonblocking(true).unwrap();
            outer
        };
        front.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            let (mut back, mut client, mut made) = (outer(), None, 1);
            let mut space = vec![0; 65_536];
            while !ends.load(Relaxed) {
                if made != ports.load(Relaxed) {
                    (back, made) = (outer(), made + 1);
                }
                let mut idle = true;
                while let Ok((len, from)) = front.recv_from(&mut space) {
                    (client, idle) = (Some(from), false);
                    let _ = back.send(&space[..len]);
                }
                while let Ok(len) = back.recv(&mut space) {
                    idle = false;
                    if let Some(client) = client {
                        let _ = front.send_to(&space[..len], client);
                    }
                }
                if idle {
                    thread::yield_now();
                }
            }
        });
        nat
    }

    fn rebind(&self) {
        self.ports.fetch_add(1, Relaxed);
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
    }
}

/// A peer that comes from another port all the time stays with its thread, and loses nothing.
#[test]
fn a_peer_that_rebinds_its_port_keeps_its_connection() {
    const MOVES: usize = 4;
    /// Without help every other port is on the right side by chance.
    const MOVES_MAX: usize = 40;
    for steered in [true, false] {
        let (listener, address) = listener(steered);
        let server = echo(Arc::clone(&listener), 1);
        let nat = Nat::before(address);
        let stream = connect(nat.front);
        let is_steered = steered && cfg!(target_os = "linux");
        for moves in 0..MOVES_MAX {
            if moves >= MOVES && (is_steered || listener.handed_over() > 0) {
                break;
            }
            ask(&stream, 20_000);
            nat.rebind();
        }
        ask(&stream, 20_000);
        stream.finish().unwrap();
        assert_eq!((&stream).read(&mut [0; 1]).unwrap(), 0);
        assert_eq!(server.join().unwrap().iter().sum::<usize>(), 1);
        assert_eq!(listener.handed_over() > 0, !is_steered, "the system knows where it goes");
    }
}

#[test]
fn no_thread_is_too_few_and_thousands_are_too_many() {
    for threads in [0, 65, 1 << 20] {
        let error = ListenerBuilder::new().threads(threads).bind("127.0.0.1:0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(format!("{error}").contains("1 to 64"), "{error}");
    }
}
