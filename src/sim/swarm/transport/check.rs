//! What must hold after a step, and how long things may take.

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

use super::{
    super::Invariant, body::Body, plan::Plan, run::Broken, stage::Stage, talk::Talk, watch::Watched,
};
use crate::{
    sim::{Egress, Pace, World},
    time::Instant,
    trace::NodeId,
    transport::{connection::Connection, host::HostConfig, stream::StreamLimits},
    wire::transport::ConnectionId,
};

const KIB: u64 = 1024;

/// How long things may take.
#[derive(Debug)]
pub(super) struct Bounds {
    /// A round trip of the healed network, what drivers and applications may sleep, and a little.
    slack: Duration,
    /// The longest probe timeout when the network healed.
    pto: Duration,
    open_timeout: Duration,
    idle_timeout: Duration,
    /// When what the sick network held has left it.
    free_at: Instant,
}

impl Bounds {
    pub(super) fn of(plan: &Plan) -> Self {
        let longest = |of: fn(&HostConfig) -> Duration| plan.hosts.iter().map(of).max();
        let delays = plan.hosts.iter().map(|host| host.connection.acks.delay_max);
        let slack = 4 * plan.network.round_trip()
            + 2 * plan.pauses()
            + delays.sum::<Duration>()
            + plan.unheard();
        Self {
            slack: slack + Duration::from_millis(500),
            pto: Duration::from_secs(3),
            open_timeout: longest(|host| host.connection.open_timeout).unwrap_or_default(),
            idle_timeout: longest(|host| host.connection.idle_timeout).unwrap_or_default(),
            free_at: Instant::ZERO,
        }
    }

    /// The network is good from now on; its queues are empty at `free`.
    pub(super) fn on_healed<B: Body>(&mut self, free: Instant, world: &World<Watched<B>>) {
        self.free_at = free;
        self.pto = self.pto.max(longest_pto(world));
    }

    /// Nothing is taken any more; what was, has left the queues at `free`.
    pub(super) fn on_died(&mut self, free: Instant) {
        self.free_at = free;
    }

    /// The path has turned out to be slower than it was when it healed.
    pub(super) fn on_slower<B: Body>(&mut self, world: &World<Watched<B>>) {
        self.pto = self.pto.max(longest_pto(world));
    }

    pub(super) fn free_at(&self) -> Instant {
        self.free_at
    }

    /// Within this something moves: two probe timeouts.
    pub(super) fn patience(&self) -> Duration {
        2 * self.pto + self.slack
    }

    /// Within this connections end of which the peer is silent.
    pub(super) fn silence<B: Body>(&self, world: &World<Watched<B>>) -> Duration {
        // A side may ask once more before it gives up, and lets probes have a chance.
        let drain = 3 * longest_pto(world).max(self.pto);
        2 * self.idle_timeout.max(drain) + self.open_timeout.max(drain) + drain + self.slack
    }

    /// Within this nothing is left after these nodes close: three probe timeouts.
    pub(super) fn end<B: Body>(&self, closers: [bool; 2], world: &World<Watched<B>>) -> Duration {
        let drain = 3 * longest_pto(world).max(self.pto);
        let silent = if closers == [false; 2] { 2 * self.idle_timeout.max(drain) } else { drain };
        silent + drain + self.ghosts()
    }

    /// Within this connections end that nobody asked for.
    pub(super) fn ghosts(&self) -> Duration {
        self.open_timeout + self.idle_timeout + 3 * self.pto + self.slack
    }
}

fn longest_pto<B: Body>(world: &World<Watched<B>>) -> Duration {
    let connections = [NodeId(0), NodeId(1)]
        .into_iter()
        .flat_map(|node| world.endpoint(node).body().host().connections());
    let ptos = connections.map(|(_, it)| it.recovery().pto(Duration::from_millis(50)));
    ptos.max().unwrap_or_default()
}

