//! Breadth-first search through all states of a small model, so that the first violation found is a shortest one.

use foldhash::quality::FixedState;
use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};

/// What is wrong with a step: the search ends with it.
pub type Broken = Option<&'static str>;

pub trait Model {
    type State: Copy + Hash;
    type Action: Copy + Debug;

    fn first(&self) -> Self::State;

    /// Every step that can be taken from a state.
    fn steps(&self, state: &Self::State, steps: &mut Vec<Step<Self>>);

    /// What is wrong with a state.
    fn check(&self, _state: &Self::State) -> Broken {
        None
    }

    /// Whether it must be seen at least once, or the search proves nothing.
    fn is_of_interest(&self, _action: &Self::Action) -> bool {
        true
    }
}

pub struct Step<M: Model + ?Sized> {
    pub action: M::Action,
    pub next: M::State,
    pub broken: Broken,
}

pub struct Found {
    pub states: usize,
    /// Steps of interest that were taken.
    pub seen: usize,
    /// The violation and the actions that lead to it.
    pub violation: Option<Violation>,
    /// There are more states than were searched.
    pub is_cut: bool,
}

pub struct Violation {
    pub what: &'static str,
    pub trace: Vec<String>,
}

/// Searches until a violation, the end, or that many states.
pub fn search<M: Model>(model: &M, most: usize) -> Found {
    // A hash of 64 bits stands for a state: of a million the odds that two share one are 3 in 100 million.
    let hasher = FixedState::default();
    let mut seen: HashSet<u64, FixedState> = HashSet::default();
    // Of each state the one before it, and what led from there.
    let mut origins: Vec<Option<(u32, M::Action)>> = vec![None];
    let mut open = VecDeque::from([(model.first(), 0u32)]);
    seen.insert(hasher.hash_one(model.first()));
    let mut found = Found { states: 1, seen: 0, violation: None, is_cut: false };
    let mut steps = Vec::new();
    while let Some((state, number)) = open.pop_front() {
        if let Some(what) = model.check(&state) {
            found.violation = Some(Violation { what, trace: trace::<M>(&origins, number, None) });
            return found;
        }
        model.steps(&state, &mut steps);
        for Step { action, next, broken } in steps.drain(..) {
            found.seen += usize::from(model.is_of_interest(&action));
            if let Some(what) = broken {
                found.violation = Some(Violation { what, trace: trace::<M>(&origins, number, Some(action)) });
                return found;
            }
            if !seen.insert(hasher.hash_one(next)) {
                continue;
            }
            if found.states == most {
                found.is_cut = true;
                return found;
            }
            open.push_back((next, found.states as u32));
            origins.push(Some((number, action)));
            found.states += 1;
        }
    }
    found
}

fn trace<M: Model>(
    origins: &[Option<(u32, M::Action)>],
    mut number: u32,
    last: Option<M::Action>,
) -> Vec<String> {
    let mut trace: Vec<String> = last.iter().map(|action| format!("{action:?}")).collect();
    while let Some((before, action)) = origins[number as usize] {
        trace.push(format!("{action:?}"));
        number = before;
    }
    trace.reverse();
    trace
}
