//! Remembers the keys of the last messages, so that what comes twice after a reconnection is kept once.

use std::collections::{HashSet, VecDeque};

/// Keys of the last messages, up to a number of them.
#[derive(Debug)]
pub struct Recent {
    known: HashSet<u128>,
    order: VecDeque<u128>,
    most: usize,
}

impl Recent {
    /// Remembers `most` keys.
    pub fn new(most: usize) -> Self {
        Recent { known: HashSet::new(), order: VecDeque::new(), most: most.max(1) }
    }

    /// Remembers a key; false if it is known.
    pub fn is_new(&mut self, key: &str) -> bool {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
        let hash = u128::from_le_bytes(bytes);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_key_is_forgotten_first() {
        let mut recent = Recent::new(2);
        assert!(recent.is_new("a") && recent.is_new("b") && !recent.is_new("a"));
        assert!(recent.is_new("c") && recent.is_new("a") && !recent.is_new("c"));
    }
}
