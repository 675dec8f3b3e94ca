//! How long a packet takes to become a datagram and back.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rdtp::wire::{Checksum, Codec, Frame, Kind, Scratch, lab::LabChecksum};

fn codec(c: &mut Criterion, name: &str, codec: Codec, payload: &[u8]) {
    let frame = Frame { kind: Kind::Data, seq: 1, payload };
    let mut datagram = vec![0; codec.encoded_len(&frame)];
    codec.encode(&frame, &mut datagram);

    let mut group = c.benchmark_group(format!("{name}/{}", payload.len()));
    group.throughput(Throughput::Bytes(payload.len() as u64));
    let mut out = datagram.clone();
    group.bench_function("encode", |b| b.iter(|| codec.encode(black_box(&frame), &mut out)));
    group.bench_function("decode", |b| {
        b.iter(|| {
            let mut scratch = Scratch::default();
            let frame = codec.decode(black_box(&datagram), &mut scratch);
            black_box(frame.is_ok())
        });
    });
    group.finish();
}

fn codecs(c: &mut Criterion) {
    let bytes: Vec<u8> = (0..=255).cycle().take(1200).collect();
    for size in [16, 256, 1200] {
        let compact = Codec::Compact { checksum: Checksum::Crc32c };
        codec(c, "compact", compact, &bytes[..size]);
    }
    let lab =
        Codec::Lab { checksum: LabChecksum::Internet, source_port: 7, destination_port: 5000 };
    codec(c, "lab", lab, &bytes[..4]);
}

criterion_group!(benches, codecs);
criterion_main!(benches);
