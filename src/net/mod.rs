//! Connections: dialing (TCP, unix sockets; TLS has its place in `dialer`), jittered backoff, and `link`, one supervised
//! pipelined connection with deadlines and a bounded queue. One for both servers; knows neither's commands.
//!
//! Inside a link: `request` is what is asked and counts it, `supervisor` is the task that connects and keeps the circuit,
//! `greeting` a connection before requests, `connection` one while it serves them, `outgoing` its unwritten bytes,
//! `lane` what callers share with it, `reading` its read side, which a caller's thread may take on, `wire` the stream that
//! the runtime then leaves alone. `clock`: bounds for work that a caller's thread may begin; `budget`: the bound of an attempt
//! to connect.

pub mod backoff;
mod budget;
pub mod clock;
mod connection;
pub mod dialer;
mod greeting;
mod lane;
pub mod link;
mod outgoing;
pub mod reading;
mod request;
mod supervisor;
mod wire;
