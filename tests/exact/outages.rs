//! A server that is away: nothing hangs, nothing is lost in silence.

use crate::bed::{Bed, Caller, EVER, failure, lock, tagged, unlock};
use cachalot::engine::{Op, Outcome};
use std::time::{Duration, Instant};

const COMMAND_MS: u64 = 300;

async fn wired() -> Vec<(Bed, Caller)> {
    let mut beds = Vec::new();
    for bed in [Bed::redis(true), Bed::memcached(1), Bed::memcached(3)] {
        let bed = bed.wired().await;
        let caller = bed.open();
        beds.push((bed, caller));
    }
    beds
}

pub async fn down(bed: &Bed, store: &Caller) {
    for proxy in &bed.proxies {
        proxy.down().await;
    }
    let end = Instant::now() + Duration::from_secs(3);
    while !matches!(store.one(Op::Has { key: "k".into() }).await, Outcome::Failed(_)) {
        assert!(Instant::now() < end);
    }
}

pub async fn up(bed: &Bed, store: &Caller) {
    for proxy in &bed.proxies {
        proxy.up().await;
    }
    connected(bed, store).await;
}

async fn connected(bed: &Bed, store: &Caller) {
    let end = Instant::now() + Duration::from_secs(4);
    for key in (0..30).map(|n| format!("probe{n}")) {
        while matches!(store.one(Op::Has { key: key.clone() }).await, Outcome::Failed(_)) {
            assert!(Instant::now() < end, "{}: no connection 4 s after the server was back", bed.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expire_becomes_a_clear_that_is_made_before_the_first_read_after_the_outage() {
    for (bed, store) in wired().await {
        assert!(store.set("k", "old", tagged(&["t"]).times(EVER)).await);
        assert!(store.set("other", "v", tagged(&["t"]).times(EVER)).await);
        let ticket = store.missed("new").await;
        down(&bed, &store).await;
        for key in ["k", "new"] {
            let outcome = store.one(Op::Expire { key: key.into() }).await;
            let error = failure(&outcome);
            assert!(error.queued && error.code.is_outage(), "{}: {error:?}", bed.name);
        }
        up(&bed, &store).await;
        assert_eq!(store.read("k").await.value, None, "{}", bed.name);
        assert_eq!(store.get("other").await.as_deref(), Some("v"), "{}", bed.name);
        assert!(!store.set("new", "old", tagged(&[]).after(ticket)).await, "{}", bed.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn take_rejects_and_leaves_the_entry() {
    for (bed, store) in wired().await {
        assert!(store.set("k", "v", tagged(&[])).await);
        down(&bed, &store).await;
        let outcome = store.one(Op::Take { key: "k".into() }).await;
        assert!(failure(&outcome).code.is_outage() && !failure(&outcome).queued);
        up(&bed, &store).await;
        assert_eq!(store.take("k").await.as_deref(), Some("v"), "{}", bed.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fails_within_the_deadline_although_the_server_is_silent() {
    for bed in [Bed::redis(true), Bed::memcached(1)] {
        let bed = bed.wired().await;
        let store = bed.patient(COMMAND_MS);
        assert!(store.set("k", "v", tagged(&[]).times(EVER)).await);
        for proxy in &bed.proxies {
            proxy.set(crate::proxy::Wire::BlackHole);
        }
        for op in [
            || Op::Expire { key: "k".into() },
            || Op::Remove { key: "k".into() },
            || Op::Take { key: "k".into() },
            || Op::Read { key: "k".into(), times: false, stamp: false },
            || Op::Keys { prefix: "k".into(), cursor: 0 },
            || lock("k", "a", 1_000),
            || unlock("k", "a"),
        ] {
            let began = Instant::now();
            let outcome = store.one(op()).await;
            let error = failure(&outcome);
            let clears = matches!(op(), Op::Expire { .. } | Op::Remove { .. });
            assert_eq!(error.queued, clears, "{}: {error:?}", bed.name);
            assert!(began.elapsed() < Duration::from_millis(COMMAND_MS + 150), "{:?}", began.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_keys_that_go_together_those_of_a_dead_server_fail_alone() {
    let kinds: [fn(String) -> Op; 2] = [|key| Op::Remove { key }, |key| Op::Expire { key }];
    for op in kinds {
        let bed = Bed::memcached(3).wired().await;
        let store = bed.open();
        let keys: Vec<String> = (0..60).map(|at| format!("k{at}")).collect();
        for key in &keys {
            assert!(store.set(key, "v", tagged(&[])).await);
        }
        let mut dead = 0;
        let mut alive = Vec::new();
        // Without the server that holds the epoch nothing can be read: another one is ended.
        while !(alive.contains(&true) && alive.contains(&false)) {
            if !alive.is_empty() {
                bed.proxies[dead].up().await;
                connected(&bed, &store).await;
                dead += 1;
                alive.clear();
            }
            bed.proxies[dead].down().await;
            for key in &keys {
                alive.push(!matches!(store.one(Op::Has { key: key.clone() }).await, Outcome::Failed(_)));
            }
        }
        let ended = store.run(keys.iter().cloned().map(op).collect()).await;
        for ((key, alive), outcome) in keys.iter().zip(&alive).zip(&ended) {
            match outcome {
                Outcome::Failed(error) => assert!(!alive && error.queued, "{key}: {error:?}"),
                _ => assert!(alive, "{key}: {outcome:?}"),
            }
        }
        bed.proxies[dead].up().await;
        connected(&bed, &store).await;
        for key in &keys {
            assert_eq!(store.get(key).await, None, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_one_operation_share_its_deadline() {
    for bed in [Bed::redis(true), Bed::memcached(1)] {
        let bed = bed.wired().await;
        for op in [|| Op::Expire { key: "k".into() }, || Op::Take { key: "k".into() }] {
            // A connection on which something was late is given up: each begins with one of its own.
            let store = bed.patient(COMMAND_MS);
            bed.proxies[0].set(crate::proxy::Wire::Pass);
            assert!(store.set("k", "v", tagged(&[]).times(EVER)).await);
            // Each step would be in time, two of them are not.
            bed.proxies[0].set(crate::proxy::Wire::Delay(Duration::from_millis(COMMAND_MS * 2 / 3)));
            let outcome = store.one(op()).await;
            assert!(failure(&outcome).code.is_outage(), "{}: {outcome:?}", bed.name);
        }
    }
}
