//! Entries written by each version of the envelope. The files in `golden/` are never regenerated: a new version gets a
//! folder of its own, and what a later version no longer reads is a miss that says so.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

use bytes::Bytes;
use cachalot::codec::compression::decompress;
use cachalot::codec::envelope::{Codec, Header, decode, encode, peek};
use cachalot::error::Code;
use cachalot::model::tag::{Epoch, Tag};
use cachalot::model::ttl::{NEVER, Times};

const CAP: u32 = 64 * 1024 * 1024;
const EPOCH: Epoch = Epoch { generation: 0x0123_4567_89AB_CDEF, n: 1_790_000_000_123_456 };

fn product() -> String {
    let variants: Vec<String> = (1..=40)
        .map(|i| format!(r#"{{"id":"variant_{i:03}","sku":"WHALE-{i:03}","prices":[{}]}}"#, i * 250))
        .collect();
    format!(r#"{{"id":"prod_01","title":"Pot à café 🐋","variants":[{}]}}"#, variants.join(","))
}

fn sorted(names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = names.into_iter().map(|name| Tag::of(name.as_ref())).collect();
    tags.sort_unstable();
    tags
}

fn header(codec: Codec, raw_len: usize) -> Header {
    Header {
        codec,
        auto: true,
        binary: false,
        epoch: EPOCH,
        expires_at: 1_790_000_060_000,
        raw_len: raw_len as u32,
        tags: sorted(["Product:list:*", "Product:prod_01", "é", "!ns:shop"]),
        key: None,
        times: None,
    }
}

/// Every file of version 2, what its header says, and its payload once decompressed.
fn all() -> Vec<(&'static str, Header, Vec<u8>)> {
    let product = product().into_bytes();
    vec![
        ("plain", header(Codec::None, 6), b"{\"a\":1}"[..6].to_vec()),
        ("zstd", header(Codec::Zstd, product.len()), product.clone()),
        ("lz4", header(Codec::Lz4, product.len()), product.clone()),
        ("deflate", header(Codec::Deflate, product.len()), product.clone()),
        (
            "binary-forever-hashed-key",
            Header {
                auto: false,
                binary: true,
                expires_at: NEVER,
                tags: vec![],
                key: Some("a key with spaces".into()),
                ..header(Codec::None, 4)
            },
            vec![0, 255, 128, 1],
        ),
        (
            "times",
            Header {
                key: Some("a key".into()),
                times: Some(Times { created: 1_790_000_000_000, fresh_until: 1_790_000_030_000, cost: 120 }),
                ..header(Codec::None, 2)
            },
            b"{}".to_vec(),
        ),
        ("empty", Header { tags: vec![], ..header(Codec::None, 0) }, vec![]),
        (
            "wide",
            Header {
                tags: sorted((0..450).map(|i| format!("ProductVariant:variant_{i:03}"))),
                ..header(Codec::None, 2)
            },
            b"[]".to_vec(),
        ),
    ]
}

fn read(version: u8, name: &str) -> Bytes {
    let path = format!("{}/tests/golden/v{version}/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")).into()
}

#[test]
fn entries_of_version_2_are_read() {
    for (name, header, raw) in all() {
        let (found, payload) = decode(&read(2, name), CAP).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found, header, "{name}");
        assert_eq!(decompress(found.codec, payload, found.raw_len as usize).unwrap(), raw, "{name}");
    }
}

#[test]
fn what_is_written_today_is_version_2_to_the_byte() {
    for (name, header, raw) in all().into_iter().filter(|(_, header, _)| header.codec == Codec::None) {
        assert_eq!(encode(&header, &raw).unwrap().into_bytes(), read(2, name), "{name}");
    }
}

/// `plain` with one bit of its epoch changed, which the checksum leaves out: the stamp has a check of its own.
#[test]
fn an_entry_whose_stamp_was_flipped_is_not_read() {
    let (good, flipped) = (read(2, "plain"), read(2, "flipped-stamp"));
    let changed: Vec<usize> = (0..good.len()).filter(|at| good[*at] != flipped[*at]).collect();
    assert_eq!((good.len(), changed), (flipped.len(), vec![12]));
    let error = decode(&flipped, CAP).unwrap_err();
    assert_eq!(error.code, Code::Corrupt);
    assert!(error.message.contains("the epoch's check differs"), "{error}");
    assert!(peek(&flipped).is_none());
}

/// Each is a miss that is counted as corrupt, and the next set replaces it.
#[test]
fn entries_of_version_1_are_no_longer_read() {
    for name in ["plain", "zstd", "lz4", "deflate", "binary-forever-hashed-key", "times", "empty"] {
        let error = decode(&read(1, name), CAP).unwrap_err();
        assert_eq!(error.code, Code::Corrupt, "{name}");
        assert!(error.message.contains("version 1 "), "{name}: {error}");
        assert!(peek(&read(1, name)).is_none(), "{name}");
    }
}
