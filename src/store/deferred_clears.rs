//! Clears that an outage kept from the server: merged, bounded, replayed before the first read after it.

use super::request::Clear;
use crate::error::{Code, Error};
use crate::events::{Event, Events};
use crate::model::tag::{Invalidation, Tag};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Past this many keys, or tags, the queue becomes one clear of everything: an outage's worth of a shop's updates and an import
/// fit, a flood does not grow. 10,000 keys of some 40 bytes are about 1 MB, and so are as many tags as this.
pub const MAX_KEYS: usize = 10_000;
pub const MAX_TAGS: usize = 32_768;

/// Between two replays where the next would fail as the last did. Each goes through all that waits, and every read and
/// clear asks for one: without this an outage's, or a flood's, operations would cost their number times the number of
/// its clears.
const AGAIN: Duration = Duration::from_millis(50);

/// How and when the last replay failed, and over which connection (0 = none).
#[derive(Debug, Default)]
pub struct FailedReplay(Option<(Instant, u64, Error)>);

impl FailedReplay {
    pub fn note(&mut self, connection_id: u64, error: &Error) {
        self.0 = Some((Instant::now(), connection_id, error.clone()));
    }

    /// Why a replay is not worth trying yet: there is no connection, or no room on it, as there was none just now.
    pub fn again(&self, connection_id: u64) -> Option<Error> {
        let (at, over, error) = self.0.as_ref()?;
        let same = *over == connection_id && (connection_id == 0 || error.code == Code::Busy);
        (same && at.elapsed() < AGAIN).then(|| error.clone())
    }
}

#[derive(Default)]
pub struct DeferredClears {
    names: Names,
    /// The server, and where it is told that its clears became one of everything; `None`: nobody listens.
    tell: Option<(String, Events)>,
    /// Told since `settled`.
    is_told: bool,
}

#[derive(Default)]
struct Names {
    keys: HashSet<String>,
    all: HashSet<Tag>,
    auto: HashSet<Tag>,
}

impl Names {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.all.is_empty() && self.auto.is_empty()
    }

    fn add(&mut self, clear: Clear) {
        self.keys.extend(clear.keys);
        match clear.invalidation {
            Invalidation::Hard => self.all.extend(clear.tags),
            Invalidation::Soft => self.auto.extend(clear.tags),
        }
    }
}

impl DeferredClears {
    pub fn new(server: String, events: Events) -> Self {
        DeferredClears { tell: Some((server, events)), ..Default::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn add(&mut self, clear: Clear) {
        let names = &mut self.names;
        if names.all.contains(&Tag::ROOT) {
            return;
        }
        names.add(clear);
        let (keys, tags) = (names.keys.len(), names.all.len() + names.auto.len());
        let is_all = names.all.contains(&Tag::ROOT);
        if !is_all && keys <= MAX_KEYS && tags <= MAX_TAGS {
            return;
        }
        *names = Names { all: HashSet::from([Tag::ROOT]), ..Default::default() };
        if is_all || std::mem::replace(&mut self.is_told, true) {
            return;
        }
        if let Some((server, events)) = &self.tell {
            let message = format!(
                "{server} could not be reached for clears of {keys} keys and {tags} tags, more than are kept \
                 ({MAX_KEYS} and {MAX_TAGS}): everything will be cleared once it can."
            );
            events(Event::Warning { code: Code::Connection.as_str(), message });
        }
    }

    /// All that was taken is done: the next outage is told anew.
    pub fn settled(&mut self) {
        self.is_told = false;
    }

    /// What to replay; `add` it back if that fails.
    pub fn take(&mut self) -> Vec<Clear> {
        let Names { keys, all, auto } = std::mem::take(&mut self.names);
        let mut out = Vec::new();
        if !keys.is_empty() || !all.is_empty() {
            let (keys, tags) = (keys.into_iter().collect(), all.into_iter().collect());
            out.push(Clear { keys, tags, invalidation: Invalidation::Hard });
        }
        if !auto.is_empty() {
            out.push(Clear {
                keys: Vec::new(),
                tags: auto.into_iter().collect(),
                invalidation: Invalidation::Soft,
            });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    fn tags(invalidation: Invalidation, tags: &[&str]) -> Clear {
        Clear { keys: vec![], tags: tags.iter().map(|t| Tag::of(t)).collect(), invalidation }
    }

    #[test]
    fn clears_merge_and_keep_what_they_raise() {
        let mut pending = DeferredClears::default();
        pending.add(tags(Invalidation::Hard, &["a", "b"]));
        pending.add(tags(Invalidation::Hard, &["a"]));
        pending.add(tags(Invalidation::Soft, &["a"]));
        let out = pending.take();
        assert_eq!(
            out.iter().map(|c| (c.invalidation, c.tags.len())).collect::<Vec<_>>(),
            [(Invalidation::Hard, 2), (Invalidation::Soft, 1)]
        );
        assert!(pending.is_empty());
    }

    #[test]
    fn a_replay_is_tried_again_over_another_connection_or_where_another_end_is_likely() {
        let (busy, other) = (Error::new(Code::Busy, ""), Error::timeout(""));
        let mut failed = FailedReplay::default();
        assert!(failed.again(0).is_none() && failed.again(1).is_none());
        for (connection_id, error, next, waits) in [
            (0, &other, 0, true),
            (0, &other, 1, false),
            (1, &busy, 1, true),
            (1, &busy, 2, false),
            (1, &other, 1, false),
        ] {
            failed.note(connection_id, error);
            assert_eq!(failed.again(next).is_some(), waits, "{connection_id} {error} {next}");
        }
        failed.note(1, &busy);
        std::thread::sleep(AGAIN);
        assert!(failed.again(1).is_none());
    }

    fn wide(names: usize) -> Clear {
        let tags = (0..names).map(|i| Tag::of(&format!("t{i}"))).collect();
        Clear { keys: vec!["k".into()], tags, invalidation: Invalidation::Soft }
    }

    #[test]
    fn a_flood_becomes_one_clear_of_everything_and_is_told_once_an_outage() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let mut pending =
            DeferredClears::new("cache:1".into(), Arc::new(move |event| heard.lock().push(event)));
        pending.add(wide(MAX_TAGS));
        assert!(told.lock().is_empty());
        for outage in 1..=2 {
            // A replay that fails gives back what it took, while more is asked for.
            for _ in 0..3 {
                pending.add(wide(MAX_TAGS + 1));
                let out = pending.take();
                assert_eq!(out.len(), 1);
                assert_eq!(
                    (out[0].invalidation, out[0].tags.as_slice()),
                    (Invalidation::Hard, &[Tag::ROOT][..])
                );
                pending.add(wide(MAX_TAGS + 1));
                out.into_iter().for_each(|clear| pending.add(clear));
            }
            let told = told.lock();
            assert_eq!(told.len(), outage);
            let Event::Warning { code: "CACHALOT_CONNECTION", message } = &told[outage - 1] else {
                panic!("{told:?}")
            };
            let numbers = ["cache:1", "clears of 1 keys and 32769 tags", "10000 and 32768"];
            assert!(numbers.iter().all(|number| message.contains(number)), "{message}");
            pending.take();
            pending.settled();
        }
        pending.add(Clear { tags: vec![Tag::ROOT], invalidation: Invalidation::Hard, ..wide(0) });
        assert_eq!((pending.take().len(), told.lock().len()), (1, 2), "asked for as such, it is no news");
    }
}
