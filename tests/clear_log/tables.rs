//! The production table, asked through its own functions. States name a table by a number: equal ones are kept once, and each
//! is asked the same thing once, so that a search copies and hashes no table.

use crate::rules::Rule;
use crate::scenario::Scenario;
use crate::sketch::Sketch;
use crate::terms::{Advance, Delta, LookUp, Point, TAGS, mask_of, places, tags};
use cachalot::model::tag::Clearance;
use cachalot::store::redis::clear_table as production;
use cachalot::store::redis::clear_table::{ClearTable, Observed, Verdict};
use std::cell::RefCell;
use std::collections::HashMap;

/// The first is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    Start(Point, Delta),
    Epoch(Point),
    Delta(Point, Delta),
    LookUp(Point, LookUp),
    Advance(Advance),
    Bound,
    Forget,
    Judge { at: Point, auto: bool, tags: u8 },
    HasCleared { at: Point, auto: bool, tags: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    Complete,
    Behind {
        after: u8,
    },
    /// Also: these entries cannot be judged.
    Unusable,
    Known(Clearance),
    /// A mask of members.
    Unknown(u8),
}

pub struct Tables<'a> {
    scenario: &'a Scenario,
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    tables: Vec<ClearTable>,
    by_epoch: HashMap<(u64, u64), Vec<TableId>>,
    answers: HashMap<(TableId, Question), (TableId, Answer)>,
}

impl<'a> Tables<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        // Without this rule the room is looked after here.
        let room = if scenario.has(Rule::OverflowForgetsOlder) { scenario.room } else { usize::MAX };
        let mut kept = Kept::default();
        kept.number(ClearTable::with_room(room));
        Tables { scenario, kept: RefCell::new(kept) }
    }

    /// The number up to which a table knows everything.
    pub fn known_to(&self, id: TableId) -> Point {
        let known_to = self.kept.borrow().tables[usize::from(id.0)].known_to();
        Point { generation: known_to.generation as u8, n: known_to.n as u8 }
    }

    pub fn ask(&self, id: &mut TableId, question: Question) -> Answer {
        let mut kept = self.kept.borrow_mut();
        if let Some((next, answer)) = kept.answers.get(&(*id, question)) {
            *id = *next;
            return *answer;
        }
        let mut table = kept.tables[usize::from(id.0)].clone();
        let answer = self.answer(&mut table, question);
        let next = kept.number(table);
        kept.answers.insert((*id, question), (next, answer));
        *id = next;
        answer
    }

    /// Asks the table, or what it would be without the rule that is left out.
    fn answer(&self, table: &mut ClearTable, question: Question) -> Answer {
        let scenario = self.scenario;
        match (question, scenario.without) {
            (Question::Start(at, log), Some(Rule::WholeLogTellsFloor)) => {
                let log = production::Delta { floor: Some(0), ..log.production() };
                table.start(at.epoch(), &log);
                Answer::Nothing
            }
            (Question::Epoch(at), Some(Rule::TableStartsAtEpoch)) if generation(table) != at.generation => {
                *table = Sketch::new(Point { generation: at.generation, n: 0 }, at.n).table();
                Answer::Complete
            }
            (Question::Epoch(at), Some(Rule::GenerationEmptiesTable))
                if generation(table) != 0 && at.generation != 0 && generation(table) != at.generation =>
            {
                let scores = Sketch::of(table).scores;
                *table = Sketch::new(at, at.n).with(scores).table();
                Answer::Complete
            }
            (Question::Epoch(at), Some(Rule::OlderEpochForgetsAll))
                if generation(table) == at.generation && at.n < Sketch::of(table).known_to =>
            {
                Answer::Complete
            }
            (Question::Delta(at, delta), Some(Rule::DeltaIsOfPresentGeneration))
                if generation(table) != at.generation =>
            {
                // Taken into what is known of another generation; what it was asked for is a miss all the same.
                let at = Point { generation: generation(table), ..at };
                let delta = Delta { generation: delta.generation.min(1) * at.generation, ..delta };
                table.observe_delta(at.epoch(), &delta.production());
                Answer::Unusable
            }
            (Question::Delta(at, delta), Some(Rule::UnusableDeltaEmptiesTable))
                if !(delta.generation == at.generation && delta.advance >= at.n) =>
            {
                // As if it were usable and told nothing.
                let delta = Delta { generation: at.generation, advance: at.n, ..Delta::default() };
                usable(table.observe_delta(at.epoch(), &delta.production()))
            }
            (Question::LookUp(at, found), Some(Rule::LookUpByKind)) => {
                let soft = ((1 << TAGS) - 1) << TAGS;
                let mut found = found;
                places(found.wanted & soft).for_each(|place| found.scores[place] = 0);
                usable(table.observe_look_up(at.epoch(), &found.production()))
            }
            (Question::Advance(advance), Some(Rule::AdvanceWithGapLeavesKnownTo))
                if generation(table) == advance.to.generation =>
            {
                let before = Sketch::of(table).known_to;
                table.observe_advance(&Advance { before, ..advance }.production());
                Answer::Nothing
            }
            (Question::Advance(advance), Some(Rule::HardRootAdvanceRaisesFloor)) => {
                table.observe_advance(&Advance { raises_floor: false, ..advance }.production());
                Answer::Nothing
            }
            (Question::HasCleared { at, .. }, Some(Rule::RefusesOnlyByOwnGeneration))
                if generation(table) != 0 && generation(table) != at.generation =>
            {
                Answer::Known(Clearance::Hard)
            }
            (question, without) => {
                let answer = ask(table, question);
                let has_learned =
                    matches!(question, Question::Delta(..) | Question::Advance(_) | Question::Bound);
                if without == Some(Rule::OverflowForgetsOlder) && has_learned {
                    let sketch = Sketch::of(table);
                    if sketch.tags() > scenario.room {
                        *table = sketch.with(Default::default()).table();
                    }
                }
                answer
            }
        }
    }
}

