use super::Setup;
use super::rules::Rule;
use super::scenarios;
use crate::is_violated;

hold! { in crate::l1;
    everything,
    evictions,
    lost_message,
    neighbour,
    neighbour_over_generations,
    no_room,
    others,
    own,
    own_after_a_lost_one,
    own_reply_first,
    reconnects_and_writes,
    silence,
    silence_and_writes,
    unpublished,
    writes,
}

/// What comes of it if the rule is left out, and where.
fn violated(rule: Rule) -> (Setup, &'static str) {
    const KNOWN_CLEAR: &str = "a kept value is older than a clear that is known";
    const LONG_AGO: &str = "a kept value is older than a clear of long ago";
    const KNOWN_WRITE: &str = "a kept value is older than a write that is known";
    match rule {
        Rule::MessageNamesMembersOfCall => (scenarios::others(), KNOWN_CLEAR),
        Rule::GapEndsAll => (scenarios::lost_message(), LONG_AGO),
        Rule::UnheardEpochEndsAll => (scenarios::own_after_a_lost_one(), LONG_AGO),
        Rule::MissingEpochEndsAll => (scenarios::unpublished(), LONG_AGO),
        Rule::GenerationEndsAll => (scenarios::everything(), KNOWN_CLEAR),
        Rule::MessageEndsTags => (scenarios::others(), KNOWN_CLEAR),
        Rule::KeyMessageEndsKey => (scenarios::writes(), KNOWN_WRITE),
        Rule::OwnClearCounts => (scenarios::own_reply_first(), KNOWN_CLEAR),
        Rule::NeighbourCounts => (scenarios::neighbour(), KNOWN_CLEAR),
        Rule::OwnSetCounts => (scenarios::no_room(), KNOWN_WRITE),
        Rule::StampedBeforeSending => (scenarios::own(), KNOWN_CLEAR),
        Rule::TagsWereNotCleared => (scenarios::others(), KNOWN_CLEAR),
        Rule::LeaseEnds => (scenarios::silence(), LONG_AGO),
        Rule::LeaseCountsFromSending => (scenarios::silence(), LONG_AGO),
        Rule::AnswerTellsEpoch => (scenarios::unpublished(), LONG_AGO),
        Rule::QuestionTellsEpoch => (scenarios::lost_message(), LONG_AGO),
        Rule::LostConnectionEndsAll => (scenarios::reconnects_and_writes(), LONG_AGO),
    }
}

#[test]
fn no_rule_can_be_left_out() {
    for rule in Rule::ALL {
        let (setup, expected) = violated(*rule);
        let setup = setup.without(*rule);
        is_violated(&format!("{rule:?}"), setup.name(), &super::Explored::new(&setup), expected);
    }
}
