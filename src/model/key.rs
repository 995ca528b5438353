//! The keyspace of one prefix: where an entry lives in the store, and where the bookkeeping lives.
//!
//! An entry's store key is `prefix + '::' + key`; bookkeeping lives under `prefix + '!'`. A prefix stands there as it is
//! written, but for what would be ambiguous: `!`, `%`, and a colon after a colon are escaped. So the first `::` or `!` of a store
//! key ends its prefix: no prefix reaches into another, and no user key into the bookkeeping.

use crate::error::{Error, Result};
use crate::model::tag::Tag;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Fences are shared by all keys of a bucket (docs/internals/tags.md). 4,096 of some 70 bytes bound the bookkeeping to
/// about 0.3 MB a prefix, and clearing one key makes a waiting set of an unrelated key fail once in 4,096.
pub const FENCE_BUCKETS: u64 = 4096;

/// The name of a key's bucket: a field of the fences.
pub fn bucket(key: &str) -> [u8; 3] {
    let bucket = xxh3_64(key.as_bytes()) % FENCE_BUCKETS;
    [8, 4, 0].map(|shift| b"0123456789abcdef"[(bucket >> shift) as usize & 15])
}

/// Longest key memcached takes (protocol.txt).
pub const MEMCACHED_MAX_KEY: usize = 250;

/// Longest escaped prefix: leaves room for the bookkeeping names within memcached's 250 bytes.
const MAX_PREFIX: usize = 128;

/// Between a prefix and a user's key.
const SEPARATOR: &str = "::";

#[derive(Clone, Debug)]
pub struct Keyspace {
    escaped: String,
}

