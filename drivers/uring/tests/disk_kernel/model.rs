//! Random ops on a volume and on an array of bytes: both hold the same afterwards.
//!
//! Ops in flight at a time touch different bytes, but for a discard followed by a write. What was discarded is unknown
//! until it is written again. Not checked here: power cuts.

use hal::{Access, Event, Memory, Op, Tag, VolumeId};

use crate::bench::{Bench, MIB, Random, span};
use crate::loops::Loop;

const CELL_BYTES: u64 = 64 << 10;
const CELLS: u64 = 64;
const OPS: u32 = 200;
/// One span of memory for each op in flight.
const IN_FLIGHT: u32 = 8;

/// A cell of the volume, by what it must hold: the seed it was written with, or nothing known.
type Cells = Vec<Option<u64>>;

fn random_ops(seed: u64, bench: &mut Bench, volume: VolumeId, can_discard: bool) {
    let mut random = Random(seed);
    let mut cells: Cells = vec![None; CELLS as usize];
    let mut ops = 0;
    while ops < OPS {
        // Starting at a random cell, so that each op of the batch has cells of its own.
        let first = random.below(CELLS);
        let mut reads = Vec::new();
        let mut expected = 0;
        for index in 0..IN_FLIGHT {
            let cell = (first + u64::from(index)) % CELLS;
            let at_bytes = cell * CELL_BYTES;
            let place = span(index * MIB, CELL_BYTES as u32);
            let tag = Tag(1_000_000 + u64::from(ops));
            let write_seed = random.next();
            match random.below(if can_discard { 8 } else { 7 }) {
                0..3 => {
                    bench.fill(place, write_seed);
                    bench.disks.submit(Op::Write {
                        tag,
                        volume,
                        at_bytes,
                        from: place,
                    });
                    cells[cell as usize] = Some(write_seed);
                }
                3..6 => {
                    bench.disks.submit(Op::Read {
                        tag,
                        volume,
                        at_bytes,
                        into: place,
                    });
                    reads.push((cell, place));
                }
                6 => bench.disks.submit(Op::Flush { tag, volume }),
                _ => {
                    bench.disks.submit(Op::Discard {
                        tag,
                        volume,
                        at_bytes,
                        length_bytes: CELL_BYTES,
                    });
                    cells[cell as usize] = None;
                    if random.below(2) == 0 {
                        bench.fill(place, write_seed);
                        bench.disks.submit(Op::Write {
                            tag,
                            volume,
                            at_bytes,
                            from: place,
                        });
                        cells[cell as usize] = Some(write_seed);
                        expected += 1;
                    }
                }
            }
            expected += 1;
            ops += 1;
        }
        for _ in 0..expected {
            assert!(matches!(bench.next(), Event::Done { result: Ok(()), .. }), "seed {seed}");
        }
        for (cell, place) in reads {
            check(bench, &cells, cell, place.offset_bytes, seed);
        }
    }
    bench.flush(volume).unwrap();
    for cell in 0..CELLS {
        bench.read(volume, cell * CELL_BYTES, span(0, CELL_BYTES as u32)).unwrap();
        check(bench, &cells, cell, 0, seed);
    }
}

/// Compares what was read with what must be there, made again from its seed in a place that no op uses.
fn check(bench: &mut Bench, cells: &Cells, cell: u64, read_at_bytes: u32, seed: u64) {
    let Some(write_seed) = cells[cell as usize] else { return };
    let expected = span(IN_FLIGHT * MIB, CELL_BYTES as u32);
    bench.fill(expected, write_seed);
    let read = span(read_at_bytes, CELL_BYTES as u32);
    assert!(
        bench.memory.bytes(read) == bench.memory.bytes(expected),
        "seed {seed}, cell {cell}"
    );
}

#[test]
fn on_a_device() {
    for (seed, sector_bytes) in [(11, 512), (12, 4096), (13, 4096)] {
        let device = Loop::new(CELLS * CELL_BYTES, sector_bytes);
        let mut bench = Bench::new(16 * MIB);
        let (volume, facts) = bench.open(&device.path, Access::Exclusive).unwrap();
        random_ops(seed, &mut bench, volume, facts.discard_bytes > 0);
    }
}

#[test]
fn on_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut bench = Bench::new(16 * MIB);
    bench.create(&path, CELLS * CELL_BYTES).unwrap();
    let (volume, _) = bench.open(&path, Access::Exclusive).unwrap();
    random_ops(21, &mut bench, volume, false);
}
