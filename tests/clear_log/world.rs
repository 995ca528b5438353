//! A state: the server, two processes and what travels between them; and the steps that lead on from it.

use crate::rules::Rule;
use crate::scenario::{Clock, Failover, Reader, Scenario};
use crate::search::{Broken, Model, Step};
use crate::server::{Entry, Marks, Server};
use crate::tables::{TableId, Tables};
use crate::terms::{Advance, Clear, Delta, LookUp, Outdated, Point};
use cachalot::model::tag::Invalidation;

const SLOTS: usize = 2;
/// Reads, and the reply to a clear of one's own.
const MESSAGES: usize = SLOTS + 1;

/// A read on its way, and what it has brought so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    pub reader: u8,
    pub at: Point,
    /// As it was when it was read, and how outdated it was then: no hit may be more.
    pub entry: Option<Entry>,
    /// When it was sent.
    pub since: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    Read(Batch),
    Delta { batch: Batch, after: u8, answer: Option<Delta> },
    LookUp { batch: Batch, steps: u8, is_answered: bool, found: LookUp },
    Begin { batch: Batch, answer: Option<Point> },
    Advance(Advance),
}

impl Message {
    pub fn is_answered(&self) -> bool {
        match self {
            Message::Read(_) | Message::Advance(_) => true,
            Message::Delta { answer, .. } => answer.is_some(),
            Message::LookUp { is_answered, .. } => *is_answered,
            Message::Begin { answer, .. } => answer.is_some(),
        }
    }
}

/// What was read from the database after a miss, and is still to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Miss {
    pub reader: u8,
    pub at: Point,
    pub marks: Marks,
    pub since: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Connection {
    #[default]
    Down,
    /// The server told this epoch; next is the whole log.
    Greeting(Point),
    Up,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    pub connection: Connection,
    pub table: TableId,
    /// The newest epoch that was ever seen, over any connection; looked after where it matters.
    pub newest: Point,
    /// In the order of the connection.
    pub messages: [Option<Message>; MESSAGES],
    pub misses: [Option<Miss>; SLOTS],
}

impl Process {
    pub fn taken_slots(&self) -> usize {
        let is_read = |message: &&Message| !matches!(message, Message::Advance(_));
        self.messages.iter().flatten().filter(is_read).count() + self.misses.iter().flatten().count()
    }

    pub fn unanswered(&self) -> Option<usize> {
        self.messages.iter().position(|message| message.is_some_and(|message| !message.is_answered()))
    }

    pub fn send(&mut self, message: Message) {
        *self.messages.iter_mut().find(|place| place.is_none()).unwrap() = Some(message);
    }

    pub fn take(&mut self, at: usize) -> Option<Message> {
        let message = self.messages[at].take();
        self.messages[at..].rotate_left(1);
        message
    }

    /// Misses in a row have no order.
    pub fn miss(&mut self, miss: Miss) {
        *self.misses.iter_mut().find(|place| place.is_none()).unwrap() = Some(miss);
        self.misses.sort_unstable();
    }
}

/// How often things can still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    clears: [u8; 5],
    pub epochs: u8,
    pub logs: u8,
    pub entries: u8,
    pub fences: u8,
    reconnects: u8,
    unguarded: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replica {
    Not,
    /// It can fall behind from now on.
    Follows,
    Stands(Server),
    /// It took over. With hidden failovers: the number up to which it may advance.
    Reigns {
        below: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub server: Server,
    pub processes: [Process; 2],
    pub left: Left,
    pub replica: Replica,
}

#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a trace prints them")]
pub enum Action {
    Connects { process: usize },
    Reads { process: usize, reader: Reader, at: Point },
    Answers { process: usize },
    Takes { process: usize, outcome: Outcome },
    Sets { process: usize, at: Point, is_stored: bool },
    SetsUnguarded { key: usize },
    Clears { clear: Clear, to: Point },
    EvictsEpoch,
    EvictsLog,
    EvictsEntry,
    EvictsFences,
    LosesConnection { process: usize },
    ReplicaStands,
    FailsOver { to: Point },
    Ticks,
}

#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a trace prints them")]
pub enum Outcome {
    Hit { at: Point },
    Miss,
    Asks,
    Advance,
}

pub struct Explored<'a> {
    pub scenario: &'a Scenario,
    pub tables: Tables<'a>,
}

impl<'a> Explored<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        Explored { scenario, tables: Tables::new(scenario) }
    }
}

impl Model for Explored<'_> {
    type State = World;
    type Action = Action;

    fn first(&self) -> World {
        let scenario = self.scenario;
        let mut clears = [0; 5];
        scenario.clears.iter().zip(&mut clears).for_each(|(clear, left)| *left = clear.times);
        let connection = if scenario.greets { Connection::Down } else { Connection::Up };
        World {
            server: Server::first(scenario),
            processes: [Process { connection, ..Process::default() }; 2],
            left: Left {
                clears,
                epochs: scenario.epoch_evictions,
                logs: scenario.log_evictions,
                entries: scenario.entry_evictions,
                fences: scenario.fence_evictions,
                reconnects: scenario.reconnects,
                unguarded: scenario.unguarded,
            },
            replica: match scenario.failover {
                Failover::Never => Replica::Not,
                _ => Replica::Follows,
            },
        }
    }

    fn steps(&self, world: &World, steps: &mut Vec<Step<Self>>) {
        let mut add = |action, next, broken| steps.push(Step { action, next, broken });
        for process in 0..world.processes.len() {
            self.process_steps(world, process, &mut add);
        }
        self.clears(world, &mut add);
        self.losses(world, &mut add);
        if let Clock::Ticks { until, .. } = self.scenario.clock
            && world.server.clock < until
        {
            let mut next = *world;
            next.server.tick();
            add(Action::Ticks, next, None);
        }
    }

    fn check(&self, world: &World) -> Broken {
        let comes_to_hits = || self.comes_to_hits(world);
        (self.scenario.checks_hits && !comes_to_hits()).then_some("a reader never comes to a hit")
    }

    fn is_of_interest(&self, action: &Action) -> bool {
        matches!(action, Action::Takes { outcome: Outcome::Hit { .. }, .. })
    }
}

