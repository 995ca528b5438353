//! The functions of index.d.ts: free functions and numeric handles, since a method of a class costs several times as
//! much to call. No panic leaves them.

use super::batch_reply::{BatchReply, unanswered};
use super::direct::Polls;
use super::environment::Environment;
use super::store_handle::StoreHandle;
use super::values::Raw;
use super::{batch, completions, runtime, values};
use crate::config::Config;
use crate::engine::{AnyEngine, Op, Outcome};
use crate::error::{self, Code, Error};
use crate::events::{Event, Events};
use napi::{Env, sys};
use napi_derive::napi;
use parking_lot::Mutex;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Waker};

/// The derive macro goes by the name.
type Result<T> = napi::Result<T, &'static str>;

/// Runs the body of an export; what goes wrong is thrown as an Error with a `code`.
fn guard<T>(body: impl FnOnce() -> error::Result<T>) -> Result<T> {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let what =
            panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        let message = format!("A defect in Cachalot: {}. Please report it.", what.unwrap_or("a panic"));
        Err(Error::new(Code::Internal, message))
    });
    result.map_err(|error| napi::Error::new(error.code.as_str(), error.message))
}

/// An event and the store that it is about.
#[derive(Serialize)]
struct StoreEvent {
    handle: u32,
    #[serde(flatten)]
    event: Event,
}

/// Opens a store from the JSON of src/config.rs::Config. Throws an Error with `code` on a bad configuration; never waits
/// for a server.
#[napi]
pub fn open(env: Env, config: String) -> Result<u32> {
    guard(|| {
        let environment = Environment::of(env.raw())?;
        let queue = environment.receiver()?.queue.clone();
        let handle = Environment::next_handle();
        let events: Events = Arc::new(move |event| {
            let message = matches!(event, Event::Message { .. });
            let Ok(json) = serde_json::to_string(&StoreEvent { handle, event }) else { return };
            if !message {
                queue.tell(json);
            } else if queue.message(json) {
                let event = Event::Warning {
                    code: Code::Busy.as_str(),
                    message: "Messages of other processes were lost: this process was too busy to take them."
                        .into(),
                };
                queue.tell(serde_json::to_string(&StoreEvent { handle, event }).unwrap_or_default());
            }
        });
        let engine = AnyEngine::open(Config::parse(&config)?, events, &runtime::handle()?)?;
        environment.insert(handle, StoreHandle::new(engine));
        Ok(handle)
    })
}

/// Registers this environment's receiver of completions; called once for each environment, before anything else.
///
/// `flat` is `[firstId, count, result…, firstId, count, result…]`. A result: string or Uint8Array = hit; null = miss;
/// undefined = done; boolean = stored, there, had; array = list of hits, or a hit with its stamp, or of a read with a
/// ticket `[value or null, ticket, stale]` and, where it has times, `created, freshUntil, cost`, or of keys
/// `[next cursor or null, key…]`; object `{code, message, queued}` = error. `firstId` 0: each result is an event, the
/// JSON of src/events.rs with the store's `handle`.
///
/// `libuv`: its version, where this is Node.js itself, whose event loop may be used to wait for replies (not by default: others
/// offer its functions, and then abort).
#[napi(ts_args_type = "deliver: (flat: unknown[]) => void, libuv?: string")]
pub fn listen(env: Env, deliver: Raw, libuv: Option<String>) -> Result<()> {
    guard(|| completions::listen(env.raw(), deliver.0, libuv.as_deref()))
}

