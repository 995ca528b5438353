//! Operations that nobody awaited: they take effect in the order in which they were asked for, also while the store still
//! has to learn what it needs from its server. Waiting for that is within each one's own deadline.

use crate::bed::{Bed, Caller, EVER, Set, clear, failure, get, tagged, text};
use crate::proxy::Wire;
use cachalot::engine::{Op, Outcome};
use cachalot::model::tag::{Invalidation, Tag};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

const COMMAND_MS: u64 = 300;
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(150);

fn set(value: &str) -> Op {
    tagged(&["t"]).op("k", value)
}

/// Asks one after the other, awaiting none.
async fn ask(store: &Caller, ops: Vec<Op>) -> Vec<Outcome> {
    join_all(ops.into_iter().map(|op| store.one(op))).await
}

/// Begins it, as the caller's thread does.
fn begin(store: &Caller, op: Op) -> BoxFuture<'static, Outcome> {
    let store = store.clone();
    let mut work = async move { store.one(op).await }.boxed();
    assert!(work.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    work
}

async fn wired() -> Vec<Bed> {
    vec![Bed::redis(true).wired().await, Bed::memcached(1).wired().await, Bed::memcached(3).wired().await]
}

fn through(bed: &Bed, wire: Wire) {
    bed.proxies.iter().for_each(|proxy| proxy.set(wire));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_a_new_stores_operations_has_the_last_word() {
    type Ask = fn() -> Op;
    let later: [(Ask, Option<&str>); 6] = [
        (|| set("2"), Some("2")),
        (|| Set { tags: vec![Tag::of("other")], ..tagged(&[]) }.op("k", "2"), Some("2")),
        (|| clear(Some("k"), &[], Invalidation::Hard), None),
        (|| clear(None, &["t"], Invalidation::Hard), None),
        (|| clear(None, &["*"], Invalidation::Hard), None),
        (|| Op::Expire { key: "k".into() }, None),
    ];
    for (op, left) in later {
        for bed in wired().await {
            through(&bed, Wire::Delay(Duration::from_millis(10)));
            let (store, other) = (bed.open(), bed.open());
            let outcomes = ask(&store, vec![set("1"), op()]).await;
            assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
            assert_eq!(other.get("k").await.as_deref(), left, "{}, {:?}", bed.name, op());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_stores_get_sees_the_set_that_was_asked_for_before_it() {
    for bed in wired().await {
        through(&bed, Wire::Delay(Duration::from_millis(10)));
        let store = bed.open();
        let mut outcomes = ask(&store, vec![tagged(&[]).op("k", "1"), get("k")]).await;
        assert_eq!(text(outcomes.remove(1)).as_deref(), Some("1"), "{}", bed.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_silent_server_waits_no_longer_than_its_own_deadline() {
    for bed in wired().await {
        let store = bed.patient(COMMAND_MS);
        through(&bed, Wire::BlackHole);
        // On Redis what is waited for is a clear that is owed.
        assert!(failure(&store.one(clear(Some("owed"), &[], Invalidation::Hard)).await).queued);
        let first = tokio::spawn(begin(&store, set("1")));
        for op in [
            || set("2"),
            || get("k"),
            || clear(Some("k"), &[], Invalidation::Hard),
            || clear(None, &["t"], Invalidation::Hard),
            || Op::Expire { key: "k".into() },
        ] {
            let began = Instant::now();
            let outcome = store.one(op()).await;
            let error = failure(&outcome);
            let clears = matches!(op(), Op::Clear { .. } | Op::Expire { .. });
            assert!(error.code.is_outage() && error.queued == clears, "{}: {error:?}", bed.name);
            let took = began.elapsed();
            assert!(took < Duration::from_millis(COMMAND_MS) + SLACK, "{}: {took:?}", bed.name);
        }
        assert!(failure(&first.await.unwrap()).code.is_outage());
        through(&bed, Wire::Pass);
        let end = Instant::now() + Duration::from_secs(4);
        loop {
            match store.one(get("k")).await {
                Outcome::Miss => break,
                Outcome::Failed(_) => assert!(Instant::now() < end, "{}: still no connection", bed.name),
                other => panic!("{}: {other:?}", bed.name),
            }
        }
        let outcomes = ask(&store, vec![tagged(&[]).op("new", "1"), tagged(&[]).op("new", "2")]).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Is(true))), "{outcomes:?}");
        assert_eq!(store.get("new").await.as_deref(), Some("2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dropped_while_it_waits_holds_nobody_up() {
    for bed in wired().await {
        through(&bed, Wire::BlackHole);
        let store = bed.open();
        let mut waiting: Vec<_> = (0..6).map(|n| begin(&store, set(&n.to_string()))).collect();
        // One in the middle of the line, and its head.
        for at in [2, 0] {
            drop(waiting.remove(at));
        }
        through(&bed, Wire::Pass);
        for outcome in join_all(waiting).await {
            assert!(matches!(outcome, Outcome::Is(true)), "{}: {outcome:?}", bed.name);
        }
        assert_eq!(store.get("k").await.as_deref(), Some("5"), "{}", bed.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_closed_ends_what_waits() {
    for bed in wired().await {
        let store = bed.patient(COMMAND_MS);
        through(&bed, Wire::BlackHole);
        let waiting: Vec<_> = (0..3).map(|n| begin(&store, set(&n.to_string()))).collect();
        let began = Instant::now();
        let (outcomes, ()) = tokio::join!(join_all(waiting), store.engine.close());
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(2 * COMMAND_MS) + SLACK, "{}: {took:?}", bed.name);
    }
}

/// On memcached they meet in the place of one stub, and all but the first must look again.
#[tokio::test(flavor = "multi_thread")]
async fn of_sets_after_misses_of_one_moment_the_last_asked_stands_whoever_goes_on_first() {
    for bed in [Bed::memory(), Bed::redis(true), Bed::memcached(1)] {
        let store = bed.open();
        for round in 0..50 {
            let key = format!("k{round}");
            for _ in 0..6 {
                assert_eq!(store.get(&key).await, None);
            }
            let mut sets = Vec::new();
            for n in 0..6 {
                let op = tagged(&[]).op(&key, &n.to_string());
                let store = store.clone();
                let mut work = async move { store.one(op).await }.boxed();
                if work.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
                    sets.push(work);
                }
            }
            sets.reverse();
            let tasks: Vec<_> = sets.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                let outcome = task.await.unwrap();
                assert!(matches!(outcome, Outcome::Is(true)), "{}: {outcome:?}", bed.name);
            }
            assert_eq!(store.get(&key).await.as_deref(), Some("5"), "{}", bed.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unguarded_set_is_not_undone_by_what_others_cleared_before_it() {
    for bed in Bed::all() {
        let (store, other) = (bed.open(), bed.open());
        for round in 0..30 {
            let value = round.to_string();
            other.clear(Some("k"), &["t", "*"], Invalidation::Hard).await;
            let set = if round % 2 == 0 { tagged(&["t"]) } else { tagged(&["t"]).times(EVER) };
            assert!(store.set("k", &value, set).await);
            assert_eq!(other.get("k").await, Some(value), "{}", bed.name);
        }
        let stats = other.engine.stats();
        assert_eq!(stats.corrupt, 0, "{}", bed.name);
    }
}
