//! Kernel TCP: blocking sockets, one thread for bulk and ping-pong. `tcp` is CUBIC, `tcp+bbr` BBR.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Instant,
};

use socket2::SockRef;

use crate::role::{
    Done, PING, Work, echo, rss, send_bulk, send_pings, take_bulk, tell, tell_address,
};

fn set_up(stream: &TcpStream, contender: &str) -> Done {
    let control = if contender.ends_with("+bbr") { "bbr" } else { "cubic" };
    SockRef::from(stream)
        .set_tcp_congestion(control.as_bytes())
        .map_err(|error| format!("TCP {control}: {error}"))?;
    stream.set_nodelay(true)?;
    Ok(())
}

pub fn server(contender: &str, work: Work) -> Done {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    tell_address(listener.local_addr()?);
    match work {
        Work::Bulk(time) => {
            let (mut stream, _) = listener.accept()?;
            set_up(&stream, contender)?;
            take_bulk(&mut stream, time)?;
        }
        Work::PingPong(_) => {
            let (mut stream, _) = listener.accept()?;
            set_up(&stream, contender)?;
            echo(&mut stream)?;
        }
        Work::Connections(count) => {
            let before = rss();
            let mut streams = Vec::new();
            while streams.len() < count {
                let (mut stream, _) = listener.accept()?;
                let mut ping = [0; PING];
                stream.read_exact(&mut ping)?;
                stream.write_all(&ping)?;
                streams.push(stream);
            }
            tell("server_kib", rss() - before);
            // Until the client has seen all answers.
            streams.iter_mut().for_each(|stream| _ = stream.read(&mut [0]));
        }
    }
    Ok(())
}

pub fn client(contender: &str, address: SocketAddr, work: Work) -> Done {
    match work {
        Work::Bulk(time) => {
            let mut stream = TcpStream::connect(address)?;
            set_up(&stream, contender)?;
            send_bulk(&mut stream, time)?;
        }
        Work::PingPong(rounds) => {
            let mut stream = TcpStream::connect(address)?;
            set_up(&stream, contender)?;
            send_pings(&mut stream, rounds)?;
        }
        Work::Connections(count) => {
            let start = Instant::now();
            let mut streams = Vec::new();
            for _ in 0..count {
                let mut stream = TcpStream::connect(address)?;
                stream.write_all(&[7; PING])?;
                streams.push(stream);
            }
            let mut answered = 0;
            for stream in &mut streams {
                match stream.read_exact(&mut [0; PING]) {
                    Ok(()) => answered += 1,
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                    Err(error) => return Err(error.into()),
                }
            }
            tell("answered", answered);
            tell("per_second", count as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
