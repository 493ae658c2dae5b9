//! Exponential, sigmoid and hyperbolic tangent in plain arithmetic: no calls, no branches, so that loops over them
//! vectorise, and the same bits on every machine.
//!
//! Ranges and coefficients are those of the Cephes library (Moshier 1989, `expf` and `tanhf`).

/// Relative error below 1.2e-7; 0 below -87.3 (instead of subnormal numbers), infinite above 88.7. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts: the first has few bits, so that its product with n is exact.
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut p = 1.987_569_1e-4f32;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
        p = p.mul_add(r, c);
    }
    let y = p.mul_add(r * r, r) + 1.0;
    // 2^n goes straight into the exponent bits. n = 128 would be infinity's, hence two factors.
    let half = (shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32) >> 1;
    let rest = (shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32) - half;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    let y = y * power(half) * power(rest);
    let y = if x < -87.3 { 0.0 } else { y };
    if x > 88.72 { f32::INFINITY } else { y }
}

/// 1 / (1 + e^-x), relative error below 3e-7.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, relative error below 3e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let z = x * x;
    let mut p = -5.704_988_7e-3_f32;
    for c in [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1] {
        p = p.mul_add(z, c);
    }
    let small = (p * z).mul_add(x, x);
    let large = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { small } else { large }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, Task, run_at};

    fn worst(range: std::ops::Range<f32>, ours: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        let steps = 400_000;
        let at = |i: i32| range.start + (range.end - range.start) * (i as f32 / steps as f32);
        let error = |x: f32| {
            let truth = exact(f64::from(x));
            if truth == 0.0 { f64::from(ours(x).abs()) } else { (f64::from(ours(x)) / truth - 1.0).abs() }
        };
        (0..=steps).map(|i| error(at(i))).fold(0.0, f64::max)
    }

    #[test]
    fn errors_are_what_the_documentation_says() {
        assert!(worst(-87.0..88.7, exp, f64::exp) < 1.2e-7);
        assert!(worst(-80.0..30.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp())) < 3e-7);
        assert!(worst(-12.0..12.0, tanh, f64::tanh) < 3e-7);
        assert!(worst(-1e-3..1e-3, tanh, f64::tanh) < 3e-7);
    }

    #[test]
    fn extremes_saturate_and_nan_stays() {
        let infinity = f32::INFINITY;
        for (x, e, s, t) in [(200.0, infinity, 1.0, 1.0), (infinity, infinity, 1.0, 1.0), (-200.0, 0.0, 0.0, -1.0)] {
            assert_eq!([exp(x), sigmoid(x), tanh(x)], [e, s, t], "at {x}");
        }
        assert_eq!([exp(-infinity), sigmoid(-infinity), tanh(-infinity)], [0.0, 0.0, -1.0]);
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!(tanh(0.0), 0.0);
    }

    struct Everything<'a>(&'a [f32]);

    impl Task for Everything<'_> {
        type Output = Vec<[u32; 3]>;

        #[inline(always)]
        fn run(self) -> Self::Output {
            self.0.iter().map(|&x| [exp(x), sigmoid(x), tanh(x)].map(f32::to_bits)).collect()
        }
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        let values: Vec<f32> = (-20_000..20_000).map(|i| i as f32 * 0.005_1).collect();
        let portable = run_at(Level::Portable, Everything(&values));
        for level in Level::available() {
            assert!(run_at(level, Everything(&values)) == portable, "{level:?}");
        }
    }
}
