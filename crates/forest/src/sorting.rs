//! A feature's values in a node, in order, each with a payload of 32 bits.

/// Values closer than this count as equal (scikit-learn's `FEATURE_THRESHOLD`, which is 32-bit like the values).
pub(crate) const SAME: f32 = 1e-7;

/// From so many values on, distributing them by their place between the least and the largest is faster than comparing.
const MANY: usize = 192;

/// A value above its payload, so that whole numbers order as the values do.
fn key(value: f32, payload: u32) -> u64 {
    // Adding 0 turns -0 into 0: equal values must not be told apart. Negative numbers have all bits turned, the others
    // the sign only.
    let bits = (value + 0.0).to_bits();
    let ordered = bits ^ (((bits as i32) >> 31) as u32 | 0x8000_0000);
    u64::from(ordered) << 32 | u64::from(payload)
}

/// The value of a key.
pub(crate) fn value(key: u64) -> f32 {
    let ordered = (key >> 32) as u32;
    f32::from_bits(ordered ^ (((!ordered as i32) >> 31) as u32 | 0x8000_0000))
}

/// The payload of a key.
pub(crate) fn payload(key: u64) -> u32 {
    key as u32
}

/// Room that is used again for every feature of every node.
pub(crate) struct Sorter {
    keys: Vec<u64>,
    spare: Vec<u64>,
}

impl Sorter {
    /// Room for `rows` values.
    pub(crate) fn new(rows: usize) -> Self {
        Sorter { keys: vec![0; rows], spare: vec![0; rows] }
    }

    /// The keys of `values`, in order; none if they are all the same.
    pub(crate) fn sort(&mut self, values: &[f32], payloads: &[u32]) -> Option<&[u64]> {
        let (least, largest) = range(values);
        if largest <= least + SAME {
            return None;
        }
        let n = values.len();
        let keys = &mut self.keys[..n];
        if n < MANY {
            for ((key_of, &v), &p) in keys.iter_mut().zip(values).zip(payloads) {
                *key_of = key(v, p);
            }
            keys.sort_unstable();
        } else {
            distribute(values, payloads, keys, &mut self.spare[..n], least, largest);
            if !insert(keys) {
                keys.sort_unstable();
            }
        }
        Some(keys)
    }
}

/// Least and largest value.
fn range(values: &[f32]) -> (f32, f32) {
    const LANES: usize = 8;
    let first = values.first().copied().unwrap_or(0.0);
    let (mut low, mut high) = ([first; LANES], [first; LANES]);
    let (lanes, rest) = values.as_chunks::<LANES>();
    for lane in lanes {
        for i in 0..LANES {
            low[i] = if lane[i] < low[i] { lane[i] } else { low[i] };
            high[i] = if lane[i] > high[i] { lane[i] } else { high[i] };
        }
    }
    let least = low.iter().chain(rest).fold(first, |a, &b| if b < a { b } else { a });
    let largest = high.iter().chain(rest).fold(first, |a, &b| if b > a { b } else { a });
    (least, largest)
}

/// Orders `values` into `keys` by their place among 65,535 between `least` and `largest`, in two stable passes of eight
/// bits. Values of one place stay in the order in which they came, for [`insert`] to finish.
fn distribute(values: &[f32], payloads: &[u32], keys: &mut [u64], spare: &mut [u64], least: f32, largest: f32) {
    // Adding 2^23 leaves the whole number in the low bits. What overflows lands somewhere: then `insert` gives up.
    let scale = 65_534.0 / (largest - least);
    let place = |v: f32| ((v - least) * scale + 8_388_608.0).to_bits() as usize & 0xffff;
    let (mut low, mut high) = ([0_u32; 256], [0_u32; 256]);
    for &v in values {
        let at = place(v);
        low[at & 255] += 1;
        high[at >> 8] += 1;
    }
    starts(&mut low);
    starts(&mut high);
    for (&v, &p) in values.iter().zip(payloads) {
        let to = &mut low[place(v) & 255];
        spare[*to as usize] = key(v, p);
        *to += 1;
    }
    for &k in spare.iter() {
        let to = &mut high[place(value(k)) >> 8];
        keys[*to as usize] = k;
        *to += 1;
    }
}

/// Turns counts into the first place of each.
fn starts(counts: &mut [u32; 256]) {
    let mut sum = 0;
    for count in counts {
        sum += std::mem::replace(count, sum);
    }
}

/// Insertion sort by value; gives up (false) when the keys are not nearly in order, as when one value is far out and
/// all others share a place.
fn insert(keys: &mut [u64]) -> bool {
    let mut moves = 16 * keys.len();
    for i in 1..keys.len() {
        let moving = keys[i];
        let mut at = i;
        while at > 0 && keys[at - 1] >> 32 > moving >> 32 {
            keys[at] = keys[at - 1];
            at -= 1;
        }
        keys[at] = moving;
        moves = moves.saturating_sub(i - at);
        if moves == 0 {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quintet_kernels::rng::Rng;

    use super::*;

    fn check(values: &[f32]) {
        let payloads: Vec<u32> = (0..values.len() as u32).collect();
        let mut expected = values.to_vec();
        expected.sort_by(f32::total_cmp);
        let mut sorter = Sorter::new(values.len());
        match sorter.sort(values, &payloads) {
            None => assert!(expected.last().copied().unwrap_or(0.0) <= expected.first().copied().unwrap_or(0.0) + SAME),
            Some(keys) => {
                let found: Vec<f32> = keys.iter().map(|&k| value(k)).collect();
                // Equality of floats: -0 and 0 are the same.
                assert!(found == expected, "{values:?}");
                assert!(keys.iter().all(|&k| values[payload(k) as usize] == value(k)));
                let mut all: Vec<u32> = keys.iter().map(|&k| payload(k)).collect();
                all.sort_unstable();
                assert_eq!(all, payloads);
            }
        }
    }

    #[test]
    fn many_values_of_any_distribution_come_in_order() {
        let mut rng = Rng::new(8, &[]);
        for n in [MANY - 1, MANY, 1000, 20_000] {
            check(&(0..n).map(|_| rng.normal() as f32).collect::<Vec<_>>());
            check(&(0..n).map(|_| rng.below(3) as f32 - 1.0).collect::<Vec<_>>());
            check(&(0..n).map(|_| (rng.normal() * 40.0).exp() as f32).map(|v| v.min(f32::MAX)).collect::<Vec<_>>());
            // One far out, and a range that is no number.
            check(&(0..n).map(|i| if i == 5 { 1e30 } else { rng.f32() }).collect::<Vec<_>>());
            check(&(0..n).map(|i| if i == 5 { -f32::MAX } else { f32::MAX * rng.f32() }).collect::<Vec<_>>());
        }
        check(&[0.0, -0.0, 1.0, -1.0, f32::MIN_POSITIVE, -f32::MAX, f32::MAX]);
        check(&[]);
        check(&[2.0]);
        check(&[1.0, 1.0 + 5e-8]);
    }

    proptest! {
        #[test]
        fn any_values_come_in_order(values in prop::collection::vec(-4.0_f32..4.0, 0..600)) {
            check(&values);
        }
    }
}
