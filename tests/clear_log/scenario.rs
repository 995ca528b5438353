//! What a search is made over: who reads, what is cleared, what goes wrong and how often.

use crate::rules::Rule;
use crate::terms::{Clear, KEYS};

/// The server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Behind all epochs: a number is one more than the last, and a generation begins at 1.
    Behind,
    /// Ahead of all epochs there ever were, also of those of a server that was lost.
    Ahead,
    /// It shows up to `until`; an entry lives for `life` from its set, which follows its miss within `under_way`.
    Ticks { until: u8, life: u8, under_way: u8 },
}

/// A replica that fell behind takes over, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    Never,
    /// All connections are lost with it. `sets`: what was read before is set after it.
    Seen {
        sets: bool,
    },
    /// Connections stay, as behind some proxies. Then only a number that is lower than one's own can be noticed: the
    /// scenario has no more clears than that, and no sets of what was read before.
    Hidden,
}

#[derive(Clone, Copy, Debug)]
pub struct Reader {
    pub key: u8,
    pub auto: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Process {
    pub readers: &'static [Reader],
    /// Reads under way, and misses whose set is to come, at most.
    pub slots: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Clears {
    pub times: u8,
    pub clear: Clear,
    /// Whose, if the process is looked at.
    pub by: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Of each key a mask of its tags.
    pub tags: [u8; KEYS],
    pub processes: [Process; 2],
    pub clears: Vec<Clears>,
    /// Members that the log keeps.
    pub cap: u8,
    /// Members that a delta tells.
    pub limit: u8,
    /// Tags that a table keeps.
    pub room: usize,
    /// The server knows ZMSCORE.
    pub at_once: bool,
    /// A connection begins with the whole log. Else it begins with nothing, as where the log cannot be had.
    pub greets: bool,
    pub clock: Clock,
    pub failover: Failover,
    pub epoch_evictions: u8,
    pub log_evictions: u8,
    pub entry_evictions: u8,
    pub fence_evictions: u8,
    pub reconnects: u8,
    /// Sets that no miss guards.
    pub unguarded: u8,
    /// A set that is refused in the process must be one that is of no use.
    pub checks_refusals: bool,
    /// From every state, once nothing more goes wrong, each reader comes to a hit.
    pub checks_hits: bool,
    pub without: Option<Rule>,
}

const NOBODY: Process = Process { readers: &[], slots: 0 };

impl Scenario {
    pub fn new(name: &'static str) -> Self {
        Scenario {
            name,
            tags: [0b01, 0b01],
            processes: [NOBODY; 2],
            clears: Vec::new(),
            cap: 1,
            limit: 10,
            room: 10,
            at_once: true,
            greets: false,
            clock: Clock::Behind,
            failover: Failover::Never,
            epoch_evictions: 0,
            log_evictions: 0,
            entry_evictions: 0,
            fence_evictions: 0,
            reconnects: 0,
            unguarded: 0,
            checks_refusals: false,
            checks_hits: false,
            without: None,
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Fences matter where keys are cleared.
    pub fn has_fences(&self) -> bool {
        self.clears.iter().any(|clears| clears.clear.key.is_some())
    }

    pub fn without(mut self, rule: Rule) -> Self {
        self.without = Some(rule);
        self
    }

    /// A process that reads.
    pub fn reads(mut self, process: usize, slots: usize, readers: &'static [Reader]) -> Self {
        self.processes[process] = Process { readers, slots };
        self
    }

    /// A clear by somebody who is not looked at.
    pub fn clears(mut self, times: u8, clear: Clear) -> Self {
        self.clears.push(Clears { times, clear, by: None });
        self
    }

    pub fn clears_by(mut self, process: usize, times: u8, clear: Clear) -> Self {
        self.clears.push(Clears { times, clear, by: Some(process) });
        self
    }
}
