//! How long the bare machines take for one message: `rdt_send`, the packet at the receiver, its ACK
//! back at the sender.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rdtp::classic::{
    Effect, Effects, Input, Machine, Packet, Protocol, Spec, Visitor, WINDOW_DEFAULT,
};

/// The packets among the effects.
fn packets(effects: &mut Effects<u64>) -> Vec<Packet<u64>> {
    let packet = |effect| match effect {
        Effect::Transmit(packet) => Some(packet),
        Effect::Deliver(_) | Effect::Start(_) | Effect::Stop(_) => None,
    };
    effects.drain().filter_map(packet).collect()
}

/// Sends `window` messages, then lets everything arrive.
fn round<P: Protocol>(
    sender: &mut P::Sender<u64>,
    receiver: &mut P::Receiver<u64>,
    effects: &mut Effects<u64>,
    window: u64,
) {
    for message in 0..window {
        let _ = sender.step(Input::Send(black_box(message)), effects);
    }
    for packet in packets(effects) {
        let _ = receiver.step(Input::Arrive(packet), effects);
    }
    for packet in packets(effects) {
        let _ = sender.step(Input::Arrive(packet), effects);
    }
    let _ = packets(effects);
}

struct Bench<'a>(&'a mut Criterion, Spec);

impl Visitor for Bench<'_> {
    type Output = ();
    fn visit<P: Protocol + 'static>(self, protocol: P) {
        let mut group = self.0.benchmark_group("machine");
        let window = protocol.window().min(WINDOW_DEFAULT);
        group.throughput(Throughput::Elements(window));
        let (mut sender, mut receiver) = (protocol.sender(), protocol.receiver());
        let mut effects = Effects::default();
        group.bench_function(self.1.to_string(), |b| {
            b.iter(|| round::<P>(&mut sender, &mut receiver, &mut effects, window));
        });
        group.finish();
    }
}

fn machines(c: &mut Criterion) {
    for name in ["rdt3.0", "gbn", "sr"] {
        let spec: Spec = name.parse().expect("a protocol of the book");
        spec.visit(Bench(c, spec));
    }
}

criterion_group!(benches, machines);
criterion_main!(benches);
