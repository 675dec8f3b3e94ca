//! The same in tokio: cancelled futures lose nothing, and hyper neither knows nor cares.

use core::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use std::{
    io::{ErrorKind, Read, Write},
    sync::{Arc, mpsc},
    thread,
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use rdtp::net::{
    Error,
    tokio::{Connection, Listener, Stream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::support::{self, LIMIT, bytes, within};

/// Runs it in a runtime with two workers, and fails rather than wait for ever.
fn run(what: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { timeout(LIMIT, what).await.expect("not done in time") });
}

async fn listener() -> (Listener, std::net::SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn an_echo_of_a_few_megabytes() {
    run(async {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut reader, mut writer) = tokio::io::split(stream);
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let stream = Stream::connect(address).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let data = bytes(5_000_000);
        let sent = data.clone();
        let writing = tokio::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let mut echo = Vec::new();
        reader.read_to_end(&mut echo).await.unwrap();
        assert!(echo == data, "{} of {} bytes", echo.len(), data.len());
        writing.await.unwrap();
        server.await.unwrap();
    });
}

/// Both ends and what drives them take turns in one thread.
#[test]
fn a_runtime_of_one_thread_is_enough() {
    within(LIMIT, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let (listener, address) = listener().await;
            let data = bytes(3_000_000);
            let sent = data.clone();
            let writing = tokio::spawn(async move {
                let mut stream = Stream::connect(address).await.unwrap();
                stream.write_all(&sent).await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let mut got = Vec::new();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_to_end(&mut got).await.unwrap();
            assert!(got == data, "{} of {} bytes", got.len(), data.len());
            writing.await.unwrap();
        });
    });
}

/// A runtime that is gone, or that does nothing any more, acknowledges nothing: a thread stands in for
/// it, so that the peer gets rid of what it writes.
#[test]
fn a_stream_outlives_its_runtime() {
    within(LIMIT, || {
        for dropped in [true, false] {
            let (listener, address) = support::listener();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 5]).unwrap();
                stream.write_all(&bytes(100_000)).unwrap();
                stream.finish().unwrap();
                // It stays for what the other says at the end.
                (listener, stream)
            });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            let runtime = runtime.unwrap();
            let stream = runtime.block_on(async {
                let mut stream = Stream::connect(address).await.unwrap();
                stream.write_all(b"hello").await.unwrap();
                stream
            });
            let (runtime, stream, (_listener, mut peer)) = if dropped {
                drop(runtime);
                let peer = server.join().unwrap();
                (None, stream.into_blocking(), peer)
            } else {
                let stream = stream.into_blocking();
                (Some(runtime), stream, server.join().unwrap())
            };
            let mut got = Vec::new();
            (&stream).read_to_end(&mut got).unwrap();
            assert!(got == bytes(100_000), "{} bytes", got.len());
            (&stream).write_all(b"goodbye").unwrap();
            let mut said = [0; 7];
            peer.read_exact(&mut said).unwrap();
            assert_eq!(&said, b"goodbye");
            drop((stream, runtime));
        }
    });
}

/// A peer on threads of its own that sends bulk on the first stream of a connection, and a little on the
/// second meanwhile.
fn two_streams(bulk: usize) -> (std::net::SocketAddr, thread::JoinHandle<()>) {
    let (listener, address) = support::listener();
    let server = thread::spawn(move || {
        let connection = listener.accept_connection().unwrap();
        let [mut first, mut second] = [(); 2].map(|()| connection.accept_stream().unwrap());
        for (stream, name) in [(&mut first, 1), (&mut second, 2)] {
            let mut said = [0];
            stream.read_exact(&mut said).unwrap();
            assert_eq!(said, [name]);
        }
        let (half, is_under_way) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let bytes = bytes(bulk);
                let (early, late) = bytes.split_at(bulk / 2);
                (&first).write_all(early).unwrap();
                half.send(()).unwrap();
                (&first).write_all(late).unwrap();
                first.finish().unwrap();
            });
            is_under_way.recv().unwrap();
            (&second).write_all(&bytes(5000)).unwrap();
            second.finish().unwrap();
        });
    });
    (address, server)
}