fn ask(table: &mut ClearTable, question: Question) -> Answer {
    match question {
        Question::Start(at, log) => {
            table.start(at.epoch(), &log.production());
            Answer::Nothing
        }
        Question::Epoch(at) => match table.observe_epoch(at.epoch()) {
            Observed::Complete => Answer::Complete,
            Observed::Behind { after } => Answer::Behind { after: after as u8 },
            Observed::Unusable => Answer::Unusable,
        },
        Question::Delta(at, delta) => usable(table.observe_delta(at.epoch(), &delta.production())),
        Question::LookUp(at, found) => usable(table.observe_look_up(at.epoch(), &found.production())),
        Question::Advance(advance) => {
            table.observe_advance(&advance.production());
            Answer::Nothing
        }
        Question::Bound => {
            table.bound();
            Answer::Nothing
        }
        Question::Forget => {
            table.forget();
            Answer::Nothing
        }
        Question::Judge { at, auto, tags: of } => match table.judge(at.epoch(), auto, tags(of)) {
            Verdict::Known(clearance) => Answer::Known(clearance),
            Verdict::Unknown(members) => Answer::Unknown(mask_of(&members)),
        },
        Question::HasCleared { at, auto, tags: of } => {
            Answer::Known(table.has_cleared(at.epoch(), auto, tags(of)))
        }
    }
}

fn usable(is_usable: bool) -> Answer {
    if is_usable { Answer::Complete } else { Answer::Unusable }
}

fn generation(table: &ClearTable) -> u8 {
    table.known_to().generation as u8
}

impl Kept {
    fn number(&mut self, table: ClearTable) -> TableId {
        let known_to = table.known_to();
        let alike = self.by_epoch.entry((known_to.generation, known_to.n)).or_default();
        if let Some(id) = alike.iter().find(|id| self.tables[usize::from(id.0)] == table) {
            return *id;
        }
        let id = TableId(u16::try_from(self.tables.len()).unwrap());
        alike.push(id);
        self.tables.push(table);
        id
    }
}
