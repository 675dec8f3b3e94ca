//! What came of an upload, in words and as JSON.

use core::{fmt::Write as _, time::Duration};

use rdtp::{
    app::file::Digest as _,
    capture::Plot,
    link::{Profile, throughput},
    quantity::Bandwidth,
    transport::stats::Limit,
};
use serde::Serialize;

use super::upload::Upload;
use crate::cli::transfer::{grouped, hex};

/// What came of it, for `--json` and for people.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    protocol: &'static str,
    controller: String,
    link: String,
    seed: u64,
    verdict: String,
    pub(super) intact: bool,
    /// How many were to be sent; of a run by time, how many the application wrote.
    bytes: u64,
    bytes_delivered: u64,
    blake3_sent: String,
    blake3_delivered: String,
    /// Virtual time until the last byte was delivered, or until the end.
    elapsed_ns: u64,
    goodput_bits_per_second: u64,
    /// What the link's rate and its loss leave to the application; null without a rate.
    limit_bits_per_second: Option<u64>,
    share_of_limit: Option<f64>,
    datagrams_sent: u64,
    datagrams_received: u64,
    bytes_sent: u64,
    bytes_sent_again: u64,
    packets_lost: u64,
    packets_spuriously_lost: u64,
    congestion_events: u64,
    congestion_events_undone: u64,
    probe_timeouts: u64,
    repairs_sent: u64,
    link_lost: u64,
    link_queue_full: u64,
    srtt_ns: u64,
    rttvar_ns: u64,
    rtt_min_ns: u64,
    window_bytes: u64,
    ssthresh_bytes: Option<u64>,
    limited_ns: Limited,
}

/// How long each limit held sending up.
#[derive(Debug, Serialize)]
struct Limited {
    application: u64,
    flow_control: u64,
    congestion: u64,
    pacing: u64,
    validation: u64,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Report {
    pub(super) fn new(
        upload: &Upload,
        link: &Profile,
        (seed, controller): (u64, &str),
        plot: &Plot,
    ) -> Self {
        let Upload { sides, stats, .. } = upload;
        let elapsed = upload.elapsed();
        let bits = |rate: Option<Bandwidth>| rate.map_or(0, Bandwidth::bits_per_second);
        let goodput = bits(throughput(sides.received, elapsed));
        let (link_lost, link_queue_full) = upload.dropped();
        let limit = upload.limit(link);
        let verdict = upload.verdict.clone();
        let [application, flow_control, congestion, pacing, validation] = plot.limited().map(nanos);
        #[expect(clippy::cast_precision_loss, reason = "a share for people has three digits")]
        let share = |limit: u64| (goodput as f64 / limit.max(1) as f64 * 1e3).round() / 1e3;
        Self {
            protocol: "transport",
            controller: controller.to_string(),
            link: link.to_string(),
            seed,
            intact: verdict == "intact",
            verdict,
            bytes: upload.bytes(),
            bytes_delivered: sides.received,
            blake3_sent: hex(&sides.sent_digest.finish()),
            blake3_delivered: hex(&sides.received_digest.finish()),
            elapsed_ns: nanos(elapsed),
            goodput_bits_per_second: goodput,
            limit_bits_per_second: limit,
            share_of_limit: limit.map(share),
            datagrams_sent: stats.datagrams_sent,
            datagrams_received: stats.datagrams_received,
            bytes_sent: stats.bytes_sent,
            bytes_sent_again: plot.again_bytes(),
            packets_lost: stats.recovery.lost_packets,
            packets_spuriously_lost: stats.recovery.spurious_packets,
            congestion_events: stats.recovery.congestion_events,
            congestion_events_undone: stats.recovery.undone_events,
            probe_timeouts: stats.recovery.probe_timeouts,
            repairs_sent: stats.repairs_sent,
            link_lost,
            link_queue_full,
            srtt_ns: nanos(stats.srtt),
            rttvar_ns: nanos(stats.rttvar),
            rtt_min_ns: nanos(stats.rtt_min),
            window_bytes: stats.window_bytes,
            ssthresh_bytes: Some(stats.ssthresh_bytes).filter(|&bytes| bytes < u64::MAX),
            limited_ns: Limited { application, flow_control, congestion, pacing, validation },
        }
    }

    pub(super) fn words(&self) -> String {
        let same = if self.blake3_sent == self.blake3_delivered { "equal" } else { "DIFFERENT" };
        let mut text = format!(
            "{}: {} of {} bytes delivered in {:.3} s of virtual time, BLAKE3 {same}\n",
            self.verdict,
            grouped(self.bytes_delivered),
            grouped(self.bytes),
            seconds(self.elapsed_ns),
        );
        let _ = write!(text, "goodput     {}", megabits(self.goodput_bits_per_second));
        if let (Some(limit), Some(share)) = (self.limit_bits_per_second, self.share_of_limit) {
            let limit = megabits(limit);
            let _ = write!(text, ", {share:.3} of the {limit} that the link's rate and loss leave");
        }
        let _ = writeln!(
            text,
            "\npackets     {} sent, {} received; the link lost {} of those sent, and its queue \
             dropped {}\n\
             losses      {} found, {} of them by mistake; {} bytes sent again\n\
             window      {} bytes, cut {} times, {} of these taken back; {} probe timeouts\n\
             round trip  {:.3} ms smoothed, {:.3} ms at least",
            grouped(self.datagrams_sent),
            grouped(self.datagrams_received),
            grouped(self.link_lost),
            grouped(self.link_queue_full),
            grouped(self.packets_lost),
            grouped(self.packets_spuriously_lost),
            grouped(self.bytes_sent_again),
            grouped(self.window_bytes),
            grouped(self.congestion_events),
            grouped(self.congestion_events_undone),
            grouped(self.probe_timeouts),
            seconds(self.srtt_ns) * 1e3,
            seconds(self.rtt_min_ns) * 1e3,
        );
        if self.repairs_sent > 0 {
            let _ = writeln!(text, "repair      {} packets", grouped(self.repairs_sent));
        }
        let Limited { application, flow_control, congestion, pacing, validation } = self.limited_ns;
        let times = [application, flow_control, congestion, pacing, validation];
        let mut limits: Vec<(u64, Limit)> = times.into_iter().zip(Limit::ALL).collect();
        limits.sort_by_key(|&(time, _)| core::cmp::Reverse(time));
        let words = limits.iter().filter(|(time, _)| *time > 0);
        let words: Vec<String> =
            words.map(|&(time, limit)| format!("{limit} {:.3} s", seconds(time))).collect();
        let _ = writeln!(text, "limited by  {}", words.join(", "));
        let _ = writeln!(text, "seed {}", self.seed);
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people have few digits")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "figures for people have few digits")]
fn megabits(bits: u64) -> String {
    format!("{:.2} Mbit/s", bits as f64 / 1e6)
}
