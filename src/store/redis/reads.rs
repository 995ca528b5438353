//! Reading: entries and epoch in one round trip, judged by the table of clears in the order of the connection. Only where clears
//! came since the last reply are they asked for, and only what is older than the table is looked up.

use super::clear_log;
use super::clear_table::{Delta, Member};
use super::command::Pipeline;
use super::core::Core;
use super::deadline::Deadline;
use super::protocol::Reply;
use super::reading::{Next, Reading};
use super::reply;
use super::state::State;
use crate::error::{Error, Result};
use crate::model::tag::Epoch;
use crate::store::fifo_gate::Permit;
use crate::store::form::{Wire, WireEntry};
use crate::store::request::{KeyRead, ReadEntry};
use bytes::Bytes;
use redis::Value;
use std::sync::Arc;

/// Members of one look-up: some 200 µs of the server's time.
const LOOKED_UP: usize = 500;

impl Core {
    pub async fn read(&self, keys: &[String]) -> Result<Vec<KeyRead<Wire>>> {
        let deadline = self.deadline();
        let permit = self.wait_for_deferred(deadline).await?;
        let asked = self.heartbeat();
        let mut pipeline = Pipeline::default();
        pipeline.begin(2 + keys.len());
        pipeline.arg(b"MGET");
        pipeline.arg(self.names.epoch.as_bytes());
        for key in keys {
            pipeline.arg_of(&[self.names.entry.as_bytes(), key.as_bytes()]);
        }
        let reading = self.judged(pipeline, keys.len(), permit, deadline).await?;
        asked.answered();
        let (epoch, lease) = (reading.epoch, reading.lease);
        let reads = reading.entries.into_iter().zip(reading.clearances).map(|(entry, clearance)| {
            let present = |bytes| ReadEntry::Present(WireEntry { bytes, lease, clearance });
            KeyRead { epoch, entry: Ok(entry.map_or(ReadEntry::Absent(lease), present)) }
        });
        Ok(reads.collect())
    }

    /// For a pipeline that answers the epoch's text and the bytes of so many entries, by one MGET or each by its own.
    pub async fn judged(
        &self,
        pipeline: Pipeline,
        entries: usize,
        permit: Option<Permit<'_>>,
        deadline: Deadline,
    ) -> Result<Reading> {
        let state = self.server.state.clone();
        let replies = self.client.send_observed(
            None,
            pipeline.bytes,
            pipeline.replies,
            Box::new(move |connection_id, replies| {
                if let Some(strings) = strings(replies, entries + 1) {
                    let reading = Reading::of(&state, connection_id, strings)?;
                    *replies = vec![Reply::Read(Box::new(Ok(reading)))];
                }
                Ok(())
            }),
        );
        drop(permit);
        let mut reading = reading(deadline.bound(replies).await?, entries)?;
        loop {
            reading = match std::mem::take(&mut reading.next) {
                Next::Nothing => return Ok(reading),
                Next::Delta { after } => self.after_delta(reading, after, deadline).await?,
                Next::LookUp(members) => self.looked_up(reading, members, deadline).await?,
                Next::Begin => {
                    reading.epoch = self.begin(deadline).await?;
                    return Ok(reading);
                }
            }
        }
    }

    async fn after_delta(&self, reading: Reading, after: u64, deadline: Deadline) -> Result<Reading> {
        let mut pipeline = Pipeline::default();
        clear_log::put_delta(&mut pipeline, &self.names.log, Some(after));
        self.observed(reading, pipeline, deadline, move |state, reading, replies| {
            let delta = match reply::only(replies) {
                // Where ranges are unknown, tags are looked up.
                reply if reply::is_unknown_command(&reply) => Delta::default(),
                reply => clear_log::delta(reply)?,
            };
            if state.observe_delta(reading.epoch, after, &delta) {
                reading.judge(state, true);
            } else {
                reading.epoch = Epoch::NONE;
            }
            Ok(())
        })
        .await
    }

