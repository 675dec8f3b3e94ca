//! Exchanges with a peer that was never talked to.

use rdtp::{time::Instant, transport::cc::Algorithm};

use crate::{
    FULL_PACKET, PATH, RATE, ROUND, line,
    load::{Load, SECOND, config, payload},
};

/// Time of an exchange with a peer that was never talked to, the median of some seeds.
pub(crate) fn exchange(network: &str, bytes: (u64, u64)) -> f64 {
    let mut times: Vec<f64> = (0..21)
        .map(|seed| {
            let config = config(Algorithm::Cubic, FULL_PACKET);
            let (mut world, mut load) = Load::new(config, network, seed, 1, bytes);
            let end = Instant::ZERO + 30 * SECOND;
            while load.done_at.is_none() && world.step(end, &mut (), &mut load) {}
            load.done_at.map_or(f64::INFINITY, |at| at.since_epoch().as_secs_f64())
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The round model: slow start from ten packets doubles each round until the window passes the
/// bandwidth-delay product, then the line is full; before it, `trips` round trips.
pub(crate) fn round_model(bytes: u64, trips: f64) -> f64 {
    let bdp = RATE / 8.0 * ROUND;
    let payload_bytes = bytes as f64 / payload(FULL_PACKET);
    let (mut window, mut sent, mut time) = (10.0 * FULL_PACKET as f64, 0.0, trips * ROUND);
    while window < bdp && sent + window < payload_bytes {
        sent += window;
        window *= 2.0;
        time += ROUND;
    }
    time + (payload_bytes - sent) * 8.0 / RATE
}

pub(crate) fn exchanges() {
    for (loss, network) in [(0, PATH.to_string()), (5, format!("loss=5%,{PATH}"))] {
        let rounds = exchange(&network, (1000, 1000)) / ROUND;
        let what = format!("1 kB each way, fresh peer, loss {loss}%, p50");
        line(&what, &format!("{rounds:.3} RTT"), "<= 2.05 RTT", rounds <= 2.05);
    }
    // An answer has the handshake before it: the address must be shown to be good first. What the
    // opener sends rides on the handshake, and its last byte needs half a round trip.
    for (what, bytes, trips) in
        [("1 MB answer", (100, 1_000_000), 2.0), ("1 MB upload", (1_000_000, 0), 0.5)]
    {
        let (time, model) = (exchange(PATH, bytes), round_model(1_000_000, trips));
        let ratio = time / model;
        let figure = format!("{:.0} ms, model {:.0} ms, {ratio:.3}", time * 1e3, model * 1e3);
        line(&format!("{what}, no loss, p50"), &figure, "<= 1.15", ratio <= 1.15);
    }
}