impl Keyspace {
    /// Colons at its end are the separator's.
    pub fn new(prefix: &str) -> Result<Self> {
        let name = prefix.trim_end_matches(':');
        if name.is_empty() {
            return Err(Error::config(
                "prefix: expected a non-empty string, got an empty one; an empty prefix would share its keys with every other application on the server.",
            ));
        }
        let mut escaped = String::with_capacity(name.len());
        let mut before = None;
        for c in name.chars() {
            match c {
                '!' | '%' => escaped.push_str(&format!("%{:02X}", c as u32)),
                ':' if before == Some(':') => escaped.push_str("%3A"),
                // What memcached cannot hold, and a glob of Redis's SCAN would read as a pattern, is escaped as well.
                c if c.is_control() || c.is_whitespace() => {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        escaped.push_str(&format!("%{byte:02X}"));
                    }
                }
                c => escaped.push(c),
            }
            before = Some(c);
        }
        if escaped.len() > MAX_PREFIX {
            return Err(Error::config(format!(
                "prefix: expected at most {MAX_PREFIX} bytes, got {}; shorten it.",
                escaped.len()
            )));
        }
        Ok(Keyspace { escaped })
    }

    /// What every entry's key starts with.
    pub fn entry_prefix(&self) -> String {
        format!("{}{SEPARATOR}", self.escaped)
    }

    pub fn entry(&self, key: &str) -> String {
        let mut out = String::with_capacity(self.escaped.len() + SEPARATOR.len() + key.len());
        out.push_str(&self.escaped);
        out.push_str(SEPARATOR);
        out.push_str(key);
        out
    }

    /// The epoch's key.
    pub fn epoch(&self) -> String {
        format!("{}!e", self.escaped)
    }

    /// The clear log, on Redis.
    pub fn clear_log(&self) -> String {
        format!("{}!c", self.escaped)
    }

    /// The longest life of entries in use, on Redis.
    pub fn longest_life(&self) -> String {
        format!("{}!m", self.escaped)
    }

    /// How far cleared entries were removed, on Redis.
    pub fn swept(&self) -> String {
        format!("{}!s", self.escaped)
    }

    /// The index of all entries that have tags or no end, on Redis.
    pub fn whole_index(&self) -> String {
        format!("{}!i", self.escaped)
    }

    pub fn record(&self, tag: Tag) -> String {
        format!("{}!t:{tag}", self.escaped)
    }

    /// The key of the fences of all buckets.
    pub fn fences(&self) -> String {
        format!("{}!f", self.escaped)
    }

    pub fn index(&self, tag: Tag) -> String {
        format!("{}!i:{tag}", self.escaped)
    }

    /// A part of an index on a server whose values are small (memcached).
    pub fn index_shard(&self, tag: Tag, shard: u32) -> String {
        format!("{}!i:{shard:x}:{tag}", self.escaped)
    }

    /// The lock of a key.
    pub fn lock(&self, key: &str) -> String {
        format!("{}!l:{key}", self.escaped)
    }

    /// What every channel's name starts with.
    pub fn channel_prefix(&self) -> String {
        format!("{}!c:", self.escaped)
    }

    /// Any other bookkeeping key.
    pub fn own(&self, name: &str) -> String {
        format!("{}!{name}", self.escaped)
    }

    /// The form of any of these keys that memcached can hold. The second value says whether it was hashed: an entry
    /// then carries its full key inside the envelope, compared on read. (Two tags that shared a hash would share a
    /// record: a clear of either clears both, which is safe.)
    pub fn memcached(&self, store_key: &str) -> (String, bool) {
        let fits = store_key.len() <= MEMCACHED_MAX_KEY
            && store_key.chars().all(|c| !c.is_control() && !c.is_whitespace());
        if fits {
            return (store_key.to_owned(), false);
        }
        (format!("{}!h:{:032x}", self.escaped, xxh3_128(store_key.as_bytes())), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_as_written_but_for_what_is_ambiguous() {
        let entry = |prefix: &str, key: &str| Keyspace::new(prefix).unwrap().entry(key);
        assert_eq!(entry("shop", "a:b"), "shop::a:b");
        assert_eq!([entry("shop:", "k"), entry("shop::", "k")], ["shop::k", "shop::k"]);
        assert_eq!(entry("shop:v2:eu", "k"), "shop:v2:eu::k");
        assert_eq!(entry("{shop}/v2_*", "k"), "{shop}/v2_*::k");
        assert_eq!(entry("a!b%", "k"), "a%21b%25::k");
        assert_eq!(entry("a:::b", "k"), "a:%3A%3Ab::k");
        assert_eq!(Keyspace::new("shop:v2").unwrap().epoch(), "shop:v2!e");
        assert!(Keyspace::new("").is_err());
        assert!(Keyspace::new(":").is_err());
    }

    #[test]
    fn no_user_key_reaches_the_bookkeeping_nor_one_prefix_another() {
        let prefixes = [
            "shop", "shop:a", "shop:a:b", "shop!a", "shop%3Aa", "shop::a", "shop!l:a", ":shop", "a", "!", "%",
        ];
        let keys = ["!e", "e", "!t:x", "", ":", "::", "a::k", "a:b::k", ":a::k", "!l:a::k", "%3Aa::k"];
        let spaces = prefixes.map(|prefix| Keyspace::new(prefix).unwrap());
        for (at, space) in spaces.iter().enumerate() {
            for (other, elsewhere) in spaces.iter().enumerate() {
                for key in keys {
                    let names = [space.entry(key), space.lock(key), space.own(key), space.epoch()];
                    assert!(!space.entry(key).starts_with(&elsewhere.own("")), "{at} {other} {key}");
                    assert!(!space.lock(key).starts_with(&elsewhere.entry_prefix()), "{at} {other} {key}");
                    if at != other {
                        for name in names {
                            assert!(!name.starts_with(&elsewhere.entry_prefix()), "{at} {other} {name}");
                            assert!(!name.starts_with(&elsewhere.own("")), "{at} {other} {name}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_bucket_is_three_digits_below_their_number() {
        for i in 0..1_000 {
            let name = bucket(&i.to_string());
            let number = u64::from_str_radix(std::str::from_utf8(&name).unwrap(), 16).unwrap();
            assert_eq!(number, xxh3_64(i.to_string().as_bytes()) % FENCE_BUCKETS);
        }
    }

    #[test]
    fn what_memcached_cannot_hold_is_hashed() {
        let space = Keyspace::new("p").unwrap();
        assert_eq!(space.memcached("p::plain"), ("p::plain".into(), false));
        for key in ["p::with space".to_owned(), "p::line\nbreak".into(), format!("p::{}", "x".repeat(250))] {
            let (held, hashed) = space.memcached(&key);
            assert!(hashed && held.starts_with("p!h:") && held.len() <= MEMCACHED_MAX_KEY, "{held}");
        }
    }
}
