//! What a driver is: the six steps of `rdtp::endpoint` around a socket, and nothing else. Here they
//! stand on `std::net::UdpSocket` alone. Two threads transfer ten messages over loopback with
//! selective repeat, although the sender's socket drops every third datagram.
//!
//! The crate's own driver, `rdtp::net::Driver`, does the same for many sockets in one thread. Run
//! this one with
//!
//! ```text
//! cargo run --example 03_your_own_driver
//! ```

use std::{
    error::Error,
    net::UdpSocket,
    thread,
    time::{Duration, Instant as WallClock},
};

use rdtp::{
    batch::Batch,
    classic::{Adaptive, Classic, Config, Event, Role, Timeout, sr::SelectiveRepeat},
    endpoint::{Endpoint, RecvMeta},
    seq::Modulus,
    time::Instant,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Runs `endpoint` behind `socket` until `on_event` returns true.
fn drive<E: Endpoint>(
    mut endpoint: E,
    socket: &UdpSocket,
    drop_every: usize,
    mut on_event: impl FnMut(E::Event) -> bool,
) -> Outcome<()> {
    // Endpoints read no clock: time is what the driver says, counted from where it likes.
    #[expect(clippy::disallowed_methods, reason = "a driver is where time enters")]
    let epoch = WallClock::now();
    let now = || Instant::ZERO + epoch.elapsed();
    let (mut space, mut buffer, mut count) = ([0; 4096], [0; 4096], 0);
    loop {
        // 1. Send what it wants sent. One batch may hold several datagrams to one destination.
        loop {
            let mut batch = Batch::new(&mut space);
            let Some(transmit) = endpoint.poll_transmit(now(), &mut batch) else { break };
            for datagram in batch.segments() {
                count += 1;
                if count % drop_every != 0 {
                    socket.send_to(datagram, transmit.destination)?;
                }
            }
        }
        // 2. Hear what it has to say.
        while let Some(event) = endpoint.poll_event() {
            if on_event(event) {
                return Ok(());
            }
        }
        // 3. and 4. Wait for a datagram until its next deadline; the standard library takes a
        // timeout of zero for none, so what is due now waits a moment.
        let wait = endpoint.poll_timeout().map(|due| (due - now()).max(Duration::from_micros(1)));
        socket.set_read_timeout(wait)?;
        match socket.recv_from(&mut buffer) {
            // 5. A datagram came. What became of it is for those who count.
            Ok((len, source)) => {
                let _ = endpoint.handle_datagram(now(), RecvMeta::from(source), &buffer[..len]);
            }
            // 6. The deadline came. An error is no reason to stop, it is UDP: whatever it cost, the
            // protocol will notice.
            Err(_) => endpoint.handle_timeout(now()),
        }
    }
}

pub(crate) fn main() -> Outcome<()> {
    let protocol = SelectiveRepeat::new(4, Modulus::NEVER)?;
    let timeout = Timeout::Adaptive(Adaptive::LOCAL);
    let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let config = |role| Config { role, timeout, ..Config::default() };
    let mut sender = Classic::new(&protocol, config(Role::Sender), there.local_addr()?)?;
    let receiver = Classic::new(&protocol, config(Role::Receiver), here.local_addr()?)?;

    let total = 10;
    for n in 1..=total {
        sender.send(Instant::ZERO, format!("message {n} of {total}").as_bytes())?;
    }
    // The receiver goes on until its peer is content: it must repeat ACKs that were lost. Here it
    // ends with the process.
    let _receiving = thread::spawn(move || {
        drive(receiver, &there, usize::MAX, |event| {
            if let Event::Delivered(message) = event {
                println!("received: {}", String::from_utf8_lossy(&message));
            }
            false
        })
    });
    drive(sender, &here, 3, |event| event == Event::Acknowledged { total })?;
    println!("The sender knows that all {total} messages arrived, though it dropped every third.");
    Ok(())
}
