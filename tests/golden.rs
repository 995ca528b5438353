//! Entries written by each released version of the envelope, which later code must go on reading. The files in
//! `golden/` are never regenerated: a new version gets a folder of its own.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

use bytes::Bytes;
use cachalot::codec::compression::decompress;
use cachalot::codec::envelope::{Codec, Header, decode, encode};
use cachalot::tags::Epoch;
use cachalot::ttl::{NEVER, Times};

const CAP: u32 = 64 * 1024 * 1024;
const EPOCH: Epoch = Epoch { generation: 0x0123_4567_89AB_CDEF, n: 1_790_000_000_123_456 };

fn product() -> String {
    let variants: Vec<String> = (1..=40)
        .map(|i| format!(r#"{{"id":"variant_{i:03}","sku":"WHALE-{i:03}","prices":[{}]}}"#, i * 250))
        .collect();
    format!(r#"{{"id":"prod_01","title":"Pot à café 🐋","variants":[{}]}}"#, variants.join(","))
}

fn header(codec: Codec, raw_len: usize) -> Header {
    Header {
        codec,
        auto: true,
        binary: false,
        epoch: EPOCH,
        expires_at: 1_790_000_060_000,
        raw_len: raw_len as u32,
        tags: vec!["Product:list:*".into(), "Product:prod_01".into(), "é".into()],
        key: None,
        times: None,
    }
}

/// Every file, what its header says, and its payload once decompressed.
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
    ]
}

fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/golden/v1/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")).into()
}

#[test]
fn entries_of_version_1_are_read() {
    for (name, header, raw) in all() {
        let (found, payload) = decode(&read(name), CAP).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found, header, "{name}");
        assert_eq!(decompress(found.codec, payload, found.raw_len as usize).unwrap(), raw, "{name}");
    }
}

#[test]
fn what_is_written_today_is_version_1_to_the_byte() {
    for (name, header, raw) in all().into_iter().filter(|(_, header, _)| header.codec == Codec::None) {
        assert_eq!(encode(&header, &raw).unwrap(), read(name), "{name}");
    }
}
