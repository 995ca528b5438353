//! What a table holds, found out by asking it, and a table that holds just that: so a rule inside it can be left out here.

use crate::terms::{Delta, LookUp, MEMBERS, Point, TAGS, member};
use cachalot::model::tag::{Clearance, Tag};
use cachalot::store::redis::clear_table::{ClearTable, Verdict};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Score {
    #[default]
    Unknown,
    Absent,
    At(u8),
}

#[derive(Clone, Copy, Debug)]
pub struct Sketch {
    generation: u8,
    known_from: u8,
    pub known_to: u8,
    floor: u8,
    pub scores: [Score; MEMBERS],
}

/// No number of a scenario is greater.
const GREATEST: u8 = 40;
/// A tag of nobody: what is not known of it is known of none.
const NOBODYS: Tag = Tag(1 << 40);

impl Sketch {
    /// Of a table without tags.
    pub fn new(from: Point, known_to: u8) -> Self {
        let Point { generation, n: known_from } = from;
        Sketch { generation, known_from, known_to, floor: 0, scores: [Score::Unknown; MEMBERS] }
    }

    pub fn with(self, scores: [Score; MEMBERS]) -> Self {
        Sketch { scores, ..self }
    }

    pub fn of(table: &ClearTable) -> Self {
        let known_to = table.known_to();
        let at = |n: u8| cachalot::model::tag::Epoch { generation: known_to.generation, n: u64::from(n) };
        let judge = |n: u8, auto: bool, tag: Option<Tag>| table.judge(at(n), auto, tag.into_iter());
        let ends = |verdict: &Verdict| matches!(verdict, Verdict::Known(Clearance::Hard | Clearance::Soft));
        let numbers = || 1..=GREATEST;
        let floor = numbers().find(|n| !ends(&judge(*n, false, None))).unwrap_or(GREATEST);
        let is_known = |n: &u8| matches!(judge(*n, false, Some(NOBODYS)), Verdict::Known(_));
        let known_from = (floor..=GREATEST).find(is_known).unwrap_or(GREATEST);
        let score = |place: usize| {
            let member = member(place);
            let (auto, tag) = (place >= TAGS, (member.tag != Tag::ROOT).then_some(member.tag));
            let verdicts = (floor..=GREATEST).map(|n| (n, judge(n, auto, tag)));
            // Where nothing is unknown, absence is nothing of its own.
            let mut score = if floor < known_from { Score::Absent } else { Score::Unknown };
            for (n, verdict) in verdicts {
                match verdict {
                    Verdict::Unknown(members) if members.contains(&member) => return Score::Unknown,
                    Verdict::Known(Clearance::Soft) if auto => score = Score::At(n + 1),
                    Verdict::Known(Clearance::Hard) if !auto => score = Score::At(n + 1),
                    _ => {}
                }
            }
            score
        };
        Sketch {
            generation: known_to.generation as u8,
            known_from,
            known_to: known_to.n as u8,
            floor,
            scores: std::array::from_fn(score),
        }
    }

    /// Tags of which something is known.
    pub fn tags(&self) -> usize {
        let known = |place: usize| self.scores[place] != Score::Unknown;
        (0..TAGS).filter(|tag| known(*tag) || known(TAGS + tag)).count() + usize::from(known(2 * TAGS))
    }

    pub fn table(&self) -> ClearTable {
        let mut table = ClearTable::with_room(usize::MAX);
        let Sketch { generation, known_from, known_to, floor, scores } = *self;
        let at = |n| Point { generation, n }.epoch();
        table.observe_epoch(at(known_from));
        let known = scores.map(|score| if let Score::At(n) = score { n } else { 0 });
        let delta = Delta { floor, generation, advance: known_to, scores: known, is_cut: false };
        table.observe_delta(at(known_to), &delta.production());
        let absent =
            (0..MEMBERS).filter(|place| scores[*place] == Score::Absent).map(|place| 1 << place).sum();
        let look_up = LookUp { wanted: absent, is_there: true, ..LookUp::default() };
        table.observe_look_up(at(known_to), &look_up.production());
        table
    }
}
