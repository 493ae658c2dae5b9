//! Draws the town's images: the topic is the background's pattern and tint, the entity the shape, the colour its fill.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::draw::{Rng, between, draw};
use super::states::{PER_TOPIC, State, topic_of};
use crate::error::{Error, Result};

type Rgb = [f64; 3];

/// Fill of each colour, in the order of `COLOUR_NAMES`.
const FILLS: [Rgb; 6] =
    [[0.85, 0.1, 0.1], [0.95, 0.85, 0.1], [0.1, 0.65, 0.15], [0.1, 0.8, 0.85], [0.1, 0.2, 0.85], [0.6, 0.15, 0.75]];
/// Tint of each topic's background, pale so that the fill stands out.
const TINTS: [Rgb; 8] = [
    [0.75, 0.85, 0.95],
    [0.95, 0.9, 0.75],
    [0.9, 0.78, 0.9],
    [0.78, 0.92, 0.75],
    [0.95, 0.8, 0.75],
    [0.85, 0.85, 0.85],
    [0.7, 0.75, 0.8],
    [0.95, 0.95, 0.98],
];

/// How the things of one picture lie: drawn at random, so that no two pictures are alike and none of it says anything.
struct Layout {
    width: usize,
    height: usize,
    centre: [f64; 2],
    radius: f64,
    turn: f64,
    pattern_size: f64,
    pattern_turn: f64,
    phase: [f64; 2],
    light: f64,
}

impl Layout {
    fn new(rng: &mut Rng) -> Layout {
        Layout {
            width: 96 + 8 * rng.index(9),
            height: 96 + 8 * rng.index(9),
            centre: [between(rng, 0.4, 0.6), between(rng, 0.4, 0.6)],
            radius: between(rng, 0.26, 0.38),
            turn: between(rng, -0.25, 0.25),
            pattern_size: between(rng, 0.09, 0.13),
            pattern_turn: between(rng, -0.2, 0.2),
            phase: [rng.f64(), rng.f64()],
            light: between(rng, 0.85, 1.05),
        }
    }
}

fn turned(x: f64, y: f64, angle: f64) -> (f64, f64) {
    let (sin, cos) = angle.sin_cos();
    (x * cos + y * sin, y * cos - x * sin)
}

/// Whether the point is inside shape `shape`; the shape fills about `[-1, 1]` in both directions, y downwards.
fn inside(shape: usize, x: f64, y: f64) -> bool {
    let r2 = x * x + y * y;
    match shape % PER_TOPIC {
        0 => r2 < 0.9,
        1 => x.abs().max(y.abs()) < 0.8,
        2 => y < 0.75 && y > 1.9 * x.abs() - 0.95,
        3 => r2.sqrt() < 0.62 + 0.38 * (5.0 * x.atan2(-y)).cos(),
        4 => x.abs().min(y.abs()) < 0.25 && x.abs().max(y.abs()) < 0.95,
        5 => (0.35..0.95).contains(&r2),
        6 => r2 < 0.95 && (x - 0.45).powi(2) + y * y > 0.55,
        _ => {
            let (x, y) = (1.2 * x, -1.2 * y + 0.15);
            (x * x + y * y - 0.7).powi(3) < x * x * y.powi(3)
        }
    }
}

/// Darkness in `[0, 1]` of pattern `pattern` at a point in units of the pattern's size.
fn pattern(pattern: usize, x: f64, y: f64) -> f64 {
    let on = |yes: bool| f64::from(u8::from(yes));
    let cell = |v: f64| v - v.floor();
    match pattern % TINTS.len() {
        0 => on(cell(y + 0.3 * (2.0 * x).sin()) < 0.5),
        1 => on((x.floor() + y.floor()).rem_euclid(2.0) < 1.0),
        2 => on(cell(x) < 0.5),
        3 => on((cell(x) - 0.5).powi(2) + (cell(y) - 0.5).powi(2) < 0.1),
        4 => on(cell((x * x + y * y).sqrt()) < 0.5),
        5 => on(cell(x) < 0.15 || cell(y) < 0.15),
        6 => on(cell(y + (2.0 * cell(x) - 1.0).abs()) < 0.5),
        _ => (0.12 * (x + y)).sin() * 0.5 + 0.5,
    }
}

/// Colour of a campaign's poster: bars like lines of print under a box.
fn poster(campaign: usize, x: f64, y: f64, layout: &Layout) -> Rgb {
    let back = FILLS[campaign % FILLS.len()];
    let ink = if campaign.is_multiple_of(2) { [1.0, 1.0, 1.0] } else { [0.05, 0.05, 0.05] };
    let shift = 0.1 * (layout.phase[0] - 0.5);
    let line = (y + shift) * (8.0 + campaign as f64);
    let printed = line - line.floor() < 0.45 && x > 0.1 && x < 0.6 + 0.3 * (line.floor() * 1.7).sin().abs();
    if printed { ink } else { back }
}

fn scene(entity: usize, colour: usize, x: f64, y: f64, layout: &Layout) -> Rgb {
    let (sx, sy) = turned((x - layout.centre[0]) / layout.radius, (y - layout.centre[1]) / layout.radius, layout.turn);
    if inside(entity % PER_TOPIC, sx, sy) {
        return FILLS[colour % FILLS.len()];
    }
    let topic = topic_of(entity);
    let (px, py) = turned(x, y, layout.pattern_turn);
    let dark = pattern(topic, px / layout.pattern_size + layout.phase[0], py / layout.pattern_size + layout.phase[1]);
    TINTS[topic % TINTS.len()].map(|c| c * (1.0 - 0.35 * dark))
}

/// The PNG file of picture number `number` that shows `state`; 96 to 160 pixels a side.
///
/// # Errors
/// Only if the encoder fails, which would be our bug.
pub fn png(seed: u64, number: u64, state: State) -> Result<Vec<u8>> {
    let layout = Layout::new(&mut draw(seed, "pictures", number));
    let side = layout.width.min(layout.height) as f64;
    let mut pixels = Vec::with_capacity(layout.width * layout.height * 3);
    for row in 0..layout.height {
        for column in 0..layout.width {
            let x = (column as f64 + 0.5 - 0.5 * (layout.width as f64 - side)) / side;
            let y = (row as f64 + 0.5 - 0.5 * (layout.height as f64 - side)) / side;
            let rgb = match state {
                State::Scene { entity, colour } => scene(entity, colour, x, y, &layout),
                State::Campaign(campaign) => poster(campaign, x, y, &layout),
            };
            pixels.extend(rgb.map(|c| (255.0 * (c * layout.light).clamp(0.0, 1.0)).round() as u8));
        }
    }
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Sub)
        .write_image(&pixels, layout.width as u32, layout.height as u32, ExtendedColorType::Rgb8)
        .map_err(|e| Error::internal("a picture of the town could not be encoded").caused_by(e))?;
    Ok(file)
}
