//! Plays the steps of a case, and checks what comes of each.

use crate::Setup;
use crate::steps::{ByKey, Entries, KEYS, Selection, Step, key_name};
use crate::truth::Truth;
use cachalot::engine::{AnyEngine, Input, Op, Outcome, ticket};
use cachalot::model::tag::Invalidation;
use cachalot::model::time;
use cachalot::model::ttl::{NEVER, Times, Ttl};
use cachalot::store::guard::Guard;
use futures_util::future::join_all;
use proptest::prelude::*;
use std::sync::Mutex;

async fn run_all(engine: &AnyEngine, ops: Vec<Op>) -> Vec<Outcome> {
    let out: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    engine.run(ops, time::now(), |first, outcomes| out.lock().unwrap().extend((first..).zip(outcomes))).await;
    let mut out = out.into_inner().unwrap();
    out.sort_by_key(|(place, _)| *place);
    out.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn run(engine: &AnyEngine, op: Op) -> Outcome {
    run_all(engine, vec![op]).await.pop().expect("delivered")
}

/// A value on its way to the cache.
struct Pending {
    handle: usize,
    key: usize,
    version: u64,
    when: usize,
    ticket: Option<Guard>,
}

struct Game<'a> {
    handles: &'a [AnyEngine],
    setup: &'a Setup,
    entries: Entries,
    truth: Truth,
    pending: Vec<Pending>,
    /// Hits seen, so that a test can tell that something was cached at all.
    hits: usize,
}