/// What must hold at a node after every step.
pub(super) fn node<B: Body>(
    node: NodeId,
    plan: &Plan,
    world: &mut World<Watched<B>>,
    stage: &mut Stage,
) -> Result<(), Broken> {
    let now = world.now();
    let at = node.0 as usize;
    let watched = world.endpoint(node);
    let pace = plan.network.paces[at];
    let paced = plan.network.egress == Egress::LinePaced && node.0 == 0;
    let in_time = pace == Pace::PUNCTUAL && !paced;
    let due = crate::endpoint::Endpoint::poll_timeout(watched);
    if in_time && !world.has_been_touched(node) && due.is_some_and(|due| due < now) {
        return Err((Invariant::Clock, format!("{node} was due, and its driver not told")));
    }
    if watched.touched.is_empty() {
        return Ok(());
    }
    let touched = core::mem::take(&mut world.peek_mut(node).touched);
    for &id in &touched {
        if let Some((talk, side)) = stage.find(at, id) {
            no_lie(world, stage, talk, side)?;
        }
    }
    let config = &plan.hosts[at];
    for &id in &touched {
        let connection = world.endpoint(node).body().host().get(id);
        if let Some(connection) = connection {
            memory_of(config, id, connection)?;
        }
    }
    // The sum over all connections only now and then: a node that hoards does not let go.
    if world.peek_mut(node).is_time_to_weigh() {
        memory(node, config, world)?;
    }
    let mut touched = touched;
    touched.clear();
    world.peek_mut(node).touched = touched;
    Ok(())
}

/// Takes note of what a node has taken since somebody last looked.
pub(super) fn taken<B: Body>(node: NodeId, world: &World<Watched<B>>, stage: &mut Stage) {
    let at = node.0 as usize;
    let watched = world.endpoint(node);
    for &id in &watched.touched {
        // Its application may not have read about it yet.
        stage.recognise(at, id, watched);
        let Some((talk, side)) = stage.find(at, id) else { continue };
        let Some(connection) = watched.body().host().get(id) else { continue };
        for chat in &mut stage.talks[talk].chats {
            let Some(half) = connection.streams().recv_half(chat.id) else { continue };
            let lane = chat.read_by(side);
            lane.taken = lane.taken.max(half.buffer().position() + half.buffer().readable());
        }
    }
}

fn watched<'a, B: Body>(
    world: &'a World<Watched<B>>,
    talk: &Talk,
    side: usize,
) -> Option<(&'a Watched<B>, ConnectionId)> {
    let node = if talk.nodes[side] == 0 { NodeId(0) } else { NodeId(1) };
    Some((world.endpoint(node), talk.ids[side]?))
}

/// A sender believes no more than its receiver has taken.
fn no_lie<B: Body>(
    world: &World<Watched<B>>,
    stage: &mut Stage,
    index: usize,
    side: usize,
) -> Result<(), Broken> {
    let talk = &mut stage.talks[index];
    if talk.tainted {
        return Ok(());
    }
    let Some((watched, id)) = watched(world, talk, side) else { return Ok(()) };
    for chat in &mut talk.chats {
        let stream = chat.id;
        let lane = chat.written_by(side);
        // What nobody reads any more is thrown away, and acknowledged.
        if lane.reader.is_some() || lane.writer == Some(super::lane::End::Reset) {
            continue;
        }
        let believed = watched.body().acked(id, stream).unwrap_or(0);
        if believed > lane.taken {
            let detail = format!(
                "connection {index}, {stream}: the sender believes {believed} bytes delivered, the \
                 receiver has {}",
                lane.taken
            );
            return Err((Invariant::NoLie, detail));
        }
    }
    Ok(())
}

