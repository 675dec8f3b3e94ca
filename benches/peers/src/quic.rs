//! quinn (QUIC, TLS 1.3 with AES-128-GCM): it encrypts, the others here do not. As its documentation
//! sets it up, with a certificate of its own, on a runtime of one thread; MTU discovery as it comes
//! (up to 1452 bytes), segmentation offload as it comes (up to 10 segments).

use std::{net::SocketAddr, sync::Arc, time::Instant};

use quinn::{ClientConfig, Endpoint, ServerConfig, crypto::rustls::QuicClientConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::role::{
    CHUNK, Done, Meter, PING, SenderClock, Work, rss, tell, tell_address, tell_rounds,
};

fn runtime() -> Done<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub fn server(work: Work) -> Done {
    runtime()?.block_on(async {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::with_single_cert(vec![made.cert.der().clone()], key.into())?;
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse()?)?;
        tell_address(endpoint.local_addr()?);
        if let Work::Connections(count) = work {
            return many(&endpoint, count).await;
        }
        let connection = endpoint.accept().await.ok_or("closed")?.await?;
        let (mut send, mut recv) = connection.accept_bi().await?;
        match work {
            Work::Bulk(time) => {
                let mut space = vec![0; CHUNK];
                let mut meter = Meter::default();
                while let Some(len) = recv.read(&mut space).await? {
                    meter.took(len, time);
                }
                meter.report();
                send.finish()?;
                connection.closed().await;
            }
            _ => {
                let mut ping = [0; PING];
                while recv.read_exact(&mut ping).await.is_ok() {
                    send.write_all(&ping).await?;
                }
            }
        }
        Ok(())
    })
}

async fn many(endpoint: &Endpoint, count: usize) -> Done {
    let before = rss();
    let mut tasks = Vec::new();
    for _ in 0..count {
        let incoming = endpoint.accept().await.ok_or("closed")?;
        tasks.push(tokio::spawn(async move {
            let connection = incoming.await.ok()?;
            let (mut send, mut recv) = connection.accept_bi().await.ok()?;
            let mut ping = [0; PING];
            recv.read_exact(&mut ping).await.ok()?;
            send.write_all(&ping).await.ok()?;
            Some((connection, send, recv))
        }));
    }
    let mut kept = Vec::new();
    for task in tasks {
        kept.push(task.await?);
    }
    tell("server_kib", rss() - before);
    if let Some((connection, ..)) = kept.iter().flatten().next() {
        connection.closed().await;
    }
    Ok(())
}

pub fn client(address: SocketAddr, work: Work) -> Done {
    runtime()?.block_on(async {
        let crypto = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
            .with_no_client_auth();
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
        let crypto = QuicClientConfig::try_from(crypto)?;
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        if let Work::Connections(count) = work {
            return open_many(&endpoint, address, count).await;
        }
        let connection = endpoint.connect(address, "localhost")?.await?;
        let (mut send, mut recv) = connection.open_bi().await?;
        match work {
            Work::Bulk(time) => {
                let chunk = vec![7; CHUNK];
                let mut clock = SenderClock::start(time);
                while clock.goes_on() {
                    send.write_all(&chunk).await?;
                }
                clock.report();
                send.finish()?;
                recv.read_to_end(0).await?;
            }
            Work::PingPong(rounds) => {
                let mut ping = [7; PING];
                let mut times = Vec::with_capacity(rounds);
                for _ in 0..rounds {
                    let start = Instant::now();
                    send.write_all(&ping).await?;
                    recv.read_exact(&mut ping).await?;
                    times.push(start.elapsed().as_nanos() as u64);
                }
                tell_rounds(times);
            }
            Work::Connections(_) => {}
        }
        connection.close(0_u32.into(), b"");
        endpoint.wait_idle().await;
        Ok(())
    })
}

async fn open_many(endpoint: &Endpoint, address: SocketAddr, count: usize) -> Done {
    let start = Instant::now();
    let gate = Arc::new(tokio::sync::Semaphore::new(200));
    let mut tasks = Vec::new();
    for _ in 0..count {
        let (endpoint, gate) = (endpoint.clone(), gate.clone());
        tasks.push(tokio::spawn(async move {
            let _turn = gate.acquire().await.ok()?;
            let connection = endpoint.connect(address, "localhost").ok()?.await.ok()?;
            let (mut send, mut recv) = connection.open_bi().await.ok()?;
            send.write_all(&[7; PING]).await.ok()?;
            recv.read_exact(&mut [0; PING]).await.ok()?;
            Some((connection, send, recv))
        }));
    }
    let mut kept = Vec::new();
    for task in tasks {
        kept.extend(task.await?);
    }
    tell("answered", kept.len());
    tell("per_second", count as f64 / start.elapsed().as_secs_f64());
    for (connection, ..) in &kept {
        connection.close(0_u32.into(), b"");
    }
    endpoint.wait_idle().await;
    Ok(())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Believes any certificate: this is about speed, on one machine.
#[derive(Debug)]
struct Anybody(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".into()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
