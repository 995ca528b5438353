//! zstd, lz4 and deflate behind one threshold: a payload is compressed from a size on, and kept so only if smaller.

use super::envelope::{Codec, corrupt};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{Read, Write};

/// The writer's settings. A reader goes by the entry's header alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    pub codec: Codec,
    /// zstd 1-22, deflate 1-9; lz4 has none.
    pub level: i32,
    /// Bytes from which a payload is compressed.
    pub threshold: usize,
}

impl Default for Compression {
    /// zstd 1 from 2,048 bytes (docs/benchmarks.md).
    fn default() -> Self {
        Compression { codec: Codec::Zstd, level: 1, threshold: 2048 }
    }
}

thread_local! {
    // A fresh zstd context costs more than compressing 16 KB; each thread keeps one of each, for the last level used.
    static ZSTD_IN: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) };
    static ZSTD_OUT: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The payload to store, and the codec that made it.
pub fn compress<'a>(raw: &'a [u8], how: &Compression) -> Result<(Codec, Cow<'a, [u8]>)> {
    if how.codec == Codec::None || raw.len() < how.threshold {
        return Ok((Codec::None, Cow::Borrowed(raw)));
    }
    let packed = match how.codec {
        Codec::None => return Ok((Codec::None, Cow::Borrowed(raw))),
        Codec::Zstd => zstd_compress(raw, how.level)?,
        Codec::Lz4 => lz4_flex::block::compress(raw),
        Codec::Deflate => {
            let level = flate2::Compression::new(how.level.clamp(1, 9) as u32);
            let mut out = flate2::write::ZlibEncoder::new(Vec::with_capacity(raw.len() / 4), level);
            out.write_all(raw).and_then(|()| out.finish()).map_err(failed)?
        }
    };
    if packed.len() < raw.len() {
        Ok((how.codec, Cow::Owned(packed)))
    } else {
        Ok((Codec::None, Cow::Borrowed(raw)))
    }
}

/// The payload as it was, exactly `raw_len` bytes; the caller has checked `raw_len` against its cap.
pub fn decompress(codec: Codec, payload: Bytes, raw_len: usize) -> Result<Bytes> {
    let raw = match codec {
        Codec::None => return Ok(payload),
        Codec::Zstd => zstd_decompress(&payload, raw_len)?,
        Codec::Lz4 => lz4_flex::block::decompress(&payload, raw_len).map_err(corrupt)?,
        Codec::Deflate => {
            let mut out = Vec::with_capacity(raw_len);
            // One byte more than declared, so that a longer stream shows.
            let reader = flate2::read::ZlibDecoder::new(&payload[..]);
            reader.take(raw_len as u64 + 1).read_to_end(&mut out).map_err(corrupt)?;
            out
        }
    };
    if raw.len() != raw_len {
        return Err(corrupt(format!("{} bytes after decompression, {raw_len} declared", raw.len())));
    }
    Ok(raw.into())
}

fn zstd_compress(raw: &[u8], level: i32) -> Result<Vec<u8>> {
    ZSTD_IN.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(kept, _)| *kept != level) {
            *slot = Some((level, zstd::bulk::Compressor::new(level).map_err(failed)?));
        }
        match slot {
            Some((_, compressor)) => compressor.compress(raw).map_err(failed),
            None => Err(failed("no context")),
        }
    })
}

fn zstd_decompress(payload: &[u8], raw_len: usize) -> Result<Vec<u8>> {
    ZSTD_OUT.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(zstd::bulk::Decompressor::new().map_err(failed)?);
        }
        match slot {
            Some(decompressor) => decompressor.decompress(payload, raw_len).map_err(corrupt),
            None => Err(failed("no context")),
        }
    })
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::new(crate::error::Code::Internal, format!("Compression failed: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Compression; 4] = [
        Compression { codec: Codec::Zstd, level: 1, threshold: 0 },
        Compression { codec: Codec::Lz4, level: 0, threshold: 0 },
        Compression { codec: Codec::Deflate, level: 1, threshold: 0 },
        Compression { codec: Codec::Deflate, level: 9, threshold: 0 },
    ];

    proptest! {
        #[test]
        fn every_codec_gives_back_what_it_took(raw in proptest::collection::vec(0..4u8, 0..5000)) {
            for how in ALL {
                let (codec, packed) = compress(&raw, &how).unwrap();
                prop_assert!(packed.len() <= raw.len());
                let back = decompress(codec, Bytes::copy_from_slice(&packed), raw.len()).unwrap();
                prop_assert_eq!(&back[..], &raw[..]);
            }
        }

        #[test]
        fn noise_is_an_error_or_exactly_the_declared_length(noise in proptest::collection::vec(any::<u8>(), 0..300), declared in 0..5000usize) {
            for codec in [Codec::Zstd, Codec::Lz4, Codec::Deflate] {
                if let Ok(out) = decompress(codec, Bytes::from(noise.clone()), declared) {
                    prop_assert_eq!(out.len(), declared);
                }
            }
        }
    }

    #[test]
    fn a_stream_longer_than_it_declares_is_refused() {
        let raw = vec![b'x'; 100_000];
        for how in ALL {
            let (codec, packed) = compress(&raw, &how).unwrap();
            assert_ne!(codec, Codec::None);
            let packed = Bytes::copy_from_slice(&packed);
            assert!(decompress(codec, packed.clone(), 10).is_err());
            assert!(decompress(codec, packed, 200_000).is_err());
        }
    }

    #[test]
    fn below_the_threshold_and_where_nothing_is_gained_the_payload_stays() {
        let small = vec![b'x'; 2047];
        assert_eq!(compress(&small, &Compression::default()).unwrap().0, Codec::None);
        let large = vec![b'x'; 2048];
        assert_eq!(compress(&large, &Compression::default()).unwrap().0, Codec::Zstd);
        let noise: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let (codec, kept) = compress(&noise, &Compression::default()).unwrap();
        assert!(kept.len() <= noise.len());
        assert!(codec != Codec::None || kept[..] == noise[..]);
    }
}
