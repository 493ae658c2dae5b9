//! A bar plot: one value each, with its interval, printed beside the bar.

use serde::Serialize;

use super::Plot;
use super::axes::{Scale, WIDTH, figure, grouped, number, range, text};

const ROW: f64 = 26.0;
const TOP: f64 = 8.0;
/// Width of a character at the largest size of the drawing's text (on a phone), in a wide typeface.
const CHARACTER: f64 = 8.6;
/// Least room between two values under the axis.
const TICK: f64 = 52.0;
const LONGEST_NAME: usize = 30;

/// One value each, with intervals; the axis starts at 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BarPlot {
    pub(super) title: String,
    unit: String,
    bars: Vec<Bar>,
    references: Vec<(String, f64)>,
    note: Option<String>,
    counts: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Bar {
    name: String,
    value: f64,
    interval: Option<(f64, f64)>,
}

impl BarPlot {
    /// An empty plot; `unit` names the axis ("recall@10, %").
    pub fn new(title: impl Into<String>, unit: impl Into<String>) -> BarPlot {
        let (title, unit) = (title.into(), unit.into());
        BarPlot { title, unit, bars: Vec::new(), references: Vec::new(), note: None, counts: false }
    }

    /// Adds a bar with its interval (low, high).
    #[must_use]
    pub fn bar(mut self, name: impl Into<String>, value: f64, interval: Option<(f64, f64)>) -> BarPlot {
        self.bars.push(Bar { name: name.into(), value, interval });
        self
    }

    /// Adds a dashed line across all bars, such as the chance level.
    #[must_use]
    pub fn reference(mut self, name: impl Into<String>, value: f64) -> BarPlot {
        self.references.push((name.into(), value));
        self
    }

    /// The values are counts of things: they are printed as whole numbers.
    #[must_use]
    pub fn counts(mut self) -> BarPlot {
        self.counts = true;
        self
    }

    /// What the intervals are.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> BarPlot {
        self.note = Some(note.into());
        self
    }

    pub(super) fn html(&self) -> String {
        let names: Vec<String> = self.bars.iter().map(|b| shortened(&b.name)).collect();
        let longest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        let left = longest as f64 * CHARACTER + 14.0;
        let values = self.bars.iter().flat_map(|b| [b.value, b.interval.map_or(0.0, |i| i.1)]);
        let (low, high) = range(values.chain(self.references.iter().map(|r| r.1)).chain([0.0]));
        let printed: Vec<String> = self.bars.iter().map(|b| self.printed(b)).collect();
        let value = printed.iter().map(|p| p.chars().count()).max().unwrap_or(0) as f64 * CHARACTER + 14.0;
        let right = (WIDTH - value).max(left + TICK);
        let x = Scale::new((low, if high > low { high } else { low + 1.0 }), (left, right));
        let bottom = TOP + self.bars.len() as f64 * ROW + 4.0;

        let mut out = String::new();
        for (value, label) in x.ticks((((right - left) / TICK) as usize).clamp(1, 5)) {
            let at = x.at(value);
            out.push_str(&format!("<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>"));
            out.push_str(&text(at, bottom + 14.0, "middle", &label));
        }
        for (i, (name, value)) in self.references.iter().enumerate().filter(|(_, r)| r.1.is_finite()) {
            let (at, below) = (x.at(*value), bottom + 45.0 + 14.0 * i as f64);
            out.push_str(&format!("<path class=\"reference\" d=\"M{at:.1} {TOP}V{:.1}\"/>", below - 11.0));
            let anchor = if at > WIDTH * 0.6 { "end" } else { "start" };
            out.push_str(&text(at, below, anchor, &format!("{name} {}", number(*value))));
        }
        // After the lines, so that printed values stay readable where a line crosses them.
        for (i, ((bar, name), printed)) in self.bars.iter().zip(&names).zip(&printed).enumerate() {
            out.push_str(&row(bar, name, printed, x, left, TOP + i as f64 * ROW));
        }
        out.push_str(&text(left, bottom + 29.0, "start", &self.unit));
        let height = bottom + 34.0 + 14.0 * self.references.len() as f64;
        figure(&self.title, height, &out, "", self.note.as_deref())
    }

    /// A value as it stands beside its bar.
    fn printed(&self, bar: &Bar) -> String {
        let value = if self.counts || bar.value == 0.0 { grouped(bar.value) } else { number(bar.value) };
        match bar.interval.filter(|i| i.0.is_finite() && i.1.is_finite()) {
            Some((low, high)) => format!("{value} ({}–{})", number(low), number(high)),
            None => value,
        }
    }
}

impl From<BarPlot> for Plot {
    fn from(plot: BarPlot) -> Plot {
        Plot::Bars(plot)
    }
}

fn row(bar: &Bar, name: &str, printed: &str, x: Scale, left: f64, top: f64) -> String {
    let middle = top + ROW / 2.0;
    let mut out = text(left - 8.0, middle + 3.5, "end", name);
    if !bar.value.is_finite() {
        return out + &text(left + 4.0, middle + 3.5, "start", "no value");
    }
    let (a, b) = (x.at(bar.value.min(0.0)), x.at(bar.value.max(0.0)));
    out.push_str(&format!(
        "<rect class=\"c0 fill\" x=\"{a:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"1.5\"/>",
        top + 5.0,
        (b - a).max(1.0),
        ROW - 10.0
    ));
    let mut end = b;
    if let Some((low, high)) = bar.interval.filter(|i| i.0.is_finite() && i.1.is_finite()) {
        let (l, h) = (x.at(low), x.at(high));
        out.push_str(&format!(
            "<path class=\"whisker\" d=\"M{l:.1} {:.1}v8M{l:.1} {middle:.1}H{h:.1}M{h:.1} {:.1}v8\"/>",
            middle - 4.0,
            middle - 4.0
        ));
        end = end.max(h);
    }
    out + &text(end + 6.0, middle + 3.5, "start", printed)
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}
