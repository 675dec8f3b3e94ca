//! What a measurement prints: for people, and as JSON.
// tidy: floats allowed: prints rates

#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]

use core::{net::SocketAddr, time::Duration};

use rdtp::time::Instant;
use serde_json::{Value, json};

use super::{Plan, Tuning, wire::Verdict};

/// Counters at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Bytes that the peer has acknowledged; of TCP, that the system has taken.
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) cpu: Duration,
    /// Bytes sent again, the window and the round trip: TCP's are the system's, and not told.
    pub(super) resent: Option<u64>,
    pub(super) window: Option<u64>,
    pub(super) srtt: Option<Duration>,
}

/// What came of one measurement.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    name: &'static str,
    sent: u64,
    received: u64,
    seconds: f64,
    cpu: Duration,
    resent: Option<u64>,
    window: Option<u64>,
    srtt: Option<Duration>,
    peer: Option<Verdict>,
    /// Bytes with those of the warm-up, for which the peer counts its time.
    whole: u64,
}

impl Measured {
    /// From the end of the warm-up to the last sample before the end; or over all, if it was too
    /// short for that.
    pub(super) fn new(
        name: &'static str,
        plan: &Plan,
        first: Sample,
        last: Sample,
        end: Sample,
    ) -> Self {
        let last = if last.at > first.at { last } else { end };
        debug_assert!(plan.time > Duration::ZERO);
        Self {
            name,
            sent: last.sent.saturating_sub(first.sent),
            received: last.received.saturating_sub(first.received),
            seconds: (last.at - first.at).as_secs_f64().max(1e-9),
            cpu: last.cpu.saturating_sub(first.cpu),
            resent: last.resent.zip(first.resent).map(|(last, first)| last - first),
            window: end.window,
            srtt: end.srtt,
            peer: None,
            whole: end.sent + end.received,
        }
    }

    pub(super) fn with_peer(mut self, verdict: Verdict) -> Self {
        self.peer = Some(verdict);
        self
    }

    fn bits_per_second(&self) -> f64 {
        (self.sent + self.received) as f64 * 8.0 / self.seconds
    }

    /// Processor seconds of both sides for a GiB.
    fn cpu_per_gib(&self) -> f64 {
        let gib = (self.sent + self.received) as f64 / f64::from(1 << 30);
        let here = self.cpu.as_secs_f64() / gib.max(1e-9);
        let whole = self.whole as f64 / f64::from(1 << 30);
        let there = self.peer.map_or(0.0, |peer| peer.cpu.as_secs_f64() / whole.max(1e-9));
        here + there
    }
}

/// Prints.
#[derive(Debug)]
pub(super) struct Reporter {
    json: bool,
    results: Vec<Measured>,
}

impl Reporter {
    pub(super) fn new(json: bool) -> Self {
        Self { json, results: Vec::new() }
    }

    pub(super) fn options(
        &self,
        plan: &Plan,
        address: SocketAddr,
        tuning: &Tuning,
        loopback: bool,
    ) {
        let packet = tuning.packet_bytes(loopback);
        let Tuning { window, socket_buffer, congestion, plain, spin, .. } = tuning;
        let direction = plan.direction.word();
        if self.json {
            say!(
                "{}",
                json!({
                    "event": "options", "address": address, "direction": direction,
                    "seconds": plan.time.as_secs_f64(),
                    "warm_up_seconds": plan.warm_up.as_secs_f64(),
                    "interval_seconds": plan.interval.as_secs_f64(),
                    "packet_bytes": packet, "window_bytes": window.0,
                    "socket_buffer_bytes": socket_buffer.0,
                    "congestion": congestion.name, "plain": plain,
                    "spin_us": spin.0.as_secs_f64() * 1e6,
                })
            );
            return;
        }
        say!("{direction} with {address} for {:?} after {:?}", plan.time, plan.warm_up);
        say!(
            "packets of {packet} bytes, window {window}, socket buffers {socket_buffer}, \
             congestion control {}, offload {}, spin {:?}",
            congestion.name,
            if *plain { "off" } else { "as the system has it" },
            spin.0
        );
        say!("");
    }

