//! Bytes in, bytes out, no I/O: the envelope around a value, its compression, and the text form JavaScript takes.

pub mod compression;
pub mod envelope;
pub mod split;
pub mod text;
pub mod value;
