//! The scripts that make each step atomic on the server. Each names its KEYS and ARGV at its top.

use redis::Script as Hashed;

/// A script and the name the server knows it by.
pub(super) struct Script {
    pub text: &'static str,
    pub sha: String,
}

impl Script {
    fn of(text: &'static str) -> Self {
        Script { text, sha: Hashed::new(text).get_hash().to_owned() }
    }
}

pub(super) struct Scripts {
    pub begin: Script,
    pub set: Script,
    pub clear: Script,
    pub swap: Script,
    pub prune_index: Script,
    pub shed: Script,
    pub tagged: Script,
    pub lock: Script,
}

/// The files of a script, in the order in which they make its text.
macro_rules! script {
    ($($name:literal),+) => {
        Script::of(concat!($(include_str!(concat!("scripts/", $name, ".lua"))),+))
    };
}

impl Scripts {
    pub fn new() -> Self {
        Scripts {
            begin: script!("epoch", "fences", "begin"),
            set: script!("set_look", "epoch", "fences", "restamp", "set_late", "set_store"),
            clear: script!("at_maxmemory", "epoch", "advance", "fences", "raise_fences", "clear"),
            swap: script!("at_maxmemory", "epoch", "advance", "fences", "raise_fences", "swap"),
            prune_index: script!("prune_index"),
            shed: script!("shed"),
            tagged: script!("tagged"),
            lock: script!("lock"),
        }
    }

    /// Those worth loading at every connect.
    pub fn all(&self) -> [&Script; 3] {
        [&self.set, &self.clear, &self.swap]
    }
}