    pub(super) fn interval(&self, name: &str, first: &Sample, last: &Sample, now: &Sample) {
        let seconds = (now.at - last.at).as_secs_f64().max(1e-9);
        let (up, down) = (now.sent - last.sent, now.received - last.received);
        let rate = |bytes: u64| bytes as f64 * 8.0 / seconds;
        let from = (last.at - first.at).as_secs_f64();
        let to = (now.at - first.at).as_secs_f64();
        let resent = now.resent.zip(last.resent).map(|(now, last)| now - last);
        let cpu = now.cpu.saturating_sub(last.cpu).as_secs_f64() / seconds;
        if self.json {
            say!(
                "{}",
                json!({
                    "event": "interval", "transport": name, "from": from, "to": to,
                    "sent_bits_per_second": rate(up), "received_bits_per_second": rate(down),
                    "resent_bytes": resent, "window_bytes": now.window,
                    "srtt_us": micros(now.srtt), "cpu": cpu,
                })
            );
            return;
        }
        let more = match (resent, now.window, now.srtt) {
            (Some(resent), Some(window), Some(srtt)) => {
                format!(" resent {resent} window {window} rtt {srtt:.0?}")
            }
            _ => String::new(),
        };
        say!(
            "{name:>4} {from:6.1}..{to:<6.1} up {:>13} down {:>13} cpu {:3.0} %{more}",
            bits(rate(up)),
            bits(rate(down)),
            cpu * 100.0
        );
    }

    pub(super) fn result(&mut self, measured: Measured) {
        let Measured { name, sent, received, seconds, .. } = measured;
        let rate = |bytes: u64| bytes as f64 * 8.0 / seconds;
        if self.json {
            say!("{}", Self::json(&measured));
        } else {
            say!(
                "{name:>4} over {seconds:.1} s: up {}, down {}, {:.2} CPU s/GiB on both sides{}",
                bits(rate(sent)),
                bits(rate(received)),
                measured.cpu_per_gib(),
                measured.resent.map_or(String::new(), |bytes| format!(", {bytes} bytes resent"))
            );
        }
        self.results.push(measured);
    }

    fn json(measured: &Measured) -> Value {
        let Measured { name, sent, received, seconds, .. } = measured;
        json!({
            "event": "result", "transport": name, "seconds": seconds,
            "sent_bytes": sent, "received_bytes": received,
            "bits_per_second": measured.bits_per_second(),
            "resent_bytes": measured.resent, "window_bytes": measured.window,
            "srtt_us": micros(measured.srtt),
            "cpu_seconds_per_gib": measured.cpu_per_gib(),
            "peer_received_bytes": measured.peer.map(|peer| peer.received),
        })
    }

    /// The ratio, when TCP was measured beside.
    pub(super) fn compare(&self) {
        let [ours, tcp] = &self.results[..] else { return };
        let speed = ours.bits_per_second() / tcp.bits_per_second().max(1e-9);
        let cpu = ours.cpu_per_gib() / tcp.cpu_per_gib().max(1e-9);
        if self.json {
            let ratios = json!({"event": "ratio", "throughput": speed, "cpu_per_byte": cpu});
            say!("{ratios}");
        } else {
            say!("\n{speed:.2} x the throughput of TCP, {cpu:.2} x its CPU time for a byte");
        }
    }
}

fn micros(span: Option<Duration>) -> Option<f64> {
    span.map(|span| span.as_secs_f64() * 1e6)
}

fn bits(rate: f64) -> String {
    match rate {
        1e9.. => format!("{:.2} Gbit/s", rate / 1e9),
        1e6.. => format!("{:.2} Mbit/s", rate / 1e6),
        _ => format!("{:.1} kbit/s", rate / 1e3),
    }
}
