//! The same upload over the same emulated line twice: in real time, behind the socket driver's own
//! link, and in virtual time, where nothing but the protocol takes any.

use std::{net::SocketAddr, time::Duration};

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    link::Link,
    net::{Clock, Driver, Socket, SocketConfig, wait},
    rng::Seed,
    time::Instant,
    trace::NodeId,
    transport::{
        cookie::Secret,
        host::{Host, HostConfig},
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::role::Done;

const LINE: &str = "rate=100mbit,delay=25ms,queue=625KiB";
const CHUNK: [u8; 16_384] = [7; 16_384];

fn host(n: u8) -> Done<Host> {
    Ok(Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()))?)
}

fn line(loss: &str, seed: &str) -> Done<Link<SocketAddr>> {
    Ok(Link::new(format!("{LINE},loss={loss}").parse()?, Seed::new(9).split(seed)))
}

fn open(host: &mut Host, now: Instant, to: SocketAddr) -> Done<(ConnectionId, StreamId)> {
    let id = host.open(now, to);
    Ok((id, host.get_mut(id).ok_or("gone")?.open_stream(0)?))
}

fn write(host: &mut Host, (id, stream): (ConnectionId, StreamId)) {
    if let Some(connection) = host.get_mut(id) {
        while connection.write(stream, &CHUNK).is_ok() {}
    }
}

/// Takes everything that arrives, and counts it.
fn arrive(host: &mut Host, now: Instant, meta: RecvMeta, datagram: &[u8], bytes: &mut u64) {
    let _ = host.handle_datagram_for(now, meta, datagram, &mut |_, _, data| {
        *bytes += data.len() as u64;
        data.len()
    });
}

/// Reads what has waited behind a gap.
fn read(host: &mut Host, now: Instant, bytes: &mut u64) {
    use rdtp::transport::{connection::Event, host::HostEvent, stream::StreamEvent};
    while let Some(HostEvent { id, event }) = host.poll_event() {
        if let Event::Stream(StreamEvent::Readable(stream)) = event
            && let Some(connection) = host.get_mut(id)
        {
            let mut space = [0; 16_384];
            while let Ok(len) = connection.read(now, stream, &mut space) {
                *bytes += len as u64;
            }
        }
    }
}

/// Bytes in so much virtual time.
fn simulated(loss: &str, time: Duration) -> Done<u64> {
    let addresses: [SocketAddr; 2] = ["10.0.0.1:1".parse()?, "10.0.0.2:1".parse()?];
    let mut hosts = [host(1)?, host(2)?];
    let mut lines = [line(loss, "out")?, line(loss, "back")?];
    let mut now = Instant::ZERO;
    let way = open(&mut hosts[0], now, addresses[1])?;
    let mut space = vec![0; 65_507];
    let mut bytes = 0;
    while now < Instant::ZERO + time {
        write(&mut hosts[0], way);
        for node in 0..2 {
            let mut batch = Batch::new(&mut space);
            while let Some(transmit) = hosts[node].poll_transmit(now, &mut batch) {
                for datagram in batch.segments() {
                    lines[node].offer(now, datagram, transmit.destination);
                }
                batch.clear();
            }
            while let Some(delivery) = lines[node].poll_deliver(now) {
                let meta = RecvMeta::from(addresses[node]);
                arrive(&mut hosts[1 - node], now, meta, &delivery.bytes, &mut bytes);
                lines[node].recycle(delivery.bytes);
            }
        }
        read(&mut hosts[1], now, &mut bytes);
        while hosts[0].poll_event().is_some() {}
        let timers = hosts.iter().filter_map(Endpoint::poll_timeout);
        let next = timers.chain(lines.iter().filter_map(|line| line.poll_timeout())).min();
        now = now.max(next.ok_or("it stands still")?);
        hosts.iter_mut().for_each(|host| host.handle_timeout(now));
    }
    Ok(bytes)
}

/// Bytes in so much time, over sockets.
fn real(loss: &str, time: Duration) -> Done<u64> {
    let clock = Clock::start();
    let options = SocketConfig {
        recv_buffer_bytes: Some(4 << 20),
        send_buffer_bytes: Some(4 << 20),
        ..SocketConfig::default()
    };
    let bind = || Socket::bind(([127, 0, 0, 1], 0).into(), &options);
    let mut server = Driver::new(host(2)?, bind()?, clock);
    let to = server.local_addr();
    let mut client = Driver::new(host(1)?, bind()?, clock).with_links(
        line(loss, "out")?,
        line(loss, "back")?,
        NodeId(1),
    );
    let began = clock.now();
    let way = open(client.endpoint_mut(), began, to)?;
    let mut bytes = 0;
    while clock.now() < began + time {
        write(client.endpoint_mut(), way);
        let deadlines = [client.deadline(), server.deadline()];
        let until = deadlines.into_iter().flatten().min();
        wait(&[client.interest(), server.interest()], until, &clock)?;
        client.step(&mut ())?;
        server.step_with(&mut (), &mut |host: &mut Host, now, meta, train| {
            host.handle_train_for(now, meta, train, &mut |_, _, data| {
                bytes += data.len() as u64;
                data.len()
            })
        })?;
        read(server.endpoint_mut(), clock.now(), &mut bytes);
        while client.endpoint_mut().poll_event().is_some() {}
    }
    Ok(bytes)
}

/// The table: loss, both goodputs, and their ratio.
pub fn table(time: Duration) -> Done {
    println!("\nupload over {LINE}, {} s, in real and in virtual time\n", time.as_secs());
    println!("| loss each way | sockets, Mbit/s | simulator, Mbit/s | ratio |");
    println!("| --- | --- | --- | --- |");
    for loss in ["0%", "1%", "5%", "20%"] {
        let rate = |bytes: u64| bytes as f64 * 8.0 / time.as_secs_f64() / 1e6;
        let (real, simulated) = (rate(real(loss, time)?), rate(simulated(loss, time)?));
        println!("| {loss} | {real:.2} | {simulated:.2} | {:.2} |", real / simulated);
    }
    Ok(())
}
