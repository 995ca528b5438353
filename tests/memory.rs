//! The engine over process memory, driven the way the binding does: one poll, no runtime.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

#[path = "memory/wide.rs"]
mod wide;

use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome};
use cachalot::events;
use cachalot::model::tag::{Invalidation, Tag};
use cachalot::model::ttl::{Times, Ttl};
use cachalot::store::request::{KeyRead, ReadEntry, SeenVersion};
use cachalot::store::traits::EntryStore;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Counts what each thread holds; a memory store works in its caller's.
struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What malloc takes for it: a length before it, in steps of 16.
fn rounded(layout: Layout) -> i64 {
    ((layout.size() + 8).next_multiple_of(16)).max(32) as i64
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = HELD.try_with(|held| held.set(held.get() + rounded(layout)));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get() - rounded(layout)));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

struct Store {
    engine: AnyEngine,
    now: Cell<u64>,
}

impl Store {
    fn open(prefix: &str, backend: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let config = Config::parse(&format!(r#"{{"prefix":"{prefix}","backend":{backend}}}"#)).unwrap();
        let engine = AnyEngine::open(config, events::silent(), runtime.handle()).unwrap();
        Store { engine, now: Cell::new(1_000_000) }
    }

    fn new() -> Self {
        Self::open("t", r#"{"type":"memory"}"#)
    }

    fn run(&self, ops: Vec<Op>) -> Vec<Outcome> {
        let empty = (0..ops.len()).map(|_| None).collect();
        let out: Arc<Mutex<Vec<Option<Outcome>>>> = Arc::new(Mutex::new(empty));
        let sink = out.clone();
        let mut run = pin!(self.engine.run(ops, self.now.get(), move |first, outcomes| {
            for (i, outcome) in outcomes.into_iter().enumerate() {
                assert!(sink.lock().unwrap()[first + i].replace(outcome).is_none(), "delivered twice");
            }
        }));
        let poll = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll, Poll::Ready(()), "memory answers inside the call");
        std::mem::take(&mut *out.lock().unwrap()).into_iter().map(|o| o.expect("delivered")).collect()
    }

    fn get(&self, key: &str) -> Option<String> {
        match self.run(vec![get(key)]).remove(0) {
            Outcome::Hit(value) => Some(text(value)),
            Outcome::Miss => None,
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, key: &str, value: &str, tags: &[&str]) {
        self.run(vec![set(key, value, tags, Ttl::Forever, true)]);
    }

    fn clear(&self, key: Option<&str>, tags: &[&str], invalidation: Invalidation) {
        let clear = Op::Clear { key: key.map(Into::into), tags: selected(tags), invalidation };
        assert!(matches!(self.run(vec![clear])[..], [Outcome::Done]));
    }

    fn list(&self, tags: &[&str]) -> Vec<String> {
        match self.run(vec![Op::GetTags { tags: selected(tags) }]).remove(0) {
            Outcome::List(values) => {
                let mut out: Vec<String> = values.into_iter().map(text).collect();
                out.sort();
                out
            }
            other => panic!("{other:?}"),
        }
    }

    /// Entries, bytes, index members.
    fn sizes(&self) -> (usize, u64, usize) {
        match &self.engine {
            AnyEngine::Memory(engine) => engine.store().sizes(),
            #[allow(unreachable_patterns)]
            _ => panic!("a memory store"),
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Latin1(text) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn tags_of(tags: &[&str]) -> Vec<Tag> {
    tags.iter().map(|tag| Tag::of(tag)).collect()
}

fn selected(tags: &[&str]) -> Vec<Tag> {
    tags.iter().map(|tag| Tag::selected(tag)).collect()
}

fn get(key: &str) -> Op {
    Op::Get { key: key.into(), remember: true, stamp: false }
}

fn set(key: &str, value: &str, tags: &[&str], ttl: Ttl, auto: bool) -> Op {
    Op::Set {
        key: key.into(),
        value: Input::Text(value.into()),
        tags: tags_of(tags),
        ttl: Some(ttl),
        auto,
        ticket: None,
        times: None,
    }
}

#[test]
fn what_is_set_is_got_in_order_within_a_batch() {
    let store = Store::new();
    let put = |value| set("k", value, &[], Ttl::Forever, true);
    let out = store.run(vec![get("k"), put("1"), get("k"), put("2"), get("k")]);
    let [Outcome::Miss, Outcome::Is(true), Outcome::Hit(one), Outcome::Is(true), Outcome::Hit(two)] =
        &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!((text(one.clone()), text(two.clone())), ("1".into(), "2".into()));
}

#[test]
fn data_read_before_a_clear_is_born_invalid_by_tag_by_key_and_by_star() {
    for (key, tags) in [(Some("k"), &[][..]), (None, &["t"][..]), (None, &["*"][..])] {
        let store = Store::new();
        assert_eq!(store.get("k"), None);
        store.clear(key, tags, Invalidation::Hard);
        store.set("k", "old", &["t"]);
        assert_eq!(store.get("k"), None, "{key:?} {tags:?}");
        store.set("k", "new", &["t"]);
        assert_eq!(store.get("k").as_deref(), Some("new"));
    }
}

#[test]
fn an_automatic_invalidation_spares_what_opted_out() {
    let store = Store::new();
    store.run(vec![
        set("auto", "1", &["t"], Ttl::Forever, true),
        set("own", "2", &["t"], Ttl::Forever, false),
    ]);
    store.clear(None, &["t"], Invalidation::Soft);
    assert_eq!((store.get("auto"), store.get("own")), (None, Some("2".into())));
    assert_eq!(store.list(&["t"]), ["2"]);
    store.clear(None, &["*"], Invalidation::Soft);
    assert_eq!(store.get("own").as_deref(), Some("2"));
    store.clear(None, &["t"], Invalidation::Hard);
    assert_eq!(store.get("own"), None);
}

#[test]
fn expiry_goes_by_the_callers_clock() {
    let store = Store::new();
    store.run(vec![set("k", "1", &["t"], Ttl::Ms(500), true)]);
    store.now.set(1_000_499);
    assert!(store.get("k").is_some());
    store.now.set(1_000_500);
    assert!(store.get("k").is_none());
    assert_eq!(store.list(&["t"]), Vec::<String>::new());
}

#[test]
fn retagging_leaves_the_old_tag() {
    let store = Store::new();
    store.set("k", "1", &["a"]);
    store.set("k", "2", &["b"]);
    assert_eq!((store.list(&["a"]), store.list(&["b", "a"])), (vec![], vec!["2".to_owned()]));
    store.clear(None, &["a"], Invalidation::Hard);
    assert_eq!(store.get("k").as_deref(), Some("2"));
}

#[test]
fn nothing_only_grows() {
    let store = Store::open("t", r#"{"type":"memory","maxBytes":1000000}"#);
    for i in 0..50_000u64 {
        store.now.set(1_000_000 + i);
        let (key, tag) = (format!("k{i}"), format!("t{i}"));
        store.run(vec![set(&key, &"x".repeat(100), &[&tag, "all"], Ttl::Ms(1_000), true)]);
    }
    let (entries, weight, members) = store.sizes();
    assert!(weight <= 1_000_000 && entries > 500 && entries <= 1_100, "{entries} entries, {weight} bytes");
    assert!(members <= 2 * entries + 64, "{members} members of {entries} entries");
    store.clear(None, &["all"], Invalidation::Hard);
    for _ in 0..100 {
        store.get("other");
    }
    assert_eq!((store.sizes().0, store.sizes().2), (0, 0), "reclaimed behind other operations");
}

#[test]
fn clears_of_unknown_tags_are_remembered_and_bounded() {
    let store = Store::new();
    assert_eq!(store.get("k"), None);
    store.clear(None, &["new"], Invalidation::Hard);
    for i in 0..40_000 {
        store.clear(None, &[&format!("unknown{i}")], Invalidation::Hard);
    }
    store.set("k", "old", &["new"]);
    assert_eq!(store.get("k"), None);
}

#[test]
fn an_entry_larger_than_the_store_is_an_error_and_leaves_no_older_value() {
    let store = Store::open("t", r#"{"type":"memory","maxBytes":10000}"#);
    store.set("k", "1", &[]);
    let out = store.run(vec![set("k", &"x".repeat(20_000), &[], Ttl::Forever, true)]);
    assert!(
        matches!(&out[..], [Outcome::Failed(error)] if error.code.as_str() == "CACHALOT_TOO_LARGE"),
        "{out:?}"
    );
    assert_eq!(store.get("k"), None);
}

#[test]
fn stores_of_one_name_are_one_store_and_prefixes_stay_apart() {
    let open = |prefix| Store::open(prefix, r#"{"type":"memory","name":"shared"}"#);
    let (a, b, other) = (open("p"), open("p"), open("q"));
    a.set("k", "1", &["t"]);
    other.set("k", "2", &["t"]);
    assert_eq!(b.get("k").as_deref(), Some("1"));
    b.clear(None, &["*"], Invalidation::Hard);
    assert_eq!((a.get("k"), other.get("k").as_deref()), (None, Some("2")));
    other.set("k", "2", &[]);
    drop(other);
    assert_eq!(open("q").get("k"), None, "a store goes with its last handle");
}

#[test]
fn stale_sets_by_another_handle_of_one_store_are_refused() {
    let open = || Store::open("t", r#"{"type":"memory","name":"handles"}"#);
    let (reader, writer) = (open(), open());
    assert_eq!(reader.get("k"), None);
    writer.clear(Some("k"), &[], Invalidation::Hard);
    reader.set("k", "old", &[]);
    assert_eq!(writer.get("k"), None);
    assert_eq!(reader.engine.stats().rejected_writes, 1);
}

#[test]
fn clearing_a_tag_costs_the_same_for_many_entries() {
    let store = Store::open("t", r#"{"type":"memory","maxBytes":4000000000}"#);
    let fill = |kind: &str, entries: usize| {
        for chunk in (0..entries).collect::<Vec<_>>().chunks(1000) {
            let set = |i: &usize| set(&format!("{kind}{i}"), "1", &[kind], Ttl::Forever, true);
            store.run(chunk.iter().map(set).collect());
        }
    };
    let timed = |entries: usize| {
        // Enough is left of another clear, and the store is as large, so that what is tidied behind this one takes the
        // same whatever it names.
        fill("earlier", 5_000);
        store.clear(None, &["earlier"], Invalidation::Hard);
        fill("t", entries);
        fill("rest", 50_000 - entries);
        let before = store.sizes().0;
        let start = Instant::now();
        store.clear(None, &["t"], Invalidation::Hard);
        let time = start.elapsed();
        let removed = before - store.sizes().0;
        assert!(removed <= 64, "{removed} of {entries} were removed at once");
        time
    };
    // In turns, so that both meet the same machine; what else it does only adds to a time.
    let rounds: Vec<_> = (0..9).map(|_| (timed(100), timed(50_000))).collect();
    let few = rounds.iter().map(|(few, _)| *few).min().unwrap();
    let many = rounds.iter().map(|(_, many)| *many).min().unwrap();
    println!("clear of 100: {few:?}, of 50,000: {many:?}");
    // 20 µs: below it a scheduler's tick decides.
    assert!(many < few * 3 + Duration::from_micros(20), "{few:?} {many:?}");
}

#[test]
fn only_the_version_that_was_seen_is_swapped() {
    let store = Store::new();
    let AnyEngine::Memory(engine) = &store.engine else { panic!("a memory store") };
    let backend = engine.store();
    let seen = || {
        let reply = ready(backend.read(&["k".to_owned()], store.now.get(), None)).unwrap();
        match reply.into_iter().next() {
            Some(KeyRead { entry: Ok(ReadEntry::Present(read)), .. }) => SeenVersion::Present(read.entry),
            other => panic!("{other:?}"),
        }
    };
    let swap = |seen, times| ready(backend.swap("k", seen, times, store.now.get())).unwrap();
    let aged = Some(Times { created: 0, fresh_until: 0, cost: 0 });
    store.set("k", "1", &[]);
    let first = seen();
    store.set("k", "1", &[]);
    assert!(!swap(first.clone(), aged) && !swap(first, None), "a later one, although it is the same");
    assert_eq!(store.get("k").as_deref(), Some("1"));
    let second = seen();
    assert!(swap(second.clone(), aged));
    assert_eq!(store.get("k"), None, "stale");
    assert!(!swap(second, None), "it was replaced");
    assert!(swap(seen(), None));
    assert_eq!(store.sizes().0, 0);
}

fn ready<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("memory answers inside the call"),
    }
}
