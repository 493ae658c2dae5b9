//! Finds texts that say nearly the same: at least 80 % of their distinct tokens in common.

use std::collections::HashMap;

use super::dataset::Ragged;

/// Smallest share of common tokens (Jaccard), in percent, that makes two texts near-duplicates. The same text with a
/// word changed, added or cut off is above it from about ten words on; shorter texts must have equal token sets.
const PERCENT: usize = 80;

/// Texts in groups (places), looked up by group and token set.
///
/// Two sets that have 80 % in common share one of their rarest 20 % of tokens, so only texts that share a rare token
/// are compared (Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search").
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NearDuplicates {
    frequency: HashMap<u32, u32>,
    postings: HashMap<(u32, u32), Vec<u32>>,
}

impl NearDuplicates {
    /// Text `i` is in group `groups[i]` and has the token set `sets.get(i)` (sorted, distinct).
    pub fn new(groups: &[u32], sets: &Ragged<u32>) -> NearDuplicates {
        let mut index = NearDuplicates::default();
        for &token in &sets.values {
            *index.frequency.entry(token).or_default() += 1;
        }
        for (i, &group) in groups.iter().enumerate() {
            for token in index.rarest(sets.get(i)) {
                index.postings.entry((group, token)).or_default().push(i as u32);
            }
        }
        index
    }

    /// Texts of `group` that are near-duplicates of `set`, ascending. `sets` as in [`NearDuplicates::new`].
    pub fn find(&self, group: u32, set: &[u32], sets: &Ragged<u32>) -> Vec<u32> {
        let hits = self.rarest(set).into_iter().filter_map(|token| self.postings.get(&(group, token)));
        let mut found: Vec<u32> = hits.flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|&i| near(set, sets.get(i as usize)));
        found
    }

    /// The rarest tokens of a set, of which a near-duplicate must share one.
    fn rarest(&self, set: &[u32]) -> Vec<u32> {
        let mut tokens = set.to_vec();
        tokens.sort_unstable_by_key(|t| (self.frequency.get(t).copied().unwrap_or(0), *t));
        tokens.truncate(set.len() - (set.len() * PERCENT).div_ceil(100) + 1);
        tokens
    }
}

/// Whether two sorted sets have at least 80 % of their union in common.
fn near(a: &[u32], b: &[u32]) -> bool {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    common * 100 >= PERCENT * (a.len() + b.len() - common)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_kernels::rng::Rng;

    #[test]
    fn finds_what_comparing_all_pairs_finds() {
        let mut rng = Rng::new(2, &[]);
        let (mut sets, mut groups) = (Ragged::default(), Vec::new());
        for i in 0..400u32 {
            // Frequent tokens are more frequent, and every third text is the one before with up to two changes.
            let mut set: Vec<u32> = (0..1 + rng.index(14)).map(|_| (40.0 * rng.f64().powi(2)) as u32).collect();
            if i % 3 == 2 {
                set = sets.get(i as usize - 1).to_vec();
                (0..rng.index(3)).for_each(|_| set.push(rng.index(40) as u32));
            }
            set.sort_unstable();
            set.dedup();
            sets.push(set);
            groups.push(i / 3 % 2);
        }
        let index = NearDuplicates::new(&groups, &sets);
        let mut pairs = 0;
        for i in 0..400 {
            let all: Vec<u32> = (0..400u32)
                .filter(|&j| groups[j as usize] == groups[i] && near(sets.get(i), sets.get(j as usize)))
                .collect();
            assert_eq!(index.find(groups[i], sets.get(i), &sets), all);
            pairs += all.len() - 1;
        }
        assert!(pairs > 100, "{pairs} pairs are too few to test anything");
    }

    #[test]
    fn the_threshold() {
        assert!(near(&[1, 2, 3, 4], &[1, 2, 3, 4, 5]));
        assert!(!near(&[1, 2, 3], &[1, 2, 3, 4]));
        assert!(near(&[7], &[7]));
    }
}
