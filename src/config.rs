//! What a store is opened with: JSON made by js/options/config.ts, which checks the names and types that people write. A field
//! that is unknown here is a defect there.

use crate::codec::compression::Compression;
use crate::codec::envelope::Codec;
use crate::error::{Error, Result};
use crate::model::key::Keyspace;
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    pub prefix: String,
    pub backend: BackendConfig,
    #[serde(default)]
    pub compression: CompressionConfig,
    /// Bytes of one value before compression, and of what a stored envelope may declare.
    #[serde(default = "default_max_value_bytes")]
    pub max_value_bytes: u32,
    #[serde(default)]
    pub miss_memory: MissMemoryConfig,
    /// Values are kept in JavaScript, too; absent: they are not.
    #[serde(default)]
    pub l1: Option<L1Config>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct L1Config {
    /// The longest that a value is kept there. Absent: as long as it lives where every change is told, else
    /// `l1::UNHEARD_MS`.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// How misses are remembered until their set comes (docs/internals/tags.md).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MissMemoryConfig {
    /// How long a miss guards the set that follows it.
    pub ms: u64,
    /// Misses remembered one by one; more are merged into buckets that keep the oldest.
    pub max: usize,
}

impl Default for MissMemoryConfig {
    fn default() -> Self {
        MissMemoryConfig { ms: 10_000, max: 65_536 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum BackendConfig {
    Memory(MemoryConfig),
    Redis(RedisConfig),
    Memcached(MemcachedConfig),
}

impl BackendConfig {
    /// Whether the server tells of changes, over a connection that may fall silent.
    pub fn tells(&self) -> bool {
        matches!(self, BackendConfig::Redis(redis) if redis.tracking)
    }

    /// What stores of the same entries have in common, as far as their addresses tell; `None` in process memory.
    pub fn place(&self, space: &Keyspace) -> Option<String> {
        let prefix = space.entry_prefix();
        match self {
            BackendConfig::Memory(_) => None,
            BackendConfig::Redis(redis) => {
                Some(format!("redis {} {} {prefix}", redis.endpoint.place(), redis.db))
            }
            BackendConfig::Memcached(memcached) => {
                let mut servers: Vec<_> = memcached.servers.iter().map(Endpoint::place).collect();
                servers.sort_unstable();
                Some(format!("memcached {} {prefix}", servers.join(",")))
            }
        }
    }

    /// `commandTimeout`; `None` in process memory.
    pub fn command_ms(&self) -> Option<u64> {
        match self {
            BackendConfig::Memory(_) => None,
            BackendConfig::Redis(redis) => Some(redis.timeouts.command_ms),
            BackendConfig::Memcached(memcached) => Some(memcached.timeouts.command_ms),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemoryConfig {
    /// Stores of one name are one store, also across worker threads of a process. Absent: a store of its own.
    #[serde(default)]
    pub name: Option<String>,
    /// Bound on keys, values and their bookkeeping, in bytes.
    #[serde(default = "default_memory_bytes")]
    pub max_bytes: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisConfig {
    pub endpoint: Endpoint,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
    /// Who tells where `endpoint` is.
    #[serde(default)]
    pub sentinel: Option<Box<SentinelConfig>>,
    /// They are told later, and may change.
    #[serde(default)]
    pub credentials: bool,
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    #[serde(default)]
    pub db: u32,
    /// For `CLIENT SETNAME`.
    #[serde(default)]
    pub connection_name: Option<String>,
    /// Speak RESP3: it carries messages, and tells of every change where values are kept in JavaScript.
    #[serde(default = "yes")]
    pub tracking: bool,
    /// Tags that the clear log keeps at most; some 110 bytes of the server each.
    #[serde(default = "default_clear_log_max")]
    pub clear_log_max: u32,
    #[serde(default)]
    pub timeouts: Timeouts,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SentinelConfig {
    pub name: String,
    pub nodes: Vec<Endpoint>,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Where an address that sentinels tell is from here.
    #[serde(default)]
    pub nat_map: HashMap<String, Endpoint>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemcachedConfig {
    pub servers: Vec<Endpoint>,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
    /// Of all servers.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// The server's item limit (`-I`), in bytes, with key and header.
    #[serde(default = "default_item_bytes")]
    pub max_item_bytes: usize,
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// How connections are encrypted, and who is trusted.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates of the authorities that are trusted, and no others.
    pub ca: Vec<Pem>,
    /// The client's certificate, followed by those that lead to its authority.
    #[serde(default)]
    pub cert: Option<Pem>,
    /// The key of `cert`, not encrypted.
    #[serde(default)]
    pub key: Option<Pem>,
    /// The name that the server's certificate must have. `None` = the endpoint's host.
    #[serde(default)]
    pub servername: Option<String>,
    /// `false` = whoever answers is trusted.
    #[serde(default = "yes")]
    pub reject_unauthorized: bool,
    #[serde(default)]
    pub min_version: TlsVersion,
}

/// PEM, or a file of it, which is read again once it has changed.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Pem {
    Text(String),
    File { file: std::path::PathBuf },
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "TLSv1.2")]
    V12,
    #[serde(rename = "TLSv1.3")]
    V13,
}

/// Keys are for nobody's eyes.
impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig").field("servername", &self.servername).finish_non_exhaustive()
    }
}

/// Where a server listens.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase", deny_unknown_fields, untagged)]
pub enum Endpoint {
    Tcp {
        host: String,
        port: u16,
    },
    Unix {
        path: String,
    },
    /// The primary of this name, which sentinels know.
    Named {
        name: String,
    },
}

impl Endpoint {
    /// With one name for this machine. Where the names lead to different servers all the same, a store is told of changes
    /// that are not its own, which costs it a request.
    fn place(&self) -> String {
        match self {
            Endpoint::Tcp { host, port }
                if ["localhost", "127.0.0.1", "::1"].iter().any(|name| host.eq_ignore_ascii_case(name)) =>
            {
                format!("localhost:{port}")
            }
            other => other.to_string(),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix { path } => f.write_str(path),
            Endpoint::Named { name } => write!(f, "{name} (Sentinel)"),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    pub connect_ms: u64,
    pub command_ms: u64,
    /// TCP keepalive: first probe after this much silence.
    pub keepalive_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { connect_ms: 2_000, command_ms: 1_000, keepalive_ms: 30_000 }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompressionConfig {
    #[serde(default)]
    pub enabled: Option<bool>,
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    #[serde(default)]
    pub level: Option<i32>,
    /// Bytes.
    #[serde(default)]
    pub threshold: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Zstd,
    Lz4,
    Deflate,
}

impl CompressionConfig {
    /// A level without an algorithm means deflate at that level; neither means zstd 1.
    pub fn resolve(&self) -> Result<Compression> {
        let default = Compression::default();
        if self.enabled == Some(false) {
            return Ok(Compression { codec: Codec::None, ..default });
        }
        let algorithm = match (self.algorithm, self.level) {
            (Some(algorithm), _) => algorithm,
            (None, Some(_)) => Algorithm::Deflate,
            (None, None) => Algorithm::Zstd,
        };
        let (codec, level, range) = match algorithm {
            Algorithm::Zstd => (Codec::Zstd, self.level.unwrap_or(1), 1..=22),
            Algorithm::Deflate => (Codec::Deflate, self.level.unwrap_or(6), 1..=9),
            Algorithm::Lz4 => (Codec::Lz4, 0, 0..=0),
        };
        if !range.contains(&level) {
            return Err(Error::config(format!(
                "compression.level: expected {} to {} for {algorithm:?}, got {level}.",
                range.start(),
                range.end()
            )));
        }
        Ok(Compression { codec, level, threshold: self.threshold.unwrap_or(default.threshold) })
    }
}

impl Config {
    pub fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|why| Error::config(format!("The store's configuration: {why}.")))
    }
}

/// An import of 5,000 products every minute fits for the better part of an hour, in 28 MB.
fn default_clear_log_max() -> u32 {
    250_000
}

fn yes() -> bool {
    true
}

fn default_max_value_bytes() -> u32 {
    64 * 1024 * 1024
}

fn default_memory_bytes() -> u64 {
    256 * 1024 * 1024
}

fn default_item_bytes() -> usize {
    1024 * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(backend: &str) -> Option<String> {
        let config = Config::parse(&format!(r#"{{"prefix":"p","backend":{backend}}}"#)).unwrap();
        config.backend.place(&Keyspace::new(&config.prefix).unwrap())
    }

    #[test]
    fn stores_on_this_machine_are_neighbours_by_whichever_of_its_names() {
        let redis = |host: &str, db: u32| {
            place(&format!(r#"{{"type":"redis","endpoint":{{"host":"{host}","port":6379}},"db":{db}}}"#))
        };
        for host in ["localhost", "LocalHost", "::1"] {
            assert_eq!(redis(host, 0), redis("127.0.0.1", 0));
        }
        assert_ne!(redis("cache", 0), redis("127.0.0.1", 0));
        assert_ne!(redis("localhost", 1), redis("localhost", 0));
        let memcached = |hosts: [&str; 2]| {
            let servers = hosts.map(|host| format!(r#"{{"host":"{host}","port":11211}}"#)).join(",");
            place(&format!(r#"{{"type":"memcached","servers":[{servers}]}}"#))
        };
        assert_eq!(memcached(["localhost", "b"]), memcached(["b", "127.0.0.1"]));
        assert_eq!(place(r#"{"type":"memory"}"#), None);
    }
}
