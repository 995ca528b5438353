//! What tells values kept in JavaScript from outdated ones.

use super::clear_table::{Advance, Delta, Member};
use crate::model::tag::Epoch;
use crate::model::version_table::VersionTable;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The counters, and how far they have come. The server pushes which entries changed, and that the epoch moved;
/// which tags that was for is learnt with the next reply, and until then nothing is served.
pub(super) struct Local {
    pub versions: Arc<VersionTable>,
    /// What the server's names of entries begin with, and its name of the epoch.
    pub entries: Vec<u8>,
    pub epoch: Vec<u8>,
    /// The server tells of every change over the present connection.
    pub is_tracked: AtomicBool,
    pub heard: Mutex<Heard>,
}

#[derive(Default)]
pub(super) struct Heard {
    /// Up to this epoch the counters know of every clear; `None` = nothing was heard yet.
    pub epoch: Option<Epoch>,
    /// It moved on since.
    pub is_behind: bool,
}

impl Local {
    /// Every clear up to this epoch is known, and none came since the last that was heard of.
    pub fn caught_up(&self, epoch: Epoch) {
        let mut heard = self.heard.lock();
        if heard.epoch.is_some_and(|heard| heard != epoch) {
            self.versions.all_changed();
        }
        *heard = Heard { epoch: Some(epoch), is_behind: false };
    }

    /// Every clear up to this epoch is known: those in the delta came since.
    pub fn learn(&self, delta: &Delta, known_to: Epoch) {
        let mut heard = self.heard.lock();
        let since = heard.epoch.filter(|heard| heard.generation == known_to.generation);
        let is_whole = delta.generations.iter().any(|(_, n)| *n == known_to.n) && !delta.is_cut;
        match since {
            Some(since) if is_whole && delta.floor.is_none_or(|floor| floor <= since.n) => {
                for (Member { tag, .. }, _) in delta.members.iter().filter(|(_, n)| *n > since.n) {
                    self.versions.tag_changed(VersionTable::of_tag(*tag));
                }
            }
            Some(since) if since.n >= known_to.n => {}
            _ => self.versions.all_changed(),
        }
        *heard = Heard { epoch: Some(known_to), is_behind: false };
    }

    /// A clear of this process. One by another came before it, if the epoch had moved on.
    pub fn advance(&self, advance: &Advance, keys: impl Iterator<Item = u16>) {
        let Advance { epoch, before, members } = advance;
        let mut heard = self.heard.lock();
        match heard.epoch {
            Some(known) if known.generation == epoch.generation && *before != 0 => {
                for Member { tag, .. } in members {
                    self.versions.tag_changed(VersionTable::of_tag(*tag));
                }
                keys.for_each(|slot| self.versions.key_changed(slot));
                if *before == known.n {
                    heard.epoch = Some(*epoch);
                } else if known.n < epoch.n {
                    heard.is_behind = true;
                    self.versions.unheard();
                }
            }
            _ => {
                heard.epoch = None;
                self.versions.all_changed();
            }
        }
    }

    pub fn lost_track(&self) {
        self.heard.lock().epoch = None;
        self.versions.all_changed();
    }
}
