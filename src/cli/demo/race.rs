//! A file between two sockets of this machine, with a bar that shows how far it is.

use core::time::Duration;
use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rdtp::{
    classic::{Adaptive, Config, Conversation, Timeout},
    link::Profile,
    net::{Loopback, LoopbackError, LoopbackReport, LoopbackRun},
    rng::Seed,
    trace::Observer,
    wire::Codec,
};

use super::{
    super::{ends::End, stop::Stop, streams::Caller, way::Way},
    Contender, Failure,
};

/// The round trip is a few milliseconds, and a fifth of the packets is lost each way: backing off
/// further than this would only make the demonstration long.
const TIMEOUT: Adaptive = Adaptive {
    rto_initial: Duration::from_millis(20),
    rto_min: Duration::from_millis(5),
    rto_max: Duration::from_millis(50),
};

/// What each protocol has to do.
pub(super) struct Race<'a> {
    pub(super) file: &'a [u8],
    /// Bytes of a message.
    pub(super) chunk: usize,
    pub(super) profile: &'a Profile,
    pub(super) seed: Seed,
    pub(super) limit: Duration,
    /// Whether to show how far it is, on a terminal.
    pub(super) progress: bool,
}

impl Race<'_> {
    /// Runs until it is over or `stop` is asked for. Says in addition whether the sender then waits
    /// without a timer, which is a deadlock whatever was delivered before.
    pub(super) fn run(
        &self,
        contender: &Contender,
        codec: Codec,
        stop: &Stop,
        observer: &mut impl Observer,
    ) -> Result<(LoopbackReport, bool), Failure> {
        let config = Config {
            codec,
            timeout: Timeout::Adaptive(TIMEOUT),
            // The time limit bounds the run, whatever the delay of the network.
            attempts_max: None,
            ..Config::default()
        };
        let messages = self.file.chunks(self.chunk).map(<[u8]>::to_vec).collect();
        let way = contender.way;
        let loopback = Loopback::new(messages)
            .over(self.profile.clone())
            .config(config)
            .inspect(move |bytes| way.anatomy(codec, bytes))
            .seed(self.seed.number())
            .limit(self.limit);
        let make = |role, peer| match way {
            Way::Book(spec) => {
                spec.endpoint(Config { role, ..config }, peer).map(End::Book).map_err(Failure::from)
            }
            Way::Transport(preset) => {
                let caller = Caller::new(preset.config(), role, peer).map_err(Failure::from);
                caller.map(|caller| End::Transport(Box::new(caller)))
            }
        };
        let mut run = loopback.start(make).map_err(|error| match error {
            LoopbackError::Setup(failure) => failure,
            LoopbackError::Io(error) => Failure(format!("no socket on loopback: {error}")),
        })?;
        let bar = self.bar(&contender.name);
        while !run.turn(observer)? && !stop.is_asked() {
            self.show(&bar, &run);
        }
        bar.finish_and_clear();
        let stalled = run.sender().is_stalled();
        Ok((run.finish(), stalled))
    }

    fn bar(&self, name: &str) -> ProgressBar {
        let bar = ProgressBar::new(self.file.len() as u64).with_message(name.to_owned());
        if !self.progress || !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{msg:<9} [{bar:24}] {percent:>3}%  {prefix}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    fn show<C: Conversation>(&self, bar: &ProgressBar, run: &LoopbackRun<'_, C>) {
        if bar.is_hidden() {
            return;
        }
        let (stats, (up, down)) = (run.sender().stats(), run.network());
        let lost = up.total().lost + down.total().lost;
        bar.set_prefix(format!(
            "sent {}, resent {}, lost {lost}",
            stats.data_sent, stats.data_resent
        ));
        let delivered = run.delivered().saturating_mul(self.chunk as u64);
        bar.set_position(delivered.min(self.file.len() as u64));
    }
}
