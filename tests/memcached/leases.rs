//! A set follows its miss by the miss's own stub: what a delete has ended cannot be set again.

use crate::server::Server;
use crate::store::open;
use cachalot::store::request::WriteOutcome;

#[tokio::test]
async fn a_set_whose_key_was_deleted_since_its_miss_is_stale() {
    let server = Server::start(&[]);
    let (store, other) = (open(vec![server.endpoint()]), open(vec![server.endpoint()]));
    let guard = store.miss("k").await;
    other.clear_key("k").await.unwrap();
    assert_eq!(store.set("k", &[], "old", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    assert_eq!(store.value("k").await, None);
}

#[tokio::test]
async fn a_delete_ends_the_line_also_if_another_miss_or_value_has_begun_a_new_one() {
    let server = Server::start(&[]);
    let (store, other) = (open(vec![server.endpoint()]), open(vec![server.endpoint()]));
    let old = store.miss("k").await;
    other.clear_key("k").await.unwrap();
    let new = other.miss("k").await;
    assert_eq!(store.set("k", &[], "old", Some(old)).await.unwrap(), WriteOutcome::Stale);
    assert!(matches!(other.set("k", &[], "new", Some(new)).await, Ok(WriteOutcome::Stored(_))));
    assert_eq!(store.set("k", &[], "old", Some(old)).await.unwrap(), WriteOutcome::Stale);
    assert_eq!(store.value("k").await.as_deref(), Some("new"));
    // An unguarded set begins a line of its own.
    let old = store.miss("l").await;
    other.clear_key("l").await.unwrap();
    other.set("l", &[], "new", None).await.unwrap();
    assert_eq!(store.set("l", &[], "old", Some(old)).await.unwrap(), WriteOutcome::Stale);
    assert_eq!(store.value("l").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_set_over_an_entry_that_a_clear_made_invalid_is_ended_by_a_delete_too() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    store.fill("k", &["t"], "1").await;
    store.clear_tags(&["t"], cachalot::model::tag::Invalidation::Hard).await.unwrap();
    let guard = store.miss("k").await;
    assert!(guard.lease.is_some());
    store.clear_key("k").await.unwrap();
    assert_eq!(store.set("k", &["t"], "2", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    store.fill("k", &["t"], "3").await;
    assert_eq!(store.value("k").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_second_set_after_one_miss_replaces_the_first() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let mut guard = store.miss("k").await;
    let Ok(WriteOutcome::Stored(Some(lease))) = store.set("k", &[], "1", Some(guard)).await else { panic!() };
    guard.lease = Some(lease);
    assert!(matches!(store.set("k", &[], "2", Some(guard)).await, Ok(WriteOutcome::Stored(Some(_)))));
    assert_eq!(store.value("k").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn of_two_processes_sets_from_one_stub_the_later_wins() {
    let server = Server::start(&[]);
    let (store, other) = (open(vec![server.endpoint()]), open(vec![server.endpoint()]));
    let (first, second) = (store.miss("k").await, other.miss("k").await);
    assert_eq!(first.lease.unwrap().cas, second.lease.unwrap().cas);
    assert!(matches!(store.set("k", &[], "1", Some(first)).await, Ok(WriteOutcome::Stored(_))));
    assert!(matches!(other.set("k", &[], "2", Some(second)).await, Ok(WriteOutcome::Stored(Some(_)))));
    assert_eq!(store.value("k").await.as_deref(), Some("2"));
    // And again by the first, whose number is two versions old.
    assert!(matches!(store.set("k", &[], "3", Some(first)).await, Ok(WriteOutcome::Stored(Some(_)))));
    assert_eq!(store.value("k").await.as_deref(), Some("3"));
    other.clear_key("k").await.unwrap();
    for guard in [first, second] {
        assert_eq!(store.set("k", &[], "4", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    }
}

#[tokio::test]
async fn an_unguarded_set_does_not_wait_for_a_lease_and_ends_it() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let guard = store.miss("k").await;
    assert!(matches!(store.set("k", &[], "now", None).await, Ok(WriteOutcome::Stored(_))));
    assert_eq!(store.set("k", &[], "late", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    assert_eq!(store.value("k").await.as_deref(), Some("now"));
}

/// A restarted server numbers anew, so the number of an old lease names somebody else's stub.
#[tokio::test]
async fn a_lease_from_before_a_restart_names_nothing() {
    let mut server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let old = store.miss("k").await;
    server.restart();
    let other = open(vec![server.endpoint()]);
    // The same steps, so the same numbers.
    let new = other.miss("k").await;
    assert_eq!(old.lease.unwrap().cas, new.lease.unwrap().cas);
    crate::store::until("the first store is connected again", async || store.get("other").await.is_ok())
        .await;
    // The epoch is another one as well; take that guard away to see the lease's own.
    let guard = cachalot::store::guard::Guard { epoch: new.epoch, ..old };
    assert_eq!(store.set("k", &[], "old", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    assert!(matches!(other.set("k", &[], "new", Some(new)).await, Ok(WriteOutcome::Stored(_))));
    assert_eq!(store.set("k", &[], "old", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    assert_eq!(other.value("k").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_evicted_stub_or_entry_costs_a_set() {
    let server = Server::start(&[]);
    let store = open(vec![server.endpoint()]);
    let guard = store.miss("k").await;
    server.raw().delete("p::k");
    assert_eq!(store.set("k", &[], "v", Some(guard)).await.unwrap(), WriteOutcome::Stale);
    store.fill("k", &[], "v").await;
    server.raw().delete("p::k");
    store.fill("k", &[], "w").await;
    assert_eq!(store.value("k").await.as_deref(), Some("w"));
}
