//! What the integration tests share: a wire that can be broken on purpose.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod proxy;
pub mod toy;
