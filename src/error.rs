//! Errors as data: a stable code, a sentence that says what was expected, what came and what to do, and two facts
//! that faces decide by. They cross into JavaScript as they are and become classes there.

use std::fmt;

/// Stable codes; the string form is public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// An option or argument is unknown or ill-typed. Nothing was done.
    Config,
    /// No working connection to the server.
    Connection,
    /// The server did not answer within `commandTimeout` (or `connectTimeout`).
    Timeout,
    /// More work is in flight than the bounded queue takes.
    Busy,
    /// The value is larger than the store or `maxValueBytes` takes. No older value was left behind.
    TooLarge,
    /// Stored bytes did not decode. Reads turn it into a counted miss.
    Corrupt,
    /// The server answered with an error.
    Server,
    /// The server, or its configuration, lacks something Cachalot needs.
    Unsupported,
    /// The cache was closed.
    Closed,
    /// A defect of ours, caught at the boundary.
    Internal,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Config => "CACHALOT_CONFIG",
            Code::Connection => "CACHALOT_CONNECTION",
            Code::Timeout => "CACHALOT_TIMEOUT",
            Code::Busy => "CACHALOT_BUSY",
            Code::TooLarge => "CACHALOT_TOO_LARGE",
            Code::Corrupt => "CACHALOT_CORRUPT",
            Code::Server => "CACHALOT_SERVER",
            Code::Unsupported => "CACHALOT_UNSUPPORTED",
            Code::Closed => "CACHALOT_CLOSED",
            Code::Internal => "CACHALOT_INTERNAL",
        }
    }

    /// The server is away or too slow: what a face may answer as a miss.
    pub fn is_outage(self) -> bool {
        matches!(self, Code::Connection | Code::Timeout | Code::Busy)
    }
}

#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    /// Never holds a password; addresses are fine.
    pub message: String,
    /// A clear that failed but is kept, and replayed before the first read after the outage.
    pub queued: bool,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), queued: false }
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Code::Config, message)
    }

    pub fn connection(message: impl Into<String>) -> Self {
        Self::new(Code::Connection, message)
    }

    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Code::Timeout, message)
    }

    pub fn closed() -> Self {
        Self::new(Code::Closed, "The cache was closed; create a new one, or close it later.")
    }

    /// The same error, marked as a clear that is kept for replay.
    pub fn queued(mut self) -> Self {
        self.queued = true;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
