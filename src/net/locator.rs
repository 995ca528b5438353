//! Where a server is, when that can change while nobody restarts this process.

use crate::config::Endpoint;
use crate::error::Result;
use std::future::Future;
use std::pin::Pin;

pub type Located<'a> = Pin<Box<dyn Future<Output = Result<Endpoint>> + Send + 'a>>;

/// Asked with each attempt to connect. Its answer is a hint: the server itself says whether it is the one that is wanted.
pub trait Locator: Send + Sync {
    fn locate(&self) -> Located<'_>;
}
