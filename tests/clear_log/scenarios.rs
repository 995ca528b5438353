//! The scenarios: each is searched to its end with all rules in force. Together they reach every rule, as `mutations` shows.

use crate::scenario::{Clock, Failover, Reader, Scenario};
use crate::terms::Clear;
use cachalot::model::tag::Invalidation::{Hard, Soft};

const PLAIN: &[Reader] = &[Reader { key: 0, auto: false }];
const AUTO: &[Reader] = &[Reader { key: 0, auto: true }];
const OTHER_KEY: &[Reader] = &[Reader { key: 1, auto: false }];

/// Two tags; an entry of key 0 carries the first in most scenarios.
const T: u8 = 0b01;
const U: u8 = 0b10;
const BOTH: u8 = 0b11;

pub fn log_evicted_twice() -> Scenario {
    Scenario { log_evictions: 2, epoch_evictions: 1, ..Scenario::new("the log evicted twice") }
        .reads(0, 1, PLAIN)
        .clears(2, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn trims() -> Scenario {
    Scenario { log_evictions: 1, ..Scenario::new("trims, a late process") }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn reconnects() -> Scenario {
    let scenario = Scenario::new("two batches under way, evictions, a reconnect");
    Scenario { log_evictions: 1, epoch_evictions: 1, reconnects: 1, ..scenario }
        .reads(0, 2, PLAIN)
        .clears(2, Clear::hard(T))
}

pub fn overflows() -> Scenario {
    Scenario { log_evictions: 1, room: 0, ..Scenario::new("a table without room, two batches under way") }
        .reads(0, 2, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn overflows_of_two_tags() -> Scenario {
    Scenario { tags: [BOTH, T], room: 1, cap: 3, ..Scenario::new("a table with room for one tag of two") }
        .reads(0, 2, PLAIN)
        .clears(2, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn generations() -> Scenario {
    Scenario { epoch_evictions: 1, ..Scenario::new("generations, two batches under way") }
        .reads(0, 2, PLAIN)
        .clears(3, Clear::hard(T))
}

pub fn soft_and_hard() -> Scenario {
    Scenario { log_evictions: 1, room: 0, cap: 2, ..Scenario::new("soft and hard, both kinds of entries") }
        .reads(0, 1, AUTO)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::soft(T))
}

pub fn everything() -> Scenario {
    Scenario { tags: [BOTH, T], log_evictions: 1, ..Scenario::new("a clear of everything") }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::root(Hard))
}

pub fn everything_softly() -> Scenario {
    Scenario { log_evictions: 1, ..Scenario::new("a soft clear of everything") }
        .reads(0, 1, AUTO)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::root(Soft))
        .clears(1, Clear::hard(T))
}

pub fn two_keys() -> Scenario {
    let scenario = Scenario::new("two keys, both tags cleared at once, an entry evicted");
    Scenario { tags: [BOTH, U], log_evictions: 1, entry_evictions: 1, ..scenario }
        .reads(0, 1, PLAIN)
        .reads(1, 1, OTHER_KEY)
        .clears(1, Clear::hard(BOTH))
        .clears(1, Clear::hard(T))
}

pub fn late_generations() -> Scenario {
    Scenario { epoch_evictions: 1, ..Scenario::new("generations, trims, a late process") }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(2, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn late_evictions() -> Scenario {
    let scenario = Scenario::new("epoch and log evicted, trims, a late process");
    Scenario { epoch_evictions: 1, log_evictions: 1, ..scenario }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn clock_ahead() -> Scenario {
    let scenario = Scenario::new("generations, the clock goes on");
    Scenario { clock: Clock::Ahead, epoch_evictions: 1, ..scenario }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn generations_in_flight() -> Scenario {
    Scenario {
        epoch_evictions: 1,
        cap: 2,
        ..Scenario::new("generations, two batches under way, two members")
    }
    .reads(0, 2, PLAIN)
    .clears(3, Clear::hard(T))
    .clears(1, Clear::hard(U))
}

pub fn three_members() -> Scenario {
    Scenario { tags: [BOTH, BOTH], cap: 2, ..Scenario::new("three members, room for two") }
        .reads(0, 1, AUTO)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::soft(U))
        .clears(1, Clear::hard(U))
}

pub fn short_deltas() -> Scenario {
    Scenario { tags: [BOTH, T], limit: 2, cap: 3, ..Scenario::new("deltas that are cut off") }
        .reads(0, 2, PLAIN)
        .clears(1, Clear::hard(BOTH))
        .clears(2, Clear::hard(U))
}

pub fn member_by_member() -> Scenario {
    Scenario { at_once: false, log_evictions: 1, ..Scenario::new("look-ups without ZMSCORE") }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn whole_log() -> Scenario {
    let scenario = Scenario::new("connections that begin with the whole log");
    Scenario { greets: true, log_evictions: 1, epoch_evictions: 1, reconnects: 1, cap: 2, ..scenario }
        .reads(0, 1, PLAIN)
        .clears(2, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn whole_log_cut() -> Scenario {
    let scenario = Scenario::new("connections that begin with a long log");
    Scenario { tags: [BOTH, T], greets: true, limit: 3, cap: 3, ..scenario }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(BOTH))
        .clears(1, Clear::hard(U))
}

pub fn own_clears() -> Scenario {
    Scenario { log_evictions: 1, ..Scenario::new("clears of one's own") }
        .reads(0, 2, PLAIN)
        .clears(1, Clear::hard(T))
        .clears_by(0, 2, Clear::hard(U))
        .clears_by(0, 1, Clear::hard(T))
}

pub fn own_clears_late() -> Scenario {
    let scenario = Scenario::new("clears of one's own, evictions, a table without room");
    Scenario { epoch_evictions: 1, room: 0, cap: 2, ..scenario }
        .reads(0, 2, PLAIN)
        .clears(1, Clear::hard(T))
        .clears_by(0, 1, Clear::hard(U))
        .clears_by(0, 1, Clear::hard(T))
}

pub fn own_clears_of_everything() -> Scenario {
    Scenario { reconnects: 1, greets: true, ..Scenario::new("clears of everything of one's own") }
        .reads(0, 1, AUTO)
        .reads(1, 1, PLAIN)
        .clears_by(0, 1, Clear::root(Hard))
        .clears_by(1, 1, Clear::root(Soft))
        .clears(1, Clear::hard(T))
}

pub fn keys() -> Scenario {
    let scenario = Scenario::new("clears by key, fences evicted, a set without a miss");
    Scenario { fence_evictions: 1, epoch_evictions: 1, unguarded: 1, ..scenario }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::key(0))
        .clears(1, Clear::key(1))
}

pub fn failover() -> Scenario {
    let scenario = Scenario::new("an older replica takes over, its clock is ahead");
    Scenario { clock: Clock::Ahead, failover: Failover::Seen { sets: true }, greets: true, ..scenario }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn failover_behind() -> Scenario {
    let scenario = Scenario::new("an older replica takes over, its clock is behind");
    Scenario { failover: Failover::Seen { sets: false }, ..scenario }
        .reads(0, 1, PLAIN)
        .clears(2, Clear::hard(T))
        .clears(2, Clear::hard(U))
}

pub fn hidden_failover() -> Scenario {
    Scenario { failover: Failover::Hidden, ..Scenario::new("an older state behind the same connection") }
        .reads(0, 2, PLAIN)
        .clears(3, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn ages() -> Scenario {
    let clock = Clock::Ticks { until: 7, life: 1, under_way: 2 };
    Scenario { clock, cap: 4, ..Scenario::new("what is older than any entry is trimmed") }
        .reads(0, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
        .clears(1, Clear::soft(U))
}

pub fn look_ups_over_generations() -> Scenario {
    Scenario { epoch_evictions: 1, ..Scenario::new("look-ups before a generation begins") }
        .reads(0, 1, PLAIN)
        .reads(1, 1, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::hard(U))
}

pub fn refusals() -> Scenario {
    let scenario = Scenario::new("sets that are refused in the process");
    Scenario { epoch_evictions: 2, log_evictions: 1, checks_refusals: true, ..scenario }
        .reads(0, 2, AUTO)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::soft(T))
}

pub fn comes_to_hits() -> Scenario {
    let scenario = Scenario::new("hits, once nothing more goes wrong");
    Scenario { epoch_evictions: 1, log_evictions: 1, checks_hits: true, ..scenario }
        .reads(0, 2, PLAIN)
        .clears(1, Clear::hard(T))
        .clears(1, Clear::key(1))
}
