//! Entries by number: in a tag's set a number takes 4 bytes, a key 16.

use super::entries::Key;

#[derive(Default)]
pub struct Numbers {
    keys: Vec<Option<Key>>,
    free: Vec<u32>,
}

impl Numbers {
    /// A number that no other entry has now. Sets that were cleared may still hold it for an earlier one.
    pub fn add(&mut self, key: Key) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(place) = self.keys.get_mut(number as usize)
        {
            *place = Some(key);
            return number;
        }
        self.keys.push(Some(key));
        // No memory holds 2^32 entries.
        (self.keys.len() - 1) as u32
    }

    pub fn key(&self, number: u32) -> Option<&Key> {
        self.keys.get(number as usize)?.as_ref()
    }

    /// Of entries that have one.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.keys.len() - self.free.len()
    }

    pub fn remove(&mut self, number: u32) {
        if self.keys.get_mut(number as usize).and_then(Option::take).is_some() {
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_again_once_it_is_free() {
        let mut numbers = Numbers::default();
        let key = |name: &str| -> Key { name.into() };
        assert_eq!((numbers.add(key("a")), numbers.add(key("b"))), (0, 1));
        numbers.remove(0);
        numbers.remove(0);
        assert_eq!((numbers.key(0), numbers.key(1).map(|key| &**key)), (None, Some("b")));
        assert_eq!((numbers.add(key("c")), numbers.add(key("d"))), (0, 2));
        assert_eq!((numbers.key(0).map(|key| &**key), numbers.key(9)), (Some("c"), None));
    }
}
