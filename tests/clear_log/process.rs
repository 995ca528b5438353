//! A process: what it does with replies, in their order, as src/store/redis/reads.rs does; and what it sets.

use crate::losses::LOST;
use crate::rules::Rule;
use crate::scenario::{Clock, Failover, Reader};
use crate::search::Broken;
use crate::server::{Entry, Marks};
use crate::tables::{Answer, Question};
use crate::terms::{Clear, LookUp, Outdated, Point};
use crate::world::{Batch, Connection, Explored, Message, Miss, Outcome, World};
use cachalot::model::tag::{Clearance, Invalidation};

impl Explored<'_> {
    fn ask(&self, world: &mut World, process: usize, question: Question) -> Answer {
        self.tables.ask(&mut world.processes[process].table, question)
    }

    fn reader(&self, process: usize, reader: u8) -> Reader {
        self.scenario.processes[process].readers[usize::from(reader)]
    }

    /// One step of the greeting.
    pub fn connect(&self, world: &mut World, process: usize) {
        let scenario = self.scenario;
        match world.processes[process].connection {
            Connection::Down => {
                let at = world.server.begin_script(scenario);
                world.processes[process].connection = Connection::Greeting(at);
            }
            Connection::Greeting(at) => {
                world.processes[process].connection = Connection::Up;
                let newest = world.processes[process].newest;
                if newest.generation == at.generation && newest.n > at.n {
                    // The server forgot clears: which ones nobody knows.
                    let everything = Clear::root(Invalidation::Hard);
                    let cleared = world.server.clear(everything, newest.n, scenario);
                    return self.saw(world, process, cleared.advance.to);
                }
                let log = world.server.delta(at.generation, None, scenario);
                self.ask(world, process, Question::Start(at, log));
                self.saw(world, process, at);
            }
            Connection::Up => {}
        }
    }

    fn saw(&self, world: &mut World, process: usize, at: Point) {
        let newest = &mut world.processes[process].newest;
        if matches!(self.scenario.failover, Failover::Seen { .. }) && at != Point::NONE {
            *newest = if newest.generation == at.generation { (*newest).max(at) } else { at };
        }
    }

    pub fn disconnect(&self, world: &mut World, process: usize) {
        if self.scenario.has(Rule::ConnectionEndsTable) {
            self.ask(world, process, Question::Forget);
        }
        let process = &mut world.processes[process];
        process.messages = Default::default();
        process.connection = if self.scenario.greets { Connection::Down } else { Connection::Up };
    }

    /// The server answers a question, or a step of it.
    pub fn answer(&self, world: &mut World, process: usize, at: usize) {
        let (server, scenario) = (&mut world.server, self.scenario);
        match &mut world.processes[process].messages[at] {
            Some(Message::Delta { batch, after, answer }) => {
                *answer = Some(server.delta(batch.at.generation, Some(*after), scenario));
            }
            Some(Message::LookUp { batch, steps, is_answered, found }) => {
                *is_answered = server.look_up(batch.at.generation, *steps, found, scenario);
                *steps += 1;
            }
            Some(Message::Begin { answer, .. }) => *answer = Some(server.begin_script(scenario)),
            Some(Message::Read(_) | Message::Advance(_)) | None => {}
        }
    }

    /// A reply is taken.
    pub fn take(&self, world: &mut World, process: usize, message: Message) -> (Outcome, Broken) {
        match message {
            Message::Read(batch) => {
                self.saw(world, process, batch.at);
                match self.ask(world, process, Question::Epoch(batch.at)) {
                    Answer::Behind { after } if self.scenario.has(Rule::MovedEpochAsksForDelta) => {
                        world.processes[process].send(Message::Delta { batch, after, answer: None });
                        (Outcome::Asks, None)
                    }
                    Answer::Unusable
                        if batch.at == Point::NONE && self.scenario.has(Rule::SomebodyBegins) =>
                    {
                        world.processes[process].send(Message::Begin { batch, answer: None });
                        (Outcome::Asks, None)
                    }
                    // A miss without an epoch: its set will be refused.
                    Answer::Unusable => (Outcome::Miss, None),
                    _ => self.judge(world, process, batch, true),
                }
            }
            Message::Delta { batch, answer, .. } => {
                let question = Question::Delta(batch.at, answer.unwrap_or_default());
                match self.ask(world, process, question) {
                    Answer::Complete => self.judge(world, process, batch, true),
                    _ => (Outcome::Miss, None),
                }
            }
            Message::LookUp { batch, found, .. } => {
                let taken = match self.ask(world, process, Question::LookUp(batch.at, found)) {
                    Answer::Complete => self.judge(world, process, batch, false),
                    _ => self.miss(world, process, batch),
                };
                self.ask(world, process, Question::Bound);
                taken
            }
            Message::Begin { batch, answer } => {
                self.miss(world, process, Batch { at: answer.unwrap_or_default(), ..batch })
            }
            Message::Advance(advance) => {
                self.ask(world, process, Question::Advance(advance));
                self.saw(world, process, advance.to);
                (Outcome::Advance, None)
            }
        }
    }

    fn judge(&self, world: &mut World, process: usize, batch: Batch, may_look_up: bool) -> (Outcome, Broken) {
        let Some(entry) = batch.entry else { return self.miss(world, process, batch) };
        let Reader { key, .. } = self.reader(process, batch.reader);
        let tags = self.scenario.tags[usize::from(key)];
        let question = Question::Judge { at: entry.at, auto: entry.auto, tags };
        let hit = || {
            let is_outdated = entry.marks.now != Outdated::No;
            (Outcome::Hit { at: entry.at }, is_outdated.then_some("a hit of outdated data"))
        };
        match self.ask(world, process, question) {
            Answer::Known(Clearance::None) => hit(),
            Answer::Known(Clearance::Soft) if entry.marks.now == Outdated::Hard => {
                (Outcome::Miss, Some("ended data given as stale"))
            }
            Answer::Unknown(wanted) if may_look_up && self.scenario.has(Rule::UnknownIsLookedUp) => {
                let found = LookUp { wanted, ..LookUp::default() };
                let look_up = Message::LookUp { batch, steps: 0, is_answered: false, found };
                world.processes[process].send(look_up);
                (Outcome::Asks, None)
            }
            Answer::Unknown(_) if may_look_up => hit(),
            _ => self.miss(world, process, batch),
        }
    }

    /// The caller reads the database now.
    fn miss(&self, world: &mut World, process: usize, batch: Batch) -> (Outcome, Broken) {
        let Batch { reader, at, since, .. } = batch;
        if since != LOST {
            world.processes[process].miss(Miss { reader, at, marks: Marks::default(), since });
        }
        (Outcome::Miss, None)
    }

    /// Sets what was read after a miss; whether it was stored.
    pub fn set(&self, world: &mut World, process: usize, at: usize) -> (bool, Broken) {
        let misses = &mut world.processes[process].misses;
        let Some(Miss { reader, at, marks, since }) = misses[at].take() else { return (false, None) };
        misses.sort_unstable();
        let Reader { key, auto } = self.reader(process, reader);
        let (key, tags) = (usize::from(key), self.scenario.tags[usize::from(key)]);
        if self.ask(world, process, Question::HasCleared { at, auto, tags }) != Answer::Known(Clearance::None)
        {
            let is_of_use = self.scenario.checks_refusals && !world.server.has_ended(at, tags, auto);
            return (false, is_of_use.then_some("a set was refused that would have been of use"));
        }
        let ends = match self.scenario.clock {
            // The miss is forgotten.
            Clock::Ticks { under_way, .. } if world.server.clock > since + under_way => return (false, None),
            Clock::Ticks { life, .. } => world.server.clock + life,
            _ => 0,
        };
        (world.server.set(key, Entry { at, auto, marks, ends }, true, self.scenario), None)
    }
}
