//! HTTP over TCP and over UDP: two programs that differ in the names of two types. Run it with
//!
//! ```text
//! cargo run --example 05_http_over_udp
//! ```

use std::{error::Error, net::TcpListener, thread};

use rdtp::net::Listener;

#[path = "http/over_tcp.rs"]
mod over_tcp;
#[path = "http/over_udp.rs"]
mod over_udp;

fn pages() -> over_udp::Pages {
    let picture = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let index = b"<h1>It works</h1>\n".to_vec();
    [("/".to_owned(), index), ("/picture".to_owned(), picture)].into()
}

const PATHS: [&str; 4] = ["/", "/picture", "/nothing", "/"];

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || over_tcp::serve(&listener, pages(), 1));
    let over_tcp = over_tcp::get(address, &PATHS)?;
    server.join().map_err(|_| "the server panicked")??;

    let listener = Listener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || over_udp::serve(&listener, pages(), 1));
    let over_udp = over_udp::get(address, &PATHS)?;
    server.join().map_err(|_| "the server panicked")??;

    assert!(over_tcp == over_udp, "not the same answers");
    for ((status, body), path) in over_udp.iter().zip(PATHS) {
        println!("{path}: {status}, {} bytes", body.len());
    }
    Ok(())
}
