//! The bytes around a value, with five tags.

use crate::samples::{EPOCH, entry, header, json};
use cachalot::codec::envelope::{Codec, decode, encode, restamp};
use divan::Bencher;

const SIZES: [usize; 3] = [200, 1_024, 16_384];

#[divan::bench(args = SIZES)]
fn encodes(bencher: Bencher, bytes: usize) {
    let raw = json(bytes);
    let header = header(Codec::None, raw.len());
    bencher.bench(|| encode(&header, raw.as_bytes()).unwrap());
}

#[divan::bench(args = SIZES)]
fn decodes(bencher: Bencher, bytes: usize) {
    let entry = entry(bytes);
    bencher.bench(|| decode(&entry, 1 << 26).unwrap());
}

#[divan::bench(args = SIZES)]
fn restamps(bencher: Bencher, bytes: usize) {
    let mut entry = entry(bytes).to_vec();
    bencher.bench_local(|| restamp(divan::black_box(&mut entry), divan::black_box(EPOCH)));
}