async fn open_two(address: std::net::SocketAddr) -> [Stream; 2] {
    let connection = Connection::connect(address).await.unwrap();
    let mut first = connection.open_stream().await.unwrap();
    let mut second = connection.open_stream().await.unwrap();
    first.write_all(&[1]).await.unwrap();
    second.write_all(&[2]).await.unwrap();
    [first, second]
}

/// What arrives is left to who reads all the time. When he does not come for it, because he does
/// something else, or waits no more, or is dropped, those who wait for something behind it get it
/// all the same; and he finds all of it later.
#[test]
fn a_reader_that_stays_away_holds_nobody_up() {
    for stays_away in 0..4 {
        within(LIMIT, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                const BULK: usize = 400_000;
                let (address, server) = two_streams(BULK);
                let [mut first, mut second] = open_two(address).await;
                let mut got = Vec::new();
                let mut space = vec![0; 10_000 + 30_000 * (stays_away % 2)];
                while got.len() < 100_000 {
                    let len = first.read(&mut space).await.unwrap();
                    got.extend_from_slice(&space[..len]);
                }
                if stays_away >= 2 {
                    // It waits, and then no more, in a task that is woken for nothing.
                    while let Some(len) = once(first.read(&mut space)).await {
                        let len = len.unwrap();
                        got.extend_from_slice(&space[..len]);
                        if len == 0 {
                            break;
                        }
                    }
                }
                let other = tokio::spawn(async move {
                    let mut said = Vec::new();
                    second.read_to_end(&mut said).await.unwrap();
                    said
                });
                assert!(other.await.unwrap() == bytes(5000));
                first.read_to_end(&mut got).await.unwrap();
                assert!(got == bytes(BULK), "{} bytes", got.len());
                server.join().unwrap();
            });
        });
    }
}

/// A stream that becomes one that blocks in the middle of bulk, with its runtime or without, goes on
/// where it was.
#[test]
fn bulk_goes_on_where_the_runtime_stopped() {
    for dropped in [true, false] {
        within(LIMIT, move || {
            const BULK: usize = 3_000_000;
            let (address, server) = two_streams(BULK);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            let mut got = Vec::new();
            let [first, second] = runtime.block_on(async {
                let [mut first, second] = open_two(address).await;
                let mut space = vec![0; 20_000];
                while got.len() < 1_000_000 {
                    let len = first.read(&mut space).await.unwrap();
                    got.extend_from_slice(&space[..len]);
                }
                [first, second]
            });
            let runtime = (!dropped).then_some(runtime);
            let [mut first, mut second] = [first, second].map(Stream::into_blocking);
            first.read_to_end(&mut got).unwrap();
            assert!(got == bytes(BULK), "{} bytes", got.len());
            let mut said = Vec::new();
            second.read_to_end(&mut said).unwrap();
            assert!(said == bytes(5000));
            server.join().unwrap();
            drop(runtime);
        });
    }
}

/// Tasks of one runtime that always have something to read let others run.
#[test]
fn a_stream_that_is_never_empty_lets_others_run() {
    within(LIMIT, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let (address, server) = two_streams(3_000_000);
            let [mut first, mut second] = open_two(address).await;
            let ticks = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&ticks);
            let ticking = tokio::spawn(async move {
                loop {
                    counted.fetch_add(1, Relaxed);
                    tokio::task::yield_now().await;
                }
            });
            let (mut most, mut since, mut before) = (0, 0, 0);
            while first.read(&mut [0; 100]).await.unwrap() > 0 {
                let now = ticks.load(Relaxed);
                since = if now == before { since + 1 } else { 0 };
                (most, before) = (most.max(since), now);
            }
            assert!(most < 1000, "{most} reads before anybody else ran");
            second.read_to_end(&mut Vec::new()).await.unwrap();
            ticking.abort();
            server.join().unwrap();
        });
    });
}

/// Gives a future up unless it is ready almost at once.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = tokio::task::yield_now() => None,
    }
}

