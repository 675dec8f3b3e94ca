//! tokio_kcp, the fastest way it can be set ("turbo": no delay, an update every 10 ms, fast resend, no
//! congestion control), windows of 1024 packets of 1400 bytes, stream mode. It encrypts nothing, and
//! has neither a handshake nor an end, so that the last byte of bulk says that it is the last.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_kcp::{KcpConfig, KcpListener, KcpNoDelayConfig, KcpStream};

use crate::role::{
    CHUNK, Done, Meter, PING, SenderClock, Work, rss, tell, tell_address, tell_rounds,
};

const LAST: u8 = 9;

fn config() -> KcpConfig {
    KcpConfig {
        nodelay: KcpNoDelayConfig::fastest(),
        wnd_size: (1024, 1024),
        flush_write: true,
        flush_acks_input: true,
        stream: true,
        ..KcpConfig::default()
    }
}

fn runtime() -> Done<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub fn server(work: Work) -> Done {
    runtime()?.block_on(async {
        let mut listener = KcpListener::bind(config(), ("127.0.0.1", 0)).await?;
        tell_address(listener.local_addr()?);
        match work {
            Work::Bulk(time) => {
                let (mut stream, _) = listener.accept().await?;
                let mut space = vec![0; CHUNK];
                let mut meter = Meter::default();
                loop {
                    let len = stream.read(&mut space).await?;
                    meter.took(len, time);
                    if len == 0 || space[len - 1] == LAST {
                        break;
                    }
                }
                meter.report();
                stream.write_all(&[LAST]).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Work::PingPong(rounds) => {
                let (mut stream, _) = listener.accept().await?;
                let mut ping = [0; PING];
                for _ in 0..rounds {
                    stream.read_exact(&mut ping).await?;
                    stream.write_all(&ping).await?;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Work::Connections(count) => {
                let before = rss();
                let mut kept = Vec::new();
                for _ in 0..count {
                    let (mut stream, _) = listener.accept().await?;
                    kept.push(tokio::spawn(async move {
                        let mut ping = [0; PING];
                        stream.read_exact(&mut ping).await.ok()?;
                        stream.write_all(&ping).await.ok()?;
                        Some(stream)
                    }));
                }
                let mut streams = Vec::new();
                for task in kept {
                    streams.push(task.await?);
                }
                tell("server_kib", rss() - before);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(())
    })
}

pub fn client(address: SocketAddr, work: Work) -> Done {
    runtime()?.block_on(async {
        match work {
            Work::Bulk(time) => {
                let mut stream = KcpStream::connect(&config(), address).await?;
                let chunk = vec![7; CHUNK];
                let mut clock = SenderClock::start(time);
                while clock.goes_on() {
                    stream.write_all(&chunk).await?;
                }
                clock.report();
                stream.write_all(&[LAST]).await?;
                let wait = stream.read_u8();
                tokio::time::timeout(Duration::from_secs(10), wait).await??;
            }
            Work::PingPong(rounds) => {
                let mut stream = KcpStream::connect(&config(), address).await?;
                let mut ping = [7; PING];
                let mut times = Vec::with_capacity(rounds);
                for _ in 0..rounds {
                    let start = Instant::now();
                    stream.write_all(&ping).await?;
                    stream.read_exact(&mut ping).await?;
                    times.push(start.elapsed().as_nanos() as u64);
                }
                tell_rounds(times);
            }
            Work::Connections(count) => {
                let start = Instant::now();
                let mut tasks = Vec::new();
                let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(200));
                for _ in 0..count {
                    let gate = gate.clone();
                    tasks.push(tokio::spawn(async move {
                        let _turn = gate.acquire().await.ok()?;
                        let mut stream = KcpStream::connect(&config(), address).await.ok()?;
                        stream.write_all(&[7; PING]).await.ok()?;
                        stream.read_exact(&mut [0; PING]).await.ok()?;
                        Some(stream)
                    }));
                }
                let mut kept = Vec::new();
                for task in tasks {
                    kept.extend(task.await?);
                }
                tell("answered", kept.len());
                tell("per_second", count as f64 / start.elapsed().as_secs_f64());
            }
        }
        Ok(())
    })
}
