//! The rules that the promise rests on. Each can be left out alone: then a violation must be found.

// The server's, then those of questions and answers, then the table's.
rules! {
    /// A log that was lost begins with the number before the advance as its floor.
    LostLogBeginsAtNumberBefore,
    TrimRaisesFloor,
    HardRootClearRaisesFloor,
    /// The member that tells the last advance names the generation.
    LogNamesGeneration,
    /// A number is not behind the server's clock: so those of a lost history are passed.
    AdvancePassesClock,
    /// What is trimmed by age raises the floor to the number of a clear. One of a moment in which nothing was cleared ends
    /// entries that were stored after it.
    AgeTrimEndsAtAClear,
    AgeTrimSparesWhatIsUnderWay,
    /// An entry is stamped with the epoch of its miss, not with that of its set.
    SetGoesByItsMiss,
    /// A clear of a key refuses the sets of what was read before it.
    ClearRaisesFence,
    /// Fences that were lost begin at the present epoch.
    LostFencesRefuse,
    /// Who finds no epoch begins one.
    SomebodyBegins,

    MovedEpochAsksForDelta,
    DeltaTellsFloor,
    /// A connection that begins with the whole log knows what was cleared since the log's floor.
    WholeLogTellsFloor,
    /// A delta or a whole log that is as long as it may be is of no use.
    CutDeltaIsUnusable,
    DeltaIsOfPresentGeneration,
    UnknownIsLookedUp,
    LookUpNeedsTheLog,
    LookUpByKind,
    /// Without ZMSCORE: first the members, then what tells whether their absence means anything.
    LookUpAsksMembersFirst,
    RepliesInOrder,

    TableStartsAtEpoch,
    GenerationEmptiesTable,
    UnusableDeltaEmptiesTable,
    OverflowForgetsOlder,
    OlderEpochForgetsAll,
    ConnectionEndsTable,
    /// An advance after one that was not seen leaves open what came between.
    AdvanceWithGapLeavesKnownTo,
    HardRootAdvanceRaisesFloor,
    /// What is of another generation than the table's may be of a newer one.
    RefusesOnlyByOwnGeneration,
}
