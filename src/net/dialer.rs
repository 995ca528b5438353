//! Opens a stream to an endpoint.
