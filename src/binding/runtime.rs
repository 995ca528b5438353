//! The one thread on which network stores live, shared by every environment of the process and started by the first
//! store. (napi's `async` feature would bring a second runtime with a thread for every core.)

use crate::error::{Code, Error, Result};
use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle, Runtime};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// One connection a server keeps one thread less than busy; more would only take cores from JavaScript, and batches
/// would no longer start in the order in which they were submitted.
const WORKERS: usize = 1;
/// For name lookups, and for packing large values when many come at once.
const BLOCKING_THREADS: usize = 4;

pub fn handle() -> Result<Handle> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("cachalot")
        .enable_all()
        .build()
        .map_err(|why| {
            let message = format!(
                "No thread could be started for the network: {why}. Raise the process's limit of threads."
            );
            Error::new(Code::Internal, message)
        })?;
    // Two worker threads may come here at once: the later one's runtime is dropped unused.
    Ok(RUNTIME.get_or_init(|| runtime).handle().clone())
}
