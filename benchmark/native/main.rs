//! The parts of the core alone: `npm run bench:native`, or with divan's own words,
//! `cargo bench --no-default-features --features bench --bench native -- envelope`.

#![allow(clippy::unwrap_used)] // What fails here ends the run, and should.

mod clear_table;
mod codec;
mod envelope;
mod protocol;
mod samples;

fn main() {
    divan::main();
}
