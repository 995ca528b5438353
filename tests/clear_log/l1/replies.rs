//! What a process makes of replies and messages, in their order, as src/store/redis/state.rs does; and what others do.

use super::rules::Rule;
use super::{By, CLEARS, Connection, Explored, Message, Miss, Process, Stage, Truth, World};
use crate::server::{Entry, Marks};
use crate::tables::{Answer, Question};
use crate::terms::{Advance, Clear, Point};
use cachalot::model::tag::{Clearance, Invalidation};

impl Process {
    /// Nobody knows what changed.
    fn all_changed(&mut self) {
        self.kept = None;
        if let Some(read) = &mut self.read {
            read.is_outdated = true;
        }
    }

    fn key_changed(&mut self) {
        self.all_changed();
    }

    /// `of_root`: everything carries it, and its counter is taken with the key's.
    fn tags_changed(&mut self, is_own: bool, of_root: bool) {
        if is_own || of_root {
            self.kept = None;
        }
        if let Some(read) = &mut self.read {
            read.tags_moved = true;
            read.is_outdated |= of_root;
        }
    }
}

impl Explored<'_> {
    fn ask(&self, world: &mut World, question: Question) -> Answer {
        self.tables.ask(&mut world.process.table, question)
    }

    /// The greeting, all of it.
    pub fn connect(&self, world: &mut World) {
        let scenario = &self.setup.scenario;
        let at = world.server.begin_script(scenario);
        world.process.connection = Connection::Up;
        world.names_key = false;
        self.observe_epoch(&mut world.process, at);
        let log = world.server.delta(at.generation, None, scenario);
        self.ask(world, Question::Start(at, log));
    }

    pub fn disconnect(&self, world: &mut World) {
        self.ask(world, Question::Forget);
        let process = &mut world.process;
        process.connection = Connection::Down;
        process.messages = Default::default();
        process.heard = Point::NONE;
        process.is_setting = false;
        process.asks_epoch = false;
        if process.read.is_some_and(|read| read.stage != Stage::Judged) {
            process.read = None;
        }
        if self.setup.has(Rule::LostConnectionEndsAll) {
            process.all_changed();
        }
    }

    fn observe_epoch(&self, process: &mut Process, at: Point) {
        let Process { heard, .. } = *process;
        if at == Point::NONE {
            if self.setup.has(Rule::MissingEpochEndsAll) {
                process.heard = Point::NONE;
                process.all_changed();
            }
            return;
        }
        let is_same = heard.generation == at.generation || !self.setup.has(Rule::GenerationEndsAll);
        let is_heard = heard == Point::NONE || is_same && heard.n == at.n;
        if !is_heard && self.setup.has(Rule::UnheardEpochEndsAll) {
            process.all_changed();
        }
        process.heard = at;
    }

    fn observe_advance(&self, world: &mut World, advance: &Advance) {
        self.ask(world, Question::Advance(*advance));
        self.hear(&mut world.process, advance);
        // What a reply tells was told before.
        self.observe_epoch(&mut world.process, advance.to);
    }

    fn hear(&self, process: &mut Process, advance: &Advance) {
        let Advance { to, before, .. } = *advance;
        let is_same = process.heard.generation == to.generation || !self.setup.has(Rule::GenerationEndsAll);
        if is_same && to.n <= process.heard.n {
            return;
        }
        if is_same && before == process.heard.n || !self.setup.has(Rule::GapEndsAll) {
            self.tags_end(process, advance);
        } else {
            process.all_changed();
        }
        process.heard = to;
    }

    fn tags_end(&self, process: &mut Process, advance: &Advance) {
        if self.setup.has(Rule::MessageEndsTags) && (advance.members > 0 || advance.raises_floor) {
            let is_own = advance.members & self.setup.scenario.tags[0] != 0;
            process.tags_changed(is_own, advance.raises_floor);
        }
    }

    pub fn take(&self, world: &mut World, message: Message) {
        let now = world.now;
        match message {
            Message::Published { clear, advance } => {
                self.observe_advance(world, &advance);
                world.process.known |= clear.map_or(0, |clear| 1 << clear);
            }
            Message::Cleared { clear, advance } => {
                if self.setup.has(Rule::OwnClearCounts) {
                    self.observe_advance(world, &advance);
                }
                world.process.known |= 1 << clear;
            }
            Message::KeyChanged { write } => {
                if self.setup.has(Rule::KeyMessageEndsKey) {
                    world.process.key_changed();
                }
                world.process.known_write = world.process.known_write.max(write);
            }
            Message::Stored { write } => {
                world.process.is_setting = false;
                if self.setup.has(Rule::OwnSetCounts) {
                    world.process.key_changed();
                }
                world.process.known_write = world.process.known_write.max(write);
            }
            Message::Other { sent } => {
                if !self.setup.has(Rule::AnswerTellsEpoch) {
                    self.answered(&mut world.process, sent, now);
                }
            }
            Message::Epoch { at, sent } => {
                world.process.asks_epoch = false;
                if self.setup.has(Rule::QuestionTellsEpoch) {
                    self.observe_epoch(&mut world.process, at);
                }
                if at != Point::NONE {
                    self.answered(&mut world.process, sent, now);
                }
            }
            reply => self.take_read(world, reply),
        }
    }

    fn answered(&self, process: &mut Process, sent: u8, now: u8) {
        process.last_heard = if self.setup.has(Rule::LeaseCountsFromSending) { sent } else { now };
    }

    fn take_read(&self, world: &mut World, reply: Message) {
        let Some(read) = world.process.read else { return };
        let question = match reply {
            Message::Delta(delta) => Question::Delta(read.at, delta),
            Message::LookUp(found) => Question::LookUp(read.at, found),
            Message::Begun(at) => return self.end_read(world, Some(at)),
            _ => Question::Epoch(read.at),
        };
        let answer = self.ask(world, question);
        if let Question::Epoch(at) = question {
            self.observe_epoch(&mut world.process, at);
        }
        match answer {
            Answer::Behind { after } => return self.goes_on(world, Stage::Delta { after, is_sent: false }),
            Answer::Unusable if read.at == Point::NONE => {
                return self.goes_on(world, Stage::Begin { is_sent: false });
            }
            Answer::Unusable => {
                let at = matches!(question, Question::LookUp(..)).then_some(read.at);
                return self.end_read(world, at);
            }
            _ => {}
        }
        let Some(value) = read.value else { return self.end_read(world, Some(read.at)) };
        let tags = self.setup.scenario.tags[0];
        let verdict = self.ask(world, Question::Judge { at: value.at, auto: false, tags });
        match (verdict, question) {
            (Answer::Known(Clearance::None), _) => {
                let now = world.now;
                self.answered(&mut world.process, read.sent, now);
                self.goes_on(world, Stage::Judged);
            }
            (Answer::Unknown(wanted), Question::Epoch(_) | Question::Delta(..)) => {
                self.goes_on(world, Stage::LookUp { wanted, is_sent: false });
            }
            _ => self.end_read(world, Some(read.at)),
        }
        if let Question::LookUp(..) = question {
            self.ask(world, Question::Bound);
        }
    }

    fn goes_on(&self, world: &mut World, stage: Stage) {
        if let Some(read) = &mut world.process.read {
            read.stage = stage;
        }
    }

    /// A miss; without an epoch no set follows it.
    fn end_read(&self, world: &mut World, at: Option<Point>) {
        let now = world.now;
        if let Some(read) = world.process.read.take() {
            self.answered(&mut world.process, read.sent, now);
        }
        world.process.miss = at.map(|at| Miss { at, outdated: 0 });
    }

    /// Whether it was stored; `None`: there is no room for the reply.
    pub fn set(&self, world: &mut World, Miss { at, outdated }: Miss) -> Option<bool> {
        let scenario = &self.setup.scenario;
        world.process.miss = None;
        let question = Question::HasCleared { at, auto: false, tags: scenario.tags[0] };
        if self.ask(world, question) != Answer::Known(Clearance::None) {
            return Some(false);
        }
        let entry = Entry { at, auto: false, marks: Marks::default(), ends: 0 };
        let was = world.server.at;
        let is_stored = world.server.set(0, entry, true, scenario);
        if was == Point::NONE && world.server.at != was && !self.publishes_begin(world) {
            return None;
        }
        if is_stored {
            self.written(world, outdated);
        }
        world.process.is_setting = true;
        let write = if is_stored { world.writes } else { 0 };
        world.process.sent(Message::Stored { write }).then_some(is_stored)
    }

    /// The key has a new entry.
    pub fn written(&self, world: &mut World, outdated: u8) {
        world.writes += 1;
        let now = world.now;
        self.each_truth(world, |truth| {
            truth.replaced = if truth.replaced == 0 { now + 1 } else { truth.replaced }
        });
        world.truth = Truth { outdated, write: world.writes, replaced: 0 };
        world.names_key = world.process.connection == Connection::Up;
    }

    fn each_truth(&self, world: &mut World, mut change: impl FnMut(&mut Truth)) {
        change(&mut world.truth);
        let read = world.process.read.iter_mut().filter_map(|read| read.value.as_mut());
        read.chain(&mut world.process.kept).for_each(|value| change(&mut value.truth));
    }

    /// A clear, and whether there was room for what is sent of it.
    pub fn cleared(&self, world: &World, number: usize, is_published: bool) -> (World, bool) {
        let (setup, scenario) = (self.setup, &self.setup.scenario);
        let mut next = *world;
        let Clear { tags, root, .. } = scenario.clears[number].clear;
        next.left.clears |= 1 << number;
        if tags & scenario.tags[0] != 0 || root {
            self.each_truth(&mut next, |truth| truth.outdated |= 1 << number);
            next.process.miss =
                next.process.miss.map(|miss| Miss { outdated: miss.outdated | 1 << number, ..miss });
        }
        debug_assert!(number < CLEARS);
        next.cleared_at[number] = world.now;
        let advance = next.server.clear(scenario.clears[number].clear, 0, scenario).advance;
        let clear = number as u8;
        let published = Message::Published { clear: Some(clear), advance: self.published(&next, advance) };
        let mut messages = vec![];
        if is_published && setup.publishes {
            messages.push(published);
        }
        match setup.by[number] {
            By::Own => messages.push(Message::Cleared { clear, advance }),
            By::Neighbour => next.process.clears = Some(clear),
            By::Another => {}
        }
        if !setup.message_first {
            messages.reverse();
        }
        let has_room = messages.into_iter().all(|message| next.process.sent(message));
        (next, has_room)
    }

    fn published(&self, world: &World, advance: Advance) -> Advance {
        if advance.before == 0 {
            return Advance { members: 0, raises_floor: true, ..advance };
        }
        let left = |place: usize| world.server.log.is_some_and(|log| log.scores[place] == advance.to.n);
        let members =
            crate::terms::places(advance.members).filter(|place| left(*place)).map(|place| 1 << place);
        match self.setup.has(Rule::MessageNamesMembersOfCall) {
            true => advance,
            false => Advance { members: members.sum(), ..advance },
        }
    }

    /// The clear over another connection of this process resolves.
    pub fn resolve(&self, world: &mut World, clear: u8) {
        let Clear { tags, root, kind, .. } = self.setup.scenario.clears[usize::from(clear)].clear;
        debug_assert_eq!(kind, Invalidation::Hard);
        world.process.clears = None;
        world.process.known |= 1 << clear;
        if self.setup.has(Rule::NeighbourCounts) {
            let is_own = tags & self.setup.scenario.tags[0] != 0;
            world.process.tags_changed(is_own, root);
        }
    }

    /// Begins a generation if there is none, which is published.
    pub fn begin(&self, world: &mut World) -> bool {
        let began = world.server.at == Point::NONE;
        let at = world.server.begin_script(&self.setup.scenario);
        let has_room = !began || self.publishes_begin(world);
        has_room && world.process.sent(Message::Begun(at))
    }

    /// Tells that somebody began a generation; false: there is no room.
    fn publishes_begin(&self, world: &mut World) -> bool {
        let advance = Advance { to: world.server.at, before: 0, members: 0, raises_floor: true };
        !self.setup.publishes || world.process.sent(Message::Published { clear: None, advance })
    }
}
