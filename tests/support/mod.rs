//! What the integration tests share: a wire that can be broken on purpose.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

pub mod proxy;
pub mod stall;
pub mod toy;
