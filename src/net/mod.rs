//! Connections: dialing (TCP, unix sockets; TLS has its place in `dialer`), jittered backoff, and `link`, one supervised
//! pipelined connection with deadlines and a bounded queue. One for both servers; knows neither's commands.

pub mod backoff;
pub mod dialer;
pub mod link;
