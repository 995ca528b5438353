//! Locks: one owner at a time, for as long as was asked.

use crate::bed::{Bed, Caller, get, is, lock, tagged, text, unlock};
use crate::redis_server::ask;
use cachalot::engine::Outcome;
use cachalot::model::key::Keyspace;
use futures_util::future::join_all;
use std::time::{Duration, Instant};

async fn had(caller: &Caller, owner: &str, ms: u64) -> bool {
    is(&caller.one(lock("k", owner, ms)).await)
}

#[tokio::test]
async fn a_lock_has_one_owner_who_may_extend_it_and_alone_gives_it_back() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        assert!(had(&a, "a", 60_000).await);
        assert!(!had(&b, "b", 60_000).await, "{}", bed.name);
        assert!(matches!(b.one(unlock("k", "b")).await, Outcome::Done));
        assert!(!had(&b, "b", 60_000).await, "{}: not the owner's word", bed.name);
        assert!(had(&b, "a", 60_000).await, "{}: extended, from wherever", bed.name);
        assert!(matches!(a.one(unlock("k", "a")).await, Outcome::Done));
        assert!(had(&b, "b", 60_000).await, "{}", bed.name);
        assert!(matches!(a.one(unlock("never", "a")).await, Outcome::Done));
        let stats = b.engine.stats();
        assert_eq!((stats.locks, stats.locks_refused), (2, 2), "{}", bed.name);
        assert!(!a.has("k").await, "a lock is no entry");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_at_once_one_has_it() {
    for bed in Bed::all() {
        let callers = [bed.open(), bed.open(), bed.open()];
        for round in 0..10 {
            let key = format!("k{round}");
            let asking = (0..30).map(|at| {
                let (caller, key) = (callers[at % 3].clone(), key.clone());
                tokio::spawn(async move { is(&caller.one(lock(&key, &at.to_string(), 60_000)).await) })
            });
            let had = join_all(asking).await.into_iter().filter(|had| *had.as_ref().unwrap()).count();
            assert_eq!(had, 1, "{}", bed.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_by_itself_and_not_before_its_time() {
    let ended = Bed::all().into_iter().map(|bed| async move {
        let (a, b) = (bed.open(), bed.open());
        // Longer than it is asked for at first: what extends it counts.
        assert!(had(&a, "a", 50).await);
        let asked = Instant::now();
        assert!(had(&a, "a", 900).await);
        while !had(&b, "b", 60_000).await {
            assert!(asked.elapsed() < Duration::from_secs(4), "{}", bed.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(asked.elapsed() >= Duration::from_millis(895), "{}: {:?}", bed.name, asked.elapsed());
        assert!(!had(&a, "a", 900).await, "{}", bed.name);
    });
    join_all(ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_seconds_cut_no_lock_short() {
    let bed = Bed::memcached(1);
    let (a, b) = (bed.open(), bed.open());
    // Taken in all parts of the server's second.
    let taken = (0..10).map(|at| {
        let (a, b, key) = (a.clone(), b.clone(), format!("k{at}"));
        async move {
            tokio::time::sleep(Duration::from_millis(at * 100)).await;
            assert!(is(&a.one(lock(&key, "a", 1_000)).await));
            let asked = Instant::now();
            tokio::time::sleep(Duration::from_millis(900)).await;
            let had = is(&b.one(lock(&key, "b", 1_000)).await);
            // A machine that slept longer has nothing to say.
            assert!(
                !had || asked.elapsed() >= Duration::from_millis(1_000),
                "taken after {:?}",
                asked.elapsed()
            );
        }
    });
    join_all(taken).await;
}

#[tokio::test]
async fn who_has_a_lock_sees_what_its_last_owner_stored() {
    for bed in Bed::all() {
        let (a, b) = (bed.open(), bed.open());
        a.missed("k").await;
        for round in 0..100 {
            let value = round.to_string();
            assert!(had(&a, "a", 60_000).await);
            let ticket = a.read("k").await.ticket;
            let put = tagged(&["t"]);
            let put = if let Some(ticket) = ticket { put.after(ticket) } else { put };
            let work = a.run(vec![put.op("k", &value), unlock("k", "a")]);
            let wait = async {
                loop {
                    let mut out = b.run(vec![lock("k", "b", 60_000), get("k")]).await;
                    let found = text(out.remove(1));
                    if is(&out[0]) {
                        break found;
                    }
                }
            };
            let (worked, found) = tokio::join!(work, wait);
            assert!(is(&worked[0]) && matches!(worked[1], Outcome::Done), "{}: {worked:?}", bed.name);
            assert_eq!(found, Some(value), "{}", bed.name);
            b.one(unlock("k", "b")).await;
        }
    }
}

#[tokio::test]
async fn one_batch_reaches_the_server_in_its_order() {
    for bed in Bed::all() {
        let store = bed.open();
        assert!(store.set("k", "0", tagged(&[])).await);
        for round in 0..10 {
            // Far more parts than are looked at at once.
            let mut ops = Vec::new();
            for n in 0..60 {
                ops.extend([tagged(&[]).op("k", &format!("{round}:{n}")), get("k"), lock("l", "a", 1_000)]);
            }
            let out = store.run(ops).await;
            for (n, part) in out.chunks(3).enumerate() {
                let Outcome::Hit(value) = &part[1] else { panic!("{}: {part:?}", bed.name) };
                assert_eq!(text(Outcome::Hit(value.clone())), Some(format!("{round}:{n}")), "{}", bed.name);
            }
        }
    }
}

#[tokio::test]
async fn a_lock_keeps_its_place_before_a_read_although_scripts_were_forgotten() {
    let bed = Bed::redis(true);
    let (a, b) = (bed.open(), bed.open());
    let mut raw = bed.redis.as_ref().unwrap().raw();
    for round in 0..50 {
        let (key, value) = (format!("k{round}"), round.to_string());
        b.missed(&key).await;
        assert!(is(&a.one(lock(&key, "a", 60_000)).await));
        ask::<()>(&mut raw, &["SCRIPT", "FLUSH"]);
        let work = async {
            let is_stored = a.set(&key, &value, tagged(&[])).await;
            a.one(unlock(&key, "a")).await;
            is_stored
        };
        let wait = async {
            loop {
                let mut out = b.run(vec![lock(&key, "b", 60_000), get(&key)]).await;
                let found = text(out.remove(1));
                if is(&out[0]) {
                    break found;
                }
            }
        };
        // A set that met the lost script is refused, and nobody reads it.
        let (is_stored, found) = tokio::join!(work, wait);
        assert_eq!(found, is_stored.then_some(value));
    }
}

#[tokio::test]
async fn a_lock_on_memcached_is_where_its_key_is() {
    let bed = Bed::memcached(3);
    let store = bed.open();
    let space = Keyspace::new("p").unwrap();
    // Also keys that the server cannot hold as they are.
    let keys: Vec<String> =
        (0..20).map(|n| format!("k{n}")).chain((0..20).map(|n| format!("a key of words {n}"))).collect();
    for key in &keys {
        assert!(store.set(key, "v", tagged(&[])).await);
        assert!(is(&store.one(lock(key, "a b\r\nc", 60_000)).await));
        let (entry, lock) = (space.memcached(&space.entry(key)).0, space.memcached(&space.lock(key)).0);
        let mut held = bed.memcached.iter().map(|server| {
            let mut raw = server.raw();
            (raw.value(&entry).is_some(), raw.value(&lock).is_some())
        });
        assert!(held.all(|(entry, lock)| entry == lock), "{key}");
    }
}

#[tokio::test]
async fn something_else_in_a_locks_place_is_no_lock() {
    let bed = Bed::redis(true);
    let store = bed.open();
    let mut raw = bed.redis.as_ref().unwrap().raw();
    ask::<i64>(&mut raw, &["RPUSH", "p!l:k", "x"]);
    store.one(unlock("k", "a")).await;
    assert_eq!(ask::<String>(&mut raw, &["TYPE", "p!l:k"]), "list");
    assert!(had(&store, "a", 60_000).await);
    assert!(!had(&store, "b", 60_000).await);
}
