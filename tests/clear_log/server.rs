//! The server: what the scripts do (src/store/redis/scripts), each in one step.

use crate::rules::Rule;
use crate::scenario::{Clock, Scenario};
use crate::terms::{
    Advance, Clear, Delta, KEYS, LookUp, MEMBERS, Outdated, Point, Scores, members_of, places,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Log {
    pub floor: u8,
    /// Of the member that names the generation, and its score.
    pub generation: u8,
    pub advance: u8,
    pub scores: Scores,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fences {
    floor: Point,
    /// 0 = there is none.
    keys: [u8; KEYS],
}

/// How outdated, and how outdated it was when the replica fell behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marks {
    pub now: Outdated,
    pub at_snapshot: Outdated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub at: Point,
    pub auto: bool,
    pub marks: Marks,
    /// When it expires; 0 = time stands still.
    pub ends: u8,
}

/// What happened in the present generation, evicted or not: no part of the server, but what it is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    cleared: Scores,
    floor: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Server {
    pub at: Point,
    pub clock: u8,
    pub log: Option<Log>,
    pub entries: [Option<Entry>; KEYS],
    pub fences: Option<Fences>,
    pub history: History,
    generations: u8,
}

/// What a clear did.
#[derive(Clone, Copy, Debug)]
pub struct Cleared {
    pub advance: Advance,
    /// The log before it was trimmed by age, and up to where.
    pub aged: Option<(Log, u8)>,
}

impl Server {
    pub fn first(scenario: &Scenario) -> Self {
        let mut server = Server { clock: 1, ..Server::default() };
        server.begin(scenario);
        server
    }

    fn time(&self, scenario: &Scenario) -> u8 {
        match scenario.clock {
            Clock::Behind => 1,
            Clock::Ahead => self.clock + 1,
            Clock::Ticks { .. } => self.clock,
        }
    }

    /// When something is now; 0 = time stands still.
    pub fn now(&self, scenario: &Scenario) -> u8 {
        if let Clock::Ticks { .. } = scenario.clock { self.clock } else { 0 }
    }

    pub fn tick(&mut self) {
        self.clock += 1;
        let clock = self.clock;
        for entry in &mut self.entries {
            *entry = entry.filter(|entry| entry.ends > clock);
        }
    }

    fn moved_to(&mut self, n: u8, scenario: &Scenario) {
        self.at.n = n;
        if scenario.clock == Clock::Ahead {
            self.clock = self.clock.max(n);
        }
    }

    /// Whether it began a generation.
    pub fn begin(&mut self, scenario: &Scenario) -> bool {
        if self.at != Point::NONE {
            return false;
        }
        self.generations += 1;
        self.at.generation = self.generations;
        self.moved_to(self.time(scenario), scenario);
        let Point { generation, n } = self.at;
        self.log = Some(Log { floor: n, generation, advance: n, scores: [0; MEMBERS] });
        self.history = History::default();
        true
    }

    /// The script of that name, which makes sure that there are fences, too.
    pub fn begin_script(&mut self, scenario: &Scenario) -> Point {
        self.begin(scenario);
        if scenario.has_fences() {
            self.fences();
        }
        self.at
    }

    fn has_log(&self, scenario: &Scenario) -> bool {
        self.log.is_some_and(|log| {
            log.generation == self.at.generation || !scenario.has(Rule::LogNamesGeneration)
        })
    }

    fn advance(&mut self, newest: u8, scenario: &Scenario) -> u8 {
        let before = self.at.n;
        let time = if scenario.has(Rule::AdvancePassesClock) { self.time(scenario) } else { 0 };
        let n = (before + 1).max(time).max(newest + 1);
        self.moved_to(n, scenario);
        let floor = match (self.log, scenario.has(Rule::LostLogBeginsAtNumberBefore)) {
            (Some(log), false) => log.floor,
            (None, false) => 1,
            (_, true) => before,
        };
        if !self.has_log(scenario) {
            self.log = Some(Log { floor, generation: 0, advance: 0, scores: [0; MEMBERS] });
        }
        if let Some(log) = &mut self.log {
            (log.generation, log.advance) = (self.at.generation, n);
        }
        before
    }

    pub fn clear(&mut self, clear: Clear, newest: u8, scenario: &Scenario) -> Cleared {
        if let Some(key) = clear.key {
            self.entries[usize::from(key)] = None;
        }
        let advance = |server: &Server, before| Advance {
            to: server.at,
            before,
            members: clear.members(),
            raises_floor: clear.raises_floor(),
        };
        if self.begin(scenario) {
            return Cleared { advance: advance(self, 0), aged: None };
        }
        let before = self.advance(newest, scenario);
        if let Some(key) = clear.key.filter(|_| scenario.has(Rule::ClearRaisesFence)) {
            self.raise_fence(usize::from(key));
        }
        let n = self.at.n;
        let mut aged = None;
        if let Some(mut log) = self.log {
            places(clear.members()).for_each(|place| log.scores[place] = n);
            if clear.raises_floor() {
                log.scores = [0; MEMBERS];
                if scenario.has(Rule::HardRootClearRaisesFloor) {
                    log.floor = n;
                }
            }
            aged = log.trim(n, scenario);
            self.log = Some(log);
            if scenario.checks_refusals {
                places(clear.members()).for_each(|place| self.history.cleared[place] = n);
                self.history.floor = self.history.floor.max(log.floor);
            }
        }
        Cleared { advance: advance(self, before), aged }
    }

    /// Whether a clear or a trim since its epoch made an entry worth nothing.
    pub fn has_ended(&self, at: Point, tags: u8, auto: bool) -> bool {
        at.generation != self.at.generation
            || at.n < self.history.floor
            || places(members_of(tags, auto)).any(|place| self.history.cleared[place] > at.n)
    }

    fn fences(&mut self) -> Fences {
        let present = self.at;
        match self.fences {
            Some(fences) if fences.floor.generation == present.generation => fences,
            _ => *self.fences.insert(Fences { floor: present, keys: [0; KEYS] }),
        }
    }

    fn raise_fence(&mut self, key: usize) {
        let mut fences = self.fences();
        fences.keys[key] = self.at.n;
        self.fences = Some(fences);
    }

    /// Whether the entry was stored.
    pub fn set(&mut self, key: usize, mut entry: Entry, is_guarded: bool, scenario: &Scenario) -> bool {
        if entry.at != self.at {
            if scenario.has(Rule::SomebodyBegins) {
                self.begin(scenario);
            }
            let fence = match scenario.has_fences() {
                true if self.fences.is_none() && !scenario.has(Rule::LostFencesRefuse) => 0,
                true => {
                    let Fences { floor, keys } = self.fences();
                    floor.n.max(keys[key])
                }
                false => 0,
            };
            let is_of_this_history = entry.at.generation == self.at.generation && entry.at.n <= self.at.n;
            if is_guarded && (!is_of_this_history || entry.at.n < fence) {
                return false;
            }
            if !is_guarded || !scenario.has(Rule::SetGoesByItsMiss) {
                entry.at = self.at;
            }
        }
        self.entries[key] = Some(entry);
        true
    }

    /// `generation`: of whom is asking.
    pub fn delta(&self, generation: u8, after: Option<u8>, scenario: &Scenario) -> Delta {
        let Some(log) = self.log else { return Delta::default() };
        let is_newer = |score: u8| score > 0 && after.is_none_or(|after| score > after);
        let mut ranked: Vec<(u8, usize)> = log.ranked().filter(|(score, _)| is_newer(*score)).collect();
        ranked.sort_unstable();
        let limit = usize::from(scenario.limit);
        let mut delta = Delta {
            is_cut: ranked.len() >= limit && scenario.has(Rule::CutDeltaIsUnusable),
            ..Delta::default()
        };
        for (score, rank) in ranked.into_iter().take(limit) {
            match rank {
                Log::FLOOR => delta.floor = if scenario.has(Rule::DeltaTellsFloor) { score } else { 0 },
                Log::ADVANCE => (delta.generation, delta.advance) = (log.named(generation, scenario), score),
                member => delta.scores[member - Log::FIRST] = score,
            }
        }
        delta
    }

    /// One more step of a look-up in this generation; whether it was the last. One command asks for all members, and then for
    /// what tells whether they mean anything; without it each is a step of its own.
    pub fn look_up(&self, generation: u8, steps: u8, found: &mut LookUp, scenario: &Scenario) -> bool {
        let members = |found: &mut LookUp| {
            for place in places(found.wanted) {
                found.scores[place] = self.log.map_or(0, |log| log.scores[place]);
            }
        };
        let rest = |found: &mut LookUp| {
            let own = self.log.filter(|log| log.named(generation, scenario) == generation);
            found.is_there = own.is_some() || !scenario.has(Rule::LookUpNeedsTheLog);
            found.floor = self.log.map_or(0, |log| log.floor);
        };
        match (scenario.at_once, scenario.has(Rule::LookUpAsksMembersFirst)) {
            (true, _) => {
                members(found);
                rest(found);
                return true;
            }
            (false, in_order) if (steps == 0) == in_order => members(found),
            _ => rest(found),
        }
        steps == 1
    }
}

impl Log {
    const FLOOR: usize = 0;
    const ADVANCE: usize = 1;
    const FIRST: usize = 2;

    /// The generation that it names, to somebody of this one.
    fn named(&self, own: u8, scenario: &Scenario) -> u8 {
        if scenario.has(Rule::LogNamesGeneration) { self.generation } else { own }
    }

    /// Scores of what is there, and what they are of: as the server orders names of one score.
    fn ranked(&self) -> impl Iterator<Item = (u8, usize)> {
        let own = [(self.floor, Self::FLOOR), (self.advance, Self::ADVANCE)];
        let members = self.scores.into_iter().enumerate().map(|(place, score)| (score, Self::FIRST + place));
        own.into_iter().chain(members.filter(|(score, _)| *score > 0))
    }

    /// What it was, and up to where it was trimmed, if that was by age.
    fn trim(&mut self, n: u8, scenario: &Scenario) -> Option<(Log, u8)> {
        let before = *self;
        let mut aged = None;
        let ranks = |log: &Log| {
            let mut ranked: Vec<_> = log.ranked().collect();
            ranked.sort_unstable();
            ranked
        };
        if let Clock::Ticks { life, under_way, .. } = scenario.clock {
            let spared = if scenario.has(Rule::AgeTrimSparesWhatIsUnderWay) { under_way } else { 0 };
            let horizon = n.saturating_sub(life + spared);
            let oldest =
                ranks(self).into_iter().map(|(score, _)| score).take_while(|score| *score <= horizon);
            // The first is the floor.
            if let Some(last) = oldest.skip(1).last() {
                let upto = if scenario.has(Rule::AgeTrimEndsAtAClear) { last } else { horizon };
                self.cut(upto, scenario);
                aged = Some((before, upto));
            }
        }
        let ranked = ranks(self);
        let over = ranked.len().saturating_sub(Self::FIRST + usize::from(scenario.cap));
        if over > 0 {
            self.cut(ranked[over].0, scenario);
        }
        aged
    }

    fn cut(&mut self, upto: u8, scenario: &Scenario) {
        for score in self.scores.iter_mut().filter(|score| **score <= upto) {
            *score = 0;
        }
        if scenario.has(Rule::TrimRaisesFloor) {
            self.floor = upto;
        }
    }
}
