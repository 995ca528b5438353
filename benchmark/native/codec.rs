//! Compression and back, and the string form of what comes out.

use crate::samples::json;
use bytes::Bytes;
use cachalot::codec::compression::{Compression, compress, decompress};
use cachalot::codec::envelope::Codec;
use cachalot::codec::text::Value;
use divan::Bencher;
use divan::counter::BytesCount;

const SIZES: [usize; 3] = [1_024, 16_384, 102_400];

fn how(codec: Codec, level: i32) -> Compression {
    Compression { codec, level, threshold: 0 }
}

fn pack(bencher: Bencher, bytes: usize, how: Compression) {
    let raw = json(bytes);
    bencher.counter(BytesCount::new(raw.len())).bench(|| compress(raw.as_bytes(), &how).unwrap());
}

fn unpack(bencher: Bencher, bytes: usize, how: Compression) {
    let raw = json(bytes);
    let (codec, packed) = compress(raw.as_bytes(), &how).unwrap();
    assert_eq!(codec, how.codec);
    let packed = Bytes::from(packed.into_owned());
    bencher
        .counter(BytesCount::new(raw.len()))
        .bench(|| decompress(codec, packed.clone(), raw.len()).unwrap());
}

#[divan::bench(args = SIZES)]
fn zstd_1_in(bencher: Bencher, bytes: usize) {
    pack(bencher, bytes, how(Codec::Zstd, 1));
}

#[divan::bench(args = SIZES)]
fn zstd_1_out(bencher: Bencher, bytes: usize) {
    unpack(bencher, bytes, how(Codec::Zstd, 1));
}

#[divan::bench(args = SIZES)]
fn lz4_in(bencher: Bencher, bytes: usize) {
    pack(bencher, bytes, how(Codec::Lz4, 0));
}

#[divan::bench(args = SIZES)]
fn lz4_out(bencher: Bencher, bytes: usize) {
    unpack(bencher, bytes, how(Codec::Lz4, 0));
}

#[divan::bench(args = SIZES)]
fn deflate_6_in(bencher: Bencher, bytes: usize) {
    pack(bencher, bytes, how(Codec::Deflate, 6));
}

#[divan::bench(args = SIZES)]
fn deflate_6_out(bencher: Bencher, bytes: usize) {
    unpack(bencher, bytes, how(Codec::Deflate, 6));
}

fn text(bencher: Bencher, bytes: usize, letter: &str) {
    let mut raw = json(bytes);
    raw.push_str(letter);
    let payload = Bytes::from(raw);
    bencher
        .counter(BytesCount::new(payload.len()))
        .bench(|| Value::from_payload(payload.clone(), false).unwrap());
}

#[divan::bench(args = SIZES)]
fn text_ascii(bencher: Bencher, bytes: usize) {
    text(bencher, bytes, "");
}

#[divan::bench(args = SIZES)]
fn text_latin1(bencher: Bencher, bytes: usize) {
    text(bencher, bytes, "é");
}

#[divan::bench(args = SIZES)]
fn text_utf16(bencher: Bencher, bytes: usize) {
    text(bencher, bytes, "綿");
}