/// Takes a step with what it leads to.
type Add<'s> = dyn FnMut(Action, World, Broken) + 's;

impl Explored<'_> {
    fn process_steps(&self, world: &World, process: usize, add: &mut Add<'_>) {
        let of = &world.processes[process];
        let slots = self.scenario.processes[process].slots;
        if slots == 0 {
            return;
        }
        if of.connection != Connection::Up {
            let mut next = *world;
            self.connect(&mut next, process);
            return add(Action::Connects { process }, next, None);
        }
        if let Some(at) = of.unanswered() {
            let mut next = *world;
            self.answer(&mut next, process, at);
            add(Action::Answers { process }, next, None);
        } else if of.taken_slots() < slots {
            // A read is sent and answered in one step: until then what it must not be older than only grows.
            for (number, reader) in self.scenario.processes[process].readers.iter().enumerate() {
                let mut next = *world;
                next.processes[process].send(self.read(world, process, number));
                add(Action::Reads { process, reader: *reader, at: world.server.at }, next, None);
            }
        }
        // Replies are taken in their order.
        let first = if self.scenario.has(Rule::RepliesInOrder) { 1 } else { 2 };
        for at in 0..first {
            if of.messages[at].is_some_and(|message| message.is_answered()) {
                let mut next = *world;
                let message = next.processes[process].take(at).unwrap();
                let (outcome, broken) = self.take(&mut next, process, message);
                add(Action::Takes { process, outcome }, next, broken);
            }
        }
        for at in 0..SLOTS {
            if let Some(miss) = of.misses[at].filter(|_| at == 0 || of.misses[at] != of.misses[at - 1]) {
                let mut next = *world;
                let (is_stored, broken) = self.set(&mut next, process, at);
                add(Action::Sets { process, at: miss.at, is_stored }, next, broken);
            }
        }
        if world.left.reconnects > 0 {
            let mut next = *world;
            next.left.reconnects -= 1;
            self.disconnect(&mut next, process);
            add(Action::LosesConnection { process }, next, None);
        }
        if world.left.unguarded > 0 && process == 0 {
            let reader = self.scenario.processes[process].readers[0];
            let mut next = *world;
            next.left.unguarded -= 1;
            let entry = Entry { at: Point::NONE, auto: reader.auto, marks: Marks::default(), ends: 0 };
            let key = usize::from(reader.key);
            next.server.set(key, entry, false, self.scenario);
            add(Action::SetsUnguarded { key }, next, None);
        }
    }

    pub fn read(&self, world: &World, process: usize, reader: usize) -> Message {
        let Reader { key, .. } = self.scenario.processes[process].readers[reader];
        Message::Read(Batch {
            reader: reader as u8,
            at: world.server.at,
            entry: world.server.entries[usize::from(key)],
            since: world.server.now(self.scenario),
        })
    }

    fn clears(&self, world: &World, add: &mut Add<'_>) {
        for (number, clears) in self.scenario.clears.iter().enumerate() {
            let waits = clears.by.is_some_and(|by| {
                let process = &world.processes[by];
                process.connection != Connection::Up
                    || process.unanswered().is_some()
                    || process.messages.iter().any(|message| matches!(message, Some(Message::Advance(_))))
            });
            let is_past =
                matches!(world.replica, Replica::Reigns { below } if world.server.at.n + 1 >= below);
            if world.left.clears[number] == 0 || waits || is_past {
                continue;
            }
            let mut next = *world;
            next.left.clears[number] -= 1;
            let cleared = next.server.clear(clears.clear, 0, self.scenario);
            let broken = cleared
                .aged
                .filter(|(log, upto)| self.takes_what_lives(&next, log, *upto))
                .map(|_| "trimming by age ended what can live");
            self.outdate(&mut next, clears.clear);
            if let Some(by) = clears.by {
                next.processes[by].send(Message::Advance(cleared.advance));
            }
            add(Action::Clears { clear: clears.clear, to: next.server.at }, next, broken);
        }
    }

    /// The promise: what was read from the database before this is outdated from now on.
    fn outdate(&self, world: &mut World, clear: Clear) {
        let tags = self.scenario.tags;
        let outdate = |marks: &mut Marks, key: usize, auto: bool| {
            let is_concerned = clear.root
                || tags[key] & clear.tags != 0
                || clear.key.is_some_and(|of| usize::from(of) == key);
            let mark = match clear.kind {
                Invalidation::Hard => Outdated::Hard,
                Invalidation::Soft if auto => Outdated::Soft,
                Invalidation::Soft => Outdated::No,
            };
            if is_concerned {
                marks.now = marks.now.max(mark);
            }
        };
        for (key, entry) in world.server.entries.iter_mut().enumerate() {
            if let Some(entry) = entry {
                outdate(&mut entry.marks, key, entry.auto);
            }
        }
        for (process, config) in world.processes.iter_mut().zip(&self.scenario.processes) {
            for miss in process.misses.iter_mut().flatten() {
                let reader = config.readers[usize::from(miss.reader)];
                outdate(&mut miss.marks, usize::from(reader.key), reader.auto);
            }
            process.misses.sort_unstable();
        }
    }
}
