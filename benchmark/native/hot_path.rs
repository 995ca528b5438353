//! What one get and one set cost in instructions, without a clock: `hot_path CASE TIMES` does the work that often, and
//! benchmark/native/instructions.mjs counts it, twice, so that what the process does beside it cancels out.

#![allow(clippy::unwrap_used, clippy::panic)] // What fails here ends the run, and should.

mod samples;

use bytes::{Bytes, BytesMut};
use cachalot::backend::redis::bench::{Replies, command};
use cachalot::codec::compression::{Compression, compress, decompress};
use cachalot::codec::envelope::{Codec, decode, encode};
use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome};
use cachalot::tags::{Record, Validity, judge};
use cachalot::ttl::Ttl;
use samples::{NOW, RECORD, TAGS, entry, header, json, mget_reply};
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

/// Gets of one turn that go into one request.
const ENTRIES: usize = 16;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [case, times] = &words[..] else { panic!("hot_path CASE TIMES") };
    let times: usize = times.parse().unwrap();
    match &case[..] {
        "get_200" => gets(200, times),
        "get_1024" => gets(1_024, times),
        "get_16384" => gets(16_384, times),
        "set_200" => sets(200, times),
        "set_1024" => sets(1_024, times),
        "set_16384" => sets(16_384, times),
        "memory_get_1024" => memory_gets(1_024, times),
        _ => panic!("{case}: no such case"),
    }
}

/// From the bytes of a reply to values that JavaScript takes: parsing, envelope, near cache, judgement, decompression.
fn gets(bytes: usize, times: usize) {
    let entry = entry(bytes);
    let stream = mget_reply(&entry, ENTRIES);
    let mut replies = Replies::new(&TAGS, RECORD).unwrap();
    for _ in 0..times {
        let (_, star, found) = replies.entries(&mut BytesMut::from(&stream[..])).unwrap();
        for bytes in found {
            black_box(opened(&replies, star.as_ref(), bytes.unwrap()));
        }
    }
}

fn opened(replies: &Replies, star: Option<&Record>, bytes: Bytes) -> Value {
    let (header, payload) = decode(&bytes, 1 << 26).unwrap();
    let tags: Vec<&str> = header.tags.iter().map(String::as_str).collect();
    let records = replies.look(&tags);
    let all = std::iter::once(star).chain(records.iter().map(Option::as_ref));
    assert_eq!(judge(header.epoch, header.auto, header.times.as_ref(), NOW, all), Validity::Valid);
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

/// All of the engine but a server: process memory answers in the call.
fn memory_gets(bytes: usize, times: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = Config::parse(r#"{"prefix":"bench","backend":{"type":"memory"}}"#).unwrap();
    let engine = AnyEngine::open(config, cachalot::events::silent(), runtime.handle()).unwrap();
    let keys: Vec<String> = (0..ENTRIES).map(|n| format!("products:{n}")).collect();
    let set = |key: &String| Op::Set {
        key: key.clone(),
        value: Input::Text(json(bytes).into_bytes()),
        tags: TAGS.map(str::to_owned).to_vec(),
        ttl: Some(Ttl::Ms(3_600_000)),
        auto: true,
        ticket: None,
        times: None,
    };
    run(&engine, keys.iter().map(set).collect());
    for _ in 0..times {
        let hits = run(
            &engine,
            keys.iter().map(|key| Op::Get { key: key.clone(), remember: true, stamp: false }).collect(),
        );
        assert_eq!(hits, ENTRIES);
    }
}

fn run(engine: &AnyEngine, ops: Vec<Op>) -> usize {
    let hits = AtomicUsize::new(0);
    let mut run = pin!(engine.run(ops, NOW, |_, outcomes| {
        let got = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Hit(_))).count();
        hits.fetch_add(got, Relaxed);
    }));
    assert_eq!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
    hits.load(Relaxed)
}
