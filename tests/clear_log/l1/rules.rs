//! The rules of what is kept, each of which can be left out alone.

rules! {
    /// Not what of them the log still has after it was trimmed.
    MessageNamesMembersOfCall,
    /// A message that does not follow the last one that was heard ends everything.
    GapEndsAll,
    /// So does an epoch in a reply that is not the last one that was heard.
    UnheardEpochEndsAll,
    /// And so does a reply to a read that finds no epoch.
    MissingEpochEndsAll,
    /// Numbers of two generations are not the same, whatever they are.
    GenerationEndsAll,
    MessageEndsTags,
    KeyMessageEndsKey,
    /// A clear of one's own counts before it resolves.
    OwnClearCounts,
    /// So does a clear over another connection of the process.
    NeighbourCounts,
    OwnSetCounts,
    /// The key's counters are taken before its read is sent.
    StampedBeforeSending,
    /// Those of the tags are taken after it was judged: a clear of any tag since the sending is noticed.
    TagsWereNotCleared,
    LeaseEnds,
    LeaseCountsFromSending,
    /// Only answers that tell the epoch renew the lease.
    AnswerTellsEpoch,
    /// So does what is sent where nothing else is.
    QuestionTellsEpoch,
    LostConnectionEndsAll,
}
