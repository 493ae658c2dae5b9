//! "Show me": tables and plots as Markdown, JSON, one self-contained page.
//!
//! A crate of its own, so that reading dumps and training share it; it knows neither posts nor models.
//!
//! ```
//! use quintet_report::{LinePlot, Report, Table};
//!
//! let report = Report::new("A run")
//!     .section("Training")
//!     .text("Thirty epochs on 1,000 synthetic posts.")
//!     .table(Table::new(["model", "recall@10"]).row(["ours", "71.2"]).row(["chance", "1.0"]))
//!     .plot(LinePlot::new("Loss", "step", "loss").series("text", [(0.0, 1.0), (500.0, 0.4)]));
//! assert!(report.html().contains("<svg"));
//! ```

use serde::Serialize;

mod axes;
mod bars;
mod lines;
mod page;
mod scatter;
mod table;

pub use bars::BarPlot;
pub use lines::LinePlot;
pub use scatter::ScatterPlot;
pub use table::{MARK, Table};

/// A report in the order it is read: headings, text, tables, plots.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    title: String,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Block {
    Section(String),
    Text(String),
    Note(String),
    Table(Table),
    Plot(Plot),
}

/// A plot of any kind.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Plot {
    /// Values over steps or epochs.
    Lines(LinePlot),
    /// One value each, with intervals.
    Bars(BarPlot),
    /// A map of points in categories.
    Scatter(ScatterPlot),
}

impl Plot {
    fn title(&self) -> &str {
        match self {
            Plot::Lines(plot) => &plot.title,
            Plot::Bars(plot) => &plot.title,
            Plot::Scatter(plot) => &plot.title,
        }
    }

    fn html(&self) -> String {
        match self {
            Plot::Lines(plot) => plot.html(),
            Plot::Bars(plot) => plot.html(),
            Plot::Scatter(plot) => plot.html(),
        }
    }
}

impl Report {
    /// An empty report.
    pub fn new(title: impl Into<String>) -> Report {
        Report { title: title.into(), blocks: Vec::new() }
    }

    /// Starts a section.
    #[must_use]
    pub fn section(self, heading: impl Into<String>) -> Report {
        self.with(Block::Section(heading.into()))
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Report {
        self.with(Block::Text(text.into()))
    }

    /// Adds a paragraph that must not be overlooked, such as "All figures are from synthetic posts".
    #[must_use]
    pub fn note(self, text: impl Into<String>) -> Report {
        self.with(Block::Note(text.into()))
    }

    /// Adds a table.
    #[must_use]
    pub fn table(self, table: Table) -> Report {
        self.with(Block::Table(table))
    }

    /// Adds a plot. Plots that follow each other stand side by side where there is room.
    #[must_use]
    pub fn plot(self, plot: impl Into<Plot>) -> Report {
        self.with(Block::Plot(plot.into()))
    }

    fn with(mut self, block: Block) -> Report {
        self.blocks.push(block);
        self
    }

    /// One page that needs nothing else: no script, no font, no picture from elsewhere.
    pub fn html(&self) -> String {
        page::page(&self.title, &self.blocks)
    }

    /// Headings, text and tables; plots by their titles.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n", inert(&self.title));
        for block in &self.blocks {
            out.push('\n');
            match block {
                Block::Section(heading) => out.push_str(&format!("## {}\n", inert(heading))),
                Block::Text(text) => out.push_str(&format!("{}\n", inert(text))),
                Block::Note(text) => out.push_str(&format!("> {}\n", inert(text))),
                Block::Table(table) => out.push_str(&table.markdown()),
                Block::Plot(plot) => out.push_str(&format!("(Plot in the HTML report: {})\n", plot.title())),
            }
        }
        out
    }

    /// Everything, the plots' values included.
    ///
    /// # Errors
    /// Never for reports made by this crate; a failure is a bug.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

/// A count with its digits in threes: 12,345.
pub fn count(n: usize) -> String {
    axes::grouped(n as f64)
}

/// `text` as it may stand in Markdown: what a post wrote is neither an element nor a picture fetched from elsewhere.
fn inert(text: &str) -> String {
    text.replace('<', "\\<").replace("](", "]\\(")
}

/// `text` as it may stand in HTML text and attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new("A <run>")
            .note("Synthetic posts.")
            .section("Retrieval")
            .table(Table::new(["model", "recall@10"]).row(["ours & theirs", "71.2"]))
            .plot(LinePlot::new("Loss", "step", "loss").series("text", [(0.0, 1.0), (10.0, f64::NAN), (20.0, 0.5)]))
            .plot(BarPlot::new("Posts", "posts").bar("en", 12_345.0, None).counts())
            .plot(BarPlot::new("Recall", "%").bar("ours", 71.0, Some((65.0, 75.0))).reference("chance", 1.0))
            .plot(
                ScatterPlot::new("Map")
                    .category("cats", [(0.0, 0.0), (1.0, f64::INFINITY)])
                    .category("dogs", [(1.0, 2.0)]),
            )
    }

    #[test]
    fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
        let html = report().html();
        for part in [
            "A &lt;run&gt;",
            "ours &amp; theirs",
            "prefers-color-scheme: dark",
            "Synthetic posts.",
            ">12,345<",
            "71.0 (65.0–75.0)",
            "viewport",
            "</html>",
        ] {
            assert!(html.contains(part), "{part}");
        }
        for part in ["<script", "src=", "href=", "url(", "NaN", "inf\""] {
            assert!(!html.contains(part), "{part}");
        }
        assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    }

    #[test]
    fn empty_plots_and_reports_are_pages_too() {
        let html = Report::new("")
            .table(Table::new(Vec::<String>::new()))
            .plot(LinePlot::new("", "", "").series("none", []))
            .plot(BarPlot::new("", ""))
            .plot(ScatterPlot::new("").category("one", [(1.0, 1.0)]))
            .html();
        assert!(html.ends_with("</html>\n") && !html.contains("NaN"));
    }

    #[test]
    fn markdown_and_json_hold_the_same_figures() {
        let markdown = report().markdown();
        assert!(markdown.contains("| ours & theirs | 71.2 |") && markdown.contains("> Synthetic"));
        let hostile =
            Report::new("").table(Table::new(["text"]).row(["<img src=x> ![x](https://x.example/i)"])).markdown();
        assert!(hostile.contains("| \\<img src=x> ![x]\\(https://x.example/i) |"), "{hostile}");
        let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
        assert_eq!(json["blocks"][3]["plot"]["kind"], "lines");
    }
}