/// Bytes that a connection may hold by its configuration.
fn allowed(host: &HostConfig, connection: &Connection) -> u64 {
    let StreamLimits { window_bytes, window_bytes_max, send_buffer_bytes, gaps_max, .. } =
        host.connection.streams;
    let streams = connection.streams().len() as u64;
    let packet = host.connection.longest_packet_bytes() as u64;
    let window = window_bytes.max(window_bytes_max);
    let waiting = host.connection.datagrams_max as u64
        * (packet.max(host.connection.datagram_bytes_max as u64) + 64);
    let repair = 9 * packet + 2 * host.connection.repair_window_bytes as u64;
    let of_stream = send_buffer_bytes + 2 * packet + gaps_max as u64 * 64 + 16 * KIB;
    2 * window + repair + 128 * KIB + streams * of_stream + 2 * waiting
}

/// No node holds more than its configuration allows.
fn memory<B: Body>(
    node: NodeId,
    config: &HostConfig,
    world: &World<Watched<B>>,
) -> Result<(), Broken> {
    let body = world.endpoint(node).body();
    let count = body.host().connections().count();
    if count > config.connections_max {
        let detail = format!("{node} has {count} connections, {} may be", config.connections_max);
        return Err((Invariant::Memory, detail));
    }
    let connections = body.host().connections();
    let allowed: u64 = connections.map(|(_, connection)| allowed(config, connection)).sum();
    let allowed = allowed + 64 * KIB + config.answers_max as u64 * 256;
    let held = body.memory_bytes() as u64;
    if held > allowed {
        let detail = format!("{node} holds {held} bytes, {allowed} may be");
        return Err((Invariant::Memory, detail));
    }
    Ok(())
}

/// No connection holds more than its configuration allows.
fn memory_of(config: &HostConfig, id: ConnectionId, connection: &Connection) -> Result<(), Broken> {
    let (held, allowed) = (connection.memory_bytes() as u64, allowed(config, connection));
    if held > allowed {
        let (packets, bytes) = connection.recovery().unsettled();
        let streams = connection.streams();
        let detail = format!(
            "connection {id} holds {held} bytes, {allowed} may be: {} for {} streams, {bytes} for \
             {packets} packets",
            streams.memory_bytes(),
            streams.len()
        );
        return Err((Invariant::Memory, detail));
    }
    Ok(())
}

/// What a node holds when nothing goes on.
const AT_REST_BYTES: usize = 64 << 10;

/// Nothing is left of anything.
pub(super) fn at_rest<B: Body>(now: Instant, world: &World<Watched<B>>) -> Result<(), Broken> {
    for node in [NodeId(0), NodeId(1)] {
        let watched = world.endpoint(node);
        let due = crate::endpoint::Endpoint::poll_timeout(watched);
        let held = watched.body().memory_bytes();
        if due.is_some() || held > AT_REST_BYTES {
            let detail = format!("at {now} {node} is over, and holds {held} bytes, due {due:?}");
            return Err((Invariant::Quiescence, detail));
        }
    }
    Ok(())
}

/// Which streams wait for what.
pub(super) fn what_is_missing(talks: &[Talk], bounds: &Bounds) -> String {
    let mut missing = Vec::new();
    for (index, talk) in talks.iter().enumerate() {
        if talk.forgotten || talk.cut_short || talk.tainted {
            continue;
        }
        if let [Some(reason), _] | [_, Some(reason)] = talk.closed {
            missing.push(format!("connection {index} is over: {reason}"));
        }
        for chat in &talk.chats {
            for lane in chat.lanes.iter().filter(|lane| !lane.is_over()) {
                let (read, written, bytes) = (lane.read, lane.written, lane.goal());
                missing.push(format!(
                    "connection {index}, {}: {read} read, {written} written, {bytes} wanted",
                    chat.id
                ));
            }
        }
    }
    missing.truncate(3);
    let patience = bounds.patience();
    format!(
        "nothing moves for {patience:?} though the network is good: {}",
        if missing.is_empty() {
            "all is said, and streams are left".into()
        } else {
            missing.join("; ")
        }
    )
}
