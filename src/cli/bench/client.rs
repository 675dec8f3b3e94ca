//! `rdtp bench run` over the transport.

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    endpoint::Endpoint,
    net::Driver,
    time::Instant,
    transport::{
        connection::{Connection, Event},
        host::{Host, HostEvent},
        stream::{ReadError, StreamEvent, WriteError},
    },
    wire::transport::{ConnectionId, StreamId},
};

use super::{
    Failure, Plan, Tuning, cpu,
    report::{Measured, Reporter, Sample},
    server::CHUNK_BYTES,
    wire::{Request, Tail, WORDS},
};

/// After the time is over, so long for the rest to arrive.
const REST_MAX: Duration = Duration::from_secs(30);

/// One measurement.
struct Client<'a> {
    driver: Driver<Host>,
    id: ConnectionId,
    stream: StreamId,
    request: Request,
    /// How much of the request was written.
    asked: usize,
    finished: bool,
    over: bool,
    /// Bytes that were written, and that the peer has acknowledged.
    written: u64,
    sent: u64,
    received: u64,
    tail: Tail,
    plan: &'a Plan,
}

pub(super) fn run(
    plan: &Plan,
    address: SocketAddr,
    tuning: &Tuning,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
    let loopback = address.ip().is_loopback();
    let any: SocketAddr =
        if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let mut driver = tuning.driver(tuning.host(loopback)?, any)?;
    let now = driver.now();
    let id = driver.endpoint_mut().open(now, address);
    let connection = driver.endpoint_mut().get_mut(id).ok_or_else(gone)?;
    let stream = connection.open_stream(0)?;
    let request = Request::of(plan);
    let mut client = Client {
        driver,
        id,
        stream,
        request,
        asked: 0,
        finished: false,
        over: false,
        written: 0,
        sent: 0,
        received: 0,
        tail: Tail::default(),
        plan,
    };
    client.measure(reporter)
}

fn gone() -> Failure {
    Failure("the connection is gone".into())
}

impl Client<'_> {
    fn measure(&mut self, reporter: &mut Reporter) -> Result<(), Failure> {
        let plan = *self.plan;
        self.connect()?;
        let began = self.driver.now();
        let warm = began + plan.warm_up;
        let end = warm + plan.time;
        let mut next = warm;
        let mut first: Option<Sample> = None;
        let mut last = self.sample();
        while !self.over {
            let now = self.driver.now();
            if now >= next && next <= end {
                let sample = self.sample();
                match &first {
                    Some(first) => reporter.interval("rdtp", first, &last, &sample),
                    None => first = Some(sample),
                }
                last = sample;
                next += plan.interval;
            }
            self.write(now, end)?;
            if now >= end + REST_MAX {
                return Err(Failure("the peer has not confirmed the end in 30 s".into()));
            }
            let rest = if self.finished { end + REST_MAX } else { end };
            let until = if next <= end { next } else { rest };
            self.turn(Some(until))?;
        }
        let sample = self.sample();
        let verdict = self.tail.verdict();
        let measured = Measured::new("rdtp", &plan, first.unwrap_or_default(), last, sample);
        reporter.result(measured.with_peer(verdict));
        let now = self.driver.now();
        self.connection()?.close(now, 0, b"");
        self.driver.step(&mut ())?;
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.driver.endpoint_mut().get_mut(self.id).ok_or_else(gone)
    }

    fn connect(&mut self) -> Result<(), Failure> {
        while !self.connection()?.life().is_established() {
            self.turn(None)?;
        }
        Ok(())
    }

    fn write(&mut self, now: Instant, end: Instant) -> Result<(), Failure> {
        let (request, stream) = (self.request.encode(), self.stream);
        let (uploads, asked, finished) = (self.request.uploads(), self.asked, self.finished);
        let connection = self.connection()?;
        if asked < WORDS {
            let len = connection.write(stream, &request[asked..])?;
            self.asked += len;
            self.written += len as u64;
            return Ok(());
        }
        if finished {
            return Ok(());
        }
        let mut written = 0;
        let blocked = loop {
            if !uploads || now >= end {
                break Ok(());
            }
            match connection.write(stream, &CHUNK_BYTES) {
                Ok(len) => written += len as u64,
                Err(error) => break Err(error),
            }
        };
        if blocked.is_ok() {
            connection.finish(stream)?;
            self.finished = true;
        }
        self.written += written;
        match blocked {
            Ok(()) | Err(WriteError::Blocked) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn turn(&mut self, until: Option<Instant>) -> Result<(), Failure> {
        self.driver.wait(until)?;
        let (received, tail) = (&mut self.received, &mut self.tail);
        self.driver.step_with(&mut (), &mut |host: &mut Host, now, meta, train| {
            host.handle_train_for(now, meta, train, &mut |_, _, bytes| {
                *received += tail.take(bytes);
                bytes.len()
            })
        })?;
        while let Some(HostEvent { event, .. }) = self.driver.endpoint_mut().poll_event() {
            match event {
                Event::Stream(StreamEvent::Readable(_)) => self.read()?,
                Event::Closed(reason) if !self.over => {
                    return Err(Failure(format!("the connection ended: {reason:?}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Failure> {
        let (now, stream) = (self.driver.now(), self.stream);
        loop {
            let connection = self.driver.endpoint_mut().get_mut(self.id).ok_or_else(gone)?;
            match connection.peek(stream) {
                Ok(bytes) => {
                    let len = bytes.len();
                    self.received += self.tail.take(bytes);
                    connection.consume(now, stream, len);
                }
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Finished) => {
                    self.over = true;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn sample(&mut self) -> Sample {
        let at = self.driver.now();
        let Some(connection) = self.driver.endpoint().get(self.id) else {
            return Sample::default();
        };
        // A stream that is over is not there any more, and all of it has arrived.
        let half = connection.streams().send_half(self.stream);
        self.sent = half.map_or(self.written, |half| half.buffer().base());
        let recovery = connection.recovery();
        Sample {
            at,
            sent: self.sent,
            received: self.received,
            cpu: cpu(),
            resent: Some(connection.streams().resent_bytes()),
            window: Some(recovery.controller().window()),
            srtt: Some(recovery.rtt().smoothed()),
        }
    }
}
