//! The engine over Memcached: what a user of the store sees.

use crate::server::Server;
use crate::store::{shard_key, until};
use cachalot::codec::text::Value;
use cachalot::config::Config;
use cachalot::engine::{AnyEngine, Input, Op, Outcome};
use cachalot::events;
use cachalot::events::{Event, Events};
use cachalot::model::tag::{Invalidation, Tag};
use cachalot::model::time;
use cachalot::model::ttl::Ttl;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn open(servers: &[Server]) -> AnyEngine {
    open_heard(servers, events::silent())
}

fn open_heard(servers: &[Server], events: Events) -> AnyEngine {
    let servers: Vec<String> =
        servers.iter().map(|server| format!(r#"{{"host":"127.0.0.1","port":{}}}"#, server.port)).collect();
    let json =
        format!(r#"{{"prefix":"p","backend":{{"type":"memcached","servers":[{}]}}}}"#, servers.join(","));
    let config = Config::parse(&json).unwrap();
    AnyEngine::open(config, events, &tokio::runtime::Handle::current()).unwrap()
}

async fn run(engine: &AnyEngine, ops: Vec<Op>) -> Vec<Outcome> {
    let out: Mutex<Vec<Option<Outcome>>> = Mutex::new(ops.iter().map(|_| None).collect());
    engine
        .run(ops, time::now(), |first, outcomes| {
            for (at, outcome) in outcomes.into_iter().enumerate() {
                out.lock().unwrap()[first + at] = Some(outcome);
            }
        })
        .await;
    out.into_inner().unwrap().into_iter().map(|outcome| outcome.expect("delivered")).collect()
}

fn get(key: &str) -> Op {
    Op::Get { key: key.into(), remember: true, stamp: false }
}

fn set(key: &str, value: &str, tags: &[&str], ttl: u64) -> Op {
    let tags = tags.iter().map(|tag| Tag::of(tag)).collect();
    Op::Set {
        key: key.into(),
        value: Input::Text(value.into()),
        tags,
        ttl: Some(Ttl::Ms(ttl)),
        auto: true,
        ticket: None,
        times: None,
    }
}

fn text(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Hit(Value::Latin1(text)) => std::str::from_utf8(text).ok(),
        Outcome::Miss => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sets_after_one_miss_replace_each_other_and_a_clear_goes_by_the_last_ones_tags() {
    let servers = [Server::start(&[]), Server::start(&[]), Server::start(&[])];
    let engine = open(&servers);
    let clear = |tags: &[&str]| Op::Clear {
        key: None,
        tags: tags.iter().map(|tag| Tag::of(tag)).collect(),
        invalidation: Invalidation::Soft,
    };
    assert_eq!(text(&run(&engine, vec![get("a")]).await[0]), None);
    // Both follow the one miss; the later stays.
    run(&engine, vec![set("a", "1", &["t"], 60_000), set("a", "2", &["u"], 60_000)]).await;
    assert_eq!(text(&run(&engine, vec![get("a")]).await[0]), Some("2"));
    run(&engine, vec![set("a", "3", &["u"], 60_000)]).await;
    assert_eq!(text(&run(&engine, vec![get("a")]).await[0]), Some("3"));
    run(&engine, vec![clear(&["t"])]).await;
    let out = run(&engine, vec![get("a"), Op::GetTags { tags: vec![Tag::of("u")] }]).await;
    assert_eq!(text(&out[0]), Some("3"), "retagged, so the clear of its old tag is none of its business");
    assert!(matches!(&out[1], Outcome::List(values) if values.len() == 1), "{:?}", out[1]);
    run(&engine, vec![clear(&["u"])]).await;
    let out = run(&engine, vec![get("a"), Op::GetTags { tags: vec![Tag::of("u")] }]).await;
    assert_eq!(text(&out[0]), None);
    assert!(matches!(&out[1], Outcome::List(values) if values.is_empty()), "{:?}", out[1]);
}

/// Records in all shards of an index, repeats counted.
fn members(server: &Server, index: Tag) -> usize {
    let mut raw = server.raw();
    let mut count = 0;
    for shard in 0..16 {
        let value = raw.value(&shard_key(index, shard)).unwrap_or_default();
        let mut at = 0;
        while at < value.len() {
            at += 10 + usize::from(u16::from_le_bytes([value[at], value[at + 1]]));
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn twenty_thousand_expired_entries_leave_an_index_of_what_lives() {
    let servers = [Server::start(&[])];
    let engine = open(&servers);
    for page in 0..200 {
        let ops = (0..100).map(|i| set(&format!("short{page}:{i}"), "v", &["t"], 2_000)).collect();
        run(&engine, ops).await;
    }
    let ops = (0..300).map(|i| set(&format!("long{i}"), "v", &["t"], 60_000)).collect();
    run(&engine, ops).await;
    until("the index has shrunk", async || members(&servers[0], Tag::of("t")) <= 2 * 300 + 1_000).await;
    assert_eq!(run(&engine, vec![get("long7")]).await.iter().map(text).collect::<Vec<_>>(), [Some("v")]);
    assert!(members(&servers[0], Tag::of("t")) >= 300);
}

#[tokio::test]
async fn what_a_clear_made_invalid_is_reclaimed() {
    let servers = [Server::start(&[])];
    let engine = open(&servers);
    run(&engine, (0..500).map(|i| set(&format!("k{i}"), "v", &["t"], 600_000)).collect()).await;
    assert!(servers[0].raw().value("p::k7").is_some());
    run(&engine, vec![Op::Clear { key: None, tags: vec![Tag::of("t")], invalidation: Invalidation::Hard }])
        .await;
    until("entries and members are gone", async || {
        let mut raw = servers[0].raw();
        let mut gone = |i| raw.value(&format!("p::k{i}")).is_none_or(|left| left.is_empty());
        members(&servers[0], Tag::of("t")) == 0 && (0..500).all(&mut gone)
    })
    .await;
    // What is left for the sets that may be on their way lives shortly.
    assert!(servers[0].raw().life("p::k7").is_none_or(|life| (0..=30).contains(&life)));
}

#[tokio::test]
async fn reclaiming_an_entry_refuses_no_set_that_is_about_to_replace_it() {
    let servers = [Server::start(&[])];
    let (engine, other) = (open(&servers), open(&servers));
    for (key, ends) in [("kept", false), ("cleared", true)] {
        run(&engine, vec![set(key, "old", &["t"], 600_000)]).await;
        run(
            &engine,
            vec![Op::Clear { key: None, tags: vec![Tag::of("t")], invalidation: Invalidation::Hard }],
        )
        .await;
        let before = engine.stats().reclaimed;
        for reader in [&engine, &other] {
            assert_eq!(text(&run(reader, vec![get(key)]).await[0]), None);
        }
        until("it is reclaimed", async || engine.stats().reclaimed > before).await;
        // A miss of what was left of it leads to a set beside the others.
        assert_eq!(text(&run(&other, vec![get(key)]).await[0]), None);
        if ends {
            run(
                &other,
                vec![Op::Clear { key: Some(key.into()), tags: vec![], invalidation: Invalidation::Hard }],
            )
            .await;
        }
        for (writer, value) in [(&other, "1"), (&engine, "2")] {
            let done = run(writer, vec![set(key, value, &["t"], 600_000)]).await;
            assert!(matches!(done[0], Outcome::Is(stored) if stored != ends), "{key} {value}: {done:?}");
        }
        let left = (!ends).then_some("2");
        assert_eq!(text(&run(&other, vec![get(key)]).await[0]), left, "{key}");
    }
}

#[tokio::test]
async fn an_entry_of_version_1_is_a_counted_miss_that_the_next_set_replaces() {
    let servers = [Server::start(&[])];
    let warned: Arc<Mutex<Vec<(&str, String)>>> = Arc::default();
    let heard = warned.clone();
    let engine = open_heard(
        &servers,
        Arc::new(move |event| {
            if let Event::Warning { code, message } = event {
                heard.lock().unwrap().push((code, message));
            }
        }),
    );
    let golden = format!("{}/tests/golden/v1/plain.bin", env!("CARGO_MANIFEST_DIR"));
    servers[0].raw().set_bytes("p::k", &std::fs::read(golden).unwrap(), 1);
    assert_eq!(text(&run(&engine, vec![get("k")]).await[0]), None);
    assert_eq!((engine.stats().corrupt, engine.stats().misses), (1, 1));
    let warned = std::mem::take(&mut *warned.lock().unwrap());
    assert!(
        matches!(&warned[..], [("CACHALOT_CORRUPT", message)] if message.contains("version 1 ")),
        "{warned:?}"
    );
    run(&engine, vec![set("k", "new", &["t"], 60_000)]).await;
    assert_eq!(text(&run(&engine, vec![get("k")]).await[0]), Some("new"));
}

/// `tags` of one kind.
fn many(kind: &str, from: usize, tags: usize) -> Vec<String> {
    (from..from + tags).map(|i| format!("{kind}{i}")).collect()
}

fn set_wide(key: &str, tags: &[String], ttl: u64) -> Op {
    set(key, key, &tags.iter().map(String::as_str).collect::<Vec<_>>(), ttl)
}

#[tokio::test]
async fn twenty_thousand_expired_entries_of_many_tags_leave_an_index_of_what_lives() {
    let servers = [Server::start(&[])];
    let engine = open(&servers);
    let tags = many("t", 0, 20);
    for page in 0..200 {
        let ops = (0..100).map(|i| set_wide(&format!("short{page}:{i}"), &tags, 2_000)).collect();
        run(&engine, ops).await;
    }
    run(&engine, (0..300).map(|i| set_wide(&format!("long{i}"), &tags, 60_000)).collect()).await;
    until("the index has shrunk", async || members(&servers[0], Tag::WIDE) <= 2 * 300 + 1_000).await;
    assert!(members(&servers[0], Tag::WIDE) >= 300);
    let list = run(&engine, vec![Op::GetTags { tags: vec![Tag::of("t7")] }]).await.remove(0);
    assert!(matches!(&list, Outcome::List(values) if values.len() == 300), "{list:?}");
    let own = servers[0].raw().keys().into_iter().filter(|key| key.starts_with("p!i:"));
    assert_eq!(own.filter(|key| !key.ends_with(&Tag::WIDE.to_string())).count(), 0);
}

#[tokio::test]
async fn a_clear_of_hundreds_of_tags_sweeps_the_index_that_they_share_once() {
    let servers = [Server::start(&[])];
    let engine = open(&servers);
    let kept = many("kept", 0, 20);
    run(&engine, (0..300).map(|i| set_wide(&format!("kept{i}"), &kept, 600_000)).collect()).await;
    let gone = (0..100).map(|i| set_wide(&format!("gone{i}"), &many("gone", i * 5, 20), 600_000));
    run(&engine, gone.collect()).await;
    let before = servers[0].raw().stat("get_hits");
    let tags = many("gone", 0, 515).iter().map(|tag| Tag::of(tag)).collect();
    run(&engine, vec![Op::Clear { key: None, tags, invalidation: Invalidation::Hard }]).await;
    until("those are gone", async || engine.stats().reclaimed == 100).await;
    // Longer than from a clear to its sweep.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let read = servers[0].raw().stat("get_hits") - before;
    // Each entry, and in each part the records of its tags; and those that the clear raised.
    let once = 400 + 100 * 20 + 300 / 16 * 20 + 515;
    assert!(read < 2 * once, "{read} reads, one sweep takes {once}");
    assert_eq!((engine.stats().reclaimed, members(&servers[0], Tag::WIDE)), (100, 300));
    let list =
        run(&engine, vec![Op::GetTags { tags: vec![Tag::of("kept3"), Tag::of("gone3")] }]).await.remove(0);
    assert!(matches!(&list, Outcome::List(values) if values.len() == 300), "{list:?}");
}

/// One of the tags asked for is enough, whichever index lists the entry.
#[tokio::test]
async fn a_list_by_tags_finds_entries_of_few_and_of_many_tags_each_once() {
    let servers = [Server::start(&[]), Server::start(&[])];
    let engine = open(&servers);
    run(&engine, vec![set("few", "few", &["a", "b"], 60_000)]).await;
    run(&engine, vec![set_wide("wide", &[many("w", 0, 450), vec!["b".into()]].concat(), 60_000)]).await;
    // It was one of a's, whose index still lists it.
    run(&engine, vec![set("moved", "moved", &["a"], 60_000)]).await;
    run(&engine, vec![set("moved", "moved", &["c"], 60_000)]).await;
    for (tags, found) in [
        (&["a"][..], &["few"][..]),
        (&["b"], &["few", "wide"]),
        (&["a", "b", "w0", "w449"], &["few", "wide"]),
        (&["a", "c"], &["few", "moved"]),
        (&["w450"], &[]),
    ] {
        let op = Op::GetTags { tags: tags.iter().map(|tag| Tag::of(tag)).collect() };
        let Outcome::List(values) = run(&engine, vec![op]).await.remove(0) else { panic!("{tags:?}") };
        let mut keys: Vec<_> =
            values.into_iter().map(|value| text(&Outcome::Hit(value)).map(String::from)).collect();
        keys.sort();
        assert_eq!(keys.iter().flatten().collect::<Vec<_>>(), found, "{tags:?}");
    }
}
