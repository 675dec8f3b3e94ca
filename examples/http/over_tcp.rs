//! A small HTTP server and its client (RFC 9112): several requests over one connection.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    net::SocketAddr,
    sync::Arc,
    thread,
    time::Duration,
};

use std::net::{TcpListener, TcpStream};

/// What the server has, by path.
pub(crate) type Pages = BTreeMap<String, Vec<u8>>;

/// Answers the requests of `connections` peers, each in a thread of its own, and returns when they
/// are gone.
pub(crate) fn serve(listener: &TcpListener, pages: Pages, connections: usize) -> io::Result<()> {
    let pages = Arc::new(pages);
    let mut workers = Vec::new();
    for stream in listener.incoming().take(connections) {
        let (stream, pages) = (stream?, Arc::clone(&pages));
        workers.push(thread::spawn(move || answer(stream, &pages)));
    }
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))??;
    }
    Ok(())
}

fn answer(stream: TcpStream, pages: &Pages) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = BufWriter::new(stream);
    while let Some(path) = read_request(&mut reader)? {
        let (status, body) = match pages.get(&path) {
            Some(page) => ("200 OK", page.as_slice()),
            None => ("404 Not Found", b"nothing here\n".as_slice()),
        };
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        writer.write_all(body)?;
        writer.flush()?;
    }
    Ok(())
}

/// The path of the next request; `None` when the client has no more.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split_whitespace().nth(1).unwrap_or("/").to_owned();
    read_headers(reader)?;
    Ok(Some(path))
}

/// Reads up to the empty line; returns the length of the body.
fn read_headers(reader: &mut impl BufRead) -> io::Result<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(length);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}

/// Gets pages one after the other over one connection: each status line and body.
pub(crate) fn get(server: SocketAddr, paths: &[&str]) -> io::Result<Vec<(String, Vec<u8>)>> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut answers = Vec::new();
    for path in paths {
        writer.write_all(format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n").as_bytes())?;
        let mut status = String::new();
        reader.read_line(&mut status)?;
        let mut body = vec![0; read_headers(&mut reader)?];
        reader.read_exact(&mut body)?;
        answers.push((status.trim_end().to_owned(), body));
    }
    Ok(answers)
}
