//! The steps of a search.

use super::rules::Rule;
use super::{Action, By, Connection, Explored, Left, Message, Process, Read, Stage, Truth, Value, World};
use crate::search::{Broken, Model, Step};
use crate::server::{Entry, Marks, Server};
use crate::terms::{LookUp, Point};

impl Model for Explored<'_> {
    type State = World;
    type Action = Action;

    fn first(&self) -> World {
        let (setup, scenario) = (self.setup, &self.setup.scenario);
        let mut server = Server::first(scenario);
        let at = server.at;
        server.entries[0] = Some(Entry { at, auto: false, marks: Marks::default(), ends: 0 });
        let left = Left {
            clears: 0,
            writes: setup.writes,
            lost_messages: setup.lost_messages,
            silences: setup.silences,
            reconnects: scenario.reconnects,
            questions: setup.questions,
            others: setup.others,
            epochs: scenario.epoch_evictions,
            logs: scenario.log_evictions,
        };
        let mut world = World {
            server,
            truth: Truth::default(),
            writes: 0,
            names_key: false,
            now: 0,
            cleared_at: Default::default(),
            process: Process::default(),
            left,
        };
        self.connect(&mut world);
        world
    }

    fn check(&self, world: &World) -> Broken {
        self.served(world).flatten()
    }

    /// Where something can be served.
    fn is_of_interest(&self, action: &Action) -> bool {
        matches!(action, Action::Keeps { is_kept: true })
    }

    fn steps(&self, world: &World, steps: &mut Vec<Step<Self>>) {
        let mut add = |action, next| steps.push(Step { action, next, broken: None });
        let of = &world.process;
        if of.messages[0].is_some() {
            let mut next = *world;
            let message = next.process.next_message();
            self.take(&mut next, message);
            add(Action::Takes(message), next);
        }
        match of.connection {
            Connection::Up => self.connected(world, &mut add),
            Connection::Silent => {}
            Connection::Down => {
                let mut next = *world;
                self.connect(&mut next);
                add(Action::Connects, next);
            }
        }
        if of.connection == Connection::Silent || of.connection == Connection::Up && world.left.reconnects > 0
        {
            let mut next = *world;
            if of.connection == Connection::Up {
                next.left.reconnects -= 1;
            }
            self.disconnect(&mut next);
            add(Action::LosesConnection, next);
        }
        if of.read.is_some_and(|read| read.stage == Stage::Judged) {
            let mut next = *world;
            let is_kept = self.keep(&mut next);
            add(Action::Keeps { is_kept }, next);
        }
        self.elsewhere(world, &mut add);
    }
}

impl Process {
    pub fn next_message(&mut self) -> Message {
        let message = self.messages[0].take().unwrap();
        self.messages.rotate_left(1);
        message
    }

    /// What the server sends, if it comes. False: there is no room, so something must be taken first.
    pub fn sent(&mut self, message: Message) -> bool {
        if self.connection != Connection::Up {
            return true;
        }
        let place = self.messages.iter_mut().find(|place| place.is_none());
        place.is_some_and(|place| {
            *place = Some(message);
            true
        })
    }
}

/// Takes a step.
type Add<'s> = dyn FnMut(Action, World) + 's;

