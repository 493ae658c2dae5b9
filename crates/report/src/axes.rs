//! What all plots share: the drawing area, scales, round ticks, numbers, marks that differ in more than colour.

use super::escape;

/// Width of a drawing in its own units. Small, so that text stays readable when a phone scales it down.
pub(super) const WIDTH: f64 = 480.0;

/// Numbers of distinct colours in the page's style sheet.
const COLOURS: usize = 8;
/// Line styles, used with the colours: a line is known by its dashes where colours fail.
const DASHES: [&str; 5] = ["", "7 3", "2 3", "9 3 2 3", "4 2"];

/// A linear scale from values to drawing units.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    /// Maps `from.0..from.1` onto `to.0..to.1`; an empty range of values is widened.
    pub(super) fn new(from: (f64, f64), to: (f64, f64)) -> Scale {
        let (low, high) = from;
        let usable = low.is_finite() && high.is_finite() && low <= high;
        let from = match () {
            () if !usable => (0.0, 1.0),
            () if high - low < 1e-9 * low.abs().max(high.abs()).max(1e-9) => (low - 0.5, high + 0.5),
            () => (low, high),
        };
        Scale { from, to }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let part = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + part * (self.to.1 - self.to.0)
    }

    /// Round values within the range, about `count` of them, with their texts.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (low, high) = self.from;
        let rough = (high - low) / count as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.999).unwrap_or(rough);
        let decimals = (-step.log10().floor()).clamp(0.0, 8.0) as usize;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        (first..=last).map(|i| (i as f64 * step, label(i as f64 * step, decimals))).collect()
    }
}

fn label(value: f64, decimals: usize) -> String {
    let value = if value == 0.0 { 0.0 } else { value }; // no "-0"
    if value.abs() >= 1e6 {
        format!("{}M", trimmed(value / 1e6))
    } else if value.abs() >= 1e4 {
        format!("{}k", trimmed(value / 1e3))
    } else {
        format!("{value:.decimals$}")
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A value with three digits that count.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        a if a >= 1000.0 => format!("{value:.0}"),
        a if a >= 10.0 => format!("{value:.1}"),
        a if a >= 1.0 => format!("{value:.2}"),
        _ => trimmed_long(value),
    }
}

/// A whole number with its digits in threes: 12,345.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let threes: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|chunk| std::str::from_utf8(chunk).ok()).collect();
    format!("{}{}", if value <= -0.5 { "-" } else { "" }, threes.join(","))
}

fn trimmed_long(value: f64) -> String {
    let text = format!("{value:.3}");
    if text.trim_start_matches('-').starts_with("0.000") && value != 0.0 { format!("{value:.1e}") } else { text }
}

/// Smallest and largest finite value.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// The class that gives series `i` its colour.
pub(super) fn colour(i: usize) -> String {
    format!("c{}", i % COLOURS)
}

/// The `stroke-dasharray` of series `i`.
pub(super) fn dashes(i: usize) -> &'static str {
    DASHES[i % DASHES.len()]
}

/// A mark whose shape tells series `i` apart without colour: six shapes against eight colours, so 24 pairs in all.
pub(super) fn mark(i: usize, x: f64, y: f64, r: f64) -> String {
    let (class, a, b) = (colour(i), r * 1.15, r * 0.9);
    let path = |d: String| format!("<path class=\"{class} fill\" d=\"{d}\"/>");
    match i % 6 {
        0 => format!("<circle class=\"{class} fill\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\"/>"),
        1 => path(format!("M{:.1} {:.1}h{w:.1}v{w:.1}h-{w:.1}z", x - b, y - b, w = 2.0 * b)),
        2 => path(format!("M{x:.1} {:.1}l{a:.1} {h:.1}h-{w:.1}z", y - a, h = 2.0 * a, w = 2.0 * a)),
        3 => path(format!("M{x:.1} {:.1}l{d:.1} {d:.1}l-{d:.1} {d:.1}l-{d:.1} -{d:.1}z", y - r * 1.3, d = r * 1.3)),
        4 => path(format!("M{x:.1} {:.1}l{a:.1} -{h:.1}h-{w:.1}z", y + a, h = 2.0 * a, w = 2.0 * a)),
        _ => {
            let t = r * 0.45;
            path(format!(
                "M{:.1} {:.1}h{n:.1}v-{l:.1}h{w:.1}v{l:.1}h{l:.1}v{w:.1}h-{l:.1}v{l:.1}h-{w:.1}v-{l:.1}h-{l:.1}z",
                x - a,
                y - t,
                n = a - t,
                l = a - t,
                w = 2.0 * t
            ))
        }
    }
}

/// One entry of a legend: a sample of how series `i` is drawn, and its name.
pub(super) fn legend_entry(i: usize, name: &str, line: bool) -> String {
    let stroke = if line {
        format!("<path class=\"{} line\" stroke-dasharray=\"{}\" d=\"M1 7H31\"/>", colour(i), dashes(i))
    } else {
        String::new()
    };
    let mark = mark(i, 16.0, 7.0, 4.0);
    format!("<li><svg width=\"32\" height=\"14\" aria-hidden=\"true\">{stroke}{mark}</svg>{}</li>", escape(name))
}

/// A plot with its title, legend and note.
pub(super) fn figure(title: &str, height: f64, drawing: &str, legend: &str, note: Option<&str>) -> String {
    let name = escape(title);
    let legend = if legend.is_empty() { String::new() } else { format!("<ul class=\"legend\">{legend}</ul>\n") };
    let note = note.map(|n| format!("<p class=\"small\">{}</p>\n", escape(n))).unwrap_or_default();
    format!(
        "<figure><figcaption>{name}</figcaption>\n<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{name}\">\n\
         {drawing}</svg>\n{legend}{note}</figure>\n"
    )
}

/// Text in a drawing. `anchor`: start, middle, end.
pub(super) fn text(x: f64, y: f64, anchor: &str, content: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n", escape(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        let texts =
            |low, high| Scale::new((low, high), (0.0, 1.0)).ticks(5).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(0.0, 30_000.0), ["0", "10k", "20k", "30k"]);
        assert_eq!(texts(-3.0, 7.0), ["-2", "0", "2", "4", "6"]);
        assert!(!texts(5.0, 5.0).is_empty());
        assert!(!texts(f64::INFINITY, f64::NEG_INFINITY).is_empty());
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!([0.0, 999.0, 1000.0, 1234567.0, -4321.0].map(grouped), ["0", "999", "1,000", "1,234,567", "-4,321"]);
        assert_eq!([1234.5, 71.25, 1.0, 0.1234, 0.0].map(number), ["1234", "71.2", "1.00", "0.123", "0.000"]);
    }
}
