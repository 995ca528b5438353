//! The table of clears: judging entries by it, and learning what was cleared.

use crate::samples::EPOCH;
use cachalot::backend::redis::clear_table::{ClearTable, Delta, Member};
use cachalot::tags::{Epoch, Invalidation, Tag};
use divan::Bencher;

/// Tags that were cleared, beside the entry's own.
const CLEARED: [u64; 3] = [0, 1_000, 50_000];
/// Tags of an entry.
const TAGS: [u64; 3] = [5, 450, 1_500];

/// So many tags cleared after the entry was stored, none of them its own.
fn table(cleared: u64) -> ClearTable {
    let mut table = ClearTable::default();
    table.observe_epoch(EPOCH);
    table.observe_delta(Epoch { n: EPOCH.n + 9, ..EPOCH }, &delta(cleared));
    table
}

fn delta(cleared: u64) -> Delta {
    let member = |n| (Member { tag: Tag((1u64 << 40) | (n << 1)), kind: Invalidation::Hard }, EPOCH.n + 9);
    Delta {
        members: (0..cleared).map(member).collect(),
        floor: None,
        generations: vec![(EPOCH.generation, EPOCH.n + 9)],
        is_cut: false,
    }
}

#[divan::bench(args = TAGS, consts = CLEARED)]
fn judges<const CLEARED: u64>(bencher: Bencher, tags: u64) {
    let table = table(CLEARED);
    let tags: Vec<Tag> = (0..tags).map(|n| Tag(n << 1)).collect();
    bencher.bench(|| table.judge(EPOCH, true, tags.iter().copied()));
}

#[divan::bench(args = [1, 100])]
fn learns(bencher: Bencher, cleared: u64) {
    let mut table = table(50_000);
    let epoch = Epoch { n: EPOCH.n + 9, ..EPOCH };
    let delta = delta(cleared);
    bencher.bench_local(|| table.observe_delta(divan::black_box(epoch), divan::black_box(&delta)));
}
