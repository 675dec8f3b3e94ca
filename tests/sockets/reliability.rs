//! What happens to processes, sockets and neighbours, and what the other side sees of it.

#![allow(clippy::disallowed_methods, reason = "a test waits for the machine's clock")]

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rdtp::{
    net::{Connection, Error, Listener, Stream},
    trace::transport::CloseReason,
    transport::{config::Config, host::CookiePolicy},
};

use crate::support::{LIMIT, bytes, listener, within};

/// An echo server in a process of its own: this program again, in the test below.
struct Server {
    child: Child,
    address: SocketAddr,
}

const ROLE: &str = "RDTP_TEST_ECHO_ON";

impl Server {
    fn start(on: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "reliability::echo_process", "--nocapture"])
            .env(ROLE, on)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            line.unwrap().split_once("echo on ").map(|(_, address)| address.parse().unwrap())
        });
        Self { child, address: address.expect("it says where it listens") }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process; on its own it has nothing to do.
#[test]
fn echo_process() {
    let Ok(on) = std::env::var(ROLE) else { return };
    let listener = Listener::builder().secret([7; 16]).bind(on.as_str()).unwrap();
    println!("\necho on {}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        thread::spawn(move || {
            let mut sink = stream.try_clone().unwrap();
            // The peer may go in the middle of it.
            let _ = std::io::copy(&mut stream, &mut sink);
        });
    }
}

fn connect(address: SocketAddr, idle: Duration) -> Stream {
    let config = Config::builder().idle_timeout(idle).build().unwrap();
    Connection::builder()
        .transport(config)
        .linger(Duration::from_millis(200))
        .connect_stream(address)
        .unwrap()
}

/// Writes until that fails; the peer echoes, but nobody reads.
fn write_until_it_fails(stream: &Stream) -> std::io::Error {
    let block = bytes(100_000);
    loop {
        if let Err(error) = { stream }.write(&block) {
            return error;
        }
    }
}

fn echo(stream: &Stream, len: usize) {
    let data = bytes(len);
    { stream }.write_all(&data).unwrap();
    let mut echo = vec![0; len];
    { stream }.read_exact(&mut echo).unwrap();
    assert!(echo == data);
}

#[test]
fn a_receiver_killed_in_mid_transfer_is_missed_after_the_idle_timeout() {
    within(LIMIT, || {
        let mut server = Server::start("127.0.0.1:0");
        let stream = connect(server.address, Duration::from_secs(1));
        echo(&stream, 100_000);
        server.child.kill().unwrap();
        let killed = Instant::now();
        let error = write_until_it_fails(&stream);
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(Error::of(&error), Some(Error::Closed(CloseReason::Idle)));
        // The timeout, three probe timeouts of an RTT variance that a busy machine made large, and a
        // margin.
        assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    });
}

#[test]
fn a_server_that_was_restarted_says_so_at_once() {
    within(LIMIT, || {
        let mut server = Server::start("127.0.0.1:0");
        let stream = connect(server.address, Duration::from_secs(50));
        echo(&stream, 1000);
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let again = Server::start(&server.address.to_string());
        let error = write_until_it_fails(&stream);
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        assert_eq!(Error::of(&error), Some(Error::Closed(CloseReason::Reset)));
        echo(&connect(again.address, Duration::from_secs(50)), 1000);
    });
}

/// Stopped for less than the idle timeout, a process goes on where it was; the soak does the same
/// with half a minute.
#[test]
fn a_process_stopped_for_a_while_goes_on() {
    within(LIMIT, || {
        let server = Server::start("127.0.0.1:0");
        let stream = connect(server.address, Duration::from_secs(20));
        echo(&stream, 10_000);
        server.signal("STOP");
        let writer = stream.try_clone().unwrap();
        let data = bytes(2_000_000);
        let sent = data.clone();
        let writing = thread::spawn(move || {
            { &writer }.write_all(&sent).unwrap();
            writer.finish().unwrap();
        });
        thread::park_timeout(Duration::from_millis(1500));
        assert!(!writing.is_finished(), "nobody is there to take it");
        server.signal("CONT");
        let mut echo = Vec::new();
        { &stream }.read_to_end(&mut echo).unwrap();
        assert!(echo == data, "{} of {} bytes", echo.len(), data.len());
        writing.join().unwrap();
    });
}

#[test]
fn a_process_stopped_for_too_long_is_missed_and_serves_others_afterwards() {
    within(LIMIT, || {
        let server = Server::start("127.0.0.1:0");
        let stream = connect(server.address, Duration::from_millis(700));
        echo(&stream, 10_000);
        server.signal("STOP");
        let error = write_until_it_fails(&stream);
        assert_eq!(Error::of(&error), Some(Error::Closed(CloseReason::Idle)));
        server.signal("CONT");
        echo(&connect(server.address, Duration::from_secs(20)), 10_000);
    });
}

