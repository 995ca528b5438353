//! TLS, by rustls. `connector` is how a store's connections are encrypted and whom it trusts, `session` one connection's
//! keys without any I/O, so that the connection's task and a caller's thread can both encrypt and decrypt, `failure` what
//! can go wrong, for people.

pub mod connector;
mod failure;
pub(super) mod session;
mod verifier;
