//! The guard of a set as text, for callers that carry it themselves from read to write.
//!
//! One character a byte: generation (8) and number (8) of the epoch, both with the greatest byte first, so that of two
//! tickets of one generation the first 16 characters compare as the epochs do; then 1 if there is a lease, else 0; its
//! version (8), line (4) and connection (8); then which version of the entry the read found.

use crate::codec::envelope::EntryVersion;
use crate::model::tag::Epoch;
use crate::store::guard::{Guard, Lease};

const FOUND: usize = 37;
pub const LEN: usize = FOUND + EntryVersion::LEN;

pub type Ticket = [u8; LEN];

pub fn write(guard: Guard) -> Ticket {
    let mut out = [0; LEN];
    out[..8].copy_from_slice(&guard.epoch.generation.to_be_bytes());
    out[8..16].copy_from_slice(&guard.epoch.n.to_be_bytes());
    if let Some(lease) = guard.lease {
        out[16] = 1;
        out[17..25].copy_from_slice(&lease.cas.to_be_bytes());
        out[25..29].copy_from_slice(&lease.line.to_be_bytes());
        out[29..FOUND].copy_from_slice(&lease.link.to_be_bytes());
    }
    out[FOUND..].copy_from_slice(&guard.found.unwrap_or(EntryVersion::NONE).0);
    out
}

/// `None` for anything that `write` did not make.
pub fn read(text: &str) -> Option<Guard> {
    let mut bytes = [0; LEN];
    let mut chars = text.chars();
    for byte in &mut bytes {
        *byte = u8::try_from(u32::from(chars.next()?)).ok()?;
    }
    if chars.next().is_some() {
        return None;
    }
    let number = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[at..at + 8]);
        u64::from_be_bytes(eight)
    };
    let line = u32::from_be_bytes([bytes[25], bytes[26], bytes[27], bytes[28]]);
    let lease = Lease { cas: number(17), line, link: number(29) };
    let lease = match bytes[16] {
        0 if bytes[17..FOUND] == [0; FOUND - 17] => None,
        1 => Some(lease),
        _ => return None,
    };
    let mut found = EntryVersion::NONE;
    found.0.copy_from_slice(&bytes[FOUND..]);
    Some(Guard { epoch: Epoch { generation: number(0), n: number(8) }, lease, found: Some(found) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(ticket: Ticket) -> String {
        ticket.iter().map(|byte| char::from(*byte)).collect()
    }

    proptest! {
        #[test]
        fn a_guard_survives_its_ticket(
            generation: u64, n: u64, lease in proptest::option::of(any::<(u64, u32, u64)>()), found: [u8; EntryVersion::LEN],
        ) {
            let lease = lease.map(|(cas, line, link)| Lease { cas, line, link });
            let guard = Guard { epoch: Epoch { generation, n }, lease, found: Some(EntryVersion(found)) };
            let ticket = text(write(guard));
            prop_assert_eq!(ticket.chars().count(), LEN);
            prop_assert_eq!(read(&ticket), Some(guard));
        }

        #[test]
        fn tickets_of_one_generation_compare_as_their_epochs(a: u64, b: u64) {
            let head = |n| write(Guard::at(Epoch { generation: 7, n }))[..16].to_vec();
            prop_assert_eq!(head(a).cmp(&head(b)), a.cmp(&b));
        }

        #[test]
        fn what_is_read_is_what_was_written(text_of in "\\PC{56,58}", bytes: [u8; 16]) {
            let mut made = [0; LEN];
            made[..16].copy_from_slice(&bytes);
            for some in [text_of, text(made)] {
                if let Some(guard) = read(&some) {
                    prop_assert_eq!(text(write(guard)), some);
                }
            }
        }
    }

    #[test]
    fn what_is_no_ticket_is_none() {
        let good = text(write(Guard::at(Epoch { generation: 1, n: 2 })));
        assert!(read(&good).is_some());
        let mut long = good.clone();
        long.push('\0');
        let beyond = format!("€{}", &good[1..]);
        let flagged = format!("{}\u{2}{}", &good[..16], &good[17..]);
        let half = format!("{}\u{1}{}", &good[..36], &good[37..]);
        for bad in ["", &good[1..], &long, &beyond, &flagged, &half] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
