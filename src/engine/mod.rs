//! Composes keys, tags, codecs and a backend.
