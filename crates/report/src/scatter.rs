//! A map: points in categories, told apart by colour, shape and the name written over their middle.

use serde::Serialize;

use super::Plot;
use super::axes::{Scale, WIDTH, figure, legend_entry, mark, range};
use super::escape;

const HEIGHT: f64 = 440.0;
const MARGIN: f64 = 10.0;
/// With more categories than this, names on the map would cover each other.
const MOST_NAMES: usize = 14;

/// Points in categories, without axes: only nearness means something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScatterPlot {
    pub(super) title: String,
    categories: Vec<Category>,
    note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Category {
    name: String,
    points: Vec<(f64, f64)>,
}

impl ScatterPlot {
    /// An empty map.
    pub fn new(title: impl Into<String>) -> ScatterPlot {
        ScatterPlot { title: title.into(), categories: Vec::new(), note: None }
    }

    /// Adds the points of a category. Points that are not finite are left out.
    #[must_use]
    pub fn category(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> ScatterPlot {
        let points = points.into_iter().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
        self.categories.push(Category { name: name.into(), points });
        self
    }

    /// What the map shows and how it was made.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> ScatterPlot {
        self.note = Some(note.into());
        self
    }

    pub(super) fn html(&self) -> String {
        let points = || self.categories.iter().flat_map(|c| &c.points);
        // Small marks for many points.
        let radius = (40.0 / (points().count().max(1) as f64).sqrt()).clamp(1.6, 3.6);
        let x = Scale::new(range(points().map(|p| p.0)), (MARGIN, WIDTH - MARGIN));
        let y = Scale::new(range(points().map(|p| p.1)), (HEIGHT - MARGIN, MARGIN));
        let mut out = format!(
            "<rect class=\"frame\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\"/>\n",
            WIDTH - 1.0,
            HEIGHT - 1.0
        );
        for (i, category) in self.categories.iter().enumerate() {
            out.push_str("<g class=\"dots\">");
            for &(px, py) in &category.points {
                out.push_str(&mark(i, x.at(px), y.at(py), radius));
            }
            out.push_str("</g>\n");
        }
        if self.categories.len() <= MOST_NAMES {
            for category in self.categories.iter().filter(|c| !c.points.is_empty()) {
                let (mx, my) =
                    (median(category.points.iter().map(|p| p.0)), median(category.points.iter().map(|p| p.1)));
                out.push_str(&format!(
                    "<text class=\"over\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                    x.at(mx).clamp(40.0, WIDTH - 40.0),
                    y.at(my) + 4.0,
                    escape(&category.name)
                ));
            }
        }
        let legend: String = self.categories.iter().enumerate().map(|(i, c)| legend_entry(i, &c.name, false)).collect();
        figure(&self.title, HEIGHT, &out, &legend, self.note.as_deref())
    }
}

impl From<ScatterPlot> for Plot {
    fn from(plot: ScatterPlot) -> Plot {
        Plot::Scatter(plot)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
