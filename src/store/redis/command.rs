//! Commands as the server reads them (RESP arrays of bulk strings), many in one buffer.

use super::scripts::Script;

#[derive(Default)]
pub(super) struct Pipeline {
    pub bytes: Vec<u8>,
    /// Commands so far: each is answered once.
    pub replies: usize,
}

impl Pipeline {
    pub fn one(parts: &[&[u8]]) -> Self {
        let mut pipeline = Pipeline::default();
        pipeline.push(parts);
        pipeline
    }

    pub fn push(&mut self, parts: &[&[u8]]) {
        self.begin(parts.len());
        for part in parts {
            self.arg(part);
        }
    }

    /// Opens a command of this many parts, its name included; `arg` must follow as often.
    pub fn begin(&mut self, parts: usize) {
        self.replies += 1;
        self.line(b'*', parts);
    }

    pub fn arg(&mut self, bytes: &[u8]) {
        self.bytes.reserve(bytes.len() + 16);
        self.line(b'$', bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An argument made of several pieces.
    pub fn arg_of(&mut self, pieces: &[&[u8]]) {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        self.bytes.reserve(length + 16);
        self.line(b'$', length);
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Opens a call of a script with this many keys and arguments, which must follow.
    pub fn call(&mut self, script: &Script, how: Call, keys: usize, args: usize) {
        self.begin(3 + keys + args);
        match how {
            Call::Sha => {
                self.arg(b"EVALSHA");
                self.arg(script.sha.as_bytes());
            }
            Call::Text => {
                self.arg(b"EVAL");
                self.arg(script.text.as_bytes());
            }
        }
        self.number(keys as u64);
    }

    pub fn number(&mut self, number: u64) {
        decimal(number, |digits| self.arg(digits));
    }

    fn line(&mut self, kind: u8, number: usize) {
        self.bytes.push(kind);
        decimal(number as u64, |digits| self.bytes.extend_from_slice(digits));
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Gives the digits of a number, without an allocation: a set has a dozen of them.
pub(super) fn decimal<T>(mut number: u64, with: impl FnOnce(&[u8]) -> T) -> T {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            return with(digits.get(at..).unwrap_or_default());
        }
    }
}

/// How a script is called: by name, or, where the server has forgotten it, by its text, which also loads it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Sha,
    Text,
}

/// 16 hex digits, as the server keeps it.
pub fn generation_text(generation: u64) -> [u8; 16] {
    std::array::from_fn(|at| match (generation >> (60 - 4 * at)) as u8 & 15 {
        digit @ 0..10 => b'0' + digit,
        digit => b'a' + digit - 10,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_the_last_digit() {
        for number in [0, 9, 10, 99, 1_700_000_000_000_000, u64::MAX] {
            assert_eq!(decimal(number, <[u8]>::to_vec), number.to_string().as_bytes());
        }
    }

    #[test]
    fn pieces_are_one_argument() {
        let mut pipeline = Pipeline::default();
        pipeline.begin(1);
        pipeline.arg_of(&[b"p:", "é".as_bytes(), b""]);
        assert_eq!(pipeline.bytes, "*1\r\n$4\r\np:é\r\n".as_bytes());
    }

    #[test]
    fn parts_are_counted_in_bytes() {
        let mut pipeline = Pipeline::one(&[b"GET", "é\r\n".as_bytes()]);
        pipeline.push(&[b"PING"]);
        assert_eq!(pipeline.bytes, "*2\r\n$3\r\nGET\r\n$4\r\né\r\n\r\n*1\r\n$4\r\nPING\r\n".as_bytes());
        assert_eq!(pipeline.replies, 2);
    }

    #[test]
    fn a_generation_is_written_as_the_scripts_read_it() {
        for generation in [1, 0xfedc_ba98_7654_3210, u64::MAX] {
            assert_eq!(generation_text(generation), format!("{generation:016x}").as_bytes());
        }
    }
}
