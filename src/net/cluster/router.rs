//! Which node owns a key: rendezvous hashing, fixed for good, since two processes that disagreed would keep two
//! caches.
//!
//! The server with the highest `xxh3_64(le(xxh3_64(server)) ++ le(xxh3_64(key)))` holds the key, where `server` is
//! its `host:port` (or socket path) as configured, and `key` the key on the wire; of equal scores the name that sorts
//! first. So the order of the list means nothing, and a server added to n takes 1/(n+1) of the keys from the others.
//! A server that is away keeps its keys, and they are misses meanwhile: handed to its neighbours and back, they would
//! return as old records.

use std::cmp::Reverse;
use xxhash_rust::xxh3::xxh3_64;

/// A key, and the node that owns it.
#[derive(Clone, Debug)]
pub struct Location {
    pub key: String,
    pub node: usize,
}

#[derive(Debug)]
pub struct Router {
    servers: Vec<(String, u64)>,
}

impl Router {
    pub fn new(names: Vec<String>) -> Self {
        Router {
            servers: names
                .into_iter()
                .map(|name| {
                    let hash = xxh3_64(name.as_bytes());
                    (name, hash)
                })
                .collect(),
        }
    }

    pub fn locate(&self, key: String) -> Location {
        let node = self.owner(&key);
        Location { key, node }
    }

    /// Position, in the list given to `new`, of the server that holds `key`.
    pub fn owner(&self, key: &str) -> usize {
        if self.servers.len() == 1 {
            return 0;
        }
        let key = xxh3_64(key.as_bytes());
        let scored = self.servers.iter().map(|(name, hash)| (score(*hash, key), Reverse(name.as_str())));
        scored.enumerate().max_by_key(|(_, score)| *score).map_or(0, |(at, _)| at)
    }
}

fn score(server: u64, key: u64) -> u64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&server.to_le_bytes());
    both[8..].copy_from_slice(&key.to_le_bytes());
    xxh3_64(&both)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(names: &[&str]) -> Router {
        Router::new(names.iter().map(|n| n.to_string()).collect())
    }

    const NAMES: [&str; 4] = ["10.0.0.1:11211", "10.0.0.2:11211", "[::1]:11211", "/run/memcached.sock"];

    /// Never to be changed: these are where released versions keep their keys.
    #[test]
    fn golden_places() {
        let router = router(&NAMES);
        let keys = [
            "medusa:product:1",
            "medusa:product:2",
            "medusa!e",
            "medusa!t:*",
            "medusa!t:Product:1",
            "é",
            "",
            "k7",
        ];
        assert_eq!(keys.map(|key| router.owner(key)), GOLDEN);
    }
    const GOLDEN: [usize; 8] = [2, 3, 3, 3, 2, 0, 1, 1];

    #[test]
    fn the_order_of_the_list_means_nothing() {
        let forth = router(&NAMES);
        let mut names = NAMES;
        names.reverse();
        let back = router(&names);
        for i in 0..1000 {
            let key = format!("k{i}");
            assert_eq!(NAMES[forth.owner(&key)], names[back.owner(&key)]);
        }
    }

    #[test]
    fn keys_spread_evenly_and_a_new_server_takes_only_its_share() {
        let three = router(&NAMES[..3]);
        let four = router(&NAMES);
        let mut counts = [0; 4];
        for i in 0..20_000 {
            let key = format!("medusa:k{i}");
            let (before, after) = (three.owner(&key), four.owner(&key));
            assert!(after == before || after == 3, "{key} moved between servers that were there before");
            counts[after] += 1;
        }
        assert!(counts.iter().all(|n| (4600..5400).contains(n)), "{counts:?}");
    }
}
