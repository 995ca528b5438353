//! Entries as a shop would store them, the same in every run.

use bytes::Bytes;
use cachalot::codec::compression::{Compression, compress};
use cachalot::codec::envelope::{Codec, Header, encode};
use cachalot::model::tag::{Epoch, Tag};

pub const EPOCH: Epoch = Epoch { generation: 0x1234_5678_9ABC_DEF0, n: 1_700_000_000_000_100 };
pub const NOW: u64 = 1_700_000_000_000;
pub const TAGS: [&str; 5] = [
    "Product:list:*",
    "Product:prod_01J9KFMSEY8XAVTV8ZY",
    "ProductCollection:productcollection_7",
    "ProductCategory:productcategory_31",
    "SalesChannel:saleschannel_2",
];

const WORDS: [&str; 12] = [
    "organic", "cotton", "relaxed", "fit", "heavy", "knit", "washed", "denim", "merino", "wool", "jacket",
    "linen",
];

/// JSON of at least `bytes` bytes, at most a variant more.
pub fn json(bytes: usize) -> String {
    let mut state = bytes as u64;
    // Knuth's MMIX constants: any fixed sequence would do.
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut text = format!(r#"{{"id":"prod_{:012}","status":"published","variants":["#, random(1 << 30));
    while text.len() + 80 < bytes {
        text.push_str(&format!(
            r#"{{"sku":"{}-{}","title":"{} {}","amount":{},"stock":{}}},"#,
            &WORDS[random(12)][..3],
            random(1_000_000),
            WORDS[random(12)],
            WORDS[random(12)],
            random(30_000),
            random(500)
        ));
    }
    text.push_str(&format!(r#"{{}}],"note":"{}"}}"#, "x".repeat(bytes.saturating_sub(text.len() + 14))));
    text
}

/// As an entry carries them.
pub fn tags() -> Vec<Tag> {
    let mut tags = TAGS.map(Tag::of).to_vec();
    tags.sort_unstable();
    tags
}

pub fn header(codec: Codec, raw_len: usize) -> Header {
    Header {
        codec,
        auto: true,
        binary: false,
        epoch: EPOCH,
        expires_at: NOW + 3_600_000,
        raw_len: raw_len as u32,
        tags: tags(),
        key: None,
        times: None,
    }
}

/// An entry as it is stored: compressed from 2,048 bytes on.
pub fn entry(bytes: usize) -> Bytes {
    let raw = json(bytes);
    let (codec, payload) = compress(raw.as_bytes(), &Compression::default()).unwrap();
    encode(&header(codec, raw.len()), &payload).unwrap().into_bytes().into()
}

/// Redis's answer to an MGET of the epoch and as many entries.
pub fn mget_reply(entry: &[u8], entries: usize) -> Vec<u8> {
    let epoch = format!("{:016x} {}", EPOCH.generation, EPOCH.n);
    let mut reply = format!("*{}\r\n${}\r\n{epoch}\r\n", entries + 1, epoch.len()).into_bytes();
    for _ in 0..entries {
        reply.extend_from_slice(format!("${}\r\n", entry.len()).as_bytes());
        reply.extend_from_slice(entry);
        reply.extend_from_slice(b"\r\n");
    }
    reply
}
