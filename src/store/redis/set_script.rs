//! Whether the server knows the script that sets. Every handshake teaches it, and then calls name it by its hash; where it may not be
//! loaded so, the first call carries its text.
//!
//! A set that meets a server which has lost the script (`SCRIPT FLUSH`, or another server behind a proxy) is not stored. Sent again it
//! could end on top of what was asked for after it, and to prevent that costs more than a miss.

use super::command::Call;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// At most one warning in this time.
const WARNING_EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct SetScript {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The connection over which the script was found lost.
    lost_on: u64,
    losses: u32,
    /// The next call carries the text, which the server then knows.
    is_due: bool,
    warned: Option<Instant>,
}

impl SetScript {
    /// How the next call names the script. Where it was lost twice over one connection, by its text from then on; and so
    /// while there is no connection (0): what the next handshake finds is not known yet.
    pub fn call(&self, connection_id: u64) -> Call {
        if connection_id == 0 {
            return Call::Text;
        }
        let mut state = self.state.lock();
        let is_due = std::mem::take(&mut state.is_due);
        let is_forgetful = state.lost_on == connection_id && state.losses > 1;
        if is_due || is_forgetful { Call::Text } else { Call::Sha }
    }

    /// Notes that a handshake could not load it.
    pub fn not_loaded(&self) {
        self.state.lock().is_due = true;
    }

    /// Notes that the server did not know it. Returns whether to warn.
    pub fn lost(&self, connection_id: u64) -> bool {
        let mut state = self.state.lock();
        if state.lost_on != connection_id {
            (state.lost_on, state.losses) = (connection_id, 0);
        }
        // Calls that were under way together lose it once.
        if !state.is_due {
            state.losses += 1;
        }
        state.is_due = true;
        let now = Instant::now();
        let warns = state.warned.is_none_or(|at| now.duration_since(at) >= WARNING_EVERY);
        if warns {
            state.warned = Some(now);
        }
        warns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_script_is_sent_once_and_one_that_is_lost_again_always() {
        let script = SetScript::default();
        assert_eq!(script.call(1), Call::Sha);
        assert!(script.lost(1));
        assert!(!script.lost(1), "one warning a minute");
        assert_eq!([script.call(1), script.call(1)], [Call::Text, Call::Sha]);
        script.lost(1);
        assert_eq!([script.call(1), script.call(1)], [Call::Text, Call::Text]);
        assert_eq!(script.call(2), Call::Sha, "another server may know it");
        assert_eq!([script.call(0), script.call(0)], [Call::Text, Call::Text], "nobody has asked one yet");
        script.not_loaded();
        assert_eq!([script.call(3), script.call(3)], [Call::Text, Call::Sha]);
    }
}
