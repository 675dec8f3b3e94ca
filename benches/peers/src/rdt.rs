//! The transport of this crate: one thread that drives its host itself, no thread in between.
//!
//! `rdtp` has datagrams as large as loopback bears, `rdtp+1472` what Ethernet gives; with `+place` the
//! application writes and reads in place (`reserve` and `commit`, and a reader that copies nothing).

use std::{net::SocketAddr, time::Duration};

use rdtp::{
    endpoint::Endpoint,
    net::{Clock, Driver, Socket, SocketConfig},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::Event,
        cookie::Secret,
        host::{CookiePolicy, Host, HostConfig, HostEvent},
        stream::{ReadError, StreamEvent, WriteError},
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::role::{
    CHUNK, Done, Meter, PING, SenderClock, Work, rss, tell, tell_address, tell_rounds,
};

/// How long connections are left alone before it is looked at what they hold.
const SILENCE: Duration = Duration::from_secs(1);
pub const SOCKET_BUFFER: usize = 4 << 20;

pub fn config(contender: &str, work: Work) -> HostConfig {
    let mut connection = Config::default();
    connection.packet_bytes = if contender.contains("+1472") { 1472 } else { 65_507 };
    if let Work::Connections(_) = work {
        connection.packet_bytes = 1472;
    }
    connection.rtt_initial = Duration::from_millis(20);
    let usual = HostConfig::default();
    HostConfig {
        connection,
        cookies: CookiePolicy::Never,
        // All clients of a bench have one address.
        connections_per_address_max: usual.connections_max,
        ..usual
    }
}

fn driver(contender: &str, work: Work, seed: u64) -> Done<Driver<Host>> {
    let options = SocketConfig {
        recv_buffer_bytes: Some(SOCKET_BUFFER),
        send_buffer_bytes: Some(SOCKET_BUFFER),
        plain: contender.contains("+plain"),
        ..SocketConfig::default()
    };
    let socket = Socket::bind("127.0.0.1:0".parse()?, &options)?;
    for shortfall in socket.shortfalls() {
        eprintln!("{shortfall}");
    }
    let secret = Secret::new([7; 16]);
    let host = Host::new(config(contender, work), secret, Seed::new(seed))?;
    let driver = Driver::new(host, socket, Clock::start());
    Ok(if contender.contains("+nospin") { driver.with_spin(Duration::ZERO) } else { driver })
}

/// One turn; bytes of streams that come in order go to `reader`.
fn turn(
    driver: &mut Driver<Host>,
    until: Option<Instant>,
    reader: &mut dyn FnMut(StreamId, &[u8]) -> usize,
) -> std::io::Result<()> {
    driver.wait(until)?;
    driver.step_with(&mut (), &mut |host: &mut Host, now, meta, train| {
        host.handle_train_for(now, meta, train, &mut |_, stream, bytes| reader(stream, bytes))
    })?;
    Ok(())
}

pub fn server(contender: &str, work: Work) -> Done {
    let mut driver = driver(contender, work, 1)?;
    tell_address(driver.local_addr());
    match work {
        Work::Bulk(time) => receive(&mut driver, contender, time),
        Work::PingPong(_) => echo(&mut driver, usize::MAX),
        Work::Connections(count) => {
            let before = rss();
            echo(&mut driver, count)?;
            tell("server_kib", rss() - before);
            rest_for(&mut driver, SILENCE)?;
            tell("silent_kib", rss() - before);
            tell("counted", driver.endpoint().memory_bytes() / 1024);
            while driver.endpoint().connections().next().is_some() {
                driver.turn(&mut (), None)?;
                while driver.endpoint_mut().poll_event().is_some() {}
            }
            Ok(())
        }
    }
}

fn receive(driver: &mut Driver<Host>, contender: &str, time: Duration) -> Done {
    let in_place = contender.contains("+place");
    let mut space = vec![0; CHUNK];
    let mut at = 0;
    let mut meter = Meter::default();
    loop {
        let mut got = 0;
        turn(driver, None, &mut |_, bytes| {
            got += bytes.len();
            if !in_place {
                // Into the application's own buffer, round and round.
                let mut rest = bytes;
                while !rest.is_empty() {
                    let len = rest.len().min(space.len() - at);
                    space[at..at + len].copy_from_slice(&rest[..len]);
                    at = (at + len) % space.len();
                    rest = &rest[len..];
                }
            }
            bytes.len()
        })?;
        if got > 0 {
            meter.took(got, time);
        }
        while let Some(HostEvent { id, event }) = driver.endpoint_mut().poll_event() {
            let now = driver.now();
            match event {
                Event::Stream(StreamEvent::Readable(stream)) => {
                    let Some(connection) = driver.endpoint_mut().get_mut(id) else { continue };
                    loop {
                        match connection.read(now, stream, &mut space) {
                            Ok(len) => meter.took(len, time),
                            Err(ReadError::Finished) => {
                                connection.close(now, 0, b"");
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                }
                Event::Closed(_) => {
                    meter.report();
                    // What there is to say to the client has been said.
                    driver.step(&mut ())?;
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}

/// Sends back what comes on any stream; ends when the connection is closed, or after so many pings.
fn echo(driver: &mut Driver<Host>, mut pings: usize) -> Done {
    let mut space = [0; PING];
    while pings > 0 {
        driver.turn(&mut (), None)?;
        while let Some(HostEvent { id, event }) = driver.endpoint_mut().poll_event() {
            let now = driver.now();
            match event {
                Event::Stream(StreamEvent::Readable(stream)) => {
                    let Some(connection) = driver.endpoint_mut().get_mut(id) else { continue };
                    while let Ok(len) = connection.read(now, stream, &mut space) {
                        connection.write(stream, &space[..len])?;
                        pings -= 1;
                    }
                }
                Event::Closed(_) if pings > usize::MAX / 2 => return Ok(()),
                _ => {}
            }
        }
    }
    Ok(())
}

pub fn client(contender: &str, address: SocketAddr, work: Work) -> Done {
    let mut driver = driver(contender, work, 2)?;
    match work {
        Work::Bulk(time) => send(&mut driver, contender, address, time),
        Work::PingPong(rounds) => ping(&mut driver, address, rounds),
        Work::Connections(count) => many(&mut driver, address, count),
    }
}

fn connect(driver: &mut Driver<Host>, address: SocketAddr) -> Done<(ConnectionId, StreamId)> {
    let now = driver.now();
    let id = driver.endpoint_mut().open(now, address);
    let connection = driver.endpoint_mut().get_mut(id).ok_or("gone")?;
    Ok((id, connection.open_stream(0)?))
}

fn send(driver: &mut Driver<Host>, contender: &str, address: SocketAddr, time: Duration) -> Done {
    let in_place = contender.contains("+place");
    let (id, stream) = connect(driver, address)?;
    let chunk = vec![7; CHUNK];
    let mut clock = SenderClock::start(time);
    let mut goes_on = true;
    loop {
        let connection = driver.endpoint_mut().get_mut(id).ok_or("gone")?;
        while goes_on {
            let result = if in_place {
                let reserved = connection.reserve(stream).map(|space| space.len());
                reserved.map(|len| connection.commit(stream, len))
            } else {
                connection.write(stream, &chunk).map(|_| ())
            };
            match result {
                Ok(()) => goes_on = clock.goes_on(),
                Err(WriteError::Blocked) => break,
                Err(error) => return Err(error.into()),
            }
            if !goes_on {
                clock.report();
                let stats = connection.recovery().stats();
                tell("lost", stats.lost_packets);
                tell("sent", stats.sent_packets);
                tell("window", connection.recovery().controller().window());
                tell("srtt_us", connection.recovery().rtt().smoothed().as_micros());
                connection.finish(stream)?;
            }
        }
        turn(driver, None, &mut |_, _| 0)?;
        while let Some(HostEvent { event, .. }) = driver.endpoint_mut().poll_event() {
            if let Event::Closed(reason) = event {
                let socket = driver.socket().stats();
                tell("calls", socket.calls);
                tell("would_block", socket.would_block);
                return if goes_on { Err(format!("{reason:?}").into()) } else { Ok(()) };
            }
        }
    }
}

fn ping(driver: &mut Driver<Host>, address: SocketAddr, rounds: usize) -> Done {
    let (id, stream) = connect(driver, address)?;
    let mut times = Vec::with_capacity(rounds);
    let mut back = 0;
    let mut start = driver.now();
    driver.endpoint_mut().get_mut(id).ok_or("gone")?.write(stream, &[7; PING])?;
    while times.len() < rounds {
        turn(driver, None, &mut |_, bytes| {
            back += bytes.len();
            bytes.len()
        })?;
        back += rest(driver)?;
        if back == PING {
            let now = driver.now();
            times.push((now - start).as_nanos() as u64);
            (back, start) = (0, now);
            driver.endpoint_mut().get_mut(id).ok_or("gone")?.write(stream, &[7; PING])?;
        }
    }
    let now = driver.now();
    driver.endpoint_mut().get_mut(id).ok_or("gone")?.close(now, 0, b"");
    driver.step(&mut ())?;
    tell_rounds(times);
    Ok(())
}

/// Reads what waits: the first answer comes with the handshake, before anybody can take it at once.
fn rest(driver: &mut Driver<Host>) -> Done<usize> {
    let mut bytes = 0;
    while let Some(HostEvent { id, event }) = driver.endpoint_mut().poll_event() {
        let now = driver.now();
        match event {
            Event::Stream(StreamEvent::Readable(stream)) => {
                let Some(connection) = driver.endpoint_mut().get_mut(id) else { continue };
                while let Ok(len) = connection.read(now, stream, &mut [0; PING]) {
                    bytes += len;
                }
            }
            Event::Closed(reason) => return Err(format!("{reason:?}").into()),
            _ => {}
        }
    }
    Ok(bytes)
}

/// Says nothing of its own accord for so long.
fn rest_for(driver: &mut Driver<Host>, time: Duration) -> Done {
    let end = driver.now() + time;
    while driver.now() < end {
        driver.turn(&mut (), Some(end))?;
        while driver.endpoint_mut().poll_event().is_some() {}
    }
    Ok(())
}

fn many(driver: &mut Driver<Host>, address: SocketAddr, count: usize) -> Done {
    /// Connections that are being opened at the same time.
    const OPENING: usize = 200;
    let start = std::time::Instant::now();
    let (mut opened, mut answered) = (0, 0);
    while answered < count {
        while opened < count && opened - answered < OPENING {
            let (id, stream) = connect(driver, address)?;
            driver.endpoint_mut().get_mut(id).ok_or("gone")?.write(stream, &[7; PING])?;
            opened += 1;
        }
        let mut back = 0;
        turn(driver, None, &mut |_, bytes| {
            back += bytes.len();
            bytes.len()
        })?;
        answered += (back + rest(driver)?) / PING;
    }
    tell("answered", answered);
    tell("per_second", count as f64 / start.elapsed().as_secs_f64());
    tell("client_kib", rss());
    // The server looks at what it holds before they are closed.
    rest_for(driver, 2 * SILENCE)?;
    let ids: Vec<_> = driver.endpoint().connections().map(|(id, _)| id).collect();
    for id in ids {
        let now = driver.now();
        if let Some(connection) = driver.endpoint_mut().get_mut(id) {
            connection.close(now, 0, b"");
        }
        driver.step(&mut ())?;
    }
    Ok(())
}
