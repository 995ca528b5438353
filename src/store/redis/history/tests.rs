//! What is remembered, and what another history is told of it.

use super::*;

const GENERATION: u64 = 7;
const A: Option<Identity> = Some(Identity(1));
const B: Option<Identity> = Some(Identity(2));
/// A number at which nothing is so old yet that it may be forgotten.
const N: u64 = 2 * WINDOW;

fn epoch(n: u64) -> Epoch {
    Epoch { generation: GENERATION, n }
}

fn member(tag: u64, kind: Invalidation) -> Member {
    Member { tag: Tag(tag), kind }
}

fn hard(tag: u64, n: u64) -> [(Member, u64); 1] {
    [(member(tag, Invalidation::Hard), n)]
}

/// Has served from `A` at `N`.
fn served(max_names: usize) -> History {
    let mut history = History::with_room(max_names);
    assert_eq!(history.before(A, epoch(N)), Before::Nothing);
    history.serve(A, 1, epoch(N), Instant::now());
    history
}

fn tags(hard: &[u64]) -> Again {
    Again { hard: hard.iter().copied().map(Tag).collect(), ..Again::default() }
}

fn everything() -> Before {
    Before::ClearAgain(Again { everything: true, ..Again::default() })
}

#[test]
fn another_history_is_told_everything_that_was_cleared_by_name() {
    let mut history = served(100);
    history.note(hard(3, N + 1));
    history.note([(member(4, Invalidation::Soft), N + 2), (member(0, Invalidation::Soft), N + 3)]);
    history.note_keys(["k".to_owned()], N + 4);
    history.heard(epoch(N + 4));
    assert_eq!(history.before(A, epoch(N + 4)), Before::Nothing);
    let again = Again {
        everything: false,
        hard: vec![Tag(3)],
        soft: vec![Tag::ROOT, Tag(4)],
        keys: vec!["k".to_owned()],
    };
    for other in [B, None] {
        assert_eq!(history.before(other, epoch(N + 9)), Before::ClearAgain(again.clone()));
    }
    // Nothing is forgotten by it: the next one is told the same.
    history.cleared_again(epoch(N + 10), false);
    history.serve(B, 2, epoch(N + 10), Instant::now());
    assert_eq!(history.before(B, epoch(N + 10)), Before::Nothing);
    assert_eq!(history.before(A, epoch(N)), Before::ClearAgain(again));
}

#[test]
fn a_number_that_went_back_in_the_same_history_clears_everything() {
    let mut history = served(100);
    assert_eq!(history.before(A, epoch(N - 1)), Before::ClearAll);
    assert_eq!(history.before(B, epoch(N - 1)), Before::Nothing);
    assert_eq!(history.before(A, Epoch { generation: 8, n: 1 }), Before::Nothing);
    history.serve(None, 2, epoch(N), Instant::now());
    assert_eq!(history.before(None, epoch(N - 1)), Before::ClearAll);
}

#[test]
fn what_has_no_name_is_everything() {
    let without_name: [fn(&mut History); 5] = [
        |history| history.note(hard(0, N + 1)),
        |history| history.note_floor(Some(N + 1), N),
        |history| history.heard(Epoch { generation: 8, n: N }),
        |history| history.note_look_up(&LookUp { is_there: true, floor: Some(N + 1), scores: vec![] }, N),
        |history| {
            history.lost(epoch(N));
            history.note_first_floor(Some(N + 1));
        },
    ];
    for (at, note) in without_name.into_iter().enumerate() {
        let mut history = served(100);
        history.note(hard(3, N));
        note(&mut history);
        assert_eq!(history.before(B, epoch(N)), everything(), "{at}");
        // What came after it is named once that is old.
        history.note(hard(4, history.newest.n + 5));
        assert_eq!(history.before(B, epoch(N)), everything(), "{at}");
        history.cleared_again(epoch(N + 7), false);
        history.serve(B, 2, epoch(N + 7), Instant::now());
        assert_eq!(history.before(A, epoch(N)), everything(), "{at}");
    }
    let mut history = served(100);
    history.note(hard(3, N));
    history.note_floor(Some(N), N);
    history.lost(epoch(N));
    history.note_first_floor(Some(N));
    assert_eq!(history.before(B, epoch(N)), Before::ClearAgain(tags(&[3])));
    history.cleared_again(epoch(N + 1), true);
    assert_eq!(history.before(B, epoch(N)), everything());
}

#[test]
fn what_is_old_is_forgotten_by_the_numbers_of_its_own_history() {
    let mut history = served(100);
    history.note(hard(3, N + 1));
    history.heard(epoch(N + WINDOW));
    assert_eq!(history.before(B, epoch(9 * N)), Before::ClearAgain(tags(&[3])));
    history.heard(epoch(N + 1 + WINDOW));
    assert_eq!(history.before(B, epoch(9 * N)), Before::Nothing);
    history.note(hard(4, N + WINDOW));
    history.note_everything(N + WINDOW);
    assert_eq!(history.before(B, epoch(N)), everything());
    history.heard(epoch(N + 2 * WINDOW));
    history.note(hard(5, N + 2 * WINDOW));
    assert_eq!(history.before(B, epoch(N)), Before::ClearAgain(tags(&[5])));
    // An everything that was too old to be cleared again is not made young by it.
    history.cleared_again(epoch(N), false);
    history.serve(B, 2, epoch(N), Instant::now());
    assert_eq!(history.before(A, epoch(N)), Before::ClearAgain(tags(&[5])));
}

#[test]
fn of_too_many_names_the_oldest_become_everything() {
    let mut history = served(8);
    (0..8).for_each(|tag| history.note(hard(10 + tag, N + tag)));
    assert!(matches!(history.before(B, epoch(N)), Before::ClearAgain(again) if again.hard.len() == 8));
    history.note(hard(9, N + 8));
    assert_eq!(history.before(B, epoch(N)), everything());
    assert!(history.members.len() <= 6 && history.members.contains_key(&hard(9, 0)[0].0));
    assert_eq!(history.everything, N + 2);
    // They leave the window first.
    history.heard(epoch(N + 2 + WINDOW));
    assert_eq!(history.before(B, epoch(N)), Before::ClearAgain(tags(&[9, 13, 14, 15, 16, 17])));
    let mut history = served(8);
    (0..8).for_each(|key| history.note_keys([key.to_string()], N + key));
    history.heard(epoch(N + 5 + WINDOW));
    history.note(hard(9, N + 5 + WINDOW));
    assert_eq!(history.everything, 0, "what is old makes room without that");
    assert_eq!((history.keys.len(), history.members.len()), (2, 1));
}

#[test]
fn a_miss_of_another_history_stores_nothing() {
    let now = Instant::now();
    let mut history = served(100);
    let lease = history.lease();
    assert!(lease.is_some() && history.accepts(lease, now) && history.accepts(None, now));
    history.lost(epoch(N));
    history.serve(A, 2, epoch(N), now);
    assert!(history.accepts(lease, now) && history.accepts(None, now));
    history.serve(B, 3, epoch(N), now);
    assert!(!history.accepts(lease, now) && !history.accepts(None, now));
    assert!(history.accepts(history.lease(), now));
    assert!(!history.accepts(lease, now + UNDER_WAY) && history.accepts(None, now + UNDER_WAY));
    history.serve(None, 4, epoch(N), now);
    assert_eq!(history.lease(), None);
    assert!(!history.accepts(lease, now) && !history.accepts(None, now));
}
