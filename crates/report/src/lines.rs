//! A line plot: values over steps or epochs, one line a series.

use serde::Serialize;

use super::Plot;
use super::axes::{Scale, WIDTH, colour, dashes, figure, legend_entry, mark, range, text};

/// More points than this are averaged in equal runs: the drawing has no room for more.
const MOST_POINTS: usize = 240;
/// Marks per line, so that lines are told apart without colour.
const MARKS: usize = 6;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = HEIGHT - 38.0;

/// Values over steps or epochs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinePlot {
    pub(super) title: String,
    x: String,
    y: String,
    series: Vec<Series>,
    from_zero: bool,
    /// Named places of the level axis; none: round numbers.
    ticks: Vec<(f64, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

impl LinePlot {
    /// An empty plot with the names (and units) of its axes.
    pub fn new(title: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> LinePlot {
        LinePlot {
            title: title.into(),
            x: x.into(),
            y: y.into(),
            series: Vec::new(),
            from_zero: false,
            ticks: Vec::new(),
        }
    }

    /// Adds a line through `points` (x, y), in order of x. Points that are not finite leave a gap.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> LinePlot {
        self.series.push(Series { name: name.into(), points: points.into_iter().collect() });
        self
    }

    /// Starts the upright axis at 0.
    #[must_use]
    pub fn from_zero(mut self) -> LinePlot {
        self.from_zero = true;
        self
    }

    /// Names places of the level axis, such as days, instead of writing round numbers.
    #[must_use]
    pub fn ticks<S: Into<String>>(mut self, ticks: impl IntoIterator<Item = (f64, S)>) -> LinePlot {
        self.ticks = ticks.into_iter().map(|(at, name)| (at, name.into())).collect();
        self
    }

    pub(super) fn html(&self) -> String {
        let longest = self.series.iter().map(|s| s.points.len()).max().unwrap_or(0);
        let run = longest.div_ceil(MOST_POINTS).max(1);
        let drawn: Vec<Vec<(f64, f64)>> = self.series.iter().map(|s| averaged(&s.points, run)).collect();
        let finite = || drawn.iter().flatten().filter(|p| p.0.is_finite() && p.1.is_finite());
        let (mut low, high) = range(finite().map(|p| p.1));
        if self.from_zero {
            low = low.min(0.0);
        }
        let room = (high - low) * 0.04;
        let bottom = if self.from_zero && low == 0.0 { 0.0 } else { low - room };
        let x = Scale::new(range(finite().map(|p| p.0)), (LEFT, RIGHT));
        let y = Scale::new((bottom, high + room), (BOTTOM, TOP));

        let mut drawing = self.axes(x, y);
        for (i, points) in drawn.iter().enumerate() {
            drawing.push_str(&line(i, points, x, y));
        }
        let legend: String = self.series.iter().enumerate().map(|(i, s)| legend_entry(i, &s.name, true)).collect();
        let note = (run > 1).then(|| format!("Each point is the mean of {run} values."));
        figure(&self.title, HEIGHT, &drawing, &legend, note.as_deref())
    }

    fn axes(&self, x: Scale, y: Scale) -> String {
        let mut out = String::new();
        for (value, label) in y.ticks(5) {
            let at = y.at(value);
            out.push_str(&format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>"));
            out.push_str(&text(LEFT - 6.0, at + 3.5, "end", &label));
        }
        let named = !self.ticks.is_empty();
        for (value, label) in if named { self.ticks.clone() } else { x.ticks(6) } {
            let at = x.at(value);
            // Names are longer than numbers: the outer ones stay within the drawing.
            let anchor = match at {
                at if named && at < LEFT + 30.0 => "start",
                at if named && at > RIGHT - 30.0 => "end",
                _ => "middle",
            };
            out.push_str(&format!("<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v4\"/>"));
            out.push_str(&text(at, BOTTOM + 15.0, anchor, &label));
        }
        out.push_str(&format!("<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>"));
        out.push_str(&text(4.0, 13.0, "start", &self.y));
        out.push_str(&text((LEFT + RIGHT) / 2.0, HEIGHT - 6.0, "middle", &self.x));
        out
    }
}

impl From<LinePlot> for Plot {
    fn from(plot: LinePlot) -> Plot {
        Plot::Lines(plot)
    }
}

/// Means of runs of `run` points.
fn averaged(points: &[(f64, f64)], run: usize) -> Vec<(f64, f64)> {
    points
        .chunks(run)
        .map(|chunk| {
            let n = chunk.len() as f64;
            (chunk.iter().map(|p| p.0).sum::<f64>() / n, chunk.iter().map(|p| p.1).sum::<f64>() / n)
        })
        .collect()
}

fn line(i: usize, points: &[(f64, f64)], x: Scale, y: Scale) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for &(px, py) in points {
        let finite = px.is_finite() && py.is_finite();
        if finite {
            path.push_str(&format!("{}{:.1} {:.1}", if pen_down { "L" } else { "M" }, x.at(px), y.at(py)));
        }
        pen_down = finite;
    }
    let mut out = format!("<path class=\"{} line\" stroke-dasharray=\"{}\" d=\"{path}\"/>\n", colour(i), dashes(i));
    // Shifted from line to line, so that marks of lines that run together do not cover each other.
    let every = points.len().div_ceil(MARKS).max(1);
    for &(px, py) in
        points.iter().skip((i * every / 3) % every).step_by(every).filter(|p| p.0.is_finite() && p.1.is_finite())
    {
        out.push_str(&mark(i, x.at(px), y.at(py), 3.2));
    }
    out.push('\n');
    out
}
