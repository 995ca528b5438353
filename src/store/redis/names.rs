//! The names of a prefix's bookkeeping on the server.

use crate::model::key::Keyspace;

/// What the server's names are, or begin with.
#[derive(Clone)]
pub struct Names {
    pub epoch: String,
    pub log: String,
    pub fences: String,
    pub index: String,
    pub longest: String,
    pub entry: String,
}

impl Names {
    pub fn of(space: &Keyspace) -> Self {
        Names {
            epoch: space.epoch(),
            log: space.clear_log(),
            fences: space.fences(),
            index: space.whole_index(),
            longest: space.longest_life(),
            entry: space.entry_prefix(),
        }
    }
}