impl Explored<'_> {
    /// What is asked over the connection, each executed when it is sent or, where it follows from a reply, later.
    fn connected(&self, world: &World, add: &mut Add<'_>) {
        let of = &world.process;
        let waits = |stage: &Stage| match stage {
            Stage::Delta { is_sent, .. } | Stage::LookUp { is_sent, .. } | Stage::Begin { is_sent } => {
                !is_sent
            }
            Stage::Sent | Stage::Judged => false,
        };
        if of.read.is_some_and(|read| waits(&read.stage)) {
            let mut next = *world;
            if self.answer(&mut next) {
                add(Action::Answers, next);
            }
            return;
        }
        if of.read.is_none() && of.miss.is_none() && !of.is_setting {
            let mut next = *world;
            let entry = world.server.entries[0];
            next.process.read = Some(Read {
                stage: Stage::Sent,
                sent: world.now,
                at: world.server.at,
                value: entry.map(|entry| Value { at: entry.at, truth: world.truth }),
                is_outdated: false,
                tags_moved: false,
            });
            if next.process.sent(Message::Read) {
                add(Action::Reads { at: world.server.at }, next);
            }
        }
        if let Some(miss) = of.miss {
            let mut next = *world;
            if let Some(is_stored) = self.set(&mut next, miss) {
                add(Action::Sets { at: miss.at, is_stored }, next);
            }
        }
        if world.left.questions > 0 && !of.asks_epoch {
            let mut next = *world;
            next.left.questions -= 1;
            next.process.asks_epoch = true;
            if next.process.sent(Message::Epoch { at: world.server.at, sent: world.now }) {
                add(Action::AsksEpoch, next);
            }
        }
        if world.left.others > 0 {
            let mut next = *world;
            next.left.others -= 1;
            if next.process.sent(Message::Other { sent: world.now }) {
                add(Action::AsksOther, next);
            }
        }
        if world.left.silences > 0 {
            let mut next = *world;
            next.left.silences -= 1;
            next.process.connection = Connection::Silent;
            add(Action::FallsSilent, next);
        }
    }

    /// What happens on the server and in others.
    fn elsewhere(&self, world: &World, add: &mut Add<'_>) {
        for clear in 0..self.setup.by.len() {
            let is_possible = match self.setup.by[clear] {
                By::Own => world.process.connection == Connection::Up,
                By::Neighbour => world.process.clears.is_none(),
                By::Another => true,
            };
            if world.left.clears >> clear & 1 == 0 && is_possible {
                let (next, has_room) = self.cleared(world, clear, true);
                if has_room {
                    add(Action::Clears { clear, to: next.server.at, is_published: true }, next);
                }
                if world.left.lost_messages > 0 {
                    let (mut next, has_room) = self.cleared(world, clear, false);
                    next.left.lost_messages -= 1;
                    if has_room {
                        add(Action::Clears { clear, to: next.server.at, is_published: false }, next);
                    }
                }
            }
        }
        if let Some(clear) = world.process.clears {
            let mut next = *world;
            self.resolve(&mut next, clear);
            add(Action::Resolves { clear }, next);
        }
        if world.left.writes > 0 && world.server.at != Point::NONE {
            let mut next = *world;
            next.left.writes -= 1;
            let at = world.server.at;
            next.server.entries[0] = Some(Entry { at, auto: false, marks: Marks::default(), ends: 0 });
            self.written(&mut next, 0);
            add(Action::AnotherSets { write: next.writes }, next);
        }
        if world.names_key {
            let mut next = *world;
            next.names_key = false;
            if next.process.sent(Message::KeyChanged { write: world.writes }) {
                add(Action::NamesKey, next);
            }
        }
        if world.left.epochs > 0 && world.server.at != Point::NONE {
            let mut next = *world;
            next.left.epochs -= 1;
            next.server.at = Point::NONE;
            add(Action::EvictsEpoch, next);
        }
        if world.left.logs > 0 && world.server.log.is_some() {
            let mut next = *world;
            next.left.logs -= 1;
            next.server.log = None;
            add(Action::EvictsLog, next);
        }
        // A server's tick is short.
        if world.now < self.setup.until && !world.names_key {
            let mut next = *world;
            next.now += 1;
            add(Action::Ticks, next);
        }
    }

    /// The server answers what a reply has made necessary; false: there is no room.
    fn answer(&self, world: &mut World) -> bool {
        let scenario = &self.setup.scenario;
        let Some(read) = &mut world.process.read else { return false };
        let generation = read.at.generation;
        let message = match &mut read.stage {
            Stage::Delta { after, is_sent } => {
                *is_sent = true;
                Message::Delta(world.server.delta(generation, Some(*after), scenario))
            }
            Stage::LookUp { wanted, is_sent } => {
                *is_sent = true;
                let mut found = LookUp { wanted: *wanted, ..LookUp::default() };
                world.server.look_up(generation, 0, &mut found, scenario);
                Message::LookUp(found)
            }
            Stage::Begin { is_sent } => {
                *is_sent = true;
                return self.begin(world);
            }
            Stage::Sent | Stage::Judged => return false,
        };
        world.process.sent(message)
    }

    /// A kept value is stamped, and is what is served from now on.
    fn keep(&self, world: &mut World) -> bool {
        let Some(read) = world.process.read.take() else { return false };
        let is_outdated = read.is_outdated && self.setup.has(Rule::StampedBeforeSending);
        let tags_moved = read.tags_moved && self.setup.has(Rule::TagsWereNotCleared);
        if !is_outdated && !tags_moved {
            world.process.kept = read.value;
        }
        !is_outdated && !tags_moved
    }
}
