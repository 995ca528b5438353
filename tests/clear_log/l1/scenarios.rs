//! The scenarios of what is kept.

use super::{By, Setup};
use crate::scenario::Scenario;
use crate::terms::Clear;
use cachalot::model::tag::Invalidation::Hard;

const T: u8 = 0b01;
const U: u8 = 0b10;
const BOTH: u8 = 0b11;

fn setup(scenario: Scenario) -> Setup {
    Setup {
        scenario,
        by: Vec::new(),
        message_first: true,
        publishes: true,
        writes: 0,
        lost_messages: 0,
        silences: 0,
        questions: 0,
        others: 0,
        until: 0,
        lease: 1,
        without: None,
    }
}

fn named(name: &'static str) -> Setup {
    setup(Scenario { cap: 2, ..Scenario::new(name) })
}

impl Setup {
    fn clears(mut self, by: By, tags: u8) -> Self {
        self.by.push(by);
        self.scenario = self.scenario.clears(1, Clear::hard(tags));
        self
    }

    fn clears_everything(mut self, by: By) -> Self {
        self.by.push(by);
        self.scenario = self.scenario.clears(1, Clear::root(Hard));
        self
    }

    /// Time passes, and the epoch is asked for.
    fn timed(self, until: u8, questions: u8) -> Self {
        Setup { until, questions, ..self }
    }

    fn changed(mut self, change: impl FnOnce(&mut Scenario)) -> Self {
        change(&mut self.scenario);
        self
    }

    pub fn without(self, rule: super::rules::Rule) -> Self {
        Setup { without: Some(rule), ..self }
    }
}

pub fn others() -> Setup {
    setup(Scenario { tags: [BOTH, T], ..Scenario::new("others clear, the log has room for one") })
        .clears(By::Another, T)
        .clears(By::Another, BOTH)
        .clears(By::Another, U)
}

pub fn own() -> Setup {
    Setup { lost_messages: 1, ..named("a clear of one's own, its message first, one is lost") }
        .clears(By::Own, T)
        .clears(By::Another, T)
        .clears(By::Another, U)
}

pub fn own_reply_first() -> Setup {
    let own = own().changed(|scenario| scenario.name = "a clear of one's own, its reply first");
    Setup { message_first: false, ..own }
}

pub fn neighbour() -> Setup {
    Setup { lost_messages: 1, ..named("a clear over another connection of the process") }
        .changed(|scenario| scenario.reconnects = 1)
        .clears(By::Neighbour, T)
        .clears(By::Another, T)
        .clears(By::Another, U)
}

pub fn neighbour_over_generations() -> Setup {
    Setup { lost_messages: 1, ..named("a clear over another connection, generations") }
        .changed(|scenario| scenario.epoch_evictions = 1)
        .clears(By::Neighbour, T)
        .clears(By::Another, T)
        .clears(By::Another, U)
}

pub fn writes() -> Setup {
    Setup { writes: 2, ..named("another sets the key, and so does the process") }
        .changed(|scenario| scenario.reconnects = 1)
        .clears(By::Own, T)
        .clears(By::Another, T)
}

pub fn silence() -> Setup {
    Setup { silences: 1, ..named("the connection falls silent") }
        .clears(By::Another, T)
        .clears(By::Another, U)
        .timed(3, 2)
}

pub fn lost_message() -> Setup {
    Setup { lost_messages: 1, ..named("a message is lost") }
        .clears(By::Another, T)
        .clears(By::Another, U)
        .timed(3, 1)
}

pub fn evictions() -> Setup {
    Setup { lost_messages: 1, ..named("epoch and log evicted, a message is lost") }
        .changed(|scenario| (scenario.epoch_evictions, scenario.log_evictions) = (1, 1))
        .clears(By::Another, T)
        .clears(By::Another, U)
        .clears(By::Another, T)
}

pub fn unpublished() -> Setup {
    Setup { publishes: false, others: 1, ..named("nobody may publish, the epoch evicted") }
        .changed(|scenario| scenario.epoch_evictions = 1)
        .clears(By::Another, T)
        .timed(2, 1)
}

pub fn no_room() -> Setup {
    named("a table without room, the log evicted")
        .changed(|scenario| (scenario.room, scenario.log_evictions) = (0, 1))
        .clears(By::Own, T)
        .clears(By::Another, T)
        .clears(By::Another, U)
}

pub fn everything() -> Setup {
    Setup { lost_messages: 1, ..named("a clear of everything, generations") }
        .changed(|scenario| scenario.epoch_evictions = 1)
        .clears(By::Own, T)
        .clears_everything(By::Another)
        .clears(By::Another, T)
}

pub fn silence_and_writes() -> Setup {
    Setup { silences: 1, writes: 1, ..named("the connection falls silent, another sets the key") }
        .clears(By::Another, T)
        .timed(3, 2)
}

pub fn reconnects_and_writes() -> Setup {
    Setup { writes: 1, ..named("a reconnect, another sets the key") }
        .changed(|scenario| scenario.reconnects = 1)
        .clears(By::Another, T)
        .timed(3, 0)
}

pub fn own_after_a_lost_one() -> Setup {
    let setup = Setup { lost_messages: 1, ..named("a clear of one's own after a message was lost") };
    setup.changed(|scenario| scenario.tags = [BOTH, T]).clears(By::Own, U).clears(By::Another, T).timed(3, 1)
}
