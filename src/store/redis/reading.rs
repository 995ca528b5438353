//! The replies of a read, judged by the table of clears.

use super::clear_table::{Member, Observed, Verdict};
use super::reply;
use super::state::State;
use crate::codec::envelope;
use crate::error::{Error, Result};
use crate::model::tag::{Clearance, Epoch};
use crate::store::guard::Lease;
use bytes::Bytes;

/// What the replies of a read were made into. It goes from the reader to the caller and back, until nothing is open.
#[derive(Debug)]
pub struct Reading {
    pub epoch: Epoch,
    pub entries: Vec<Option<Bytes>>,
    /// Of each entry.
    pub clearances: Vec<Clearance>,
    /// False: of some it could not be found out whether they were cleared, and they count as if they were.
    pub is_judged: bool,
    pub next: Next,
    /// The connection that brought the entries.
    pub connection_id: u64,
    /// Of its history.
    pub lease: Option<Lease>,
}

#[derive(Debug, Default)]
pub enum Next {
    #[default]
    Nothing,
    Delta {
        after: u64,
    },
    LookUp(Vec<Member>),
    /// There is no epoch: one must begin.
    Begin,
}

impl Reading {
    /// `strings`: the epoch's text, then the entries.
    pub fn of(state: &State, connection_id: u64, strings: Vec<Option<Bytes>>) -> Result<Self> {
        let mut strings = strings.into_iter();
        let epoch = strings.next().flatten().map_or(Epoch::NONE, |text| reply::epoch_text(&text));
        let entries: Vec<_> = strings.collect();
        let clearances = vec![Clearance::Hard; entries.len()];
        let observed = state.observe_epoch(epoch);
        let lease = state.history.lock().lease();
        let next = Next::Nothing;
        let mut reading =
            Reading { epoch, entries, clearances, is_judged: false, next, connection_id, lease };
        match observed {
            Observed::Complete => reading.judge(state, true),
            Observed::Behind { after } => reading.next = Next::Delta { after },
            Observed::Unusable if epoch == Epoch::NONE => reading.next = Next::Begin,
            Observed::Unusable => {
                return Err(Error::connection(
                    "The server's state is older than it was on this connection; is another server behind it now?",
                ));
            }
        }
        Ok(reading)
    }

    /// `may_look_up`: what is not known is asked for; else it is a miss.
    pub fn judge(&mut self, state: &State, may_look_up: bool) {
        let table = state.clears.lock();
        let mut unknown = Vec::new();
        self.is_judged = true;
        for (entry, clearance) in self.entries.iter().zip(&mut self.clearances) {
            // What is no entry is found out when it is decoded.
            let Some(stub) = entry.as_deref().and_then(envelope::peek) else { continue };
            match table.judge(stub.epoch, stub.auto, stub.tags()) {
                Verdict::Known(known) => *clearance = known,
                Verdict::Unknown(_) if !may_look_up => self.is_judged = false,
                Verdict::Unknown(members) => unknown.extend(members),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        self.next = if unknown.is_empty() { Next::Nothing } else { Next::LookUp(unknown) };
    }
}