fn descriptors() -> Option<usize> {
    fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}

/// Each opens, asks, is answered and closes; afterwards nothing is left of them. Run in a process of
/// its own, since other tests open descriptors too.
#[test]
fn thousands_of_short_connections_leave_nothing_behind() {
    const ALONE: &str = "RDTP_TEST_ALONE";
    if std::env::var(ALONE).is_err() {
        let name = "reliability::thousands_of_short_connections_leave_nothing_behind";
        let alone = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success(), "{said}{}", String::from_utf8_lossy(&alone.stderr));
        return;
    }
    let (listener, address) = listener();
    let server = thread::spawn(move || {
        for stream in listener.incoming().take(2000) {
            let mut stream = stream.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            stream.write_all(&word).unwrap();
        }
    });
    let before = descriptors();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                for n in 0..500_u32 {
                    let mut stream = Stream::connect(address).unwrap();
                    stream.write_all(&n.to_be_bytes()).unwrap();
                    let mut word = [0; 4];
                    stream.read_exact(&mut word).unwrap();
                    assert_eq!(word, n.to_be_bytes());
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    server.join().unwrap();
    // Closed connections are remembered for three probe timeouts, then their lanes end.
    let limit = Instant::now() + Duration::from_secs(20);
    while descriptors() > before && Instant::now() < limit {
        thread::park_timeout(Duration::from_millis(50));
    }
    assert!(descriptors() <= before, "{before:?} descriptors before, {:?} after", descriptors());
}

/// What bad neighbours must leave to the others, and how often that is looked at.
const SHARE_MIN: f64 = 0.3;
const LOOKS_MAX: usize = 8;

/// Echoes as fast as it goes until told to stop; returns bytes a second.
fn rate(stream: &Stream, time: Duration) -> f64 {
    let block = bytes(64_000);
    let mut space = vec![0; block.len()];
    let start = Instant::now();
    let mut moved = 0;
    while start.elapsed() < time {
        { stream }.write_all(&block).unwrap();
        { stream }.read_exact(&mut space).unwrap();
        moved += block.len();
    }
    f64::from(u32::try_from(moved / 1000).unwrap()) * 1000.0 / start.elapsed().as_secs_f64()
}

/// One who does not read, one who has died and a flood of openers that nobody has validated do not
/// stop the others, nor take more than a part of their rate. A machine that runs other tests meanwhile
/// may be slow for a while, so the best of a few looks counts.
#[test]
fn bad_neighbours_do_not_stop_the_others() {
    within(LIMIT, || {
        let listener =
            Listener::builder().cookies(CookiePolicy::Above(16)).bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                thread::spawn(move || {
                    let mut sink = stream.try_clone().unwrap();
                    let _ = std::io::copy(&mut stream, &mut sink);
                });
            }
        });
        let good = Stream::connect(address).unwrap();
        let before = rate(&good, Duration::from_millis(600));

        let slow = connect(address, Duration::from_secs(30));
        slow.set_nonblocking(true).unwrap();
        while { &slow }.write(&bytes(60_000)).is_ok() {}
        let mut dead = Server::start("127.0.0.1:0");
        let missed = connect(dead.address, Duration::from_secs(30));
        missed.set_nonblocking(true).unwrap();
        dead.child.kill().unwrap();
        while { &missed }.write(&bytes(60_000)).is_ok() {}
        let (stop, floods) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let flood = {
            let (stop, floods) = (Arc::clone(&stop), Arc::clone(&floods));
            thread::spawn(move || {
                while !stop.load(Relaxed) {
                    floods.fetch_add(u64::from(open_and_vanish(address)), Relaxed);
                    thread::park_timeout(Duration::from_micros(500));
                }
            })
        };
        let mut share: f64 = 0.0;
        for _ in 0..LOOKS_MAX {
            share = share.max(rate(&good, Duration::from_millis(600)) / before);
            if share > SHARE_MIN {
                break;
            }
        }
        stop.store(true, Relaxed);
        flood.join().unwrap();
        println!(
            "{share:.2} of {:.1} MB/s with {} forged opens",
            before / 1e6,
            floods.load(Relaxed)
        );
        assert!(floods.load(Relaxed) > 100, "that was no flood");
        assert!(share > SHARE_MIN, "{share:.2} of the rate before");
        slow.connection().close(0, b"");
        missed.connection().close(0, b"");
    });
}

/// An opening packet from an address that then is nobody's.
fn open_and_vanish(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut packet = rdtp::wire::transport::example::datagram("open").unwrap();
    packet.resize(1200, 0);
    rdtp::wire::transport::seal(&mut packet);
    socket.send_to(&packet, address).is_ok()
}
