//! Percentiles, and lines of the table.

/// Times in milliseconds, sorted.
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// The least time that so many per cent of all do not exceed.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        self.0.get(rank.clamp(1, self.0.len()) - 1).copied().unwrap_or(f64::INFINITY)
    }

    fn figures(&self) -> String {
        let [p50, p95, p99, max] = [50.0, 95.0, 99.0, 100.0].map(|p| self.percentile(p));
        format!("{p50:7.1} {p95:7.1} {p99:7.1} {max:7.0}")
    }
}

/// A target: a percentile and the most that it may be, in milliseconds.
pub(crate) type Target = (f64, f64);

pub(crate) fn head(what: &str) {
    println!("{what:<46}     p50     p95     p99     max  kernel p50/p95/p99");
}

/// A line, and for each target whether it is reached.
pub(crate) fn line(what: &str, times: &Times, kernel: &str, targets: &[Target]) {
    println!("{what:<46} {}  {kernel}", times.figures());
    for &(percent, most) in targets {
        let got = times.percentile(percent);
        let verdict = if got <= most { "PASS" } else { "short" };
        println!("    p{percent:.0} {got:.1}, target {most:.0}: {verdict}");
    }
}