    async fn looked_up(&self, reading: Reading, members: Vec<Member>, deadline: Deadline) -> Result<Reading> {
        let mut pipeline = Pipeline::default();
        let at_once = self.server.has_zmscore();
        let asked_at = self.server.state.clears.lock().known_to();
        let parts: Vec<Vec<Member>> = members.chunks(LOOKED_UP).map(<[Member]>::to_vec).collect();
        for part in &parts {
            clear_log::put_look_up(&mut pipeline, &self.names.log, reading.epoch.generation, part, at_once);
        }
        self.observed(reading, pipeline, deadline, move |state, reading, replies| {
            let mut replies = replies.into_iter();
            let mut is_known = true;
            for part in &parts {
                let count = if at_once { 1 } else { part.len() + 2 };
                let found = clear_log::look_up(part, replies.by_ref().take(count).collect())?;
                is_known &= state.observe_look_up(reading.epoch, asked_at.n, &found);
            }
            if is_known {
                reading.judge(state, false);
            } else {
                reading.is_judged = false;
            }
            state.clears.lock().bound();
            Ok(())
        })
        .await
    }

    /// Sends what a reading still needs over the connection that brought its entries, and has it taken in in order.
    async fn observed(
        &self,
        mut reading: Reading,
        pipeline: Pipeline,
        deadline: Deadline,
        observe: impl FnOnce(&State, &mut Reading, Vec<Value>) -> Result<()> + Send + 'static,
    ) -> Result<Reading> {
        let state: Arc<State> = self.server.state.clone();
        let (connection_id, entries) = (reading.connection_id, reading.entries.len());
        let replies = self.client.send_observed(
            Some(connection_id),
            pipeline.bytes,
            pipeline.replies,
            Box::new(move |_, replies| {
                let values = std::mem::take(replies).into_iter().map(Reply::into_value).collect();
                let observed = observe(&state, &mut reading, values).map(|()| reading);
                replies.push(Reply::Read(Box::new(observed)));
                Ok(())
            }),
        );
        self::reading(deadline.bound(replies).await?, entries)
    }

    /// Begins a generation where there is none; answers the epoch.
    async fn begin(&self, deadline: Deadline) -> Result<Epoch> {
        let pipeline = self.server.begin();
        let fields = reply::array(reply::only(deadline.bound(self.send(pipeline)).await?))?;
        Ok(reply::epoch(fields.first(), fields.get(1)).unwrap_or(Epoch::NONE))
    }
}

/// The strings of a reply that is as it should be: an array of so many, or as many strings.
fn strings(replies: &mut Vec<Reply>, count: usize) -> Option<Vec<Option<Bytes>>> {
    match replies.as_slice() {
        [Reply::Strings(strings)] if strings.len() == count => {
            let Some(Reply::Strings(strings)) = replies.pop() else { return None };
            Some(strings)
        }
        [Reply::Other(Value::Array(items))] if items.len() == count => {
            let Some(Reply::Other(Value::Array(items))) = replies.pop() else { return None };
            Some(items.into_iter().map(reply::string).collect())
        }
        // Each by a command of its own; where nothing is, GETRANGE answers an empty string.
        each if each.len() == count && each.iter().all(is_string) => {
            let each = std::mem::take(replies)
                .into_iter()
                .map(|reply| reply::string(reply.into_value()).filter(|bytes| !bytes.is_empty()));
            Some(each.collect())
        }
        _ => None,
    }
}

fn is_string(reply: &Reply) -> bool {
    matches!(reply, Reply::Other(Value::BulkString(_) | Value::Nil))
}

fn reading(mut replies: Vec<Reply>, entries: usize) -> Result<Reading> {
    match replies.pop() {
        Some(Reply::Read(reading)) => *reading,
        Some(other) => {
            let items = reply::array(other.into_value())?.len();
            Err(Error::connection(format!(
                "Redis answered MGET with {items} values, {} were expected; is a proxy in between?",
                entries + 1
            )))
        }
        None => Err(Error::connection("Redis answered a read with nothing; is a proxy in between?")),
    }
}
