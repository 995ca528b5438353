//! Memcached, meta protocol.
