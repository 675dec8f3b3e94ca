//! The transport of this crate as programs use it: `stream` is `rdtp::net::Stream` with threads,
//! `tokio` is `rdtp::net::tokio::Stream` on a runtime of one thread. Windows, buffers and datagrams
//! are those of `rdtp`; with `+1472` what Ethernet gives.

use std::{net::SocketAddr, time::Instant};

use rdtp::{
    net::{
        Connection, ConnectionBuilder, Listener, ListenerBuilder, Stream, tokio as asynchronous,
    },
    transport::host::CookiePolicy,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    rdt::{SOCKET_BUFFER, config},
    role::{
        CHUNK, Done, Meter, PING, SenderClock, Work, echo, send_bulk, send_pings, take_bulk,
        tell_address, tell_rounds,
    },
};

pub fn listener(contender: &str, work: Work) -> ListenerBuilder {
    Listener::builder()
        .transport(config(contender, work).connection)
        .cookies(CookiePolicy::Never)
        .recv_buffer_bytes(SOCKET_BUFFER)
        .send_buffer_bytes(SOCKET_BUFFER)
}

pub fn connection(contender: &str, work: Work) -> ConnectionBuilder {
    Connection::builder()
        .transport(config(contender, work).connection)
        .recv_buffer_bytes(SOCKET_BUFFER)
        .send_buffer_bytes(SOCKET_BUFFER)
}

const ANY: &str = "127.0.0.1:0";

fn not_this(work: Work) -> Done {
    Err(format!("{work:?} is not measured through streams").into())
}

pub fn server(contender: &str, work: Work) -> Done {
    let listener = listener(contender, work).bind(ANY)?;
    tell_address(listener.local_addr()?);
    let (mut stream, _) = listener.accept()?;
    match work {
        Work::Bulk(time) => take_bulk(&mut stream, time),
        Work::PingPong(_) => echo(&mut stream),
        Work::Connections(_) => not_this(work),
    }
}

pub fn client(contender: &str, address: SocketAddr, work: Work) -> Done {
    let mut stream: Stream = connection(contender, work).connect_stream(address)?;
    match work {
        Work::Bulk(time) => {
            send_bulk(&mut stream, time)?;
            Ok(stream.finish()?)
        }
        Work::PingPong(rounds) => send_pings(&mut stream, rounds),
        Work::Connections(_) => not_this(work),
    }
}

fn runtime() -> Done<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub fn async_server(contender: &str, work: Work) -> Done {
    runtime()?.block_on(async {
        let builder = listener(contender, work);
        let listener = asynchronous::Listener::bind_with(&builder, ANY).await?;
        tell_address(listener.local_addr()?);
        let (mut stream, _) = listener.accept().await?;
        match work {
            Work::Bulk(time) => {
                let mut space = vec![0; CHUNK];
                let mut meter = Meter::default();
                loop {
                    match stream.read(&mut space).await? {
                        0 => break,
                        len => meter.took(len, time),
                    }
                }
                meter.report();
                Ok(())
            }
            Work::PingPong(_) => {
                let mut ping = [0; PING];
                while stream.read_exact(&mut ping).await.is_ok() {
                    stream.write_all(&ping).await?;
                }
                Ok(())
            }
            Work::Connections(_) => not_this(work),
        }
    })
}

pub fn async_client(contender: &str, address: SocketAddr, work: Work) -> Done {
    runtime()?.block_on(async {
        let builder = connection(contender, work);
        let mut stream = asynchronous::Stream::connect_with(&builder, address).await?;
        match work {
            Work::Bulk(time) => {
                let chunk = vec![7; CHUNK];
                let mut clock = SenderClock::start(time);
                while clock.goes_on() {
                    stream.write_all(&chunk).await?;
                }
                clock.report();
                Ok(stream.shutdown().await?)
            }
            Work::PingPong(rounds) => {
                let mut ping = [7; PING];
                let mut times = Vec::with_capacity(rounds);
                for _ in 0..rounds {
                    let start = Instant::now();
                    stream.write_all(&ping).await?;
                    stream.read_exact(&mut ping).await?;
                    times.push(start.elapsed().as_nanos() as u64);
                }
                tell_rounds(times);
                Ok(())
            }
            Work::Connections(_) => not_this(work),
        }
    })
}
