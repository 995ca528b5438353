//! What a value must be at least, judged by what it says of itself.

use crate::steps::KEYS;
use cachalot::codec::text::Value;
use proptest::prelude::*;

/// What a value says of itself: `key:version:when`, the last being the step of the miss that it follows.
pub struct Says {
    pub key: usize,
    version: u64,
    when: usize,
}

fn parse(value: &Value) -> Says {
    let Value::Latin1(text) = value else { panic!("{value:?}") };
    let words: Vec<usize> =
        std::str::from_utf8(text).unwrap().split(':').map(|word| word.parse().unwrap()).collect();
    Says { key: words[0], version: words[1] as u64, when: words[2] }
}

/// What is known of the keys.
pub struct Truth {
    pub version: [u64; KEYS],
    /// The version of the last clear of any kind: nothing older is fresh.
    cleared: [u64; KEYS],
    /// Of the last clear that spares nothing: nothing older is there at all.
    ended: [u64; KEYS],
    /// The step in which it was last taken: nothing missed before is there since.
    taken: [usize; KEYS],
}

impl Truth {
    pub fn new() -> Self {
        Truth { version: [1; KEYS], cleared: [0; KEYS], ended: [0; KEYS], taken: [0; KEYS] }
    }

    /// Commits, before a clear of these keys is sent.
    pub fn commit(&mut self, keys: &[usize]) {
        keys.iter().for_each(|key| self.version[*key] += 1);
    }

    /// The clear has resolved. `spares`: entries with times stay, as stale ones.
    pub fn cleared(&mut self, keys: &[usize], spares: bool) {
        for key in keys {
            self.cleared[*key] = self.version[*key];
            if !spares {
                self.ended[*key] = self.version[*key];
            }
        }
    }

    pub fn taken(&mut self, key: usize, when: usize) {
        self.taken[key] = when;
    }

    pub fn check(&self, value: &Value, stale: bool) -> Result<Says, TestCaseError> {
        let says = parse(value);
        let Says { key, version, when } = says;
        let least = if stale { self.ended[key] } else { self.cleared[key] };
        prop_assert!(version >= least, "k{key}: {version} after {least}, stale: {stale}");
        prop_assert!(when >= self.taken[key], "k{key}: missed at {when}, taken at {}", self.taken[key]);
        Ok(says)
    }
}
