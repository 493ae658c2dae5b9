//! Products of bfloat16 numbers by tiles (Intel AMX): 16 by 16 sums at a time, 32 k to an instruction.
//!
//! The instruction TDPBF16PS fixes the order of summation: of each 32 k, the even and the odd ones are two chains of fused
//! multiply-adds from 0, whose sum is added to C; subnormal numbers count as zero. So the bits differ from those of the
//! other instructions, but not with the number of threads or with the other rows: the blocks of 32 start at k = 0.

use super::pack::{self, How};
use super::tile::Tile;
use super::vectors::{first, rounded};
use super::{Mat, PackedB, Precision, evenly, share};
use crate::scratch::Scratch;
use crate::threads::{Shared, rows_per_job};
use rayon::prelude::*;
use std::arch::asm;
use std::arch::x86_64::{
    __cpuid, __cpuid_count, _mm_sfence, _mm512_load_ps, _mm512_mask_storeu_ps, _mm512_storeu_ps, _mm512_stream_ps,
};
use std::ops::Range;
use std::sync::OnceLock;

/// Rows and columns of a tile; words (two numbers each) in a row of it.
const SIDE: usize = 16;
/// Words of a tile.
const WORDS: usize = SIDE * SIDE;
/// k that an instruction takes.
const BLOCK: usize = 2 * SIDE;
/// Rows and columns of C computed at a time: four tiles of sums, two of A, two of B are all eight registers.
const BOTH: usize = 2 * SIDE;
/// Most blocks of k at a time: 32 columns of them (32 KiB) stay in the first-level cache.
const DEPTH: usize = 16;
/// Most rows of C in a task, and most blocks of k at a time: their part of A (512 KiB) stays in the second-level cache.
const TASK_ROWS: usize = 8 * BOTH;
const MOST_BLOCKS: usize = 2 * DEPTH;
/// A larger C (8 MiB) that is written once goes to memory past the caches, which would first read the lines to be written:
/// twice as fast for 2,000 x 300 x 3,072.
const STREAMED: usize = 1 << 21;

/// Whether this processor has the tiles and the system lets us use them. The variable `QUINTET_NO_AMX` forbids it, for who
/// needs the same bits as on other processors.
pub(super) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| std::env::var_os("QUINTET_NO_AMX").is_none() && is_there() && is_allowed())
}

/// Whether the processor has AMX with bfloat16, and AVX-512 for the packing.
fn is_there() -> bool {
    use std::arch::is_x86_feature_detected as has;
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    let vectors = has!("avx512f") && has!("avx512bw") && has!("avx512bf16");
    // SAFETY: every x86-64 processor has the instruction.
    #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
    let tiles = unsafe { if __cpuid(0).eax < 7 { 0 } else { __cpuid_count(7, 0).edx } };
    vectors && tiles & (BF16 | TILE) == BF16 | TILE
}