/// One turn's operations. Stores in process memory answer at once, with the results in order; others return null and
/// deliver later, operation by operation under the ids `firstId`, `firstId + 1` and so on.
///
/// `meta`: u32 words, for each operation, with lengths in UTF-16 units of `text`, which is all keys and tags in a row:
/// - get: `1 | flags<<8` (1 = remember the miss; 2 = with a ticket for the set that may follow, and 8 = with ticket
///   and times beside a fresh entry too; 4 = only whether it is there; 16 = a hit with a stamp for L1), keyLen
/// - get by tags: `2`, nTags, tagLen…
/// - get many: `13`, nKeys, keyLen…; one result, the array of each key's
/// - set: `3 | flags<<8` (1 = auto, 2 = the value is binary, 4 = with times, 8 = a ticket follows the key in `text`),
///   keyLen, ttlLow, ttlHigh (ms; all ones = for ever; 0 = store nothing and remove), [createdLow, createdHigh,
///   freshUntilLow, freshUntilHigh, cost], nTags, tagLen…; takes the next of `values`
/// - clear: `4 | flags<<8` (1 = a key is given, 2 = raise `auto` instead of `all`), [keyLen], nTags, tagLen…
/// - take: `5`, keyLen
/// - expire: `6`, keyLen
/// - keys: `7`, prefixLen, cursorLow, cursorHigh
/// - lock: `8`, keyLen, ownerLen, ms
/// - unlock: `9`, keyLen, ownerLen
/// - publish: `10`, channelLen, payloadLen
/// - subscribe: `11`, channelLen; unsubscribe: `12`, channelLen
#[napi(
    ts_args_type = "handle: number, firstId: number, now: number, text: string, meta: Uint32Array, words: number, values: Array<string | Uint8Array>",
    ts_return_type = "unknown[] | null"
)]
#[allow(clippy::too_many_arguments)] // Arguments cross more cheaply than an object with as many fields.
pub fn submit(
    env: Env,
    handle: u32,
    first_id: u32,
    now: f64,
    text: Raw,
    meta: Raw,
    words: u32,
    values: Raw,
) -> Result<Option<Answer>> {
    guard(|| {
        let raw = env.raw();
        let environment = Environment::of(raw)?;
        let meta = values::words(raw, meta.0, words as usize)?;
        let (text, units) = values::string(raw, text.0)?;
        let inputs = values::inputs(raw, values.0)?;
        let text = String::from_utf8(text)
            .map_err(|_| Error::new(Code::Internal, "A batch is malformed: its text is not UTF-8."))?;
        let ops = batch::decode(&meta, &text, units, inputs)?;
        if first_id == 0 || ops.is_empty() || (u32::MAX - first_id) as usize + 1 < ops.len() {
            return Err(Error::new(
                Code::Internal,
                "A batch is malformed: it is empty, or its ids are not of 32 bits.",
            ));
        }
        let store = environment.store(handle)?;
        // A date before 1970 is one that a test made up; the conversion takes it for 1970.
        let now = now as u64;
        if store.engine.immediate() {
            let outcomes = at_once(&store.engine, ops, now);
            return completions::results(raw, &outcomes).map(|results| Some(Answer(results)));
        }
        let runtime = runtime::handle()?;
        environment.add_in_flight(raw, ops.len())?;
        let reply = BatchReply::new(environment.receiver()?.queue.clone(), first_id, ops.len());
        let reads = environment.polls().is_some_and(Polls::is_on);
        let claimed = store.start(ops, now, reply, &runtime, reads);
        environment.wait(claimed);
        Ok(None)
    })
}

/// A result that was made in the scope of the call.
pub struct Answer(sys::napi_value);

impl napi::bindgen_prelude::ToNapiValue for Answer {
    unsafe fn to_napi_value(_env: sys::napi_env, answer: Self) -> napi::Result<sys::napi_value> {
        Ok(answer.0)
    }
}

/// Process memory answers at its first poll: no thread, no wake.
fn at_once(engine: &AnyEngine, ops: Vec<Op>, now: u64) -> Vec<Outcome> {
    let count = ops.len();
    let answers = Mutex::new(Vec::with_capacity(count));
    {
        let running =
            std::pin::pin!(engine.run(ops, now, |at, outcomes| answers.lock().push((at, outcomes))));
        // Were it ever pending, what it has not answered fails below.
        let _ = running.poll(&mut Context::from_waker(Waker::noop()));
    }
    let mut answers = answers.into_inner();
    if answers.len() == 1 && answers[0].1.len() == count {
        return answers.swap_remove(0).1;
    }
    let mut outcomes: Vec<Outcome> = (0..count).map(|_| Outcome::Failed(unanswered())).collect();
    for (at, part) in answers {
        for (outcome, answer) in outcomes.iter_mut().skip(at).zip(part) {
            *outcome = answer;
        }
    }
    outcomes
}

/// Tells a store on Redis that was opened with `credentials: true` who to log in as, for the first time or anew.
#[napi]
pub fn set_credentials(env: Env, handle: u32, username: Option<String>, password: String) -> Result<()> {
    guard(|| {
        let store = Environment::of(env.raw())?.store(handle)?;
        store.engine.set_credentials(username, password, &runtime::handle()?);
        Ok(())
    })
}

/// Counters as JSON (src/stats.rs).
#[napi]
pub fn stats(env: Env, handle: u32) -> Result<String> {
    guard(|| {
        let store = Environment::of(env.raw())?.store(handle)?;
        serde_json::to_string(&store.engine.stats())
            .map_err(|why| Error::new(Code::Internal, format!("The counters could not be written: {why}.")))
    })
}

/// The counters of the values that JavaScript keeps (src/model/version_table.rs): a view of memory that the core goes on writing. `null`
/// where the store was opened without `l1`. To be asked once for each store.
#[napi(ts_return_type = "ArrayBuffer | null")]
pub fn counters(env: Env, handle: u32) -> Result<Option<Answer>> {
    guard(|| {
        let store = Environment::of(env.raw())?.store(handle)?;
        store.engine.versions().map(|slots| values::counters(env.raw(), slots).map(Answer)).transpose()
    })
}

/// Waits for what is under way, then lets go; completes like an operation with that id. Later calls with this handle
/// throw.
#[napi]
pub fn close(env: Env, handle: u32, id: u32) -> Result<()> {
    guard(|| {
        let environment = Environment::of(env.raw())?;
        let runtime = runtime::handle()?;
        let store = environment.remove(handle)?;
        environment.add_in_flight(env.raw(), 1)?;
        let reply = BatchReply::new(environment.receiver()?.queue.clone(), id, 1);
        runtime.spawn(async move {
            store.close().await;
            reply.deliver(0, vec![Outcome::Done]);
        });
        Ok(())
    })
}
