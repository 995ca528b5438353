//! The near cache of tag records.

use crate::samples::{RECORD, TAGS};
use cachalot::backend::redis::bench::Replies;
use divan::Bencher;

/// Records held beside the five that are asked for.
const HELD: [usize; 2] = [0, 10_000];

fn held(others: usize) -> Replies {
    let others: Vec<String> = (0..others).map(|n| format!("Product:prod_{n}")).collect();
    let tags: Vec<&str> = others.iter().map(String::as_str).chain(TAGS).collect();
    Replies::new(&tags, RECORD).unwrap()
}

#[divan::bench(args = HELD)]
fn looks_at_5(bencher: Bencher, others: usize) {
    let replies = held(others);
    bencher.bench(|| replies.look(&TAGS));
}

#[divan::bench(args = HELD)]
fn forgets_and_keeps_1(bencher: Bencher, others: usize) {
    let replies = held(others);
    bencher.bench(|| replies.change(TAGS[1], RECORD));
}
