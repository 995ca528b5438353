//! What survives the bytes of an entry, and what they refuse.

use super::*;
use crate::model::ttl::NEVER;
use proptest::prelude::*;

const CAP: u32 = 1 << 20;

fn header() -> impl Strategy<Value = Header> {
    (
        any::<(bool, bool, u64, u64, u64)>(),
        proptest::collection::vec(any::<u64>().prop_map(Tag), 0..6),
        proptest::option::of(".{0,300}"),
        proptest::option::of(any::<(u64, u64, u32)>()),
    )
        .prop_map(|((auto, binary, generation, n, expires_at), tags, key, times)| Header {
            codec: Codec::None,
            auto,
            binary,
            epoch: Epoch { generation, n },
            expires_at,
            raw_len: 0,
            tags,
            key,
            times: times.map(|(created, fresh_until, cost)| Times { created, fresh_until, cost }),
        })
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(mut header in header(), payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        header.raw_len = payload.len() as u32;
        let bytes = Bytes::from(encode(&header, &payload).unwrap().into_bytes());
        let (back, body) = decode(&bytes, CAP).unwrap();
        prop_assert_eq!(back, header);
        prop_assert_eq!(&body[..], &payload[..]);
    }

    #[test]
    fn any_flipped_bit_is_an_error(mut header in header(), payload in proptest::collection::vec(any::<u8>(), 0..60), at: prop::sample::Index, bit in 0..8u8) {
        header.raw_len = payload.len() as u32;
        let mut bytes = encode(&header, &payload).unwrap().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode(&Bytes::from(bytes), CAP).is_err());
    }

    #[test]
    fn any_truncation_and_any_noise_is_an_error(mut header in header(), payload in proptest::collection::vec(any::<u8>(), 0..60), at: prop::sample::Index, noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        header.raw_len = payload.len() as u32;
        let mut bytes = encode(&header, &payload).unwrap().into_bytes();
        bytes.truncate(at.index(bytes.len()));
        prop_assert!(decode(&Bytes::from(bytes), CAP).is_err());
        prop_assert!(decode(&Bytes::from(noise), CAP).is_err());
    }

    #[test]
    fn a_retimed_entry_is_the_same_as_one_encoded_so(mut header in header(), fresh_until: u64) {
        header.raw_len = 3;
        let bytes = Bytes::from(encode(&header, b"abc").unwrap().into_bytes());
        let times = Times { created: 1, fresh_until, cost: 2 };
        header.times = Some(times);
        prop_assert_eq!(retime(&bytes, times).unwrap(), (encode(&header, b"abc").unwrap(), header.expires_at));
    }

    #[test]
    fn no_extension_does_harm(fields in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = take_fields(&fields);
    }

    #[test]
    fn a_restamped_entry_is_the_same_as_one_encoded_so(mut header in header(), generation: u64, n: u64) {
        header.raw_len = 3;
        let mut bytes = encode(&header, b"abc").unwrap().into_bytes();
        restamp(&mut bytes, Epoch { generation, n });
        header.epoch = Epoch { generation, n };
        prop_assert_eq!(bytes, encode(&header, b"abc").unwrap().into_bytes());
    }
}

#[test]
fn fields_of_later_releases_are_skipped_and_broken_ones_are_errors() {
    let times = Times { created: 1, fresh_until: 2, cost: 3 };
    let mut field = vec![FIELD_TIMES, TIMES_LEN as u8];
    field.extend([1u64.to_le_bytes(), 2u64.to_le_bytes()].concat());
    field.extend(3u32.to_le_bytes());
    let around = [&[9, 2, 0, 0][..], &field, &[200, 0]].concat();
    assert_eq!(take_fields(&around).unwrap(), Some(times));
    assert_eq!(take_fields(&[9, 1, 0]).unwrap(), None);
    for broken in [&around[..around.len() - 1], &field[..10], &[9][..], &[FIELD_TIMES, 1, 0], &[9, 5, 0]] {
        assert!(take_fields(broken).is_err(), "{broken:?}");
    }
}

#[test]
fn a_declared_length_over_the_cap_is_refused_before_anything_is_allocated() {
    let header = Header {
        codec: Codec::Zstd,
        auto: true,
        binary: false,
        epoch: Epoch { generation: 1, n: 1 },
        expires_at: NEVER,
        raw_len: u32::MAX,
        tags: vec![],
        key: None,
        times: None,
    };
    let bytes = Bytes::from(encode(&header, b"x").unwrap().into_bytes());
    assert!(decode(&bytes, CAP).unwrap_err().message.contains("over the cap"));
}
