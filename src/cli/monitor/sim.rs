//! The monitor in virtual time: the same code, the same link, and no waiting.

use std::process::ExitCode;

use rdtp::{
    app::monitor::{Monitor, MonitorConfig, MonitorEndpoint as _, MonitorEvent},
    batch::Batch,
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    link::Profile,
    rng::Seed,
    sim::World,
    time::Instant,
    trace::NodeId,
};

use super::{
    super::{Failure, Outcome, carrier::Over},
    sides::{Answering, Probing, inspect},
    view::{Style, View},
    way::Network,
};

/// One of the two.
enum Side {
    Probing(Box<Probing>),
    Answering(Answering),
}

macro_rules! each {
    ($side:expr, $inner:ident => $call:expr) => {
        match $side {
            Side::Probing($inner) => $call,
            Side::Answering($inner) => $call,
        }
    };
}

impl Endpoint for Side {
    /// What the monitor says; the other side has nothing to tell that matters here.
    type Event = Option<MonitorEvent>;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        each!(self, side => side.handle_datagram(now, meta, datagram))
    }
    fn handle_timeout(&mut self, now: Instant) {
        each!(self, side => side.handle_timeout(now));
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        each!(self, side => side.poll_transmit(now, batch))
    }
    fn poll_timeout(&self) -> Option<Instant> {
        each!(self, side => side.poll_timeout())
    }
    fn poll_event(&mut self) -> Option<Option<MonitorEvent>> {
        match self {
            Self::Probing(side) => side.poll_event().map(Some),
            Self::Answering(side) => side.poll_event().map(|_| None),
        }
    }
}

/// Runs it to the end of its probes.
pub(super) fn run(config: MonitorConfig, over: Over, network: &Network, style: Style) -> Outcome {
    let perfect = (Profile::default(), Seed::new(0));
    let (profile, seed) = network.as_ref().unwrap_or(&perfect);
    let (start, target) = (Instant::ZERO, World::<()>::address(1));
    let monitor = Monitor::new(config, *seed, start)?;
    let probing = Probing::new(over, monitor, target, seed.split("monitor"))?;
    let answering = Answering::new(over, config.format, seed.split("answer"))?;
    let mut world = World::new();
    let here = world.add(Side::Probing(Box::new(probing)));
    let there = world.add(Side::Answering(answering));
    let [up, down] = profile.links::<NodeId>(*seed).map(|link| match inspect(over) {
        Some(inspect) => link.with_inspect(inspect),
        None => link,
    });
    world.lay(here, there, up);
    world.lay(there, here, down);
    let mut view = View::new(style, target, over, start)?;
    view.started(target, over, &config, network)?;
    let mut failed: Option<Failure> = None;
    let mut tell = |now: Instant, _: NodeId, event: Option<MonitorEvent>, side: &mut Side| {
        let Side::Probing(side) = side else { return };
        let stats = *side.monitor().stats();
        let told = match event {
            Some(MonitorEvent::Sample(sample)) => view.sample(now, &sample, None, &stats),
            Some(MonitorEvent::Change(change)) => view.change(now, &change),
            None => Ok(()),
        };
        failed = failed.take().or(told.err());
    };
    while !is_done(&world, here) && world.step(Instant::MAX, &mut (), &mut tell) {}
    if let Some(failure) = failed {
        return Err(failure);
    }
    let now = world.now();
    let Side::Probing(side) = world.endpoint(here) else { return Ok(ExitCode::FAILURE) };
    view.summary(now, side.monitor(), None)?;
    Ok(super::code(side.monitor()))
}

fn is_done(world: &World<Side>, here: NodeId) -> bool {
    match world.endpoint(here) {
        Side::Probing(side) => side.monitor().is_done(),
        Side::Answering(_) => true,
    }
}
