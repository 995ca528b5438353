//! What the rules of a cache are about, without I/O: tags and epochs, keys and what a prefix calls them in a store, lifetimes, and the
//! counters that tell values kept in JavaScript from outdated ones.

pub mod key;
pub mod tag;
pub mod time;
pub mod ttl;
pub mod version_table;
