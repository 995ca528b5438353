//! What the thread of a caller does itself, in place of the connection's task: it writes a small request to an idle connection
//! (`shared_socket`, through a `direct_socket`), and reads the reply (`read_half`, as a `reader`) from a stream that the runtime leaves alone meanwhile (`registration`).

pub mod direct_socket;
pub(super) mod read_half;
pub mod reader;
pub(super) mod registration;
pub(super) mod shared_socket;
