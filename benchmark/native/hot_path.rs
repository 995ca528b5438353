//! What one get and one set cost in instructions, without a clock: `hot_path CASE TIMES REDIS_PORT` does the work that
//! often, and benchmark/native/instructions.mjs counts it, twice, so that what the process does beside it cancels out.
//!
//! `memory_…` and `redis_…` drive the engine with batches, `redis_…` over a server: what splits, guards, judges and
//! delivers is in them. `parts_…` call the protocol, the envelope and the rest one by one, where a change of a few
//! instructions is not lost in the others.

#![allow(clippy::unwrap_used, clippy::panic)] // What fails here ends the run, and should.

mod engine;
mod samples;

use bytes::{Bytes, BytesMut};
use cachalot::codec::compression::{Compression, compress, decompress};
use cachalot::codec::envelope::{Codec, decode, encode, peek};
use cachalot::codec::text::Value;
use cachalot::model::tag::Clearance;
use cachalot::store::redis::bench::{Replies, command};
use cachalot::store::redis::clear_table::{ClearTable, Verdict};
use engine::Bed;
use samples::{TAGS, entry, header, json, mget_reply};
use std::hint::black_box;

/// Operations of one turn that go into one request.
const ENTRIES: usize = 16;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [case, times, port] = &words[..] else { panic!("hot_path CASE TIMES REDIS_PORT") };
    let times: usize = times.parse().unwrap();
    let (work, bytes) = case.rsplit_once('_').unwrap();
    let bytes: usize = bytes.parse().unwrap();
    let bed = |port| Bed::open(port, ENTRIES, bytes, &TAGS);
    match work {
        "parts_get" => gets(bytes, times),
        "parts_set" => sets(bytes, times),
        "redis_get" => repeat(times, &bed(port.parse().ok()), Bed::gets),
        "redis_set" => repeat(times, &bed(port.parse().ok()), Bed::sets),
        "memory_get" => repeat(times, &bed(None), Bed::gets),
        "memory_set" => repeat(times, &bed(None), Bed::sets),
        _ => panic!("{case}: no such case"),
    }
}

fn repeat(times: usize, bed: &Bed, batch: impl Fn(&Bed)) {
    for _ in 0..times {
        batch(bed);
    }
}

/// From the bytes of a reply to values that JavaScript takes: parsing, judgement, envelope, decompression.
fn gets(bytes: usize, times: usize) {
    let entry = entry(bytes);
    let stream = mget_reply(&entry, ENTRIES);
    let mut replies = Replies::new().unwrap();
    let mut clears = ClearTable::default();
    for _ in 0..times {
        let (epoch, found) = replies.entries(&mut BytesMut::from(&stream[..])).unwrap();
        clears.observe_epoch(epoch);
        for bytes in found {
            black_box(opened(&clears, bytes.unwrap()));
        }
    }
}

fn opened(clears: &ClearTable, bytes: Bytes) -> Value {
    let stub = peek(&bytes).unwrap();
    let verdict = clears.judge(stub.epoch, stub.auto, stub.tags());
    assert_eq!(verdict, Verdict::Known(Clearance::None));
    let (header, payload) = decode(&bytes, 1 << 26).unwrap();
    let raw = decompress(header.codec, payload, header.raw_len as usize).unwrap();
    Value::from_payload(raw, header.binary).unwrap()
}

/// From text to the bytes of a command.
fn sets(bytes: usize, times: usize) {
    let raw = json(bytes);
    let mut header = header(Codec::None, raw.len());
    for _ in 0..times * ENTRIES {
        let (codec, payload) = compress(raw.as_bytes(), &Compression::default()).unwrap();
        header.codec = codec;
        let entry = encode(&header, &payload).unwrap();
        black_box(command(&[b"SET", b"bench:products:1", &entry, b"PX", b"3600000"]));
    }
}
