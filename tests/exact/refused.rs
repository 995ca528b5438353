//! The set that follows a get which failed: stored where that is safe, and refused once where nobody knows.

use crate::bed::{Bed, Caller, get, tagged};
use crate::outages::{down, up};
use cachalot::engine::Outcome;
use cachalot::model::tag::Invalidation;

/// What another process clears meanwhile: a key, tags.
type Cleared = (Option<&'static str>, &'static [&'static str]);

const CLEARS: [Cleared; 3] = [(Some("k"), &[]), (None, &["t"]), (None, &["*"])];

/// A store whose wire can be cut, and one beside it whose wire holds.
async fn torn(bed: Bed) -> (Bed, Caller, Caller) {
    let beside = bed.open();
    assert!(beside.set("k", "old", tagged(&["t"])).await);
    let bed = bed.wired().await;
    let store = bed.open();
    assert_eq!(store.get("k").await.as_deref(), Some("old"));
    (bed, store, beside)
}

async fn missed_in_an_outage(bed: &Bed, store: &Caller, cleared: Option<Cleared>, beside: &Caller) {
    down(bed, store).await;
    assert!(matches!(store.one(get("k")).await, Outcome::Failed(_)));
    if let Some((key, tags)) = cleared {
        beside.clear(key, tags, Invalidation::Hard).await;
    }
    up(bed, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_it_is_stored_unless_its_key_or_a_tag_of_it_was_cleared() {
    for tracking in [true, false] {
        let (bed, store, beside) = torn(Bed::redis(tracking)).await;
        missed_in_an_outage(&bed, &store, None, &beside).await;
        assert!(store.set("k", "new", tagged(&["t"])).await);
        assert_eq!(store.get("k").await.as_deref(), Some("new"));
        for cleared in CLEARS {
            missed_in_an_outage(&bed, &store, Some(cleared), &beside).await;
            assert!(!store.set("k", "older", tagged(&["t"])).await, "{cleared:?}");
            assert_eq!(beside.get("k").await, None, "{cleared:?}");
            assert!(store.set("k", "new", tagged(&["t"])).await, "{cleared:?}: once");
            assert_eq!(beside.get("k").await.as_deref(), Some("new"), "{cleared:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_memcached_it_is_refused_once() {
    let (bed, store, beside) = torn(Bed::memcached(1)).await;
    for cleared in [None].into_iter().chain(CLEARS.map(Some)) {
        missed_in_an_outage(&bed, &store, cleared, &beside).await;
        assert!(!store.set("k", "older", tagged(&["t"])).await, "{cleared:?}");
        let left = cleared.is_none().then_some("old");
        assert_eq!(beside.get("k").await.as_deref(), left, "{cleared:?}");
        assert!(store.set("k", "old", tagged(&["t"])).await, "{cleared:?}: once");
        assert_eq!(beside.get("k").await.as_deref(), Some("old"), "{cleared:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_in_the_outage_fails_and_one_after_it_is_refused_all_the_same() {
    for bed in [Bed::redis(true), Bed::memcached(1)] {
        let name = bed.name;
        let (bed, store, beside) = torn(bed).await;
        down(&bed, &store).await;
        assert!(matches!(store.one(get("k")).await, Outcome::Failed(_)), "{name}");
        let set = store.one(tagged(&["t"]).op("k", "older")).await;
        assert!(matches!(set, Outcome::Failed(_)), "{name}: {set:?}");
        beside.clear(None, &["t"], Invalidation::Hard).await;
        up(&bed, &store).await;
        assert!(!store.set("k", "older", tagged(&["t"])).await, "{name}");
        assert_eq!(beside.get("k").await, None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_process_that_never_saw_the_server_it_is_refused_once() {
    let bed = Bed::redis(true).wired().await;
    bed.proxies[0].down().await;
    let store = bed.open();
    assert!(matches!(store.one(get("k")).await, Outcome::Failed(_)));
    up(&bed, &store).await;
    assert!(!store.set("k", "older", tagged(&[])).await);
    assert!(store.set("k", "new", tagged(&[])).await);
}

#[tokio::test]
async fn what_was_turned_away_for_want_of_room_counts_as_failed() {
    for bed in [Bed::memory(), Bed::redis(true)] {
        let (store, beside) = (bed.open(), bed.open());
        assert!(beside.set("k", "old", tagged(&[])).await);
        assert_eq!(store.get("k").await.as_deref(), Some("old"));
        assert!(matches!(store.engine.shed(&get("k")), Outcome::Failed(_)));
        assert!(store.set("k", "new", tagged(&[])).await, "{}", bed.name);
        assert!(matches!(store.engine.shed(&get("k")), Outcome::Failed(_)));
        beside.clear(Some("k"), &[], Invalidation::Hard).await;
        assert!(!store.set("k", "older", tagged(&[])).await, "{}", bed.name);
        assert_eq!(beside.get("k").await, None, "{}", bed.name);
        assert!(store.set("k", "new", tagged(&[])).await, "{}: once", bed.name);
    }
}
