//! Exhaustive search over small models of the clear log (docs/internals/tags.md): two processes that read through the production
//! table, a server that does what its scripts do, and everything that can go wrong between them. In no state that can be
//! reached may a read return what a finished clear removed; and with any one of the rules left out, one does.

#![allow(clippy::unwrap_used, clippy::panic)] // A test says by panicking what went wrong.

/// Rules that can be left out one by one.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
        }

        impl Rule {
            pub const ALL: &[Rule] = &[$(Rule::$rule),*];
        }
    };
}

/// A test for each scenario of a module, that with all rules in force it holds.
macro_rules! hold {
    (in $($module:ident)::+; $($scenario:ident,)*) => {
        mod hold {
            use $($module)::+::{Explored, scenarios};
            $(
                #[test]
                fn $scenario() {
                    let scenario = scenarios::$scenario();
                    crate::holds(scenario.name(), &Explored::new(&scenario));
                }
            )*
        }
    };
}

mod l1;
mod losses;
mod process;
mod rules;
mod scenario;
mod scenarios;
mod search;
mod server;
mod sketch;
mod tables;
mod terms;
mod world;

use rules::Rule;
use scenario::Scenario;
use search::{Model, search};
use world::Explored;

/// States of one scenario: more take too long for a test.
const MOST: usize = 2_000_000;

/// Searched to its end without a violation.
fn holds(name: &str, model: &impl Model) {
    let found = search(model, MOST);
    if let Some(violation) = found.violation {
        panic!("{name}: {}\n{}", violation.what, violation.trace.join("\n"));
    }
    assert!(!found.is_cut, "{name}: there are more than {MOST} states; make the scenario smaller");
    assert!(found.seen > 0, "{name}: nothing was ever found in the cache");
}

/// Not so.
fn is_violated(rule: &str, name: &str, model: &impl Model, expected: &str) {
    let found = search(model, MOST);
    let what = found.violation.map(|violation| violation.what);
    assert_eq!(what, Some(expected), "{rule} left out of: {name} ({} states)", found.states);
}

hold! { in crate;
    ages,
    clock_ahead,
    comes_to_hits,
    everything,
    everything_softly,
    failover,
    failover_behind,
    generations,
    generations_in_flight,
    hidden_failover,
    keys,
    late_evictions,
    late_generations,
    log_evicted_twice,
    look_ups_over_generations,
    member_by_member,
    overflows,
    overflows_of_two_tags,
    own_clears,
    own_clears_late,
    own_clears_of_everything,
    reconnects,
    refusals,
    short_deltas,
    soft_and_hard,
    three_members,
    trims,
    two_keys,
    whole_log,
    whole_log_cut,
}

/// What comes of it if the rule is left out, and where.
fn violated(rule: Rule) -> (Scenario, &'static str) {
    const OUTDATED: &str = "a hit of outdated data";
    const EARLY: &str = "trimming by age ended what can live";
    let scenario = match rule {
        Rule::LostLogBeginsAtNumberBefore => scenarios::log_evicted_twice(),
        Rule::TrimRaisesFloor => scenarios::two_keys(),
        Rule::HardRootClearRaisesFloor => scenarios::everything(),
        Rule::LogNamesGeneration => scenarios::log_evicted_twice(),
        Rule::AdvancePassesClock => scenarios::failover(),
        Rule::AgeTrimEndsAtAClear | Rule::AgeTrimSparesWhatIsUnderWay => {
            return (scenarios::ages(), EARLY);
        }
        Rule::SetGoesByItsMiss => scenarios::trims(),
        Rule::ClearRaisesFence | Rule::LostFencesRefuse => scenarios::keys(),
        Rule::SomebodyBegins => return (scenarios::comes_to_hits(), "a reader never comes to a hit"),
        Rule::MovedEpochAsksForDelta => scenarios::trims(),
        Rule::DeltaTellsFloor => scenarios::two_keys(),
        Rule::WholeLogTellsFloor => scenarios::own_clears_of_everything(),
        Rule::CutDeltaIsUnusable => scenarios::whole_log_cut(),
        Rule::DeltaIsOfPresentGeneration => scenarios::generations_in_flight(),
        Rule::UnknownIsLookedUp => scenarios::trims(),
        Rule::LookUpNeedsTheLog => scenarios::trims(),
        Rule::LookUpByKind => scenarios::soft_and_hard(),
        Rule::LookUpAsksMembersFirst => scenarios::member_by_member(),
        Rule::RepliesInOrder => scenarios::short_deltas(),
        Rule::TableStartsAtEpoch => scenarios::trims(),
        Rule::GenerationEmptiesTable => scenarios::look_ups_over_generations(),
        Rule::UnusableDeltaEmptiesTable => scenarios::overflows(),
        Rule::OverflowForgetsOlder => scenarios::overflows_of_two_tags(),
        Rule::OlderEpochForgetsAll => scenarios::hidden_failover(),
        Rule::ConnectionEndsTable => scenarios::failover_behind(),
        Rule::AdvanceWithGapLeavesKnownTo => scenarios::own_clears(),
        Rule::HardRootAdvanceRaisesFloor => scenarios::own_clears_of_everything(),
        Rule::RefusesOnlyByOwnGeneration => {
            return (scenarios::refusals(), "a set was refused that would have been of use");
        }
    };
    (scenario, OUTDATED)
}

#[test]
fn no_rule_can_be_left_out() {
    let twice = (Rule::CutDeltaIsUnusable, (scenarios::short_deltas(), "a hit of outdated data"));
    let each = Rule::ALL.iter().map(|rule| (*rule, violated(*rule)));
    for (rule, (scenario, expected)) in each.chain([twice]) {
        let scenario = scenario.without(rule);
        is_violated(&format!("{rule:?}"), scenario.name(), &Explored::new(&scenario), expected);
    }
}