/// Asks Linux for the permission that the 8 KiB of registers need, once for the process.
fn is_allowed() -> bool {
    #[cfg(target_os = "linux")]
    {
        const REQUEST: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        // SAFETY: the call reads its two numbers only; a kernel without it returns an error.
        unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// A tile's shape for each register: 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPES: Shapes = Shapes {
    palette: 1,
    start: 0,
    reserved: [0; 14],
    bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Packs `b` `[k, n]` in panels of [`BOTH`] columns: panel, word of k, column, with zeros up to a whole block of k.
pub(super) fn pack_b(b: Mat, how: How) -> Scratch {
    pack::pack_padded::<BOTH>(b.t(), Precision::Bf16, SIDE, how)
}

/// Packs `a` in tiles: panel of 16 rows, block of 32 k, row, word. What is missing is 0.
fn pack_a(a: Mat) -> Scratch {
    let (panels, blocks) = (a.rows.div_ceil(SIDE), a.cols.div_ceil(BLOCK));
    let mut packed = Scratch::new(panels * blocks * WORDS);
    let out = Shared::new(&mut packed);
    (0..panels * blocks).into_par_iter().with_min_len(rows_per_job(2 * WORDS)).for_each(|task| {
        // Neighbouring panels read the same lines where rows are contiguous, neighbouring blocks where values are.
        let (panel, block) =
            if a.row_stride == 1 { (task % panels, task / panels) } else { (task / blocks, task % blocks) };
        // SAFETY: tasks write disjoint tiles of the size above, and the product runs only where the processor has AVX-512.
        unsafe { pack_tile(a, panel * SIDE, block * BLOCK, out.slice((panel * blocks + block) * WORDS, WORDS)) };
    });
    packed
}

/// Packs the tile of `a` whose first element is (row, k).
///
/// # Safety
/// The processor must have AVX-512 F, BW and BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_tile(a: Mat, row: usize, k: usize, out: &mut [f32]) {
    let (rows, values) = (SIDE.min(a.rows - row), BLOCK.min(a.cols - k));
    let start = row * a.row_stride + k * a.col_stride;
    if a.col_stride == 1 {
        for (i, out) in out.chunks_exact_mut(SIDE).enumerate() {
            let values = if i < rows { values } else { 0 };
            let from = a.data.as_ptr().wrapping_add(start + i * a.row_stride);
            // SAFETY: `values` numbers of the row are read, 16 words written.
            unsafe {
                _mm512_storeu_ps(
                    out.as_mut_ptr(),
                    rounded(from, from.wrapping_add(SIDE), values, values.saturating_sub(SIDE)),
                )
            };
        }
    } else if a.row_stride == 1 {
        // SAFETY: two values of k for `rows` rows are read at a time, the second only where it is there.
        let columns = std::array::from_fn(|word| unsafe {
            let from = a.data.as_ptr().wrapping_add(start + 2 * word * a.col_stride);
            let real = |at: usize| if at < values { rows } else { 0 };
            let halves = rounded(from, from.wrapping_add(a.col_stride), real(2 * word), real(2 * word + 1));
            super::vectors::joined(halves)
        });
        for (words, out) in super::transpose::transposed(columns).into_iter().zip(out.chunks_exact_mut(SIDE)) {
            // SAFETY: 16 words are written.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), first(SIDE), words) };
        }
    } else {
        let at = |i: usize, p: usize| {
            if i < rows && p < values { a.data[start + i * a.row_stride + p * a.col_stride] } else { 0.0 }
        };
        for (i, out) in out.chunks_exact_mut(SIDE).enumerate() {
            for (word, out) in out.iter_mut().enumerate() {
                let [low, high] = [2 * word, 2 * word + 1].map(|p| super::bf16::round(at(i, p)));
                *out = f32::from_bits(low | high << 16);
            }
        }
    }
}

/// C = A B, or C += A B with `accumulate`. No dimension is 0, `b` is packed by [`pack_b`], and the tiles are [`available`].
pub(super) fn product(c: &mut [f32], a: Mat, b: &PackedB, accumulate: bool) {
    let (m, n, k) = (a.rows, b.n, b.k);
    let a = pack_a(a);
    let whole_lines = c.as_ptr().addr().is_multiple_of(64) && n.is_multiple_of(SIDE);
    let stream = c.len() >= STREAMED && whole_lines && !accumulate && k <= BLOCK * DEPTH;
    let c = Shared::new(c);
    share(m, n, k, (BOTH, TASK_ROWS), BOTH, |rows, panels| {
        // SAFETY: the tasks' blocks are disjoint and lie in C; both operands are packed.
        unsafe { block(c, &a, b, rows, panels, accumulate, stream) };
    });
}

/// The sums of some rows and some panels of columns; `stream` writes past the caches.
///
/// # Safety
/// With `stream` the rows of C must start at whole lines of 64 bytes and be written once. The processor must have AMX, `a` be packed by [`pack_a`], `b` by [`pack_b`], `rows` start at a multiple of [`BOTH`], and
/// the block lie in C and be used by nobody else.
unsafe fn block(
    c: Shared<f32>,
    a: &[f32],
    b: &PackedB,
    rows: Range<usize>,
    panels: Range<usize>,
    accumulate: bool,
    stream: bool,
) {
    let (n, blocks) = (b.n, b.k.div_ceil(BLOCK));
    // SAFETY: the registers are ours until they are released; nothing in between can panic or leave this thread.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, preserves_flags, readonly)) };
    for from in evenly(0..blocks, MOST_BLOCKS) {
        for panel in panels.clone() {
            for part in evenly(from.clone(), DEPTH) {
                for row in rows.clone().step_by(BOTH) {
                    let col = panel * BOTH;
                    // SAFETY: the parts lie in the packed operands; the tile is cut to C's edges.
                    unsafe {
                        let tile = Tile {
                            c: c.at(row * n + col),
                            stride: n,
                            rows: BOTH.min(rows.end - row),
                            cols: BOTH.min(n - col),
                            accumulate: accumulate || part.start > 0,
                        };
                        let a = a.as_ptr().add((row / SIDE * blocks + part.start) * WORDS);
                        let b = b.panels.as_ptr().add((panel * blocks + part.start) * SIDE * BOTH);
                        edges(part.len(), a, a.wrapping_add(blocks * WORDS), b, tile, stream);
                    }
                }
            }
        }
    }
    // SAFETY: as above. What went past the caches is ordered before what follows.
    unsafe {
        asm!("tilerelease", options(nostack, preserves_flags, nomem));
        _mm_sfence();
    }
}

/// Calls [`sums`] with C itself where four tiles are whole, else, or to `stream`, with a copy of the used part.
///
/// # Safety
/// As [`sums`] and [`block`]; only the used part of `tile` need be valid, and of `second` nothing if that has 16 rows or fewer.
unsafe fn edges(blocks: usize, a: *const f32, second: *const f32, b: *const f32, tile: Tile, stream: bool) {
    let Tile { c, stride, rows, cols, accumulate } = tile;
    // SAFETY: the caller's promises; the copy holds four tiles.
    unsafe {
        if rows == BOTH && cols == BOTH && !stream {
            return sums::<true, true>(blocks, a, second, b, c, stride, accumulate);
        }
        let mut copy = Copy([0f32; BOTH * BOTH]);
        let copy = &mut copy.0;
        if stream && rows == BOTH && cols == BOTH {
            sums::<true, true>(blocks, a, second, b, copy.as_mut_ptr(), BOTH, false);
            return write_through(copy, c, stride);
        }
        if accumulate {
            for i in 0..rows {
                std::ptr::copy_nonoverlapping(c.add(i * stride), copy.as_mut_ptr().add(i * BOTH), cols);
            }
        }
        match (rows > SIDE, cols > SIDE) {
            (true, true) => sums::<true, true>(blocks, a, second, b, copy.as_mut_ptr(), BOTH, accumulate),
            (true, false) => sums::<true, false>(blocks, a, second, b, copy.as_mut_ptr(), BOTH, accumulate),
            (false, true) => sums::<false, true>(blocks, a, second, b, copy.as_mut_ptr(), BOTH, accumulate),
            (false, false) => sums::<false, false>(blocks, a, second, b, copy.as_mut_ptr(), BOTH, accumulate),
        }
        for i in 0..rows {
            std::ptr::copy_nonoverlapping(copy.as_ptr().add(i * BOTH), c.add(i * stride), cols);
        }
    }
}

/// Four tiles on lines of their own.
#[repr(C, align(64))]
struct Copy([f32; BOTH * BOTH]);

/// Writes four tiles to C past the caches.
///
/// # Safety
/// The processor must have AVX-512 F, and the rows of C must be valid, ours, and start at whole lines.
#[target_feature(enable = "avx512f")]
unsafe fn write_through(copy: &[f32; BOTH * BOTH], c: *mut f32, stride: usize) {
    // SAFETY: the caller's promises.
    unsafe {
        for i in 0..BOTH {
            for part in (0..BOTH).step_by(SIDE) {
                _mm512_stream_ps(c.add(i * stride + part), _mm512_load_ps(copy.as_ptr().add(i * BOTH + part)));
            }
        }
    }
}

/// Two by two tiles of C; with `LOWER` false only the upper two, with `RIGHT` false only the left two.
///
/// # Safety
/// The tile registers must be configured; `a` (and `second`, the 16 rows below) must hold `blocks` tiles, `b` as many blocks
/// of a panel, and the tiles of C, whose rows are `stride` values apart, must be ours.
#[inline(always)]
unsafe fn sums<const LOWER: bool, const RIGHT: bool>(
    blocks: usize,
    mut a: *const f32,
    mut second: *const f32,
    mut b: *const f32,
    c: *mut f32,
    stride: usize,
    accumulate: bool,
) {
    // An instruction on a tile register, and a move between one and rows that are `step` bytes apart.
    macro_rules! on {
        ($code:literal) => {
            asm!($code, options(nostack, preserves_flags, nomem))
        };
        ($code:literal, $at:expr, $step:expr) => {
            asm!($code, at = in(reg) $at, step = in(reg) $step, options(nostack, preserves_flags))
        };
    }
    let (bytes, lower) = (stride * 4, c.wrapping_add(SIDE * stride));
    let (right, lower_right) = (c.wrapping_add(SIDE), lower.wrapping_add(SIDE));
    // SAFETY: the caller's promises; the compiler itself uses no tile register, so values stay there between instructions.
    unsafe {
        if accumulate {
            on!("tileloadd tmm0, [{at} + {step}]", c, bytes);
            if RIGHT {
                on!("tileloadd tmm1, [{at} + {step}]", right, bytes);
            }
            if LOWER {
                on!("tileloadd tmm2, [{at} + {step}]", lower, bytes);
            }
            if LOWER && RIGHT {
                on!("tileloadd tmm3, [{at} + {step}]", lower_right, bytes);
            }
        } else {
            on!("tilezero tmm0");
            on!("tilezero tmm1");
            on!("tilezero tmm2");
            on!("tilezero tmm3");
        }
        for _ in 0..blocks {
            on!("tileloadd tmm4, [{at} + {step}]", a, SIDE * 4);
            on!("tileloadd tmm6, [{at} + {step}]", b, BOTH * 4);
            on!("tdpbf16ps tmm0, tmm4, tmm6");
            if RIGHT {
                on!("tileloadd tmm7, [{at} + {step}]", b.add(SIDE), BOTH * 4);
                on!("tdpbf16ps tmm1, tmm4, tmm7");
            }
            if LOWER {
                on!("tileloadd tmm5, [{at} + {step}]", second, SIDE * 4);
                on!("tdpbf16ps tmm2, tmm5, tmm6");
            }
            if LOWER && RIGHT {
                on!("tdpbf16ps tmm3, tmm5, tmm7");
            }
            (a, second, b) = (a.add(WORDS), second.wrapping_add(WORDS), b.add(SIDE * BOTH));
        }
        on!("tilestored [{at} + {step}], tmm0", c, bytes);
        if RIGHT {
            on!("tilestored [{at} + {step}], tmm1", right, bytes);
        }
        if LOWER {
            on!("tilestored [{at} + {step}], tmm2", lower, bytes);
        }
        if LOWER && RIGHT {
            on!("tilestored [{at} + {step}], tmm3", lower_right, bytes);
        }
    }
}
