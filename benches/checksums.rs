//! How fast the checksums are, in bytes a second: short packets and full ones.

use std::hint::black_box;

use crc::{CRC_32_ISCSI, Crc, Table};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rdtp::wire::Checksum;

/// What the library's CRC-32C is without the processor's help.
static TABLES: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

fn checksums(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    for (name, checksum) in
        [("internet", Checksum::Internet), ("crc16", Checksum::Crc16), ("crc32c", Checksum::Crc32c)]
    {
        for size in [64, 1472] {
            let bytes: Vec<u8> = (0..=255).cycle().take(size).collect();
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &bytes, |b, bytes| {
                b.iter(|| checksum.compute([black_box(bytes.as_slice())]));
            });
        }
    }
    for size in [64, 1472] {
        let bytes: Vec<u8> = (0..=255).cycle().take(size).collect();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("crc32c by tables", size), &bytes, |b, bytes| {
            b.iter(|| TABLES.checksum(black_box(bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, checksums);
criterion_main!(benches);
