//! The only place that imports napi.
