//! What goes wrong, and what must hold in spite of it.

use crate::scenario::{Clock, Failover};
use crate::search::Broken;
use crate::server::{Entry, Log, Marks};
use crate::terms::{Point, members_of, places};
use crate::world::{Action, Connection, Explored, Message, Outcome, Process, Replica, World};

/// When a read was sent whose server is lost: no set follows its miss.
pub const LOST: u8 = u8::MAX;

fn forget_misses(process: &mut Process) {
    process.misses = Default::default();
    for message in process.messages.iter_mut().flatten() {
        match message {
            Message::Read(batch)
            | Message::Delta { batch, .. }
            | Message::LookUp { batch, .. }
            | Message::Begin { batch, .. } => batch.since = LOST,
            Message::Advance(_) => {}
        }
    }
}

impl Explored<'_> {
    pub fn losses(&self, world: &World, add: &mut dyn FnMut(Action, World, Broken)) {
        if world.left.epochs > 0 && world.server.at != Point::NONE {
            let mut next = *world;
            next.left.epochs -= 1;
            next.server.at = Point::NONE;
            add(Action::EvictsEpoch, next, None);
        }
        if world.left.logs > 0 && world.server.log.is_some() {
            let mut next = *world;
            next.left.logs -= 1;
            next.server.log = None;
            add(Action::EvictsLog, next, None);
        }
        for key in 0..world.server.entries.len() {
            if world.left.entries > 0 && world.server.entries[key].is_some() {
                let mut next = *world;
                next.left.entries -= 1;
                next.server.entries[key] = None;
                add(Action::EvictsEntry, next, None);
            }
        }
        if world.left.fences > 0 && world.server.fences.is_some() {
            let mut next = *world;
            next.left.fences -= 1;
            next.server.fences = None;
            add(Action::EvictsFences, next, None);
        }
        match world.replica {
            Replica::Follows => {
                let mut next = *world;
                next.replica = Replica::Stands(next.server);
                self.marks(&mut next, |marks| marks.at_snapshot = marks.now);
                add(Action::ReplicaStands, next, None);
            }
            Replica::Stands(server) if server.at != world.server.at => {
                let known_to = |process: &Process| self.tables.known_to(process.table);
                let readers = || world.processes.iter().zip(&self.scenario.processes);
                let slowest =
                    readers().filter(|(_, config)| config.slots > 0).map(|(process, _)| known_to(process));
                let below = slowest.min().unwrap_or_default();
                if self.scenario.failover == Failover::Hidden && below <= server.at {
                    return;
                }
                let mut next = *world;
                next.server = server;
                next.server.clock = world.server.clock;
                next.replica = match self.scenario.failover {
                    Failover::Hidden => Replica::Reigns { below: below.n },
                    _ => Replica::Not,
                };
                // Clears that nobody remembers are promised no longer.
                self.marks(&mut next, |marks| *marks = Marks { now: marks.at_snapshot, ..Marks::default() });
                for process in 0..next.processes.len() {
                    if self.scenario.failover != (Failover::Seen { sets: true }) {
                        forget_misses(&mut next.processes[process]);
                    }
                    if self.scenario.failover != Failover::Hidden {
                        self.disconnect(&mut next, process);
                    }
                }
                add(Action::FailsOver { to: server.at }, next, None);
            }
            _ => {}
        }
    }

    /// Of everything that was read from the database and is still somewhere.
    fn marks(&self, world: &mut World, mut change: impl FnMut(&mut Marks)) {
        let mut of_entry = |entry: &mut Option<Entry>| {
            if let Some(entry) = entry {
                change(&mut entry.marks);
            }
        };
        if let Replica::Stands(_) = world.replica {
            world.server.entries.iter_mut().for_each(&mut of_entry);
        }
        for process in &mut world.processes {
            for message in process.messages.iter_mut().flatten() {
                match message {
                    Message::Read(batch) | Message::Delta { batch, .. } | Message::LookUp { batch, .. } => {
                        of_entry(&mut batch.entry);
                    }
                    Message::Begin { .. } | Message::Advance(_) => {}
                }
            }
        }
        for process in &mut world.processes {
            process.misses.iter_mut().flatten().for_each(|miss| change(&mut miss.marks));
            process.misses.sort_unstable();
        }
    }

    /// Whether anything that is valid, or under way, and can still live becomes invalid by a floor at this number.
    pub fn takes_what_lives(&self, world: &World, log: &Log, upto: u8) -> bool {
        let Clock::Ticks { under_way, .. } = self.scenario.clock else { return false };
        let server = &world.server;
        let is_valid = |at: Point, key: usize, auto: bool| {
            let members = members_of(self.scenario.tags[key], auto);
            at.generation == server.at.generation
                && at.n >= log.floor
                && places(members).all(|place| log.scores[place] <= at.n)
        };
        let is_taken = |at: Point, key: usize, auto: bool| at.n < upto && is_valid(at, key, auto);
        let mut entries = server.entries.iter().enumerate();
        let takes_entry =
            entries.any(|(key, entry)| entry.is_some_and(|entry| is_taken(entry.at, key, entry.auto)));
        let takes_miss = world.processes.iter().zip(&self.scenario.processes).any(|(process, config)| {
            process.misses.iter().flatten().any(|miss| {
                let reader = config.readers[usize::from(miss.reader)];
                server.clock <= miss.since + under_way
                    && is_taken(miss.at, usize::from(reader.key), reader.auto)
            })
        });
        takes_entry || takes_miss
    }

    /// Everything on its way comes to its end; the last that was taken by this process.
    fn settle(&self, world: &mut World, process: usize) -> Option<Outcome> {
        let mut last = None;
        loop {
            let of = &world.processes[process];
            if of.connection != Connection::Up {
                self.connect(world, process);
            } else if let Some(at) = of.unanswered() {
                self.answer(world, process, at);
            } else if let Some(message) = world.processes[process].take(0) {
                last = Some(self.take(world, process, message).0);
            } else {
                return last;
            }
        }
    }

    /// Nothing is cleared or lost any more: then every reader hits after a few sets.
    pub fn comes_to_hits(&self, world: &World) -> bool {
        const SETS: usize = 3;
        let mut world = *world;
        for process in 0..world.processes.len() {
            self.settle(&mut world, process);
            while world.processes[process].misses[0].is_some() || world.processes[process].misses[1].is_some()
            {
                let at = usize::from(world.processes[process].misses[0].is_none());
                self.set(&mut world, process, at);
            }
        }
        let of = |process: usize| self.scenario.processes[process].readers;
        (0..world.processes.len()).all(|process| {
            (0..of(process).len()).all(|reader| {
                for _ in 0..=SETS {
                    let read = self.read(&world, process, reader);
                    world.processes[process].send(read);
                    if let Some(Outcome::Hit { .. }) = self.settle(&mut world, process) {
                        return true;
                    }
                    if let Some(at) = world.processes[process].misses.iter().position(Option::is_some) {
                        self.set(&mut world, process, at);
                    }
                }
                false
            })
        })
    }
}
