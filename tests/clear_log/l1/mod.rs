//! Values that are kept in the process (docs/local-cache.md): one process, one connection, one key. What is kept goes by counters, as
//! src/model/version_table.rs and src/store/redis/state.rs have it; what is read is judged by the production table.
//!
//! What is promised: no kept value is served that is older than a clear or a write of the key which this process has heard of or
//! made itself, nor than one of longer ago than the lease.
//!
//! A counter only grows, so what is kept is over once one of its own has moved: a state holds no counters, only whether they
//! are as they were.

mod checks;
mod replies;
mod rules;
mod scenarios;
mod steps;

use crate::scenario::Scenario;
use crate::search::Broken;
use crate::server::Server;
use crate::tables::{TableId, Tables};
use crate::terms::{Advance, Delta, LookUp, Point};
use rules::Rule;

/// Replies and messages on their way.
const MESSAGES: usize = 6;
/// Clears are told apart, each happens once.
pub const CLEARS: usize = 4;

/// What is known of a value, by nobody in the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// By which clears it is outdated.
    pub outdated: u8,
    /// The write of the key that it came with, counted.
    pub write: u8,
    /// When another write came after it, counted from 1; 0 = none did.
    pub replaced: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    pub at: Point,
    pub truth: Truth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Sent,
    Delta {
        after: u8,
        is_sent: bool,
    },
    LookUp {
        wanted: u8,
        is_sent: bool,
    },
    Begin {
        is_sent: bool,
    },
    /// A hit, on its way to the caller, who keeps it.
    Judged,
}

/// The read that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    pub stage: Stage,
    pub sent: u8,
    pub at: Point,
    pub value: Option<Value>,
    /// A counter of its key, of the root or of everything has moved since it was sent.
    pub is_outdated: bool,
    /// A tag was cleared since then.
    pub tags_moved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Miss {
    pub at: Point,
    pub outdated: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    Read,
    Delta(Delta),
    LookUp(LookUp),
    Begun(Point),
    /// What was published of a clear.
    Published {
        clear: Option<u8>,
        advance: Advance,
    },
    /// The reply to a clear of one's own.
    Cleared {
        clear: u8,
        advance: Advance,
    },
    /// Client tracking names the key.
    KeyChanged {
        write: u8,
    },
    /// The reply to a set of one's own.
    Stored {
        write: u8,
    },
    /// The reply to something that concerns another key and does not tell the epoch.
    Other {
        sent: u8,
    },
    /// The answer to a question for the epoch.
    Epoch {
        at: Point,
        sent: u8,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Connection {
    #[default]
    Up,
    /// Nothing comes any more, and nobody has noticed.
    Silent,
    Down,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    pub connection: Connection,
    pub table: TableId,
    pub heard: Point,
    /// When the last question was sent whose answer told the epoch.
    pub last_heard: u8,
    pub messages: [Option<Message>; MESSAGES],
    pub read: Option<Read>,
    pub miss: Option<Miss>,
    pub is_setting: bool,
    pub asks_epoch: bool,
    pub kept: Option<Value>,
    /// A clear over another connection of this process, which is about to resolve.
    pub clears: Option<u8>,
    /// Clears that the process has heard of, or that have resolved in it.
    pub known: u8,
    /// The same of writes of the key: the newest.
    pub known_write: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub server: Server,
    /// Of the entry there.
    pub truth: Truth,
    pub writes: u8,
    /// The server names the key at the end of its tick.
    pub names_key: bool,
    pub now: u8,
    pub cleared_at: [u8; CLEARS],
    pub process: Process,
    pub left: Left,
}

/// How often things can still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    pub clears: u8,
    pub writes: u8,
    pub lost_messages: u8,
    pub silences: u8,
    pub reconnects: u8,
    pub questions: u8,
    pub others: u8,
    pub epochs: u8,
    pub logs: u8,
}

#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a trace prints them")]
pub enum Action {
    Connects,
    Reads { at: Point },
    Answers,
    Takes(Message),
    Keeps { is_kept: bool },
    Sets { at: Point, is_stored: bool },
    AsksEpoch,
    AsksOther,
    Clears { clear: usize, to: Point, is_published: bool },
    Resolves { clear: u8 },
    AnotherSets { write: u8 },
    NamesKey,
    FallsSilent,
    LosesConnection,
    EvictsEpoch,
    EvictsLog,
    Ticks,
}

/// Whose a clear is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Another,
    /// Over the connection that is looked at.
    Own,
    /// Over another connection of the same process.
    Neighbour,
}

#[derive(Clone, Debug)]
pub struct Setup {
    /// What is cleared, each once; the server, the table and what is evicted.
    pub scenario: Scenario,
    pub by: Vec<By>,
    /// A message of a clear comes before the reply to it.
    pub message_first: bool,
    /// Users may publish. Else no clear is told, as if every message were lost.
    pub publishes: bool,
    pub writes: u8,
    pub lost_messages: u8,
    pub silences: u8,
    pub questions: u8,
    /// Requests for other keys, whose replies do not tell the epoch.
    pub others: u8,
    pub until: u8,
    /// For so long after the last answer values are served.
    pub lease: u8,
    pub without: Option<Rule>,
}

impl Setup {
    pub fn name(&self) -> &'static str {
        self.scenario.name
    }

    pub fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

pub struct Explored<'a> {
    pub setup: &'a Setup,
    pub tables: Tables<'a>,
}

impl<'a> Explored<'a> {
    pub fn new(setup: &'a Setup) -> Self {
        Explored { setup, tables: Tables::new(&setup.scenario) }
    }

    /// Whether the kept value is served, and what is wrong with that.
    fn served(&self, world: &World) -> Option<Broken> {
        let World { now, process, cleared_at, .. } = world;
        let Truth { outdated, write, replaced } = process.kept?.truth;
        let is_in_time = *now <= process.last_heard + self.setup.lease;
        if !is_in_time && self.setup.has(Rule::LeaseEnds) {
            return None;
        }
        let is_late = |since: u8| *now > since + self.setup.lease;
        let is_long_cleared =
            (0..CLEARS).any(|clear| outdated >> clear & 1 == 1 && is_late(cleared_at[clear]));
        Some(if outdated & process.known != 0 {
            Some("a kept value is older than a clear that is known")
        } else if is_long_cleared {
            Some("a kept value is older than a clear of long ago")
        } else if write < process.known_write {
            Some("a kept value is older than a write that is known")
        } else if replaced > 0 && is_late(replaced - 1) {
            Some("a kept value is older than a write of long ago")
        } else {
            None
        })
    }
}
