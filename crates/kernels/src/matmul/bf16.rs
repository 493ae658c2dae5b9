//! Products of bfloat16 numbers summed in f32: the arithmetic of the instruction VDPBF16PS, in plain Rust.
//!
//! Factors are rounded to 8 significant bits (to nearest, ties to even). Two products at a time are added to the sum,
//! each with one rounding; subnormal numbers count as zero.

use crate::simd::Task;

/// Rounds to bfloat16; subnormal numbers become zero.
#[inline(always)]
pub(super) fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let number = if bits & 0x7f80_0000 == 0 { nearest & 0x8000 } else { nearest };
    if x.is_nan() { (bits >> 16) | 0x40 } else { number }
}

/// Rounds the rows `values` `[2 n, width]` and joins rows 2 i (low half) and 2 i + 1 to the words `out` `[n, width]`.
pub(super) struct Join<'a, const WIDTH: usize> {
    pub values: &'a [f32],
    pub out: &'a mut [f32],
}

impl<const WIDTH: usize> Task for Join<'_, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (values, _) = self.values.as_chunks::<WIDTH>();
        let (out, _) = self.out.as_chunks_mut::<WIDTH>();
        for (out, rows) in out.iter_mut().zip(values.chunks_exact(2)) {
            for i in 0..WIDTH {
                out[i] = f32::from_bits(round(rows[0][i]) | round(rows[1][i]) << 16);
            }
        }
    }
}

/// `sum` and the two products of the words `a` and `b`, the high halves first.
#[inline(always)]
pub(super) fn add_pair(sum: f32, a: f32, b: f32) -> f32 {
    let low = |word: f32| f32::from_bits(word.to_bits() << 16);
    let high = |word: f32| f32::from_bits(word.to_bits() & 0xffff_0000);
    let sum = flush(high(a).mul_add(high(b), flush(sum)));
    flush(low(a).mul_add(low(b), sum))
}

/// Subnormal numbers become zero.
#[inline(always)]
fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest_even() {
        // 1 + 2^-7 is the next number after 1.
        let ulp = 1.0 / 128.0;
        let cases = [
            (1.0, 0x3f80),
            (1.0 + ulp * 0.5, 0x3f80),
            (1.0 + ulp * 0.500_1, 0x3f81),
            (1.0 + ulp * 1.5, 0x3f82),
            (-2.5, 0xc020),
            (f32::MAX, 0x7f80),
            (f32::INFINITY, 0x7f80),
            (1e-40, 0),
            (f32::MIN_POSITIVE - 1e-45, 0),
            (-1e-40, 0x8000),
        ];
        for (x, expected) in cases {
            assert_eq!(round(x), expected, "{x}");
        }
        assert!(f32::from_bits(round(f32::NAN) << 16).is_nan());
    }
}