/// Reads and writes that are given up again and again lose nothing and repeat nothing.
#[test]
fn cancelled_futures_lose_nothing() {
    run(async {
        let (listener, address) = listener().await;
        let data = bytes(1_000_000);
        let sent = data.clone();
        let cancelled = Arc::new(AtomicUsize::new(0));
        let given_up = Arc::clone(&cancelled);
        let writing = tokio::spawn(async move {
            let mut stream = Stream::connect(address).await.unwrap();
            let mut rest = sent.as_slice();
            let mut pieces = 0;
            while !rest.is_empty() {
                // Now and then there is nothing to read.
                pieces += 1;
                if pieces % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                // Once there is nothing until the reader has noticed.
                while rest.len() < sent.len() / 2 && given_up.load(Relaxed) == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let piece = &rest[..rest.len().min(3000)];
                if let Some(written) = once(stream.write(piece)).await {
                    rest = &rest[written.unwrap()..];
                }
            }
            while timeout(Duration::from_millis(1), stream.shutdown()).await.is_err() {}
        });
        let accepted = loop {
            if let Some(accepted) = once(listener.accept()).await {
                break accepted;
            }
        };
        let (mut stream, _) = accepted.unwrap();
        let mut got = Vec::new();
        let mut space = vec![0; 2000];
        loop {
            match once(stream.read(&mut space)).await {
                Some(len) => match len.unwrap() {
                    0 => break,
                    len => got.extend_from_slice(&space[..len]),
                },
                None => _ = cancelled.fetch_add(1, Relaxed),
            }
        }
        assert!(got == data, "{} of {} bytes", got.len(), data.len());
        assert!(cancelled.load(Relaxed) > 0, "nothing was ever cancelled");
        writing.await.unwrap();
    });
}

#[test]
fn hyper_runs_over_it() {
    run(async {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            for _ in 0..3 {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let echo = service_fn(|request: Request<hyper::body::Incoming>| async {
                        let path = request.uri().path().to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let answer = [path.as_bytes(), b" ", &body].concat();
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    http.serve_connection(TokioIo::new(stream), echo).await.unwrap();
                });
            }
        });
        for client in 0..3 {
            let stream = Stream::connect(address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            let connection = tokio::spawn(connection);
            for n in [10, 300_000, 0] {
                let body = vec![b'x'; n];
                let request = Request::post(format!("/{client}/{n}"))
                    .header("host", "example.org")
                    .body(Full::new(Bytes::from(body.clone())))
                    .unwrap();
                sender.ready().await.unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                let got = answer.into_body().collect().await.unwrap().to_bytes();
                let expected = [format!("/{client}/{n} ").as_bytes(), &body].concat();
                assert!(got == expected, "{} bytes", got.len());
            }
            drop(sender);
            connection.await.unwrap().unwrap();
        }
        server.await.unwrap();
    });
}

#[test]
fn many_streams_of_one_connection_at_the_same_time() {
    run(async {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let connection = listener.accept_connection().await.unwrap();
            while let Ok(mut stream) = connection.accept_stream().await {
                tokio::spawn(async move {
                    let mut said = Vec::new();
                    stream.read_to_end(&mut said).await.unwrap();
                    stream.write_all(&said).await.unwrap();
                    stream.shutdown().await.unwrap();
                });
            }
        });
        let connection = Connection::connect(address).await.unwrap();
        let tasks: Vec<_> = (0..200_u8)
            .map(|n| {
                let connection = connection.clone();
                tokio::spawn(async move {
                    let mut stream = connection.open_stream().await.unwrap();
                    let said = vec![n; 2000];
                    stream.write_all(&said).await.unwrap();
                    stream.shutdown().await.unwrap();
                    let mut echo = Vec::new();
                    stream.read_to_end(&mut echo).await.unwrap();
                    assert_eq!(echo, said);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        connection.send_datagram(b"bye").unwrap();
        connection.close(0, b"");
        server.await.unwrap();
        assert!(matches!(connection.closed().await.unwrap(), Error::Closed(_)));
    });
}

#[test]
fn nobody_listens() {
    run(async {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = Stream::connect(closed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}