impl Game<'_> {
    fn miss(&mut self, handle: usize, key: usize, when: usize, ticket: Option<Guard>) {
        let version = self.truth.version[key];
        self.pending.push(Pending { handle, key, version, when, ticket });
    }

    fn read(&mut self, handle: usize, key: usize, when: usize, got: Outcome) -> Result<(), TestCaseError> {
        match got {
            Outcome::Hit(value) => {
                prop_assert_eq!(self.truth.check(&value, false)?.key, key);
                self.hits += 1;
            }
            Outcome::Miss => self.miss(handle, key, when, None),
            Outcome::Read(reading) => {
                let text: String = reading.ticket.iter().map(|byte| char::from(*byte)).collect();
                self.miss(handle, key, when, Some(ticket::read(&text).expect("a ticket")));
                if let Some(value) = &reading.value {
                    prop_assert!(reading.stale);
                    prop_assert_eq!(self.truth.check(value, true)?.key, key);
                }
            }
            other => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }

    fn read_all(&mut self, handle: usize, when: usize, got: Outcome) -> Result<(), TestCaseError> {
        let Outcome::Many(outcomes) = got else { panic!("of each key an outcome: {got:?}") };
        prop_assert_eq!(outcomes.len(), KEYS);
        outcomes.into_iter().enumerate().try_for_each(|(key, got)| self.read(handle, key, when, got))
    }

    async fn step(&mut self, when: usize, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Read { handle, key, ticket } => {
                let name = key_name(*key);
                let read = match ticket {
                    true => Op::Read { key: name, times: false, stamp: false },
                    false => Op::Get { key: name, remember: true, stamp: false },
                };
                let got = run(&self.handles[*handle], read).await;
                self.read(*handle, *key, when, got)?;
            }
            Step::ReadAll { handle } => {
                let got = run(&self.handles[*handle], all_keys()).await;
                self.read_all(*handle, when, got)?;
            }
            Step::Store { nth, times } if !self.pending.is_empty() => {
                let Pending { handle, key, version, when, ticket } =
                    self.pending.remove(nth.index(self.pending.len()));
                let set = Op::Set {
                    key: key_name(key),
                    value: Input::Text(format!("{key}:{version}:{when}").into_bytes()),
                    tags: self.entries.tags(key),
                    ttl: Some(Ttl::Ms(60_000)),
                    auto: true,
                    ticket,
                    times: times.then_some(Times { created: 1, fresh_until: NEVER, cost: 1 }),
                };
                let outcome = run(&self.handles[handle], set).await;
                prop_assert!(matches!(outcome, Outcome::Is(_)), "{outcome:?}");
            }
            Step::Store { .. } => {}
            Step::Write { handle, key, how } => {
                self.truth.commit(&[*key]);
                let name = key_name(*key);
                let op = match how {
                    ByKey::Clear => {
                        Op::Clear { key: Some(name), tags: vec![], invalidation: Invalidation::Hard }
                    }
                    ByKey::Expire => Op::Expire { key: name },
                };
                let outcome = run(&self.handles[*handle], op).await;
                prop_assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
                self.truth.cleared(&[*key], matches!(how, ByKey::Expire));
            }
            Step::Clear { handle, selection, kind, read } => {
                let keys = self.entries.concerned(selection);
                self.truth.commit(&keys);
                let clear = clear_op(selection, *kind);
                let read = (*read && self.setup.is_ordered).then(all_keys);
                let ops = std::iter::once(clear).chain(read).collect();
                let mut outcomes = run_all(&self.handles[*handle], ops).await.into_iter();
                let cleared = outcomes.next();
                prop_assert!(matches!(cleared, Some(Outcome::Done)), "{cleared:?}");
                self.truth.cleared(&keys, *kind == Invalidation::Soft);
                if let Some(read) = outcomes.next() {
                    self.read_all(*handle, when, read)?;
                }
            }
            Step::Together { clears, readers, clears_first } => {
                self.together(when, clears, readers, *clears_first).await?;
            }
            Step::Take { handle, key } => {
                match run(&self.handles[*handle], Op::Take { key: key_name(*key) }).await {
                    Outcome::Hit(value) => {
                        prop_assert_eq!(self.truth.check(&value, false)?.key, *key);
                        self.truth.taken(*key, when);
                    }
                    Outcome::Miss => {}
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            Step::List { handle, key, tag } => {
                let list = Op::GetTags { tags: vec![*tag.get(&self.entries.tags(*key))] };
                let Outcome::List(values) = run(&self.handles[*handle], list).await else { panic!("a list") };
                for value in &values {
                    self.truth.check(value, false)?;
                }
            }
            Step::Evict { .. } => {}
        }
        Ok(())
    }
}

impl Game<'_> {
    /// All at once: a read may come before a clear or after it.
    async fn together(
        &mut self,
        when: usize,
        clears: &[(usize, Selection, Invalidation)],
        readers: &[usize],
        clears_first: bool,
    ) -> Result<(), TestCaseError> {
        let keys: Vec<_> = clears.iter().map(|(_, selection, _)| self.entries.concerned(selection)).collect();
        keys.iter().for_each(|keys| self.truth.commit(keys));
        let clears_run = clears
            .iter()
            .map(|(handle, selection, kind)| run(&self.handles[*handle], clear_op(selection, *kind)));
        let reads_run = readers.iter().map(|handle| run(&self.handles[*handle], all_keys()));
        let (reads, cleared) = match clears_first {
            true => {
                let (cleared, reads) = tokio::join!(biased; join_all(clears_run), join_all(reads_run));
                (reads, cleared)
            }
            false => tokio::join!(biased; join_all(reads_run), join_all(clears_run)),
        };
        for (read, handle) in reads.into_iter().zip(readers) {
            self.read_all(*handle, when, read)?;
        }
        for ((outcome, keys), (.., kind)) in cleared.iter().zip(&keys).zip(clears) {
            prop_assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
            self.truth.cleared(keys, *kind == Invalidation::Soft);
        }
        Ok(())
    }
}

fn clear_op(selection: &Selection, kind: Invalidation) -> Op {
    Op::Clear { key: None, tags: selection.tags(), invalidation: kind }
}

fn all_keys() -> Op {
    Op::GetMany { keys: (0..KEYS).map(key_name).collect() }
}

pub async fn play(
    setup: &Setup,
    handles: &[AnyEngine],
    entries: Entries,
    steps: &[Step],
    evict: &dyn Fn(u8),
) -> Result<usize, TestCaseError> {
    let truth = Truth::new();
    let mut game = Game { handles, setup, entries, truth, pending: Vec::new(), hits: 0 };
    for (when, step) in steps.iter().enumerate() {
        match step {
            Step::Evict { some } => evict(*some),
            step => game.step(when, step).await?,
        }
    }
    Ok(game.hits)
}
