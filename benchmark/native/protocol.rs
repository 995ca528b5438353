//! Replies of both servers, sixteen values at a time, and a command.

use crate::samples::{entry, json, meta_replies, mget_reply};
use bytes::BytesMut;
use cachalot::backend::{memcached, redis};
use divan::Bencher;
use divan::counter::BytesCount;

const SIZES: [usize; 3] = [200, 1_024, 16_384];
/// What one request asks for at most.
const ENTRIES: usize = 16;

#[divan::bench(args = SIZES)]
fn redis_mget_16(bencher: Bencher, bytes: usize) {
    let stream = mget_reply(&entry(bytes), ENTRIES);
    let mut replies = redis::bench::Replies::new().unwrap();
    bencher
        .counter(BytesCount::new(stream.len()))
        .with_inputs(|| BytesMut::from(&stream[..]))
        .bench_local_values(|mut buffer| replies.entries(&mut buffer).unwrap());
}

#[divan::bench(args = SIZES)]
fn memcached_16_gets(bencher: Bencher, bytes: usize) {
    let stream = meta_replies(&entry(bytes), ENTRIES);
    let mut replies = memcached::bench::Replies::new(1 << 20);
    bencher
        .counter(BytesCount::new(stream.len()))
        .with_inputs(|| BytesMut::from(&stream[..]))
        .bench_local_values(|mut buffer| {
            for _ in 0..ENTRIES {
                divan::black_box(replies.value(&mut buffer).unwrap());
            }
        });
}

#[divan::bench(args = SIZES)]
fn redis_set_command(bencher: Bencher, bytes: usize) {
    let value = json(bytes);
    bencher
        .counter(BytesCount::new(value.len()))
        .bench(|| redis::bench::command(&[b"SET", b"bench:products:1", value.as_bytes(), b"PX", b"3600000"]));
}

/// The same by the crate that writes all but the hot path's commands.
#[divan::bench(args = SIZES)]
fn redis_set_command_of_the_crate(bencher: Bencher, bytes: usize) {
    let value = json(bytes);
    bencher.counter(BytesCount::new(value.len())).bench(|| {
        let mut command = ::redis::cmd("SET");
        command.arg("bench:products:1").arg(value.as_bytes()).arg("PX").arg("3600000");
        command.get_packed_command()
    });
}
