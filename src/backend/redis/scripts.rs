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
    pub bury: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Scripts {
            begin: Script::of(concat!(include_str!("scripts/epoch.lua"), include_str!("scripts/begin.lua"))),
            set: Script::of(concat!(include_str!("scripts/epoch.lua"), include_str!("scripts/set.lua"))),
            clear: Script::of(concat!(
                include_str!("scripts/at_maxmemory.lua"),
                include_str!("scripts/epoch.lua"),
                include_str!("scripts/clear.lua")
            )),
            bury: Script::of(include_str!("scripts/bury.lua")),
        }
    }

    /// Those worth loading at every connect.
    pub fn all(&self) -> [&Script; 3] {
        [&self.set, &self.clear, &self.bury]
    }
}
