//! Get, set and clear, with tracking and without.

use crate::server::{Server, ask};
use crate::store::{Store, by_tags, config, minutes, space, tagged};
use cachalot::config::{Endpoint, RedisConfig};
use cachalot::events::Event;
use cachalot::model::tag::{Epoch, Invalidation, Tag};
use cachalot::model::ttl::Ttl;
use cachalot::store::request::{Clear, WriteOutcome};
use cachalot::store::traits::EntryStore;

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_there_until_a_tag_of_its_is_cleared() {
    let server = Server::start();
    for store in Store::both(&server) {
        for cleared in ["a", "b", "*"] {
            store.put("k", "v", &["a", "b"]).await;
            assert_eq!(store.get("k").await.as_deref(), Some("v"));
            store.clear_tags(&["unrelated"]).await;
            assert_eq!(store.get("k").await.as_deref(), Some("v"));
            store.clear_tags(&[cleared]).await;
            assert_eq!(store.get("k").await, None, "{cleared}");
        }
        store.put("k", "v", &[]).await;
        store.clear_key("k").await;
        assert_eq!(store.get("k").await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_invalidation_spares_those_who_opted_out() {
    let server = Server::start();
    for store in Store::both(&server) {
        for tag in ["a", "*"] {
            store.put("auto", "v", &["a"]).await;
            store.set("manual", "v", tagged(&["a"]).manual()).await.unwrap();
            store.clear(by_tags(&[tag], Invalidation::Soft)).await.unwrap();
            assert_eq!(store.get("auto").await, None);
            assert_eq!(store.get("manual").await.as_deref(), Some("v"));
            store.clear(by_tags(&[tag], Invalidation::Hard)).await.unwrap();
            assert_eq!(store.get("manual").await, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_a_clear_is_never_stored_after_it() {
    let server = Server::start();
    for store in Store::both(&server) {
        store.put("k", "seed", &["a", "b"]).await;
        let clears = [
            by_tags(&["a"], Invalidation::Hard),
            by_tags(&["b", "unrelated"], Invalidation::Soft),
            by_tags(&["*"], Invalidation::Hard),
            Clear { keys: vec!["k".into()], tags: vec![], invalidation: Invalidation::Hard },
        ];
        for clear in clears {
            let miss = store.miss().await;
            store.clear(clear.clone()).await.unwrap();
            let late = store.set("k", "old", tagged(&["a", "b"]).after(miss)).await.unwrap();
            assert_eq!(late, WriteOutcome::Stale, "{clear:?}");
            assert_eq!(store.get("k").await, None, "{clear:?}");
            let miss = store.miss().await;
            let fresh = store.set("k", "new", tagged(&["a", "b"]).after(miss)).await.unwrap();
            assert_eq!(fresh, WriteOutcome::Stored(None));
            assert_eq!(store.get("k").await.as_deref(), Some("new"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_set_leaves_what_was_there() {
    let server = Server::start();
    let store = Store::open(&server);
    let miss = store.miss().await;
    store.clear_tags(&["a"]).await;
    store.put("k", "newer", &["a"]).await;
    assert_eq!(store.set("k", "old", tagged(&["a"]).after(miss)).await.unwrap(), WriteOutcome::Stale);
    assert_eq!(store.get("k").await.as_deref(), Some("newer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_of_no_epoch_or_of_another_generation_stores_nothing() {
    let server = Server::start();
    let store = Store::open(&server);
    let now = store.miss().await;
    let other = Epoch { generation: now.generation ^ 1, n: now.n + 1_000_000_000 };
    for guard in [Epoch::NONE, other] {
        assert_eq!(store.set("k", "v", tagged(&["a"]).after(guard)).await.unwrap(), WriteOutcome::Stale);
        assert_eq!(store.get("k").await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_tag_among_unrelated_clears_costs_one_wasted_set_at_most() {
    let server = Server::start();
    let store = Store::open(&server);
    for i in 0..200 {
        let (key, tag) = (format!("k{i}"), format!("t{i}"));
        let tags = [tag.as_str()];
        let mut sets = 0;
        loop {
            sets += 1;
            let miss = store.miss().await;
            store.clear_tags(&["unrelated"]).await;
            if store.set(&key, "v", tagged(&tags).after(miss)).await.unwrap() == WriteOutcome::Stored(None) {
                break;
            }
        }
        assert!(sets <= 2, "{sets} sets for {key}");
        assert_eq!(store.get(&key).await.as_deref(), Some("v"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_in_order() {
    let server = Server::start();
    for store in Store::both(&server) {
        let old = store.miss().await;
        store.clear_tags(&["stale"]).await;
        let writes = (0..40)
            .map(|i| match i % 4 {
                0 => tagged(&["stale"]).after(old).write(&format!("k{i}"), "old"),
                _ => tagged(&["t"]).write(&format!("k{i}"), &i.to_string()),
            })
            .collect();
        let written = store.backend.write(writes, 0).await;
        for (i, outcome) in written.into_iter().enumerate() {
            let expected = if i % 4 == 0 { WriteOutcome::Stale } else { WriteOutcome::Stored(None) };
            assert_eq!(outcome.unwrap(), expected, "{i}");
            let value = store.get(&format!("k{i}")).await;
            assert_eq!(value, (i % 4 != 0).then(|| i.to_string()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_set_of_a_key_in_a_batch_wins_also_where_the_first_is_stamped_anew() {
    let server = Server::start();
    let (store, other) = (Store::open(&server), Store::open(&server));
    // One tag's record is there already; the other tag's is not.
    store.put("k", "seed", &["known"]).await;
    // Another process advances the epoch: this one's stamp is old, so a set with a new tag is given another.
    other.clear_tags(&["unrelated"]).await;
    let writes = vec![tagged(&["new"]).write("k", "first"), tagged(&["known"]).write("k", "last")];
    for outcome in store.backend.write(writes, 0).await {
        assert_eq!(outcome.unwrap(), WriteOutcome::Stored(None));
    }
    assert_eq!(store.get("k").await.as_deref(), Some("last"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_are_the_servers_to_the_millisecond() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.set("short", "v", tagged(&["a"]).ttl(Ttl::Ms(150))).await.unwrap();
    store.set("long", "v", tagged(&["b"]).ttl(minutes(10))).await.unwrap();
    store.set("ever", "v", tagged(&["c"]).ttl(Ttl::Forever)).await.unwrap();
    assert_eq!(store.get("short").await.as_deref(), Some("v"));
    let left: i64 = ask(&mut raw, &["PTTL", &space().entry("long")]);
    assert!((590_000..=600_000).contains(&left), "{left}");
    assert_eq!(ask::<i64>(&mut raw, &["PTTL", &space().entry("ever")]), -1);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(store.get("short").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_and_databases_are_worlds_of_their_own() {
    let server = Server::start();
    let stores = [
        Store::open(&server),
        Store::under("q", config(&server)),
        Store::with(RedisConfig { db: 3, ..config(&server) }),
        Store::under(
            "unix",
            RedisConfig { endpoint: Endpoint::Unix { path: server.socket() }, ..config(&server) },
        ),
    ];
    for (i, store) in stores.iter().enumerate() {
        store.put("k", &i.to_string(), &["t"]).await;
    }
    stores[0].clear_tags(&["t", "*"]).await;
    assert_eq!(stores[0].get("k").await, None);
    for (i, store) in stores.iter().enumerate().skip(1) {
        assert_eq!(store.get("k").await, Some(i.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_meets_a_lost_script_is_refused_and_the_next_is_stored() {
    let server = Server::start();
    let mut raw = server.raw();
    let store = Store::open(&server);
    store.put("k0", "before", &["t"]).await;
    let writes = || (0..3).map(|i| tagged(&["t"]).write(&format!("k{i}"), "v")).collect();
    ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
    for outcome in store.backend.write(writes(), 0).await {
        assert_eq!(outcome.unwrap(), WriteOutcome::Stale);
    }
    assert_eq!((store.get("k0").await.as_deref(), store.get("k1").await), (Some("before"), None));
    for outcome in store.backend.write(writes(), 0).await {
        assert_eq!(outcome.unwrap(), WriteOutcome::Stored(None));
    }
    assert_eq!(store.get("k2").await.as_deref(), Some("v"));
    // One that loses them again and again is sent the text each time.
    ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
    assert_eq!(store.set("k2", "w", tagged(&["t"])).await.unwrap(), WriteOutcome::Stale);
    for _ in 0..3 {
        ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
        store.put("k2", "w", &["t"]).await;
        ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
        store.clear_tags(&["t"]).await;
        assert_eq!(store.get("k2").await, None);
    }
    let warnings = store
        .events
        .lock()
        .unwrap()
        .iter()
        .filter(|event| matches!(event, Event::Warning { message, .. } if message.contains("SCRIPT FLUSH")))
        .count();
    assert_eq!(warnings, 1, "one a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_scripts_may_not_be_loaded_the_first_set_of_each_connection_is_stored() {
    let server = Server::start();
    let mut raw = server.raw();
    ask::<String>(&mut raw, &["ACL", "SETUSER", "shop", "on", ">pw", "~*", "&*", "+@all", "-script"]);
    let shop = RedisConfig { username: Some("shop".into()), password: Some("pw".into()), ..config(&server) };
    for round in 0..3 {
        ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
        let store = Store::with(shop.clone());
        store.put("k", &round.to_string(), &["t"]).await;
        store.put("other", "v", &["t"]).await;
        assert_eq!(store.get("k").await, Some(round.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_clear_is_made_in_parts() {
    let server = Server::start();
    let store = Store::open(&server);
    let names: Vec<String> = (0..1_200).map(|i| format!("n{i}")).collect();
    for i in [0, 499, 500, 1_199] {
        store.put(&names[i], "v", &[]).await;
        store.put(&format!("tagged {i}"), "v", &[&names[i]]).await;
    }
    let tags = names.iter().map(|name| Tag::of(name)).collect();
    let clear = Clear { keys: names.clone(), tags, invalidation: Invalidation::Hard };
    store.clear(clear).await.unwrap();
    for i in [0, 499, 500, 1_199] {
        assert_eq!(store.get(&names[i]).await, None);
        assert_eq!(store.get(&format!("tagged {i}")).await, None);
    }
}
